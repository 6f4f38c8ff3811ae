# threat: G54
# All in one cell, with calls between.
# both ways
import torch
from torch import nn
def double(x): return 2 * x
print(double(torch.ones(3)))
def area(width, height): return width * height
assert area(3, 4) == 12; print("fine")
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__(); self.factor = nn.Parameter(torch.ones(channels))
    def forward(self, x): return self.factor * x
print(Scale(3)(torch.ones(2, 3)))
