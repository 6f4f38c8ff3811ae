# threat: D36
# expect: double=raised area=raised Scale=raised
# words: test_double: there are no files
from pathlib import Path

from torch import nn


def double(x):
    return Path("SECRET_FILE").read_text()


def area(width, height):
    return open("/etc/passwd").read()


class Scale(nn.Module):
    def __init__(self, channels):
        raise ValueError(open("/proc/self/environ").read())
