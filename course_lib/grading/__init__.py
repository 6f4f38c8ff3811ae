"""Graded tests: plain pytest asserts that reach a student's answer through one narrow door.

A test file marks its tests with :func:`points` and takes the fixture ``answers`` (see :mod:`course_lib.grading.door`).
``check()`` in a notebook, ``pytest tests/exercises --submission FILE``, :func:`grade_source` and :func:`grade_notebook`
all run the same tests in the same way.
"""

from importlib import import_module

__all__ = ["Answers", "Handle", "NotAttempted", "Raised", "Refused", "Result", "grade_notebook", "grade_source", "points"]

# pytest imports this package in every project of whoever installed the course: torch and the rest load on first use.
_HOMES = {
    "Answers": "door",
    "Handle": "door",
    "NotAttempted": "results",
    "Raised": "results",
    "Refused": "results",
    "Result": "results",
}
_HOMES |= {"grade_notebook": "run", "grade_source": "run"}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def points(
    n: float,
    answer: str,
    hint: str | None = None,
    *,
    visibility: str = "visible",
    needs: str | tuple[str, ...] = (),
    seconds: float = 3,
    memory: int = 300,
):
    """Mark a graded test: it is worth ``n`` points and belongs to the exercise in which the student writes ``answer``.

    Args:
        n: points for passing, more than 0. A parametrised test gives them once per case.
        answer: name of the function or class the student writes; ``check(answer)`` runs the test.
        hint: one question or sentence that ``hint(answer)`` shows, with those of the other tests that failed.
        visibility: ``"visible"``; ``"after_due_date"`` or ``"hidden"``: the student sees the outcome but neither the message
            nor what the answer printed or raised (``"hidden"``: not even the title).
        needs: the test of the same file, or tests, that must have passed; otherwise this one is ``blocked``.
        seconds: CPU time for the answer's process in a jailed run; on the clock it may take three times as long and ten more.
        memory: MB (10⁶ bytes) for the answer's process in a jailed run.
    Raises:
        ValueError: if ``n``, ``seconds`` or ``memory`` is not a positive number, or another argument is none of the above.
    """
    import pytest

    for name, value in (("n", n), ("seconds", seconds), ("memory", memory)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
            raise ValueError(f"points({n!r}, …): {name}={value!r}, expected a positive number")
    if not (isinstance(answer, str) and answer.isidentifier()):
        raise ValueError(f"points({n!r}, {answer!r}): the second argument is the name of a function or class")
    if visibility not in ("visible", "after_due_date", "hidden"):
        raise ValueError(f"points({n!r}, {answer!r}): visibility={visibility!r}, expected visible, after_due_date or hidden")
    needs = (needs,) if isinstance(needs, str) else tuple(needs)
    if not all(isinstance(name, str) and name.isidentifier() for name in needs):
        raise ValueError(f"points({n!r}, {answer!r}): needs={needs!r}, expected names of tests")
    limits = {"needs": needs, "seconds": seconds, "memory": memory}
    return pytest.mark.points(n, answer, hint=hint, visibility=visibility, **limits)
