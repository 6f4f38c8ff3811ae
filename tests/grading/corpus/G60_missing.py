# threat: G60
# as it is
# expect: double=passed rest=not attempted
# both ways
def double(x):
    return 2 * x
