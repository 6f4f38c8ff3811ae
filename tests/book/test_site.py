"""The built site, as its readers meet it: from the files, and in a browser, wide and narrow, light and dark."""

import base64
import hashlib
import html
import io
import itertools
import json
import math
import re
import unicodedata
from collections import Counter
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import pytest
from built_site import BRANCH, CONFIG, DOCUMENTS, NOTEBOOKS, REPOSITORY, ROOT, TOC, failures, watch
from check_links import Page, broken_links
from screenshots import SCHEMES, WIDTHS, settle, site_pages, site_prefix

# The files


def test_every_document_of_the_contents_has_a_page(site):
    missing = [document for document in DOCUMENTS if not (site / f"{document}.html").is_file()]
    assert not missing


def test_internal_links_and_anchors_lead_somewhere(site):
    count, broken = broken_links(site, site_prefix())
    assert count > 10 * len(DOCUMENTS), "the pages were not read"
    assert not broken, failures(broken)


def test_nothing_is_loaded_from_another_host(site, pages):
    """Scripts, styles, images and fonts are in the site; a link that the reader may follow is another matter."""
    outside = []
    for name in pages:
        for tag, relation, address in Page(site / name).addresses:
            loaded = tag not in ("a", "link") or set(relation.split()) & {"stylesheet", "icon", "preload", "manifest"}
            if loaded and (urlsplit(address).netloc or urlsplit(address).scheme not in ("", "data")):
                outside.append(f"{name}: <{tag}> {address}")
    for style in [*site.rglob("*.css"), *(site / name for name in pages)]:
        text = style.read_text(encoding="utf-8")
        found = re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", text)
        outside += [f"{style.name}: {address}" for address in found]
    assert not outside, failures(outside)


def test_policy_allows_only_this_host_and_the_scripts_of_the_page(pages):
    for name, page in pages.items():
        policies = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', page)
        assert len(policies) == 1, f"{name} has {len(policies)} policies"
        assert not re.search("<script|<style|<link", page.split("Content-Security-Policy")[0]), f"{name}: too late"
        rules = {rule.split()[0]: rule.split()[1:] for rule in policies[0].split(";")}
        assert rules["default-src"] == ["'none'"], name
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*"} & set(rules["script-src"]), name
        assert not [source for rule in rules.values() for source in rule if "://" in source], name
        for script in re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page, re.S):
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in rules["script-src"], f"{name} forbids its own script: {script[:60]}"


@pytest.mark.parametrize("document", NOTEBOOKS)
def test_notebook_page_offers_to_run_and_to_download_it(site, pages, document):
    addresses = {address for _, _, address in Page(site / f"{document}.html").addresses}
    owner_and_name = urlsplit(REPOSITORY).path.strip("/")
    assert f"https://colab.research.google.com/github/{owner_and_name}/blob/{BRANCH}/{document}.ipynb" in addresses
    assert f"https://mybinder.org/v2/gh/{owner_and_name}/{BRANCH}?urlpath=lab/tree/{document}.ipynb" in addresses
    assert f"{REPOSITORY}/edit/{BRANCH}/{document}.ipynb" in addresses
    download = site / f"_sources/{document}.ipynb"
    assert any((site / document).parent.joinpath(address).resolve() == download.resolve() for address in addresses)
    assert json.loads(download.read_text(encoding="utf-8"))["nbformat"] == 4


@pytest.mark.parametrize("document", NOTEBOOKS)
def test_notebook_page_shows_the_time_measured(pages, document):
    notebook = json.loads((ROOT / f"{document}.ipynb").read_text(encoding="utf-8"))
    seconds = notebook["metadata"].get("course", {}).get("seconds")
    shown = re.findall(r"Runs top to bottom in (\d+) s on 2 CPU cores\.", pages[f"{document}.html"])
    assert shown == ([] if seconds is None else [str(math.ceil(seconds))])
    assert seconds is not None or document.startswith("exercises/"), "the author's tool has not recorded a time"


