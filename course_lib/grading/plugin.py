"""The pytest plugin: ``pytest tests/exercises`` grades ./exercises/, ``--submission FILE`` grades one notebook.

pytest loads this module in every project of whoever installed the course, so it imports little and does nothing where
no test carries our mark ``points``.
"""

import os
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TextIO

import pytest

from course_lib.grading.results import NotAttempted, Raised, Refused, Result, Stopped, printable, safe_text

NAMES = {"course_lib", "course_lib.grading.plugin"}  # by entry point, by -p: the first one blocks the other


def pytest_plugin_registered(plugin, manager):
    if getattr(plugin, "NAMES", None) is NAMES:
        for name in NAMES - {manager.get_name(plugin)}:
            manager.set_blocked(name)


def pytest_addoption(parser):
    group = parser.getgroup("course")
    group.addoption("--submission", metavar="FILE", help="grade this notebook (default: those in exercises/)")
    group.addoption("--submissions", metavar="FOLDER", help="grade a class: hand-ins in files, folders or zips, jailed")
    group.addoption("--results", metavar="FOLDER", help="of the class (default: results/CHAPTER)")
    group.addoption("--roster", metavar="FILE", help="a CSV file with columns like id and name: everyone in it gets a line")
    group.addoption("--gradescope", metavar="FILE", help="also write the one student's results.json for Gradescope")
    group.addoption("--grading-workers", metavar="N", type=int, default=os.cpu_count(), help="of a class (default: all cores)")
    group.addoption("--grading-seed", metavar="N", type=int, help="of random inputs (default: as before, or a new one)")
    group.addoption("--accept-changes", action="store_true", help="replace marks that an earlier run gave")
    group.addoption("--trust-submissions", action="store_true", help="no jail: the answers run with your own rights")


def pytest_configure(config):
    if config.getoption("submissions"):
        from course_lib.grading.processes import Zygote, jail_level

        level = "none" if config.getoption("trust_submissions") else jail_level()
        zygote = None if level == "none" else Zygote(level, wait=False)  # it loads torch beside us

        from course_lib.grading.session import ClassGrader

        try:
            config.pluginmanager.register(ClassGrader(config, level, zygote), "course grader")
        except BaseException:
            if zygote:
                zygote.close()
            raise
        return
    file = config.getoption("submission")
    sources = _read([file]) if file else None
    config.pluginmanager.register(Grader(sources, submission=file), "course grader")


class Grader:
    """Gives each graded test its ``answers`` and keeps its result.

    Args:
        sources: notebooks (``Source``), or the names of a live one; ``None``: those in the course folder's exercises/.
        exercise: run only the tests of this exercise.
        submission: the file they come from; tests of chapters that it does not answer are left out.
        seed: what the tests draw depends on it.
        printed: takes what the answers print.
    """

    def __init__(
        self,
        sources: list | None,
        exercise: str | None = None,
        submission: str | None = None,
        seed: int = 0,
        printed: TextIO | None = None,
    ):
        self.sources, self.exercise, self.submission, self.seed = sources, exercise, submission, seed
        self.printed = printed
        self.results: dict[str, Result] = {}  # by node id
        self.problem = ""  # why the tests could not be collected

    def pytest_configure(self, config):
        config.addinivalue_line("markers", "points(n, answer, hint=None, **limits): a graded test of the answer of that name")

    @pytest.fixture
    def answers(self, request):
        """The answers under test, by the student's names."""
        from course_lib.grading.door import Answers, fixed_start

        if not mark_of(request.node):
            raise pytest.UsageError(f"{request.node.name} uses answers: mark it with @points(n, name)")
        with fixed_start(self.seed), redirect_stdout(self.printed) if self.printed else nullcontext():
            yield Answers(self._source(request.path))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        graded = [item for item in items if mark_of(item)]
        if graded and self.sources is None:
            self.sources = _read(sorted((config.rootpath / "exercises").glob("*.ipynb")))
        left_out = [item for item in graded if self.exercise not in (None, mark_of(item).args[1])]
        if graded and self.submission:
            known = {path: _exercises(path) for path in {item.path for item in graded}}
            left_out = [item for item in graded if not known[item.path] & self.sources[0].answers]
            if len(left_out) == len(graded):
                expected = ", ".join(sorted(set().union(*known.values())))
                raise pytest.UsageError(f"{self.submission} has no answers in it: it defines none of {expected}")
        if left_out:
            items[:] = [item for item in items if item not in left_out]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        mark = mark_of(item)
        if mark and (call.when == "call" or call.excinfo):
            title = (item.function.__doc__ or item.name).strip().splitlines()[0]
            outcome, words = _verdict(call, title)
            kept = {name: mark.kwargs[name] for name in ("hint", "visibility")}
            kept["instructor"] = printable(getattr(call.excinfo and call.excinfo.value, "instructor", ""))
            result = Result(item.name, mark.args[1], mark.args[0], outcome, printable(words), title=title, **kept)
            report.graded = vars(result)  # plain values: they travel with the report
            self.finished(item, report, result)
        return report

    def finished(self, item, report, result) -> None:
        """A class session has more to do with a result."""

    def pytest_runtest_logreport(self, report):
        if graded := getattr(report, "graded", None):
            self.results[report.nodeid] = Result(**graded)

    def pytest_collectreport(self, report):
        if report.failed:
            self.problem = report.longreprtext.strip().splitlines()[-1].removeprefix("E").strip()

    def pytest_terminal_summary(self, terminalreporter):
        if self.results:
            from course_lib.grading import report

            terminalreporter.section(f"exercises: {self.submission}" if self.submission else "exercises")
            terminalreporter.write_line(report.text(self.results.values()))
            notice = "The answers ran with your own rights: nothing jails them. Grade only notebooks that you trust."
            terminalreporter.write_line(f"\n{notice}")

    def _source(self, test_file: Path):
        """The notebook that answers most of a test file's exercises."""
        from course_lib.grading.notebook import Source

        if len(self.sources) == 1:
            return self.sources[0]
        names = _exercises(test_file)
        return max(self.sources, key=lambda source: len(names & source.answers), default=Source([]))


def mark_of(item):
    """The item's mark ``points``, if it is ours and not another project's."""
    mark = item.get_closest_marker("points")
    return mark if mark and len(mark.args) == 2 and "visibility" in mark.kwargs else None


def _read(paths: list) -> list:
    from course_lib.grading.notebook import NotebookError, read_notebook

    try:
        return [read_notebook(path) for path in paths]
    except NotebookError as error:
        raise pytest.UsageError(str(error)) from None


def _exercises(test_file: Path) -> set[str]:
    from course_lib.grading.run import exercises

    return exercises(test_file)


def _verdict(call, title: str) -> tuple[str, str]:
    """Outcome and message of a test's call (or of its failed set-up or clean-up)."""
    if call.excinfo is None:
        return "passed", ""
    error = call.excinfo.value
    if isinstance(error, (NotAttempted, Raised, Refused, Stopped)):
        return error.outcome, error.msg
    if call.when == "call" and isinstance(error, (AssertionError, pytest.fail.Exception)):
        words = f"\n{safe_text(error)}".partition("\nassert ")[0].strip()  # the author's, without pytest's explanation
        return "wrong", words if words and not words.startswith("DID NOT RAISE") else title
    return "error", f"the test went wrong, which is not your fault ({type(error).__name__}: {safe_text(error)})"
