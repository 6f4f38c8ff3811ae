# threat: G60
# expect: double=not attempted area=not attempted Scale=not attempted
# both ways
from torch import nn


def double(x):
    """Twice x."""
    ...


def area(width, height):
    pass


class Scale(nn.Module):
    """Multiply each channel by its factor."""

    def __init__(self, channels):
        super().__init__()
        raise NotImplementedError("write Scale.__init__")

    def forward(self, x):
        raise NotImplementedError("write Scale.forward")
