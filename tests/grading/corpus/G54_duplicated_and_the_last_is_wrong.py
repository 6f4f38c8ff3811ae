# threat: G54 G59
# expect: double=wrong
# flag: double: written 2 times
# both ways
def double(x):
    return 2 * x


# %%
# a try of something else
def double(x):
    return x**2 + 1
