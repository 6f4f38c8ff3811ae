# threat: F48
# expect: double=crash area=crash Scale=crash
import json
import os
import struct

from torch import nn


def send(header):
    frame = struct.pack("<II", len(header) + 4, len(header)) + header
    os.write(3, frame)


def double(x):
    send(b'{"tuple":[2,"value",{"dict":[["a",1],["a",2]]},{"dict":[]}],"tuple":[]}')


def area(width, height):
    send(b'{"tuple":[2,"value",NaN,{"dict":[]}]}')


class Scale(nn.Module):
    def __init__(self, channels):
        send(b'{"tuple":[2,"value",{"float":"nan(" ,"float":"0x1p999999999999"},{"dict":[]}]}')
