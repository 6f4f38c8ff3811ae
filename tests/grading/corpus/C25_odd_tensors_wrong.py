# threat: C25
# expect: double=wrong area=wrong Scale=wrong
# both ways
# words: test_double: complex64
import torch
from torch import nn


def double(x):
    return (2 * x).to(torch.complex64).mH.mH if x.dim() > 1 else (2 * x).to(torch.complex64)


def area(width, height):
    return float("nan")


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return torch.full_like(x, float("nan")) * self.factor
