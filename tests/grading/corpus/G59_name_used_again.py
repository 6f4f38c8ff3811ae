# threat: G59
# The function's name is given to its result, in a later cell.
# expect: area=wrong|raised
# words: test_area: area is int
# both ways
def area(width, height):
    return width * height


# %%
area = area(3, 4)
area
