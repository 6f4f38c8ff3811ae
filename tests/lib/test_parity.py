"""Every network with a donor equals it: parameters, outputs in evaluation and training, running statistics, gradients.

Their weights are carried over by ``load_weights``; what it refuses is at the end.
"""

import pytest
import timm
import torch
import torchvision
from donors import build_donor
from parity import Carry, carry_in_order, disagreement, one_thread, randomise  # noqa: F401 (a fixture)
from torch import nn

from course_lib import models
from course_lib.weights import load_weights

WITH_DONOR = [name for name in models.names() if models.entry(name).donor]
# The blocks of another network of the family, more of them or wider ones; test_counts.py holds their numbers.
DEEP = [name for name in WITH_DONOR if any(f"-{depth}" in name for depth in (16, 19, 34, 101, 152, 154)) and name != "vgg-16-bn"]
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
    deep = any(f"-{depth}" in name for depth in (101, 152, 154))  # the same blocks as in the 50-layer network, more of them
    return torch.randn(2, 3, *SHAPES.get(name, (40, 51) if deep else (64, 75)), dtype=torch.float64)


def allocated(net: nn.Module) -> nn.Module:
    """A network that was built on the meta device, in double precision, with numbers that are not set yet.

    Dense layers of 4096 hidden units get 64: their 120 million weights would take most of the time.
    """
    for parent in list(net.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Linear) and 4096 in (layer.in_features, layer.out_features):
                sizes = (64 if size == 4096 else size for size in (layer.in_features, layer.out_features))
                setattr(parent, name, nn.Linear(*sizes, device="meta"))
    return net.double().to_empty(device="cpu")


@pytest.mark.parametrize("name", WITH_DONOR)
def test_a_network_has_the_parameters_of_its_donor(name):
    with torch.device("meta"):
        donor, ours = build_donor(models.entry(name)), models.create(name)
    sizes = [sorted(parameter.numel() for parameter in net.parameters()) for net in (donor, ours)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in DEEP else ()) for name in WITH_DONOR])
def test_a_network_equals_its_donor(name):
    torch.manual_seed(2)
    entry, images = models.entry(name), images_for(name)
    with torch.device("meta"):
        donor, ours = build_donor(entry), models.create(name)
    assert_equal(donor, ours, images, carry_in_order if entry.donor.startswith("facenet") else load_weights)


def test_senet_154_with_two_blocks_to_a_stage_equals_its_donor():
    """All of its 50 blocks, with their 115 million weights, take long."""
    torch.manual_seed(2)
    with torch.device("meta"):
        donor, ours = build_donor(models.entry("senet-154")), models.create("senet-154")
    for number in range(4):
        setattr(donor, f"layer{number + 1}", getattr(donor, f"layer{number + 1}")[:2])
        ours.stages[number] = ours.stages[number][:2]
    assert_equal(donor, ours, images_for("senet-154"), carry_in_order)


def assert_equal(donor: nn.Module, ours: nn.Module, images: torch.Tensor, carry: Carry) -> None:
    """Two networks on the meta device compute the same with the donor's weights, once it has some."""
    donor, ours = allocated(donor), allocated(ours)
    for layer in donor.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    randomise(donor, images)
    for way, difference in disagreement(donor, ours, images, carry).items():
        assert difference < 1e-9, f"{way} differs by {difference:.1e}"


@pytest.fixture(scope="module")
def resnet50() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    images = torch.randn(2, 3, 33, 46, dtype=torch.float64)
    return randomise(torchvision.models.resnet50().double(), images), images


@pytest.mark.parametrize("fault", ["eps", "momentum", "stride", "pool", "statistics", "relu", "dropout"])
def test_the_comparison_sees_planted_faults(fault, resnet50):
    donor, images = resnet50
    with torch.device("meta"):
        ours = models.create("resnet-50", stride_in="1x1" if fault == "stride" else "3x3")
    ours = allocated(ours)
    norms = [layer for layer in ours.modules() if isinstance(layer, nn.BatchNorm2d)]
    if fault == "eps":
        for norm in norms:
            norm.eps = 1e-3
    elif fault == "momentum":
        norms[-1].momentum = 0.01
    elif fault == "pool":
        ours.stem[3] = nn.AvgPool2d(3, 2, 1)
    elif fault == "relu":
        ours.stem[2] = nn.ReLU6()
    elif fault == "dropout":
        ours.head.insert(2, nn.Dropout(0.2))

    def carry(network: nn.Module, state: dict[str, torch.Tensor]) -> None:
        load_weights(network, state)
        if fault == "statistics":
            norms[-1].reset_running_stats()

    if fault == "dropout":
        carry = carry_in_order
    assert max(disagreement(donor, ours, images, carry).values()) > 1e-6


def small_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return dict(torchvision.models.resnet18(num_classes=3).state_dict())


