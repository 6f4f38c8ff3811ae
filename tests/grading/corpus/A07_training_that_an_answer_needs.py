# threat: A7
# expect: Scale=time
import torch
from torch import nn


def train(steps):
    factor = torch.ones(3)
    for _ in range(steps):
        factor = factor - 1e-9 * torch.randn(3)
    return factor


# %%
trained = train(10**9)


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(trained)

    def forward(self, x):
        return self.factor * x
