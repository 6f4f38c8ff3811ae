"""The command ``course``: what the package knows, in a terminal."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

import torch
from torch.overrides import TorchFunctionMode

from course_lib import models
from course_lib.cost import Cost, count, count_parameters, layer_costs
from course_lib.grading import run, similarity, verify
from course_lib.grading.jail import LEVELS

ABOUT_MODELS = """parameters: learnable numbers in evaluation, without auxiliary classifiers
MACs:       multiply-adds of convolutions and dense layers for one image; one multiply-add is one MAC
top-1, top-5: published errors in percent, from the source in the last column; they are not measured here"""

ABOUT_LAYERS = """MACs:        multiply-adds for one image; biases, normalisation, activations, pooling and additions do not count
activations: numbers that a layer writes for one image
sees:        height × width of the input that one output can depend on, borders included; "all": the whole image"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="course", description="The networks of the course, and grading its exercises.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    command = add(commands, "models", show, "the networks of the course and what they cost")
    command.description = (
        "Without NAME: every network, with parameters, multiply-adds and published errors. With NAME: its layers."
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="a network, as the table names it: resnet-50")
    command.add_argument("--size", type=int, metavar="PIXELS", help="height and width of the image instead of the published ones")
    command.add_argument("--json", action="store_true", help="for programs")
    run.add_options(add(commands, "grade", run.grade_class, "grade a class: every hand-in in a folder, jailed"))
    command = add(commands, "doctor", examine, "which jail this machine gives to answers, proved by attacking it")
    command.add_argument("--level", choices=LEVELS, help="try this one (default: the best there is)")
    exercises = commands.add_parser("exercises", help="for authors of exercises").add_subparsers(metavar="COMMAND", required=True)
    verify.add_options(
        add(exercises, "verify", verify.main, "do the graded tests test: solutions, stubs, wrong answers, mutants")
    )
    similarity.add_options(add(commands, "similarity", similarity.main, "pairs of hand-ins that agree beyond the stub"))
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except ValueError as error:
        options.command.error(str(error))
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def add(commands, name: str, function: Callable[[argparse.Namespace], int], what: str) -> argparse.ArgumentParser:
    """A command that calls the function with its options."""
    command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:])
    command.set_defaults(run=function, command=command)
    return command


def examine(options: argparse.Namespace) -> int:
    from course_lib.grading import doctor

    return doctor.main(options.level)


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


if __name__ == "__main__":
    sys.exit(main())
