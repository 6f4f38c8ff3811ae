"""Tiny notebooks and tiny graded tests, so that what is under test is the grader."""

import json
from textwrap import dedent

import pytest
from tiny_course import DOUBLE_TESTS

from course_lib.grading import run
from course_lib.grading.door import Answers
from course_lib.grading.jail import LEVELS
from course_lib.grading.notebook import Source


def pytest_generate_tests(metafunc):
    if "zygote" in metafunc.fixturenames and metafunc.module.__name__ in ("test_jail", "test_corpus"):
        levels = LEVELS if metafunc.config.getoption("all") else LEVELS[-1:]
        metafunc.parametrize("zygote", levels, indirect=True, scope="module")


@pytest.fixture
def tests_folder(tmp_path, monkeypatch):
    """A course with one chapter: exercises ``double`` (3 points) and ``Scale`` (3 points)."""
    folder = tmp_path / "course_tests"
    folder.mkdir()
    (folder / "test_01_double.py").write_text(DOUBLE_TESTS.lstrip())
    monkeypatch.setattr(run, "tests_folder", lambda: folder)
    return folder


@pytest.fixture
def test_file(tests_folder):
    return tests_folder / "test_01_double.py"


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook whose code cells are these texts, without any metadata."""

    def write(*cells: str, name: str = "hand-in.ipynb"):
        code = [{"cell_type": "code", "source": dedent(cell).strip("\n").splitlines(keepends=True)} for cell in cells]
        path = tmp_path / name
        path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "def double(x): ..."}, *code]}))
        return path

    return write


@pytest.fixture
def answers():
    """The answers in a notebook of these cells, as a graded test sees them."""
    return lambda *cells: Answers(Source([dedent(cell).strip("\n") for cell in cells]))
