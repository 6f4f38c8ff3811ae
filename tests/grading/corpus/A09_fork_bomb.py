# threat: A9
# expect: double=raised area=raised Scale=raised
# words: test_double: there are no other processes
# words: test_area: there are no other processes
import multiprocessing
import os
import subprocess

from torch import nn


def double(x):
    while True:
        os.fork()


def area(width, height):
    while True:
        subprocess.Popen(["sleep", "1000"])


class Scale(nn.Module):
    def __init__(self, channels):
        while True:
            multiprocessing.Process(target=print, daemon=False).start()
