# threat: A11
# expect: area=time
import os
import sys


def double(x):
    print("x" * 50_000_000)
    os.write(1, b"\xff\xfe\x1b[2J\x1b]0;corpus\x07\r\n\x00")
    sys.stderr.write("\x1b[31mred\r")
    sys.__stdout__.write("PASSED\n")
    return 2 * x


def area(width, height):
    while True:
        print("hello " * 1000)
