# threat: B18
# expect: double=crash area=raised Scale=raised
# words: test_double: exit(0)
# words: test_area: SystemExit
# words: test_scale: KeyboardInterrupt
import os
import sys

from torch import nn


def double(x):
    os._exit(0)


def area(width, height):
    sys.exit(0)


class Scale(nn.Module):
    def __init__(self, channels):
        raise KeyboardInterrupt
