# threat: A1
# expect: area=time
# words: test_area: reached its limit of 1 s of computing time
UNIT = sum(iter(int, 1)) or 1


# %%
def area(width, height):
    return width * height * UNIT
