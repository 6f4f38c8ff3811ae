"""Do the graded tests test? ``course exercises verify`` grades a course's own solutions, stubs, typical mistakes and mutants.

Every answer is graded in a fork of one process that has loaded torch and the tests, under limits on its processor time and
memory: a mutant may run for ever or ask for all there is. It is the author's own code, so nothing else confines it.
"""

import argparse
import ast
import hashlib
import json
import multiprocessing
import os
import platform
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

import torch

import course_lib
from course_lib.grading import values
from course_lib.grading.mutants import Mutant, mutants
from course_lib.grading.notebook import Source, read_notebook
from course_lib.grading.run import graded_tests, named, run_tests

CPU_SECONDS = 20  # for the tests of one answer; the slowest solution needs 1
WALL_SECONDS = 120  # for what sleeps
MEMORY = 3 << 30  # bytes of data, torch's own 0.8 GiB included
ENOUGH = 0.95  # of the mutants of an exercise

NOT_FAILED = ("passed", "error", "not attempted", "blocked")  # a test that went wrong itself or did not run noticed nothing

NUMBER = re.compile(r"\d[\d.,e+-]*")

Verdicts = dict[str, tuple[str, str]]  # test → outcome, message; test "" for an answer that ended the process


class Section(NamedTuple):
    """A section of a file of wrong answers: ``# %% exercise | test that fails | words`` or ``# %% exercise | right``."""

    line: int
    exercise: str
    test: str  # "" for a right answer
    words: str  # of the message
    code: str


