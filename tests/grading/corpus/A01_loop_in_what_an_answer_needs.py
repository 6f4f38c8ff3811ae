# threat: A1
# expect: area=time
# words: test_area: is there a loop that never ends
UNIT = sum(iter(int, 1)) or 1


# %%
def area(width, height):
    return width * height * UNIT
