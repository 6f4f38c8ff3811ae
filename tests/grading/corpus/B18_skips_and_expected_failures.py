# threat: B18 C33
# expect: double=raised area=raised Scale=raised
import unittest

import pytest
from torch import nn


def double(x):
    pytest.skip("not today")


def area(width, height):
    pytest.exit("enough", returncode=0)


class Scale(nn.Module):
    def __init__(self, channels):
        raise unittest.SkipTest("not today")
