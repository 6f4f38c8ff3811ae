# threat: C24
# Only its numbers count.
# expect: double=wrong
# both ways
import torch


def double(x):
    y = x.clone()
    y.detach = y.numpy = y.contiguous = y.cpu = y.resolve_conj = lambda *_: 2 * x
    y.__class__ = torch.nn.Parameter
    return y
