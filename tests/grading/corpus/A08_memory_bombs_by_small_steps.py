# threat: A8
# expect: double=memory area=memory Scale=memory|raised|time
import mmap

import torch
from torch import nn


def double(x):
    kept = [x]
    while True:
        kept.append(torch.cat(kept[-2:]))


def area(width, height):
    text = "x"
    while True:
        text += text


class Scale(nn.Module):
    def __init__(self, channels):
        kept = []
        while True:
            kept.append(mmap.mmap(-1, 10**8))  # shared memory is no data of the process
            kept[-1][::4096] = b"x" * len(kept[-1][::4096])
