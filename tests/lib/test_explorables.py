"""Networks of a reader in the architecture browser: the numbers of stage_costs, and HTML that holds no more than names."""

import json
import re
from html import unescape

import pytest
import torch
import torchvision
from torch import nn

from course_lib.cost import count, stage_costs
from course_lib.explorables import names
from course_lib.explorables.architecture import browse, tree
from course_lib.models import cifar_resnet, create

COSTS = ("parameters", "macs", "activations")


def flat(part):
    return [part, *(inner for child in part.children for inner in flat(child))]


@pytest.mark.parametrize(("name", "size"), [("resnet18", 64), ("googlenet", 64), ("mobilenet_v2", 32), ("vit_b_16", 224)])
def test_parts_are_those_of_stage_costs_at_every_depth(name, size):
    options = {"init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        network = torchvision.models.get_model(name, **options)
    parts = {part.path: part.cost for part in flat(tree(network, (3, size, size)))}
    for depth in (1, 2, 3):
        rows = [row for row in stage_costs(network, (3, size, size), depth)[:-1] if not row.name.endswith(" itself")]
        found = [row for row in rows if parts.get(row.name) == row]
        missing = [row.kind for row in rows if row not in found]
        assert found and set(missing) <= {"ModuleList", "ModuleDict", "Sequential"}, missing
    layers = stage_costs(network, (3, size, size), None)[:-1]
    assert all(parts[row.name] == row for row in layers if not row.name.endswith(" itself"))


def test_a_part_is_the_sum_of_its_parts_and_itself():
    root = tree(create("resnet-50"), (3, 224, 224))
    assert [child.path for child in root.children] == ["stem", *(f"stages.{i}" for i in range(4)), "head"]
    for part in flat(root):
        if part.children:
            sums = [
                own + sum(getattr(child.cost, what) for child in part.children)
                for what, own in zip(COSTS, part.itself, strict=True)
            ]
            assert sums == [getattr(part.cost, what) for what in COSTS]
    block = root.children[1].children[0]
    assert block.itself == (0, 0, 256 * 56 * 56), "the sum of branch and shortcut"


def test_browsing_tells_the_totals_in_every_form():
    network = cifar_resnet(8).train()
    figure = browse(network, (3, 16, 16))
    total = count(network, (3, 16, 16))
    for text in (repr(figure), figure.element(), figure._repr_html_()):
        assert all(f"{getattr(total, what):,}" in text for what in COSTS)
    own = json.loads(unescape(re.search('data-own="(.*?)"', figure.element())[1]))
    assert own["networks"] == [["ConvNet", "neutral", [3, 16, 16], len(own["parts"]) - 1]]
    assert network.training


def test_names_cannot_become_html():
    network = type("<script>", (nn.Sequential,), {})()
    network.add_module('"><img src=x onerror=alert(1)>', nn.Conv2d(3, 4, 3))
    network.add_module("</course-architecture><script>", nn.Sequential(nn.ReLU()))
    html = browse(network, (3, 8, 8)).element()
    assert "<img" not in html and "<script" not in html
    assert html.count("</course-architecture>") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((nn.Conv2d(3, 4, 3),), "input_shape is missing"),
        ((nn.Conv2d(3, 4, 3), (1, 8, 8)), "pass the channels"),
        (("resnet-50", (3, 64, 64)), r"models.create\('resnet-50'\)"),
        (("resnet-51",), "near it: resnet-50"),
    ],
)
def test_a_wrong_call_says_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        browse(*arguments)


def test_the_browser_is_one_of_the_explorables():
    assert "architecture" in names()
