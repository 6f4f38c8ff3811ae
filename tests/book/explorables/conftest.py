"""An explorable in a browser, as a notebook shows it, operated and read as a reader would."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools")]

from screenshots import browser, find_chromium  # noqa: E402

from course_lib.explorables import Explorable  # noqa: E402


class Live:
    """A running explorable: set a control by its name, read numbers by theirs."""

    def __init__(self, page, name: str):
        self.page, self.problems = page, []
        page.on("console", lambda message: message.type == "error" and self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.set_content(f"<!DOCTYPE html><html lang=en><title>page</title>{Explorable(name)._repr_html_()}</html>")
        self.root = page.locator(f"course-{name}")

    def control(self, name: str):
        return self.root.locator(f'[data-control="{name}"]')

    def set(self, name: str, shown: str) -> None:
        """Move a control until it shows a text ("256", "3×3", "÷ 4"), by keyboard, as sliders are exact that way."""
        control = self.control(name)
        kind = next(kind for kind in ("range", "choice", "select", "switch") if kind in control.get_attribute("class").split())
        if kind == "range":
            control.locator("input").press("Home")
            for _ in range(int(control.locator("input").get_attribute("max")) + 1):
                if control.locator("output").text_content() == shown:
                    return
                control.locator("input").press("ArrowRight")
            raise AssertionError(f"{name} never shows {shown!r}")
        if kind == "choice":
            control.get_by_label(shown, exact=True).check(force=True)
        elif kind == "select":
            control.locator("select").select_option(label=shown)
        else:
            control.locator("input").set_checked(shown == "on")

    def shown(self, name: str) -> str:
        return self.control(name).locator("output").text_content()

    def number(self, name: str) -> float:
        """The exact value of a number on the page."""
        return float(self.root.locator(f'[data-number="{name}"]').first.get_attribute("data-value"))

    def text(self) -> str:
        return self.root.locator(".sentence").text_content()


@pytest.fixture(scope="session")
def chromium():
    pytest.importorskip("playwright.sync_api", reason="operating explorables needs Playwright (pip install playwright)")
    if find_chromium() is None:
        pytest.skip("operating explorables needs a Chromium of the system, and there is none on the PATH")
    with browser() as running:
        yield running


@pytest.fixture
def live(chromium):
    """``live(name)`` opens an explorable; at the end there must have been no error."""
    opened = []

    def show(name: str, **options) -> Live:
        page = chromium.new_page(viewport={"width": 800, "height": 900}, **options)
        opened.append(Live(page, name))
        return opened[-1]

    yield show
    for one in opened:
        one.page.close()
        assert not one.problems
