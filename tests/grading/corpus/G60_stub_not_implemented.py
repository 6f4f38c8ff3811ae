# threat: G60
# expect: double=not attempted area=not attempted Scale=not attempted
# both ways
from torch import nn


def double(x):
    raise NotImplementedError("write double")


def area(width, height):
    # YOUR CODE HERE
    raise NotImplementedError()


class Scale(nn.Module):
    ...
