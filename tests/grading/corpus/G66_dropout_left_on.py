# threat: G66
# expect: test_scale=wrong test_scale_gradients=wrong
# words: test_scale: in training mode
# both ways
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))
        self.dropout = nn.Dropout(0.999)

    def forward(self, x):
        return self.dropout(self.factor * x)
