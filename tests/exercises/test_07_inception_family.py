"""Graded tests of exercises/07_inception_family.ipynb."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.grading import Handle, points
from course_lib.grading.values import (
    agree,
    changes_input,
    integers,
    kind,
    normal,
    number,
    numbers,
    output,
    times,
    to_double,
)
from course_lib.models import Branches

# -------------------------------------------------------------- trusted functions, run where the student's objects are


def touched(function, x: Tensor) -> Tensor:
    """Which pixels (H, W) of the input the middle output of the first channel depends on."""
    x = x.requires_grad_()
    y = function(x)
    middle = y[0, 0, y.shape[2] // 2, y.shape[3] // 2]
    if not middle.requires_grad:
        return torch.zeros(x.shape[2:], dtype=torch.bool)
    (gradient,) = torch.autograd.grad(middle, x, allow_unused=True)
    return torch.zeros(x.shape[2:], dtype=torch.bool) if gradient is None else gradient[0].abs().sum(0) > 0


def score_gradient(function, scores: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Gradient of the loss for the scores; zeros where none flows."""
    scores = scores.requires_grad_()
    loss = function(scores, labels, epsilon)
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        return torch.zeros_like(scores)
    (gradient,) = torch.autograd.grad(loss.sum(), scores, allow_unused=True)
    return torch.zeros_like(scores) if gradient is None else gradient


