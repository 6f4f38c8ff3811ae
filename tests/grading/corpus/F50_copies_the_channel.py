# threat: F50
# A copy alone does nothing; the answer is right.
import os

COPIES = []


def double(x):
    COPIES.append(os.dup(3))
    return 2 * x
