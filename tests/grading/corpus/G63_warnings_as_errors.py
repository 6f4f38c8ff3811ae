# threat: G63
# both ways
import warnings

import numpy as np


def double(x):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        np.array([1.0]) / np.array([0.0])
        warnings.warn("still here", FutureWarning)
    return 2 * x
