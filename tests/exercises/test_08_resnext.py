"""Graded tests of exercises/08_resnext.ipynb."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.grading import Handle, Raised, points, values
from course_lib.grading.values import agree, changes_input, difference, integers, kind, number, output, times, to_double

normal = partial(values.normal, dtype=torch.float64)

# -------------------------------------------------------------- trusted functions, run where the student's objects are


def merge_and_keep_paths(function, paths: list) -> list:
    """The result, and the paths as they are afterwards."""
    result = function(paths)
    return [result, paths]


# ---------------------------------------------------------------------------------------- 1. grouped_parameters


def convolutions(seed: int) -> list[tuple[int, int, int, int]]:
    """in_channels, out_channels, kernel, groups."""
    fixed = [(128, 128, 3, 32), (16, 16, 3, 1), (6, 12, 5, 3), (20, 20, 3, 20), (12, 4, 1, 2)]
    return fixed + [(g * a, g * b, k, g) for a, b, k, g in (integers(seed + i, 1, 7, 4) for i in range(4))]


def parameters_of(answers, *args, **options) -> float:
    return number(answers.grouped_parameters(*args, **options), "the number of parameters")


@points(1, "grouped_parameters", hint="A filter reads the channels of its own group: how many? And how many filters are there?")
def test_grouped_parameters_counts_the_weights(answers):
    """Weights of convolutions with one group, several, and as many as channels"""
    for args in convolutions(11):
        in_channels, out_channels, kernel, groups = args
        expected = nn.Conv2d(in_channels, out_channels, kernel, groups=groups, bias=False, device="meta").weight.numel()
        found = parameters_of(answers, *args)
        assert found == expected, f"grouped_parameters{args}: you count {found:,}, {times(found, expected)}"


@points(1, "grouped_parameters", hint="Biases belong to output channels. Do groups change how many of those there are?")
def test_grouped_parameters_counts_the_biases(answers):
    """Biases, where they are asked for"""
    for args in convolutions(12):
        found = parameters_of(answers, *args, bias=True) - parameters_of(answers, *args, bias=False)
        assert found == args[1], (
            f"grouped_parameters{args}: bias=True adds {found:,} to what you count without, "
            f"for {args[1]} output channels and {args[3]} groups"
        )


@points(1, "grouped_parameters", hint="The remainder of a division is %. Two numbers of channels have to be divisible.")
def test_grouped_parameters_refuses_unequal_groups(answers):
    """A ValueError where the groups would not be of equal size"""
    for args in ((10, 12, 3, 4), (12, 10, 3, 4), (7, 9, 1, 2), (4, 8, 3, 8)):
        try:
            found = answers.grouped_parameters(*args)
        except Raised as problem:
            assert problem.kind == "ValueError", f"grouped_parameters{args}: a ValueError is expected; {problem}"
        else:
            raise AssertionError(
                f"grouped_parameters{args}: {args[3]} groups cannot be of equal size; yours returned {kind(found)}, "
                "expected a ValueError"
            )


# ------------------------------------------------------------------------------------------------ 2. path_width

TABLE_2 = {1: 64, 2: 40, 4: 24, 8: 14, 32: 4}  # Xie et al. 2017
CLOSE = [(2, 22, 15), (3, 19, 11), (2, 10, 14)]  # where the exact width, rounded, is not the one with the nearest number
TIES = [(9, 11, 2), (18, 7, 2), (40, 18, 8)]  # where two widths are equally near


def path_weights(channels: int, cardinality: int, d: int) -> int:
    return cardinality * (channels * d + 9 * d * d + d * channels)


def nearest(channels: int, width: int, cardinality: int) -> int:
    target = path_weights(channels, 1, width)
    return min(range(1, width + 1), key=lambda d: abs(path_weights(channels, cardinality, d) - target))


def check_width(answers, channels: int, width: int, cardinality: int, expected: int) -> None:
    call = f"path_width({channels}, {width}, {cardinality})"
    found = number(answers.path_width(channels, width, cardinality), "the width of a path")
    assert found % 1 == 0, f"{call}: a whole number is expected; yours is {found}"
    assert found >= 1, f"{call}: a path has at least one channel; yours has {found}"
    mine, target = path_weights(channels, cardinality, int(found)), path_weights(channels, 1, width)
    assert found == expected, (
        f"{call}: with your {found:g} channels the paths have {mine:,} weights and the bottleneck has {target:,}; "
        f"another width comes {'as near and is smaller' if abs(mine - target) == gap(channels, width, cardinality) else 'nearer'}"
    )


def gap(channels: int, width: int, cardinality: int) -> int:
    d = nearest(channels, width, cardinality)
    return abs(path_weights(channels, cardinality, d) - path_weights(channels, 1, width))


@points(2, "path_width", hint="Three convolutions to a path. Which of their weights grow with d, and which with the square of d?")
def test_path_width_finds_those_of_the_paper(answers):
    """The five widths of ResNeXt’s Table 2"""
    for cardinality, d in TABLE_2.items():
        check_width(answers, 256, 64, cardinality, d)


@points(
    2,
    "path_width",
    hint="Compare the numbers of weights, not the widths: the exact d rounded is not always the d with the nearest number of "
    "weights. There are few candidates; you may try them all.",
)
def test_path_width_finds_the_nearest(answers):
    """The nearest whole width for other blocks, down to one channel, and the smaller of two that are equally near"""
    cases = [(256, 64, 16), (256, 64, 128), (64, 16, 100), (512, 128, 32), (30, 5, 3), *CLOSE, *TIES]
    cases += [tuple(integers(31 + i, 8, 60, 2) + integers(61 + i, 2, 20, 1)) for i in range(6)]
    for case in cases:
        check_width(answers, *case, nearest(*case))


# ------------------------------------------------------------------------------------------------- 3. ManyPaths

BLOCKS = [(6, 3, 2), (4, 2, 5), (8, 4, 1), (5, 1, 3)]  # channels, cardinality, d


def named(args: tuple[int, ...]) -> str:
    return f"ManyPaths{args}"


def make_block(answers, args: tuple[int, ...]) -> Handle:
    block = answers.ManyPaths(*args)
    assert isinstance(block, Handle), f"{named(args)}: a module is expected; yours is {kind(block)}"
    return block


def shapes(args: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    channels, cardinality, d = args
    inner = cardinality * d
    return {"down": (inner, channels, 1, 1), "middle": (inner, d, 3, 3), "up": (channels, inner, 1, 1)}


def weights_of(block: Handle, args: tuple[int, ...]) -> dict[str, str]:
    """Name of the weight of each convolution; a failure where they are not the three that were asked for."""
    state, found = block.state(), {}
    for part, shape in shapes(args).items():
        own = [name for name in state if name.split(".")[0] == part]
        weights = [name for name in own if state[name].ndim == 4]
        assert weights, f"{named(args)} has no convolution named {part}"
        mine = tuple(state[weights[0]].shape)
        assert mine == shape, f"{named(args)}: {part} has weights {mine}, expected {shape}"
        assert f"{weights[0].removesuffix('weight')}bias" not in state, f"{named(args)}: {part} has a bias"
        found[part] = weights[0]
    extra = [name for name in state if name not in found.values()]
    assert not extra, f"{named(args)} has numbers that are not asked for: {', '.join(extra[:3])}"
    return found


def reference(layers: dict[str, Tensor], x: Tensor, cardinality: int) -> Tensor:
    """The block as a sum of paths, each by itself."""
    total = x
    parts = zip(
        layers["down"].chunk(cardinality), layers["middle"].chunk(cardinality), layers["up"].chunk(cardinality, 1), strict=True
    )
    for down, middle, up in parts:
        h = F.relu(F.conv2d(F.relu(F.conv2d(x, down)), middle, padding=1))
        total = total + F.conv2d(h, up)
    return F.relu(total)


def filled_block(answers, args: tuple[int, ...], seed: int) -> tuple[Handle, dict[str, Tensor], dict[str, str]]:
    """The student's block in double precision with known random weights, those weights, and their names there."""
    block = make_block(answers, args)
    names = weights_of(block, args)
    layers = {part: normal(seed + i, *shape) / shape[1] ** 0.5 for i, (part, shape) in enumerate(shapes(args).items())}
    block.run(to_double)
    block.load({names[part]: value for part, value in layers.items()})
    return block, layers, names


