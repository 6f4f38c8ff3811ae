"""What a graded test can end in."""

import re
from dataclasses import dataclass

import pytest

OUTCOMES = ("passed", "failed", "not attempted", "error")


@dataclass(frozen=True)
class Result:
    """One graded test on one answer. An ``error`` is the grader's own fault and is never held against the student."""

    test: str
    exercise: str
    points: float  # possible; see earned
    outcome: str  # one of OUTCOMES
    message: str = ""
    hint: str | None = None
    title: str = ""  # first line of the test's docstring

    @property
    def earned(self) -> float:
        return self.points if self.outcome == "passed" else 0


class NotAttempted(pytest.skip.Exception):
    """The answer is missing or still the stub."""

    def __init__(self, name: str):
        super().__init__(f"not attempted: {name}")


class Raised(pytest.fail.Exception):
    """The student's code raised; ``kind`` is the name of the exception's type, ``text`` its message, as strings."""

    def __init__(self, message: str, kind: str = "", text: str = ""):
        super().__init__(message, pytrace=False)
        self.kind, self.text = kind, text


def type_name(value) -> str:
    """What to call an object that nobody may ``repr``."""
    try:
        return str(type(value).__name__)
    except BaseException:
        return "object"


def printable(text: str) -> str:
    """The text without control characters (they act on a terminal) and half characters (they cannot be written)."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def safe_text(error: BaseException) -> str:
    """The exception's message: never raises, no longer than a paragraph, the same in every run."""
    try:
        text = str(error)
    except BaseException:
        return "(its message cannot be read)"
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", printable(text))
    return text if len(text) <= 600 else text[:600] + " …"
