"""``course train``: a run by a recipe, from a terminal."""

import argparse
import json
import os
import shlex
import sys
import time
from typing import Any

from course_lib.data import load_data
from course_lib.scale.recipe import load_recipe
from course_lib.scale.run import Stopped, train


def main(options: argparse.Namespace) -> int:
    """Train, and tell the result; returns the exit status.

    Raises:
        ValueError: for wrong usage, as ``train`` and ``load_data`` do.
    """
    recipe = load_recipe(options.recipe)
    if options.download and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ValueError("--download is for one process: fetch the data once without torchrun, then leave it out")
    lines = Lines()
    try:
        data = load_data(options.data, options.root, image_size=options.image_size, download=options.download)
        result = train(
            options.model,
            data,
            recipe,
            epochs=options.epochs,
            options=dict(map(chosen, options.set)),
            seed=options.seed,
            device=options.device,
            precision=options.precision,
            compiled=options.compile,
            folder=options.out,
            command=shlex.join(["course", *sys.argv[1:]]),
            say=lines,
        )
    except Stopped as stopped:
        print(f"\n{stopped}", file=sys.stderr)
        return 130
    except (OSError, FloatingPointError, MemoryError) as error:  # a lost connection and a missing file are OSErrors
        print(f"\ncourse train: {error}", file=sys.stderr)
        return 1
    if int(os.environ.get("RANK", 0)):  # of several processes one speaks
        return 0
    first, last = result.curve.train_error[0], result.curve.train_error[-1]
    print(
        f"{result.model} on {result.data}, {recipe.name}, seed {result.seed}: test error {result.test_error:.2f} %, "
        f"training error from {first:.1f} to {last:.1f} % in {result.epochs:.4g} epochs; {result.images_per_second:,.0f} images/s"
    )
    print(f"recorded in {options.out}" if lines.told else f"was recorded in {options.out} before: nothing was left to do")
    return 0


def chosen(text: str) -> tuple[str, Any]:
    """NAME=VALUE of ``--set``; numbers, true and false as such, anything else as text."""
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise ValueError(f"--set {text!r}: expected NAME=VALUE, such as shortcut=C or cardinality=4")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


class Lines:
    """Progress on a line that rewrites itself; where nobody watches, a line for each pass and each minute."""

    def __init__(self):
        self.told = False  # whether there was anything to tell
        self.width, self.pause = 0, 0.2 if sys.stdout.isatty() else 60
        self.next = time.monotonic() + self.pause

    def __call__(self, line: str, ends: bool) -> None:
        self.told, watched = True, sys.stdout.isatty()
        if not ends and time.monotonic() < self.next:
            return
        self.next = time.monotonic() + self.pause
        text = "\r" + line.ljust(self.width) if watched else line
        self.width = 0 if ends else len(line)
        print(text, end="\n" if ends or not watched else "", flush=True)
