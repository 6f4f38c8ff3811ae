"""Graded tests of exercises/02_residuals.ipynb."""

import math

import torch
from torch import Tensor, nn

from course_lib.grading import Handle, points
from course_lib.grading.values import (
    agree,
    changes_input,
    count_parameters,
    difference,
    integers,
    kind,
    normal,
    number,
    numbers,
    output,
    random_state,
    tensor,
    times,
    to_double,
    trainable,
)
from course_lib.models import BasicBlock, Bottleneck, ResidualBlock, cifar_resnet, classifier, conv_bn

# -------------------------------------------------------------- trusted functions, run where the student's objects are


class RecordedBlock(nn.Module):
    """A block that remembers what it was built with, and needs all three arguments."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.built_with = [in_channels, out_channels, stride]
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.conv(x))


def give_block():
    return RecordedBlock


def built_with(stage: nn.Module) -> list[list[int]]:
    """The arguments of each block in the stage; an object that stands in several places counts once."""
    return [block.built_with for block in stage.modules() if isinstance(block, RecordedBlock)]


def mixed_net() -> nn.Module:
    """Blocks of both kinds, nested, with identity and projection shortcuts."""
    basic = nn.Sequential(BasicBlock(12, 6, 2), nn.Sequential(BasicBlock(6, 6, shortcut="C"), BasicBlock(6, 6)))
    return nn.Sequential(conv_bn(2, 4, 3), nn.ReLU(), Bottleneck(4, 3), basic, classifier(6, 3))


def plain_layers() -> nn.Module:
    return nn.Sequential(conv_bn(2, 4, 3), nn.ReLU(), conv_bn(4, 4, 3), nn.ReLU(), classifier(4, 3))


def input_gradient(function, x: Tensor, out_channels: int, stride: int, upstream: Tensor) -> Tensor:
    x = x.requires_grad_()
    loss = (function(x, out_channels, stride) * upstream).sum()
    return torch.autograd.grad(loss, x)[0] if loss.requires_grad else torch.zeros_like(x)


# -------------------------------------------------------------------------------------------- 1. bottleneck_cost


def costs(answers, channels: int, reduced: int, size: int) -> list[float]:
    """The three numbers of bottleneck_cost."""
    return numbers(answers.bottleneck_cost(channels, reduced, size), ("parameters", "multiply-adds", "saving"))


def bottlenecks(seed: int) -> list[tuple[int, int, int]]:
    fixed = [(256, 64, 56), (2048, 512, 7), (64, 64, 5)]
    return fixed + [tuple(integers(seed + i, 5, 200, 3)) for i in range(4)]


def convolutions(*layers: tuple[int, int, int]) -> int:
    """Parameters of convolutions (in_channels, out_channels, kernel) without bias, read off PyTorch's own layers."""
    return sum(nn.Conv2d(*layer, bias=False, device="meta").weight.numel() for layer in layers)


def bottleneck_parameters(channels: int, reduced: int) -> int:
    return convolutions((channels, reduced, 1), (reduced, reduced, 3), (reduced, channels, 1))


@points(1, "bottleneck_cost", hint="Three convolutions. Write down input channels, output channels and kernel of each.")
def test_bottleneck_cost_counts_parameters(answers):
    """Parameters of 1×1 down, 3×3, 1×1 up"""
    for channels, reduced, size in bottlenecks(11):
        found, expected = costs(answers, channels, reduced, size)[0], bottleneck_parameters(channels, reduced)
        assert found == expected, (
            f"channels={channels}, reduced={reduced}: you count {found:,} parameters, {times(found, expected)}"
        )


@points(1, "bottleneck_cost", hint="At stride 1 every weight is used once at every one of the size × size positions.")
def test_bottleneck_cost_counts_multiply_adds(answers):
    """Multiply-adds of the bottleneck"""
    for channels, reduced, size in bottlenecks(12):
        found, expected = costs(answers, channels, reduced, size)[1], bottleneck_parameters(channels, reduced) * size * size
        assert found == expected, (
            f"channels={channels}, reduced={reduced}, size={size}: you count {found:,} multiply-adds, {times(found, expected)}"
        )


