# threat: A11 E46
# expect: double=raised area=raised
# words: test_double: ValueError
# words: test_area: hello
def double(x):
    raise ValueError("\x1b[2J\x1b[31m\r\x00\u202e\ud800" + "x" * 1_000_000)


def area(width, height):
    raise type("hello\x1b[31m\n# PASSED", (Exception,), {})("\r" * 1000)
