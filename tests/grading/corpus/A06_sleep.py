# threat: A6
# expect: double=time
# words: test_double: did not finish
import time


def double(x):
    time.sleep(1e6)
