# threat: F49
# A reply of the kind that only the grader's own faults have: not to be had where the student's code took part.
# expect: double=crash area=crash Scale=crash
import os
import struct

from torch import nn


def send(header):
    os.write(3, struct.pack("<II", len(header) + 4, len(header)) + header)


def double(x):
    for number in range(1, 5):
        send(b'{"tuple":[%d,"fault","TypeError","the test is to blame","traceback"]}' % number)


def area(width, height):
    send(b'{"tuple":[2,"fault","TypeError","the test is to blame","traceback"]}')


class Scale(nn.Module):
    def __init__(self, channels):
        send(b'{"tuple":[2,"error","the machine is to blame"]}')
