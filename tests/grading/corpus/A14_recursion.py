# threat: A14
# expect: double=raised area=crash|memory Scale=crash|memory|raised
# words: test_double: RecursionError
import sys

from torch import nn


def double(x):
    return double(x)


def area(width, height):
    sys.setrecursionlimit(10**9)
    key = ()
    for _ in range(10**6):
        key = (key,)
    return hash(key)  # the stack of C


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        sys.setrecursionlimit(2**31 - 1)
        self.__class__.__repr__ = lambda self: repr(self)
        compile("(" * 10_000 + ")" * 10_000, "corpus", "eval")
        repr(self)
