"""Run graded tests in this process, on text or on the objects of a live notebook, and return their results."""

import argparse
import ast
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import TextIO
from unittest.mock import patch

import pytest

from course_lib.grading.notebook import NotebookError, Source, read_notebook
from course_lib.grading.results import Result

# Nothing of the surroundings takes part: no configuration file, conftest.py, other plugin, cache or screen.
ARGUMENTS = ["-q", "--capture=no", "--tb=no", "--import-mode=importlib", "--noconftest", f"-c={os.devnull}"]
BLOCKED = ("cacheprovider", "faulthandler", "logging", "threadexception", "unraisableexception", "warnings")
ARGUMENTS += [f"-pno:{name}" for name in BLOCKED]
# Python's own tracebacks: for pytest's the test file would be parsed at each wrong answer.
# Twice quiet: its own last line counts tests in words of its own.
CLASS_ARGUMENTS = ["-qq", "--tb=native", "--no-header", "--import-mode=importlib", "--noconftest", f"-c={os.devnull}"]
CLASS_ARGUMENTS += [*(f"-pno:{name}" for name in BLOCKED), "-oconsole_output_style=classic"]
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
                visibility = [ast.literal_eval(word.value) for word in mark.keywords if word.arg == "visibility"]
                tests.append(Result(node.name, exercise, points, "error", title=title, visibility=(visibility or ["visible"])[0]))
    return tests


def exercises(test_file: Path) -> set[str]:
    """The names of a test file's exercises: what students write for it."""
    return {test.exercise for test in graded_tests(test_file)}


def test_files(names: set[str]) -> list[Path]:
    """The course's test files with an exercise among ``names``, the one with most of them first."""
    shared = {path: len(exercises(path) & names) for path in sorted(tests_folder().glob("test_*.py"))}
    return sorted((path for path in shared if shared[path]), key=lambda path: -shared[path])


def named(chapters: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """The chapters that are wanted, each by its number (4 or 04), its name or the beginning of its name.

    Raises:
        ValueError: if one is wanted that is not there; the message lists those that are.
    """
    chapters, chosen = sorted(chapters), []
    for name in wanted:
        number = int(name) if name.isdecimal() and name.isascii() else None
        digits = {chapter: chapter.partition("_")[0] for chapter in chapters}
        found = [
            chapter
            for chapter in chapters
            if (chapter.startswith(name) if number is None else digits[chapter].isdecimal() and int(digits[chapter]) == number)
        ]
        if not found or not name:
            raise ValueError(f"there is no chapter {name!r} among {', '.join(chapters)}")
        chosen += found
    return [chapter for chapter in chapters if chapter in chosen]


def run_tests(
    test_file: Path, answer: Source | dict, exercise: str | None = None, seed: int = 0, printed: TextIO | None = None
) -> dict[str, Result]:
    """Run a graded test file (or one exercise of it) on an answer; what it draws depends on the seed.

    Whatever goes wrong is in the results; what the answer prints goes to ``printed``.
    """
    from course_lib.grading.plugin import Grader

    test_file = Path(test_file).resolve()
    grader = Grader([answer], exercise, seed=seed, printed=printed)
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


# ---------------------------------------------------------------------------------------------------- a class of students


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``course grade``."""
    parser.add_argument(
        "folder", metavar="FOLDER", help="hand-ins: notebooks, folders or zips, as learning platforms export them"
    )
    words = "number or name, 6 or 06_squeeze_excitation (default: all)"
    parser.add_argument("--chapter", nargs="+", default=[], metavar="CHAPTER", help=words)
    parser.add_argument("--tests", type=Path, metavar="FOLDER", help="graded tests (default: the course's)")
    parser.add_argument("--results", metavar="FOLDER", help="where the results are kept (default: results/CHAPTER)")
    parser.add_argument("--roster", metavar="FILE", help="a CSV file with columns like id and name: everyone in it gets a line")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), metavar="N", help="processes that grade (default: all cores)"
    )
    parser.add_argument(
        "--gradescope", metavar="FILE", help="FOLDER is one student's; also write its results.json for Gradescope"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of random inputs (default: as before, or a new one)")
    parser.add_argument("--accept-changes", action="store_true", help="replace marks that an earlier run gave")
    parser.add_argument("--trust-submissions", action="store_true", help="no jail: the answers run with your own rights")


def grade_class(options: argparse.Namespace) -> int:
    """Grade a folder of hand-ins; returns 0 if every test of every readable hand-in has a verdict.

    Raises:
        ValueError: if there are no graded tests, or none of such a chapter.
    """
    folder = (options.tests or tests_folder()).resolve()
    chapters = [file.stem.removeprefix("test_") for file in folder.glob("test_*.py")]
    if not chapters:
        raise ValueError(f"{folder} has no graded tests, test_*.py")
    files = [str(folder / f"test_{chapter}.py") for chapter in (named(chapters, options.chapter) or sorted(chapters))]
    arguments = [*CLASS_ARGUMENTS, f"--rootdir={folder}", "-p", "course_lib.grading.plugin", *files]
    arguments += ["--results", options.results] if options.results else []
    arguments += ["--roster", options.roster] if options.roster else []
    arguments += ["--grading-seed", str(options.seed)] if options.seed is not None else []
    arguments += ["--gradescope", options.gradescope] if options.gradescope else []
    arguments += [f"--{name}" for name in ("accept-changes", "trust-submissions") if getattr(options, name.replace("-", "_"))]
    arguments += ["--grading-workers", str(options.workers)]
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, ENVIRONMENT):
        hand_ins = options.folder
        if options.gradescope:  # a class of one
            shutil.copytree(options.folder, Path(folder, "submission"), symlinks=True)
            hand_ins = folder
        return int(pytest.main([*arguments, "--submissions", hand_ins]))