@pytest.mark.parametrize("document", NOTEBOOKS)
def test_chapter_exercises_and_solutions_lead_to_each_other(pages, document):
    folder, name = document.split("/")
    facts = re.search(r'<p class="course-facts">(.*?)</p>', pages[f"{document}.html"], re.S)
    others = [f"{other}/{name}" for other in ("book", "exercises", "solutions") if other != folder]
    for other in (other for other in others if other in DOCUMENTS):
        assert facts and f'href="../{other}.html"' in facts[1], other


def test_pages_have_a_language_a_title_an_icon_and_one_heading(pages):
    for name, page in pages.items():
        assert '<html lang="en"' in page, name
        title = html.unescape(re.search(r"<title>\s*(\S.*?)\s*</title>", page, re.S)[1])
        parts = title.split(" — ")
        assert len(parts) == len(set(parts)) <= 2 and parts[-1] == CONFIG["title"], f"{name}: {title}"
        assert '<link rel="icon"' in page, name
        article = page[page.find("<article") :] if "<article" in page else page
        assert len(re.findall(r"<h1[\s>]", article)) == 1, name


def test_pages_are_valid_html(pages):
    """By the parser of the HTML standard, where every browser would have to guess; ids are used once."""
    html5lib = pytest.importorskip("html5lib", reason="reading pages as the standard says needs html5lib")
    wrong = []
    for name, page in pages.items():
        parser = html5lib.HTMLParser()
        parser.parse(page)
        wrong += [f"{name}, line {line}: {error} {facts}" for (line, _), error, facts in parser.errors]
        ids = Counter(re.findall(r'<[a-z][^<>]*?\sid="([^"]*)"', page))
        wrong += [f"{name}: id {one} {count} times" for one, count in ids.items() if count > 1]
    assert not wrong, failures(wrong)


def test_no_two_documents_share_a_title(pages):
    titles = [re.search(r"<title>(.*?)</title>", pages[f"{document}.html"], re.S)[1].strip() for document in DOCUMENTS]
    assert sorted(set(titles)) == sorted(titles)


CITATION = re.compile(
    r"([A-Z][\w’-]+(?: et al\.| and [A-Z]\w+)) \(?((?:19|20)\d\d[a-z]?)\b"
)  # "He et al. (2016a", "Wu and He 2018"


def ascii_text(markup: str) -> str:
    text = html.unescape(re.sub(r"<[^>]*>|[\[\]]", "", markup)).replace("ı", "i")
    return " ".join(unicodedata.normalize("NFKD", text).replace("’", "'").encode("ascii", "ignore").decode().split())


def test_a_number_and_its_sign_stay_on_one_line(pages):
    """A line must not end between 17 and %, at ±, or within r = 2; code, printed text and figures with scripts keep their own."""
    torn, places = [], r"\d[ \n]+[%±]|±[ \n]+\d|\b\w[ \n]+[=≥≤]|[=≥≤][ \n]+[\d−]"
    for document in DOCUMENTS:
        page = pages[f"{document}.html"]
        article = page[page.find("<article") : page.find("</article>")]
        text = re.sub(r"<(pre|code|script|svg|course-\w+)\b.*?</\1>|\\\(.*?\\\)|\\\[.*?\\\]", "", article, flags=re.S)
        text = html.unescape(re.sub(r"<[^>]*>", "", text))
        torn += [f"{document}: {words}" for words in re.findall(rf".{{0,30}}(?:{places}).{{0,9}}", text)]
    assert not torn, failures(torn)
    printed = re.findall(r"<pre>(.*?)</pre>", pages["book/01_degradation.html"], re.S)
    assert any("error 2.6 ± 0.2 %" in re.sub(r"<[^>]*>", "", text) for text in printed), "printed text was changed"


def test_every_citation_stands_among_the_references_as_the_text_writes_it(pages):
    """With its letter, where authors have two papers of a year."""
    labels = re.findall(r'<span class="label">(.*?)</span>\s*<p>', pages["book/references.html"], re.S)
    labels = [ascii_text(label) for label in labels]
    assert len(labels) == len(set(labels)) > 30
    assert labels == sorted(labels, key=str.lower), "a reader looks for a name in the order of the alphabet"
    missing, found = set(), 0
    for document in DOCUMENTS:
        page = pages[f"{document}.html"]
        for authors, year in CITATION.findall(ascii_text(page[page.find("<article") : page.find("</article>")])):
            found += 1
            if f"{authors} {year}" not in labels:
                missing.add(f"{document}: {authors} {year}")
    assert found > 100, "the citations were not read"
    assert not missing, failures(sorted(missing))


