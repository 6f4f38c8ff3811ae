"""Graded tests of exercises/05_separable.ipynb."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.grading import Handle, Raised, points

# ---------------------------------------------------------------------------------------------------------- values


def integers(seed: int, low: int, high: int, count: int) -> list[int]:
    """`count` random integers of low … high, the same for the same seed."""
    return torch.randint(low, high + 1, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def kind(value: object) -> str:
    """What a student returned, in words."""
    if value is None:
        return "nothing (None)"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)} values"
    if isinstance(value, Handle):
        return "an object"
    text = repr(value)
    return f"{text if len(text) < 50 else text[:45] + ' …'} ({type(value).__name__})"


def number(value: object, what: str) -> float:
    """A number (a tensor of one element will do), or a failure that says what came instead."""
    value = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
    assert isinstance(value, int | float), f"{what} is expected to be a number; yours is {kind(value)}"
    return value


def pair(found: object, names: tuple[str, str]) -> list[float]:
    """Two numbers, or a failure that says what came instead."""
    found = found.tolist() if isinstance(found, Tensor) and found.ndim == 1 else found
    assert isinstance(found, tuple | list) and len(found) == 2, (
        f"two numbers, ({names[0]}, {names[1]}), are expected; yours returned {kind(found)}"
    )
    return [number(one, name) for one, name in zip(found, names, strict=True)]


def times(found: float, expected: float) -> str:
    return f"{found / expected:.4g} times the right number" if found > 0 else f"{found}, which is not above 0"


def difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the size of the expected values; infinite where there are no numbers."""
    scale = expected.abs().max().clamp_min(1e-12)
    return torch.nan_to_num((found - expected).abs().max() / scale, nan=math.inf).item()


# -------------------------------------------------------------- trusted functions, run where the student's objects are


def to_double(module: nn.Module) -> None:
    module.double()


def call_and_keep_input(function, x: Tensor, *args) -> list[Tensor]:
    """The result, and the input as it is afterwards."""
    result = function(x, *args)
    return [result, x]


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
        found = pair(answers.separable_costs(*args), COSTS)[place]
        expected = counted(args, separable=place == 1)
        assert found == expected, (
            f"separable_costs{args}: you count {found:,} for the {COSTS[place]} form, {times(found, expected)}"
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


def named(args: tuple[int, ...]) -> str:
    return f"SeparableLayer{args}"


def make_layer(answers, args: tuple[int, ...]) -> Handle:
    layer = answers.SeparableLayer(*args)
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


def output(layer: Handle, args: tuple[int, ...], x: Tensor) -> Tensor:
    """The layer's output; where its code raises, a failure that says for which layer."""
    try:
        found = layer(x)
    except Raised as problem:
        raise AssertionError(f"{named(args)} on an input of shape {tuple(x.shape)}: {problem}") from None
    assert isinstance(found, Tensor), f"{named(args)} returned {kind(found)} instead of a tensor"
    height, width = (-(-size // args[3]) for size in x.shape[2:])
    expected = (len(x), args[1], height, width)
    assert found.shape == expected, f"{named(args)} turns {tuple(x.shape)} into {tuple(found.shape)}, expected {expected}"
    return found


@points(
    1,
    "SeparableLayer",
    hint="Which padding keeps the size at a kernel of 3, and at 5? Only one of the two convolutions has the stride.",
)
def test_separable_layer_has_the_right_shape(answers):
    """Shape of the output, for several kernels and strides"""
    for args in LAYERS:
        output(make_layer(answers, args), args, images(21, args).float())


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
        found, expected = output(layer, args, x), separable(x, weights, args)
        rectified = difference(found, expected.clamp(min=0)) < 1e-8
        assert not rectified, f"{named(args)}: no value of the output is negative; what stands after the pointwise part?"
        between = F.conv2d(F.relu(separable(x, weights | {"pointwise": torch.eye(args[0])[..., None, None].double()}, args)),
                           weights["pointwise"])  # fmt: skip
        assert difference(found, between) > 1e-8, f"{named(args)}: there is an activation between the two parts"
        error = difference(found, expected)
        assert error < 1e-8, f"{named(args)}: the output differs by up to {error:.2g} of the largest value"


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
        output(layer, args, x)  # a failure of the forward pass is told in its own words
        _, after = layer.run(call_and_keep_input, x)
        assert torch.equal(after, x), f"{named(args)} changes its input tensor in place"
        leaves = {"input": x.clone().requires_grad_(), **{part: weights[part].requires_grad_() for part in PARTS}}
        expected = separable(leaves["input"], leaves, args)
        upstream = normal(24, *expected.shape)
        right = torch.autograd.grad((expected * upstream).sum(), list(leaves.values()))
        found = layer.gradients(x, upstream)
        for place, value in zip(leaves, right, strict=True):
            mine = found[names.get(place, place)]
            idle = " (yours is 0 everywhere)" if not mine.any() else ""
            error = difference(mine, value)
            assert error < 1e-8, f"{named(args)}: the gradient of {place} differs by up to {error:.2g} of its largest value{idle}"


# ------------------------------------------------------------------------------------------------ 3. full_weight

GROUPED = [(4, 6, 2, 3), (6, 6, 6, 3), (6, 3, 3, 1), (8, 12, 4, 3), (5, 4, 1, 3), (2, 4, 2, 5)]  # out, in, groups, kernel


def grouped_weight(seed: int, case: tuple[int, ...]) -> Tensor:
    out_channels, in_channels, groups, kernel = case
    return normal(seed, out_channels, in_channels // groups, kernel, kernel)


def full_weight_of(answers, case: tuple[int, ...], weight: Tensor) -> Tensor:
    out_channels, in_channels, groups, kernel = case
    what = f"a weight of shape {tuple(weight.shape)} with {groups} groups"
    try:
        found, after = answers.full_weight.run(call_and_keep_input, weight, groups)
    except Raised as problem:
        raise AssertionError(f"{what}: {problem}") from None
    assert isinstance(found, Tensor), f"{what}: a tensor is expected; yours is {kind(found)}"
    expected = (out_channels, in_channels, kernel, kernel)
    assert found.shape == expected, f"{what}: your result has the shape {tuple(found.shape)}, expected {expected}"
    assert torch.equal(after, weight), f"{what}: your function changes it"
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
        try:
            found = number(answers.mobilenet_macs(list(NETWORKS[name]), *options), "the number of multiply-adds")
        except Raised as problem:
            raise AssertionError(f"{name}, width {width_mult}, resolution {resolution}: {problem}") from None
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
    """Other widths: every layer's channels, but neither the colours nor the classes"""
    for width_mult in (0.25, 0.5, 2.0):
        check_mobilenet(answers, ["no blocks", "four blocks", "the paper's 13 blocks"], width_mult)


@points(1, "mobilenet_macs", hint="At 71 pixels a stride of 2 gives 36. What does the dense layer see of the resolution?")
def test_mobilenet_macs_follows_the_resolution(answers):
    """Other resolutions, odd ones too"""
    for resolution in (128, 160, 71):
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
    try:
        return pair(answers.roofline(**case), ROOFLINE)[place], what
    except Raised as problem:
        raise AssertionError(f"{what}: {problem}") from None


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
