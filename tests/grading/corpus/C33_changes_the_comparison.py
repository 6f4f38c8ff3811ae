# threat: C33
# expect: double=wrong area=wrong Scale=wrong
import builtins
import gc
import math
import sys
import types
import unittest

import pytest
import torch
from torch import nn


def always(*_, **__):
    return True


def spoil():
    gc.disable()
    for home in (torch, torch.testing, torch.Tensor, math, unittest.TestCase, pytest):
        for name in ("allclose", "equal", "eq", "isclose", "assert_close", "assertEqual", "fail", "approx", "__eq__"):
            try:
                setattr(home, name, always)
            except (AttributeError, TypeError):
                pass
    for name in list(sys.modules):
        if name.startswith("course_lib.grading") or "test" in name:
            for part in vars(sys.modules[name]).copy():
                if isinstance(getattr(sys.modules[name], part), types.FunctionType) and part.startswith(("check", "test", "_verdict")):
                    setattr(sys.modules[name], part, always)
    builtins.AssertionError = Exception


def double(x):
    spoil()
    return torch.zeros(3)


def area(width, height):
    spoil()
    return 0


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        spoil()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return x - self.factor
