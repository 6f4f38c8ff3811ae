# threat: A3
# expect: double=time
def double(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
        finally:
            continue
