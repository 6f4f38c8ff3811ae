# threat: none; the other hand-ins borrow from here the exercises that they do not write
# both ways
import torch
from torch import nn


# %%
def double(x):
    return 2 * x


# %%
def area(width, height):
    return width * height


# %%
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return self.factor * x
