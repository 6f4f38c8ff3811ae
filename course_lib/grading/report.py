"""Results as text and as HTML: the same words, nothing that changes from run to run."""

from collections.abc import Iterable
from html import escape

from course_lib.grading.results import OUTCOMES, Result

SYMBOLS = dict.fromkeys(OUTCOMES, "✗") | {"passed": "✓", "not attempted": "○", "not gradable": "!", "error": "!"}
WORDS = {"wrong": "failed", "raised": "failed"}  # the reason below the line tells them apart


def by_exercise(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The results by exercise, in the order of the tests."""
    table: dict[str, list[Result]] = {}
    for result in results:
        table.setdefault(result.exercise, []).append(result)
    return table


def score(results: Iterable[Result]) -> str:
    results = list(results)
    return f"{sum(r.earned for r in results):g} of {sum(r.points for r in results):g} points"


def line(result: Result) -> str:
    word = WORDS.get(result.outcome, result.outcome)
    return f"{SYMBOLS[result.outcome]} {word} ({result.earned:g} of {result.points:g}): {result.title}"


def text(results: Iterable[Result], total: bool = True) -> str:
    """A block per exercise: its points, then every test with its outcome and the reason."""
    lines = []
    table = by_exercise(results)
    for exercise, tests in table.items():
        lines.append(f"{exercise}: {score(tests)}")
        for test in tests:
            lines.append(f"  {line(test)}")
            lines += [f"      {part}" for part in reason(test).splitlines()]
    if total:
        lines.append(f"total: {score(result for tests in table.values() for result in tests)}")
    return "\n".join(lines)


def html(results: Iterable[Result]) -> str:
    """The same for a notebook. No colours of its own: it reads in light and in dark."""
    parts = []
    for exercise, tests in by_exercise(results).items():
        items = ""
        for test in tests:
            why = "".join(f"<br>{escape(part)}" for part in reason(test).splitlines())
            items += f"<li>{escape(line(test))}{why}</li>"
        parts.append(
            f"<p><strong>{escape(exercise)}</strong>: {score(tests)}</p><ul style='list-style:none;padding-left:0'>{items}</ul>"
        )
    return f'<div class="course-check">{"".join(parts)}</div>'


def reason(result: Result) -> str:
    """Why the test did not pass, where that says more than the line above it."""
    said = result.message == result.title or result.message.startswith(f"not attempted: {result.exercise}")
    return "" if said else result.message