def sections(file: Path) -> list[Section]:
    """Read a file of wrong answers. What stands before its first section, imports, goes with all of them."""
    imports, *parts = re.split(r"^# %% ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found, line = [], imports.count("\n") + 1
    for part in parts:
        head, _, code = part.partition("\n")
        exercise, test, *words = (word.strip() for word in head.split("|", 2))
        found.append(Section(line, exercise, "" if test == "right" else test, "".join(words), f"{imports}\n{code}"))
        line += part.count("\n")
    return found


def equivalents(file: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Read the table of mutants that no test can tell from the solution: (chapter, exercise) → what was changed → reason.

    ``# %% chapter | exercise`` begins a part; in it a line as ``verify`` prints it, and indented below it the reason.

    Raises:
        ValueError: if a mutant stands there without a reason.
    """
    table: dict[tuple[str, str], dict[str, str]] = {}
    _, *parts = re.split(r"^# %% ", file.read_text(encoding="utf-8"), flags=re.MULTILINE) if file.exists() else [""]
    for part in parts:
        head, _, body = part.partition("\n")
        chapter, exercise = (word.strip() for word in head.split("|"))
        rows, waiting = table.setdefault((chapter, exercise), {}), []
        for line in filter(str.strip, body.splitlines()):
            if not line.startswith(" "):
                waiting = [*(waiting if waiting and not rows.get(waiting[-1]) else []), line.strip()]
                rows[line.strip()] = ""
            else:  # one reason for the mutants above it
                rows |= {what: f"{rows[what]} {line.strip()}".strip() for what in waiting}
        missing = [what for what, reason in rows.items() if not reason]
        if missing:
            raise ValueError(f"{file}: {chapter} | {exercise} gives no reason for: {missing[0]}")
    return table


@dataclass(frozen=True)
class Chapter:
    """The files of one chapter: a solution, its stub, the tests and the wrong answers."""

    root: Path
    name: str

    @property
    def test_file(self) -> Path:
        return self.root / "tests" / "exercises" / f"test_{self.name}.py"

    def cells(self, folder: str) -> list[str]:
        return list(read_notebook(self.root / folder / f"{self.name}.ipynb").cells.values())

    def sections(self) -> list[Section]:
        return sections(self.root / "tests" / "grading" / "wrong_answers" / f"{self.name}.py")

    def tests(self) -> dict[str, list[str]]:
        """Names of the tests by exercise."""
        table: dict[str, list[str]] = {}
        for test in graded_tests(self.test_file):
            table.setdefault(test.exercise, []).append(test.test)
        return table

    def context(self, exercise: str) -> list[str]:
        """The code that a verdict depends on, beside the answer: what else the solution's answer needs, and the tests."""
        tests = Source([self.test_file.read_text(encoding="utf-8")])
        needed = Source(self.cells("solutions")).closure(exercise)
        needed += [statement for test in self.tests()[exercise] for statement in tests.closure(test)]
        return [ast.unparse(statement.node) for statement in needed]

    def mutants(self) -> list[Mutant]:
        """Of the solution; their lines are those of the answer's cell."""
        found = []
        for cell in self.cells("solutions"):
            try:
                found += mutants(cell, self.tests())
            except SyntaxError:  # a cell with IPython's own syntax has no answer in it
                continue
        return found


class Job(NamedTuple):
    """An answer to grade, and on what."""

    key: object
    test_file: Path
    cells: list[str]
    exercise: str | None = None
    seed: int = 0


@dataclass
class Row:
    """What became of one exercise."""

    exercise: str
    tests: int
    wrong: int
    mutants: int = 0
    caught: int = 0
    equivalent: int = 0
    survivors: list[Mutant] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the mutants that can be caught, those that are."""
        return self.caught / max(1, self.mutants - self.equivalent)


def grade_all(jobs: Iterable[Job], workers: int) -> Iterator[tuple[Job, Verdicts]]:
    """Grade each job in a process of its own, at most ``workers`` at a time; in the order in which they end.

    What is still running after WALL_SECONDS is begun again, once: it may have been the machine that stood still.
    """
    fork = multiprocessing.get_context("fork")
    waiting, running = deque((job, True) for job in jobs), {}
    while waiting or running:
        while waiting and len(running) < workers:
            job, again = waiting.popleft()
            theirs, ours = fork.Pipe(duplex=False)
            process = fork.Process(target=_grade, args=(ours, job), daemon=True)
            process.start()
            ours.close()
            running[theirs] = time.monotonic() + WALL_SECONDS, job, again, process
        ended = wait(list(running), timeout=max(0, min(end for end, *_ in running.values()) - time.monotonic()))
        ended += [pipe for pipe, (end, *_) in running.items() if pipe not in ended and end < time.monotonic()]
        for pipe in ended:
            _, job, again, process = running.pop(pipe)
            late = False
            try:
                late = not pipe.poll()
                verdicts = {"": ("time", "still running")} if late else pipe.recv()
            except EOFError:  # it ended without a word: by a signal, or because the grader itself went wrong
                process.join()
                code = process.exitcode
                outcome = "time" if code == -signal.SIGXCPU else "crash" if code < 0 else "error"
                verdicts = {"": (outcome, f"exit code {code}")}
            process.kill()
            process.join()
            pipe.close()
            if late and again:
                waiting.append((job, False))
            else:
                yield job, verdicts


def _grade(pipe, job: Job) -> None:
    """In the child: grade one answer and send the verdicts."""
    import resource  # not on Windows

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    results = run_tests(job.test_file, Source(job.cells), job.exercise, job.seed)
    pipe.send({name: (result.outcome, result.message) for name, result in results.items()})


def check_answers(chapter: Chapter, repeats: int, workers: int) -> tuple[list[str], set[str]]:
    """Grade the solution, the stub and the wrong answers: what is wrong with the verdicts, and which tests failed.

    Each repeat draws other inputs, by its number as the seed, except the last.
    """
    solution = chapter.cells("solutions")
    jobs = [Job("solution", chapter.test_file, solution), Job("stub", chapter.test_file, chapter.cells("exercises"))]
    jobs += [Job(section, chapter.test_file, [*solution, section.code], section.exercise) for section in chapter.sections()]
    problems: list[str] = []
    first: dict[str | Section, Verdicts] = {}
    for repeat in range(repeats):
        seed = repeat if repeat < repeats - 1 else 0  # the last one, on a busy machine, must say the same as the first
        with _surroundings(jobs, repeat, busy=repeat == repeats - 1 > 0) as these:
            for job, verdicts in grade_all((job._replace(seed=seed) for job in these), workers if repeat % 2 else 1):
                before = first.setdefault(job.key, verdicts)
                for test, old, new in _moved(job.key, before, verdicts, seed):
                    said = f"{old} at first, {new} in repeat {repeat + 1} with seed {seed}"
                    problems.append(f"{_called(job.key)}: the verdict of {test} moves: {said}")
    for key, verdicts in first.items():
        problems += [f"{_called(key)}: {words}" for words in _unexpected(key, verdicts)]
    return problems, {test for key, verdicts in first.items() if key != "stub" for test in _noticed(verdicts)}


def _moved(key: str | Section, before: Verdicts, now: Verdicts, seed: int) -> Iterator[tuple]:
    """Tests whose verdict is not what it was, and both.

    With another seed a message may differ, though not in a section's words; with the same in its numbers alone: some are times.
    """
    for test in sorted({*before, *now}):
        old, new = before.get(test, ("missing", "")), now.get(test, ("missing", ""))
        words = key.words if isinstance(key, Section) and test == key.test else ""
        same = old[0] == new[0] and (words not in old[1] or words in new[1])
        if not same or (seed == 0 and NUMBER.sub("", old[1]) != NUMBER.sub("", new[1])):
            yield test, old, new


def _unexpected(key: str | Section, verdicts: Verdicts) -> Iterator[str]:
    """What is wrong with the verdicts on the solution, the stub or a section."""
    if isinstance(key, Section) and key.test:
        outcome, message = verdicts.get(key.test, ("error", "there is no such test"))
        if outcome in NOT_FAILED:
            yield f"{key.test} was to fail: {outcome} {message}".strip()
        elif key.words not in message:
            yield f"{key.test} says {message!r}, without {key.words!r}"
        verdicts = {test: verdict for test, verdict in verdicts.items() if verdict[0] in ("error", "not attempted")}
    expected = "not attempted" if key == "stub" else "passed"
    for test, (outcome, message) in verdicts.items():
        if outcome != expected:
            yield f"{test}: {outcome} {message}".strip()


def check_mutants(chapter: Chapter, table: dict, workers: int, notes: "Notes") -> tuple[list[str], set[str], list[Row]]:
    """Grade the mutants of the solution: what is wrong, which tests failed, and a row for each exercise."""
    solution, wrong = chapter.cells("solutions"), Counter(section.exercise for section in chapter.sections() if section.test)
    rows = {name: Row(name, len(names), wrong[name]) for name, names in chapter.tests().items()}
    context = {name: chapter.context(name) for name in rows}
    keys = {mutant: notes.key(mutant.text, *context[mutant.exercise]) for mutant in chapter.mutants()}
    new = [mutant for mutant, key in keys.items() if key not in notes.verdicts]
    jobs = (Job(mutant, chapter.test_file, [*solution, mutant.text], mutant.exercise) for mutant in new)
    for job, verdicts in grade_all(jobs, workers):
        notes.add(keys[job.key], chapter, job.key, verdicts)
    problems, failed = [], set()
    same = {(exercise, what) for (name, exercise), whats in table.items() for what in whats if name == chapter.name}
    for mutant, key in keys.items():
        verdicts, row, listed = notes.verdicts[key], rows[mutant.exercise], (mutant.exercise, mutant.what) in same
        noticed = _noticed(verdicts)
        failed |= noticed
        row.mutants += 1
        row.caught += bool(noticed)
        row.equivalent += listed and not noticed
        where = f"{mutant.exercise}, line {mutant.line}: {mutant.what}"
        if not (noticed or listed):
            row.survivors.append(mutant)
        if noticed and listed:
            problems.append(f"{where}: listed as equivalent, but {min(noticed)} notices it")
        for test, (outcome, said) in verdicts.items():
            if outcome == "error":
                problems.append(f"{where}: {test} itself goes wrong: {said}")
            if outcome == "not attempted":
                problems.append(f"{where}: {test} takes it for a stub")
    gone = same - {(mutant.exercise, mutant.what) for mutant in keys}
    problems += [f"{exercise}: listed as equivalent, but there is no such mutant: {what}" for exercise, what in sorted(gone)]
    for row in rows.values():
        if row.share < ENOUGH:
            problems.append(f"{row.exercise}: {row.share:.1%} of the mutants are caught, fewer than {ENOUGH:.0%}")
    return problems, failed, list(rows.values())


class Notes:
    """Verdicts on mutants of earlier runs, in a file of JSON lines; without a file those of this run."""

    def __init__(self, file: Path | None):
        self.file, self.verdicts = file, {}
        if file and file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                with suppress(json.JSONDecodeError):  # a line that was cut off
                    row = json.loads(line)
                    if not isinstance(row, dict) or not {"key", "verdicts"} <= set(row):
                        raise ValueError(f"{file} holds something else than notes of this command; pass another --notes file")
                    self.verdicts[row["key"]] = {test: tuple(verdict) for test, verdict in row["verdicts"].items()}

    def key(self, *code: str) -> str:
        """The same as long as the code, what all tests share, and the versions are the same."""
        versions = [platform.python_version(), version("torch"), course_lib.__version__, Path(values.__file__).read_text()]
        return hashlib.sha256("\0".join([*versions, *code]).encode()).hexdigest()

    def add(self, key: str, chapter: Chapter, mutant: Mutant, verdicts: Verdicts) -> None:
        self.verdicts[key] = verdicts
        if self.file and not any(outcome == "error" for outcome, _ in verdicts.values()):  # those can be run again
            row = {"key": key, "chapter": chapter.name, "exercise": mutant.exercise, "line": mutant.line, "what": mutant.what,
                   "verdicts": verdicts}  # fmt: skip
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``course exercises verify``."""
    words = "number or name, 6 or 06_squeeze_excitation (all chapters)"
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help=words)
    words = "how often a verdict must be the same, with other random inputs (%(default)s)"
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help=words)
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes at a time (%(default)s)")
    parser.add_argument("--notes", type=Path, metavar="FILE", help="keep the verdicts on mutants here; repeat only what changed")


