"""Graded tests of exercises/03_inception.ipynb."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.grading import Handle, points
from course_lib.grading.values import (
    agree,
    changes_input,
    difference,
    integers,
    kind,
    normal,
    number,
    number_list,
    numbers,
    output,
    telling,
    times,
    to_double,
)
from course_lib.models import Inception

# -------------------------------------------------------------- trusted functions, run where the student's objects are


def loss_gradients(function, scores: Tensor, auxiliary: list[Tensor], labels: Tensor) -> list[Tensor]:
    """Gradient of the loss for the main scores and for each of the auxiliary ones; zeros where none flows."""
    inputs = [scores.requires_grad_(), *(side.requires_grad_() for side in auxiliary)]
    loss = function(inputs[0], tuple(inputs[1:]), labels)
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        return [torch.zeros_like(one) for one in inputs]
    found = torch.autograd.grad(loss.sum(), inputs, allow_unused=True)
    return [torch.zeros_like(one) if grad is None else grad for one, grad in zip(inputs, found, strict=True)]


# ---------------------------------------------------------------------------------------------- 1. module_costs

COSTS = ("naive", "reduced")


def modules(seed: int) -> list[tuple[int, ...]]:
    """in_channels, the six widths, size; the third is one whose reductions cost more than they save."""
    fixed = [(192, 64, 96, 128, 16, 32, 32, 28), (480, 192, 96, 208, 16, 48, 64, 14), (8, 4, 8, 4, 8, 4, 4, 5)]
    return fixed + [(*integers(seed + i, 5, 60, 7), *integers(seed + 50 + i, 3, 20, 1)) for i in range(3)]


def convolutions(*layers: tuple[int, int, int]) -> int:
    """Weights of convolutions (in_channels, out_channels, kernel), read off PyTorch's own layers."""
    return sum(nn.Conv2d(*layer, bias=False, device="meta").weight.numel() for layer in layers)


def in_words(args: tuple[int, ...]) -> str:
    return f"module_costs{args}"


@points(2, "module_costs", hint="Each of the three kernels reads all the input channels. How many weights has one 5×5 filter?")
def test_module_costs_counts_the_naive_module(answers):
    """Multiply-adds of the naive module"""
    for args in modules(11):
        in_channels, c1, _, c3, _, c5, _, size = args
        found = numbers(answers.module_costs(*args), COSTS)[0]
        expected = convolutions((in_channels, c1, 1), (in_channels, c3, 3), (in_channels, c5, 5)) * size * size
        assert found == expected, f"{in_words(args)}: you count {found:,} for the naive module, {times(found, expected)}"


@points(
    2,
    "module_costs",
    hint="Six convolutions. Write down input channels, output channels and kernel of each: what does the 3×3 read now, "
    "and what does the 1×1 after the pool read?",
)
def test_module_costs_counts_the_reduced_module(answers):
    """Multiply-adds of the module with reductions, their own included"""
    for args in modules(12):
        in_channels, c1, reduce3, c3, reduce5, c5, pool, size = args
        found = numbers(answers.module_costs(*args), COSTS)[1]
        weights = convolutions(
            (in_channels, c1, 1),
            (in_channels, reduce3, 1),
            (reduce3, c3, 3),
            (in_channels, reduce5, 1),
            (reduce5, c5, 5),
            (in_channels, pool, 1),
        )
        expected = weights * size * size
        assert found == expected, f"{in_words(args)}: you count {found:,} for the reduced module, {times(found, expected)}"


# -------------------------------------------------------------------------------------------- 2. chain_channels

CHAINS = [
    (192, [(64, 128, 32)]),
    (192, [(64, 128, 32), (64, 128, 32)]),
    (7, [(1, 2, 3), (10, 20, 30), (4, 4, 4), (5, 6, 7)]),
    (30, [(9, 1, 5)] * 6),
]


