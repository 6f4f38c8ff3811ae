# threat: C23
# expect: double=refused area=refused test_scale=refused|wrong test_scale_gradients=refused
# both ways
# words: test_area: subclass of int
from torch import nn


class Number(int):
    def __eq__(self, other):
        return True

    __ne__ = __hash__ = None


class Real(float):
    def __eq__(self, other):
        return True

    __hash__ = None


class Text(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


def double(x):
    return Text("tensor")


def area(width, height):
    return Number(0)


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()

    def state_dict(self, *_, **__):
        return {Text("factor"): Real(1)}

    def load_state_dict(self, state):
        pass

    def forward(self, x):
        return Real(1)
