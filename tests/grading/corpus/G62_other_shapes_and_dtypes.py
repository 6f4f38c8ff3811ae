# threat: G62
# expect: area=wrong Scale=wrong
# words: test_area: yours is a list
# words: test_scale: shape
# both ways
import torch
from torch import nn


def double(x):
    return 2 * x.double()


def area(width, height):
    return [width * height]


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return (self.factor * x)[..., None]
