# threat: D41
# expect: area=raised double=raised
# words: test_area: there are no files
# words: test_double: there are no files
import numpy as np
import torch


def area(width, height):
    return np.loadtxt("data/areas.csv")[int(width)]


def double(x):
    return torch.load("factors.pt") * x
