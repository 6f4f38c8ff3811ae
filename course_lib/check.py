"""Feedback inside a notebook: ``check("name")``, ``hint("name")``, ``done()``."""

import sys
from html import escape
from types import FunctionType

from course_lib.grading import report, run
from course_lib.grading.results import Result

_last: dict[str, list[Result]] = {}  # results of the last check, by exercise


def check(name: str) -> None:
    """Run the course's tests of one exercise on what this notebook defines, and show what they found.

    What the answer prints stays hidden. An answer that fails, or is missing, is reported and never raised.

    Raises:
        ValueError: if the course has no exercise of that name.
    """
    _require_known(name)
    names = sys._getframe(1).f_globals
    file = next(file for file in run.test_files({name} | _written(names)) if name in run.exercises(file))
    _last[name] = results = list(run.run_tests(file, names, name).values())
    _show(report.text(results, total=False), report.html(results))


def hint(name: str) -> None:
    """Show the hint of the first test that failed in the last ``check(name)``.

    Raises:
        ValueError: if the course has no exercise of that name.
    """
    _require_known(name)
    results = _last.get(name, [])
    failed = [result for result in results if report.SYMBOLS[result.outcome] == "✗"]
    if not results:
        words = f'Run check("{name}") first.'
    elif failed:
        words = f"{failed[0].title}: {failed[0].hint or 'there is no hint for this.'}"
    elif any(result.outcome == "not attempted" for result in results):
        words = f"{name} is not attempted: write it, then check it."
    elif any(result.outcome == "error" for result in results):
        words = f"The tests of {name} could not run, which is not your fault."
    else:
        words = f"Nothing fails in {name}."
    _show(words, f"<p>{escape(words)}</p>")


def done() -> None:
    """Check every exercise of this notebook and show the points."""
    names = sys._getframe(1).f_globals
    results = [result for file in run.test_files(_written(names))[:1] for result in run.run_tests(file, names).values()]
    rows = [f"{name}: {report.score(tests)}" for name, tests in report.by_exercise(results).items()]
    rows.append(f"total: {report.score(results)}")
    _show("\n".join(rows), "<ul>" + "".join(f"<li>{escape(row)}</li>" for row in rows) + "</ul>")


def _require_known(name: str) -> None:
    known = sorted(set().union(*map(run.exercises, run.tests_folder().glob("test_*.py"))))
    if name not in known:
        raise ValueError(f"there is no exercise {name!r}; the course has: {', '.join(known) or 'none'}")


def _written(names: dict) -> set[str]:
    """The functions and classes that the notebook itself defines, not what it imports."""
    code = ((name, value) for name, value in names.items() if isinstance(value, (type, FunctionType)))
    return {name for name, value in code if value.__module__ == names.get("__name__")}


def _show(text: str, html: str) -> None:
    ipython = sys.modules.get("IPython")
    if ipython and ipython.get_ipython():
        from IPython.display import display

        display({"text/plain": text, "text/html": html}, raw=True)
    else:
        print(text)
