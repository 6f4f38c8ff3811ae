# threat: G54
# both ways
if True:

    def double(x):
        return 2 * x


# %%
try:
    from math import prod

    def area(width, height):
        return prod((width, height))

except ImportError:
    area = None
