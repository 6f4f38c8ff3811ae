"""Every explorable under a finger, on a phone: each slider, switch and button does something, and is large enough to hit."""

import pytest

from course_lib.explorables import Explorable, names

SMALLEST = 24  # CSS pixels, WCAG 2.2, 2.5.8
CONTROLS = ".controls :is(input[type=range], .switch label, .choice span label, button)"


@pytest.fixture(scope="module")
def phone(chromium):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    yield context
    context.close()


def tap(page, control, place: float) -> None:
    control.scroll_into_view_if_needed()
    box = control.bounding_box()
    assert min(box["height"], box["width"]) >= SMALLEST, f"{control.evaluate('one => one.outerHTML')}: {box}"
    page.touchscreen.tap(box["x"] + place * box["width"], box["y"] + box["height"] / 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_a_finger_operates_every_control(phone, tmp_path, name):
    head = '<!DOCTYPE html><html lang="en"><meta name="viewport" content="width=device-width"><title>page</title>'
    (tmp_path / "page.html").write_text(head + Explorable(name)._repr_html_(), encoding="utf-8")
    page = phone.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    explorable = page.locator(f"course-{name}.live")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shown = explorable.locator(".view")
    for number in range(explorable.locator(CONTROLS).count()):
        control = explorable.locator(CONTROLS).nth(number)
        if not control.count() or control.evaluate("one => one.control?.type === 'radio' && one.control.checked"):
            continue  # gone with an earlier choice, or chosen already
        if control.get_attribute("aria-disabled") == "true" or control.is_disabled():
            continue
        before = shown.inner_html()
        tap(page, control, 0.1)
        if shown.inner_html() == before:
            tap(page, control, 0.9)  # a slider may have stood there
        assert shown.inner_html() != before, control.evaluate("one => one.outerHTML")
    parts = explorable.locator('.view [role="button"][aria-pressed]')
    if parts.count():
        before = shown.inner_html()
        parts.first.tap()
        assert shown.inner_html() != before
    page.close()