def test_blocks_of_text_pages_name_their_language():
    """Else commands for a terminal are coloured as Python."""
    for path in sorted(ROOT.glob("book/*.md")):
        fences = re.findall(r"^ *```(.*)$", path.read_text(encoding="utf-8"), re.M)
        opening = fences[::2]
        assert len(fences) % 2 == 0 and all(opening), f"{path.name}: {opening}"


def test_page_for_missing_addresses_leads_to_the_start_and_to_the_search(pages):
    page = pages["404.html"]
    links = re.findall(r'href="([^"]*)"', page[page.find("<article") : page.find("</article>")])
    assert {site_prefix(), f"{site_prefix()}search.html"} <= set(links)


def test_the_package_is_documented_under_headings_with_signatures_that_can_be_read(pages):
    page = pages["book/api.html"]
    signatures = [re.sub(r"<[^>]*>", "", part) for part in re.findall(r'<dt class="sig.*?</dt>', page, re.S)]
    assert len(signatures) > 100
    unreadable = [signature for signature in map(html.unescape, signatures) if re.search(r"<\w+|at 0x", signature)]
    assert not unreadable, failures(unreadable)
    modules = re.findall(r'id="module-(course_lib[\w.]*)"', page)
    headings = [re.sub(r"<[^>]*>", "", heading) for heading in re.findall(r"<h2>.*?</h2>", page)]
    assert [m for m in modules if not any(re.search(rf": {re.escape(m)}(?![\w.])", h) for h in headings)] == []
    indexed = set(re.findall(r"#module-(course_lib[\w.]*)", pages["py-modindex.html"]))
    named = {module for heading in headings for module in re.findall(r": (course_lib\.[\w.]+)", heading)}
    assert named and named <= indexed


def test_images_say_what_is_seen(pages):
    """Every picture of an article has an alternative text that is more than the name of its file."""
    silent = []
    for name, page in ((f"{document}.html", pages[f"{document}.html"]) for document in DOCUMENTS):
        for image in re.findall(r"<img\b[^>]*>", page[page.find("<article") : page.find("</article>")]):
            text = html.unescape(re.search(r'alt="([^"]*)"', image)[1]) if "alt=" in image else ""
            if len(text.split()) < 3:
                silent.append(f"{name}: {image[:160]}")
    assert not silent, failures(silent)


