# threat: G62
# expect: double=wrong area=wrong
# words: test_double: yours is a list
# words: test_area: yours is a str
# both ways
def double(x):
    return [2 * value for value in x.tolist()]


def area(width, height):
    return str(width * height)
