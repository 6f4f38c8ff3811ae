"""The corpus: hostile, broken and odd hand-ins, each with the outcome that every graded test must have.

A file of `corpus/` is one hand-in in percent format. Its head says what is expected::

    # threat: A2 B19                  numbers in the list of threats that the grader must survive
    # expect: double=time test_area=wrong|raised rest=passed
    # words: test_area: …             in the message of that test
    # flag: double: …                 in what the instructor is told of that answer
    # hidden: …                       in nothing that the student sees
    # imports                         needs libraries that are not loaded yet: not where nobody may read them
    # both ways                       graded in this process too (it is harmless), with the same outcomes
    # as it is                        exercises that it does not write are not borrowed from right.py

An exercise stands for all its tests, `rest=passed` may be left out, and what needs a test that does not pass is blocked.
GRADER_PID, GRADER_PORT, SECRET_FILE and RESULTS_FILE in a hand-in become real ones. Hand-ins made of files, archives and
platforms' names are in corpus_files.py.

`--all` runs it all, and the whole of it as one class, at every jail level of this machine; without it, at the level that
needs no privilege.
"""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import tiny_chapter
import torch
from corpus_files import CLASSES

from course_lib.grading import store
from course_lib.grading.door import Answers, Backend, Inside, fixed_start
from course_lib.grading.handins import find_hand_ins
from course_lib.grading.jail import JailError, Limits
from course_lib.grading.jailed import Jailed
from course_lib.grading.notebook import Source, flags
from course_lib.grading.plugin import _verdict
from course_lib.grading.processes import Zygote, jail_level
from course_lib.grading.reports.feedback import student_markdown, student_page
from course_lib.grading.results import OUTCOMES, Result

CORPUS = Path(__file__).with_name("corpus")
TESTS = {name: test for name, test in vars(tiny_chapter).items() if name.startswith("test_")}
MARKS = {name: test.pytestmark[0] for name, test in TESTS.items()}
EXERCISES = {mark.args[1] for mark in MARKS.values()}
WALL = 3  # seconds that a test waits for an answer here, so that those that sleep do not take long
FIRST = {"A": 1, "B": 18, "C": 22, "D": 36, "E": 42, "F": 48, "G": 52}  # threat of each group
THREATS = {f"{'ABCDEFG'[sum(number >= first for first in FIRST.values()) - 1]}{number}" for number in range(1, 73)}
TRACES = ("/tmp", "/dev/shm", "/var/tmp", "/run", "/", Path.home(), Path.cwd(), Path(__file__).parent)
TRACE = "corpus_was_here"


class HandIn(NamedTuple):
    """A file of the corpus."""

    path: Path
    head: dict[str, list[str]]
    code: tuple[str, ...]
    markdown: tuple[str, ...]

    @property
    def threats(self) -> list[str]:
        return self.head["threat"][0].partition(";")[0].split()


def read(path: Path) -> HandIn:
    text = path.read_text(encoding="utf-8")
    head: dict[str, list[str]] = {}
    for line in re.match(r"(?:# .*\n)*", text)[0].splitlines():
        name, _, value = line.removeprefix("# ").partition(": ")
        head.setdefault(name, []).append(value)
    kinds: dict[bool, list[str]] = {True: [], False: []}
    first, *others = re.split(r"^# %%", text, flags=re.MULTILINE)
    for cell in ("\n" + first, *others):
        kind, _, cell = cell.partition("\n")
        is_code = "[markdown]" not in kind
        kinds[is_code].append((cell if is_code else re.sub(r"^# ?", "", cell, flags=re.MULTILINE)).strip("\n"))
    written = "\n".join(text for both in kinds.values() for text in both)
    if "as it is" not in head:
        own = set(re.findall(r"^ *(?:async )?(?:def|class) (\w+)", written, re.MULTILINE))
        kinds[True] += [cell for name, cell in RIGHT.items() if name not in own]
    return HandIn(path, head, tuple(kinds[True]), tuple(kinds[False]))


RIGHT: dict[str, str] = {}
_right = read(CORPUS / "right.py").code
for _cell in _right:
    if _name := re.search(r"^(?:def|class) (\w+)", _cell, re.MULTILINE):
        RIGHT[_name[1]] = f"{_right[0]}\n\n{_cell}"
HAND_INS = {path.stem: read(path) for path in sorted(CORPUS.glob("*.py"))}