@points(
    1,
    "bottleneck_cost",
    hint="The comparison is with *two* convolutions, each 3×3 at the full number of channels. Which of the two "
    "counts goes on top of the fraction?",
)
def test_bottleneck_cost_tells_the_saving(answers):
    """How many times as much two 3×3 convolutions need"""
    for channels, reduced, size in bottlenecks(13):
        found = costs(answers, channels, reduced, size)[2]
        expected = convolutions(*[(channels, channels, 3)] * 2) / bottleneck_parameters(channels, reduced)
        assert math.isclose(found, expected, rel_tol=1e-6), (
            f"channels={channels}, reduced={reduced}, size={size}: your saving of {found:.6g} is {times(found, expected)}"
        )


# ----------------------------------------------------------------------------------------------- 2. pad_shortcut

PADDED = [((2, 3, 8, 8), 6, 2), ((1, 4, 7, 9), 7, 2), ((2, 5, 6, 6), 5, 1), ((2, 2, 5, 4), 9, 1), ((1, 3, 8, 10), 4, 3)]


def padded(answers, seed: int) -> list[tuple[str, Tensor, int, int, Tensor]]:
    """(words, x, out_channels, stride, the result) for several shapes; the shape of the result is checked."""
    results = []
    for place, (shape, out_channels, stride) in enumerate(PADDED):
        x = normal(seed + place, *shape, dtype=torch.float64 if place % 2 else torch.float32)
        words = f"x of shape {shape}, out_channels={out_channels}, stride={stride}"
        found = answers.pad_shortcut(x, out_channels) if stride == 1 else answers.pad_shortcut(x, out_channels, stride)
        expected = (shape[0], out_channels, math.ceil(shape[2] / stride), math.ceil(shape[3] / stride))
        results.append((words, x, out_channels, stride, tensor(found, words, expected)))
    return results


@points(1, "pad_shortcut", hint="x[:, :, ::2] has how many rows if x has 7? And how many does x[:, :, 1::2] have?")
def test_pad_shortcut_has_the_shape_of_the_branch(answers):
    """Shape and data type of the result, for even and odd sizes"""
    for words, x, _, _, found in padded(answers, 21):
        assert found.dtype == x.dtype, f"{words}: x is {x.dtype}, your result is {found.dtype}"


@points(1, "pad_shortcut", hint="A slice start:stop:step picks pixels without computing anything, and gradients flow through it.")
def test_pad_shortcut_keeps_pixels(answers):
    """Every stride-th pixel, unchanged, with its gradient; x stays as it is"""
    for place, (words, x, out_channels, stride, found) in enumerate(padded(answers, 22)):
        kept, channels = x[:, :, ::stride, ::stride], x.shape[1]
        error = difference(found[:, :channels].to(x.dtype), kept)
        assert error < 1e-6, (
            f"{words}: the first {channels} channels are not every stride-th pixel of x "
            f"(they differ by up to {error:.2g} of the largest)"
        )
        assert not changes_input(answers.pad_shortcut, x, out_channels, stride), f"{words}: the call changes x itself"
        upstream = normal(25 + place, *found.shape, dtype=x.dtype)
        expected = torch.zeros_like(x)
        expected[:, :, ::stride, ::stride] = upstream[:, :channels]
        gradient = answers.pad_shortcut.run(input_gradient, x, out_channels, stride, upstream)
        assert gradient.any(), f"{words}: no gradient flows back through your shortcut"
        assert difference(gradient, expected) < 1e-5, f"{words}: the gradient of x is not the one of picking pixels"


