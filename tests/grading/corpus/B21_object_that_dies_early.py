# threat: B21
# expect: double=time
class Late:
    def __del__(self):
        while True:
            pass


def double(x):
    Late()
    return 2 * x
