"""A class, graded by the commands that an instructor types: marks, resumption, changes, limits."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_course import ANSWERS

from course_lib.grading.processes import jail_level

pytestmark = pytest.mark.skipif(jail_level() == "none", reason="no jail here")

TESTS = '''
"""Tests of 01_double.ipynb."""

import torch

from course_lib.grading import points


@points(2, "double", hint="What is x + x?", seconds=1)
def test_tensor(answers):
    """a tensor is doubled"""
    assert torch.equal(answers.double(torch.ones(3)), torch.full((3,), 2.0)), "the result is not twice the input"


@points(1, "double", needs="test_tensor", seconds=1)
def test_zero(answers):
    """zero stays zero"""
    assert answers.double(0) == 0


@points(3, "Scale", visibility="hidden", seconds=1)
def test_scale(answers):
    """Scale multiplies by its factor"""
    assert answers.Scale(3)(torch.ones(2)).tolist() == [3, 3], "the secret is 3"
'''

CLASS = {
    "ana": ANSWERS,
    "ben": ANSWERS.replace("2 * x", "3 * x"),
    "cem": ANSWERS.replace("return 2 * x", "while True: pass"),
    "dia": ANSWERS.replace("return self.factor * x", "raise ValueError(x.tolist())"),
    "eva": "def double(x):\n    raise NotImplementedError\n",
}
MARKS = {"ana": "6", "ben": "3", "cem": "3", "dia": "3", "eva": "0", "foo": ""}


@pytest.fixture
def folder(tmp_path):
    """A course of one chapter and a class of six, one of whom handed in no notebook."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_01_double.py").write_text(TESTS)
    (tmp_path / "hand-ins").mkdir()
    for student, code in CLASS.items():
        hand_in(tmp_path, student, code)
    (tmp_path / "hand-ins" / "foo.ipynb").write_text("I could not download it")
    return tmp_path


def hand_in(folder: Path, student: str, code: str) -> None:
    cells = {"cells": [{"cell_type": "code", "source": code}]}
    (folder / "hand-ins" / f"{student}.ipynb").write_text(json.dumps(cells))


def arguments(folder: Path, *options: str) -> list[str]:
    plugins = ["-p", "course_lib.grading.plugin", "-p", "no:cacheprovider", "--import-mode=importlib"]
    places = ["--submissions", str(folder / "hand-ins"), "--results", str(folder / "results")]
    return [*plugins, str(folder / "tests"), *places, *options]


@pytest.fixture
def grade(folder, capsys):
    """Grade the class and return what is on the screen."""

    def run(*options: str, status: int = 0) -> str:
        for module in [name for name in sys.modules if name.endswith("test_01_double")]:
            del sys.modules[module]  # pytest would take it for this one
        code = pytest.main(arguments(folder, *options))
        captured = capsys.readouterr()
        assert code == status, captured.out + captured.err
        return captured.out + captured.err

    return run