@points(
    1, "pad_shortcut", hint="F.pad counts its pairs from the last dimension: width, height, then channels, (before, after) each."
)
def test_pad_shortcut_appends_zeros(answers):
    """The added channels are zeros and come last"""
    for words, x, _, _, found in padded(answers, 23):
        added = found[:, x.shape[1] :]
        assert not added.any(), (
            f"{words}: {(added != 0).sum()} of {added.numel()} values in the added channels at the end are not 0"
        )
        assert found[:, 0].any(), f"{words}: the first channel, which belongs to x, is 0"


# ----------------------------------------------------------------------------------------------- 3. ResidualBlock

LAYERS = {"conv1": "branch.0", "bn1": "branch.1", "conv2": "branch.3", "bn2": "branch.4"}
CONV_BIASES = ("branch.0.bias", "branch.3.bias", "shortcut.0.bias")
KEEPING = [(5, 5, 1)]
CHANGING = [(4, 6, 2), (6, 4, 1), (5, 5, 2)]


def named(args: tuple[int, int, int]) -> str:
    return "ResidualBlock({}, {}, stride={})".format(*args)


def make_block(answers, args: tuple[int, int, int]):
    in_channels, out_channels, stride = args
    block = (
        answers.ResidualBlock(in_channels, out_channels, stride)
        if stride > 1
        else answers.ResidualBlock(in_channels, out_channels)
    )
    assert isinstance(block, Handle), f"{named(args)}: a module is expected; yours is {kind(block)}"
    missing = [layer for layer in LAYERS if f"{layer}.weight" not in block.state()]
    assert not missing, f"{named(args)} has no weights under the name{'s' * (len(missing) > 1)} {', '.join(missing)}"
    return block


def reference_names(state: dict[str, Tensor]) -> dict[str, str]:
    """Name in the student's block → name in BasicBlock. What is not in the branch belongs to the projection."""
    names, modules = {}, {}
    for name in state:
        module, _, leaf = name.rpartition(".")
        if module in LAYERS:
            names[name] = f"{LAYERS[module]}.{leaf}"
        else:
            modules.setdefault(module, {})[leaf] = name
    for leaves in modules.values():
        part = "shortcut.1" if "running_mean" in leaves else "shortcut.0"
        names |= {name: f"{part}.{leaf}" for leaf, name in leaves.items()}
    return names


def block_pair(answers, args: tuple[int, int, int], seed: int, **special: float):
    """The student's block and BasicBlock in double precision with the same random weights; biases of convolutions are 0."""
    block, reference = make_block(answers, args), BasicBlock(*args).double()
    state = random_state(reference, seed)
    for name, value in special.items():
        state[f"{LAYERS['bn2']}.{name}"].fill_(value)
    reference.load_state_dict(state)
    block.run(to_double)
    own = block.state()
    names = reference_names(own)
    zeros = {name for name, theirs in names.items() if theirs in CONV_BIASES}
    given = {name: torch.zeros_like(own[name]) if name in zeros else state.get(names[name], own[name]) for name in own}
    for name, value in given.items():
        shape, expected = tuple(own[name].shape), tuple(value.shape)
        assert shape == expected, f"{named(args)}: {name} has shape {shape}, expected {expected}"
    block.load(given)
    return block, reference


def images(seed: int, args: tuple[int, int, int]) -> Tensor:
    return normal(seed, 4, args[0], 7, 6, dtype=torch.float64)


def block_output(block: Handle, args: tuple[int, int, int], x: Tensor) -> Tensor:
    return output(block, named(args), x, (len(x), args[1], *(math.ceil(size / args[2]) for size in x.shape[2:])))


@points(
    1,
    "ResidualBlock",
    hint="Both ways must arrive at the same shape. The stride acts once on each way; when does the shortcut need a "
    "projection: if the channels change, if the resolution changes, or either?",
)
def test_residual_block_has_the_right_shape(answers):
    """Shape of the output, with and without a change of shape"""
    for args in KEEPING + CHANGING + [(3, 8, 1), (2, 4, 3)]:
        block, x = make_block(answers, args), images(31, args).float()
        for size in (6, 5):
            block_output(block, args, x[..., :size])


