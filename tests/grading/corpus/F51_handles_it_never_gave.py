# threat: F51
# expect: double=refused|crash|raised|wrong area=refused|crash Scale=raised|crash|wrong
import os
import struct

from torch import nn


def send(header):
    os.write(3, struct.pack("<II", len(header) + 4, len(header)) + header)


def double(x):
    send(b'{"tuple":[2,"value",{"handle":2147483647},{"dict":[]}]}')


def area(width, height):
    send(b'{"tuple":[2,"value",{"handle":-1},{"dict":[]}]}')


class Scale(nn.Module):
    def __init__(self, channels):
        send(b'{"tuple":[2,"value",{"handle":123456},{"dict":[]}]}')
