"""Run an experiment that is too long for a page and store it in course_lib/results: ``python benchmarks/record.py NAME``."""

import argparse
import json
import os
import platform
from functools import partial
from pathlib import Path

import torch

from course_lib import results
from course_lib.data import load_data
from course_lib.models import cifar_resnet, plain_net
from course_lib.training import fit_seeds


def longer():
    """Are deep networks only slow? Thirty epochs instead of the three of chapters 1 and 2."""
    settings = {"epochs": 30, "lr": 0.02, "batch_size": 64}
    for name, build in (("plain", plain_net), ("ResNet", cifar_resnet)):
        for depth in (20, 56):
            yield f"{name}-{depth}", partial(build, depth, in_channels=1), range(3), settings


def rates():
    """Is the learning rate of plain-56 too high, or too low?"""
    for lr in (0.001, 0.005, 0.02, 0.1):
        yield f"plain-56, rate {lr}", partial(plain_net, 56, in_channels=1), range(3), {"epochs": 8, "lr": lr, "batch_size": 64}


def shortcuts():
    """Options A, B and C at two depths."""
    for depth in (20, 56):
        for option in "ABC":
            build = partial(cifar_resnet, depth, in_channels=1, shortcut=option)
            yield f"ResNet-{depth}, {option}", build, range(5), {"epochs": 8, "lr": 0.02, "batch_size": 64}


def zero_init():
    """ResNet-110 at a learning rate that is too high for it, with random branches and with zero-initialised ones."""
    settings = {"epochs": 8, "lr": 0.1, "batch_size": 64}
    for name, zero in (("random branches", False), ("zero-initialised", True)):
        yield name, partial(cifar_resnet, 110, in_channels=1, zero_init=zero), range(3), settings


EXPERIMENTS = {experiment.__name__: experiment for experiment in (longer, rates, shortcuts, zero_init)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(EXPERIMENTS))
    name = parser.parse_args().name
    data = load_data("digits")
    runs = []
    for network, build, seeds, settings in EXPERIMENTS[name]():
        for run in fit_seeds({network: build}, data, seeds, **settings)[network]:
            errors = {what: [round(error, 2) for error in getattr(run, what)] for what in ("train_error", "test_error")}
            runs.append({"network": network, "seed": run.seed, **settings, **errors})
        print(network, [run["train_error"][-1] for run in runs if run["network"] == network], flush=True)
    record = {
        "command": f"python benchmarks/record.py {name}",
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "runs": runs,
    }
    target = Path(results.__file__).parent / f"{name}.json"
    beside = target.with_suffix(".part")
    beside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    beside.replace(target)
    print(f"wrote course_lib/results/{target.name}")


if __name__ == "__main__":
    main()
