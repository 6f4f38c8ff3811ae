"""What a graded test can end in."""

import re
from dataclasses import dataclass

import pytest

OUTCOMES = (
    "passed",
    "wrong",
    "raised",
    "time",
    "memory",
    "crash",
    "refused",
    "blocked",
    "not attempted",
    "not gradable",
    "error",
)
NO_MARK = frozenset({"not gradable", "error"})  # no student's fault: a hand-in with one of these has no total yet


@dataclass(frozen=True)
class Result:
    """One graded test on one answer.

    Outcomes: ``passed``; ``wrong`` (not the expected value); ``raised`` (the student's code raised); ``time``, ``memory``
    (a limit of the test was reached); ``crash`` (the answer's process ended or broke the protocol); ``refused`` (a value that
    may not cross the door); ``blocked`` (a test that this one needs did not pass); ``not attempted`` (missing or the stub);
    ``not gradable`` (the hand-in cannot be read) and ``error`` (the grader's own fault) are never held against the student.
    """

    test: str
    exercise: str
    points: float  # possible; see earned
    outcome: str  # one of OUTCOMES
    message: str = ""
    hint: str | None = None
    title: str = ""  # first line of the test's docstring
    visibility: str = "visible"  # as Gradescope calls it: visible, after_due_date, hidden
    instructor: str = ""  # what only the instructor sees
    cpu: float = 0.0  # CPU seconds of the answer's process
    seconds: float = 0.0  # on the clock

    @property
    def earned(self) -> float:
        return self.points if self.outcome == "passed" else 0


class NotAttempted(pytest.skip.Exception):
    """The answer is missing or still the stub."""

    outcome = "not attempted"

    def __init__(self, name: str):
        super().__init__(f"not attempted: {name}")
        self.name = name


class Raised(pytest.fail.Exception):
    """The student's code raised, or is not what a test can use at all (then ``kind`` is empty, and the outcome ``wrong``).

    Attributes:
        kind: name of the exception's type.
        text: its message.
    """

    def __init__(self, message: str, kind: str = "", text: str = ""):
        super().__init__(message, pytrace=False)
        self.kind, self.text = kind, text
        self.outcome = "raised" if kind else "wrong"


class Refused(pytest.fail.Exception):
    """A value came back that may not cross the door, and the test wanted to use it."""

    outcome = "refused"

    def __init__(self, message: str):
        super().__init__(message, pytrace=False)


class Stopped(pytest.fail.Exception):
    """The answer's process is gone: ``outcome`` is time, memory or crash, or error where the machine itself failed.

    No kind of :class:`Raised`: a test that expects an exception must not be content with a dead process.
    """

    def __init__(self, outcome: str, message: str, instructor: str = ""):
        super().__init__(message, pytrace=False)
        self.outcome, self.instructor = outcome, instructor


NOTHING = "nothing (None; did you forget `return`?)"  # what came back, in words


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
