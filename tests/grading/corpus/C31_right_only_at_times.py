# threat: C31
# expect: test_double=wrong
# both ways
import itertools

clock = itertools.count()


def double(x):
    return x * (2 if next(clock) % 2 == 0 else 2.5)
