"""Every explorable, whatever it shows: its stored picture is what its script draws, and it comes to life wherever it stands."""

import sys
from pathlib import Path

import pytest

from course_lib.explorables import HERE, STATIC, Explorable, names

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))

from explorables import still_picture  # noqa: E402


def test_every_script_has_a_picture():
    assert names() == sorted(file.stem for file in STATIC.glob("*.js") if file.stem not in ("kit", "quiz"))


@pytest.mark.parametrize("name", names())
def test_the_stored_picture_is_what_the_script_draws(chromium, name):
    page = chromium.new_page()
    drawn = still_picture(page, name)
    page.close()
    assert (HERE / "pictures" / f"{name}.html").read_text(encoding="utf-8") == drawn + "\n", "tools/explorables.py draw"


def test_two_of_a_kind_on_one_exported_page_both_live_and_neither_keeps_its_picture(chromium, tmp_path):
    """As in an HTML export of a notebook: the second is read while the script of the first has run already."""
    one = Explorable("cost")._repr_html_()
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><html lang=en><title>page</title>{one}{one}</html>", encoding="utf-8")
    page = chromium.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    for number in range(2):
        element = page.locator("course-cost").nth(number)
        assert element.locator(".controls").count() == element.locator(".figure").count() == 1
    page.close()


ON_A_PHONE = """(root) => {
  for (const one of root.querySelectorAll("details")) one.open = true;
  const box = (one) => one.getBoundingClientRect(), all = (selector) => [...root.querySelectorAll(selector)], problems = [];
  for (const one of all("caption"))
    if (box(one).right > box(one.closest(".scroll")).right + 1) problems.push(`cut off: ${one.textContent}`);
  for (const one of all("fieldset > legend"))
    if (box(one.nextElementSibling).top - box(one).bottom < 5) problems.push(`sits on its buttons: ${one.textContent}`);
  return problems;
}"""


@pytest.mark.parametrize("name", names())
def test_on_a_phone_captions_wrap_and_labels_keep_away_from_their_buttons(live, name):
    one = live(name)
    one.page.set_viewport_size({"width": 390, "height": 844})
    assert one.root.evaluate(ON_A_PHONE) == []
