"""The controls of a live page: what a reader without a kernel sees, and what a press of the button does."""

import sys

import matplotlib.pyplot as plt
import pytest

from course_lib.workbench import WIDGET_VIEW, Workbench

runs = []


def draw(depth=20, shortcuts=False):
    runs.append((depth, shortcuts))
    if depth == 0:
        raise KeyboardInterrupt
    figure, ax = plt.subplots(figsize=(depth / 20, 1))
    return figure


@pytest.fixture
def bench():
    runs.clear()
    return Workbench(draw, depth=(0, 20, 40), shortcuts=(False, True))


def parts(bench):
    row, _, image = bench.panel(b"first").children
    return {one.description: one for one in row.children}, image


def test_without_a_kernel_the_figure_of_the_defaults_is_there(bench):
    shown = bench._repr_mimebundle_()
    assert shown["image/png"].startswith(b"\x89PNG") and runs == [(20, False)]
    assert set(shown) == {"text/plain", "image/png", WIDGET_VIEW}
    assert "draw(depth=20, shortcuts=False)" in shown["text/plain"] and "depth: 0, 20, 40" in shown["text/plain"]
    assert not plt.get_fignums(), "the notebook would show the figure a second time"


def test_the_button_runs_the_function_with_what_is_chosen(bench):
    controls, image = parts(bench)
    assert image.value == b"first" and not runs
    controls["depth"].value, controls["shortcuts"].value = 40, True
    controls["Run"].click()
    assert runs == [(40, True)] and bytes(image.value).startswith(b"\x89PNG")
    assert controls["Run"].description == "Run" and not controls["Run"].disabled


def test_an_interrupted_run_keeps_the_picture_and_the_controls(bench, capsys):
    controls, image = parts(bench)
    controls["depth"].value = 0
    controls["Run"].click()
    assert image.value == b"first" and not controls["Run"].disabled and "stopped" in capsys.readouterr().out


def test_an_error_leaves_the_button_usable(caplog):
    def fails(depth=1):
        raise ValueError(f"depth={depth}")

    controls, image = parts(Workbench(fails, depth=(1,)))
    controls["Run"].click()
    assert "depth=1" in caplog.text, "in a notebook it stands under the button"
    assert image.value == b"first" and not controls["Run"].disabled


def test_without_ipywidgets_the_picture_says_what_is_missing(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    shown = bench._repr_mimebundle_()
    assert set(shown) == {"text/plain", "image/png"} and "%pip install ipywidgets" in shown["text/plain"]


@pytest.mark.parametrize(
    ("choices", "words"),
    [({"width": (1,)}, "width is no argument of draw; it takes depth, shortcuts"), ({"depth": (8, 9)}, r"depth=20.*\[8, 9\]")],
)
def test_choices_that_do_not_fit_are_refused(choices, words):
    with pytest.raises(ValueError, match=words):
        Workbench(draw, **choices)
