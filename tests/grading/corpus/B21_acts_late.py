# threat: B21
# It dies before any of this runs, or with it.
import atexit
import threading
import weakref


def leave_a_trace(*_):
    try:
        open("/tmp/corpus_was_here", "w").close()
    except OSError:
        while True:
            pass


KEPT = []


class Late:
    def __del__(self):
        leave_a_trace()


def double(x):
    atexit.register(leave_a_trace)
    weakref.finalize(double, leave_a_trace)
    threading._register_atexit(leave_a_trace)
    KEPT.append(Late())
    return 2 * x
