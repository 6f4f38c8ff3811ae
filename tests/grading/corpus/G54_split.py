# threat: G54
# A class whose methods are put in by later cells.
# both ways
import torch
from torch import nn


# %%
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))


# %%
def forward(self, x):
    return self.factor * x


# %%
Scale.forward = forward
