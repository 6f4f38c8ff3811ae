# threat: B19
# It cannot die as if it had been killed from outside, which would be nobody's fault.
# expect: double=crash area=raised Scale=raised|crash
import os
import signal

from torch import nn


def double(x):
    os.kill(os.getpid(), signal.SIGTERM)


def area(width, height):
    os.kill(os.getpid(), signal.SIGKILL)


class Scale(nn.Module):
    def __init__(self, channels):
        signal.raise_signal(signal.SIGKILL)
