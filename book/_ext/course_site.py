"""What the course adds to Jupyter Book: facts under titles, an index page, a security policy, repairs of the theme.

It acts on the built site only, and a second pass over its own result changes nothing.
"""

import base64
import hashlib
import html
import json
import math
import re
import sys
import zipfile
from collections import _tuplegetter
from pathlib import Path
from string import ascii_lowercase
from typing import Union
from urllib.parse import urljoin, urlsplit

from docutils import nodes
from docutils.parsers.rst import Directive
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting import BaseSortingStyle
from sphinx.ext.autodoc.mock import _MockObject
from sphinx.transforms import SphinxTransform
from sphinx.util import inspect

sys.path.insert(0, str(Path(__file__).parents[2]))  # autodoc reads course_lib from the checkout, installed or not

from course_lib import explorables  # noqa: E402

# Annotations such as ``Tensor | None`` are evaluated on import; Sphinx's stand-in for torch knows no "|".
_MockObject.__or__ = lambda self, other: Union[self, other]  # noqa: UP007
_MockObject.__ror__ = lambda self, other: Union[other, self]  # noqa: UP007

# Icons of the buttons, 24×24 strokes of our own. The theme's way is a script of 1.5 MB that draws 2,000 of them.
ICONS = {
    "angle-left": "M15 5l-7 7 7 7",
    "angle-right": "M9 5l7 7-7 7",
    "arrow-up": "M12 20V4m-7 7l7-7 7 7",
    "bars": "M3 6h18M3 12h18M3 18h18",
    "circle-half-stroke": "M12 3a9 9 0 0 0 0 18a9 9 0 0 0 0-18v18m2-17v16m2.5-15v14m2-12v10",
    "download": "M12 3v12m-6-6l6 6 6-6M4 20h16",
    "file": "M6 3h8l5 5v13H6zM14 3v5h5",
    "file-pdf": "M6 9V3h12v6M6 18H3V9h18v9h-3M6 14h12v7H6z",
    "github": "M7 7v10M7 3a2 2 0 1 0 0 4a2 2 0 1 0 0-4M7 17a2 2 0 1 0 0 4a2 2 0 1 0 0-4"
    "M17 5a2 2 0 1 0 0 4a2 2 0 1 0 0-4M17 9c0 4-10 3-10 6",
    "lightbulb": "M9 18h6M10 21h4M12 3a6 6 0 0 0-4 10.5c1 1 1 2 1 4.5h6c0-2.5 0-3.5 1-4.5A6 6 0 0 0 12 3",
    "list": "M8 6h13M8 12h13M8 18h13M3 6h1M3 12h1M3 18h1",
    "magnifying-glass": "M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13M15.5 15.5L21 21",
    "moon": "M20 14.5A8.5 8.5 0 1 1 9.5 4A7 7 0 0 0 20 14.5z",
    "pencil-alt": "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
    "rocket": "M8 14c-1-5 1-9 4-12c3 3 5 7 4 12zM8 10l-4 5v4l4-3M16 10l4 5v4l-4-3M12 7v2M10 18l2 4l2-4",
    "sun": "M12 7a5 5 0 1 0 0 10a5 5 0 0 0 0-10M12 1v2M12 21v2M1 12h2M21 12h2"
    "M4.2 4.2l1.5 1.5M18.3 18.3l1.5 1.5M4.2 19.8l1.5-1.5M18.3 5.7l1.5-1.5",
}
ICON = re.compile(r'<(i|span) class="([^"]*\bfa[bsr]\b[^"]*|[^"]*\bfa-(?:solid|brands|regular)\b[^"]*)"([^>]*)></\1>')

