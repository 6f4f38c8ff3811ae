# threat: G54
# flag: double: written 2 times
# both ways
def double(x):
    return 3 * x


# %%
def double(x):
    return 2 * x
