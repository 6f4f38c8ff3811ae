# threat: C22
# expect: double=refused area=refused Scale=wrong|refused
# both ways
# words: test_area: Equal
from torch import nn


class Equal:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __bool__(self):
        return True

    def __hash__(self):
        return hash(12)

    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
    __float__ = lambda self: 12.0  # noqa: E731
    __int__ = __index__ = lambda self: 12  # noqa: E731


def double(x):
    return Equal()


def area(width, height):
    return Equal()


def Scale(channels):
    return Equal()
