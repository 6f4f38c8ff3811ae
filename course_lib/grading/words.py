"""The words of all reports, and how text that a student may have written is made harmless for each kind of file."""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from html import escape

FAILED = ("wrong", "raised", "time", "memory", "crash", "refused")  # tried, and no points for it
SYMBOLS = dict.fromkeys(FAILED, "✗") | {"passed": "✓", "blocked": "–", "not attempted": "○", "not gradable": "?", "error": "!"}
NAMES = {  # an outcome as a student reads it
    "raised": "stopped with an error",
    "time": "took too long",
    "memory": "needs too much memory",
    "crash": "crashed",
    "refused": "value not accepted",
    "blocked": "not tried",
    "error": "not graded yet",
}
ADVICE = {  # where to look, in addition to the message of the test
    "time": "Is there a loop that never ends, or a Python loop where one tensor operation would do?",
    "memory": "Which tensor or list is far larger than its inputs?",
    "crash": "Restart the kernel and run only this exercise: does the kernel die there too?",
    "blocked": "Another test of this exercise has to pass first.",
    "error": "This is no zero: your instructor sees it and grades it again.",
}
TONES = {"passed": "good", "error": "fault", "not gradable": "fault", "not attempted": "none", "blocked": "none"}

JOINERS = "\u200c\u200d"  # zero-width, but names in several scripts, and emoji, are not right without them
MARKUP = re.compile(r"([\\`*_{}\[\]#|~$^@]|:(?=[/:]))")
# A spreadsheet takes a cell for a formula that starts like this; one that splits at ; or , or tabs, or that miscounts the
# quotes, starts a cell there too. Full-width characters count.
FORMULA = re.compile('(^|[;,|"]\\s*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])')
MARKED = re.compile("(^|[;,|\"]\\s*)'(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}  # on Windows


def clean(text: object, limit: int = 2000) -> str:
    """The text without terminal codes, control, bidirectional, private and half characters; at most ``limit`` long.

    Line ends stay, all other white space becomes a space, and what cannot be shown U+FFFD. The rest is the student's.
    """
    text = str(text)[: 20 * limit]
    if not (text.isascii() and text.isprintable()):
        text = "".join(_shown(re.sub(r"\x1b\[[0-9;:?]*[ -/]*[@-~]", "", text).replace("\r\n", "\n")))
    text = text.strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _shown(text: str) -> Iterator[str]:
    marks = 0  # on top of the last letter; a tower of them would cover other people's lines
    for c in text:
        marks = marks + 1 if unicodedata.combining(c) else 0
        if marks <= 4:
            shown = c == "\n" or c.isprintable() or c in JOINERS
            yield c if shown else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}"


def line(text: object, limit: int = 500) -> str:
    """The same on one line."""
    return clean(" ".join(clean(text, 4 * limit).split()), limit)


def html(text: object) -> str:
    """The text inside an element or a quoted attribute of a page."""
    return escape(clean(text), quote=True)


def markdown(text: object) -> str:
    """The text on one line of Markdown: no markup, no link, no HTML, whichever dialect reads it."""
    text = escape(line(text), quote=False)
    return re.sub(r"(?i)\b(www)\.", r"\1&#46;", MARKUP.sub(r"\\\1", text))


def cell(text: object) -> str:
    """The text as a cell of a CSV file: one line, no formula."""
    return FORMULA.sub(r"\1'", line(text, 2000))


def from_cell(text: str) -> str:
    """What :func:`cell` was given."""
    return MARKED.sub(r"\1", text.strip())


def identifier(student: str) -> str:
    """The student as a cell can hold it, another text for every student: where it is not the same text, with a piece of hash."""
    text = from_cell(cell(student))
    return text if text == student and not re.search(r" #[0-9a-f]{8}$", text) else f"{text} #{_hash(student)}"


def number(value: float) -> str:
    """Points without noise: 3, 2.5, 0.333."""
    return format(round(value, 3), ".10g")


def chapter_name(chapter: str) -> str:
    """``06_squeeze_excitation`` as people say it: Chapter 6, squeeze excitation."""
    digits, _, words = chapter.partition("_")
    return f"Chapter {int(digits)}, {words.replace('_', ' ')}" if digits.isdecimal() and digits.isascii() and words else chapter


def file_name(student: str) -> str:
    """A file name (without ending) for a student's pages: harmless everywhere, and another one for every student.

    Where the identifier itself will not do (also not on a system that takes A for a), a piece of its hash is added.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", student).strip("._-")[:60]
    if name == student and name == name.lower() and name and name.split(".")[0] not in RESERVED:
        return name
    return f"{name.replace('.', '_') or 'student'}-{_hash(student)}"


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def columns(text: str) -> int:
    """Columns of a terminal that the text takes: two for wide characters, none for marks on top of others."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(c in JOINERS or unicodedata.combining(c) > 0 for c in text)
