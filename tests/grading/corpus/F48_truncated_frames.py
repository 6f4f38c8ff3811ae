# threat: F48
# expect: double=crash area=crash Scale=crash
import os
import struct

from torch import nn


def double(x):
    os.write(3, struct.pack("<II", 1000, 900) + b"[1,")
    os._exit(0)


def area(width, height):
    os.write(3, b"\x10\x00")
    os.close(3)
    os._exit(0)


class Scale(nn.Module):
    def __init__(self, channels):
        os.write(3, struct.pack("<II", 20, 4_000_000_000) + b"x" * 16)
