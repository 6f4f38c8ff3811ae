"""An explorable in a browser, as a notebook shows it, operated and read as a reader would."""

import re

import pytest

from course_lib.explorables import Explorable


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
        """The sentence; no line can tear a number in it from its sign."""
        said = self.root.locator(".sentence").text_content()
        assert not re.search("[0-9] [%±]|± [0-9]", said), said
        return said.replace("\N{NO-BREAK SPACE}", " ")


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
