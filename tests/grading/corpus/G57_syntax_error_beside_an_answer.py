# threat: G57
# Another cell has it: nothing of it is needed.
# both ways
def double(x):
    return 2 * x


# %%
for x in range(3)
    print(x
