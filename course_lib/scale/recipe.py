"""Recipes: how a network is trained, as small data files, read from the papers line by line."""

import json
import math
from dataclasses import astuple, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from course_lib.training import check_positive

HERE = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class WarmUp:
    """A small rate until the training error (percent) has been below a bound once, for networks of some depth and more."""

    rate: float
    until_train_error: float
    from_depth: int


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run, but the network, the images and the seed.

    Args:
        source: paper and section.
        length: how long to train, in ``unit``: "iterations" (batches) or "epochs" (passes over the training images).
        batch_size: images of one step, over all devices together.
        rate: pairs (position, learning rate), positions in ``unit`` and rising, the first at 0.
        between: "steps" holds a rate until the next pair, "lines" draws straight lines between pairs.
        centre: "pixel" subtracts the mean image of the training set, "channel" the mean of each channel. In both cases
            each channel is divided by its deviation; where a network normalises its first maps, only the channels' ratios count.
        pad: zeros around an image of 32 pixels before a crop of the old size; for other sizes in proportion.
        flip: mirror every second image, drawn at random; left out for data whose mirror images mean something else (digits).
    """

    name: str
    source: str
    length: float
    unit: str
    batch_size: int
    rate: tuple[tuple[float, float], ...]
    between: str
    warm_up: WarmUp | None
    momentum: float
    nesterov: bool
    weight_decay: float
    label_smoothing: float
    centre: str
    pad: int
    flip: bool

    def iterations(self, images: int) -> int:
        """Batches of the whole run with that many training images. Batches run on over the end of an epoch: none is cut short."""
        return max(1, round(self.length * self.per_unit(images)))

    def epochs(self, images: int) -> float:
        """Passes over that many training images: 163.84 for 64,000 batches of 128 out of 50,000."""
        return self.length * self.batch_size / images if self.unit == "iterations" else self.length

    def per_unit(self, images: int) -> float:
        return 1 if self.unit == "iterations" else images / self.batch_size

    def rate_at(self, iteration: int, images: int) -> float:
        """Learning rate of the step after ``iteration`` steps, warm-up aside."""
        at = iteration / self.per_unit(images)
        if at >= self.rate[-1][0]:
            return self.rate[-1][1]
        (left, before), (right, after) = next(pair for pair in pairwise(self.rate) if at < pair[1][0])
        return before if self.between == "steps" else before + (after - before) * (at - left) / (right - left)

    def shortened(self, epochs: float, images: int) -> "Recipe":
        """The same recipe in that many epochs: every position of its schedule moves in proportion."""
        check_positive(epochs=epochs)
        part = epochs / self.epochs(images)
        return replace(self, length=self.length * part, rate=tuple((at * part, rate) for at, rate in self.rate))


def names() -> list[str]:
    """Recipes that come with the package."""
    return sorted(file.stem for file in HERE.glob("*.json"))


def load_recipe(name: str | Path) -> Recipe:
    """A recipe of the package by name, or one of your own from a JSON file of the same form.

    Raises:
        ValueError: if there is none of that name, or a value is missing, unknown or senseless; it names the file and the value.
    """
    path = HERE / f"{name}.json" if str(name) in names() else Path(name)
    if path.suffix != ".json" or not path.is_file():
        raise ValueError(f"no recipe {str(name)!r}; there are {', '.join(names())}, or pass the path of a JSON file like theirs")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from error
    return recipe_of(path.stem, stored)


def recipe_of(name: str, stored: Any) -> Recipe:
    """A recipe from what its file holds, every value checked."""
    wanted = {field.name for field in fields(Recipe)} - {"name"}
    if not isinstance(stored, dict) or set(stored) != wanted:
        found = set(stored) if isinstance(stored, dict) else set()
        missing, unknown = sorted(wanted - found), sorted(found - wanted)
        raise ValueError(
            f"recipe {name}: missing {missing or 'nothing'}, unknown {unknown or 'nothing'}; see a recipe of the package"
        )
    try:
        for field in ("length", "batch_size", "momentum", "weight_decay", "label_smoothing", "pad"):
            if not is_number(stored[field]):
                raise ValueError(f"{field}={stored[field]!r}: expected a number")
        warm_up = None if stored["warm_up"] is None else WarmUp(**stored["warm_up"])
        rate = tuple((float(at), float(value)) for at, value in stored["rate"])
        recipe = Recipe(**{**stored, "name": name, "rate": rate, "warm_up": warm_up})
        check_positive(length=recipe.length, batch_size=recipe.batch_size)
        positions = [at for at, _ in rate]
        wrong = [
            ("unit", recipe.unit in ("iterations", "epochs"), '"iterations" or "epochs"'),
            ("between", recipe.between in ("steps", "lines"), '"steps" or "lines"'),
            ("centre", recipe.centre in ("pixel", "channel"), '"pixel" or "channel"'),
            ("batch_size", isinstance(recipe.batch_size, int), "a whole number"),
            (
                "rate",
                positions[:1] == [0] and positions == sorted(set(positions)),
                "pairs (position, rate), the first at 0, rising",
            ),
            ("rate", all(value >= 0 for _, value in rate), "rates of 0 or more"),
            ("warm_up", warm_up is None or all(map(is_number, astuple(warm_up))), "null, or three numbers"),
            ("flip", isinstance(recipe.flip, bool), "true or false"),
            ("momentum", 0 <= recipe.momentum < 1, "in [0, 1)"),
            ("nesterov", isinstance(recipe.nesterov, bool), "true or false"),
            ("nesterov", not recipe.nesterov or recipe.momentum > 0, "false, or a momentum above 0"),
            ("weight_decay", recipe.weight_decay >= 0, "0 or more"),
            ("label_smoothing", 0 <= recipe.label_smoothing < 1, "in [0, 1)"),
            ("pad", isinstance(recipe.pad, int) and recipe.pad >= 0, "a whole number, 0 or more"),
        ]
        for field, right, expected in wrong:
            if not right:
                raise ValueError(f"{field}={stored[field]!r}: expected {expected}")
    except (TypeError, ValueError) as error:
        raise ValueError(f"recipe {name}: {error}") from error
    return recipe


def is_number(value: Any) -> bool:
    """Whether a value of a JSON file is a number to compute with: no true or false, no infinity."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