# Faults of the theme, most of them found by axe-core: pattern, replacement. None matches what it has put there itself.
VIEWPORT = '<meta name="viewport" content="[^"]*" ?/>'
REPAIRS = [
    # the accessible name of a control contains the text that is seen
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (r'(<button class="btn search-button-field[^>]*?) title="Search" aria-label="Search"', r"\1"),
    (r'="Color mode"', '="Colour mode"'),
    (r'(<button class="sidebar-toggle [^>]*?) title="(Toggle \w+ sidebar)"', r'\1 aria-label="\2" data-bs-title="\2"'),
    # the title of the window: the start page says its name once, and all pages separate alike
    (r"<title>(.*?) &#8212; \1</title>", r"<title>\1</title>"),
    (r"<title>Search - ", "<title>Search &#8212; "),
    # the search page
    (r"<h1>Search</h1>", "<h1>Search the course</h1>"),
    # an empty heading of pages without contents
    (r"<h1></h1>", ""),
    # no paragraph inside <summary> and in the link of the logo
    (r'<p class="((?:collapsed|expanded) admonition-title)">(.*?)</p>', r'<span class="\1">\2</span>'),
    (r'<p class="title logo__title">(.*?)</p>', r'<span class="title logo__title">\1</span>'),
    # everything lies in a landmark, and the items of a list are items
    (r'<div id="pst-primary-sidebar" class="([^"]*)">',
     r'<div id="pst-primary-sidebar" class="\1" role="complementary" aria-label="Contents of the course">'),
    (r'(<div class="citation" id="[^"]*" role=)"doc-biblioentry"', r'\1"listitem"'),
    # an address in an attribute is text like any other
    (r'(href="[^"]*/issues/new\?[^"]*?)&(?!amp;)', r"\1&amp;"),
    # a word of code that may break, at best between its parts
    (r'<span class="pre">((?:&\w+;|[^<&]){28,})</span>',
     lambda word: f'<span class="pre long">{re.sub(r"(?<=[./_])(?=[a-z])", "<wbr>", word[1])}</span>'),
    # the empty corner of a table heads nothing
    (r'<th class="head"><p></p></th>', "<td></td>"),
    # a wide equation scrolls in its box, also by keyboard
    (r'<div class="math notranslate nohighlight">', '<div class="math notranslate nohighlight" tabindex="0">'),
    # pictures load as the reader comes near them
    (r'<img (?![^>]*loading=)(?=[^>]*\bsrc="[^"]*_images/)', '<img loading="lazy" '),
    # tags that occur two and three times, and the script that drew the icons
    (rf"({VIEWPORT})(.*?){VIEWPORT}", r"\1\2"),
    (rf"({VIEWPORT})(.*?){VIEWPORT}", r"\1\2"),
    (r'\s*<!-- So that users can add custom icons -->\s*<script defer src="[^"]*/fontawesome\.js[^"]*"></script>', ""),
]  # fmt: skip
REPAIRS = [(re.compile(pattern, re.S), replacement) for pattern, replacement in REPAIRS]
# Only the search page reads the search index; the theme loads it everywhere.
SEARCH_SCRIPTS = re.compile(r'\s*<script src="[^"]*(?:/searchtools|/language_data|searchindex)\.js[^"]*"></script>')

# The element of an explorable, as `course_lib.explorables` and `course_lib.quizzes` write it.
EXPLORABLE = re.compile(r"<course-([a-z]+) ")

# A number and what belongs to it stay on one line: "17 %", "6.6 ± 0.4 %", "r = 2"; each may be a formula, a node of its own.
SPLIT = re.compile("|".join([
    r"(?:(?<=\d)|^)[ \n](?=%)", r"(?:(?<=[\d%])|^)[ \n](?=±)", r"(?<=±)[ \n](?=\d|$)",
    r"(?:(?<=\b\w)|^)[ \n](?=[=≥≤<>×] )", r"(?:(?<=^[=≥≤<>×])|(?<= [=≥≤<>×]))[ \n](?=[\d−])",
]))  # fmt: skip
VERBATIM = (nodes.literal, nodes.FixedTextElement, nodes.math, nodes.math_block, nodes.raw)