def test_address_of_the_site_is_used_where_it_must_be_absolute(site, pages):
    base = CONFIG["html"]["baseurl"]
    sitemap = ElementTree.parse(site / "sitemap.xml").getroot()
    listed = {location.text for location in sitemap.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")}
    assert {urljoin(base, f"{document}.html") for document in DOCUMENTS} <= listed
    assert f'href="{site_prefix()}_static/course.css' in pages["404.html"]
    start = f"{TOC['root']}.html"
    assert f'<link rel="canonical" href="{urljoin(base, start)}"' in pages["index.html"]
    assert f'<a href="{start}">' in pages["index.html"], "no way on without the redirection"


# The browser

BROWSER_PROBLEMS = """async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))); // boxes say where they go on
  const problems = [], width = document.documentElement.clientWidth, wide = document.documentElement.scrollWidth;
  if (wide > width) problems.push(`the page is ${wide} px wide`);
  const scrolls = (element) => {
    for (let box = element; box && box !== document.body; box = box.parentElement)
      if (getComputedStyle(box).overflowX !== "visible") return true;
    return false;
  };
  for (const element of document.querySelectorAll("article *")) {
    const { width: size, right } = element.getBoundingClientRect();
    if (!size || right <= width + 1 || getComputedStyle(element).position === "absolute" || scrolls(element)) continue;
    problems.push(`${element.tagName} ends at ${Math.round(right)} px: ${element.textContent.trim().slice(0, 50)}`);
    break;
  }
  for (const box of document.querySelectorAll(".bd-article *")) {
    const style = getComputedStyle(box), folded = box.closest("details:not([open])");
    if (!/auto|scroll/.test(style.overflowX) || box.scrollWidth <= box.clientWidth + 1) continue;
    const name = `${box.tagName} with ${box.textContent.trim().slice(0, 40)}`;
    if (width >= 1200 && box.matches(".cell_input pre")) problems.push(`a line of code is cut: ${name}`);
    else if (!folded && box.tabIndex !== 0) problems.push(`scrolls, but not by keyboard: ${name}`);
    else if (!folded && (style.boxShadow === "none") === (box.scrollWidth > box.clientWidth + 8))
      problems.push(`a shadow where nothing is hidden, or none where something is: ${name}`);
  }
  const count = (selector) => document.querySelectorAll(selector).length;
  const formulas = count("article .math"), set = count("article .math mjx-container");
  if (formulas !== set) problems.push(`${set} of ${formulas} formulas are set`);
  for (const fault of document.querySelectorAll("mjx-merror")) problems.push(`formula: ${fault.textContent}`);
  for (const image of document.querySelectorAll("article img"))
    if (!image.complete || !image.naturalWidth) problems.push(`image not shown: ${image.getAttribute("src")}`);
  return problems;
}"""


PARTS = 4  # so that the pages are shared out among the processes that run the tests


@pytest.mark.parametrize("part", range(PARTS))
def test_pages_in_the_browser(site, address, chromium, part, pytestconfig):
    """Wide and narrow, light and dark: no error, no other host, nothing wider than the screen, formulas set, pictures shown.

    ``make test`` sees each width and each theme once, ``make test-all`` every width in every theme.
    """
    from playwright.sync_api import Error as PlaywrightError

    every = list(itertools.product(WIDTHS, SCHEMES))
    found, looks = [], every if pytestconfig.getoption("--all") else list(zip(WIDTHS, SCHEMES, strict=True))
    context = chromium.new_context()
    for name in site_pages(site)[part::PARTS]:
        page = context.new_page()
        problems = watch(page, address)
        page.emulate_media(color_scheme=SCHEMES[0])
        page.goto(address + name)
        try:
            settle(page)
            for width, scheme in looks:
                page.set_viewport_size({"width": width, "height": 844})
                page.emulate_media(color_scheme=scheme)
                page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
                problems += [f"{width} px, {scheme}: {problem}" for problem in page.evaluate(BROWSER_PROBLEMS)]
        except PlaywrightError as error:
            problems.append(str(error).splitlines()[0])
        found += [f"{name}: {problem}" for problem in problems]
        page.close()
    context.close()
    assert not found, failures(found)


def test_root_leads_to_the_start_and_search_finds_a_term(address, chromium):
    page = chromium.new_page()
    problems = watch(page, address)
    page.goto(address)
    page.wait_for_url(f"**/{TOC['root']}.html")
    page.goto(f"{address}search.html?q=shortcut")
    page.wait_for_selector("#search-results li a")
    results = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.getAttribute('href'))")
    assert any("glossary" in result for result in results), results
    assert not problems, failures(problems)
    page.close()


WIDE_PARTS = """() => {
  const cells = "<td>a_word_of_some_length</td>".repeat(30), table = `<table class="table"><tr>${cells}</tr></table>`;
  document.querySelector("article section").insertAdjacentHTML("beforeend", `
    <div class="highlight"><pre>${"x = 1; ".repeat(60)}</pre></div>
    <div class="pst-scrollable-table-container">${table}</div>
    <div class="cell"><div class="cell_output"><div class="output text_html">${table}</div></div></div>
    <p>${"unbreakable".repeat(30)} <code>${"unbreakable".repeat(30)}</code></p>`);
}"""


