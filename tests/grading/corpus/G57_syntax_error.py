# threat: G57
# expect: double=raised
# words: test_double: syntax error
# words: test_double: return 2 * * x
# both ways
def double(x):
    return 2 * * x
