"""Training curves and gradient norms of plain and residual networks by depth, at the settings of chapters 1 and 2."""

import os
import platform
from functools import partial
from math import log10

import torch

from course_lib.data import Data, load_data
from course_lib.models import cifar_resnet, plain_net
from course_lib.probes import gradient_norms
from course_lib.training import fit_seeds

KINDS = {"plain": plain_net, "residual": cifar_resnet}
DEPTHS = tuple(range(8, 57, 6))  # 6n+2
SEEDS = (0, 1, 2)
SETTINGS = {"epochs": 8, "lr": 0.02, "batch_size": 64}
IMAGES = 128  # for the gradient, as in chapter 1


def logarithms(model: torch.nn.Module, digits: Data) -> list[int]:
    """100·log10 of the gradient norm of each convolution, from the input to the output."""
    norms = gradient_norms(model, digits.x_train[:IMAGES], digits.y_train[:IMAGES])
    return [round(100 * log10(norm)) for norm in norms]


def before_training(kind: str, depth: int, seed: int, digits: Data) -> list[int]:
    """``logarithms`` of a network that ``fit_seeds`` would start from."""
    torch.manual_seed(seed)
    return logarithms(KINDS[kind](depth, in_channels=1), digits)


def data() -> dict:
    """54 runs, about 10 minutes of one CPU core."""
    torch.set_num_threads(1)
    digits = load_data("digits")
    builds = {(kind, depth): partial(KINDS[kind], depth, in_channels=1) for kind in KINDS for depth in DEPTHS}
    trained = fit_seeds(builds, digits, SEEDS, device="cpu", **SETTINGS)
    networks = {kind: {} for kind in KINDS}
    for (kind, depth), runs in trained.items():
        networks[kind][str(depth)] = {
            **{
                what: [[round(error, 2) for error in getattr(run, what)] for run in runs]
                for what in ("train_error", "test_error")
            },
            "before": [before_training(kind, depth, seed, digits) for seed in SEEDS],
            "after": [logarithms(run.model, digits) for run in runs],
        }
    return {
        "command": "python tools/explorables.py data depth",
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        **SETTINGS,
        "seeds": SEEDS,
        "images": IMAGES,
        "networks": networks,
    }
