# threat: A5
# expect: double=time Scale=memory
import torch
from torch import nn


def double(x):
    y = torch.ones(1000, 1000)
    return x * torch.linalg.matrix_power(y, 2**60).sum()


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.linalg.inv(torch.eye(20_000)).sum())
