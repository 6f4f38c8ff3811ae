# threat: A13
# expect: area=raised
# Who catches the error can go on.
import os

KEPT = []


def area(width, height):
    while True:
        KEPT.append(open(os.devnull))


def double(x):
    try:
        area(1, 1)
    except OSError:
        return 2 * x
