"""Every network with a donor equals it: parameters, outputs in evaluation and training, running statistics, gradients."""

import pytest
import torch
import torchvision
from donors import build_donor
from parity import carry_in_order, disagreement, randomise
from torch import nn

from course_lib import models
from course_lib.cost import count_parameters
from course_lib.weights import load_weights

WITH_DONOR = [name for name in models.names() if models.entry(name).donor]
# Small, odd and not square, so that rounding up and padding differ; Inception-v3's auxiliary classifier needs 299.
# BN-Inception's donor knows even sizes alone.
SHAPES = {
    "inception-v3": (299, 305),
    "inception-v4": (107, 124),
    "inception-resnet-v1": (107, 124),
    "inception-resnet-v2": (107, 124),
    "alexnet": (75, 96),
    "bn-inception": (64, 96),
}


def images_for(name: str) -> torch.Tensor:
    torch.manual_seed(3)
    return torch.randn(2, 3, *SHAPES.get(name, (64, 75)), dtype=torch.float64)


def narrowed(net: nn.Module) -> nn.Module:
    """The same network with 64 in place of 4096 hidden units, whose 120 million weights would take most of the time."""
    for parent in list(net.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Linear):
                inputs = 64 if layer.in_features == 4096 else layer.in_features
                outputs = 64 if layer.out_features == 4096 else layer.out_features
                setattr(parent, name, nn.Linear(inputs, outputs, dtype=torch.float64))
    return net


@pytest.mark.parametrize("name", WITH_DONOR)
def test_a_network_equals_its_donor(name):
    torch.manual_seed(2)
    entry, images = models.entry(name), images_for(name)
    donor, ours = build_donor(entry).double(), models.create(name).double()
    assert count_parameters(ours) == count_parameters(donor)
    if entry.family == "baselines":
        donor, ours = narrowed(donor), narrowed(ours)
    randomise(donor, images)
    carry = carry_in_order if entry.donor.startswith("facenet") else load_weights
    for way, difference in disagreement(donor, ours, images, carry).items():
        assert difference < 1e-9, f"{way} differs by {difference:.1e}"


def resnet50_pair() -> tuple[nn.Module, nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    donor = randomise(torchvision.models.resnet50().double(), images)
    return donor, models.create("resnet-50").double(), images


@pytest.mark.parametrize("fault", ["eps", "momentum", "stride", "pool", "statistics", "relu", "dropout"])
def test_the_comparison_sees_planted_faults(fault):
    donor, ours, images = resnet50_pair()
    if fault == "stride":
        ours = models.create("resnet-50", stride_in="1x1").double()
    norms = [layer for layer in ours.modules() if isinstance(layer, nn.BatchNorm2d)]
    if fault == "eps":
        for norm in norms:
            norm.eps = 1e-3
    elif fault == "momentum":
        norms[-1].momentum = 0.01
    elif fault == "pool":
        ours.stem[2] = nn.AvgPool2d(3, 2, 1)
    elif fault == "relu":
        ours.stem[1] = nn.ReLU6()
    elif fault == "dropout":
        ours.head.insert(2, nn.Dropout(0.2))

    def carry(network: nn.Module, state: dict[str, torch.Tensor]) -> None:
        load_weights(network, state)
        if fault == "statistics":
            norms[-1].reset_running_stats()

    if fault == "dropout":
        carry = carry_in_order
    assert max(disagreement(donor, ours, images, carry).values()) > 1e-6
