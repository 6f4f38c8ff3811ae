"""Run graded tests in this process, on text or on the objects of a live notebook, and return their results."""

import ast
import os
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import lru_cache
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest

from course_lib.grading.notebook import NotebookError, Source, read_notebook
from course_lib.grading.results import Result

# Nothing of the surroundings takes part: no configuration file, conftest.py, other plugin, cache or screen.
ARGUMENTS = ["-q", "--capture=no", "--tb=no", "--import-mode=importlib", "--noconftest", f"-c={os.devnull}"]
BLOCKED = ("cacheprovider", "faulthandler", "logging", "threadexception", "unraisableexception", "warnings")
ARGUMENTS += [f"-pno:{name}" for name in BLOCKED]
ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}


def tests_folder() -> Path:
    """The course's graded tests: in the package where it is installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    shipped = package / "exercise_tests"
    return shipped if shipped.is_dir() else package.parent / "tests" / "exercises"


def graded_tests(test_file: Path) -> list[Result]:
    """The graded tests of a file as its text announces them (outcome ``error``: they have not run)."""
    return _announced(test_file.read_text(encoding="utf-8"))


@lru_cache(maxsize=64)
def _announced(text: str) -> list[Result]:
    tests = []
    for node in ast.parse(text).body:
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else []:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func).split(".")[-1] == "points":
                points, exercise = (ast.literal_eval(value) for value in mark.args[:2])
                title = (ast.get_docstring(node) or node.name).splitlines()[0]
                tests.append(Result(node.name, exercise, points, "error", title=title))
    return tests


def exercises(test_file: Path) -> set[str]:
    """The names of a test file's exercises: what students write for it."""
    return {test.exercise for test in graded_tests(test_file)}


def test_files(names: set[str]) -> list[Path]:
    """The course's test files with an exercise among ``names``, the one with most of them first."""
    shared = {path: len(exercises(path) & names) for path in sorted(tests_folder().glob("test_*.py"))}
    return sorted((path for path in shared if shared[path]), key=lambda path: -shared[path])


def run_tests(test_file: Path, answer: Source | dict, exercise: str | None = None) -> dict[str, Result]:
    """Run a graded test file (or one exercise of it) on an answer. Whatever goes wrong is in the results."""
    from course_lib.grading.plugin import Grader

    test_file = Path(test_file).resolve()
    grader = Grader([answer], exercise)
    arguments = [*ARGUMENTS, f"--rootdir={test_file.parent}", str(test_file)]
    screen = StringIO()
    with patch.dict(os.environ, ENVIRONMENT), redirect_stdout(screen), redirect_stderr(screen), _fresh(test_file.stem):
        pytest.main(arguments, plugins=[grader])
    results = {result.test: result for result in grader.results.values()}
    ran = {name.partition("[")[0] for name in results}  # without the parameters
    for test in graded_tests(test_file):
        if test.test not in ran and exercise in (None, test.exercise):
            problem = grader.problem or "pytest stopped"
            results[test.test] = replace(test, message=f"the tests could not be run: {problem}")
    return results


def grade_source(source: str, test_file: str | Path) -> dict[str, Result]:
    """Grade a Python source text as if it were a notebook of one cell: results by test name."""
    return run_tests(Path(test_file), Source([source]))


def grade_notebook(path: str | Path) -> dict[str, Result]:
    """Grade one notebook on the tests of every chapter it answers: results by test name.

    Raises:
        NotebookError: if the file is not a notebook or defines none of the course's exercises.
    """
    source = read_notebook(path)
    files = test_files(source.answers)
    if not files:
        raise NotebookError(f"{path} has no answers in it: it defines none of the course's exercises")
    results: dict[str, Result] = {}
    for file in files:
        for name, result in run_tests(file, source).items():
            results[name if name not in results else f"{file.stem}::{name}"] = result
    return results


@contextmanager
def _fresh(module: str):
    """Import the test file anew each time, and leave no trace of it among the imported modules."""
    before = sys.modules.pop(module, None)
    try:
        yield
    finally:
        sys.modules.pop(module, None)
        if before is not None:
            sys.modules[module] = before
