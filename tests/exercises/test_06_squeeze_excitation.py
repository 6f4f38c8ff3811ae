"""Graded tests of exercises/06_squeeze_excitation.ipynb."""

import math
from functools import cache, partial

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
    output,
    tensor,
    times,
    to_double,
)
from course_lib.models import SqueezeExcitation

normal = partial(values.normal, dtype=torch.float64)

# -------------------------------------------------------------- trusted functions, run where the student's objects are


def unit_result(function, x: Tensor, place: str, weights: list[Tensor]) -> dict:
    """What a residual unit with these weights gives, with the input as it is afterwards and how often the parts were called."""
    calls = {"branch": 0, "se": 0}

    def branch(y: Tensor) -> Tensor:
        calls["branch"] += 1
        return branch_of(y, weights)

    def se(y: Tensor) -> Tensor:
        calls["se"] += 1
        return se_of(y, weights)

    kept = x.clone().requires_grad_()
    result = function(kept * 1, branch, se, place)  # a leaf could not be changed in place
    called = dict(calls)
    gradient = torch.zeros_like(x)
    if isinstance(result, Tensor) and result.requires_grad and result.shape == x.shape:
        gradient = torch.autograd.grad((result * weights[2]).sum(), kept)[0]
    before = x.clone()
    function(before, branch, se, place)
    return {"result": result, "gradient": gradient, "after": before, **called}


def branch_of(y: Tensor, weights: list[Tensor]) -> Tensor:
    """A branch that is not linear, so that scaling before it and after it differ."""
    return F.conv2d(torch.tanh(y), weights[0], padding=1)


def se_of(y: Tensor, weights: list[Tensor]) -> Tensor:
    """A gate for every channel, computed from the means of all channels."""
    return y * torch.sigmoid(F.conv2d(y.mean(dim=(2, 3), keepdim=True), weights[1]))


# --------------------------------------------------------------------------------------------------- 1. SEBlock

BLOCKS = [(8, 4), (12, 3), (16, 16), (10, 4)]  # channels, reduction; the last leaves a rest


DEFAULT = (150, 16)  # 150 // 15, 150 // 16 and 150 // 17 differ


def given(args: tuple[int, ...]) -> tuple[int, ...]:
    """Without the reduction where it has its default."""
    return args[:1] if args[1] == 16 else args


def named(name: str, args: tuple[int, ...]) -> str:
    return f"{name}({', '.join(map(str, given(args)))})"


def make(answers, name: str, args: tuple[int, ...]) -> Handle:
    made = getattr(answers, name)(*given(args))
    assert isinstance(made, Handle), f"{named(name, args)}: a module is expected; yours is {kind(made)}"
    return made


def se_layers(state: dict[str, Tensor], args: tuple[int, ...]) -> dict[str, str]:
    """Name of each weight and bias of down and up; a failure where they are not the ones that were asked for."""
    channels, reduction = args
    hidden, found = channels // reduction, {}
    for layer, shape in (("down", (hidden, channels)), ("up", (channels, hidden))):
        weights = [name for name in state if name.split(".")[0] == layer and name.endswith("weight")]
        assert len(weights) == 1, f"{named('SEBlock', args)} has {len(weights)} layers with weights under the name {layer}"
        mine = tuple(state[weights[0]].shape)
        assert mine in (shape, (*shape, 1, 1)), (
            f"{named('SEBlock', args)}: {layer} has weights of shape {mine}; {shape}, or {(*shape, 1, 1)} as a convolution, "
            "is expected"
        )
        bias = weights[0].removesuffix("weight") + "bias"
        assert bias in state, f"{named('SEBlock', args)}: {layer} has no bias"
        found |= {f"{layer}.weight": weights[0], f"{layer}.bias": bias}
    extra = [name for name in state if name not in found.values()]
    assert not extra, f"{named('SEBlock', args)} has weights that are not asked for: {', '.join(extra[:3])}"
    return found


def se_pair(answers, args: tuple[int, ...], seed: int) -> tuple[Handle, SqueezeExcitation, dict[str, str]]:
    """The student's block and the reference in double precision with the same random weights, and the names of those."""
    block, reference = make(answers, "SEBlock", args), SqueezeExcitation(*args).double()
    state = block.state()
    names = se_layers(state, args)
    given = {}
    for place, (layer, own) in enumerate((("down", "gate.1"), ("up", "gate.3"))):
        for leaf in ("weight", "bias"):
            target = reference.state_dict()[f"{own}.{leaf}"]
            value = normal(seed + 10 * place + (leaf == "bias"), *target.shape) * (1.2 if leaf == "weight" else 0.6)
            target.copy_(value)
            name = names[f"{layer}.{leaf}"]
            given[name] = value.reshape(state[name].shape)
    block.run(to_double)
    block.load(given)
    return block, reference, names


