# threat: F49
# A thread that sends right replies at any time gets no further than right replies do.
# expect: double=crash
import os
import struct
import threading
import time


def send(header):
    os.write(3, struct.pack("<II", len(header) + 4, len(header)) + header)


def keep_sending():
    for number in range(3, 1000):
        send(b'{"tuple":[%d,"value",0,{"dict":[]}]}' % number)
        time.sleep(0.001)


def double(x):
    threading.Thread(target=keep_sending).start()
    time.sleep(0.05)
    return 2 * x
