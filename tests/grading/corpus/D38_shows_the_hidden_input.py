# threat: D38
# expect: test_double_hidden=raised
# hidden: hidden input
def double(x):
    if x.shape == (2, 3):
        raise ValueError("hidden" + f" input: {x.tolist()}")
    return 2 * x
