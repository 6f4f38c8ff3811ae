# threat: F50
# The next request is swallowed, if the thread is the first to read: nothing comes back, and the wait for it ends.
# expect: double=time|crash|passed
import os
import threading


def double(x):
    threading.Thread(target=lambda: os.read(3, 10**6)).start()
    return 2 * x
