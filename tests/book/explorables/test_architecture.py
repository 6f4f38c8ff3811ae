"""The architecture browser shows what stage_costs gives, at every depth, and unfolds by mouse, keyboard and without scripts."""

import json
from functools import cache

import pytest
import torch
from torch import nn

from course_lib import models
from course_lib.cost import Cost, stage_costs
from course_lib.explorables import HERE
from course_lib.explorables.architecture import Packed, browse, tree
from course_lib.results import load_networks

COSTS = ("parameters", "macs", "activations")
STORED = json.loads((HERE / "data" / "architecture.json").read_text(encoding="utf-8"))


@cache
def costs(name: str, depth: int) -> dict[str, Cost]:
    with torch.device("meta"):
        network = models.create(name)
    size = models.entry(name).size
    *rows, total = stage_costs(network, (3, size, size), depth)
    return {row.name: row for row in rows} | {"total": total}


def shown(root) -> dict[str, dict[str, str]]:
    """All numbers of the lines on the page, by part and kind of number."""
    pairs = root.locator(".tree [data-number]").evaluate_all("all => all.map(one => [one.dataset.number, one.dataset.value])")
    found: dict[str, dict[str, str]] = {}
    for name, value in pairs:
        what, path = name.removeprefix("share of ").split(" ", 1)
        if not name.startswith("share"):
            found.setdefault(path, {})[what] = value
    return found


def check(name: str, lines: dict[str, dict[str, str]]) -> int:
    """Compare the lines of one network with stage_costs; how many there were."""
    checked = 0
    for path, numbers in lines.items():
        if path == "total":
            expected = costs(name, 0)["total"]
        elif path.endswith(" itself") or "…" in path:
            continue
        else:
            expected = costs(name, path.count(".") + 1)[path]
            seen = "all" if expected.receptive_field is None else "×".join(map(str, expected.receptive_field))
            assert numbers["shape"] == ("×".join(map(str, expected.output_shape)) or "–")
            assert numbers["field"] == (seen if expected.output_shape else "–"), path
        for what in COSTS:
            assert int(numbers[what]) == getattr(expected, what), (path, what)
        checked += 1
    return checked


@pytest.mark.slow  # what a part holds, and the stored data, are compared in every run
def test_every_line_is_what_stage_costs_gives(live):
    one = live("architecture")
    for name, depth, least in (
        ("resnet-50", "stages", 7),
        ("resnet-50", "layers", 190),
        ("googlenet", "blocks", 30),
        ("inception-v3", "layers", 300),
        ("cifar-se-resnet-20", "layers", 100),
        ("small-xception", "layers", 70),
    ):
        one.set("network", name)
        one.set("depth", depth)
        assert check(name, shown(one.root)) >= least, (name, depth)


def test_what_a_part_holds_adds_up_to_it(live):
    one = live("architecture")
    one.set("network", "inception-resnet-v2")
    for path in ("stages.1", "stages.1.1…20", "stages.1.1"):
        one.root.locator(f'button[data-key="{path}"]').click()
    one.set("of", "the part above")
    lines = shown(one.root)
    assert "stages.1.1 itself" in lines, "the addition belongs to no part of the block"
    for path, inside in (
        ("stages.1", ("stages.1.0", "stages.1.1…20")),
        ("stages.1.1…20", [f"stages.1.{i}" for i in range(1, 21)]),
        (
            "stages.1.1",
            [line for line in lines if line == "stages.1.1 itself" or line.startswith("stages.1.1.") and line.count(".") == 3],
        ),
    ):
        for what in COSTS:
            assert int(lines[path][what]) == sum(int(lines[part][what]) for part in inside), (path, what)
            shares = [one.root.locator(f'[data-number="share of {what} {part}"]') for part in inside]
            assert sum(float(share.get_attribute("data-value")) for share in shares if share.count()) == pytest.approx(1)


def test_a_tree_unfolds_by_keyboard_and_by_its_boxes(live):
    one = live("architecture")
    button = one.root.locator('button[data-key="stages.1"]')
    button.press("ArrowRight")
    assert button.get_attribute("aria-expanded") == "true"
    assert "stages.1 (4 × Bottleneck)" in one.text()
    focused = "document.activeElement.dataset.key"
    one.page.keyboard.press("ArrowDown")
    assert one.page.evaluate(focused) == "stages.1.0", "the focus survives and walks on"
    one.page.keyboard.press("Enter")
    assert one.root.locator('[data-number="macs stages.1.0.branch.3"]').count() == 1, "a block shows its layers"
    one.page.keyboard.press("ArrowLeft")
    one.page.keyboard.press("ArrowLeft")
    one.page.keyboard.press("ArrowLeft")
    assert one.page.evaluate(focused) == "stages.1"
    assert button.get_attribute("aria-expanded") == "false"
    one.root.locator('[data-key="box stages.2"]').press("Enter")
    assert one.root.locator('button[data-key="stages.2"]').get_attribute("aria-expanded") == "true"
    one.set("network", "vgg-16")
    one.set("network", "resnet-50")
    assert one.root.locator('button[data-key="stages.2"]').get_attribute("aria-expanded") == "true", "what was open comes back"


