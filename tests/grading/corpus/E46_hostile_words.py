# threat: E46
# expect: double=raised area=refused Scale=raised
from torch import nn


def double(x):
    raise ValueError("<script>corpus()</script>\n# [mark](javascript:corpus()) ]]> & \x00 ![x](http://example.org/x.png) | <img src=x onerror=corpus()>")


def area(width, height):
    return type('<script>corpus()</script>"onclick="corpus()', (), {})()


class Scale(nn.Module):
    def __init__(self, channels):
        raise type("=HYPERLINK('http://example.org')", (Exception,), {})("=1+1, @SUM(A1), -2, +3\t\r\n=cmd|'/c calc'!A1")
