# threat: G55
# The notebook's own check says that all is well.
# expect: double=wrong
# both ways
def check(name):
    print(name, "20 of 20 points")


def test_double(answers):
    pass


def points(*_, **__):
    return lambda function: function


# %%
def double(x):
    return x


# %%
check("double")
assert True