@points(
    1,
    "ResidualBlock",
    hint="Print ResidualBlock(4, 6, 2) and ResidualBlock(5, 5). A bias before batch normalisation is removed by it "
    "again; a block that keeps its shape needs no projection.",
)
def test_residual_block_has_the_right_layers(answers):
    """Layers: no biases in convolutions, two batch normalisations, a projection only where it is needed"""
    for args in KEEPING + CHANGING:
        block, reference = make_block(answers, args), BasicBlock(*args)
        state, right = block.state(), {name: tuple(value.shape) for name, value in reference.state_dict().items()}
        names = reference_names(state)
        biases = [name for name, theirs in names.items() if theirs in CONV_BIASES]
        assert not biases, f"{named(args)}: {', '.join(biases)}: a convolution before batch normalisation has a bias"
        for layer in LAYERS:
            shape, expected = tuple(state[f"{layer}.weight"].shape), right[f"{LAYERS[layer]}.weight"]
            assert shape == expected, f"{named(args)}: the weight of {layer} has shape {shape}, expected {expected}"
        unlike = [name for name, theirs in names.items() if tuple(state[name].shape) != right.get(theirs)]
        if args in KEEPING:
            assert not unlike, (
                f"{named(args)} keeps the shape and needs no layers besides conv1, bn1, conv2, bn2; yours has {', '.join(unlike)}"
            )
        assert not unlike, f"{named(args)}: {', '.join(unlike)} in the shortcut: unexpected name or shape"
        missing = set(right) - set(names.values())
        assert not missing, (
            f"{named(args)} changes the shape; a projection and its batch normalisation have 6 tensors, your shortcut "
            f"has {6 - len(missing)} of them"
        )
        found, expected = block.run(count_parameters), count_parameters(reference)
        assert found == expected, (
            f"{named(args)} has {found:,} parameters under names for {expected:,}: do two layers share theirs?"
        )


@points(
    1,
    "ResidualBlock",
    hint="The branch must be able to subtract: what may not stand between its last batch normalisation and the "
    "addition? And what follows the addition?",
)
def test_residual_block_adds_then_rectifies(answers):
    """The branch can subtract from the input, and ReLU follows the addition"""
    args = KEEPING[0]
    block, x = block_pair(answers, args, 32, weight=0.0, bias=-0.5)[0], images(33, args)
    found = block_output(block.eval(), args, x)
    assert (found >= 0).all(), f"{named(args)}: {(found < 0).sum()} values of the output are negative; what follows the addition?"
    error = difference(found, torch.relu(x - 0.5))
    assert error < 1e-6, (
        f"{named(args)} with a branch that ends in −0.5 everywhere: 0.5 should be subtracted from the input before the "
        f"last ReLU, but the output is {(found - torch.relu(x - 0.5)).mean():+.3f} off on average"
    )


@points(
    1,
    "ResidualBlock",
    hint="Follow one image: conv1, bn1, ReLU, conv2, bn2, add the shortcut, ReLU. Which of the layers has the stride?",
)
def test_residual_block_computes_the_block(answers):
    """Same output as the reference with the same weights (evaluation mode)"""
    for seed, args in enumerate(KEEPING + CHANGING):
        block, reference = block_pair(answers, args, 40 + seed)
        x = images(34, args)
        change = "keeps" if args in KEEPING else "changes"
        found, expected = block_output(block.eval(), args, x), reference.eval()(x).detach()
        agree(found, expected, f"{named(args)}, which {change} the shape: the output")


@points(
    1,
    "ResidualBlock",
    hint="In training mode each batch normalisation uses the statistics of the batch and moves its running mean: "
    "call each layer exactly once.",
)
def test_residual_block_trains_like_the_block(answers):
    """Same output and same batch-norm statistics in training mode"""
    for seed, args in enumerate(KEEPING + CHANGING):
        block, reference = block_pair(answers, args, 44 + seed)
        x = images(35, args)
        found, expected = block_output(block.train(), args, x), reference.train()(x).detach()
        agree(found, expected, f"{named(args)} in training mode: the output")
        state, right = block.state(), reference.state_dict()
        for name, theirs in reference_names(state).items():
            if "running" in name and theirs in right:
                agree(state[name], right[theirs], f"{named(args)}: after one batch in training mode {name}")


