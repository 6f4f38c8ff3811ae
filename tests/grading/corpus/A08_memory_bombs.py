# threat: A8
# expect: double=memory area=memory Scale=memory|time
# words: test_double: memory
# words: test_area: memory
import torch
from torch import nn


def double(x):
    return 2 * x + torch.ones(10**10).sum()


def area(width, height):
    return len([0] * 10**9) and width * height


class Scale(nn.Module):
    def __init__(self, channels):
        kept = []
        while True:
            kept.append(bytearray(10**6))