@points(
    2,
    "ManyPaths",
    hint="Print ManyPaths(6, 3, 2): which numbers has each of the three convolutions? What does groups= of nn.Conv2d count, and "
    "how many channels does a path see?",
)
def test_many_paths_has_the_right_layers(answers):
    """Three convolutions under the three names, the right groups, no biases and nothing else"""
    for args in BLOCKS:
        weights_of(make_block(answers, args), args)


@points(
    2,
    "ManyPaths",
    hint="Write down the order of the three convolutions, the three ReLUs and the addition. Does every convolution keep height "
    "and width?",
)
def test_many_paths_computes_the_sum_of_its_paths(answers):
    """Same output as paths that are computed one by one and added"""
    for seed, args in enumerate(BLOCKS):
        block, layers, _ = filled_block(answers, args, 100 * seed)
        x = normal(71 + seed, 3, args[0], 7, 6)
        found, expected = output(block, named(args), x, x.shape), reference(layers, x, args[1])
        assert (found >= 0).all(), f"{named(args)}: {(found < 0).sum()} values of the output are negative; what comes last?"
        agree(found, expected, f"{named(args)}: the output")


@points(
    1,
    "ManyPaths",
    hint="An operation that ends in _, += on a tensor, or inplace=True changes what it is given; detach() and no_grad() stop "
    "gradients.",
)
def test_many_paths_passes_gradients(answers):
    """Same gradients for the input and all weights; the input is not changed"""
    for seed, args in enumerate(BLOCKS):
        block, layers, names = filled_block(answers, args, 100 * seed)
        x = normal(81 + seed, 2, args[0], 5, 6)
        output(block, named(args), x, x.shape)  # a failure of the forward pass is told in its own words
        assert not changes_input(block, x), f"{named(args)} changes its input tensor in place; the shortcut gets wrong values"
        upstream = normal(91, *x.shape)
        leaves = {"input": x.clone().requires_grad_(), **{part: value.clone().requires_grad_() for part, value in layers.items()}}
        loss = (reference(leaves, leaves["input"], args[1]) * upstream).sum()
        right = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
        found = block.gradients(x, upstream)
        for part, value in right.items():
            mine = found["input" if part == "input" else names[part]]
            agree(mine, value, f"{named(args)}: the gradient of {part}")


