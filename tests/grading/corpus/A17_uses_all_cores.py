# threat: A17
# Many threads share one limit on time, and one on memory.
# expect: double=time|crash area=time
import threading

import torch


def spin():
    while True:
        pass


def double(x):
    torch.set_num_threads(64)
    y = torch.randn(1000, 1000)
    while True:
        y = torch.tanh(y @ y)


def area(width, height):
    for _ in range(8):
        threading.Thread(target=spin).start()
    spin()
