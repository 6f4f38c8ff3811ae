"""Receptive fields: published values, and what the gradient of one output pixel reaches."""

from math import ceil, floor

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import models
from course_lib.cost import layer_costs, stage_costs, without_numbers
from course_lib.listing import build
from course_lib.models import cifar_resnet, imagenet_resnet
from course_lib.receptive_field import ReceptiveFields


class Apply(nn.Module):
    """A forward of one's own, over layers that it is given."""

    def __init__(self, function, *layers: nn.Module):
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.layers)


def conv(channels: int, kernel, **options) -> nn.Conv2d:
    return nn.Conv2d(channels, 4, kernel, **options)


def body(name: str) -> nn.Sequential:
    net = models.create(name)
    return nn.Sequential(net.stem, net.stages)


def assign_channels(x: Tensor, layer: nn.Module) -> Tensor:
    """The zero-padding shortcut by assignment instead of F.pad."""
    y = layer(x)
    z = y.new_zeros(len(y), 8, *y.shape[2:])
    z[:, :4] = y
    return z[:, :4] + z[:, 4:] + x[:, :1]


def shuffle(x: Tensor, first: nn.Module, second: nn.Module) -> Tensor:
    y = first(x)
    return second(y.view(len(y), 2, 2, *y.shape[2:]).transpose(1, 2).reshape(y.shape))


def add_in_place(x: Tensor, narrow: nn.Module, wide: nn.Module) -> Tensor:
    y = narrow(x)
    y += wide(x)
    return y.relu_()


NETS = {
    "a stack with strides and padding": lambda: nn.Sequential(conv(3, 5, stride=2, padding=1), nn.ReLU(), conv(4, 3, stride=3)),
    "kernels that are not square": lambda: nn.Sequential(conv(3, (1, 7), padding=(0, 3)), conv(4, (3, 1), stride=(2, 1))),
    "dilation": lambda: nn.Sequential(conv(3, 3, dilation=3, padding=3), conv(4, 3, dilation=2)),
    "an even kernel with padding same": lambda: nn.Sequential(conv(3, 4, padding="same"), conv(4, 2)),
    "pooling that rounds up": lambda: nn.Sequential(conv(3, 3), nn.AvgPool2d(3, 2, ceil_mode=True), conv(4, 3)),
    "pooling without a stride given": lambda: nn.Sequential(nn.AvgPool2d(3, padding=1), conv(3, 3)),
    "branches": lambda: Apply(lambda x, a, b: torch.cat([a(x), b(x)], 1), conv(3, 1), conv(3, 5, padding=2)),
    "a branch off the centre": lambda: Apply(lambda x, a, b: a(x) + b(F.pad(x, (4, 0, 0, 4))), conv(3, 1), conv(3, 5)),
    "an addition in place": lambda: Apply(add_in_place, conv(3, 1), conv(3, 5, padding=2)),
    "a strided slice": lambda: Apply(lambda x, a: a(x[:, :, 1::2, ::3]), conv(3, 3)),
    "a slice counted from the end": lambda: Apply(lambda x, a: a(x[:, :, -40:-1, -20:]), conv(3, 3)),
    "channels padded with zeros": lambda: Apply(lambda x, a: F.pad(a(x), (0, 0, 0, 0, 0, 4)), conv(3, 3, stride=2)),
    "channels assigned": lambda: Apply(assign_channels, conv(3, 3, padding=1)),
    "a mean over channels": lambda: Apply(lambda x, a: x.mean(1, keepdim=True) * a(x), conv(3, 3, padding=1)),
    "a channel shuffle": lambda: Apply(shuffle, conv(3, 3, padding=1), conv(4, 3)),
    "adaptive pooling to an equal share": lambda: nn.Sequential(conv(3, 3, padding=1), nn.AdaptiveAvgPool2d((6, 8)), conv(4, 3)),
    "a CIFAR ResNet with option A": lambda: body("cifar-resnet-20"),
    "a CIFAR ResNet with option B": lambda: (lambda net: nn.Sequential(net.stem, net.stages))(cifar_resnet(8, shortcut="B")),
    "inception modules": lambda: body("small-inception"),
    "xception": lambda: body("small-xception"),
    "mobilenet": lambda: body("small-mobilenet"),
}
SIZE = 96


def field_of(net: nn.Module) -> tuple:
    """(low, high, jump) of both axes of the output."""
    images = torch.empty(1, 3, SIZE, SIZE, device="meta")
    with torch.no_grad(), ReceptiveFields(images) as fields:
        output = without_numbers(net).eval()(images)
    return fields.fields[id(output)]


def footprint(net: nn.Module) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """An output pixel in the middle, and the first and last row and column of the image that its gradient reaches.

    All weights are positive and maxima are means, so that no path is lost.
    """
    net = net.eval().double()
    for name, layer in list(net.named_modules()):
        if isinstance(layer, nn.MaxPool2d):
            mean = nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode)
            net.set_submodule(name, mean)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.uniform_(0.5, 1).div_(max(1, parameter[0].numel()))
    image = torch.rand(1, 3, SIZE, SIZE, dtype=torch.float64, requires_grad=True)
    output = net(image)
    pixel = output.shape[2] // 2, output.shape[3] // 2
    output[:, :, pixel[0], pixel[1]].sum().backward()
    reached = image.grad.ne(0)[0].any(0)
    return pixel, [(int(line.nonzero().min()), int(line.nonzero().max())) for line in (reached.any(1), reached.any(0))]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("case", NETS)