def darkness(box, edge: str) -> float:
    """How much darker the first or last pixels of a box are than its middle, over its lowest rows."""
    picture = pytest.importorskip("PIL.Image", reason="looks at pixels").open(io.BytesIO(box.screenshot())).convert("L")
    width, height = picture.size
    column = {"left": 3, "right": width - 4}[edge]
    brightness = [sum(picture.getpixel((x, y)) for y in range(height - 8, height - 2)) / 6 for x in (width // 2, column)]
    return brightness[0] - brightness[1]


@pytest.mark.parametrize("part", ["table", "code"])
def test_a_wide_part_has_a_shadow_where_it_goes_on_and_arrow_keys_move_it(address, chromium, part):
    page = chromium.new_page(viewport={"width": 390, "height": 844}, color_scheme="light")
    page.goto(f"{address}{DOCUMENTS[0]}.html")
    page.evaluate(WIDE_PARTS)
    selector = {"table": ".pst-scrollable-table-container", "code": ".highlight pre"}[part]
    box = page.locator(selector).last
    box.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    assert darkness(box, "right") > 40 > 5 > abs(darkness(box, "left")), "at the start it goes on to the right"
    box.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert box.evaluate("box => box.scrollLeft") > 60
    box.evaluate("box => { box.blur(); box.scrollLeft = 100; }")
    page.wait_for_timeout(200)
    assert darkness(box, "right") > 40 < darkness(box, "left"), "in the middle it goes on to both sides"
    box.evaluate("box => { box.scrollLeft = 1e6; }")
    page.wait_for_timeout(200)
    assert darkness(box, "left") > 40 > 5 > abs(darkness(box, "right")), "at the end it is complete"
    page.close()


def test_printed_sentences_wrap_on_a_phone_and_printed_columns_do_not(address, chromium):
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{address}book/01_degradation.html")
    sentence = page.locator(".cell_output pre", has_text="plain-56 trains worse than plain-20").first
    assert sentence.evaluate("box => box.scrollWidth <= box.clientWidth")
    columns = page.locator(".cell_output pre", has_text="parameters  multiply-adds").first
    assert columns.evaluate("box => getComputedStyle(box).whiteSpace") == "pre"
    page.close()


def test_wide_parts_scroll_inside_their_own_box(address, chromium):
    """A page that gets a very wide table, program and word stays as wide as the screen."""
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{address}{DOCUMENTS[0]}.html")
    page.evaluate(WIDE_PARTS)
    assert page.evaluate(BROWSER_PROBLEMS) == []
    page.close()


GAPS = """(selector) => [...document.querySelectorAll(selector)].map((box) => {
  const ink = (one) => (one.querySelector(":scope > mjx-container") ?? one).getBoundingClientRect(); // a formula's box has air
  return Math.round(ink(box).top - ink(box.previousElementSibling).bottom);
})"""


def test_outputs_and_formulas_have_air_above_and_below(address, chromium):
    """A figure does not touch the text printed above it; a formula is as far from what follows as from what it follows."""
    page = chromium.new_page(viewport={"width": 1280, "height": 844})
    page.goto(f"{address}book/06_squeeze_excitation.html")
    settle(page)
    gaps = page.evaluate(GAPS, ".cell_output > .output + *")
    assert gaps and min(gaps) >= 16, gaps
    gaps = page.evaluate(GAPS, "p + div.math, div.math + *")
    assert len(gaps) > 3 and min(gaps) >= 16 and max(gaps) - min(gaps) <= 8, gaps
    page.close()


@pytest.mark.parametrize("width", [390, 1024])
def test_nothing_lies_over_the_text_of_a_phone_on_the_way_back_up(address, chromium, width):
    """The theme shows a button as soon as the reader scrolls upwards."""
    page = chromium.new_page(viewport={"width": width, "height": 844})
    page.goto(f"{address}book/01_degradation.html")
    page.mouse.move(width / 2, 400)
    for down in (4000, -500):
        page.mouse.wheel(0, down)
        page.wait_for_timeout(400)
    assert page.locator("#pst-back-to-top").is_visible() == (width > 576)
    page.close()


LINES = """(item) => {
  const text = document.createRange();
  text.selectNodeContents(item);
  return [...text.getClientRects()].map((line) => Math.round(line.left));
}"""


def test_folded_cells_show_that_they_open_and_results_hang_from_their_sign(address, chromium):
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{address}solutions/01_degradation.html")
    for name in ("Show the cell that installs the course on Colab", "Show the answer"):
        shown = page.locator("summary span", has_text=name).first
        assert shown.evaluate("one => getComputedStyle(one).display") == "list-item", f"{name} has no marker"
    first, second = page.locator(".course-check li", has_text="without bias").first.evaluate(LINES)
    assert second > first + 10, "the second line begins under the sign"
    page.close()
