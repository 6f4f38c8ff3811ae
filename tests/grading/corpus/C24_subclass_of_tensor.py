# threat: C24
# expect: double=refused test_scale=refused test_scale_gradients=refused|wrong|raised
# both ways
# words: test_double: subclass of Tensor
import torch
from torch import nn


class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True

    @property
    def shape(self):
        return torch.Size([3])


class Dispatched(torch.Tensor):
    @staticmethod
    def __new__(cls, x):
        return torch.Tensor._make_wrapper_subclass(cls, x.shape, dtype=x.dtype)

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return torch.zeros(3)


def double(x):
    return x.as_subclass(Liar)


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return Dispatched(x)