# The first words of an exercise, which do not fit where the answers are.
TO_DO = ("Replace each line `raise NotImplementedError(…)` by your code and run the cell below it: ",
         "Here each answer is folded; try it in the exercise notebook first. There, in the cell below it, ")  # fmt: skip
CELL = re.compile(r"`(\d\d_\w+)#([\w-]+)`")
WORDS_PER_MINUTE = 200  # of a text that is thought about
OFFLINE = "course-offline.zip"
CARD = "_static/card.png"  # what others show beside a link; tools/card.py draws it

NOT_FOUND = """<section>
<h1>Page not found</h1>
<p>There is no page at this address. It may have a typing error, or the page has moved; chapters keep their numbers.</p>
<p>Go to <a href="{start}">the start page</a>, which lists all chapters, or <a href="{search}">search the course</a>.</p>
</section>
"""

# Sphinx loads MathJax on the first page too, because pages below it have equations.
MATHJAX = re.compile(r"\s*<script>window\.MathJax = .*?</script>\s*<script[^>]*/tex-chtml\.js[^>]*></script>", re.S)
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.S)
HANDLER = re.compile(r'\son[a-z]+="([^"]*)"')
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>\s*')


def cited_as(entry):
    """What the text says for an entry, "He et al. 2016". The year is that of its key: a journal may print a paper years later."""
    last = [" ".join(map(str, person.rich_prelast_names + person.rich_last_names)) for person in entry.persons["author"]]
    authors = " and ".join(last) if len(last) < 3 else f"{last[0]} et al."
    return f"{authors} {re.search('[0-9]{4}', entry.key)[0]}"


class SortedAsCited(BaseSortingStyle):
    def sorting_key(self, entry):
        return cited_as(entry).lower(), entry.fields["title"]


class LabelsAsCited(BaseLabelStyle):
    """A letter tells entries of the same authors and year apart."""

    def format_labels(self, entries):
        names = [cited_as(entry) for entry in entries]
        for i, name in enumerate(names):
            yield name + (ascii_lowercase[names[:i].count(name)] if names.count(name) > 1 else "")


class StyleAsCited(PlainStyle):
    default_label_style = LabelsAsCited
    default_sorting_style = SortedAsCited


def setup(app):
    register_plugin("pybtex.style.formatting", "as-cited", StyleAsCited)
    app.add_directive("explorable", ExplorableDirective)
    app.add_transform(KeepTogether)
    app.connect("config-inited", derive_settings)
    app.connect("source-read", name_solutions)
    app.connect("source-read", fill_in)
    app.connect("doctree-read", name_cells)
    app.connect("doctree-read", name_folded_cells)
    app.connect("doctree-read", mark_sentences)
    app.connect("html-page-context", add_page_facts)
    app.connect("html-page-context", load_explorables)
    app.connect("html-page-context", describe)
    app.connect("autodoc-process-signature", true_signature)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("build-finished", finish_pages)
    # Another version lets a build over an older one read all pages again: raise it with what changes their reading.
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}


def derive_settings(app, config):
    """The missing-page page needs absolute addresses; take their prefix from the one address of the site."""
    config.notfound_urls_prefix = prefix = urlsplit(config.html_baseurl).path or "/"
    config.notfound_context = {"title": "Page not found", "body": NOT_FOUND.format(start=prefix, search=f"{prefix}search.html")}


def true_signature(app, what, name, obj, options, signature, return_annotation):
    """Show the parameters of ``__init__`` for a class: a mocked base hides them behind ``(*args, **kwargs)``.

    A default that a dataclass makes anew each time is shown as the call that makes it, ``list()``.
    """
    if what == "class" and "__init__" in vars(obj):
        parameters = inspect.signature(vars(obj)["__init__"], bound_method=True)
        shown = inspect.stringify_signature(parameters, show_annotation=False)
        made = lambda name: f"{name[1]}={obj.__dataclass_fields__[name[1]].default_factory.__name__}()"  # noqa: E731
        return re.sub(r"(\w+)=<factory>", made, shown), return_annotation
    return None


