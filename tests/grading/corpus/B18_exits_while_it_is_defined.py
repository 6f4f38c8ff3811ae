# threat: B18
# expect: double=raised area=raised
import sys

import torch

SETTINGS = sys.exit("no")


def double(x):
    return 2 * x if SETTINGS is None else x


# %%
STOP = [quit][0]


def area(width, height):
    STOP()