def expected(text: str) -> dict[str, set[str]]:
    """The outcomes that each test may have, from a head or a class: ``double=time test_area=wrong|raised``."""
    pairs = re.findall(r"(\w+)=((?:not attempted|[a-z|])+)", text)
    assert " ".join("=".join(pair) for pair in pairs) == text, f"cannot read: {text}"
    told = dict(pairs)
    found = {}
    for name, mark in MARKS.items():
        words = told.get(name) or told.get(mark.args[1]) or told.get("rest", "passed")
        found[name] = set(words.split("|"))
        assert found[name] <= set(OUTCOMES), words
        for needed in mark.kwargs["needs"]:
            if name not in told and "passed" not in found[needed]:
                found[name] = {"time"} if found[needed] == {"time"} else {"blocked"}
    return found


def grade(source: Source, backend) -> dict[str, Result]:
    """All graded tests on one hand-in, each with a backend of its own, by the rules of a class's run."""
    results: dict[str, Result] = {}
    for name, test in TESTS.items():
        mark = MARKS[name]
        points, exercise = mark.args
        before = {result.outcome for result in results.values() if result.exercise == exercise}
        needed = {results[other].outcome for other in mark.kwargs["needs"]}
        words, instructor = "", ""
        if "time" in before:
            outcome = "time"
        elif needed - {"passed"}:
            outcome = "blocked"
        else:
            with fixed_start(), backend(source, mark.kwargs) as door:
                call = pytest.CallInfo.from_call(lambda test=test, door=door: test(Answers(door)), "call")
            outcome, words = _verdict(call, test.__doc__)
            instructor = getattr(door, "instructor", "")
        kept = {key: mark.kwargs[key] for key in ("hint", "visibility")}
        results[name] = Result(name, exercise, points, outcome, words, title=test.__doc__, instructor=instructor, **kept)
    return results


class InThisProcess(Inside):
    def __enter__(self) -> Backend:
        return self

    def __exit__(self, *_) -> None:
        pass


def in_this_process(source: Source, limits: dict) -> Backend:
    return InThisProcess(source)


def jailed(zygote: Zygote):
    return lambda source, limits: Jailed(zygote, source, limits["seconds"], limits["memory"])


def unexpected(results: dict[str, Result], wanted: dict[str, set[str]]) -> list[str]:
    return [
        f"{name}: {result.outcome}, expected {'|'.join(sorted(wanted[name]))} ({result.message} {result.instructor})"
        for name, result in results.items()
        if result.outcome not in wanted[name]
    ]


# ------------------------------------------------------------------------------------------------------ what is left


class Left(NamedTuple):
    """What a hand-in could leave behind in the grader or on the machine."""

    descriptors: int
    children: int
    traces: list[str]

    @classmethod
    def now(cls, zygote: Zygote) -> "Left":
        traces = [str(path) for folder in TRACES for path in Path(folder).glob(f"{TRACE}*")]
        children = psutil.Process(zygote._process.pid).children(recursive=True)
        return cls(len(os.listdir("/proc/self/fd")), len(children), traces)


def peak() -> float:
    """The largest memory of this process so far, in MB; begins anew with the next call of ``forget_peak``."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1000


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


# ------------------------------------------------------------------------------------------------------------ the class


@pytest.fixture(scope="module", autouse=True)
def short_waits():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Limits, "wall", property(lambda self: WALL))
        yield


@pytest.fixture(scope="module")
def targets() -> Iterator[dict[str, str]]:
    """Things of the grader's that hand-ins attack; everybody may read and write them, so that it is the jail that holds."""
    folder = Path(tempfile.mkdtemp(prefix="corpus-"))
    secret, results = folder / "test_secret.py", folder / "results.jsonl"
    for path in (secret, results):
        path.write_text("EXPECTED = 42\n")
        path.chmod(0o666)
    folder.chmod(0o777)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        yield {"GRADER_PID": str(os.getpid()), "GRADER_PORT": str(port), "SECRET_FILE": str(secret), "RESULTS_FILE": str(results)}
        with pytest.raises(BlockingIOError):
            server.accept()
    assert sorted(folder.iterdir()) == [results, secret] and secret.stat().st_mode & 0o777 == 0o666
    assert secret.read_text() == results.read_text() == "EXPECTED = 42\n"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def zygote(request) -> Iterator[Zygote]:
    try:
        zygote = Zygote(request.param)
    except JailError as error:
        pytest.skip(str(error))
    with zygote:
        yield zygote
    number = zygote._process.pid
    assert not psutil.pid_exists(number)


