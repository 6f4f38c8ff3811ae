# threat: C27
# expect: test_scale=passed test_scale_gradients=refused
# both ways
import torch
from torch import nn


class Endless(dict):
    def items(self):
        while True:
            yield "factor", torch.ones(3)


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def state_dict(self, *_, **__):
        return Endless(factor=self.factor)

    def forward(self, x):
        return self.factor * x
