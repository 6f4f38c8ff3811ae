"""The networks of the course and what they cost, as tables in a terminal or for programs."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import torch
from torch.overrides import TorchFunctionMode

from course_lib import models
from course_lib.cost import Cost, count, count_parameters, layer_costs

ABOUT_MODELS = """parameters: learnable numbers in evaluation, without auxiliary classifiers
MACs:       multiply-adds of convolutions and dense layers for one image; one multiply-add is one MAC
top-1, top-5: published errors in percent, from the source in the last column; they are not measured here"""

ABOUT_LAYERS = """MACs:        multiply-adds for one image; biases, normalisation, activations, pooling and additions do not count
activations: numbers that a layer writes for one image
sees:        height × width of the input that one output can depend on, borders included; "all": the whole image"""


def show(options: argparse.Namespace) -> int:
    show_model(options) if options.name else show_models(options)
    return 0


def show_models(options: argparse.Namespace) -> None:
    """All networks: a line each, as soon as it is counted."""
    if options.json:
        print(json.dumps(list(described(models.names(), options.size)), indent=1, ensure_ascii=False))
        return
    print(f"{'name':<25} {'input':>5} {'parameters':>12} {'MACs':>15} {'top-1':>6} {'top-5':>6}  source of the errors")
    auxiliary = []
    for row in described(models.names(), options.size):
        errors = " ".join(f"{'' if error is None else f'{error:.2f}':>6}" for error in (row["top1"], row["top5"]))
        size = row["input"][1]
        print(f"{row['name']:<25} {size:>5} {row['parameters']:>12,} {row['macs']:>15,} {errors}  {row['source']}", flush=True)
        if row["auxiliary_parameters"]:
            auxiliary.append(f"{row['name']} {row['auxiliary_parameters']:,}")
    print(f"\n{ABOUT_MODELS}\nauxiliary classifiers, in training only: {', '.join(auxiliary)} parameters")


def described(names: Sequence[str], size: int | None) -> Iterator[dict]:
    """For each network what the catalogue says of it and what it costs."""
    for name in names:
        entry = models.entry(name)
        network, shape = build(name, size)
        cost = count(network, shape)
        auxiliary = count_parameters(network.auxiliary) if hasattr(network, "auxiliary") else 0
        yield {
            "name": name,
            "family": entry.family,
            "input": shape,
            "parameters": cost.parameters - auxiliary,
            "auxiliary_parameters": auxiliary,
            "macs": cost.macs,
            "activations": cost.activations,
            "top1": entry.top1,
            "top5": entry.top5,
            "source": entry.source,
            "donor": entry.donor,
        }


def show_model(options: argparse.Namespace) -> None:
    """One network, layer by layer."""
    network, shape = build(options.name, options.size)
    *layers, total = layer_costs(network, shape)
    if options.json:
        rows = {"layers": [asdict(layer) for layer in layers], "total": asdict(total)}
        print(json.dumps({**next(described([options.name], options.size)), **rows}, indent=1, ensure_ascii=False))
        return
    width = max(len(layer.name) for layer in layers)
    kinds = max(len(layer.kind) for layer in layers)
    print(f"{options.name}, images of {' × '.join(map(str, shape))}\n")
    print(f"{'layer':<{width}} {'kind':<{kinds}} {'output':<15} {'parameters':>11} {'MACs':>15} {'activations':>12} {'sees':>11}")
    for cost in [*layers, total]:
        name, kind = ("total", "") if cost is total else (cost.name, cost.kind)
        line = (
            f"{name:<{width}} {kind:<{kinds}} {'×'.join(map(str, cost.output_shape)):<15} {cost.parameters:>11,} {cost.macs:>15,}"
        )
        print(f"{line} {cost.activations:>12,} {seen(cost):>11}")
    print(f"\n{ABOUT_LAYERS}")


def seen(cost: Cost) -> str:
    return "all" if cost.receptive_field is None else "×".join(map(str, cost.receptive_field))


def build(name: str, size: int | None) -> tuple[models.ConvNet, tuple[int, int, int]]:
    """A network without numbers, for counting alone, and the shape of its images."""
    pixels = models.entry(name).size if size is None else size
    with torch.device("meta"), NoRandomNumbers():
        return models.create(name), (3, pixels, pixels)


class NoRandomNumbers(TorchFunctionMode):
    """Leaves weights as they are: on the meta device, initialising what has no numbers takes longer than counting it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return args[0] if func in (torch.Tensor.normal_, torch.Tensor.uniform_) else func(*args, **(kwargs or {}))