def with_targets(hand_in: HandIn, targets: dict[str, str]) -> Source:
    def put(text: str) -> str:
        for name, value in targets.items():
            text = text.replace(name, value)
        return text

    return Source(map(put, hand_in.code), hand_in.markdown)


def pytest_generate_tests(metafunc):
    if "workers" in metafunc.fixturenames:
        metafunc.parametrize("workers", ["1", "2"] if metafunc.config.getoption("all") else ["2"])


@pytest.mark.parametrize("name", HAND_INS)
def test_a_hand_in_has_the_outcomes_of_its_head(zygote, targets, name):
    hand_in = HAND_INS[name]
    if "imports" in hand_in.head and "may not read" in zygote.lacks:
        pytest.skip(zygote.lacks)
    source = with_targets(hand_in, targets)
    wanted = expected(" ".join(hand_in.head.get("expect", [""])))
    before = Left.now(zygote)
    forget_peak()
    memory = peak()
    results = grade(source, jailed(zygote))
    assert peak() - memory < 350, "the grader's memory grew with what the answer sent"
    wrong = unexpected(results, wanted)
    for line in hand_in.head.get("words", ()):
        test, words = line.split(": ", 1)
        if not any(word in results[test].message for word in words.split("|")):
            wrong.append(f"{test}: {words!r} is not in {results[test].message!r}")
    told = {exercise: flags(source, exercise, tiny_chapter.FORBIDDEN.get(exercise, ())) for exercise in EXERCISES}
    for line in hand_in.head.get("flag", ()):
        exercise, words = line.split(": ", 1)
        if not any(words in flag for flag in told[exercise]):
            wrong.append(f"{exercise}: no flag says {words!r}: {told[exercise]}")
    for words in hand_in.head.get("hidden", ()):
        if words in seen_by_the_student(results):
            wrong.append(f"the student sees {words!r}")
    assert Left.now(zygote) == before
    if "both ways" in hand_in.head:
        wrong += [f"in this process {line}" for line in unexpected(grade(source, in_this_process), wanted)]
    assert not wrong, "\n".join(wrong)


def seen_by_the_student(results: dict[str, Result]) -> str:
    """Everything of the student's page; tests after the due date have not been shown yet."""
    about = {"student": "ana", "name": "Ana", "hand_in": "ana.ipynb", "chapter": "tiny", "late": "", "jail": "standard"}
    about |= {"answer_hash": "", "test_hash": "", "environment_hash": "", "seed": 0, "flags": []}
    about |= {"when": "2026-11-21T10:00:00+00:00"}
    (mark,) = store.marks([{**vars(result), **about} for result in results.values()])
    return student_markdown(mark) + student_page(mark).decode()


@pytest.mark.parametrize("name", CLASSES)
def test_a_folder_is_read_as_expected(zygote, tmp_path, name):
    made = CLASSES[name]
    made.make(tmp_path)
    roster = tmp_path / "roster.csv"
    before, listing = Left.now(zygote), sorted(tmp_path.rglob("*"))
    forget_peak()
    memory = peak()
    found = find_hand_ins(tmp_path, EXERCISES, roster if roster.exists() else None)
    assert peak() - memory < 350, "reading took too much memory"
    assert {one.student for one in found} == set(made.students)
    wrong = []
    for one in found:
        wanted = made.students[one.student]
        graded = not one.problem
        if graded != (not wanted.problem) or wanted.problem not in one.problem:
            wrong.append(f"{one.student}: the problem is {one.problem!r}, expected {wanted.problem!r}")
        if wanted.flag not in "\n".join(one.flags) or wanted.late != one.late:
            wrong.append(f"{one.student}: flags {one.flags}, late {one.late!r}, expected {wanted.flag!r}, {wanted.late!r}")
        if graded:
            results = grade(Source(one.cells, one.markdown), jailed(zygote))
            wrong += [f"{one.student}: {line}" for line in unexpected(results, expected(wanted.expect))]
    assert not wrong, "\n".join(wrong)
    assert (Left.now(zygote), sorted(tmp_path.rglob("*"))) == (before, listing)


def test_every_threat_is_in_the_corpus():
    covered = [threat for hand_in in HAND_INS.values() for threat in hand_in.threats]
    covered += [threat for one in CLASSES.values() for threat in one.threats]
    covered += ["G72"]  # below
    assert {re.sub(r"^(\D)0", r"\1", threat) for threat in covered} - {"none"} == THREATS


