# threat: D38
# expect: test_double_hidden=refused
# hidden: hidden input
def double(x):
    if x.shape == (2, 3):
        print(x)
        return type(f"hidden input {x.tolist()}", (), {})()
    return 2 * x
