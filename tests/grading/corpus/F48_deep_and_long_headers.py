# threat: F48
# expect: double=crash area=crash Scale=crash
import os
import struct

from torch import nn


def send(header):
    frame = memoryview(struct.pack("<II", len(header) + 4, len(header)) + header)
    while frame:
        frame = frame[os.write(3, frame) :]


def double(x):
    send(b"[" * 100_000 + b"]" * 100_000)


def area(width, height):
    send(b'{"tuple":[1,"value",' + b"9" * 1_000_000 + b',{"dict":[]}]}')


class Scale(nn.Module):
    def __init__(self, channels):
        send(b'{"tuple":[1,"value",' + b"[[]," * 3 + b"1e999" + b"]" * 3 + b',{"dict":[]}]}')
