"""Graded tests of exercises/04_one_by_one.ipynb."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_lib.grading import points, values
from course_lib.grading.values import difference, integers, number, numbers, telling, tensor, times
from course_lib.models import Bottleneck

normal = partial(values.normal, dtype=torch.float64)

# -------------------------------------------------------------- trusted functions, run where the student's objects are


class ConvolutionsUsed(TorchFunctionMode):
    """Notes whether any of PyTorch's convolutions is called."""

    def __init__(self):
        super().__init__()
        self.used = False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.used |= "conv" in getattr(func, "__name__", "")
        return func(*args, **(kwargs or {}))


def uses_convolution(function, x: Tensor, weight: Tensor, bias: Tensor) -> bool:
    with torch.no_grad(), ConvolutionsUsed() as seen:
        function(x, weight, bias)
    return seen.used


def gradients_and_inputs(function, x: Tensor, weight: Tensor, bias: Tensor) -> list[Tensor]:
    """Gradients of the sum of squares for the three inputs (zeros where none flows), and x as it is afterwards."""
    given = [value.requires_grad_() for value in (x, weight, bias)]
    result = function(*(value.clone() for value in given))
    if isinstance(result, Tensor) and result.requires_grad:
        found = torch.autograd.grad((result**2).sum(), given, allow_unused=True)
    else:
        found = [None] * 3
    kept = x.detach().clone()
    function(kept, weight.detach().clone(), bias.detach().clone())
    return [torch.zeros_like(one) if grad is None else grad for one, grad in zip(given, found, strict=True)] + [kept]


# --------------------------------------------------------------------------------------------------- 1. pointwise

BATCHES = ((2, 5, 4, 7, 3), (3, 4, 6, 5, 9), (1, 3, 3, 3, 3), (4, 6, 1, 1, 2))  # N, C, H, W, C′