def images(seed: int, channels: int, height: int = 6, width: int = 5) -> Tensor:
    """Images whose channels have means of both signs, so that the squeeze is not near zero."""
    return normal(seed, 4, channels, height, width) + 1.5 * normal(seed + 1, 4, channels, 1, 1)


def block_output(block: Handle, what: str, x: Tensor) -> Tensor:
    """Both blocks keep the shape."""
    return output(block, what, x, x.shape)


@points(
    1,
    "SEBlock",
    hint="down goes from channels to channels // reduction, up goes back. Print SEBlock(12, 3): what are the sizes of the two?",
)
def test_se_block_has_the_right_layers(answers):
    """Two layers with biases, down and up, and no other weights"""
    for args in (*BLOCKS, DEFAULT):
        se_layers(make(answers, "SEBlock", args).state(), args)


@points(
    1,
    "SEBlock",
    hint="What shape have the means, and what do your layers expect? To multiply (N, C, H, W), a gate needs four dimensions.",
)
def test_se_block_keeps_the_shape(answers):
    """The shape of the input, for images of any size"""
    for args in BLOCKS:
        block = make(answers, "SEBlock", args)
        for height, width in ((6, 5), (9, 9), (1, 1)):
            block_output(block, named("SEBlock", args), images(11, args[0], height, width).float())


@points(
    1,
    "SEBlock",
    hint="Every image has one number per channel, and it is the same at all positions of that channel. Over which dimensions do "
    "you take the mean?",
)
def test_se_block_has_one_gate_per_channel(answers):
    """One gate between 0 and 1 for each channel of each image"""
    for seed, args in enumerate(BLOCKS):
        block, _, _ = se_pair(answers, args, 100 + 20 * seed)
        x = images(21, args[0])
        what = named("SEBlock", args)
        gate = block_output(block, what, x) / x
        spread = (gate - gate[:, :, :1, :1]).abs().amax().item()
        assert spread < 1e-8, f"{what}: output / input is not the same at every position of a channel"
        low, high = gate.amin().item(), gate.amax().item()
        assert low >= 0 and high <= 1, f"{what}: output / input reaches from {low:.3g} to {high:.3g}, outside 0 to 1"
        alone = block_output(block, what, x[:1]) / x[:1]
        assert difference(gate[:1], alone) < 1e-8, f"{what}: the gate of an image depends on the other images of the batch"


@points(
    2,
    "SEBlock",
    hint="Follow one image: mean of every channel, down, which function?, up, which function?, times the input.",
)
def test_se_block_computes_squeeze_and_excitation(answers):
    """Same output as the reference with the same weights"""
    for seed, args in enumerate(BLOCKS):
        block, reference, _ = se_pair(answers, args, 200 + 20 * seed)
        x = images(31, args[0])
        found, expected = block_output(block, named("SEBlock", args), x), reference(x).detach()
        agree(found, expected, f"{named('SEBlock', args)}: the output")


@points(
    1,
    "SEBlock",
    hint="An operation that ends in _ , and y *= gate, change what they are given; detach() and no_grad() stop gradients.",
)
def test_se_block_passes_gradients(answers):
    """Same gradients for the input and all weights; the input is not changed"""
    for seed, args in enumerate(BLOCKS):
        block, reference, names = se_pair(answers, args, 300 + 20 * seed)
        x, what = images(41, args[0]), named("SEBlock", args)
        block_output(block, what, x)  # a failure of the forward pass is told in its own words
        assert not changes_input(block, x), f"{what} changes its input tensor in place"
        leaf = x.clone().requires_grad_()
        upstream = normal(42, *x.shape)
        parameters = dict(reference.named_parameters())
        right = torch.autograd.grad((reference(leaf) * upstream).sum(), [leaf, *parameters.values()])
        found = block.gradients(x, upstream)
        own = {"down.weight": 1, "down.bias": 2, "up.weight": 3, "up.bias": 4}
        pairs = {"input": right[0]} | {names[name]: right[place] for name, place in own.items()}
        for name, value in pairs.items():
            agree(found[name].reshape(value.shape), value, f"{what}: the gradient of {name}")


# ------------------------------------------------------------------------------------------- 2. SEResidualBlock

UNITS = [(8, 4), (6, 2)]  # channels, reduction


class Reference(nn.Module):
    """The SE-ResNet block with the names that the exercise asks for."""

    def __init__(self, channels: int, reduction: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x: Tensor) -> Tensor:
        branch = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.se(self.norm2(self.conv2(branch))) + x)


