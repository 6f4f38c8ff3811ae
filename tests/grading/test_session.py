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

from course_lib import cli
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


@pytest.fixture
def course(folder, capsys, monkeypatch):
    """The same by ``course grade``, in the folder of the class."""
    monkeypatch.chdir(folder)

    def run(*options: str, status: int = 0, hand_ins: str = "hand-ins") -> str:
        try:
            code = cli.main(["grade", hand_ins, "--tests", "tests", "--workers", "2", *options])
        except SystemExit as stopped:
            code = stopped.code
        captured = capsys.readouterr()
        assert code == status, captured.out + captured.err
        return captured.out + captured.err

    return run


def halved(text: str) -> str:
    return text.replace("double", "halve").replace("Scale", "Shrink")


def chapter_two(folder: Path) -> None:
    (folder / "tests" / "test_02_halve.py").write_text(halved(TESTS))


def two_chapters(folder: Path) -> None:
    """Ana has both in one notebook, Ben misspells a name; two others have the first chapter alone."""
    chapter_two(folder)
    hand_in(folder, "ana", ANSWERS + halved(ANSWERS))
    hand_in(folder, "ben", ANSWERS + halved(ANSWERS).replace("halve", "hallve"))
    for student in ("cem", "eva"):
        (folder / "hand-ins" / f"{student}.ipynb").unlink()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def table(folder: Path, results: str = "results") -> dict[str, dict[str, str]]:
    with open(folder / results / "grades.csv", encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def decide(results: Path, student: str, manual: str, comment: str) -> None:
    """Write a mark and a comment by hand into the table."""
    rows = list(csv.reader((results / "grades.csv").read_text(encoding="utf-8-sig").splitlines()))
    line = next(row for row in rows if row[0] == student)
    line[rows[0].index("manual")], line[rows[0].index("comment")] = manual, comment
    with open(results / "grades.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


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
    assert "of 15 tests" not in screen  # nobody watches: the screen is a file here
    pages = {page.stem: page.read_text() for page in (folder / "results" / "feedback").glob("*.html")}
    assert set(pages) == set(MARKS)
    assert "the result is not twice the input" in pages["ben"]
    assert pages["cem"].count("loop that never ends") == 1
    assert "secret" not in pages["dia"] and "1.0, 1.0" not in pages["dia"]  # a hidden test keeps its words and its input


def test_a_second_run_grades_only_what_changed_and_replaces_no_mark_unasked(folder, grade):
    grade()
    before = (folder / "results" / "results.jsonl").read_text()
    screen = grade()
    assert "tests graded now: 0, in earlier runs: 15" in screen and "deselected" not in screen
    assert (folder / "results" / "results.jsonl").read_text() == before

    hand_in(folder, "ben", f"# a comment changes nothing\n{CLASS['ana']}")
    hand_in(folder, "dia", f"# a comment changes nothing\n{CLASS['dia']}")
    old = contents(folder / "results")
    screen = grade()
    now = contents(folder / "results")
    new = now.pop("results.jsonl").decode().removeprefix(before)
    assert {json.loads(line)["student"] for line in new.splitlines()} == {"ben"}
    assert "would change" in screen and "ben (ben), total: 3 → 6 (+3)" in screen and "out of" not in screen
    held = {name.removeprefix("not-accepted/"): now.pop(name) for name in list(now) if name.startswith("not-accepted/")}
    assert now == {name: content for name, content in old.items() if name != "results.jsonl"}
    assert held.keys() == now.keys() and b"6 of 6 points" in held["feedback/ben.html"]
    grade("--accept-changes")
    assert table(folder)["ben"]["total"] == "6" and not (folder / "results" / "not-accepted").exists()
    assert contents(folder / "results") | held == contents(folder / "results")


def test_each_chapter_has_a_folder_of_results_of_its_own(folder, course):
    two_chapters(folder)
    assert "1 without a mark yet" in course("--chapter", "1")
    decide(folder / "results" / "01_double", "foo", "4.5", "too late")
    screen = course("--chapter", "01")
    assert "without a mark" not in screen and "4.5*" in screen and "* given by hand" in screen
    first = contents(folder / "results" / "01_double")
    assert b"too late" in first["grades.csv"] and b"foo,foo,4.5" in first["moodle.csv"]
    screen = course("--chapter", "02")
    assert "4.5" not in screen and contents(folder / "results" / "01_double") == first
    second = table(folder, "results/02_halve")
    assert (second["ana"]["total"], second["foo"]["manual"], second["foo"]["comment"]) == ("6", "", "")
    assert second["ben"]["flags"] == "halve is not attempted, but hallve is defined" and second["ben"]["halve"] == "0"
    course()
    assert table(folder, "results/all")["ana"]["total"] == "12"


def test_what_does_not_fit_stops_before_anything_is_written(folder, course):
    """A chapter that nobody handed in; an empty folder; results of another chapter in the folder that is given."""
    chapter_two(folder)
    said = course("--chapter", "2", status=pytest.ExitCode.USAGE_ERROR)
    assert "no hand-in in hand-ins has an exercise of 02_halve; they have those of 01_double (5 students)" in said
    assert "pass --chapter 01," in said and not (folder / "results").exists()
    (folder / "empty").mkdir()
    assert "there is no hand-in in empty" in course(hand_ins="empty", status=pytest.ExitCode.USAGE_ERROR)
    assert "there is no chapter '3' among 01_double, 02_halve" in course("--chapter", "1", "3", status=2)
    course("--results", "mine")
    before = contents(folder / "mine")
    for student in CLASS:
        hand_in(folder, student, halved(ANSWERS))
    said = course("--results", "mine", status=pytest.ExitCode.USAGE_ERROR)
    assert "mine holds results of 01_double" in said and "--results" in said and contents(folder / "mine") == before


@pytest.mark.slow
def test_manual_marks_and_comments_survive(folder, grade):
    grade()
    decide(folder / "results", "eva", "4.5", "ill; oral exam")
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
