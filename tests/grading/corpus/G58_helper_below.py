# threat: G58
# both ways
def double(x):
    return TWO * x


# %%
TWO = 2
