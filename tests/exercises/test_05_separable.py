"""Graded tests of exercises/05_separable.ipynb."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.grading import Handle, points, values
from course_lib.grading.values import (
    agree,
    changes_input,
    difference,
    integers,
    kind,
    number,
    numbers,
    output,
    telling,
    tensor,
    times,
    to_double,
)

normal = partial(values.normal, dtype=torch.float64)

# --------------------------------------------------------------------------------------------- 1. separable_costs

COSTS = ("standard", "separable")


def layers(seed: int) -> list[tuple[int, ...]]:
    """in_channels, out_channels, kernel, height, width, stride."""
    fixed = [(3, 16, 3, 8, 8, 1), (64, 128, 3, 112, 112, 2), (512, 512, 3, 14, 14, 1), (7, 5, 5, 9, 12, 2)]
    return fixed + [(*integers(seed + i, 2, 60, 2), 2 * i + 1, *integers(seed + 50 + i, 5, 30, 2), 1 + i) for i in range(3)]


def counted(args: tuple[int, ...], separable: bool) -> int:
    """Multiply-adds, read off PyTorch's own layers and the shape of their output."""
    in_channels, out_channels, kernel, height, width, stride = args
    conv = partial(nn.Conv2d, bias=False, device="meta")
    image = torch.empty(1, in_channels, height, width, device="meta")
    if separable:
        row = [
            conv(in_channels, in_channels, kernel, stride, kernel // 2, groups=in_channels),
            conv(in_channels, out_channels, 1),
        ]
    else:
        row = [conv(in_channels, out_channels, kernel, stride, kernel // 2)]
    total = 0
    for layer in row:
        image = layer(image)
        total += layer.weight.numel() * image.shape[2] * image.shape[3]
    return total


def check_costs(answers, place: int, seed: int) -> None:
    for args in layers(seed):
        given = args if args[-1] != 1 else args[:-1]  # its default
        found = numbers(answers.separable_costs(*given), COSTS)[place]
        expected = counted(args, separable=place == 1)
        assert found == expected, (
            f"separable_costs{given}: you count {found:,} for the {COSTS[place]} form, {times(found, expected)}"
        )


@points(
    2,
    "separable_costs",
    hint="How many weights has the convolution, and at how many positions is each used? With stride 2, 9 rows give 5.",
)
def test_separable_costs_counts_the_standard_form(answers):
    """Multiply-adds of the standard form, at any stride"""
    check_costs(answers, 0, 11)


@points(
    2,
    "separable_costs",
    hint="Count the two convolutions one after the other. How many input channels does one filter of each read? And on how "
    "many positions does the second one work, if the first has a stride?",
)
def test_separable_costs_counts_the_separable_form(answers):
    """Multiply-adds of depthwise and pointwise convolution together"""
    check_costs(answers, 1, 12)


# --------------------------------------------------------------------------------------------- 2. SeparableLayer

LAYERS = [(3, 8, 3, 1), (6, 4, 3, 2), (4, 9, 5, 1), (5, 5, 5, 2)]  # in_channels, out_channels, kernel, stride
PARTS = ("depthwise", "pointwise")


def given(args: tuple[int, ...]) -> tuple[int, ...]:
    """Without kernel and stride where they have their defaults."""
    return args[:2] if args[2:] == (3, 1) else args


def named(args: tuple[int, ...]) -> str:
    return f"SeparableLayer{given(args)}"


def make_layer(answers, args: tuple[int, ...]) -> Handle:
    layer = answers.SeparableLayer(*given(args))
    assert isinstance(layer, Handle), f"{named(args)}: a module is expected; yours is {kind(layer)}"
    return layer


def shapes(args: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    in_channels, out_channels, kernel, _ = args
    return {"depthwise": (in_channels, 1, kernel, kernel), "pointwise": (out_channels, in_channels, 1, 1)}


def weights_of(layer: Handle, args: tuple[int, ...]) -> dict[str, str]:
    """Name of each part's weight; a failure where the weights are not the two that were asked for."""
    state, found = layer.state(), {}
    for part, shape in shapes(args).items():
        mine = [name for name, value in state.items() if name.split(".")[0] == part and value.ndim == 4]
        assert mine, f"{named(args)} has no convolution in {part}"
        assert len(mine) == 1, f"{named(args)} has {len(mine)} convolutions in {part}, expected one"
        given = tuple(state[mine[0]].shape)
        assert given == shape, f"{named(args)}: the weights of {part} are {given}, expected {shape}"
        found[part] = mine[0]
    extra = [name for name in state if name not in found.values()]
    assert not extra, f"{named(args)} has weights that are not asked for: {', '.join(extra[:3])}"
    return found


def layer_pair(answers, args: tuple[int, ...], seed: int):
    """The student's layer in double precision with random weights, and those weights."""
    layer = make_layer(answers, args)
    names = weights_of(layer, args)
    given = {part: normal(seed + place, *shape) for place, (part, shape) in enumerate(shapes(args).items())}
    layer.run(to_double)
    layer.load({names[part]: given[part] for part in PARTS})
    return layer, given, names


def separable(x: Tensor, weights: dict[str, Tensor], args: tuple[int, ...]) -> Tensor:
    in_channels, _, kernel, stride = args
    x = F.conv2d(x, weights["depthwise"], stride=stride, padding=kernel // 2, groups=in_channels)
    return F.conv2d(x, weights["pointwise"])


def images(seed: int, args: tuple[int, ...]) -> Tensor:
    return normal(seed, 3, args[0], 9, 8)


def layer_output(layer: Handle, args: tuple[int, ...], x: Tensor) -> Tensor:
    return output(layer, named(args), x, (len(x), args[1], *(-(-size // args[3]) for size in x.shape[2:])))


@points(
    1,
    "SeparableLayer",
    hint="Which padding keeps the size at a kernel of 3, and at 5? Only one of the two convolutions has the stride.",
)
def test_separable_layer_has_the_right_shape(answers):
    """Shape of the output, for several kernels and strides"""
    for args in LAYERS:
        layer_output(make_layer(answers, args), args, images(21, args).float())


@points(
    1,
    "SeparableLayer",
    hint="Print SeparableLayer(3, 8): one filter for each input channel is what the argument groups of nn.Conv2d is for.",
)
def test_separable_layer_has_the_right_weights(answers):
    """One convolution under each name, without biases, and no other weights"""
    for args in LAYERS:
        weights_of(make_layer(answers, args), args)


@points(
    2,
    "SeparableLayer",
    hint="Both parts are linear, and so is the whole: what does your layer give for -x? Which part comes first?",
)
def test_separable_layer_computes_both_parts(answers):
    """Same output as the reference with the same weights"""
    for seed, args in enumerate(LAYERS):
        layer, weights, _ = layer_pair(answers, args, 30 + 10 * seed)
        x = images(22, args)
        found, expected = layer_output(layer, args, x), separable(x, weights, args)
        rectified = difference(found, expected.clamp(min=0)) < 1e-8
        assert not rectified, f"{named(args)}: no value of the output is negative; what stands after the pointwise part?"
        between = F.conv2d(F.relu(separable(x, weights | {"pointwise": torch.eye(args[0])[..., None, None].double()}, args)),
                           weights["pointwise"])  # fmt: skip
        assert difference(found, between) > 1e-8, f"{named(args)}: there is an activation between the two parts"
        agree(found, expected, f"{named(args)}: the output")


@points(
    1,
    "SeparableLayer",
    hint="Gradients stop at detach() and no_grad(). An operation that ends in _ or has inplace=True changes what it is given.",
)
def test_separable_layer_passes_gradients(answers):
    """Same gradients for the input and both weights; the input is not changed"""
    for seed, args in enumerate(LAYERS):
        layer, weights, names = layer_pair(answers, args, 70 + 10 * seed)
        x = images(23, args)
        layer_output(layer, args, x)  # a failure of the forward pass is told in its own words
        assert not changes_input(layer, x), f"{named(args)} changes its input tensor in place"
        leaves = {"input": x.clone().requires_grad_(), **{part: weights[part].requires_grad_() for part in PARTS}}
        expected = separable(leaves["input"], leaves, args)
        upstream = normal(24, *expected.shape)
        right = torch.autograd.grad((expected * upstream).sum(), list(leaves.values()))
        found = layer.gradients(x, upstream)
        for place, value in zip(leaves, right, strict=True):
            agree(found[names.get(place, place)], value, f"{named(args)}: the gradient of {place}")


# ------------------------------------------------------------------------------------------------ 3. full_weight

GROUPED = [(4, 6, 2, 3), (6, 6, 6, 3), (6, 3, 3, 1), (8, 12, 4, 3), (5, 4, 1, 3), (2, 4, 2, 5)]  # out, in, groups, kernel


def grouped_weight(seed: int, case: tuple[int, ...]) -> Tensor:
    out_channels, in_channels, groups, kernel = case
    return normal(seed, out_channels, in_channels // groups, kernel, kernel)


def full_weight_of(answers, case: tuple[int, ...], weight: Tensor) -> Tensor:
    out_channels, in_channels, groups, kernel = case
    what = f"a weight of shape {tuple(weight.shape)} with {groups} groups"
    with telling(what):
        found = tensor(answers.full_weight(weight, groups), what, (out_channels, in_channels, kernel, kernel))
    assert not changes_input(answers.full_weight, weight, groups), f"{what}: your function changes it"
    return found


@points(
    2,
    "full_weight",
    hint="Into how many runs do the output channels fall, and how long is one? And the input channels? Both lengths can differ.",
)
def test_full_weight_has_zeros_between_the_groups(answers):
    """The right shape, and zeros where an output channel does not see an input channel"""
    for seed, case in enumerate(GROUPED):
        out_channels, in_channels, groups, _ = case
        found = full_weight_of(answers, case, grouped_weight(100 + seed, case))
        for o in range(out_channels):
            for i in range(in_channels):
                meets = o // (out_channels // groups) == i // (in_channels // groups)
                mine = bool(found[o, i].any())
                assert mine == meets, (
                    f"{out_channels} output and {in_channels} input channels in {groups} groups: in your weight, output channel "
                    f"{o} {'sees' if mine else 'does not see'} input channel {i}"
                )


@points(
    2,
    "full_weight",
    hint="Compare torch.nn.functional.conv2d(x, weight, groups=groups) with conv2d(x, full_weight(weight, groups)).",
)
def test_full_weight_computes_the_same(answers):
    """The standard convolution gives what the grouped one gives"""
    for seed, case in enumerate(GROUPED):
        weight = grouped_weight(110 + seed, case)
        found = full_weight_of(answers, case, weight)
        x = normal(120 + seed, 2, case[1], 7, 6)
        expected = F.conv2d(x, weight, groups=case[2])
        error = difference(F.conv2d(x, found.double()), expected)
        assert error < 1e-6, (
            f"{case[0]} output and {case[1]} input channels in {case[2]} groups, kernel {case[3]}: the convolution with your "
            f"weight differs by up to {error:.2g} of the largest value"
        )


# --------------------------------------------------------------------------------------------- 4. mobilenet_macs

PAPER = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
NETWORKS = {
    "no blocks": [],
    "one block": [(64, 1)],
    "one block with stride 2": [(48, 2)],
    "four blocks": [(64, 1), (128, 2), (32, 1), (256, 2)],
    "the paper's 13 blocks": PAPER,
}


def mobilenet_counted(blocks: list[tuple[int, int]], width_mult: float, resolution: int) -> int:
    channels = round(32 * width_mult)
    conv = partial(nn.Conv2d, bias=False, device="meta")
    row = [conv(3, channels, 3, 2, 1)]
    for out_channels, stride in blocks:
        row.append(conv(channels, channels, 3, stride, 1, groups=channels))
        row.append(conv(channels, round(out_channels * width_mult), 1))
        channels = row[-1].out_channels
    image, total = torch.empty(1, 3, resolution, resolution, device="meta"), 1000 * channels
    for layer in row:
        image = layer(image)
        total += layer.weight.numel() * image.shape[2] * image.shape[3]
    return total


def check_mobilenet(answers, names: list[str], *options: float) -> None:
    for name in names:
        width_mult, resolution = (*options, 224)[:2] if options else (1.0, 224)
        with telling(f"{name}, width {width_mult}, resolution {resolution}"):
            found = number(answers.mobilenet_macs(list(NETWORKS[name]), *options), "the number of multiply-adds")
        expected = mobilenet_counted(NETWORKS[name], width_mult, resolution)
        assert found == expected, (
            f"{name}, width {width_mult}, resolution {resolution}: you count {found:,}, {times(found, expected)}"
        )


@points(
    2,
    "mobilenet_macs",
    hint="Start without blocks: the first convolution and the dense layer. Then follow the size and the channels from block to "
    "block; which of a block's two convolutions reads what, and where?",
)
def test_mobilenet_macs_counts_the_network(answers):
    """The whole network at width 1 and resolution 224"""
    check_mobilenet(answers, list(NETWORKS))


@points(1, "mobilenet_macs", hint="Which numbers of channels does the multiplier touch, and which two does it not?")
def test_mobilenet_macs_follows_the_width(answers):
    """Other widths: every layer’s channels, but neither the colours nor the classes"""
    for width_mult in (0.25, 0.5, 2.0):
        check_mobilenet(answers, ["no blocks", "four blocks", "the paper's 13 blocks"], width_mult)


@points(1, "mobilenet_macs", hint="At 71 pixels a stride of 2 gives 36. What does the dense layer see of the resolution?")
def test_mobilenet_macs_follows_the_resolution(answers):
    """Other resolutions, odd ones too"""
    for resolution in (128, 160, 71, 73):
        check_mobilenet(answers, list(NETWORKS), 1.0, resolution)


# --------------------------------------------------------------------------------------------------- 5. roofline

ROOFLINE = ("arithmetic intensity", "seconds")


def convolutions(seed: int) -> list[dict[str, float]]:
    shapes = [
        (8, 8, 3, 10, 8),
        (64, 64, 3, 56, 1),
        (64, 64, 3, 56, 64),
        (64, 128, 1, 28, 1),
        (32, 48, 3, 14, 4),
        (256, 256, 1, 7, 1),
    ]
    names = ("in_channels", "out_channels", "kernel", "size", "groups")
    found = [dict(zip(names, shape, strict=True)) for shape in shapes]
    for i, case in enumerate(found):
        peak, bandwidth = integers(seed + i, 20, 60, 1)[0], integers(seed + i, 2, 9, 1)[0]
        case["peak"], case["bandwidth"] = 1e9 * peak, 1e9 * bandwidth  # depthwise layers wait for memory, wide ones do not
    return found


def measured(case: dict[str, float]) -> tuple[float, float, float, float]:
    """Multiply-adds, bytes, peak, bandwidth, read off PyTorch's own layer."""
    in_channels, out_channels, kernel, size, groups, peak, bandwidth = case.values()
    weight = nn.Conv2d(in_channels, out_channels, kernel, groups=groups, bias=False, device="meta").weight
    numbers = weight.numel() + (in_channels + out_channels) * size**2
    return weight.numel() * size**2, 4 * numbers, peak, bandwidth


def roofline_of(answers, case: dict[str, float], place: int) -> tuple[float, str]:
    what = f"roofline({', '.join(f'{name}={value:g}' for name, value in case.items())})"
    with telling(what):
        return numbers(answers.roofline(**case), ROOFLINE)[place], what


@points(
    2,
    "roofline",
    hint="Three kinds of numbers are moved: count each of them by itself, then the four bytes of each. Which of them, and what "
    "else, do the groups change?",
)
def test_roofline_finds_the_intensity(answers):
    """Multiply-adds per byte, with groups and without"""
    for case in convolutions(131):
        found, what = roofline_of(answers, case, 0)
        macs, moved, _, _ = measured(case)
        assert math.isclose(found, macs / moved, rel_tol=1e-4), (
            f"{what}: your arithmetic intensity is {found:.4g} multiply-adds per byte, {times(found, macs / moved)}"
        )


@points(1, "roofline", hint="How long would the arithmetic alone take, and the moving alone? Both go on at once.")
def test_roofline_finds_the_least_time(answers):
    """The time of the slower of the two"""
    for case in convolutions(132):
        found, what = roofline_of(answers, case, 1)
        macs, moved, peak, bandwidth = measured(case)
        expected = max(macs / peak, moved / bandwidth)
        assert math.isclose(found, expected, rel_tol=1e-4), f"{what}: your least time is {found:.4g} s, {times(found, expected)}"
