# threat: F48
# expect: double=crash area=crash Scale=crash
# words: test_double: interfered
import os

from torch import nn


def double(x):
    os.write(3, b"PASSED\n" * 100)
    return 2 * x


def area(width, height):
    os.write(3, b"\xff\xff\xff\xff")  # a frame of 4 GB
    return width * height


class Scale(nn.Module):
    def __init__(self, channels):
        os.write(3, b"\x00\x00\x00\x00")