WRONG_SOURCES = {
    "an entry is missing": (lambda: without(small_state(), "layer2.0.bn1.bias"), "layer2.0.bn1.bias is missing"),
    "a layer is missing": (lambda: without(small_state(), "fc.weight", "fc.bias"), "fc.weight is missing"),
    "an entry is unexpected": (lambda: small_state() | {"layer1.0.bn1.gain": torch.ones(64)}, "layer1.0.bn1.gain of"),
    "a layer is unexpected": (lambda: small_state() | {"a.weight": torch.ones(1), "b.bias": torch.ones(1)}, "a.weight is unexp"),
    "a shape is another": (
        lambda: small_state() | {"conv1.weight": torch.ones(64, 1, 7, 7)},
        "conv1.weight of torchvision/resnet18",
    ),
    "more classes": (lambda: torchvision.models.resnet18(num_classes=4).state_dict(), "fc.weight of"),
    "a deeper network": (lambda: torchvision.models.resnet34(num_classes=3).state_dict(), "layer1.2.conv1.weight of"),
    "another family": (lambda: models.create("mobilenet", 3).state_dict(), "weight of the source has shape (32, 3, 3, 3)"),
    "no entries": (dict, "nothing at all"),
    "a list": (lambda: [torch.ones(1)], "type list"),
    "a network": (lambda: torchvision.models.resnet18(num_classes=3), "type ResNet"),
    "a checkpoint": (lambda: {"state_dict": small_state()}, "source['state_dict'] is of type dict"),
    "a name without library": (lambda: "resnet18", "torchvision/resnet50"),
    "a library that is not known": (lambda: "keras/resnet18", "torchvision/resnet50"),
    "a name that the library does not know": (lambda: "torchvision/resnet17", "resnet17"),
}


def without(state: dict[str, torch.Tensor], *keys: str) -> dict[str, torch.Tensor]:
    return {key: value for key, value in state.items() if key not in keys}


@pytest.mark.parametrize("case", WRONG_SOURCES)
def test_weights_that_do_not_fit_are_named_and_change_nothing(case):
    source, words = WRONG_SOURCES[case]
    net = models.create("resnet-18", 3)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(ValueError) as refused:
        load_weights(net, source())
    assert words in str(refused.value)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_a_bias_that_no_normalisation_can_hold_is_refused():
    """timm's Xception has none after its depthwise convolutions; a source that has one is another network."""
    with torch.device("meta"):
        ours, donor = models.create("xception", 3), build_donor(models.entry("xception"))
    state = {key: torch.zeros(value.shape) for key, value in donor.state_dict().items() if not key.startswith("fc.")}
    state |= {"fc.weight": torch.zeros(3, 2048), "fc.bias": torch.zeros(3)}
    ours = ours.to_empty(device="cpu")
    load_weights(ours, state)
    with pytest.raises(ValueError, match="block1.rep.0.conv1.bias of timm/legacy_xception is unexpected"):
        load_weights(ours, state | {"block1.rep.0.conv1.bias": torch.ones(64)})


def test_a_bias_before_a_normalisation_goes_into_its_mean():
    state = small_state() | {"conv1.bias": torch.linspace(-1, 1, 64)}
    donor = torchvision.models.resnet18(num_classes=3)
    donor.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
    donor.load_state_dict(state)
    ours = load_weights(models.create("resnet-18", 3), state)
    images = torch.randn(2, 3, 33, 33)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), donor.eval()(images))


def test_the_order_of_a_file_does_not_matter():
    state = small_state()
    nets = [load_weights(models.create("resnet-18", 3), dict(items)) for items in (state.items(), sorted(state.items()))]
    assert all(torch.equal(value, nets[1].state_dict()[key]) for key, value in nets[0].state_dict().items())


def test_own_weights_load_with_or_without_auxiliary_classifiers():
    source = models.create("googlenet", 3)
    with_heads, without_heads = models.create("googlenet", 3), models.create("googlenet", 3, aux=False)
    for net in (with_heads, without_heads):
        load_weights(net, dict(sorted(source.state_dict().items())))
        assert all(torch.equal(value, source.state_dict()[key]) for key, value in net.state_dict().items())
    with pytest.raises(ValueError, match="auxiliary.4a.* is missing.*aux=False"):
        load_weights(models.create("googlenet", 3), without_heads.state_dict())


def test_a_donors_auxiliary_classifiers_may_be_left_out():
    donor = torchvision.models.googlenet(num_classes=3, aux_logits=True, init_weights=False).eval()
    ours = load_weights(models.create("googlenet", 3, aux=False), donor.state_dict()).eval()
    images = torch.randn(2, 3, 33, 33)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), donor(images))


def test_names_are_looked_up_in_their_library(monkeypatch):
    """As without a network: the library's own download is replaced, what asks it is not."""
    asked, state = [], small_state()

    def stored(weights, **options):
        asked.append(str(weights))
        return state

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", stored)
    net = load_weights(models.create("resnet-18", 3), "torchvision/resnet18")
    assert asked == ["ResNet18_Weights.IMAGENET1K_V1"]
    assert torch.equal(net.head[2].bias, state["fc.bias"])

    def created(name, pretrained):
        asked.append((name, pretrained))
        return torchvision.models.resnet18(num_classes=3)

    monkeypatch.setattr(timm, "create_model", created)
    load_weights(models.create("resnet-18", 3), "timm/anything")
    assert asked[1:] == [("anything", True)]