# ----------------------------------------------------------------------------------------------- 4. merge_paths

SETS = [(3, 4, 2, 5), (2, 6, 3, 6), (1, 3, 2, 4), (4, 5, 1, 2)]  # paths, C_in, d, C_out


def random_paths(seed: int, count: int, c_in: int, d: int, c_out: int) -> list[list[tuple[Tensor, Tensor]]]:
    layers = ((d, c_in, 1), (d, d, 3), (c_out, d, 1))
    return [
        [
            (normal(seed + 10 * path + i, out, read, k, k), normal(seed + 10 * path + i + 5, out))
            for i, (out, read, k) in enumerate(layers)
        ]
        for path in range(count)
    ]


def merged(answers, paths: list, where: str) -> list[tuple[Tensor, Tensor]]:
    """Three pairs of tensors, or a failure that says what came instead."""
    found = answers.merge_paths(paths)
    assert isinstance(found, tuple | list) and len(found) == 3, (
        f"{where}: three layers are expected; yours returned {kind(found)}"
    )
    for place, pair in enumerate(found, start=1):
        right = isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(one, Tensor) for one in pair)
        assert right, f"{where}: layer {place} is expected to be a pair (weight, bias) of tensors; yours is {kind(pair)}"
    return [tuple(pair) for pair in found]


def in_words(sizes: tuple[int, int, int, int]) -> str:
    return f"{sizes[0]} paths, {sizes[1]} → {sizes[2]} → {sizes[2]} → {sizes[3]}"


@points(
    2,
    "merge_paths",
    hint="torch.cat has a dimension. The first layers are put together along their output channels; along what the last ones? "
    "And what does PyTorch store for a convolution with groups?",
)
def test_merge_paths_gives_weights_of_the_right_shapes(answers):
    """Shapes of the three weights and of their biases"""
    for sizes in SETS:
        count, c_in, d, c_out = sizes
        found = merged(answers, random_paths(7, *sizes), in_words(sizes))
        expected = [(count * d, c_in, 1, 1), (count * d, d, 3, 3), (c_out, count * d, 1, 1)]
        for place, ((weight, bias), shape) in enumerate(zip(found, expected, strict=True), start=1):
            where = f"{in_words(sizes)}: layer {place}"
            assert tuple(weight.shape) == shape, f"{where} has weights {tuple(weight.shape)}, expected {shape}"
            assert tuple(bias.shape) == shape[:1], f"{where} has biases {tuple(bias.shape)}, expected {shape[:1]}"