def right_layers(state: dict[str, Tensor], args: tuple[int, ...]) -> None:
    """A failure where the weights are not those that were asked for."""
    what, expected = named("SEResidualBlock", args), Reference(*args).state_dict()
    for name, value in expected.items():
        assert name in state, f"{what} has no {name}"
        mine = tuple(state[name].shape)
        assert mine == tuple(value.shape), f"{what}: {name} has shape {mine}, expected {tuple(value.shape)}"
    extra = [name for name in state if name not in expected]
    assert not extra, f"{what} has weights that are not asked for: {', '.join(extra[:3])}"


def unit_pair(answers, args: tuple[int, ...], seed: int) -> tuple[Handle, Reference]:
    """The student's block and the reference in double precision with the same random weights, in evaluation mode."""
    block, reference = make(answers, "SEResidualBlock", args), Reference(*args).double().eval()
    right_layers(block.state(), args)
    state = reference.state_dict()
    for place, (name, value) in enumerate(state.items()):
        if name.endswith("num_batches_tracked"):
            continue
        random = normal(seed + place, *value.shape)
        if value.ndim == 4:
            random *= (2 / math.prod(value.shape[1:])) ** 0.5
        value.copy_(random.abs() + 0.5 if name.endswith(("running_var", "norm1.weight", "norm2.weight")) else random)
    block.run(to_double)
    block.load(state)
    return block.eval(), reference


@points(
    1, "SEResidualBlock", hint="Five attributes: conv1, norm1, conv2, norm2, se. Batch normalisation makes a bias superfluous."
)
def test_se_residual_block_has_the_right_layers(answers):
    """The five layers under their names, convolutions without bias, and no other weights"""
    for args in (*UNITS, DEFAULT):
        right_layers(make(answers, "SEResidualBlock", args).state(), args)


@points(1, "SEResidualBlock", hint="A 3×3 convolution with stride 1 needs a padding of 1 to keep height and width.")
def test_se_residual_block_keeps_the_shape(answers):
    """The shape of the input"""
    for args in UNITS:
        block = make(answers, "SEResidualBlock", args)
        for height, width in ((6, 5), (7, 7)):
            block_output(block, named("SEResidualBlock", args), images(51, args[0], height, width).float())


@points(
    1,
    "SEResidualBlock",
    hint="Where does the shortcut start, where does it end, and does anything scale it? ReLU stands in two places.",
)
def test_se_residual_block_computes_the_block(answers):
    """Same output as the reference with the same weights (evaluation mode)"""
    for seed, args in enumerate(UNITS):
        block, reference = unit_pair(answers, args, 500 + 50 * seed)
        x, what = images(61, args[0]), named("SEResidualBlock", args)
        found, expected = block_output(block, what, x), reference(x).detach()
        assert (found >= 0).all(), f"{what}: {(found < 0).sum()} values of the output are negative; what comes last?"
        agree(found, expected, f"{what}: the output")


@points(
    1,
    "SEResidualBlock",
    hint="In training mode each batch normalisation uses the statistics of the batch and moves its running mean: call each layer "
    "exactly once.",
)
def test_se_residual_block_trains_like_the_block(answers):
    """Same output and same batch-norm statistics in training mode"""
    for seed, args in enumerate(UNITS):
        block, reference = unit_pair(answers, args, 550 + 50 * seed)
        x, what = images(66, args[0]), named("SEResidualBlock", args)
        found, expected = block_output(block.train(), what, x), reference.train()(x).detach()
        agree(found, expected, f"{what} in training mode: the output")
        state, right = block.state(), reference.state_dict()
        for name in (name for name in right if "running" in name):
            agree(state[name], right[name], f"{what}: after one batch in training mode {name}")


@points(
    1,
    "SEResidualBlock",
    hint="An operation that ends in _ , +=, and inplace=True change what they are given; detach() and no_grad() stop gradients.",
)
def test_se_residual_block_passes_gradients(answers):
    """Same gradients for the input and all weights; the input is not changed"""
    for seed, args in enumerate(UNITS):
        block, reference = unit_pair(answers, args, 600 + 50 * seed)
        x, what = images(71, args[0]), named("SEResidualBlock", args)
        block_output(block, what, x)
        assert not changes_input(block, x), f"{what} changes its input tensor in place"
        leaf = x.clone().requires_grad_()
        upstream = normal(72, *x.shape)
        parameters = dict(reference.named_parameters())
        right = torch.autograd.grad((reference(leaf) * upstream).sum(), [leaf, *parameters.values()])
        found = block.gradients(x, upstream)
        for name, value in zip(("input", *parameters), right, strict=True):
            agree(found[name], value, f"{what}: the gradient of {name}")