def skip_fields(app, what, name, obj, skip, options):
    """Leave out the fields of named tuples, of which Python says no more than their number; the signature names them."""
    return True if isinstance(obj, _tuplegetter) else None


class KeepTogether(SphinxTransform):
    """No-break spaces where a line would tear a number from its sign. Code, formulas and printed text stay as they are.

    A transform, as the list of contents takes the titles right after the transforms.
    """

    default_priority = 880

    def apply(self, **kwargs):
        for text in list(self.document.findall(nodes.Text)):
            joined = SPLIT.sub("\N{NO-BREAK SPACE}", text)
            # The question over a folded answer is HTML in the notebook.
            if joined != text and (not isinstance(text.parent, VERBATIM) or text.startswith("<details><summary>")):
                text.parent.replace(text, nodes.Text(joined))


def name_solutions(app, docname, source):
    """A solution is its exercise page word for word; only the site, which shows both, has to tell them apart."""
    if docname.startswith("solutions/"):
        source[0] = source[0].replace('"# Exercises ', '"# Solutions ', 1).replace(*TO_DO, 1)


def fill_in(app, docname, source):
    """Tables of the reference pages that are made from the notebooks, and links to cells: `03_inception#train-claim`."""
    if docname == "book/timings":
        source[0] = source[0].replace("```{timings}\n```", timings(Path(app.srcdir)))
    if docname == "book/claims":
        source[0] = CELL.sub(r'<a class="reference internal" href="\1.html#cell-\2">\2</a>', source[0])