# ---------------------------------------------------------------------------------- G72: the grader's own failure


def test_a_zygote_that_was_killed_costs_nobody_a_mark(zygote):
    source = Source(HAND_INS["right"].code)
    os.kill(zygote._process.pid, signal.SIGKILL)
    zygote._process.wait()
    outcomes = {result.outcome for result in grade(source, jailed(zygote)).values()}
    assert outcomes <= {"passed", "error"}
    assert unexpected(grade(source, jailed(zygote)), expected("")) == []


def test_an_answer_that_the_machine_kills_is_an_error_and_not_a_zero(zygote):
    def backend(source, limits):
        door = Jailed(zygote, source, limits["seconds"], limits["memory"])
        door.find("double")
        for process in psutil.Process(zygote._process.pid).children(recursive=True):
            if process.num_threads() and process.memory_info().rss and process.pid != first:
                process.kill()
        return door

    first = min((child.pid for child in psutil.Process(zygote._process.pid).children(recursive=True)), default=0)
    results = grade(Source(HAND_INS["right"].code), backend)
    assert {result.outcome for result in results.values()} <= {"error", "blocked"}


def test_a_bug_in_a_test_is_an_error_and_not_a_zero(zygote, monkeypatch):
    def test_buggy(answers):
        """a test with a bug"""
        answers.double(torch.ones(3)).no_such_method()

    monkeypatch.setitem(TESTS, "test_area", test_buggy)
    results = grade(Source(HAND_INS["right"].code), jailed(zygote))
    assert {name for name, result in results.items() if result.outcome == "error"} == {"test_area"}


# ------------------------------------------------------------------------------------------------------- as one class


@pytest.mark.slow
@pytest.mark.skipif(jail_level() == "none", reason="no jail here")
def test_a_class_of_them_has_the_same_outcomes(tmp_path, targets, workers, request):
    """Graded by the command that an instructor types, at the best level of this machine."""
    chosen = HAND_INS if request.config.getoption("all") else dict(list(HAND_INS.items())[::16])
    (tmp_path / "tests").mkdir()
    shutil.copy(tiny_chapter.__file__, tmp_path / "tests" / "test_01_tiny.py")
    waits = f"from course_lib.grading.jail import Limits\nLimits.wall = property(lambda self: {WALL})\n"
    (tmp_path / "tests" / "conftest.py").write_text(waits)
    for name, hand_in in chosen.items():
        source = with_targets(hand_in, targets)
        cells = [{"cell_type": "code", "source": text} for text in source.cells.values()]
        cells += [{"cell_type": "markdown", "source": text} for text in source.markdown]
        (tmp_path / "hand-ins").mkdir(exist_ok=True)
        (tmp_path / "hand-ins" / f"{name}.ipynb").write_text(json.dumps({"cells": cells}))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "course_lib.grading.plugin", "-p", "no:cacheprovider"]
    command += ["--grading-workers", workers, "--rootdir", tmp_path, "--submissions", tmp_path / "hand-ins"]
    command += ["--results", tmp_path / "results", tmp_path / "tests"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    results: dict[str, dict[str, Result]] = {}
    for row in store.Store(tmp_path / "results").rows():
        kept = {name: row[name] for name in Result.__dataclass_fields__}
        results.setdefault(row["student"], {})[row["test"]] = Result(**kept)
    assert results.keys() == chosen.keys(), done.stdout[-3000:] + done.stderr[-3000:]
    wrong = [
        f"{student}: {line}"
        for student, hand_in in chosen.items()
        for line in unexpected(results[student], expected(" ".join(hand_in.head.get("expect", [""]))))
    ]
    for student, hand_in in chosen.items():
        pages = [path.read_text() for path in (tmp_path / "results" / "feedback").glob(f"{student}.*")]
        wrong += [f"{student}'s feedback says {words!r}" for words in hand_in.head.get("hidden", ()) if words in "".join(pages)]
    assert not wrong, "\n".join(wrong)
    for path in (tmp_path / "results").rglob("*.html"):
        assert not re.search(r"<(?:script|img)\b", path.read_text()), path
    for path in (tmp_path / "results").rglob("*.csv"):
        cells = [cell for line in csv.reader(path.read_text().splitlines()) for cell in line]
        assert not [cell for cell in cells if re.match(r"[=@+\t\r]|-(?![\d.]+$)", cell)], path
    assert [str(path) for folder in TRACES for path in Path(folder).glob(f"{TRACE}*")] == []