# --------------------------------------------------------------------------------------------- 3. se_parameters


@cache
def of_one(width: int, reduction: int) -> int:
    """Parameters of one squeeze and excitation, read off the course's own."""
    with torch.device("meta"):  # no numbers: only counted
        block = SqueezeExcitation(width, reduction)
    return sum(parameter.numel() for parameter in block.parameters())


def check_count(answers, channels: list[int], blocks: list[int], reduction: int) -> None:
    found = number(answers.se_parameters(channels, blocks, reduction), "the number of parameters")
    expected = sum(count * of_one(width, reduction) for width, count in zip(channels, blocks, strict=True))
    call = f"se_parameters({channels}, {blocks}, {reduction})"
    assert found == expected, f"{call}: you count {found:,}, {times(found, expected)}"


@points(1, "se_parameters", hint="Two layers. How many weights has one from C to C // r numbers, and how many biases?")
def test_se_parameters_counts_one_block(answers):
    """Weights and biases of a single block"""
    for channels, reduction in ((64, 16), (256, 4), (32, 2), (48, 1)):
        check_count(answers, [channels], [1], reduction)


@points(2, "se_parameters", hint="The blocks of a stage are alike, those of another stage have another width.")
def test_se_parameters_counts_all_stages(answers):
    """Several stages of several blocks, at the ratios of the paper"""
    for reduction in (2, 4, 8, 16, 32):
        check_count(answers, [256, 512, 1024, 2048], [3, 4, 6, 3], reduction)
    for seed in (81, 82):
        check_count(answers, [64 * n for n in integers(seed, 1, 9, 3)], integers(seed + 9, 1, 7, 3), 8)


@points(1, "se_parameters", hint="Channels are whole: // rounds down, / does not. Round once, and count with the rounded number.")
def test_se_parameters_rounds_down(answers):
    """Channels that the ratio does not divide"""
    for channels, blocks, reduction in (([10], [1], 4), ([100, 50], [2, 3], 16), ([33, 65, 129], [1, 2, 3], 8)):
        check_count(answers, channels, blocks, reduction)


# --------------------------------------------------------------------------------------------- 4. residual_unit


def unit_weights(seed: int, channels: int) -> list[Tensor]:
    """Weights of the branch, weights of the gate, and what the output is multiplied by for the gradient."""
    branch = normal(seed, channels, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
    return [branch, normal(seed + 1, channels, channels, 1, 1) * 1.5, normal(seed + 2, 3, channels, 5, 4)]


def expected_unit(x: Tensor, place: str, weights: list[Tensor]) -> Tensor:
    if place == "post":
        return se_of(F.relu(branch_of(x, weights) + x), weights)
    inner = branch_of(se_of(x, weights) if place == "pre" else x, weights)
    inner = se_of(inner, weights) if place == "standard" else inner
    return F.relu(inner + (se_of(x, weights) if place == "identity" else x))


def check_place(answers, place: str) -> None:
    for seed, channels in ((91, 4), (94, 7)):
        weights = unit_weights(seed, channels)
        x = normal(seed + 30, 3, channels, 5, 4) + normal(seed + 31, 3, channels, 1, 1)
        seen = answers.residual_unit.run(unit_result, x, place, weights)
        found = tensor(seen["result"], f'place "{place}"', x.shape)
        leaf = x.clone().requires_grad_()
        expected = expected_unit(leaf, place, weights)
        agree(found, expected.detach(), f'place "{place}": the output')
        assert torch.equal(seen["after"], x), f'place "{place}": the input tensor is changed in place'
        for name in ("branch", "se"):
            assert seen[name] == 1, f'place "{place}": {name} is called {seen[name]} times, expected once'
        right = torch.autograd.grad((expected * weights[2]).sum(), leaf)[0]
        agree(seen["gradient"], right, f'place "{place}": the gradient of the input')


@points(2, "residual_unit", hint="Scale what the branch gives, then add x as it came, then ReLU.")
def test_residual_unit_standard(answers):
    """Place "standard": at the end of the branch"""
    check_place(answers, "standard")


@points(1, "residual_unit", hint="Only what the branch reads is scaled; the shortcut carries x as it came.")
def test_residual_unit_pre(answers):
    """Place "pre": in front of the branch"""
    check_place(answers, "pre")


@points(1, "residual_unit", hint="The plain residual unit first, its ReLU included; then scale all of it.")
def test_residual_unit_post(answers):
    """Place "post": after the addition and its ReLU"""
    check_place(answers, "post")


@points(1, "residual_unit", hint="The branch reads x as it came; what is added to its result is scaled.")
def test_residual_unit_identity(answers):
    """Place "identity": on the shortcut"""
    check_place(answers, "identity")
