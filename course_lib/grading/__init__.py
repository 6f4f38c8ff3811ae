"""Graded tests: plain pytest asserts that reach a student's answer through one narrow door.

A test file marks its tests with :func:`points` and takes the fixture ``answers`` (see :mod:`course_lib.grading.door`).
``check()`` in a notebook, ``pytest tests/exercises --submission FILE``, :func:`grade_source` and :func:`grade_notebook`
all run the same tests in the same way.
"""

from importlib import import_module

__all__ = ["Answers", "Handle", "NotAttempted", "Raised", "Result", "grade_notebook", "grade_source", "points"]

# pytest imports this package in every project of whoever installed the course: torch and the rest load on first use.
_HOMES = {"Answers": "door", "Handle": "door", "NotAttempted": "results", "Raised": "results", "Result": "results"}
_HOMES |= {"grade_notebook": "run", "grade_source": "run"}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def points(n: float, answer: str, hint: str | None = None):
    """Mark a graded test: it is worth ``n`` points and belongs to the exercise in which the student writes ``answer``.

    Args:
        n: points for passing, more than 0. A parametrised test gives them once per case.
        answer: name of the function or class the student writes; ``check(answer)`` runs the test.
        hint: one question or sentence that ``hint(answer)`` shows when the test fails.
    Raises:
        ValueError: if ``n`` is not a positive number or ``answer`` is not a name.
    """
    import pytest

    if isinstance(n, bool) or not isinstance(n, (int, float)) or not n > 0:
        raise ValueError(f"points({n!r}, …): expected a positive number of points")
    if not (isinstance(answer, str) and answer.isidentifier()):
        raise ValueError(f"points({n!r}, {answer!r}): the second argument is the name of a function or class")
    return pytest.mark.points(n, answer, hint=hint)
