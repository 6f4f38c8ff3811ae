# threat: G57
# expect: double=raised
# both ways
def double(x):
    Here I multiply by two. See the lecture: (2 · x)
    return 2x

# %%
my answer to question 2 is yes
