# threat: A12
# expect: double=raised area=raised Scale=raised
# words: test_double: no files to write|there are no files
import os
import tempfile

from torch import nn


def double(x):
    with open("/tmp/corpus_was_here", "wb") as file:
        while True:
            file.write(bytes(10**6))


def area(width, height):
    number = os.memfd_create("corpus_was_here")
    while True:
        os.write(number, bytes(10**6))


class Scale(nn.Module):
    def __init__(self, channels):
        while True:
            tempfile.NamedTemporaryFile(prefix="corpus_was_here", delete=False)
