# threat: A5
# expect: double=time area=time Scale=time
import re

import torch
from torch import nn


def double(x):
    return x + torch.linalg.svdvals(torch.randn(4000, 4000))[0]


def area(width, height):
    return 3 ** (10**9) % width


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        re.match(r"(a+)+$", "a" * 50 + "b")
