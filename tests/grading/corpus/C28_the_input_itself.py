# threat: C28
# expect: double=wrong area=refused
# both ways
# words: test_area: nested more than 12 deep
def double(x):
    return x


def area(width, height):
    loop = []
    loop.append(loop)
    return loop
