# threat: B18 F49
# None of the grader's own exceptions can be used to leave a test without a mark.
# expect: double=not attempted|raised area=raised Scale=raised
import pytest
from torch import nn

from course_lib.grading.door import Fault
from course_lib.grading.results import NotAttempted, Stopped


def double(x):
    raise NotAttempted("double")


def area(width, height):
    raise Stopped("error", "the grader is to blame", "really")


class Scale(nn.Module):
    def __init__(self, channels):
        raise Fault("the test is to blame", "really")


# %%
def other(x):
    pytest.skip("no")
