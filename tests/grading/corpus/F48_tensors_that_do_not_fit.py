# threat: F48
# expect: double=crash area=crash Scale=crash
import json
import os
import struct

from torch import nn

from course_lib.grading import inside


def send(value, blobs=b""):
    header = json.dumps(value).encode()
    frame = memoryview(struct.pack("<II", len(header) + 4 + len(blobs), len(header)) + header + blobs)
    while frame:
        frame = frame[os.write(3, frame) :]


def reply(node, blobs=b""):
    for number in range(1, 4):
        send({"tuple": [number, "value", node, {"dict": []}]}, blobs)


def double(x):
    reply({"tensor": ["float32", [3]]}, bytes(11))


def area(width, height):
    reply({"tensor": ["float32", [2**62, 2**62]]}, bytes(16))


class Scale(nn.Module):
    def __init__(self, channels):
        reply({"tensor": ["object", [1]]}, bytes(8))
