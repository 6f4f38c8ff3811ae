"""The landscape shows the catalogue's errors, the recorded costs and their front; pointing, sorting and copying work."""

import importlib
import json
from math import log

import pytest

from course_lib import models
from course_lib.explorables import HERE
from course_lib.results import load_networks

RECORD = load_networks().networks
COSTS = {"multiply-adds": "macs", "parameters": "parameters", "activations": "activations", "memory": "peak_bytes"}
COSTS |= {"latency": "median"}
KEYS = {"macs": "macs", "parameters": "parameters", "activations": "activations", "memory": "peak_bytes", "latency": "median"}
CLASSES = {"ImageNet": 1000, "CIFAR-10": 10}
SIZES = {"macs": 1e9, "parameters": 1e6, "activations": 1e6, "memory": 1e6, "latency": 1}

TEXTS = """root => [...root.querySelectorAll("svg")].map(svg => {
    const box = node => { const b = node.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
    const texts = [...svg.querySelectorAll("text")].map(node => [node.textContent, box(node), "text"]);
    const paths = [...svg.querySelectorAll("[data-key^=point] path")];
    const points = paths.map(node => [node.parentNode.dataset.key, box(node), "point"]);
    return {frame: box(svg), parts: [...texts, ...points]};
})"""
MARKS = """root => [...root.querySelectorAll("[data-key^=point]")].map(node => [
    node.dataset.key.slice(6), ...node.querySelector("path").getAttribute("transform").match(/[0-9.]+/g).map(Number),
    node.querySelector("path").getAttribute("fill"), node.querySelector("path").getAttribute("d")])"""


def published(images: str) -> dict[str, models.Entry]:
    """Networks with an error on these images, by name."""
    entries = map(models.entry, models.names())
    return {entry.name: entry for entry in entries if entry.num_classes == CLASSES[images] and entry.top1}


def front(entries, cost: str) -> list[str]:
    """Networks of one crop than which no other is cheaper or as cheap, and better or as good, cheapest first."""
    points = {name: (getattr(RECORD[name], cost), one.top1) for name, one in entries.items() if "10 crops" not in one.source}
    beaten = {a for a, p in points.items() for q in points.values() if q != p and q[0] <= p[0] and q[1] <= p[1]}
    return sorted(points.keys() - beaten, key=points.get)


def part(one, key: str):
    return one.root.locator(f'[data-key="{key}"]')


def rows(one) -> list[str]:
    return one.root.locator("tbody th").all_text_contents()


def marked(one) -> list[str]:
    return [name.removesuffix(" ●") for name in rows(one) if name.endswith("●")]


def line(points: list[tuple[float, float]]) -> None:
    """Points lie on one line, to the tenth of a unit that coordinates have."""
    (x0, y0), (x1, y1) = min(points), max(points)
    for x, y in points:
        assert y == pytest.approx(y0 + (x - x0) * (y1 - y0) / (x1 - x0), abs=0.12)


def test_stored_data_are_those_of_the_catalogue_and_the_record():
    stored = json.loads((HERE / "data" / "landscape.json").read_text(encoding="utf-8"))
    assert stored == importlib.import_module("explorable_data.landscape").data()


def test_points_stand_at_their_numbers_and_every_front_is_named_without_overlaps(live):
    one = live("landscape")
    for images in CLASSES:
        one.set("images", images)
        entries = published(images)
        for axis in ("on", "off"):
            one.set("log", axis)
            for label, cost in COSTS.items():
                one.set("cost", label)
                state = (images, axis, label)
                marks = {name: rest for name, *rest in one.root.evaluate(MARKS)}
                assert marks.keys() == entries.keys(), state
                values = {name: getattr(RECORD[name], cost) for name in marks}
                line([(log(values[name]) if axis == "on" else values[name], x) for name, (x, *_) in marks.items()])
                line([(entries[name].top1, y) for name, (_, y, *_) in marks.items() if entries[name].top1 < 31])
                hollow = {name for name, (_, _, fill, _) in marks.items() if fill == "none"}
                assert hollow == {name for name, entry in entries.items() if "10 crops" in entry.source}, state
                above = [name for name, (_, _, _, shape) in marks.items() if shape.startswith("M-6 4")]
                assert above == (["alexnet"] if images == "ImageNet" else []), state
                expected = front(entries, cost)
                assert sorted(marked(one)) == sorted(expected), state
                about = f"{len(expected)} of the {len(entries) - len(hollow)} networks measured with one crop are on the front"
                assert f"{about} for {label}" in one.text()
                pictures = one.root.evaluate(TEXTS)
                assert {*expected} <= {text.split(" ")[0] for text, _, kind in pictures[0]["parts"] if kind == "text"}, state
                for picture in pictures:
                    check_free(picture, state)


def check_free(picture, state):
    """No text on another or on a point, nothing outside; boxes of texts are higher than their letters."""
    left, top, right, bottom = picture["frame"]
    texts = [part for part in picture["parts"] if part[2] == "text"]
    for what, a, _ in picture["parts"]:
        assert left - 1 < a[0] and a[2] < right + 1 and top - 1 < a[1] and a[3] < bottom + 1, (state, what)
    for i, (text, a, _) in enumerate(texts):
        for other, b, _ in [*texts[i + 1 :], *(part for part in picture["parts"] if part[2] == "point")]:
            apart = a[2] < b[0] + 3 or b[2] < a[0] + 3 or a[3] < b[1] + 3 or b[3] < a[1] + 3
            assert apart, (state, text, other)


