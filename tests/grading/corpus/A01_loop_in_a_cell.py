# threat: A1
# Nothing needs the loop, so it does not run.
# both ways
x = 0
while True:
    x += 1


# %%
def double(x):
    return 2 * x


if True:
    for _ in iter(int, 1):
        pass
