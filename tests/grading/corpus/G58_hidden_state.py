# threat: G58
# The name was defined in a cell that is gone.
# expect: double=raised
# words: test_double: name 'two' is not defined
# flag: double: no cell defines two
# both ways
def double(x):
    return two * x