def channels_after(answers, in_channels: int, filters: list[tuple[int, int, int]]) -> list[float]:
    return number_list(answers.chain_channels(in_channels, filters), "a list of numbers")


@points(1, "chain_channels", hint="One number for each module: what leaves it. What came into the first one is not in the list.")
def test_chain_channels_gives_one_number_per_module(answers):
    """One number for each module, and an empty list for an empty chain"""
    for in_channels, filters in [*CHAINS, (12, [])]:
        found = channels_after(answers, in_channels, filters)
        assert len(found) == len(filters), (
            f"chain_channels({in_channels}, …) with {len(filters)} modules: your list has {len(found)} numbers"
        )


@points(
    2,
    "chain_channels",
    hint="Which branch of a naive module has as many channels as come in? Follow one image through two modules.",
)
def test_chain_channels_follows_the_chain(answers):
    """Each module reads what the one before it gives out"""
    for in_channels, filters in CHAINS:
        found = channels_after(answers, in_channels, filters)
        for place, mine in enumerate(found[: len(filters)], start=1):
            expected = in_channels + sum(sum(triple) for triple in filters[:place])
            assert mine == expected, (
                f"chain_channels({in_channels}, {filters}): you have {mine:g} channels after module {place}, "
                f"{times(mine, expected)}"
            )
        assert found, f"chain_channels({in_channels}, …) with {len(filters)} modules: your list is empty"


# ------------------------------------------------------------------------------------------- 3. InceptionModule

WIDTHS = [(5, 4, 3, 6, 2, 3, 4), (3, 2, 5, 4, 3, 5, 2), (6, 3, 2, 3, 4, 2, 5)]
BRANCHES = {"branch1": (1,), "branch3": (1, 3), "branch5": (1, 5), "branch_pool": (1,)}  # kernels, in order


def named(args: tuple[int, ...]) -> str:
    return f"InceptionModule{args}"


def make_module(answers, args: tuple[int, ...]) -> Handle:
    module = answers.InceptionModule(*args)
    assert isinstance(module, Handle), f"{named(args)}: a module is expected; yours is {kind(module)}"
    return module


def shapes(args: tuple[int, ...]) -> dict[tuple[str, int], tuple[int, ...]]:
    """Shape of each convolution's weight, by branch and kernel."""
    in_channels, c1, reduce3, c3, reduce5, c5, pool = args
    return {
        ("branch1", 1): (c1, in_channels, 1, 1),
        ("branch3", 1): (reduce3, in_channels, 1, 1),
        ("branch3", 3): (c3, reduce3, 3, 3),
        ("branch5", 1): (reduce5, in_channels, 1, 1),
        ("branch5", 5): (c5, reduce5, 5, 5),
        ("branch_pool", 1): (pool, in_channels, 1, 1),
    }


def convolutions_of(module: Handle, args: tuple[int, ...]) -> dict[tuple[str, int], str]:
    """Name of each convolution by branch and kernel; a failure where they are not the six that were asked for."""
    state, found = module.state(), {}
    for name, value in state.items():
        if value.ndim == 4:
            found[name.split(".")[0], value.shape[-1]] = name.removesuffix(".weight")
    for (branch, kernel), shape in shapes(args).items():
        name = found.get((branch, kernel))
        assert name is not None, f"{named(args)} has no {kernel}×{kernel} convolution in {branch}"
        mine = tuple(state[f"{name}.weight"].shape)
        assert mine == shape, f"{named(args)}: the {kernel}×{kernel} of {branch} has weights {mine}, expected {shape}"
        assert f"{name}.bias" in state, f"{named(args)}: the {kernel}×{kernel} of {branch} has no bias"
    known = {f"{name}.{leaf}" for place, name in found.items() if place in shapes(args) for leaf in ("weight", "bias")}
    extra = [name for name in state if name not in known]
    assert not extra, f"{named(args)} has weights that are not asked for: {', '.join(extra[:3])}"
    return {place: found[place] for place in shapes(args)}


