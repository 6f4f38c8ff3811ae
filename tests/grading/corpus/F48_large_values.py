# threat: F48 A8
# expect: double=refused|memory area=refused Scale=refused|wrong|time
import torch
from torch import nn


def double(x):
    return torch.zeros(30_000_000)


def area(width, height):
    return 10**100_000


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return {str(number): number for number in range(300_000)}
