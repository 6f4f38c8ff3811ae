# threat: D40
# One bit a hand-in, by the kind of failure: the student sees no more of a hidden test than that.
# expect: test_double_hidden=raised|crash
# hidden: bit
import os


def double(x):
    if x.shape != (2, 3):
        return 2 * x
    if x[0, 0] > 0:
        raise ValueError("the bit is 1")
    os._exit(0)
