# threat: C32
# expect: test_double_input=wrong test_double_hidden=wrong test_area_squares=wrong
# both ways
import torch


def double(x):
    return torch.tensor([2.0, -4.0, 1.0]).reshape(3)


def area(width, height):
    return 12
