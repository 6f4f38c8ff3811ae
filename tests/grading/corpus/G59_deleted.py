# threat: G59
# flag: double: deleted
# both ways
def double(x):
    return 2 * x


# %%
del double
