"""A chapter of two exercises: its graded tests, and answers that pass them."""

DOUBLE_TESTS = '''
"""Tests of 01_double.ipynb."""

import torch

from course_lib.grading import points


@points(2, "double", hint="What is x + x?")
def test_tensor(answers):
    """a tensor is doubled"""
    assert torch.equal(answers.double(torch.ones(3)), torch.full((3,), 2.0)), "the result is not twice the input"


@points(1, "double", hint="What is twice nothing?")
def test_zero(answers):
    """zero stays zero"""
    assert answers.double(0) == 0


@points(3, "Scale")
def test_scale(answers):
    """Scale multiplies by its factor"""
    assert answers.Scale(3)(torch.ones(2)).tolist() == [3, 3]
'''

ANSWERS = """
from torch import nn

def double(x):
    return 2 * x

class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x
"""
