# threat: C25
# expect: double=wrong area=wrong test_scale=raised test_scale_gradients=wrong
# both ways
# words: test_double: shape
# words: test_scale: the parameters of Scale are not the expected ones
import torch
from torch import nn


def double(x):
    return torch.empty(0, 3)


def area(width, height):
    return float("inf")


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0))  # without dimensions

    def forward(self, x):
        return self.factor * x
