# threat: F51 E46
# expect: area=refused|wrong|crash
def area(width, height):
    return [type(f"{number}" + "x" * 10_000, (), {})() for number in range(300)]
