# threat: G65
# Honest: a fresh process for each test.
import torch
from torch import nn


def double(x):
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.manual_seed(x.numel())
    torch.set_num_threads(2)
    return x * torch.tensor(2.0)


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))
        torch.set_grad_enabled(False)

    def forward(self, x):
        return self.factor * x
