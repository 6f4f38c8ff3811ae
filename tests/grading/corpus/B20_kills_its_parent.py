# threat: B20
# expect: double=raised area=raised Scale=raised
# words: test_double: PermissionError
import os
import signal

from torch import nn


def double(x):
    os.kill(os.getppid(), signal.SIGKILL)


def area(width, height):
    os.kill(GRADER_PID, signal.SIGKILL)


class Scale(nn.Module):
    def __init__(self, channels):
        os.kill(-1, signal.SIGKILL)
