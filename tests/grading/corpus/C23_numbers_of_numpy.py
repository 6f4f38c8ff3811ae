# threat: C23 G62
# Honest: numbers of numpy and tensors of one element are numbers.
# both ways
import numpy as np


def area(width, height):
    return np.int64(width * height) if isinstance(width, int) else np.float64(width) * height


def double(x):
    return np.float32(2) * x