def dense_everywhere(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    result = torch.einsum("nchw,dc->ndhw", x, weight)
    return result if bias is None else result + bias[None, :, None, None]


def case(seed: int, shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    n, c, h, w, d = shape
    return normal(seed, n, c, h, w), normal(seed + 1, d, c), normal(seed + 2, d)


def output(answers, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What the answer gives, of the right shape; else a failure that says for which input."""
    words = f"x {tuple(x.shape)}, weight {tuple(weight.shape)}, bias {'not given' if bias is None else tuple(bias.shape)}"
    with telling(words):
        found = answers.pointwise(x, weight) if bias is None else answers.pointwise(x, weight, bias)
    return tensor(found, words, (len(x), len(weight), *x.shape[2:]))


@points(
    1,
    "pointwise",
    hint="nn.Linear works on the last dimension. Which order of (N, C, H, W) puts the channels last, and which brings them back?",
)
def test_pointwise_has_the_right_shape(answers):
    """Shape of the result, for maps that need not be square"""
    for seed, shape in enumerate(BATCHES):
        output(answers, *case(10 * seed, shape))


@points(
    2,
    "pointwise",
    hint="Take one position of one image: its C channels, times weight, plus bias. A view or reshape does not exchange "
    "dimensions, it only reads the same numbers in the same order.",
)
def test_pointwise_applies_the_dense_layer(answers):
    """The dense layer’s values at every position, with a bias and without, with no convolution"""
    for seed, shape in enumerate(BATCHES):
        x, weight, bias = case(100 + 10 * seed, shape)
        for given in (bias, None):
            found, expected = output(answers, x, weight, given), dense_everywhere(x, weight, given)
            error = difference(found, expected)
            assert error < 1e-5, (
                f"x {tuple(x.shape)}, weight {tuple(weight.shape)}, {'no' if given is None else 'a'} bias: your result "
                f"differs by up to {error:.2g} of the largest value"
            )
    x, weight, bias = case(170, BATCHES[0])
    assert not answers.pointwise.run(uses_convolution, x, weight, bias), "your answer calls a convolution of PyTorch"


@points(
    1,
    "pointwise",
    hint="Operations that end in _ and +=, *= change what they are given; detach(), no_grad() and .data stop gradients.",
)
def test_pointwise_passes_gradients(answers):
    """Gradients for x, weight and bias; x is not changed"""
    for seed, shape in enumerate(BATCHES[:3]):
        inputs = case(200 + 10 * seed, shape)
        output(answers, *inputs)
        *found, after = answers.pointwise.run(gradients_and_inputs, *(value.clone() for value in inputs))
        assert torch.equal(after, inputs[0]), "x is changed in place; the layers that read it too get wrong values"
        leaves = [value.clone().requires_grad_() for value in inputs]
        right = torch.autograd.grad((dense_everywhere(*leaves) ** 2).sum(), leaves)
        for name, mine, expected in zip(("x", "weight", "bias"), found, right, strict=True):
            assert mine.any(), f"no gradient reaches {name}"
            error = difference(mine, expected)
            assert error < 1e-5, f"the gradient of {name} differs by up to {error:.2g} of its largest value"


# ---------------------------------------------------------------------------------------------- 2. reduction_macs

FORMS = ("direct", "reduced")


def layers(seed: int) -> list[tuple[int, ...]]:
    """in_channels, reduced, out_channels, kernel, size; in the third the reduction costs more than it saves."""
    fixed = [(192, 16, 32, 5, 28), (256, 64, 64, 3, 56), (20, 18, 4, 1, 6)]
    return fixed + [(*integers(seed + i, 3, 60, 3), 2 * i + 1, *integers(seed + 50 + i, 4, 20, 1)) for i in range(3)]


def strided(seed: int) -> list[tuple[int, ...]]:
    """The same with stride; size is a multiple of it."""
    made = [(64, 32, 16, 3, 28, 2), (128, 64, 128, 3, 12, 3)]
    for i in range(3):
        stride = 2 + i
        made.append((*integers(seed + i, 3, 60, 3), 3, stride * (3 + i), stride))
    return made


def counted(answers, args: tuple[int, ...]) -> list[float]:
    return numbers(answers.reduction_macs(*args), FORMS)


@points(1, "reduction_macs", hint="How many weights has one filter of kernel × kernel, and how often is each of them used?")
def test_reduction_macs_counts_the_direct_form(answers):
    """Multiply-adds of the convolution alone, with stride 1"""
    for args in layers(11):
        in_channels, _, out_channels, kernel, size = args
        found, expected = counted(answers, args)[0], in_channels * out_channels * (kernel * size) ** 2
        assert found == expected, f"reduction_macs{args}: you count {found:,} for the direct form, {times(found, expected)}"


@points(
    2,
    "reduction_macs",
    hint="Two convolutions: write down input channels, output channels and kernel of each. Both are counted.",
)
def test_reduction_macs_counts_the_reduced_form(answers):
    """Multiply-adds with the reduction, its own included, with stride 1"""
    for args in layers(12):
        in_channels, reduced, out_channels, kernel, size = args
        expected = reduced * (in_channels + out_channels * kernel**2) * size**2
        found = counted(answers, args)[1]
        assert found == expected, f"reduction_macs{args}: you count {found:,} for the reduced form, {times(found, expected)}"


@points(
    1,
    "reduction_macs",
    hint="At stride 2 a kernel gives out a quarter of the positions. Which of the layers has the stride, and which has not?",
)
def test_reduction_macs_counts_strides(answers):
    """Both forms when the convolution has a stride"""
    for args in strided(13):
        in_channels, reduced, out_channels, kernel, size, stride = args
        outputs = (size // stride) ** 2
        right = (
            in_channels * out_channels * kernel**2 * outputs,
            reduced * (in_channels * size**2 + out_channels * kernel**2 * outputs),
        )
        for name, found, expected in zip(FORMS, counted(answers, args), right, strict=True):
            assert found == expected, (
                f"reduction_macs{args[:5]} with stride={stride}: you count {found:,} for the {name} form, "
                f"{times(found, expected)}"
            )


# -------------------------------------------------------------------------------------------- 3. widest_reduction


def pair_of_layers(in_channels: int, reduced: int, out_channels: int, kernel: int, size: int) -> int:
    return reduced * (in_channels + out_channels * kernel**2) * size**2


def widest(answers, args: tuple[int, ...]) -> float:
    return number(answers.widest_reduction(*args), f"widest_reduction{args}")


@points(
    2,
    "widest_reduction",
    hint="What does one more reduced channel cost in the 1×1, and what in the convolution after it?",
)
def test_widest_reduction_meets_the_budget(answers):
    """The largest number of channels whose two layers are within the budget, exactly at it too"""
    for in_channels, out_channels, kernel, size in ((96, 64, 3, 14), (72, 32, 5, 28), (100, 10, 1, 8), (60, 30, 3, 7)):
        for channels in (1, in_channels // 5, in_channels // 2 + 1):
            exact = pair_of_layers(in_channels, channels, out_channels, kernel, size)
            more = pair_of_layers(in_channels, 1, out_channels, kernel, size)
            for budget in (exact, exact + 1, exact + more - 1):
                args = (in_channels, out_channels, kernel, size, budget)
                found = widest(answers, args)
                assert found % 1 == 0, f"widest_reduction{args}: {found} is not a whole number of channels"
                cost = pair_of_layers(in_channels, int(found), out_channels, kernel, size)
                assert cost <= budget, f"widest_reduction{args}: your {found:g} channels are over the budget, at {cost:,}"
                assert found >= channels, f"widest_reduction{args}: more than your {found:g} channels are within the budget"


@points(1, "widest_reduction", hint="The formula does not know where to stop: how many channels come in?")
def test_widest_reduction_keeps_to_the_channels_that_come_in(answers):
    """Never more channels than come in, however large the budget"""
    for in_channels, out_channels, kernel, size in ((16, 8, 3, 10), (5, 40, 1, 4)):
        for extra in (0, 1, 10**9):
            budget = pair_of_layers(in_channels, in_channels, out_channels, kernel, size) + extra
            args = (in_channels, out_channels, kernel, size, budget)
            found = widest(answers, args)
            assert found <= in_channels, (
                f"widest_reduction{args}: {found:g} channels are more than the {in_channels} that come in"
            )
            assert found == in_channels, f"widest_reduction{args}: the budget allows more than your {found:g} channels"


@points(1, "widest_reduction", hint="What is the cost of a single channel? Below it the answer is a number too.")
def test_widest_reduction_says_when_nothing_fits(answers):
    """0 where even one channel is over the budget"""
    for in_channels, out_channels, kernel, size in ((256, 64, 3, 14), (7, 9, 5, 3)):
        one = pair_of_layers(in_channels, 1, out_channels, kernel, size)
        for budget in (0, one // 2, one - 1):
            args = (in_channels, out_channels, kernel, size, budget)
            with telling(f"widest_reduction{args}"):
                found = widest(answers, args)
            assert found == 0, f"widest_reduction{args}: you say {found:g}; one channel alone costs {one:,}"


# --------------------------------------------------------------------------------------------- 4. bottleneck_macs


def counted_block(in_channels: int, width: int, size: int, stride: int) -> int:
    """Multiply-adds, read off the course's own block and the shapes of what its convolutions give out."""
    block, macs = Bottleneck(in_channels, width, stride), []
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda conv, _, out: macs.append(conv.weight.numel() * out.shape[2] * out.shape[3]))
    with torch.no_grad():
        block(torch.zeros(1, in_channels, size, size))
    return sum(macs)


def assert_macs(answers, args: tuple[int, int, int], stride: int, what: str) -> None:
    call = (*args, stride) if stride != 1 else args
    found, expected = number(answers.bottleneck_macs(*call), "the count"), counted_block(*args, stride)
    assert found == expected, f"bottleneck_macs{call}, {what}: you count {found:,}, {times(found, expected)}"


@points(2, "bottleneck_macs", hint="Three convolutions. Write down input channels, output channels and kernel of each.")
def test_bottleneck_macs_counts_the_branch(answers):
    """A block that keeps its shape: three convolutions"""
    for width, size in ((64, 56), (128, 28), (3, 5), (10, 7)):
        assert_macs(answers, (4 * width, width, size), 1, "same shape")


@points(1, "bottleneck_macs", hint="The shortcut of a block whose channels change is a convolution as well: from what to what?")
def test_bottleneck_macs_counts_the_projection(answers):
    """A block that changes the number of channels: its projection counts"""
    for args in ((64, 64, 56), (6, 5, 8), (50, 10, 6)):
        assert_macs(answers, args, 1, f"{args[0]} channels in and {4 * args[1]} out")


@points(
    1,
    "bottleneck_macs",
    hint="Go through all four convolutions: does it give out size × size positions, or those after the stride? "
    "And can a shortcut be the identity where the positions change?",
)
def test_bottleneck_macs_counts_strides(answers):
    """A block with a stride, whether its channels change or not"""
    for args, stride in (((256, 128, 56), 2), ((32, 8, 12), 2), ((7, 3, 12), 3), ((24, 6, 9), 3)):
        assert_macs(answers, args, stride, f"stride {stride}")


# ------------------------------------------------------------------------------------------- 5. directions_needed


def features(seed: int, shape: tuple[int, ...], energies: list[float], offset: float = 0.0) -> Tensor:
    """Feature maps with exactly these energies along random orthogonal directions of their channels.

    ``offset`` turns the first direction's values into a constant, so that subtracting the mean takes it away.
    """
    n, c, h, w = shape
    values = normal(seed, n * h * w, len(energies))
    if offset:
        values[:, 0] = offset
    columns = torch.linalg.qr(values)[0] * torch.tensor(energies, dtype=torch.float64).sqrt()  # sums of squares: the energies
    directions = torch.linalg.qr(normal(seed + 1, c, c))[0][:, : len(energies)]
    return (columns @ directions.T).reshape(n, h, w, c).permute(0, 3, 1, 2).contiguous()


def needed(answers, maps: Tensor, share: float | None = None) -> float:
    found = answers.directions_needed(maps) if share is None else answers.directions_needed(maps, share)
    return number(found, "the number of directions")


def in_words(maps: Tensor, energies: list[float], share: float) -> str:
    parts = ", ".join(f"{energy:g}" for energy in energies)
    return f"features {tuple(maps.shape)} whose energies along directions are in the proportions {parts}, share {share}"


SPECTRA = {
    (2, 6, 3, 5): [60.0, 25.0, 10.0, 3.0, 1.5, 0.5],
    (3, 5, 4, 4): [40.0, 30.0, 20.0, 8.0, 2.0],
    (4, 8, 5, 2): [50.0, 20.0, 12.0, 8.0, 5.0, 3.0, 1.5, 0.5],
}


@points(
    1,
    "directions_needed",
    hint="How many directions are there at most? If one direction holds everything, how many are needed?",
)
def test_directions_needed_counts_from_one(answers):
    """One direction for channels that are multiples of one channel; never more than C"""
    one = normal(31, 3, 1, 4, 5) * torch.tensor([1.0, -2.0, 0.5, 3.0])[None, :, None, None]
    for share in (0.1, 0.5, 0.999):
        found = needed(answers, one, share)
        assert found == 1, f"four multiples of one channel, share {share}: you count {found:g} directions"
    even = features(33, (2, 4, 4, 5), [1.0, 1.0, 1.0, 1.0])
    found = needed(answers, even, 0.99)
    assert found == 4, f"four directions of equal energy, share 0.99: you count {found:g} directions"


@points(
    2,
    "directions_needed",
    hint="Which dimension of (N, C, H, W) has to stand alone before the products are summed, so that each column is one "
    "position of one image? And are the eigenvalues those of sums of squares?",
)
def test_directions_needed_follows_the_energy(answers):
    """The fewest directions that hold the share, for several shares"""
    for seed, (shape, energies) in enumerate(SPECTRA.items()):
        maps = features(41 + 10 * seed, shape, energies)
        total, held = sum(energies), 0.0
        for place, energy in enumerate(energies[:-1], start=1):
            held += energy
            for share, expected in (((held - 0.2) / total, place), ((held + 0.2) / total, place + 1)):
                share = round(share, 4)
                found = needed(answers, maps, share)
                assert found == expected, f"{in_words(maps, energies, share)}: you count {found:g} directions"
    shape, energies = next(iter(SPECTRA.items()))
    found = needed(answers, features(81, shape, energies))
    assert found == 5, f"{in_words(features(81, shape, energies), energies, 0.99)} (not given): you count {found:g} directions"
    energies = [1.0, 1e-8]
    maps = features(86, (2, 3, 4, 4), energies).float()
    for share, expected in ((1 - 2e-8, 1), (1 - 1e-9, 2)):  # one number in single precision
        found, words = needed(answers, maps, share), in_words(maps, energies, share)
        assert found == expected, f"{words}: you count {found:g} directions; with what precision do you compute?"


@points(1, "directions_needed", hint="Energy is the sum of squares as they are. What does centring do to a constant channel?")
def test_directions_needed_subtracts_nothing(answers):
    """The mean of the channels is part of their energy"""
    for seed, (shape, energies) in enumerate(SPECTRA.items()):
        maps = features(91 + 10 * seed, shape, energies, offset=1.0)
        for place in (1, 2):
            share = round((sum(energies[:place]) - 1.0) / sum(energies), 4)
            found = needed(answers, maps, share)
            assert found == place, f"{in_words(maps, energies, share)}, the first a constant: you count {found:g} directions"
