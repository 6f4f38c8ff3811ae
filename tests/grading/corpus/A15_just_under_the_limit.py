# threat: A15
# All calls of a test share its limit.
# expect: double=time
import time


def double(x):
    end = time.process_time() + 0.7
    while time.process_time() < end:
        pass
    return 2 * x
