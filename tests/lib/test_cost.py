"""Costs: closed forms, parts that add up to the total, and a network that is not changed by being counted."""

import warnings
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import FlopCounterMode

from course_lib.cost import Latency, conv_macs, count, count_parameters, latency, layer_costs, stage_costs
from course_lib.listing import build
from course_lib.models import cifar_resnet, imagenet_resnet, plain_net


@pytest.mark.parametrize(("cin", "cout", "kernel", "size", "groups"), [(3, 16, 3, 32, 1), (64, 64, 1, 7, 1), (32, 64, 5, 9, 8)])
def test_a_convolution_costs_its_closed_form(cin, cout, kernel, size, groups):
    conv = nn.Conv2d(cin, cout, kernel, padding=kernel // 2, groups=groups)
    assert count(conv, (cin, size, size)).macs == conv_macs(cin, cout, kernel, size, size, groups)


def test_stages_add_up_to_the_total():
    for net, shape in (build("resnet-50", None), build("cifar-resnet-20", 32), build("googlenet", None)):
        for depth in (1, 2, 3, None):
            *parts, total = stage_costs(net, shape, depth=depth)
            assert sum(part.macs for part in parts) == total.macs
            assert sum(part.parameters for part in parts) == total.parameters == count_parameters(net)


def test_shapes_follow_table_1_of_the_paper():
    rows = {row.name: row.output_shape for row in stage_costs(*build("resnet-152", None), depth=2)}
    assert rows["stem.3"] == (64, 56, 56)
    assert [rows[f"stages.{i}"] for i in range(4)] == [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]


def test_counting_changes_nothing_and_needs_no_batch():
    net = plain_net(8).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    count(net, (3, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training and next(net.parameters()).device.type == "cpu"


def test_a_network_on_the_meta_device_counts_as_well():
    with torch.device("meta"):
        net = imagenet_resnet(152)
    assert count(net, (3, 224, 224)).macs == 11_513_626_624


def test_a_shared_parameter_counts_once():
    layer = nn.Linear(8, 8, bias=False)
    assert count_parameters(nn.Sequential(layer, layer)) == 64


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "inception_v3", "vgg11_bn", "vit_b_16"])
def test_macs_are_half_of_what_torch_counts_in_flops(name):
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        net = torchvision.models.get_model(name, **options).eval()
        images = torch.empty(1, 3, 224, 224)
    with FlopCounterMode(display=False) as flops:
        net(images)
    *layers, total = layer_costs(net, (3, 224, 224))
    assert 2 * total.macs == flops.get_total_flops()
    assert sum(layer.macs for layer in layers) == total.macs
    assert sum(layer.parameters for layer in layers) == total.parameters == count_parameters(net)


class Scaled(nn.Module):
    """A user's network: a parameter and an operation of its own, layers in a list, one used twice, one never."""

    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(4, 3, 3, 3))
        self.shift = torch.rand(1, 4, 1, 1)  # neither parameter nor buffer
        self.layers = nn.ModuleList([nn.Conv2d(4, 4, 1, bias=False), nn.Conv2d(4, 4, 1, bias=False)])
        self.layers[1].weight = self.layers[0].weight
        self.never = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.kernel) + self.shift
        return self.layers[0](self.layers[0](self.layers[1](x)))


@pytest.mark.parametrize("depth", [1, 2, None])
def test_every_parameter_and_mac_is_in_one_row(depth):
    *rows, total = stage_costs(Scaled(), (3, 6, 6), depth=depth)
    names = ["layers"] if depth == 1 else ["layers.1", "layers.0"]
    assert [row.name for row in rows] == [*names, "Scaled itself", "never"]
    assert [row.macs for row in rows[-2:]] == [16 * 3 * 9 * 4, 0]
    assert sum(row.macs for row in rows[:-2]) == 3 * 16 * 16
    assert sum(row.parameters for row in rows) == total.parameters == 4 * 27 + 16 + 30
    assert rows[-1].kind.endswith("not called")


def test_a_network_of_one_layer_has_its_row_and_its_total():
    row, total = layer_costs(nn.Conv2d(3, 8, (1, 3), stride=2, dilation=2), (3, 9, 9))
    assert (row.kind, row.macs, row.parameters) == ("Conv2d 1×3 /2, dilation 2", total.macs, total.parameters)
    assert len(stage_costs(nn.Conv2d(3, 8, 1), (3, 9, 9), depth=0)) == 1


def test_activations_are_what_is_written_and_not_what_is_seen_or_changed_in_place():
    inner = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 5))
    *rows, total = layer_costs(inner, (1, 6, 6))
    assert [row.activations for row in rows] == [32, 0, 32, 8, 0, 5]
    assert total.activations == 77


def test_kinds_tell_what_makes_one_layer_dearer_than_another():
    layers = [
        nn.Conv2d(8, 8, 3, 2, 1, groups=8),
        nn.Conv2d(8, 8, 1, groups=2),
        nn.AvgPool2d((1, 2)),
        nn.Flatten(),
        nn.Linear(64, 2),
    ]
    kinds = [row.kind for row in layer_costs(nn.Sequential(*layers), (8, 8, 8))[:-1]]
    assert kinds[:2] == ["Conv2d 3×3 /2, depthwise", "Conv2d 1×1, 2 groups"]
    assert kinds[2:] == ["AvgPool2d 1×2 /1×2", "Flatten", "Linear 64 → 2"]


class Answer(NamedTuple):
    logits: Tensor
    features: Tensor


