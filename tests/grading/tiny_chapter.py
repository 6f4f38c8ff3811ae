"""The graded tests that the corpus of hand-ins runs against: a function of tensors, one of numbers, a module; small limits."""

import math

import torch
from torch import Tensor

from course_lib.grading import Handle, points
from course_lib.grading.values import changes_input, normal

FORBIDDEN = {"double": ("mul", "multiply")}
SMALL = {"seconds": 1, "memory": 300}


def check(found: Tensor, expected: Tensor, what: str) -> None:
    """A tensor of the expected values; float64 and an array will do."""
    assert isinstance(found, Tensor | Handle), f"{what} is expected to be a tensor; yours is a {type(found).__name__}"
    assert found.shape == expected.shape, f"{what} has the shape {tuple(found.shape)}, expected {tuple(expected.shape)}"
    assert found.dtype in (torch.float32, torch.float64), f"{what} is of {found.dtype}, expected {expected.dtype}"
    assert torch.allclose(found.to(expected.dtype), expected), f"{what} has other values than expected"


def module(scale) -> Handle:
    assert isinstance(scale, Handle), f"Scale(3) is expected to be a module; yours is a {type(scale).__name__}"
    return scale


@points(2, "double", hint="What is x + x?", **SMALL)
def test_double(answers):
    """double gives twice its input, each time"""
    x = torch.tensor([1.0, -2.0, 0.5])
    first, second = answers.double(x), answers.double(x)
    check(first, 2 * x, "double(x)")
    check(second, first, "double(x), called again,")


@points(1, "double", hint="Which operations change a tensor in place?", **SMALL)
def test_double_input(answers):
    """double leaves its input alone"""
    x = torch.tensor([[1.0, 3.0]])
    check(answers.double(x), 2 * x, "double(x)")
    assert not changes_input(answers.double, x), "double changes its input"


@points(1, "double", visibility="hidden", **SMALL)
def test_double_hidden(answers):
    """double works for any input"""
    x = normal(1, 2, 3)
    check(answers.double(x), 2 * x, "double(x)")


@points(1, "area", hint="What is the area of a rectangle?", **SMALL)
def test_area(answers):
    """area is width times height"""
    found = answers.area(3, height=4)
    found = found.item() if isinstance(found, Tensor) and found.numel() == 1 else found
    assert isinstance(found, int | float | Handle), f"area(3, 4) is expected to be a number; yours is a {type(found).__name__}"
    assert found == 12, f"area(3, 4) is {found}, expected 12"


@points(1, "area", needs="test_area", **SMALL)
def test_area_squares(answers):
    """area of a square is its side squared"""
    for side in (0.5, 2.0):
        assert math.isclose(answers.area(side, side), side**2), f"area({side}, {side}) is not {side**2}"


@points(2, "Scale", **SMALL)
def test_scale(answers):
    """Scale multiplies each channel by its factor, in training and in evaluation"""
    x, factor = normal(2, 2, 3), normal(3, 3)
    scale = module(answers.Scale(3)).load({"factor": factor})
    check(scale.train()(x), factor * x, "in training mode Scale(3)(x)")
    check(scale.eval()(x), factor * x, "in evaluation mode Scale(3)(x)")


@points(2, "Scale", visibility="after_due_date", **SMALL)
def test_scale_gradients(answers):
    """Scale has one factor a channel, and the right gradients"""
    x, factor, upstream = normal(4, 2, 3), normal(5, 3), normal(6, 2, 3)
    scale = module(answers.Scale(3))
    shapes = {name: tuple(value.shape) for name, value in scale.state().items()}
    assert shapes == {"factor": (3,)}, f"Scale(3) has the parameters {shapes}, expected factor of shape (3,)"
    found = scale.load({"factor": factor}).gradients(x, upstream)
    check(found["input"], factor * upstream, "the gradient by the input")
    check(found["factor"], (x * upstream).sum(0), "the gradient by factor")
