# threat: C33
# expect: double=crash|raised|wrong area=crash|raised|wrong Scale=crash|raised|wrong|refused
import builtins
import sys

from torch import nn


def double(x):
    for name in list(sys.modules):
        del sys.modules[name]
    return x


def area(width, height):
    for name in list(vars(builtins)):
        delattr(builtins, name)
    return 0


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        sys.settrace(lambda *_: 1 / 0)
        sys.setprofile(print)
        sys.meta_path[:] = []
        sys.path_hooks[:] = []