RETURNED = {
    "a tuple": lambda x: (x, x.sum()),
    "a named tuple": lambda x: Answer(x, x.sum()),
    "a dictionary": lambda x: {"label": "cat", "logits": x, "features": x.sum()},
    "a list in a list": lambda x: [[x]],
}


@pytest.mark.parametrize("case", RETURNED)
def test_the_output_is_the_first_tensor_of_whatever_is_returned(case):
    class Net(nn.Conv2d):
        def forward(self, x):
            return RETURNED[case](super().forward(x))

    total = count(Net(1, 2, 3), (1, 8, 8))
    assert (total.output_shape, total.receptive_field) == ((2, 6, 6), (3, 3))


def test_a_network_that_returns_no_tensor_counts():
    class Net(nn.Conv2d):
        def forward(self, x):
            return super().forward(x).shape

    assert count(Net(1, 2, 3), (1, 8, 8)).macs == 36 * 9 * 2


def old_weight_norm(layer: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return torch.nn.utils.weight_norm(layer)  # keeps a computed tensor that cannot be copied


FORMS = {
    "double precision": lambda net: net.double(),
    "half precision": lambda net: net.half(),
    "channels-last": lambda net: net.to(memory_format=torch.channels_last),
    "on the meta device": lambda net: net.to("meta"),
    "a parametrised weight": lambda net: nn.Sequential(parametrizations.weight_norm(net[0]), *net[1:]),
    "the old weight norm": lambda net: nn.Sequential(old_weight_norm(net[0]), *net[1:]),
    "frozen": lambda net: net.requires_grad_(False),
    "with gradients": lambda net: (net(torch.rand(2, 1, 8, 8)).sum().backward(), net)[1],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_network_counts_in_every_form(form):
    net = FORMS[form](nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    cost = count(net, (1, 8, 8))
    assert (cost.macs, cost.output_shape, cost.receptive_field) == (36 * 9 * 4, (4, 6, 6), (3, 3))


def test_counting_is_the_same_where_gradients_are_off():
    net = cifar_resnet(8)
    with torch.inference_mode():
        inside = layer_costs(net, (3, 32, 32))
    assert inside == layer_costs(net, (3, 32, 32))


def test_counting_leaves_no_hook_and_calls_none_of_the_users():
    net, seen = cifar_resnet(8), []
    net.stem.register_forward_hook(lambda *_: seen.append(1))
    count(net, (3, 32, 32))
    with pytest.raises(ValueError):
        count(net, (1, 32, 32))
    assert not seen
    assert sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in net.modules()) == 1


def test_counting_copies_no_weights(monkeypatch):
    real = torch.empty_like
    monkeypatch.setattr(torch.Tensor, "clone", None)
    monkeypatch.setattr(torch, "empty_like", lambda tensor, device: real(tensor, device=device))
    assert count(cifar_resnet(8), (3, 32, 32)).parameters == count_parameters(cifar_resnet(8))


class Looking(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


REJECTED = {
    "a size alone": (lambda: count(plain_net(8), 32), "input_shape=32", "(channels, height, width)"),
    "a size that is not whole": (lambda: count(plain_net(8), (3, 32, 32.5)), "(3, 32, 32.5)", "whole numbers"),
    "a size of zero": (lambda: count(plain_net(8), (3, 0, 32)), "(3, 0, 32)", "at least 1"),
    "a negative depth": (lambda: stage_costs(plain_net(8), (3, 32, 32), depth=-1), "depth=-1", "None"),
    "an image too small for a layer inside": (
        lambda: count(nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(7)), (3, 8, 8)),
        "(3, 8, 8)",
        "1 (MaxPool2d 7×7 /7)",
        "larger image",
    ),
    "a forward that depends on numbers": (lambda: count(Looking(), (3, 8, 8)), "Looking", "looks at numbers"),
    "a latency of a network without numbers": (lambda: latency(plain_net(8).to("meta"), (3, 8, 8)), "meta", "memory"),
    "a latency for a wrong shape": (lambda: latency(plain_net(8), (8, 8)), "(8, 8)", "(channels, height, width)"),
    "a latency for images that do not fit": (lambda: latency(nn.Conv2d(3, 4, 3), (3, 2, 2)), "(3, 2, 2)", "Conv2d"),
    "a latency on no device": (lambda: latency(plain_net(8), (3, 8, 8), device="abacus"), "'abacus'", "leave device out"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_error_names_value_and_remedy(case):
    call, *words = REJECTED[case]
    with pytest.raises(ValueError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


class Watch(nn.Module):
    """Notes how it is called."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.calls = []

    def forward(self, x):
        last = x.is_contiguous(memory_format=torch.channels_last)
        self.calls.append((tuple(x.shape), x.dtype, self.training, torch.is_grad_enabled(), last))
        return self.conv(x)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_latency_times_evaluation_in_the_layout_of_the_weights(layout):
    net = Watch().to(memory_format=layout).double()
    net.conv.eval()
    time = latency(net, (3, 8, 8), batch=2, repeats=5)
    assert net.calls == [((2, 3, 8, 8), torch.float64, False, False, layout == torch.channels_last)] * 8
    assert net.training and not net.conv.training
    assert 0 < time.low <= time.median <= time.high and time.batch == 2


def test_latency_gives_the_mode_back_after_a_failure():
    net = Watch()
    with pytest.raises(ValueError):
        latency(net, (3, 1, 1))
    assert net.training


def test_latency_reads_as_a_sentence():
    assert str(Latency(1.26, 1.2, 1.31, 1)) == "1.3 ms (1.2 to 1.3) for 1 image"
    assert str(Latency(12, 11, 13.04, 8)) == "12.0 ms (11.0 to 13.0) for 8 images"