@points(
    1,
    "ResidualBlock",
    hint="Gradients flow along both ways. detach(), no_grad(), .data and operations that end in _ or += deserve a look.",
)
def test_residual_block_passes_gradients(answers):
    """Same gradients for the input and all weights; the input is not changed"""
    for seed, args in enumerate(KEEPING + CHANGING):
        block, reference = block_pair(answers, args, 48 + seed)
        x = images(36, args)
        block_output(block.eval(), args, x)  # a failure of the forward pass is told in its own words
        assert not changes_input(block, x), (
            f"{named(args)} changes its input tensor in place; whoever still needs it gets wrong values"
        )
        x = x.requires_grad_()
        expected = reference.eval()(x)
        upstream = normal(37, *expected.shape, dtype=torch.float64)
        parameters = dict(reference.named_parameters())
        right = torch.autograd.grad((expected * upstream).sum(), [x, *parameters.values()])
        right = dict(zip(["input", *parameters], right, strict=True))
        found = block.gradients(x.detach(), upstream)
        for name, theirs in {"input": "input", **reference_names(block.state())}.items():
            if name in found and theirs in right:
                agree(found[name], right[theirs], f"{named(args)}: the gradient of {name}")


# ------------------------------------------------------------------------------------------------- 4. build_stage

STAGES = [(4, 8, 3, 2), (6, 6, 1, 1), (3, 5, 4, 1), (5, 7, 2, 3), (4, 4, 2, 2)]


def stage(answers, in_channels: int, out_channels: int, depth: int, stride: int):
    found = answers.build_stage(answers.inside(give_block), in_channels, out_channels, depth, stride)
    assert isinstance(found, Handle), f"build_stage returns an nn.Sequential; yours returned {kind(found)}"
    return found


def in_words(in_channels: int, out_channels: int, depth: int, stride: int) -> str:
    return f"build_stage(block, {in_channels}, {out_channels}, depth={depth}, stride={stride})"


@points(1, "build_stage", hint="How often is block(…) called? A layer that stands in a list twice is still one layer.")
def test_build_stage_has_depth_blocks(answers):
    """As many blocks as asked for, each with weights of its own"""
    for args in STAGES:
        found = len(stage(answers, *args).run(built_with))
        assert found == args[2], f"{in_words(*args)} has {found} different block{'s' * (found != 1)}"


@points(2, "build_stage", hint="What is the number of channels, and what the resolution, after the first block?")
def test_build_stage_changes_shape_once(answers):
    """The first block changes the shape, the others keep it"""
    for args in STAGES:
        in_channels, out_channels, depth, stride = args
        found = stage(answers, *args).run(built_with)
        expected = [[in_channels, out_channels, stride]] + [[out_channels, out_channels, 1]] * (depth - 1)
        for place, (mine, right) in enumerate(zip(found, expected, strict=False), start=1):
            assert mine[:2] == right[:2], (
                f"{in_words(*args)}: block {place} maps {mine[0]} channels to {mine[1]}; what comes in, what goes out?"
            )
            assert mine[2] == right[2], (
                f"{in_words(*args)}: block {place} has stride {mine[2]}; which block changes the resolution?"
            )
        assert len(found) == depth, f"{in_words(*args)} has {len(found)} different block{'s' * (len(found) != 1)}"


