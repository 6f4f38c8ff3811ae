"""The site for a reader with a cheap phone, without scripts, without a network, with a keyboard or a screen reader."""

import gzip
import re
import zipfile

import pytest
from built_site import DOCUMENTS, TOC, failures, watch
from screenshots import SCHEMES, WIDTHS, settle, site_pages, typeset

TEXT_PAGE, PAGE_WITH_MATHEMATICS = 400_000, 700_000  # bytes over the wire
PACKED = (".woff", ".woff2", ".png")  # what compression cannot make smaller
START = f"{TOC['root']}.html"
GALLERY = "book/explorables.html"
# Themes of the book's two colour schemes, and two widths: what axe finds depends on both. One page of each kind.
AUDITED = [START, GALLERY, "book/01_degradation.html", "book/10_choosing.html", "exercises/02_residuals.html",
           "solutions/02_residuals.html", "book/grading.html", "book/glossary.html", "book/references.html", "book/api.html",
           "search.html", "404.html"]  # fmt: skip


def bytes_of(file) -> int:
    return file.stat().st_size if file.suffix in PACKED else len(gzip.compress(file.read_bytes()))


@pytest.mark.slow
def test_pages_are_light(site, address, chromium):
    """What a first visit to each page loads, compressed as every host does."""
    heavy = []
    for document in [name for name in DOCUMENTS if re.match("book/(\\d|api|explorables|glossary|intro)", name)]:
        context = chromium.new_context(viewport={"width": 390, "height": 844})
        page = context.new_page()
        asked = set()
        page.on("request", lambda request, asked=asked: asked.add(re.split("[?#]", request.url)[0]))
        page.goto(f"{address}{document}.html")
        typeset(page)
        files = {site / url.removeprefix(address) for url in asked if url.startswith(address)}
        weight = sum(map(bytes_of, files))
        if weight > (PAGE_WITH_MATHEMATICS if any("mathjax" in str(file) for file in files) else TEXT_PAGE):
            largest = sorted(((bytes_of(file), file.name) for file in files), reverse=True)[:5]
            heavy.append(f"{document}: {weight / 1000:.0f} kB, most of it {largest}")
        context.close()
    assert not heavy, failures(heavy)


def test_first_screen_of_a_phone_says_what_this_is_and_shows_a_figure_to_play_with(address, chromium):
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(address + START)
    for selector in ("article h1", "course-depth .controls", "course-depth svg"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] <= 844, selector
    assert "for people who" in page.locator("article p").first.text_content()
    page.close()


def test_without_scripts_pages_show_every_figure_and_every_question(address, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + GALLERY)
    figures = page.locator(".explorable")
    assert figures.count() == 8
    for number in range(8):
        assert figures.nth(number).locator("svg").first.bounding_box()["height"] > 50
        assert len(figures.nth(number).locator(".sentence").text_content()) > 60
    page.goto(f"{address}book/01_degradation.html")
    assert page.locator("course-quiz li p").first.is_visible()
    assert not page.locator("course-quiz input").count()
    context.close()


@pytest.mark.parametrize("name", [START, GALLERY, "book/02_residuals.html"])
def test_unpacked_archive_works_from_a_disk(site, chromium, tmp_path, name):
    """The download of the whole site, opened without a server: figures react, formulas are set, nothing is asked for."""
    with zipfile.ZipFile(site / "course-offline.zip") as archive:
        archive.extractall(tmp_path)
    page = chromium.new_page()
    problems = watch(page, "file://")
    page.goto((tmp_path / "course" / name).as_uri())
    settle(page)
    assert page.locator("course-depth.live").count() == 1
    page.locator("course-depth input[type=checkbox]").first.check()
    assert page.locator("article .math").count() == page.locator("article .math mjx-container").count()
    page.close()
    assert not problems, failures(problems)


def test_archive_holds_the_site_and_leads_back_to_it(site):
    with zipfile.ZipFile(site / "course-offline.zip") as archive:
        names = {name.removeprefix("course/") for name in archive.namelist()}
        start = archive.read(f"course/{START}").decode()
    assert {f"{document}.html" for document in DOCUMENTS} | {"index.html", "search.html", "404.html"} <= names
    assert "course-offline.zip" not in names
    assert re.search(r'href="https://[^"]*/course-offline\.zip"', start)


def test_arrow_keys_turn_the_page_unless_something_has_the_keyboard(address, chromium):
    page = chromium.new_page()
    page.goto(address + START)
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/01_degradation.html")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**/{START}")
    slider = page.locator("course-depth input[type=range]").first
    slider.focus()
    before = slider.input_value()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    assert page.url.endswith(START) and slider.input_value() != before
    page.close()


def test_what_messengers_show_of_a_page(site, pages):
    for document in DOCUMENTS:
        page = pages[f"{document}.html"]
        facts = dict(re.findall(r'<meta property="(og:[\w:]+)" content="([^"]*)"', page))
        assert {"og:title", "og:description", "og:url", "og:image", "og:image:alt"} <= facts.keys(), document
        assert facts["og:url"].endswith(f"{document}.html") and facts["og:image"].startswith("https://")
        assert "$" not in facts["og:description"] and "\\" not in facts["og:description"], document
    assert (site / "_static/card.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(address, chromium, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    found = []
    context = chromium.new_context(viewport={"width": width, "height": 844}, bypass_csp=True)
    for name in AUDITED:
        page = context.new_page()
        page.goto(address + name)
        settle(page)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
            page.wait_for_timeout(300)  # colours of the theme change in steps
            for violation in axe.run(page).response["violations"]:
                node = violation["nodes"][0]
                found.append(f"{name}, {scheme}: {violation['id']} × {len(violation['nodes'])}: {node['html'][:150]}")
        page.close()
    context.close()
    assert not found, failures(found)


def test_every_page_is_audited_or_of_an_audited_kind(site):
    kinds = {name.partition("/")[0] for name in AUDITED}
    assert {name.partition("/")[0] for name in site_pages(site)} - {"genindex.html", "py-modindex.html"} <= kinds
