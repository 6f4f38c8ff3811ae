# threat: C31
# expect: test_double=wrong area=wrong
# both ways
# words: test_double: called again
import random

CALLS = []


def double(x):
    CALLS.append(x)
    return 2 * x if len(CALLS) == 1 else 3 * x


def area(width, height):
    return 12 * random.random()