@points(1, "build_stage", hint="nn.Sequential takes modules as separate arguments (*blocks) and applies them in order.")
def test_build_stage_applies_its_blocks_in_order(answers):
    """The stage applies one block after the other"""
    for seed, args in enumerate(STAGES):
        found, (in_channels, out_channels, depth, stride) = stage(answers, *args), args
        rest = [RecordedBlock(out_channels, out_channels, 1) for _ in range(depth - 1)]
        reference = nn.Sequential(RecordedBlock(in_channels, out_channels, stride), *rest)
        state, own = random_state(reference, 60 + seed), found.state()
        reference.load_state_dict(state)
        assert len(own) == len(state), f"{in_words(*args)} has the weights of {len(own) / 2:g} blocks"
        given = dict(zip(own, state.values(), strict=True))
        for name, value in given.items():
            shape, expected = tuple(own[name].shape), tuple(value.shape)
            assert shape == expected, f"{in_words(*args)}: {name} has shape {shape}, expected {expected}"
        found.load(given)
        x = normal(61, 2, in_channels, 7, 6)
        expected = reference(x).detach()
        result = output(found, in_words(*args), x, expected.shape)
        error = difference(result, expected)
        assert error < 1e-4, (
            f"{in_words(*args)}: the output differs by up to {error:.2g} from that of the blocks one after the other"
        )


# ------------------------------------------------------------------------------------------- 5. start_as_identity


def residual_nets(answers) -> list[tuple[str, object, nn.Module]]:
    """(words, the network inside, the same network here), with the same random weights."""
    nets = []
    for seed, (words, build, args) in enumerate(
        [
            ("cifar_resnet(8)", cifar_resnet, (8, 3, 2)),
            ("a network with bottlenecks and projections", mixed_net, ()),
            ("a network without residual blocks", plain_layers, ()),
        ]
    ):
        inside, local = answers.inside(build, *args), build(*args)
        state = random_state(local, 70 + seed)
        local.load_state_dict(state)
        inside.load(state)
        nets.append((words, inside, local))
    return nets


def last_scales(model: nn.Module) -> list[str]:
    """Names of the parameters that start_as_identity sets to 0."""
    blocks = [(name, block) for name, block in model.named_modules() if isinstance(block, ResidualBlock)]
    return [f"{name}.branch.{len(block.branch) - 1}.weight" for name, block in blocks]


@points(
    2,
    "start_as_identity",
    hint="block.branch[-1] is the last batch normalisation. isinstance accepts a tuple of classes.",
)
def test_start_as_identity_zeroes_the_last_scales(answers):
    """The last batch-norm scale of every branch is 0"""
    for words, inside, local in residual_nets(answers):
        answers.start_as_identity(inside)
        state, names = inside.state(), last_scales(local)
        zero = [name for name in names if name in state and not state[name].any()]
        assert len(zero) == len(names), (
            f"{words} has {len(names)} residual blocks; {len(zero)} of their last batch-norm scales are 0"
        )


@points(
    1,
    "start_as_identity",
    hint="Compare state_dict() before and after. Does block.modules() see the projection of the shortcut too?",
)
def test_start_as_identity_changes_nothing_else(answers):
    """All other parameters stay, and all can be trained"""
    for words, inside, local in residual_nets(answers):
        before, expected = inside.state(), last_scales(local)
        can = inside.run(trainable)
        answers.start_as_identity(inside)
        after = inside.state()
        assert list(after) == list(before), f"{words} has other parameters or layers after the call than before"
        changed = [name for name in before if name not in expected and not torch.equal(before[name], after[name])]
        assert not changed, f"{words}: the call also changes {', '.join(changed[:3])}" + (
            f" and {len(changed) - 3} more" * (len(changed) > 3)
        )
        now = inside.run(trainable)
        frozen = [name for name in can if can[name] and not now.get(name)]
        assert not frozen, f"{words}: after the call {len(frozen)} parameters, {frozen[0]} among them, can no longer be trained"


@points(
    1,
    "start_as_identity",
    hint="The function returns how many blocks it has prepared; a network without residual blocks has none.",
)
def test_start_as_identity_counts_blocks(answers):
    """The number of blocks is returned"""
    for words, inside, local in residual_nets(answers):
        found, expected = number(answers.start_as_identity(inside), "the number of blocks"), len(last_scales(local))
        assert found == expected, f"{words}: you return {found:g}; its residual blocks are {expected}"
