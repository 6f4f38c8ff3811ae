# threat: G61
# expect: double=raised area=raised Scale=raised
# words: test_double: found double(x, factor)
# words: test_area: found area(w, h)
# words: test_scale: expected a signature that fits Scale(int), found Scale()
# both ways
import torch
from torch import nn


def double(x, factor):
    return factor * x


def area(w, h):
    return w * h


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(3))
