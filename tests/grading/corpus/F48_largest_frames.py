# threat: F48
# As large as a frame may be, and nothing but containers: the grader's memory stays bounded.
# expect: double=crash|refused|wrong area=crash|refused|wrong Scale=crash|memory|refused|wrong
import os
import struct

import torch
from torch import nn


def send(header, blobs=b""):
    frame = memoryview(struct.pack("<II", len(header) + 4 + len(blobs), len(header)) + header + blobs)
    while frame:
        frame = frame[os.write(3, frame) :]


def double(x):
    inner = b",".join([b"[]"] * 190_000)
    send(b'{"tuple":[2,"value",[' + inner + b'],{"dict":[]}]}')


def area(width, height):
    return "\u1234" * 600_000


class Scale(nn.Module):
    def __init__(self, channels):
        send(b'{"tuple":[2,"value",{"tensor":["uint8",[60000000]]},{"dict":[]}]}', bytes(60_000_000))
