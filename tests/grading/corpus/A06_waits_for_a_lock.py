# threat: A6 B19
# A lock that nobody releases, and a process that stops itself.
# expect: area=time Scale=time
# words: test_area: did not finish
import os
import signal
import threading

from torch import nn


def area(width, height):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


class Scale(nn.Module):
    def __init__(self, channels):
        os.kill(os.getpid(), signal.SIGSTOP)
