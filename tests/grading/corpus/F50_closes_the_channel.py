# threat: F50
# expect: double=crash area=crash Scale=crash
import os
import time

from torch import nn


def double(x):
    os.close(3)
    time.sleep(1000)


def area(width, height):
    os.dup2(os.open(os.devnull, os.O_RDWR), 3)
    return width * height


class Scale(nn.Module):
    def __init__(self, channels):
        os.closerange(0, 100)