def main(options: argparse.Namespace) -> int:
    """Verify the exercises of the course in the current folder; returns 0 if nothing is wrong with them.

    Raises:
        ValueError: if there are no such chapters here, the table of equivalent mutants lacks a reason, or nothing can be forked.
    """
    torch.set_num_threads(1)  # the children inherit it; a process with several threads cannot be forked safely
    if "fork" not in multiprocessing.get_all_start_methods():
        raise ValueError("exercises are verified in forks of one process, which this system does not have: use Linux or macOS")
    root = Path.cwd()
    found = [path.stem for path in sorted((root / "solutions").glob("*.ipynb"))]
    if not found:
        raise ValueError(f"{root} has no notebooks in solutions/: go to the folder of the course")
    chosen = named(found, options.chapters) or found
    table, notes = equivalents(root / "tests" / "grading" / "equivalent_mutants.txt"), Notes(options.notes)
    print(f"{'exercise':<32} {'tests':>5} {'wrong':>5} {'mutants':>7} {'caught':>6} {'same':>4} {'share':>6}")
    wrong = 0
    for name in chosen:
        chapter = Chapter(root, name)
        _load(chapter.test_file)
        problems, failed = check_answers(chapter, options.repeats, options.workers)
        more, also_failed, rows = check_mutants(chapter, table, options.workers, notes)
        problems += more
        for exercise, tests in chapter.tests().items():
            never = set(tests) - failed - also_failed
            problems += [f"{exercise}: no mutant and no wrong answer fails {test}" for test in sorted(never)]
        print(name)
        for row in rows:
            numbers = f"{row.tests:>5} {row.wrong:>5} {row.mutants:>7} {row.caught:>6} {row.equivalent:>4} {row.share:>6.1%}"
            print(f"  {row.exercise:<30} {numbers}")
        for row in rows:
            for mutant in row.survivors:
                print(f"  survived: {mutant.exercise}, line {mutant.line}\n    {mutant.what}")
        for problem in problems:
            print(f"  WRONG: {problem}")
        sys.stdout.flush()
        wrong += len(problems)
    print(f"problems: {wrong}" if wrong else "nothing is wrong")
    return int(wrong > 0)