@points(
    2,
    "merge_paths",
    hint="Each path adds its last bias to its own result, and the results are added: what is added to the sum? And do all "
    "layers keep the paths in one order?",
)
def test_merge_paths_computes_the_sum_of_the_paths(answers):
    """The grouped form computes what the paths do, and the paths are left as they were"""
    for seed, sizes in enumerate(SETS):
        count, c_in = sizes[:2]
        paths = random_paths(200 + 100 * seed, *sizes)
        first, second, third = merged(answers, paths, in_words(sizes))
        x = normal(41 + seed, 2, c_in, 5, 4)
        expected = sum(F.conv2d(F.relu(F.conv2d(F.relu(F.conv2d(x, *a)), *b, padding=1)), *c) for a, b, c in paths)
        try:
            h = F.relu(F.conv2d(F.relu(F.conv2d(x, *first)), *second, padding=1, groups=count))
            found = F.conv2d(h, *third)
        except RuntimeError as problem:
            raise AssertionError(f"{in_words(sizes)}: your three layers do not fit each other: {problem}") from None
        error = difference(found, expected) if found.shape == expected.shape else math.inf
        if error >= 1e-8 and found.shape == expected.shape:
            spread = (found - expected).std(dim=(0, 2, 3)).max()
            what = "by the same at every position" if spread < 1e-8 * expected.abs().max() else "from position to position"
            raise AssertionError(f"{in_words(sizes)}: the grouped form differs from the sum of the paths, {what}")
        assert error < 1e-8, f"{in_words(sizes)}: the grouped form gives {tuple(found.shape)}, expected {tuple(expected.shape)}"
        _, after = answers.merge_paths.run(merge_and_keep_paths, paths)
        same = all(
            torch.equal(mine, right)
            for old, new in zip(paths, after, strict=True)
            for layer, other in zip(old, new, strict=True)
            for mine, right in zip(layer, other, strict=True)
        )
        assert same, f"{in_words(sizes)}: merge_paths changes the tensors of its paths"


# -------------------------------------------------------------------------------------------------- 5. diagnose_groups

WORDS = ("right", "swapped", "cannot tell", "neither")


def block_weights(channels: int, cardinality: int, d: int, groups: int) -> int:
    """Weights of the block's three convolutions, read off PyTorch's own layers."""
    inner = cardinality * d
    layers = [
        nn.Conv2d(channels, inner, 1, bias=False, device="meta"),
        nn.Conv2d(inner, inner, 3, groups=groups, bias=False, device="meta"),
        nn.Conv2d(inner, channels, 1, bias=False, device="meta"),
    ]
    return sum(layer.weight.numel() for layer in layers)


DIAGNOSED = [(256, 32, 4), (512, 32, 8), (64, 16, 2), (40, 3, 7), (256, 4, 24), (30, 1, 6), (12, 5, 1)]


def verdict(answers, weights: int, args: tuple[int, int, int]) -> str:
    found = answers.diagnose_groups(weights, *args)
    assert isinstance(found, str), f"one of {', '.join(map(repr, WORDS))} is expected; yours returned {kind(found)}"
    assert found in WORDS, f"one of {', '.join(map(repr, WORDS))} is expected; yours returned {found!r}"
    return found


def case(weights: int, args: tuple[int, int, int]) -> str:
    return f"diagnose_groups{(weights, *args)}, {args[1]} paths of {args[2]} channels"


@points(
    1, "diagnose_groups", hint="Count the weights of the three convolutions as they should be. Exercise 1 has the middle one."
)
def test_diagnose_knows_a_right_block(answers):
    """A block with the right groups"""
    for args in DIAGNOSED:
        weights = block_weights(*args, groups=args[1])
        found = verdict(answers, weights, args)
        assert found == "right", f"{case(weights, args)}: yours says {found!r} of a block that is as it is meant"


@points(1, "diagnose_groups", hint="With d groups of cardinality channels, how many channels does a filter of the 3×3 read?")
def test_diagnose_knows_a_swapped_block(answers):
    """A block with the number of groups taken for their width"""
    for args in DIAGNOSED:
        weights = block_weights(*args, groups=args[2])
        found = verdict(answers, weights, args)
        assert found == "swapped", f"{case(weights, args)}: yours says {found!r} of a block with {args[2]} groups"


@points(1, "diagnose_groups", hint="For which blocks are the two numbers one? Ask for that before you ask for either.")
def test_diagnose_says_when_it_cannot_tell(answers):
    """A block whose count is the same either way"""
    for channels, size in ((256, 8), (64, 1), (30, 5)):
        args = (channels, size, size)
        weights = block_weights(*args, groups=size)
        found = verdict(answers, weights, args)
        assert found == "cannot tell", f"{case(weights, args)}: yours says {found!r}, but both would have that many weights"


@points(
    1,
    "diagnose_groups",
    hint="Neither means that the number is none of the two, however near it is; a swapped block may have fewer weights, too.",
)
def test_diagnose_knows_another_block(answers):
    """Counts of neither, near and far"""
    for args in [*DIAGNOSED, (256, 8, 8)]:
        right, swapped = (block_weights(*args, groups=groups) for groups in args[1:])
        dense = block_weights(*args, groups=1)
        for weights in {right + 1, swapped - 1, right + args[0], (right + swapped) // 2, dense, 3 * dense} - {right, swapped}:
            found = verdict(answers, weights, args)
            assert found == "neither", f"{case(weights, args)}: yours says {found!r}, but neither has that many weights"