def test_the_receptive_field_is_what_the_gradient_of_a_pixel_reaches(case):
    torch.manual_seed(0)
    net = NETS[case]()
    fields = field_of(net)
    pixel, reached = footprint(net)
    inside = [(axis.jump * i + axis.low, axis.jump * i + axis.high) for i, axis in zip(pixel, fields, strict=True)]
    assert [(max(low, 0), min(high, SIZE - 1)) for low, high in inside] == reached


@pytest.mark.parametrize("out", [5, 7, 36])
def test_uneven_adaptive_pooling_gives_a_bound_that_holds(out):
    net = nn.Sequential(conv(3, 3, padding=1), nn.AdaptiveAvgPool2d(out))
    rows, columns = field_of(net)
    pixel, reached = footprint(net)
    for i, axis, (first, last) in zip(pixel, (rows, columns), reached, strict=True):
        low, high = ceil(axis.jump * i + axis.low), floor(axis.jump * i + axis.high)
        assert low <= first <= low + 1 and high - 1 <= last <= high


def test_maximum_pooling_sees_its_whole_dilated_window():
    rows = layer_costs(nn.Sequential(nn.MaxPool2d(3, stride=2), nn.MaxPool2d(3, 1, 0, 2)), (3, 32, 32))
    assert [row.receptive_field for row in rows] == [(3, 3), (11, 11), (11, 11)]


# Araujo, Norris and Sim 2019, the table of "Discussion: receptive fields of modern networks".
PUBLISHED = {
    "alexnet": 195,
    "vgg-16": 212,
    "mobilenet": 315,
    "bn-inception": 699,
    "inception-v3": 1311,
    "inception-v4": 2071,
    "inception-resnet-v2": 3039,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_see_what_is_published(name):
    *_, field = [row.receptive_field for row in stage_costs(*build(name, None)) if row.receptive_field]
    assert field == (PUBLISHED[name],) * 2


def test_a_stride_in_the_3x3_convolution_costs_a_resnet_56_pixels():
    # Three 3×3 convolutions then stand before a stride instead of behind it, at jumps 4, 8, 16: 2·(4 + 8 + 16) = 56.
    with torch.device("meta"):
        paper, usual = imagenet_resnet(50, stride_in="1x1"), imagenet_resnet(50)
    for net, expected in ((paper, 483), (usual, 483 - 56)):
        assert {row.name: row.receptive_field for row in stage_costs(net, (3, 224, 224), 1)}["stages"] == (expected, expected)


EVERYTHING = {
    "global pooling": lambda x, a: a(x).mean((2, 3), keepdim=True),
    "adaptive pooling to one": lambda x, a: F.adaptive_avg_pool2d(a(x), 1),
    "a dense layer over a map": lambda x, a: F.linear(a(x).flatten(1), torch.empty(5, a(x)[0].numel(), device=x.device)),
    "a gate": lambda x, a: (lambda y: y * torch.sigmoid(y.mean((2, 3), keepdim=True)))(a(x)),
    "a gate in place": lambda x, a: (lambda y: y.mul_(y.mean((2, 3), keepdim=True)))(a(x)),
    "a gate pooled by a window of the map's size": lambda x, a: (lambda y: y * F.avg_pool2d(y, y.shape[-1]))(a(x)),
    "a softmax along a row": lambda x, a: a(x).softmax(-1),
    "a mirror image": lambda x, a: a(x).flip(3),
    "rows and columns swapped": lambda x, a: a(x).transpose(2, 3),
    "a matrix product": lambda x, a: a(x) @ a(x),
    "resizing": lambda x, a: F.interpolate(a(x), scale_factor=2),
    "a transposed convolution": lambda x, a: F.conv_transpose2d(a(x), torch.empty(4, 4, 3, 3, device=x.device), padding=1),
    "a kernel computed from the image": lambda x, a: F.conv2d(a(x), a(x).mean((2, 3), keepdim=True).view(1, 4, 1, 1)),
}


@pytest.mark.parametrize("case", EVERYTHING)
def test_what_sees_everything_has_no_size(case):
    net = Apply(EVERYTHING[case], conv(3, 3, padding=1))
    inner, *_, total = layer_costs(net, (3, 16, 16))
    assert inner.receptive_field == (3, 3)
    assert total.receptive_field is None


def test_behind_a_gate_everything_is_seen():
    rows = {row.name: row.receptive_field for row in stage_costs(*build("se-resnet-50", None))}
    assert rows["stages.0"] is None and rows["stages.3"] is None


def test_the_field_does_not_depend_on_the_size_of_the_image():
    with torch.device("meta"):
        net = imagenet_resnet(18)
    small, large = (layer_costs(net, (3, size, size)) for size in (32, 224))
    assert [row.receptive_field for row in small] == [row.receptive_field for row in large]