def module_pair(answers, args: tuple[int, ...], seed: int, scale: float = 1.0):
    """The student's module and the reference in double precision with the same random weights."""
    module, reference = make_module(answers, args), Inception(*args, kernel5=5, norm=False).double()
    names = convolutions_of(module, args)
    theirs = [name.removesuffix(".weight") for name, value in reference.state_dict().items() if value.ndim == 4]
    state, given = {}, {}
    for place, ((where, shape), other) in enumerate(zip(shapes(args).items(), theirs, strict=True)):
        weight = normal(seed + place, *shape, dtype=torch.float64) * scale * (2 / math.prod(shape[1:])) ** 0.5
        bias = normal(seed + 50 + place, shape[0], dtype=torch.float64) * 0.3
        for prefix, target in ((other, state), (names[where], given)):
            target[f"{prefix}.weight"], target[f"{prefix}.bias"] = weight, bias
    reference.load_state_dict(state)
    module.run(to_double)
    module.load(given)
    return module, reference


def images(seed: int, args: tuple[int, ...]) -> Tensor:
    return normal(seed, 3, args[0], 7, 6, dtype=torch.float64)


def module_output(module: Handle, args: tuple[int, ...], x: Tensor) -> Tensor:
    _, c1, _, c3, _, c5, pool = args
    return output(module, named(args), x, (len(x), c1 + c3 + c5 + pool, *x.shape[2:]))


@points(
    1,
    "InceptionModule",
    hint="Channels are dimension 1 of (N, C, H, W). Which padding does a 5×5 kernel need to keep height and width, and "
    "which stride has a pool if you do not give one?",
)
def test_inception_module_has_the_right_shape(answers):
    """Shape of the output, with height and width kept"""
    for args in WIDTHS:
        module, x = make_module(answers, args), images(31, args).float()
        for size in (6, 5):
            module_output(module, args, x[..., :size])


@points(
    1, "InceptionModule", hint="Print InceptionModule(5, 4, 3, 6, 2, 3, 4): which two numbers has each of the six convolutions?"
)
def test_inception_module_has_the_right_layers(answers):
    """Six convolutions with biases under the four names, and no other weights"""
    for args in WIDTHS:
        convolutions_of(make_module(answers, args), args)


@points(1, "InceptionModule", hint="torch.cat puts its tensors one after the other in the order of the list.")
def test_inception_module_concatenates_in_order(answers):
    """The channels of 1×1, 3×3, 5×5 and pool, in this order"""
    for seed, args in enumerate(WIDTHS):
        module, reference = module_pair(answers, args, 40 + 100 * seed)
        x = images(33, args)
        found, expected = module_output(module, args, x), reference(x).detach()
        _, c1, _, c3, _, c5, pool = args
        start, right = 0, {}
        for name, width in zip(BRANCHES, (c1, c3, c5, pool), strict=True):
            right[name] = expected[:, start : start + width]
            start += width
        # Recognised by its mean over images and positions, or not at all: what a branch computes is the next test's matter.
        start = 0
        for name, width in zip(BRANCHES, (c1, c3, c5, pool), strict=True):
            mine = found[:, start : start + width]
            others = [
                o for o, value in right.items() if o != name and value.shape == mine.shape and difference(mine, value) < 1e-6
            ]
            assert not others, f"{named(args)}: channels {start} to {start + width - 1} are those of {others[0]}, expected {name}"
            part = [o for o, value in right.items() if o != name and starts_alike(mine, value)]
            assert not part, f"{named(args)}: channel {start} is the first of {part[0]}, expected {name}"
            start += width


def starts_alike(found: Tensor, value: Tensor) -> bool:
    """Whether the first channel is the same, and is one that can be recognised (not 0 everywhere)."""
    return bool(value[:, 0].any()) and difference(found[:, 0], value[:, 0]) < 1e-6


