# threat: C33 F49
# Whatever its side of the door becomes: it sends values, and they are wrong. None of it is an error of the test's.
# expect: double=wrong|refused|raised|crash area=wrong|refused|raised|crash Scale=wrong|refused|raised|crash
import torch
from torch import nn

from course_lib.grading import inside, wire

pack = wire.pack


def forge(value, refer):
    number, kind, *rest = value
    return pack((number, "value", "passed", {}), None)


def double(x):
    wire.pack = inside.wire.pack = forge
    return x


def area(width, height):
    inside.Room.serve = lambda self, frame: frame
    wire.pack = lambda value, refer: pack((value[0], "passed"), None)
    return 0


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))
        inside.Room._verdict = lambda self, error, students: ("fault", "the", "test's", "fault")
        raise ValueError
