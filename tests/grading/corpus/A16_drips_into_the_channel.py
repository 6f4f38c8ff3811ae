# threat: A16
# expect: double=time
# words: test_double: did not finish
import os
import struct
import time


def double(x):
    header = b'["dripping"]'
    os.write(3, struct.pack("<II", 60_000_000, len(header)) + header)
    while True:
        os.write(3, b"x")
        time.sleep(0.1)
