"""Probes report every layer in the order of the run, by numbers that autograd gives, and leave the network as it was."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.data import load_data
from course_lib.models import cifar_resnet, imagenet_resnet, plain_net
from course_lib.probes import gradient_norms, kept_for_backward, probe

DIGITS = load_data("digits")
IMAGES, LABELS = DIGITS.x_train[:32], DIGITS.y_train[:32]


def test_gradient_norms_are_those_of_backward():
    torch.manual_seed(0)
    net = plain_net(8, in_channels=1)
    found = [layer.gradient_norm for layer in probe(net, IMAGES, LABELS)]
    F.cross_entropy(net.train()(IMAGES), LABELS).backward()
    weights = [layer.weight for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert found == pytest.approx([weight.grad.norm().item() for weight in weights], rel=1e-5)


def test_activation_statistics_are_those_of_the_outputs():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 10))
    layer = probe(net, IMAGES, LABELS)[0]
    output = net[0](IMAGES)
    assert (layer.name, layer.kind, layer.output_shape) == ("0", "Conv2d", (32, 4, 6, 6))
    assert (layer.mean, layer.std) == pytest.approx((output.mean().item(), output.std().item()), rel=1e-5)


def test_layers_come_in_the_order_of_the_run_not_of_definition():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Linear(8, 10), nn.Linear(64, 8)

        def forward(self, x):
            return self.last(self.first(x.flatten(1)))

    assert [layer.name for layer in probe(Backwards(), IMAGES, LABELS)] == ["first", "last"]


def test_a_probe_leaves_weights_statistics_gradients_and_mode_alone():
    net = cifar_resnet(8, in_channels=1).eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    probe(net, IMAGES, LABELS)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not any(module.training or module._forward_hooks for module in net.modules())


def test_plain_and_residual_networks_of_one_depth_give_lists_of_one_length():
    for shortcut in "ABC":
        assert len(gradient_norms(cifar_resnet(20, in_channels=1, shortcut=shortcut), IMAGES, LABELS)) == 19
    assert len(gradient_norms(plain_net(20, in_channels=1), IMAGES, LABELS)) == 19


def test_an_unused_layer_is_not_reported_and_a_frozen_path_has_no_gradient():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    net.spare = nn.Linear(3, 3)
    net.forward = lambda x: net[1](net[0](x))
    assert [layer.name for layer in probe(net, IMAGES, LABELS)] == ["1"]


def test_what_is_kept_for_backward_grows_with_the_batch_and_leaves_out_weights():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 1000, bias=False), nn.ReLU(), nn.Linear(1000, 10, bias=False))
    small, large = (kept_for_backward(net, DIGITS.x_train[:n], DIGITS.y_train[:n]) for n in (16, 32))
    hidden = 16 * 1000 * 4
    assert hidden <= small < 2 * hidden
    assert large > 1.8 * small


def test_probes_work_on_imagenet_networks():
    assert len(probe(imagenet_resnet(18, 10, 1), IMAGES[:4], LABELS[:4])) == 21


def test_a_gradient_too_small_to_square_still_has_a_norm():
    """At depth 56 without normalisation the first layer's gradient is near 1e-27, and its squares are 0 in float32."""
    torch.manual_seed(0)
    norms = gradient_norms(plain_net(56, in_channels=1, norm=False, init="torch"), IMAGES, LABELS)
    assert 0 < norms[0] < 1e-20 * norms[-1]
