# threat: A10
# It dies with its process.
import threading
import time


def go_on():
    while True:
        time.sleep(0.01)
        try:
            open("/tmp/corpus_was_here", "a").close()
        except OSError:
            pass


def double(x):
    threading.Thread(target=go_on).start()
    return 2 * x
