# threat: B18
# expect: double=raised area=raised test_scale=raised test_scale_gradients=wrong
from torch import nn


class Bites(Exception):
    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__
    __reduce__ = __str__


class Named(type):
    @property
    def __name__(cls):
        raise SystemExit(0)

    @property
    def __mro__(cls):
        raise SystemExit(0)


class Hidden(BaseException, metaclass=Named):
    @property
    def __class__(self):
        raise SystemExit(0)

    @property
    def __traceback__(self):
        raise SystemExit(0)

    @property
    def args(self):
        raise SystemExit(0)


def double(x):
    raise Bites


def area(width, height):
    raise Hidden


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()

    def forward(self, x):
        raise GeneratorExit

    def load_state_dict(self, *_, **__):
        raise StopIteration
