# threat: C30
# The test has its own copy; the one test that asks for it sees it.
# expect: test_double_input=wrong
# both ways
# words: test_double_input: double changes its input
def double(x):
    return x.mul_(2)
