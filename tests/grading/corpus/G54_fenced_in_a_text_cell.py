# threat: G54
# as it is
# expect: area=passed rest=not attempted
# flag: double: defined in a text cell
# both ways
# %% [markdown]
# ```python
# def double(x):
#     return 2 * x
# ```

# %%
def area(width, height):
    return width * height
