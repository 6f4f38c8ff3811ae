# threat: C29
# expect: double=refused area=refused Scale=wrong|refused
# both ways
# words: test_double: generator
# words: test_area: coroutine
def double(x):
    yield 2 * x


async def area(width, height):
    return width * height


def Scale(channels):
    return lambda x: x
