# threat: F49
# expect: double=crash test_area=crash|passed test_area_squares=crash|wrong|blocked Scale=crash
# The second reply to one request, or the first to the next, is too late or too early; a right value is one however it comes.
# words: test_double: interfered
import os
import struct

from torch import nn


def send(header):
    os.write(3, struct.pack("<II", len(header) + 4, len(header)) + header)


def double(x):
    for number in range(20):
        send(b'{"tuple":[%d,"value",12,{"dict":[]}]}' % number)
    return 2 * x


def area(width, height):
    send(b'{"tuple":[2,"value",12,{"dict":[]}]}')
    send(b'{"tuple":[3,"value",12,{"dict":[]}]}')
    return 12


class Scale(nn.Module):
    def __init__(self, channels):
        send(b'{"tuple":[2,"passed"]}')