def timings(root):
    """A table of the seconds that are stored in the notebooks."""
    rows = ["| notebook | seconds | processor seconds, all cores |", "|---|--:|--:|"]
    for path in sorted(path for folder in ("book", "exercises") for path in (root / folder).glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        title = "".join(notebook["cells"][0]["source"]).partition("\n")[0].lstrip("# ")
        course = notebook["metadata"].get("course", {})
        if "seconds" in course:  # it was run
            link = f"[{title}](../{path.parent.name}/{path.name})"
            rows.append(f"| {link} | {math.ceil(course['seconds'])} | {math.ceil(course['cpu_seconds'])} |")
    return "\n".join(rows)


def name_cells(app, doctree):
    """Give every cell of a notebook an anchor, ``cell-`` and its id, for links to it."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for node in doctree.findall(nodes.container):
            if "cell_index" in node:
                node["ids"].append(f"cell-{cells[node['cell_index']]['id']}")


def name_folded_cells(app, doctree):
    """Call a folded cell what it is: the set-up of the notebook, or an answer."""
    names = {"tag_setup": "cell that installs the course on Colab", "tag_answer": "answer"}
    for cell in doctree.findall(nodes.container):
        for tag, name in names.items():
            if "prompt_show" in cell and tag in cell["classes"]:
                cell["prompt_show"], cell["prompt_hide"] = f"Show the {name}", f"Hide the {name}"


def mark_sentences(app, doctree):
    """Name printed text without columns (two spaces inside a line): it may wrap on a phone."""
    for output in doctree.findall(nodes.container):
        if "cell_output" in output["classes"]:
            for text in output.findall(nodes.literal_block):
                if not re.search(r"\S  +\S|^ ", text.astext(), re.M):
                    text["classes"].append("sentences")


def add_page_facts(app, pagename, templatename, context, doctree):
    """Under a notebook's title: how long it runs, and the way between chapter, exercises and solutions."""
    facts = page_facts(app, pagename, context["pathto"]) if doctree is not None else ""
    if facts:
        context["body"] = context["body"].replace("</h1>", f'</h1>\n<p class="course-facts">{facts}</p>', 1)


def describe(app, pagename, templatename, context, doctree):
    """What search engines and messengers show of a page: its title, its first sentences, the card of the course."""
    if doctree is None or not context.get("pageurl"):
        return
    texts = (node.astext() for node in doctree.findall(nodes.paragraph) if len(node.astext()) > 60)
    about = " ".join(next(texts, "").split())
    about = about if len(about) <= 200 else about[:200].rpartition(" ")[0] + " …"
    facts = {"og:type": "article", "og:site_name": app.config.html_title, "og:title": context["title"]}
    facts |= {"og:url": context["pageurl"], "og:description": about, "og:image": urljoin(app.config.html_baseurl, CARD)}
    facts["og:image:alt"] = "Deep network architectures: training error of a plain and of a residual network with 56 layers"
    tags = [f'<meta property="{name}" content="{html.escape(html.unescape(text))}" />' for name, text in facts.items()]
    tags += [f'<meta name="description" content="{html.escape(about)}" />']
    tags += ['<meta name="twitter:card" content="summary_large_image" />']
    context["metatags"] = context.get("metatags", "") + "\n    " + "\n    ".join(tags)


def reading_minutes(notebook):
    """Minutes to read the text of a notebook."""
    text = " ".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    return math.ceil(len(re.findall(r"\w+", text)) / WORDS_PER_MINUTE)


def page_facts(app, pagename, pathto):
    source = Path(app.env.doc2path(pagename))
    if source.suffix != ".ipynb":
        return ""
    facts = []
    notebook = json.loads(source.read_text(encoding="utf-8"))
    if pagename.startswith("book/"):
        facts.append(f"About {reading_minutes(notebook)} minutes to read.")
    seconds = notebook["metadata"].get("course", {}).get("seconds")
    if seconds is not None:
        facts.append(f"Runs top to bottom in {math.ceil(seconds)} s on 2 CPU cores.")
    folder, _, name = pagename.rpartition("/")
    for other, label in (("book", "Chapter"), ("exercises", "Exercises"), ("solutions", "Solutions")):
        page = f"{other}/{name}"
        if other != folder and page in app.env.found_docs:
            facts.append(f'<a class="reference internal" href="{pathto(page)}">{label}</a>')
    return " ".join(facts)


def load_explorables(app, pagename, templatename, context, doctree):
    """Let a page load the scripts and the style of the explorables that it holds, and no others."""
    found = sorted(set(EXPLORABLE.findall(context.get("body", ""))))
    if found:
        app.add_css_file("explorables/explorable.css")
        for name in ("kit", *found):  # in this order
            app.add_js_file(f"explorables/{name}.js", loading_method="defer")


class ExplorableDirective(Directive):
    """```{explorable} NAME``` on a page of text."""

    required_arguments = 1

    def run(self):
        return [nodes.raw("", explorables.Explorable(self.arguments[0]).element(), format="html")]


def write_explorables(static):
    """Scripts and style of the explorables, each script with its data."""
    folder = static / "explorables"
    folder.mkdir(exist_ok=True)
    for name in ("kit.js", "explorable.css"):
        (folder / name).write_text((explorables.STATIC / name).read_text(encoding="utf-8"), encoding="utf-8")
    for path in explorables.STATIC.glob("*.js"):
        if path.stem != "kit":
            (folder / path.name).write_text(explorables.script(path.stem), encoding="utf-8")


def finish_pages(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    write_explorables(static)
    for useless in ("*.map", "*.ttf", "*macros.html", "fontawesome.js"):
        for path in static.rglob(useless):
            path.unlink()
    write_index(app, out)
    write_sitemap(app, out)
    pages = {path: repair(path.read_text(encoding="utf-8"), path.name) for path in out.rglob("*.html")}
    handlers = {html.unescape(code) for page in pages.values() for code in HANDLER.findall(page)}
    for path, page in pages.items():
        # The policy comes before all that it governs. The search page parses the others: all handlers everywhere.
        page = page.replace('<meta charset="utf-8" />', f'<meta charset="utf-8" />\n    {policy(page, handlers)}', 1)
        if page != path.read_text(encoding="utf-8"):
            path.write_text(page, encoding="utf-8")
    write_offline_copy(app, out)


def write_offline_copy(app, out):
    """The whole site as one archive, the same for the same pages; in it, the link to the archive leads to the published one."""
    address = urljoin(app.config.html_baseurl, OFFLINE)
    (out / OFFLINE).unlink(missing_ok=True)
    with zipfile.ZipFile(out / f"{OFFLINE}.part", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(out.rglob("*")):
            if path.is_file() and path.name not in (".buildinfo", "objects.inv", f"{OFFLINE}.part"):
                data = path.read_bytes()
                if path.suffix == ".html":
                    data = re.sub(rb'href="[./]*' + OFFLINE.encode(), f'href="{address}'.encode(), data)
                archive.writestr(zipfile.ZipInfo(f"course/{path.relative_to(out).as_posix()}"), data, zipfile.ZIP_DEFLATED)
    (out / f"{OFFLINE}.part").rename(out / OFFLINE)


def repair(page, name):
    page = ICON.sub(draw_icon, POLICY.sub("", page))
    if 'class="math' not in page:
        page = MATHJAX.sub("", page)
    for pattern, replacement in REPAIRS:
        page = pattern.sub(replacement, page)
    return page if name == "search.html" else SEARCH_SCRIPTS.sub("", page)


def draw_icon(match):
    """The icon as SVG in the page; one that we have no drawing for stays as it is and comes from the theme's font."""
    classes = match[2].split()
    name = next((c[3:] for c in classes if c.startswith("fa-") and c[3:] in ICONS), None)
    if name is None:
        return match[0]
    kept = " ".join(c for c in classes if not c.startswith("fa") or c == "fa-lg")
    mode = re.search(r'data-mode="[a-z]+"', match[3])
    return (
        f'<svg class="icon icon-{name} {kept}" {mode[0] if mode else ""} viewBox="0 0 24 24" aria-hidden="true">'
        f'<path d="{ICONS[name]}"/></svg>'
    )


def policy(page, handlers):
    """A tag that lets the page load from its own host only, and run no script but these."""
    hashes = sorted({sha256(code) for code in INLINE_SCRIPT.findall(page)})
    if handlers:
        hashes += ["'unsafe-hashes'", *sorted(map(sha256, handlers))]
    rules = {
        "default-src": ["'none'"],
        "script-src": ["'self'", *hashes],
        "style-src": ["'self'", "'unsafe-inline'"],  # MathJax and drawings set styles
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],  # the search page fetches the pages it quotes
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
    }
    content = "; ".join(f"{name} {' '.join(values)}" for name, values in rules.items())
    return f'<meta http-equiv="Content-Security-Policy" content="{content}" />\n    '


def sha256(code):
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def write_index(app, out):
    """A valid page at the root instead of a bare redirection."""
    start = app.builder.get_target_uri(app.config.root_doc)
    title = html.escape(app.config.html_title)
    (out / "index.html").write_text(
        f"""<!DOCTYPE html>
<html lang="{app.config.language}">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta http-equiv="refresh" content="0; url={start}" />
    <title>{title}</title>
    <link rel="canonical" href="{urljoin(app.config.html_baseurl, start)}" />
    <link rel="icon" href="_static/favicon.svg" />
  </head>
  <body>
    <main>
      <h1>{title}</h1>
      <p><a href="{start}">To the course</a></p>
    </main>
  </body>
</html>
""",
        encoding="utf-8",
    )


def write_sitemap(app, out):
    base, pages = app.config.html_baseurl, map(app.builder.get_target_uri, sorted(app.env.found_docs))
    entries = "".join(f"  <url><loc>{html.escape(urljoin(base, page))}</loc></url>\n" for page in pages)
    (out / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{entries}</urlset>\n',
        encoding="utf-8",
    )
