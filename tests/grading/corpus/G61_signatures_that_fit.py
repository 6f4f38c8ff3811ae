# threat: G61
# Honest: more parameters with defaults, or any.
# both ways
def double(x, factor=2, *, out=None):
    return factor * x


def area(*sides, **named):
    result = 1
    for side in (*sides, *named.values()):
        result = result * side
    return result
