"""Run what is too long for a page and store it in course_lib/results: ``python benchmarks/record.py NAME``."""

import argparse
import json
import os
import platform
from dataclasses import replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from unittest import mock

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's own messages are not results

import torch  # noqa: E402

from course_lib import cost, models, results
from course_lib.data import load_data
from course_lib.listing import described
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


def bugs():
    """ResNet-20 with one fault at a time: which of them do the curves give away?"""
    data, build = load_data("digits"), partial(cifar_resnet, 20, in_channels=1)
    healthy = {"epochs": 10, "lr": 0.02, "batch_size": 64}
    yield "healthy", build, range(6), healthy
    yield "rate too low", build, range(6), {**healthy, "lr": 0.0001}
    yield "rate too high", build, range(6), {**healthy, "lr": 10.0}
    for name, method in (("gradients not zeroed", "zero_grad"), ("step forgotten", "step")):
        with mock.patch.object(torch.optim.SGD, method, lambda *_: None):
            yield name, build, range(6), healthy
    shuffled = torch.randperm(len(data.y_train), generator=torch.Generator().manual_seed(0))
    yield "labels shuffled", build, range(6), healthy, replace(data, y_train=data.y_train[shuffled])
    yield "images not standardised", build, range(6), healthy, replace(data, x_test=grey_levels(data.x_test))
    yield "statistics not updated", partial(without_statistics, build), range(6), healthy
    yield "classes renumbered", build, range(6), healthy, replace(data, y_test=(data.y_test + 1) % data.num_classes)


def grey_levels(images):
    """Standardised digits as they were before, 0 to 16."""
    return 16 * (images - images.min()) / (images.max() - images.min())


def without_statistics(build):
    """A network whose batch normalisations keep the averages that they begin with."""
    net = build()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 0.0
    return net


def networks(names):
    """What networks of the catalogue cost: counted, and measured with one image on one core. For a quiet machine."""
    torch.set_num_threads(1)
    for row in described(names, None):
        net = models.create(row["name"]).eval()
        time = cost.latency(net, row["input"], repeats=9)
        image = torch.randn(1, *row["input"]).to(memory_format=torch.channels_last)
        kept = {key: row[key] for key in ("name", "parameters", "macs", "activations")}
        times = {part: round(getattr(time, part), 2) for part in ("median", "low", "high")}
        yield {**kept, "peak_bytes": peak_bytes(net, image), **times}


def peak_bytes(net, image):
    """Bytes of the weights, and the most that a pass in evaluation holds beyond them."""
    with (
        torch.no_grad(),
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile,
    ):
        net(image)
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = accumulate(change for _, change in sorted((event.start_ns(), event.nbytes()) for event in events))
    auxiliary = getattr(net, "auxiliary", None)  # for training only
    unused = sum(value.nbytes for value in auxiliary.state_dict().values()) if auxiliary is not None else 0
    return sum(value.nbytes for value in net.state_dict().values()) - unused + max(held)


EXPERIMENTS = {experiment.__name__: experiment for experiment in (longer, rates, shortcuts, zero_init, bugs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted([*EXPERIMENTS, "networks"]))
    parser.add_argument("--models", nargs="+", metavar="NAME", choices=models.names(), help="for networks: the others stay")
    options = parser.parse_args()
    name, rows = options.name, []
    target = Path(results.__file__).parent / f"{name}.json"
    if name == "networks":
        if options.models and target.exists():
            stored = json.loads(target.read_text(encoding="utf-8"))["networks"]
            rows = [row for row in stored if row["name"] not in options.models]
        for row in networks(options.models or models.names()):
            rows.append(row)
            print(row["name"], row["median"], "ms", flush=True)
        rows.sort(key=lambda row: models.names().index(row["name"]))
    else:
        data = load_data("digits")
        for network, build, seeds, settings, *other in EXPERIMENTS[name]():
            for run in fit_seeds({network: build}, *(other or [data]), seeds, **settings)[network]:
                errors = {what: [round(error, 2) for error in getattr(run, what)] for what in ("train_error", "test_error")}
                rows.append({"network": network, "seed": run.seed, **settings, **errors})
            print(network, [row["train_error"][-1] for row in rows if row["network"] == network], flush=True)
    record = {
        "command": f"python benchmarks/record.py {name}",
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "networks" if name == "networks" else "runs": rows,
    }
    beside = target.with_suffix(".part")
    beside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    beside.replace(target)
    print(f"wrote course_lib/results/{target.name}")


if __name__ == "__main__":
    main()
