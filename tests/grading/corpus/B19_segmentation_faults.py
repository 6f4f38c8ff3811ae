# threat: B19
# expect: double=crash area=crash Scale=crash
# words: test_double: Segmentation fault
# words: test_area: Aborted
import ctypes
import faulthandler
import os

from torch import nn


def double(x):
    return ctypes.string_at(0)


def area(width, height):
    os.abort()


class Scale(nn.Module):
    def __init__(self, channels):
        faulthandler._sigsegv()
