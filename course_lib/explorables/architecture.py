"""Any network as a tree to unfold, from stages to blocks to layers, each with its shape and its costs.

``browse`` makes the figure in a notebook; ``tools/explorable_data/architecture.py`` stores the networks of the course.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape

import torch
from torch import nn

from course_lib import models
from course_lib.cost import Cost, layer_costs, stage_costs
from course_lib.explorables import Explorable

COSTS = {"parameters": "parameters", "macs": "multiply-adds", "activations": "activations"}


def browse(model: nn.Module | str, input_shape: tuple[int, int, int] | None = None) -> Explorable:
    """A network to unfold, as the last line of a cell: ``browse(model, (3, 32, 32))``, or by its name in the catalogue.

    Without scripts the parts unfold too, with the same numbers. The network stays as it is, see ``stage_costs``.

    Args:
        input_shape: (C, H, W) of the image; for a name left out, as the catalogue knows it.
    Raises:
        ValueError: as ``stage_costs``; if the name is unknown; or if ``input_shape`` comes with a name, or misses with a network.
    """
    if isinstance(model, str):
        if input_shape is not None:
            raise ValueError(f"the catalogue gives {model!r} its input_shape; for another one pass models.create({model!r})")
        with torch.device("meta"):
            network = models.create(model)
        size = models.entry(model).size
        return Explorable("architecture", {"start": model}, fallback(model, (3, size, size), tree(network, (3, size, size))))
    if input_shape is None:
        raise ValueError("input_shape is missing: pass (channels, height, width) of an image, such as (3, 224, 224)")
    name, root, packed = type(model).__name__, tree(model, input_shape), Packed()
    packed.add(name, "neutral", input_shape, root)
    return Explorable("architecture", packed.data(), fallback(name, input_shape, root))


@dataclass
class Part:
    """A part of a network: its cost, all of it, and the parts that it is cut into, in the order of the run."""

    path: str
    cost: Cost
    children: list["Part"] = field(default_factory=list)

    @property
    def itself(self) -> tuple[int, ...]:
        """Parameters, MACs and activations that belong to none of its children, such as an addition's output."""
        return tuple(getattr(self.cost, what) - sum(getattr(child.cost, what) for child in self.children) for what in COSTS)


def tree(model: nn.Module, input_shape: tuple[int, int, int]) -> Part:
    """The parts of a network with the numbers that ``stage_costs`` gives for each at its own depth.

    Lists of modules give way to their members, and so does a sequence of sequences at the top, such as ``stages``.

    Raises:
        ValueError: as ``stage_costs``.
    """
    layers = layer_costs(model, input_shape)
    names = dict(model.named_modules())
    if len(names) == 1:  # a single layer is its own part
        return Part("", layers[-1], [Part(layers[0].name, layers[0])])
    parts = {"": Part("", layers[-1])}
    deepest = max(row.name.count(".") + 1 for row in layers[:-1])
    for depth in range(1, deepest + 1):
        for row in stage_costs(model, input_shape, depth)[:-1]:
            if row.name.count(".") == depth - 1 and row.name in names:
                parts[row.name] = Part(row.name, row)
                parts[row.name.rpartition(".")[0]].children.append(parts[row.name])
    return without_containers(parts[""], top=True)


def without_containers(part: Part, top: bool = False) -> Part:
    children = []
    for child in part.children:
        inner = without_containers(child)
        kinds = {grandchild.cost.kind for grandchild in child.children}
        stages = top and child.cost.kind == "Sequential" and kinds == {"Sequential"}
        hollow = stages or child.cost.kind in ("ModuleList", "ModuleDict")
        children += inner.children if hollow else [inner]
    return Part(part.path, part.cost, children)