def test_pointing_tapping_and_tabbing_show_the_numbers_of_the_network(live):
    one = live("landscape")

    def check(name):
        assert one.number("chosen.top1") == models.entry(name).top1
        for key, cost in KEYS.items():
            assert one.number(f"chosen.{key}") == one.number(f"{name}.{key}") == getattr(RECORD[name], cost), (name, key)
        assert part(one, f"point {name}").get_attribute("aria-pressed") == "true"

    check("vgg-16")
    assert "bn-inception has 25.20 % for 2.03 G" in one.text()
    assert "inception-resnet-v2 has 19.90 % for 13.2 G" in one.text()
    box = part(one, "point resnet-50").locator("path").bounding_box()
    one.page.mouse.move(box["x"] + 3, box["y"] + 3)
    check("resnet-50")
    box = part(one, "point plain-34").locator("path").bounding_box()
    one.page.mouse.click(box["x"] + 10, box["y"] - 10)  # beside it, as with a finger
    check("plain-34")
    assert "plain-34 does not count" in one.text()
    part(one, "point mobilenet").focus()
    one.page.mouse.move(0, 0)
    one.page.keyboard.press("Tab")
    check("alexnet")  # the next in cost
    one.page.keyboard.press("Tab")
    check("googlenet")
    part(one, "point senet-154").press("Enter")
    check("senet-154")
    assert "senet-154 is one of them, with 18.68 %" in one.text()
    part(one, "point resnet-50").press(" ")
    one.set("cost", "latency")
    assert "Less than 0.5 points of error apart can be chance." in one.text()


def test_kinds_left_out_leave_the_front_and_come_back(live):
    one = live("landscape")
    part(one, "kind squeeze-excitation").press("Enter")
    assert part(one, "kind squeeze-excitation").get_attribute("aria-pressed") == "false"
    rest = {name: entry for name, entry in published("ImageNet").items() if entry.family != "squeeze_excitation"}
    assert marked(one) == front(rest, "macs")
    assert "resnet-50" in marked(one) and "resnet-50" not in front(published("ImageNet"), "macs")
    part(one, "kind plain").click()
    assert one.root.locator('[data-key="point vgg-16"]').count() == 0
    assert "inception-resnet-v2 is one of them" in one.text(), "the best takes the place of a network that was left out"
    for kind in ("residual", "inception", "separable"):
        part(one, f"kind {kind}").click()
    assert one.text() == "No kind of network is shown."
    for kind in ("plain", "residual", "inception", "separable", "squeeze-excitation"):
        part(one, f"kind {kind}").click()
    assert "vgg-16, with 28.41 %" in one.text(), "the wish comes back when it is possible again"


def test_the_table_sorts_by_its_heads_and_copies_exact_numbers(live):
    one = live("landscape")
    one.root.locator("summary").click()
    names = [name for name in models.names() if models.entry(name).num_classes == 1000]
    sorted_heads = one.root.locator("th[aria-sort]")
    for times, direction in enumerate(("ascending", "descending")):
        part(one, "sort top1").press("Enter")
        assert sorted_heads.count() == 1 and sorted_heads.get_attribute("aria-sort") == direction
        assert part(one, "sort top1").evaluate("node => node === document.activeElement"), "the focus stays"
        shown = [name.removesuffix(" ●") for name in rows(one)]
        assert sorted(shown) == sorted(names)
        errors = [models.entry(name).top1 for name in shown]
        with_error = [error for error in errors if error]
        assert with_error == sorted(with_error, reverse=bool(times))
        assert errors[len(with_error) :] == [None] * (len(names) - len(with_error)), "without an error: last, both ways"
    part(one, "sort latency").click()
    shown = [name.removesuffix(" ●") for name in rows(one)]
    assert shown == sorted(shown, key=lambda name: RECORD[name].median)

    part(one, "copy").click()  # a frame that may not write to the clipboard: selected for the reader
    one.root.get_by_role("button", name="Selected").wait_for()
    assert "senet-154" in one.page.evaluate("getSelection().toString()")
    part(one, "sort latency").click()
    one.page.evaluate("navigator.clipboard = {writeText: async text => { window.copied = text; }}")
    part(one, "copy").click()
    one.root.get_by_role("button", name="Copied").wait_for()
    head, *lines = [row.split("\t") for row in one.page.evaluate("window.copied").split("\n")]
    assert head[:4] == ["network", "top-1 (%)", "top-5 (%)", "multiply-adds (G)"]
    assert [row[0] for row in lines] == shown[::-1]
    for name, top1, top5, *numbers in lines:
        entry = models.entry(name)
        assert [top1, top5] == ["" if error is None else f"{error:g}" for error in (entry.top1, entry.top5)], name
        for key, value in zip(KEYS, numbers, strict=False):
            assert round(float(value) * SIZES[key], 2) == getattr(RECORD[name], KEYS[key]), (name, key)
        assert numbers[-1] == entry.source
