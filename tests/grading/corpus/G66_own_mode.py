# threat: G66
# expect: Scale=wrong
# words: test_scale: in evaluation mode
# both ways
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))
        self.eval()

    def forward(self, x):
        return self.factor * x if self.training else x
