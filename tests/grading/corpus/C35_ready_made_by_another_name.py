# threat: C35
# flag: double: uses multiply
# both ways
from torch import multiply as helper


def twice(x):
    return helper(x, 2)


def double(x):
    return twice(x)
