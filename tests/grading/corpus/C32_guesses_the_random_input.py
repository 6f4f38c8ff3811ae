# threat: C32
# The same seed gives it nothing: the inputs are drawn elsewhere, and it has no hold of the comparison.
# expect: double=wrong
# both ways
import torch


def double(x):
    torch.manual_seed(0)
    return torch.randn(x.shape)
