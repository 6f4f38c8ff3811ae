# threat: G58
# Works after a run of the cells out of order only.
# flag: double: only defined in
# both ways
LOOKUP = build(2)


def double(x):
    return LOOKUP * x


# %%
def build(n):
    return n
