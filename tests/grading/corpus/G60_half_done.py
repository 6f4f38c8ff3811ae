# threat: G60
# __init__ is written, forward is the stub.
# expect: Scale=not attempted
# both ways
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        raise NotImplementedError("write Scale.forward")