@points(
    2,
    "InceptionModule",
    hint="Follow one branch: what comes after its first convolution, and after its second? And what does the pool's branch "
    "do first?",
)
def test_inception_module_computes_the_module(answers):
    """Same output as the reference with the same weights"""
    for seed, args in enumerate(WIDTHS):
        module, reference = module_pair(answers, args, 44 + 100 * seed)
        x = images(34, args)
        found, expected = module_output(module, args, x), reference(x).detach()
        start = 0
        _, c1, _, c3, _, c5, pool = args
        assert (found >= 0).all(), (
            f"{named(args)}: {(found < 0).sum()} values of the output are negative; what follows a convolution?"
        )
        for name, width in zip(BRANCHES, (c1, c3, c5, pool), strict=True):
            mine, right = (value[:, start : start + width] for value in (found, expected))
            agree(mine, right, f"{named(args)}: the part of {name} in the output")
            start += width


@points(
    1,
    "InceptionModule",
    hint="All four branches read the same x. An operation that ends in _ or has inplace=True changes what it is given; "
    "detach() and no_grad() stop gradients.",
)
def test_inception_module_passes_gradients(answers):
    """Same gradients for the input and all weights; the input is not changed"""
    for seed, args in enumerate(WIDTHS):
        module, reference = module_pair(answers, args, 48 + 100 * seed)
        x = images(36, args)
        module_output(module, args, x)  # a failure of the forward pass is told in its own words
        assert not changes_input(module, x), (
            f"{named(args)} changes its input tensor in place; the other branches get wrong values"
        )
        x = x.requires_grad_()
        expected = reference(x)
        upstream = normal(37, *expected.shape, dtype=torch.float64)
        parameters = dict(reference.named_parameters())
        right = torch.autograd.grad((expected * upstream).sum(), [x, *parameters.values()])
        found = module.gradients(x.detach(), upstream)
        theirs = dict(zip(parameters, right[1:], strict=True))
        weights = [name for name, value in theirs.items() if value.ndim == 4]
        pairs = {"input": right[0]}
        for name, other in zip(convolutions_of(module, args).values(), weights, strict=True):
            pairs[f"{name}.weight"], pairs[f"{name}.bias"] = theirs[other], theirs[other.removesuffix("weight") + "bias"]
        for name, value in pairs.items():
            agree(found[name], value, f"{named(args)}: the gradient of {name}")


# ------------------------------------------------------------------------------------------------ 4. total_loss


def batch(seed: int, heads: int) -> tuple[Tensor, list[Tensor], Tensor]:
    """Main scores, auxiliary scores, labels; the numbers of images and classes vary with the seed."""
    images_, classes = 3 + seed % 4, 4 + seed % 3
    labels = torch.tensor(integers(seed, 0, classes - 1, images_))
    scores = [normal(seed + i, images_, classes, dtype=torch.float64) * 2 for i in range(heads + 1)]
    return scores[0], scores[1:], labels


def loss_of(answers, *args, **options) -> float:
    found = answers.total_loss(*args, **options)
    assert isinstance(found, Tensor), f"a tensor with a single number is expected; yours returned {kind(found)}"
    assert found.numel() == 1, f"one number for the whole batch is expected; yours is {kind(found)}"
    return number(found, "the loss")


def cross_entropies(scores: Tensor, auxiliary: list[Tensor], labels: Tensor) -> tuple[float, list[float]]:
    return F.cross_entropy(scores, labels).item(), [F.cross_entropy(side, labels).item() for side in auxiliary]


@points(
    2,
    "total_loss",
    hint="F.cross_entropy takes scores and labels, in this order, and applies the softmax itself. The main loss has no factor.",
)
def test_total_loss_adds_the_weighted_losses(answers):
    """The main loss plus 0.3 times each of two auxiliary losses"""
    for seed in range(60, 64):
        scores, auxiliary, labels = batch(seed, 2)
        found = loss_of(answers, scores, tuple(auxiliary), labels)
        main, extra = cross_entropies(scores, auxiliary, labels)
        assert math.isclose(found, main + 0.3 * sum(extra), rel_tol=1e-6), (
            f"main loss {main:.4f}, auxiliary losses {extra[0]:.4f} and {extra[1]:.4f}: your total of {found:.4f} is not "
            "their weighted sum"
        )


