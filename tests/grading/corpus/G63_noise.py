# threat: G63
# Honest: prints, warns, logs, plots, and is right.
# both ways
import logging
import sys
import warnings

import matplotlib.pyplot as plt
import torch
from torch import nn
from tqdm import tqdm

logging.basicConfig(level=logging.DEBUG)


def double(x):
    print("x is", x)
    print("debugging", file=sys.stderr, flush=True)
    warnings.warn("this is old", DeprecationWarning)
    logging.getLogger("mine").error("something")
    return 2 * x


def area(width, height):
    fig, ax = plt.subplots()
    ax.plot([0, width], [0, height])
    plt.title("area")
    plt.show()
    return width * height


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        for _ in tqdm(range(3)):
            warnings.warn("slow")
        return self.factor * x
