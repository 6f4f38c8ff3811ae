"""What graded tests share: inputs drawn at grading time, numbers and tensors taken from an answer, words for what came instead.

Whatever is random is drawn from (seed of the session, number): the session's seed is that of
:func:`course_lib.grading.door.fixed_start`, the number is the test's own and gives the same values whenever it is asked for.
Draw in the test, never in a function that runs inside: a jailed answer must not know the session's seed, and does not.
"""

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from course_lib.grading.door import Handle
from course_lib.grading.inside import session_seed
from course_lib.grading.results import NOTHING, Raised

# --------------------------------------------------------------------------------------------------------- random inputs


def seed(number: int) -> int:
    """A seed for a trusted function that draws inside: hand it over as an argument."""
    return random.Random(f"{session_seed.get()} {number}").getrandbits(32)


def generator(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed(number))


def integers(number: int, low: int, high: int, count: int) -> list[int]:
    """``count`` random integers of low … high; two of them may be equal."""
    return torch.randint(low, high + 1, (count,), generator=generator(number)).tolist()


def normal(number: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(shape, generator=generator(number), dtype=dtype)


def random_state(module: nn.Module, number: int) -> dict[str, Tensor]:
    """Weights for ``module`` that keep the size of its activations, with batch-norm statistics that are not the initial ones."""
    source, state = generator(number), {}
    for name, value in module.state_dict().items():
        if not value.is_floating_point():
            state[name] = value.clone()
        elif value.ndim > 1:
            state[name] = torch.randn(value.shape, generator=source) * (2 / value[0].numel()) ** 0.5
        elif name.endswith(("bias", "mean")):
            state[name] = torch.randn(value.shape, generator=source) * 0.3
        else:  # scales and variances of batch normalisation
            state[name] = torch.rand(value.shape, generator=source) + 0.5
        state[name] = state[name].to(value.dtype)
    return state


# ------------------------------------------------------------------------------------------------- what an answer gave


def kind(value: object) -> str:
    """What a student's code returned, in words."""
    if value is None:
        return NOTHING
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
    if not isinstance(value, int | float):
        raise AssertionError(f"{what} is expected to be a number; yours is {kind(value)}")
    return value


def number_list(value: object, what: str) -> list[float]:
    """A list or tuple of any number of numbers (a 1-d tensor will do), or a failure that says what came instead."""
    value = value.tolist() if isinstance(value, Tensor) and value.ndim == 1 else value
    if not isinstance(value, tuple | list):
        raise AssertionError(f"{what} is expected; yours returned {kind(value)}")
    found = [one.item() if isinstance(one, Tensor) and one.numel() == 1 else one for one in value]
    for one in found:
        if not isinstance(one, int | float):
            raise AssertionError(f"{what} is expected; among yours is {'None' if one is None else kind(one)}")
    return found


def numbers(value: object, names: Sequence[str]) -> list[float]:
    """One number for each name, in this order, or a failure that says what came instead."""
    value = value.tolist() if isinstance(value, Tensor) and value.ndim == 1 else value
    if not isinstance(value, tuple | list) or len(value) != len(names):
        count = {2: "two", 3: "three"}.get(len(names), len(names))
        raise AssertionError(f"{count} numbers, ({', '.join(names)}), are expected; yours returned {kind(value)}")
    for one, name in zip(value, names, strict=True):
        if one is None:
            raise AssertionError(f"{name} is expected to be a number; yours is None")
    return [number(one, name) for one, name in zip(value, names, strict=True)]


def tensor(value: object, what: str, shape: Sequence[int]) -> Tensor:
    """A tensor of that shape, or a failure that says what came instead."""
    if not isinstance(value, Tensor):
        raise AssertionError(f"{what}: a tensor is expected; yours returned {kind(value)}")
    if value.shape != tuple(shape):
        raise AssertionError(f"{what}: your result has shape {tuple(value.shape)}, expected {tuple(shape)}")
    return value


def output(module: Handle, what: str, x: Tensor, shape: Sequence[int]) -> Tensor:
    """What the module makes of ``x``, of that shape; a failure, also of the student's own code, says which module it was."""
    with telling(f"{what} on an input of shape {tuple(x.shape)}"):
        found = module(x)
    if not isinstance(found, Tensor):
        raise AssertionError(f"{what} returned {kind(found)} instead of a tensor")
    if found.shape != tuple(shape):
        raise AssertionError(f"{what} turns {tuple(x.shape)} into {tuple(found.shape)}, expected {tuple(shape)}")
    return found


def changes_input(answer: Handle, x: Tensor, *args) -> bool:
    """Whether a call with ``x`` changes it in place."""
    after = answer.run(input_after, x, *args)
    return not (isinstance(after, Tensor) and after.dtype == x.dtype and torch.equal(after, x))


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Put the case before the words of what the student's code raises."""
    try:
        yield
    except Raised as problem:
        raise Raised(f"{what}: {problem.msg}", problem.kind, problem.text) from None


# ------------------------------------------------------------------------------------------------------------ comparison


def times(found: float, expected: float) -> str:
    """How far a count is off, as a factor, which tells more than the difference; ``expected`` is above 0."""
    if found <= 0:
        return f"{found:,}, which is not above 0"
    try:
        ratio = found / expected
    except OverflowError:  # an integer of hundreds of digits
        return "far more than the right number"
    factor = expected / found
    small = f" ({format(factor, ',.0f' if factor > 100 else '.3g')} times too small)" if factor >= 2 else ""
    return f"{ratio:.4g} times the right number{small}"


def difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the size of the expected values; infinite where there are no numbers."""
    scale = expected.abs().max().clamp_min(1e-12)
    return torch.nan_to_num((found - expected).abs().max() / scale, nan=math.inf).item()


def agree(found: Tensor, expected: Tensor, what: str, tolerance: float = 1e-8) -> None:
    """A failure where two tensors of one shape differ: by how much, and whether there is anything in the student's."""
    error = difference(found, expected)
    if not error < tolerance:
        idle = "" if found.any() else " (yours is 0 everywhere)"
        raise AssertionError(f"{what} differs by up to {error:.2g} of its largest value{idle}")


# --------------------------------------------------------------------------- functions to run where the student's objects are


def to_double(module: nn.Module) -> None:
    module.double()


def input_after(function, x: Tensor, *args) -> Tensor:
    """The input as it is after a call."""
    function(x, *args)
    return x


def count_parameters(module: nn.Module) -> int:
    """Each parameter once, however many names it has."""
    return sum(parameter.numel() for parameter in module.parameters())


def trainable(module: nn.Module) -> dict[str, bool]:
    """Whether each parameter can be trained."""
    return {name: parameter.requires_grad for name, parameter in module.named_parameters()}