def test_the_line_of_code_gives_the_lines(live):
    one = live("architecture")
    one.root.locator('button[data-key="stages.3"]').click()
    rows = eval(one.root.locator("pre").text_content(), {"stage_costs": stage_costs, "models": models})
    assert {f"stages.3.{i}" for i in range(3)} < {row.name for row in rows}


class Owned(nn.Module):
    """A network of a reader, with names and parts that the course has none of."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(3, 4, 3, padding=1), nn.Sequential(nn.Conv2d(4, 4, (1, 5)), nn.ReLU())])
        self.scale = nn.Parameter(torch.ones(3))
        self.never = nn.Linear(3, 4)
        self.add_module('<img src="x">', nn.Conv2d(4, 2, 1))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x * self.scale.sum())
        return getattr(self, '<img src="x">')(x)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_network_of_ones_own(chromium, scripts):
    context = chromium.new_context(java_script_enabled=scripts)
    page, problems = context.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_content(f"<!DOCTYPE html><html lang=en><title>page</title>{browse(Owned(), (3, 8, 8))._repr_html_()}</html>")
    root = page.locator("course-architecture")
    assert "225 parameters" in root.locator(".sentence").text_content()
    assert page.locator("img").count() == 0 and '<img src="x"> Conv2d 1×1' in " ".join(
        root.locator(".tree").text_content().split()
    )
    inner = root.locator(".tree").get_by_text("Conv2d 1×5")
    if scripts:
        assert root.locator("pre").count() == 0 and root.locator("select").count() == 0
        root.locator('button[data-key="layers.1"]').click()
        rows = {row.name: row for row in stage_costs(Owned(), (3, 8, 8), None)}
        lines = shown(root)
        for path in ("layers.0", "layers.1.0", "never"):
            assert [int(lines[path][what]) for what in COSTS] == [getattr(rows[path], what) for what in COSTS]
        assert lines["layers.1.0"]["field"] == "3×7"
        assert int(lines[" itself"]["parameters"]) == 3
    else:
        assert not inner.last.is_visible()
        root.locator("summary").click()
    assert inner.last.is_visible()
    context.close()
    assert not problems


def test_a_name_of_the_catalogue_opens_there(chromium):
    page = chromium.new_page()
    page.set_content(f"<!DOCTYPE html><html lang=en><title>page</title>{browse('small-mobilenet')._repr_html_()}</html>")
    root = page.locator("course-architecture")
    assert check("small-mobilenet", shown(root)) >= 4
    assert root.locator("option").count() == len(models.names())
    page.close()


def test_all_networks_are_stored_with_the_costs_of_the_record():
    def total(place: int) -> list[int]:
        _, shape, *sums, _ = STORED["parts"][place][:6]
        if not STORED["shapes"][shape]:
            return [0, 0, 0]  # the record leaves out auxiliary classifiers
        for child in sum(STORED["parts"][place][6:7], []):
            part, times = child if isinstance(child, list) else (child, 1)
            sums = [one + times * more for one, more in zip(sums, total(part), strict=True)]
        return sums

    assert [network[0] for network in STORED["networks"]] == models.names()
    record = load_networks().networks
    for name, _, _, root in STORED["networks"]:
        assert total(root) == [getattr(record[name], what) for what in COSTS], name


@pytest.mark.parametrize("name", ["alexnet", "cifar-resnet-20", "cifar-preact-resnet-110", "small-inception", "small-xception"])
def test_stored_data_are_those_of_the_code(name):
    [(_, colour, shape, place)] = [network for network in STORED["networks"] if network[0] == name]
    with torch.device("meta"):
        root = tree(models.create(name), tuple(shape))
    now = Packed()
    now.add(name, colour, tuple(shape), root)

    def spelled(data: dict, place: int):
        kind, output, *numbers = data["parts"][place]
        inside = [
            [spelled(data, child[0]), child[1]] if isinstance(child, list) else spelled(data, child)
            for child in sum(numbers[4:5], [])
        ]
        return [data["kinds"][kind], data["shapes"][output], *numbers[:4], inside, *numbers[5:]]

    assert spelled(json.loads(json.dumps(now.data())), now.networks[0][3]) == spelled(STORED, place)
