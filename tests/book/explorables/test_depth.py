"""The depth explorable shows the recorded runs as course_lib.training reads them, and the course's code gives that record."""

import json
import re

import pytest
from explorable_data import depth as recorded

from course_lib.data import load_data
from course_lib.explorables import HERE
from course_lib.results import load_record
from course_lib.training import Summary

NETWORKS = json.loads((HERE / "data" / "depth.json").read_text(encoding="utf-8"))["networks"]
NAMES = {"plain": "plain", "residual": "ResNet"}
STATES = [(kind, depth) for kind in NETWORKS for depth in recorded.DEPTHS]

# Texts of a drawing that overlap, or that leave it.
CROWDED = """root => [...root.querySelectorAll("svg")].flatMap(svg => {
  const box = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].map(one => [one, one.getBoundingClientRect()]);
  const out = texts.filter(([, a]) => a.left < box.left - 1 || a.right > box.right + 1 || a.bottom > box.bottom + 1);
  const over = texts.filter(([, a], i) => texts.some(([, b], j) => j > i
    && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4));
  return [...out, ...over].map(([one]) => one.textContent);
})"""


def error(kind, depth, what="train_error", epoch=-1):
    return Summary(tuple(run[epoch] for run in NETWORKS[kind][str(depth)][what]))


def ratio(kind, depth, when):
    """First layer's gradient norm over the last layer's: the geometric mean over seeds."""
    return 10 ** Summary(tuple((run[0] - run[-1]) / 100 for run in NETWORKS[kind][str(depth)][when])).mean


def show(one, kind, depth):
    one.set("depth", f"{depth} layers")
    one.set("shortcuts", "on" if kind == "residual" else "off")


def test_numbers_are_those_of_the_recorded_runs(live):
    one = live("depth")
    for kind, depth in (("plain", 56), ("residual", 56), ("plain", 20), ("plain", 8)):
        show(one, kind, depth)
        for drawn in NETWORKS:
            assert one.number(f"end.{drawn}.{depth}") == pytest.approx(error(drawn, depth).mean, rel=1e-12, abs=1e-12)
            for when in ("before", "after"):
                assert one.number(f"ratio.{drawn}.{when}") == pytest.approx(ratio(drawn, depth, when), rel=1e-12)
                middle = Summary(tuple(run[1] / 100 for run in NETWORKS[drawn][str(depth)][when])).mean
                assert one.number(f"{when}.{drawn}.2") == pytest.approx(10**middle, rel=1e-12)
            for what in ("train_error", "test_error"):
                cell = one.root.locator(f'[data-number="{what}.{drawn}.3"]').text_content()
                assert cell.replace("\xa0", " ") == str(error(drawn, depth, what, epoch=2)), (drawn, depth, what)


def test_the_sentence_judges_as_clearly_above(live):
    one = live("depth")
    for kind, depth in STATES:
        show(one, kind, depth)
        said = one.text().replace("\xa0", " ")
        other = next(name for name in NETWORKS if name != kind)
        pattern = (
            rf"In epoch 8 {NAMES[kind]}-{depth} has (\S+) ± (\S+) % .* \({NAMES[other]}-{depth}\) (\S+) ± (\S+) %.* n = 3 seeds"
        )
        found = [float(text) for text in re.search(pattern, said).groups()]
        here, there = error(kind, depth), error(other, depth)
        assert found == pytest.approx([here.mean, here.std, there.mean, there.std], abs=0.0501)
        shallow = error(kind, 20)
        more, fewer = (here, shallow) if depth > 20 else (shallow, here)
        assert ("more layers train worse" in said) == (depth != 20 and more.clearly_above(fewer)), (kind, depth)
        assert ("train better" in said) == (depth != 20 and fewer.clearly_above(more)), (kind, depth)
        assert min(ratio(kind, depth, when) for when in ("before", "after")) > 1e-3, (
            "the gradient vanishes; the sentence denies it"
        )


def test_on_a_phone_one_row_of_controls_and_no_text_in_the_way(live):
    one = live("depth")
    one.page.set_viewport_size({"width": 360, "height": 640})
    tops = [one.control(name).bounding_box() for name in ("depth", "shortcuts")]
    assert tops[0]["y"] == tops[1]["y"]
    assert one.root.locator("svg").last.bounding_box()["y"] + 150 < 640
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 360
    for kind, depth in STATES:
        show(one, kind, depth)
        assert one.root.evaluate(CROWDED) == [], (kind, depth)


def test_the_record_tells_the_story_of_the_start():
    assert error("plain", 56).clearly_above(error("plain", 20))
    assert not error("residual", 56).clearly_above(error("residual", 20))
    assert error("plain", 56).clearly_above(error("residual", 56))


def test_the_record_agrees_with_the_chapters_records():
    for name, runs in load_record("longer").runs.items():
        kind, depth = name.split("-")
        for run in runs:
            stored = NETWORKS[{"plain": "plain", "ResNet": "residual"}[kind]][depth]
            assert stored["train_error"][run.seed] == run.train_error[:8], (name, run.seed)
            assert stored["test_error"][run.seed] == run.test_error[:8], (name, run.seed)


@pytest.mark.parametrize(("kind", "depth"), [("plain", 8), ("residual", 20), ("plain", 56)])
def test_gradients_before_training_are_those_of_the_probe(kind, depth):
    now = recorded.before_training(kind, depth, 0, load_data("digits"))
    assert now == pytest.approx(NETWORKS[kind][str(depth)]["before"][0], abs=1)  # hundredths of a decade
