"""Feedback inside a notebook: ``check("name")``, ``hint("name")``, ``done()``."""

import sys
from html import escape
from io import StringIO
from types import FunctionType

from course_lib.grading import report, run
from course_lib.grading.notebook import nearest
from course_lib.grading.results import Result

_last: dict[str, list[Result]] = {}  # results of the last check, by exercise


def check(name: str) -> None:
    """Run the course's tests of one exercise on what this notebook defines, and show what they found.

    Of what the answer prints, only that it prints is told. An answer that fails, or is missing, is reported and never raised.

    Raises:
        ValueError: if the course has no exercise of that name.
    """
    _require_known(name)
    names = sys._getframe(1).f_globals
    file = next(file for file in run.test_files({name} | _written(names)) if name in run.exercises(file))
    printed = StringIO()
    _last[name] = results = list(run.run_tests(file, names, name, printed=printed).values())
    notes = []
    missing = all(result.outcome == "not attempted" for result in results)
    if missing and (near := nearest(name, _written(names) - _known())):
        notes.append(f"This notebook defines {near}: is it meant to be {name}?")
    if printed.getvalue():
        notes.append(f"What your code prints is hidden during a check. To see it, call {name} in a cell of its own.")
    _show("\n".join([report.text(results, total=False), *notes]), report.html(results) + _paragraphs(notes))


def hint(name: str) -> None:
    """Show the hints of the tests that failed in the last ``check(name)``, in their order, none of them twice.

    Raises:
        ValueError: if the course has no exercise of that name.
    """
    _require_known(name)
    results = _last.get(name, [])
    failed = [result for result in results if report.SYMBOLS[result.outcome] == "✗"]
    first = {result.hint: result for result in reversed(failed) if result.hint}  # of the tests with the same hint
    if not results:
        words = [f'Run check("{name}") first.']
    elif failed:
        words = [f"{result.title}: {result.hint}" for result in failed if first.get(result.hint) is result]
        words = words or ["There is no hint for what fails here."]
    elif any(result.outcome == "not attempted" for result in results):
        words = [f"{name} is not attempted: write it, then check it."]
    elif any(result.outcome == "error" for result in results):
        words = [f"The tests of {name} could not run, which is not your fault."]
    else:
        words = [f"Nothing fails in {name}."]
    _show("\n".join(words), _paragraphs(words))


def done() -> None:
    """Check every exercise of this notebook and show the points."""
    names = sys._getframe(1).f_globals
    results = [result for file in run.test_files(_written(names))[:1] for result in run.run_tests(file, names).values()]
    rows = [f"{name}: {report.score(tests)}" for name, tests in report.by_exercise(results).items()]
    rows.append(f"total: {report.score(results)}")
    _show("\n".join(rows), "<ul>" + "".join(f"<li>{escape(row)}</li>" for row in rows) + "</ul>")


def _known() -> set[str]:
    return set().union(*map(run.exercises, run.tests_folder().glob("test_*.py")))


def _require_known(name: str) -> None:
    if name not in (known := _known()):
        raise ValueError(f"there is no exercise {name!r}; the course has: {', '.join(sorted(known)) or 'none'}")


def _written(names: dict) -> set[str]:
    """The functions and classes that the notebook itself defines, not what it imports."""
    code = ((name, value) for name, value in names.items() if isinstance(value, (type, FunctionType)))
    return {name for name, value in code if value.__module__ == names.get("__name__")}


def _paragraphs(lines: list[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _show(text: str, html: str) -> None:
    ipython = sys.modules.get("IPython")
    if ipython and ipython.get_ipython():
        from IPython.display import display

        display({"text/plain": text, "text/html": html}, raw=True)
    else:
        print(text)
