# threat: C25
# expect: double=refused area=refused test_scale=refused test_scale_gradients=refused|raised
# both ways
# words: test_double: sparse
# words: test_area: meta
import torch
from torch import nn


def double(x):
    return (2 * x).to_sparse()


def area(width, height):
    return torch.empty(1, device="meta")


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return torch.quantize_per_tensor(x.detach(), 0.1, 0, torch.qint8)