class Branch(nn.Module):
    """Two branches over one input, concatenated, with 3 + 4 channels; negative values leave it too."""

    def __init__(self, channels: int):
        super().__init__()
        self.both = Branches(channels, nn.Conv2d(channels, 3, 1), nn.Conv2d(channels, 4, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.both(x)


def give_branch(channels: int) -> nn.Module:
    return Branch(channels)


# ---------------------------------------------------------------------------------------- 1. factorised_weights

FORMS = ("whole", "stack", "crossed")
KERNELS = [(64, 5), (64, 7), (3, 3), (10, 9), (7, 11)]


def weights(answers, channels: int, kernel: int) -> dict[str, float]:
    return dict(zip(FORMS, numbers(answers.factorised_weights(channels, kernel), FORMS), strict=True))


def in_words(channels: int, kernel: int) -> str:
    return f"factorised_weights({channels}, {kernel})"


@points(
    1, "factorised_weights", hint="How many numbers has one filter that reads all the channels, and how many filters are there?"
)
def test_factorised_weights_counts_the_whole_kernel(answers):
    """Weights of the k×k convolution"""
    for channels, kernel in KERNELS:
        found = weights(answers, channels, kernel)["whole"]
        expected = nn.Conv2d(channels, channels, kernel, bias=False, device="meta").weight.numel()
        assert found == expected, f"{in_words(channels, kernel)}: you count {found:,} for k×k, {times(found, expected)}"


@points(
    1,
    "factorised_weights",
    hint="The first 3×3 sees 3 positions in a row. How many more does each further one add, and how many are needed for k?",
)
def test_factorised_weights_counts_the_stack(answers):
    """Weights of the 3×3 convolutions that see as far"""
    for channels, kernel in KERNELS:
        found = weights(answers, channels, kernel)["stack"]
        expected = 9 * channels**2 * len(range(1, kernel, 2))
        assert found == expected, (
            f"{in_words(channels, kernel)}: you count {found:,} for the stack of 3×3, {times(found, expected)}"
        )


@points(
    1,
    "factorised_weights",
    hint="Two convolutions, each with as many filters as channels: how many weights has a filter of each?",
)
def test_factorised_weights_counts_the_crossed_pair(answers):
    """Weights of the 1×k and the k×1 convolution"""
    for channels, kernel in KERNELS:
        found = weights(answers, channels, kernel)["crossed"]
        one = nn.Conv2d(channels, channels, (1, kernel), bias=False, device="meta").weight.numel()
        assert found == 2 * one, f"{in_words(channels, kernel)}: you count {found:,} for 1×k and k×1, {times(found, 2 * one)}"


# ----------------------------------------------------------------------------------------------- 2. small_stack

STACKS = [(3, 5, 5), (4, 2, 7), (2, 3, 3), (3, 4, 9)]


def called(args: tuple[int, int, int]) -> str:
    return f"small_stack{args}"


def make_stack(answers, args: tuple[int, int, int]) -> Handle:
    stack = answers.small_stack(*args)
    assert isinstance(stack, Handle), f"{called(args)}: a module is expected; yours returned {kind(stack)}"
    return stack


def stack_output(stack: Handle, args: tuple[int, int, int], x: Tensor) -> Tensor:
    return output(stack, called(args), x, (len(x), args[1], *x.shape[2:]))


def stack_layers(stack: Handle, args: tuple[int, int, int]) -> list[str]:
    """Names of the convolutions in order, without their last part; a failure where they are not those that were asked for."""
    in_channels, out_channels, kernel = args
    state = stack.state()
    found = {name.removesuffix("weight"): tuple(value.shape) for name, value in state.items() if value.ndim == 4}
    large = [shape for shape in found.values() if shape[2:] != (3, 3)]
    assert not large, f"{called(args)} has a convolution with weights of shape {large[0]}; all kernels have to be 3×3"
    needed = len(range(1, kernel, 2))
    assert len(found) == needed, (
        f"{called(args)} has {len(found)} convolutions; with these it does not see exactly {kernel}×{kernel}"
    )
    for place, (name, shape) in enumerate(found.items()):
        expected = (out_channels, in_channels if place == 0 else out_channels, 3, 3)
        assert shape == expected, f"{called(args)}: convolution {place + 1} has weights {shape}, expected {expected}"
        assert f"{name}bias" in state, f"{called(args)}: convolution {place + 1} has no bias"
    known = {f"{name}{leaf}" for name in found for leaf in ("weight", "bias")}
    extra = [name for name in state if name not in known]
    assert not extra, f"{called(args)} has weights that are not asked for: {', '.join(extra[:3])}"
    return list(found)


def stack_pair(answers, args: tuple[int, int, int], seed: int) -> tuple[Handle, nn.Sequential]:
    """The student's stack and the reference in double precision with the same random weights."""
    stack, layers = make_stack(answers, args), []
    names = stack_layers(stack, args)
    for place in range(len(names)):
        layers += [nn.ReLU()] if place else []
        layers.append(nn.Conv2d(args[0] if place == 0 else args[1], args[1], 3, padding=1))
    reference, given = nn.Sequential(*layers).double(), {}
    convolutions = [layer for layer in reference if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for place, (name, layer) in enumerate(zip(names, convolutions, strict=True)):
            weight = normal(seed + place, *layer.weight.shape, dtype=torch.float64)
            layer.weight.copy_(weight * (2 / layer.weight[0].numel()) ** 0.5)
            layer.bias.copy_(normal(seed + 50 + place, len(layer.bias), dtype=torch.float64) * 0.3)
            given[f"{name}weight"], given[f"{name}bias"] = layer.weight.detach(), layer.bias.detach()
    stack.run(to_double)
    stack.load(given)
    return stack, reference


@points(1, "small_stack", hint="Which padding does a 3×3 convolution need to keep height and width?")
def test_small_stack_keeps_the_size(answers):
    """Shape of the output, with height and width kept"""
    for seed, args in enumerate(STACKS):
        stack_output(make_stack(answers, args), args, normal(seed, 2, args[0], 9, 8))


@points(1, "small_stack", hint="Print small_stack(3, 5, 7): how many convolutions do you see, and with which channels?")
def test_small_stack_has_the_right_layers(answers):
    """Convolutions of 3×3 alone, as many as the kernel needs, with the right channels"""
    for args in STACKS:
        stack_layers(make_stack(answers, args), args)


@points(
    1,
    "small_stack",
    hint="Go backwards from one output: it reads 3×3 values, each of which reads 3×3. How far apart are the outermost?",
)
def test_small_stack_sees_as_far(answers):
    """The receptive field of the k×k convolution, neither more nor less"""
    for args in STACKS:
        kernel = args[2]
        stack = make_stack(answers, args)
        stack_output(stack, args, normal(1, 1, args[0], 25, 25))
        stack.load({name: value.abs() + 0.1 for name, value in stack.state().items()})  # so that no ReLU blocks the way
        seen = stack.run(touched, torch.ones(1, args[0], 25, 25))
        rows, columns = int(seen.any(1).sum()), int(seen.any(0).sum())
        assert (rows, columns) == (kernel, kernel), (
            f"{called(args)}: one output sees {rows}×{columns} pixels, expected {kernel}×{kernel}"
        )


@points(
    2, "small_stack", hint="Without something between them, two convolutions are one convolution. And what stands after the last?"
)
def test_small_stack_computes_the_stack(answers):
    """Same output as the reference with the same weights; the input is not changed"""
    for seed, args in enumerate(STACKS):
        stack, reference = stack_pair(answers, args, 20 + 100 * seed)
        x = normal(30 + seed, 2, args[0], 8, 7, dtype=torch.float64)
        found, expected = stack_output(stack, args, x), reference(x).detach()
        assert (found < 0).any() or not (expected < 0).any(), (
            f"{called(args)} gives no negative value, as if something followed the last convolution"
        )
        agree(found, expected, f"{called(args)}: the output")
        assert not changes_input(stack, x), f"{called(args)} changes its input tensor in place"


# ------------------------------------------------------------------------------------------- 3. reduction_costs

WAYS = ("convolution first", "pool first", "side by side")
MAPS = [(288, 34), (16, 8), (3, 2), *((integers(seed, 2, 40, 1)[0], 2 * integers(seed + 9, 1, 20, 1)[0]) for seed in range(3))]


def reductions(answers, channels: int, size: int) -> dict[str, float]:
    return dict(zip(WAYS, numbers(answers.reduction_costs(channels, size), WAYS), strict=True))


def check_way(answers, way: str, out_channels: int, halved: bool) -> None:
    for channels, size in MAPS:
        found = reductions(answers, channels, size)[way]
        places = (size // 2) ** 2 if halved else size**2
        expected = nn.Conv2d(channels, out_channels * channels, 3, bias=False, device="meta").weight.numel() * places
        assert found == expected, f"reduction_costs({channels}, {size}): you count {found:,} for {way}, {times(found, expected)}"


@points(1, "reduction_costs", hint="At how many positions does a convolution with stride 1 compute its filters?")
def test_reduction_costs_with_the_convolution_first(answers):
    """Multiply-adds with the convolution before the pool"""
    check_way(answers, "convolution first", 2, halved=False)


@points(1, "reduction_costs", hint="How many positions has the map that the convolution gets?")
def test_reduction_costs_with_the_pool_first(answers):
    """Multiply-adds with the pool before the convolution"""
    check_way(answers, "pool first", 2, halved=True)


@points(
    2,
    "reduction_costs",
    hint="The pool gives part of the channels and costs nothing. How many filters are left for the convolution, and at how many "
    "positions does stride 2 compute them?",
)
def test_reduction_costs_side_by_side(answers):
    """Multiply-adds of a strided convolution beside the pool"""
    check_way(answers, "side by side", 1, halved=True)


# --------------------------------------------------------------------------------------------- 4. smoothed_loss


def batch(seed: int) -> tuple[Tensor, Tensor]:
    """Scores and labels; the numbers of images and classes vary with the seed."""
    images, classes = 3 + seed % 4, 4 + seed % 3
    labels = torch.tensor(integers(seed, 0, classes - 1, images))
    return normal(seed, images, classes, dtype=torch.float64) * 2, labels


def smoothing(epsilon: float) -> str:
    return "epsilon not given" if epsilon == 0.1 else f"epsilon={epsilon}"


def smoothed(answers, scores: Tensor, labels: Tensor, epsilon: float) -> float:
    found = answers.smoothed_loss(scores, labels) if epsilon == 0.1 else answers.smoothed_loss(scores, labels, epsilon)
    assert isinstance(found, Tensor), f"a tensor with a single number is expected; yours returned {kind(found)}"
    assert found.numel() == 1, f"one number for the whole batch is expected; yours is {kind(found)}"
    return number(found, "the loss")


@points(
    2,
    "smoothed_loss",
    hint="Write the smoothed label of one image with four classes on paper. What do its four numbers add up to?",
)
def test_smoothed_loss_spreads_the_label(answers):
    """The mean cross-entropy with smoothed labels"""
    for seed, epsilon in ((60, 0.1), (61, 0.1), (62, 0.3), (63, 0.5)):
        scores, labels = batch(seed)
        found = smoothed(answers, scores, labels, epsilon)
        expected = F.cross_entropy(scores, labels, label_smoothing=epsilon).item()
        assert math.isclose(found, expected, rel_tol=1e-6), (
            f"{len(scores)} images, {scores.shape[1]} classes, {smoothing(epsilon)}: your loss of {found:.4f} "
            f"is {times(found, expected)}"
        )


@points(
    1,
    "smoothed_loss",
    hint="exp of a large score is infinite; which function of torch gives the logarithm of the softmax at once?",
)
def test_smoothed_loss_stands_the_extremes(answers):
    """No smoothing, full smoothing, and scores of hundreds"""
    for seed, epsilon, scale in ((70, 0.0, 1), (71, 1.0, 1), (72, 0.1, 300), (73, 0.0, 300)):
        scores, labels = batch(seed)
        found = smoothed(answers, scale * scores, labels, epsilon)
        expected = F.cross_entropy(scale * scores, labels, label_smoothing=epsilon).item()
        assert math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-9), (
            f"{smoothing(epsilon)}, scores up to {scale * scores.abs().max():.0f}: your loss of {found:.4g} is not right"
        )


@points(1, "smoothed_loss", hint="The loss is differentiated through the scores: where do .item(), detach() or numpy stand?")
def test_smoothed_loss_passes_gradients(answers):
    """Gradients reach the scores"""
    for seed, epsilon in ((80, 0.1), (81, 0.4)):
        scores, labels = batch(seed)
        found = answers.smoothed_loss.run(score_gradient, scores, labels, epsilon)
        leaf = scores.clone().requires_grad_()
        (expected,) = torch.autograd.grad(F.cross_entropy(leaf, labels, label_smoothing=epsilon), leaf)
        agree(found, expected, f"epsilon={epsilon}: the gradient for the scores", 1e-6)


# -------------------------------------------------------------------------------------------- 5. ScaledResidual

CHANNELS = [(5, 0.1), (6, 0.3), (4, 1.0)]
BRANCH_CHANNELS = 7


def scaled(args: tuple[int, float]) -> str:
    scale = "" if args[1] == 0.1 else f", scale={args[1]}"
    return f"ScaledResidual(branch, {BRANCH_CHANNELS}, {args[0]}{scale})"


def make_residual(answers, args: tuple[int, float]) -> Handle:
    channels, scale = args
    branch = answers.inside(give_branch, channels)
    options = {} if scale == 0.1 else {"scale": scale}  # the default is not given
    block = answers.ScaledResidual(branch, BRANCH_CHANNELS, channels, **options)
    assert isinstance(block, Handle), f"{scaled(args)}: a module is expected; yours is {kind(block)}"
    return block


def residual_layers(block: Handle, args: tuple[int, float]) -> dict[str, str]:
    """The block's own names of the reference's weights; a failure where they are not those that were asked for."""
    channels, _ = args
    state = block.state()
    own = {name: value for name, value in state.items() if name.startswith("projection.")}
    kernels = [name for name, value in own.items() if value.ndim == 4]
    assert len(kernels) == 1, f"{scaled(args)} has {len(kernels)} convolutions under the name projection, expected 1"
    shape, expected = tuple(own[kernels[0]].shape), (channels, BRANCH_CHANNELS, 1, 1)
    assert shape == expected, f"{scaled(args)}: the projection has weights {shape}, expected {expected}"
    names = {"projection.weight": kernels[0], "projection.bias": kernels[0].removesuffix("weight") + "bias"}
    assert names["projection.bias"] in own, f"{scaled(args)}: the projection has no bias"
    for name in Branch(channels).state_dict():
        assert f"branch.{name}" in state, f"{scaled(args)} does not keep the given branch under the name branch"
        names[f"branch.{name}"] = f"branch.{name}"
    extra = [name for name in state if name not in names.values()]
    assert not extra, f"{scaled(args)} has weights that are not asked for: {', '.join(extra[:3])}"
    return names


class Reference(nn.Module):
    """What ScaledResidual has to compute."""

    def __init__(self, channels: int, scale: float):
        super().__init__()
        self.branch, self.projection, self.scale = Branch(channels), nn.Conv2d(BRANCH_CHANNELS, channels, 1), scale

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.scale * self.projection(self.branch(x)))


def residual_pair(answers, args: tuple[int, float], seed: int) -> tuple[Handle, nn.Module]:
    """The student's block and the reference in double precision with the same random weights."""
    block, reference = make_residual(answers, args), Reference(*args).double()
    names = residual_layers(block, args)
    state = {}
    for place, (name, value) in enumerate(reference.state_dict().items()):
        size = (2 / value[0].numel()) ** 0.5 if value.ndim > 1 else 0.5
        state[name] = normal(seed + place, *value.shape, dtype=torch.float64) * size
    reference.load_state_dict(state)
    block.run(to_double)
    block.load({names[name]: value for name, value in state.items()})
    return block, reference


def residual_output(block: Handle, args: tuple[int, float], x: Tensor) -> Tensor:
    return output(block, scaled(args), x, x.shape)


@points(1, "ScaledResidual", hint="Which layers did the text ask for, and under which two names?")
def test_scaled_residual_has_the_right_layers(answers):
    """The given branch and a 1×1 projection with bias, under their names, and no other weights"""
    for args in CHANNELS:
        residual_layers(make_residual(answers, args), args)


@points(
    2,
    "ScaledResidual",
    hint="Three steps in this order: project what the branch gives, scale it, add the input. What is applied to the sum?",
)
def test_scaled_residual_computes_the_block(answers):
    """Same output as the reference with the same weights"""
    for seed, args in enumerate(CHANNELS):
        block, reference = residual_pair(answers, args, 20 + 100 * seed)
        x = normal(40 + seed, 3, args[0], 6, 5, dtype=torch.float64)
        found, expected = residual_output(block, args, x), reference(x).detach()
        assert (found >= 0).all(), (
            f"{scaled(args)}: {(found < 0).sum()} values of the output are negative; what follows the addition?"
        )
        agree(found, expected, f"{scaled(args)}: the output", 1e-6)


@points(
    1,
    "ScaledResidual",
    hint="An operation that ends in _, +=, or inplace=True changes what it is given; detach() and no_grad() stop gradients.",
)
def test_scaled_residual_passes_gradients(answers):
    """Same gradients for the input and all weights; the input is not changed"""
    for seed, args in enumerate(CHANNELS):
        block, reference = residual_pair(answers, args, 60 + 100 * seed)
        names = residual_layers(block, args)
        x = normal(50 + seed, 2, args[0], 5, 4, dtype=torch.float64)
        residual_output(block, args, x)
        assert not changes_input(block, x), f"{scaled(args)} changes its input tensor in place"
        x = x.requires_grad_()
        expected = reference(x)
        upstream = normal(55, *expected.shape, dtype=torch.float64)
        parameters = dict(reference.named_parameters())
        right = torch.autograd.grad((expected * upstream).sum(), [x, *parameters.values()])
        found = block.gradients(x.detach(), upstream)
        for name, value in zip(["input", *parameters], right, strict=True):
            mine = found["input" if name == "input" else names[name]]
            agree(mine, value, f"{scaled(args)}: the gradient of {name}", 1e-6)