def table(folder: Path) -> dict[str, dict[str, str]]:
    with open(folder / "results" / "grades.csv", encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def outcomes(folder: Path) -> dict[tuple[str, str], str]:
    rows = map(json.loads, (folder / "results" / "results.jsonl").read_text().splitlines())
    return {(row["student"], row["test"]): row["outcome"] for row in rows}


@pytest.mark.parametrize("workers", ["2", pytest.param("1", marks=pytest.mark.slow)])
def test_a_class_gets_its_marks_and_everyone_feedback(folder, grade, workers):
    screen = grade("--grading-workers", workers)
    assert {student: row["total"] for student, row in table(folder).items()} == MARKS
    found = outcomes(folder)
    assert found["ben", "test_tensor"] == "wrong" and found["ben", "test_zero"] == "blocked"
    assert found["cem", "test_tensor"] == "time" and found["cem", "test_scale"] == "passed"
    assert found["dia", "test_scale"] == "raised" and found["eva", "test_scale"] == "not attempted"
    assert found["foo", ""] == "not gradable"
    assert "1 without a mark yet" in screen and "FAILURES" not in screen
    pages = {page.stem: page.read_text() for page in (folder / "results" / "feedback").glob("*.html")}
    assert set(pages) == set(MARKS)
    assert "the result is not twice the input" in pages["ben"]
    assert "secret" not in pages["dia"] and "1.0, 1.0" not in pages["dia"]  # a hidden test keeps its words and its input


def test_a_second_run_grades_only_what_changed_and_replaces_no_mark_unasked(folder, grade):
    grade()
    before = (folder / "results" / "results.jsonl").read_text()
    assert "15 deselected" in grade()
    assert (folder / "results" / "results.jsonl").read_text() == before

    hand_in(folder, "ben", f"# a comment changes nothing\n{CLASS['ana']}")
    hand_in(folder, "dia", f"# a comment changes nothing\n{CLASS['dia']}")
    screen = grade()
    new = (folder / "results" / "results.jsonl").read_text().removeprefix(before)
    assert {json.loads(line)["student"] for line in new.splitlines()} == {"ben"}
    assert "would change" in screen and "3 → 6 (+3)" in screen
    assert table(folder)["ben"]["total"] == "3"
    grade("--accept-changes")
    assert table(folder)["ben"]["total"] == "6"


@pytest.mark.slow
def test_manual_marks_and_comments_survive(folder, grade):
    grade()
    path = folder / "results" / "grades.csv"
    rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    line = next(row for row in rows if row[0] == "eva")
    line[rows[0].index("manual")], line[rows[0].index("comment")] = "4.5", "ill; oral exam"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    hand_in(folder, "ben", CLASS["ana"])
    grade("--accept-changes")
    found = table(folder)["eva"]
    assert (found["total"], found["manual"], found["final"], found["comment"]) == ("0", "4.5", "4.5", "ill; oral exam")


def test_a_killed_run_loses_nothing_and_goes_on(folder, grade):
    for number in range(12):
        hand_in(folder, f"s{number:02}", f"{ANSWERS}\n# {number}")
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    ) as process:
        path, started = folder / "results" / "results.jsonl", time.monotonic()
        while not (path.exists() and path.read_text().count("\n") > 10) and time.monotonic() - started < 120:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    kept = path.read_text()
    assert not (folder / "results" / "grades.csv").exists()
    grade()
    assert path.read_text().startswith(kept[: kept.rindex("\n")])
    assert {student: row["total"] for student, row in table(folder).items() if student in MARKS} == MARKS
    assert len(table(folder)) == 18


def test_a_worker_that_is_killed_costs_nobody_a_mark(folder, grade):
    """The test that it was at is an error; another worker grades the others; the next run tries again."""
    path = folder / "tests" / "test_01_double.py"
    path.write_text(TESTS.replace("assert answers.double(0) == 0", "assert answers.double(0) == 0 or KILL()"))
    deadly = "\n\ndef KILL():\n    import os\n\n    os.kill(os.getpid(), 9)\n"
    path.write_text(path.read_text() + deadly)
    hand_in(folder, "ben", ANSWERS.replace("2 * x", "2 * x + (x == 0 if isinstance(x, int) else 0)"))
    screen = grade("--grading-workers", "2", status=pytest.ExitCode.TESTS_FAILED)
    found = outcomes(folder)
    assert found["ben", "test_tensor"] == "passed"
    assert {found["ben", test] for test in ("test_zero", "test_scale")} == {"error"}
    assert {row["total"] for student, row in table(folder).items() if student == "ben"} == {""}
    assert {student: row["total"] for student, row in table(folder).items() if student != "ben"} == {
        student: mark for student, mark in MARKS.items() if student != "ben"
    }
    assert "the process that graded it ended" in screen
    path.write_text(TESTS)
    grade()
    assert table(folder)["ben"]["total"] == "5"


def test_without_a_jail_it_refuses_unless_told_to_trust(folder, grade, monkeypatch):
    monkeypatch.setattr("course_lib.grading.processes.jail.missing", lambda: ["a machine without a jail"])
    jail_level.cache_clear()
    assert "--trust-submissions" in grade(status=pytest.ExitCode.USAGE_ERROR)
    hand_in(folder, "cem", ANSWERS)  # nothing would end its loop
    assert "no jail" in grade("--trust-submissions")
    assert table(folder)["ana"]["total"] == "6"
    jail_level.cache_clear()
