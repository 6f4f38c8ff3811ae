# threat: F51
# expect: double=refused|wrong|time area=refused|wrong
class Thing:
    pass


def double(x):
    return [Thing() for _ in range(1_000_000)]


def area(width, height):
    return [Thing() for _ in range(50_000)]
