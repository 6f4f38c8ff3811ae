# threat: C35
# flag: double: uses mul
# both ways
import torch


def double(x):
    return torch.mul(x, 2)