def fallback(name: str, input_shape: tuple[int, int, int], root: Part) -> str:
    """The tree for readers without scripts: details within details, and a sentence."""
    totals = numbers([getattr(root.cost, what) for what in COSTS])
    sentence = escape(f"{name} for an image of {'×'.join(map(str, input_shape))}: {totals}.")
    return f'<div class="figure"><div class="tree">{"".join(details(root))}</div></div><p class="sentence">{sentence}</p>'


def details(part: Part) -> Iterator[str]:
    """The parts of a part, and what it has itself."""
    for child in part.children:
        cost = child.cost
        seen = "all" if cost.receptive_field is None else "×".join(map(str, cost.receptive_field))
        shape = f"output {'×'.join(map(str, cost.output_shape))}, sees {seen}" if cost.output_shape else ""
        about = [cost.kind, shape, numbers([getattr(cost, what) for what in COSTS])]
        name = child.path.removeprefix(part.path).removeprefix(".")
        text = f"<strong>{escape(name)}</strong> {escape(', '.join(filter(None, about)))}"
        inner = "".join(details(child))
        yield f"<details><summary>{text}</summary>{inner}</details>" if inner else f"<p>{text}</p>"
    if part.children and any(part.itself):
        yield f"<p><strong>itself</strong> {numbers(part.itself)}</p>"


def numbers(costs: Iterable[int]) -> str:
    """The costs that are not zero: "9,408 parameters, 118,013,952 multiply-adds"."""
    return ", ".join(f"{value:,} {label}" for value, label in zip(costs, COSTS.values(), strict=True) if value)


class Packed:
    """Trees as lists of numbers: what occurs twice, a block or a layer, is stored once, and sums are left to the reader.

    A part is [kind, shape, parameters, macs, activations, receptive field, children, names]: kind and shape by their place in the
    lists of those, costs without those of its children, the field as growth since the part before it. ``unpack`` in
    ``static/architecture.js`` is the other direction.
    """

    def __init__(self):
        self.tables: dict[str, dict[str, int]] = {"kinds": {}, "shapes": {}, "parts": {}}
        self.networks: list[list] = []

    def index(self, table: str, value) -> int:
        known = self.tables[table]
        return known.setdefault(json.dumps(value, separators=(",", ":"), ensure_ascii=False), len(known))

    def add(self, name: str, colour: str, input_shape: tuple[int, int, int], root: Part) -> None:
        self.networks.append([name, colour, list(input_shape), self.part(root, None)])

    def part(self, part: Part, before: tuple[int, int] | None) -> int:
        cost, children, inside = part.cost, [], before
        for child in part.children:
            children.append(self.part(child, inside))
            inside = child.cost.receptive_field if in_a_row(part) else before
        start = part.path and part.path + "."
        names = [child.path.removeprefix(start) for child in part.children]
        record = [self.index("kinds", cost.kind), self.index("shapes", cost.output_shape), *part.itself, growth(cost, before)]
        if children:
            record.append(runs(children))
            if names != [str(i) for i in range(len(names))]:
                record.append(names)
        return self.index("parts", record)

    def data(self) -> dict:
        return {**{name: [json.loads(key) for key in table] for name, table in self.tables.items()}, "networks": self.networks}


def in_a_row(part: Part) -> bool:
    return not part.path or part.cost.kind == "Sequential"


def growth(cost: Cost, before: tuple[int, int] | None) -> int | list[int] | None:
    """Receptive field as growth over that of the part before; None where every output sees the same, 0 where nothing changes."""
    now = cost.receptive_field
    if now == before or now is None:
        return 0 if now == before else None
    high, wide = (one - two for one, two in zip(now, before or (0, 0), strict=True))
    return high if high == wide else [high, wide]


def runs(children: list[int]) -> list:
    """The same child several times in a row as [child, times]."""
    packed: list = []
    for child in children:
        last = packed[-1] if packed else None
        if isinstance(last, list) and last[0] == child:
            last[1] += 1
        elif last == child:
            packed[-1] = [child, 2]
        else:
            packed.append(child)
    return packed
