# threat: C28
# expect: double=refused area=refused
# both ways
def double(x):
    inner = outer = {}
    for _ in range(10_000):
        inner[0] = {}
        inner = inner[0]
    return outer


def area(width, height):
    both = [0]
    for _ in range(12):
        both = [both, both, both, both, both, both]  # few objects, and billions on the way out
    return both