def _noticed(verdicts: Verdicts) -> set[str]:
    """Tests that failed, without the cases of parametrised ones; "" for an answer that ended the process."""
    return {test.partition("[")[0] for test, (outcome, _) in verdicts.items() if outcome not in NOT_FAILED}


def _called(key: str | Section) -> str:
    return key if isinstance(key, str) else f"section {key.exercise} in line {key.line} of the wrong answers"


@contextmanager
def _surroundings(jobs: list[Job], repeat: int, busy: bool) -> Iterator[list[Job]]:
    """The jobs as they are; in later repeats by chance, with the tests of their file in another order; with busy neighbours."""
    if not repeat:
        yield jobs
        return
    fork = multiprocessing.get_context("fork")
    neighbours = [fork.Process(target=_spin, daemon=True) for _ in range(os.cpu_count() or 1)] if busy else []
    for process in neighbours:
        process.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            chance, test_file = random.Random(repeat), jobs[0].test_file
            copy = Path(folder) / test_file.name
            copy.write_text(_reordered(test_file.read_text(encoding="utf-8"), chance if repeat > 1 else None), encoding="utf-8")
            yield [job._replace(test_file=copy) for job in chance.sample(jobs, len(jobs))]
    finally:
        for process in neighbours:
            process.kill()
            process.join()


def _reordered(text: str, chance: random.Random | None) -> str:
    """A test file with its tests in another order, backwards if not by chance, after everything else."""
    nodes = ast.parse(text).body
    tests = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    rest = [node for node in nodes if node not in tests]
    return "\n\n".join(map(ast.unparse, [*rest, *(chance.sample(tests, len(tests)) if chance else reversed(tests))]))


def _spin() -> None:
    while True:
        pass


def _load(test_file: Path) -> None:
    """Import pytest and what the tests import, once for all children, by grading nothing."""
    run_tests(test_file, Source([]))
