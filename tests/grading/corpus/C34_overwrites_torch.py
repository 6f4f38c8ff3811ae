# threat: C34
# It harms itself only.
# expect: double=wrong|raised|refused
import torch
from torch import nn


def double(x):
    torch.manual_seed = torch.zeros_like = torch.no_grad = lambda *_: None
    nn.Linear.forward = nn.Module.__call__ = lambda self, x: x
    torch.Tensor.__mul__ = torch.Tensor.mul = lambda self, other: self
    torch.Tensor.__rmul__ = torch.Tensor.__mul__
    return 2 * x
