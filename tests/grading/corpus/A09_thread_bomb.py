# threat: A9
# expect: double=raised|memory
import threading
import time


def double(x):
    while True:
        threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
