# threat: D38
# expect: test_double_hidden=raised test_scale_gradients=raised
# hidden: hidden input
import torch
from torch import nn


def double(x):
    if x.shape == (2, 3):
        raise type(f"hidden input {x.tolist()}", (Exception,), {})
    return 2 * x


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return self.factor * x

    def state_dict(self, *_, **__):
        raise KeyError("hidden input")
