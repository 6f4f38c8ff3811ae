# threat: C29
# expect: double=refused area=refused Scale=wrong
# as it is
# both ways
import torch


def double(x):
    return torch.Tensor


def area(width, height):
    return lambda: width * height


def Scale(channels):
    return 3