@points(1, "total_loss", hint="Write it for a sequence of any length, and use the argument weight instead of a number.")
def test_total_loss_takes_any_number_of_heads(answers):
    """None, one or three auxiliary classifiers, and another weight"""
    for seed, heads, weight in ((70, 0, 0.3), (71, 1, 0.3), (72, 3, 0.3), (73, 2, 0.5), (74, 2, 0.0)):
        scores, auxiliary, labels = batch(seed, heads)
        with telling(f"{heads} auxiliary classifiers, weight {weight}"):
            found = loss_of(answers, scores, tuple(auxiliary), labels, weight)
        main, extra = cross_entropies(scores, auxiliary, labels)
        assert math.isclose(found, main + weight * sum(extra), rel_tol=1e-6), (
            f"{heads} auxiliary classifiers, weight {weight}: your total of {found:.4f} is not the weighted sum"
        )


@points(
    1,
    "total_loss",
    hint="A total made of Python numbers cannot be differentiated: where do .item(), detach() or torch.tensor(…) stand?",
)
def test_total_loss_passes_gradients(answers):
    """Gradients reach the main scores and, with the weight, the auxiliary ones"""
    for seed in (80, 81):
        scores, auxiliary, labels = batch(seed, 2)
        found = answers.total_loss.run(loss_gradients, scores, auxiliary, labels)
        leaves = [scores.clone().requires_grad_(), *(side.clone().requires_grad_() for side in auxiliary)]
        total = F.cross_entropy(leaves[0], labels) + 0.3 * sum(F.cross_entropy(side, labels) for side in leaves[1:])
        for place, (mine, right) in enumerate(zip(found, torch.autograd.grad(total, leaves), strict=True)):
            where = "the main scores" if place == 0 else f"auxiliary scores {place}"
            assert mine.any(), f"no gradient reaches {where}"
            agree(mine, right, f"the gradient of {where}", 1e-6)


# ------------------------------------------------------------------------------------------- 5. head_parameters

HEADS = ("averaging head", "dense head")


def stages(seed: int) -> list[tuple[int, int, list[int], int]]:
    fixed = [(512, 7, [4096, 4096], 1000), (1024, 7, [], 1000), (64, 1, [], 10), (16, 5, [30, 20, 10], 7)]
    return fixed + [(a, b, [c, d], e) for a, b, c, d, e in (integers(seed + i, 3, 40, 5) for i in range(2))]


def linear(*widths: int) -> int:
    """Parameters of dense layers in a row, read off PyTorch's own."""
    layers = [nn.Linear(a, b, device="meta") for a, b in zip(widths[:-1], widths[1:], strict=True)]
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


@points(1, "head_parameters", hint="How many numbers are left of each channel after averaging? Biases count too.")
def test_head_parameters_counts_the_averaging_head(answers):
    """Parameters after global average pooling"""
    for args in stages(91):
        found, expected = numbers(answers.head_parameters(*args), HEADS)[0], linear(args[0], args[3])
        assert found == expected, f"head_parameters{args}: you count {found:,} for the averaging head, {times(found, expected)}"


@points(
    2,
    "head_parameters",
    hint="Write the widths in a row: the long vector, each number in hidden, the classes. Each layer connects two neighbours.",
)
def test_head_parameters_counts_the_dense_head(answers):
    """Parameters of the dense layers, with any number of hidden ones"""
    for args in stages(92):
        channels, size, hidden, classes = args
        found = numbers(answers.head_parameters(*args), HEADS)[1]
        expected = linear(channels * size * size, *hidden, classes)
        assert found == expected, f"head_parameters{args}: you count {found:,} for the dense head, {times(found, expected)}"
