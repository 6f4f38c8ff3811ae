# threat: A10
# expect: double=raised area=raised
import os
import time

import torch
from torch import nn


def double(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(1)
                open("/tmp/corpus_was_here", "a").close()
        os._exit(0)
    return 2 * x


def area(width, height):
    os.setsid()
    return width * height
