"""Grade a class: ``pytest tests/exercises --submissions hand-ins/`` runs every graded test on every hand-in.

A graded test becomes one pytest item for each hand-in that answers its chapter. The answers live in a jailed process of
their own (:mod:`course_lib.grading.jailed`). What happened is a row, which the main process appends to
``results/results.jsonl`` within a second: a run that was interrupted, or killed, goes on where it stopped, and a later run
grades only what changed. Forks of the main process grade side by side (:mod:`course_lib.grading.workers`).
"""

import gc
import hashlib
import json
import platform
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib import __version__
from course_lib.grading import reports, run, workers
from course_lib.grading.door import Answers
from course_lib.grading.handins import HandIn, find_hand_ins
from course_lib.grading.inside import fixed_start
from course_lib.grading.jailed import Jailed
from course_lib.grading.notebook import NotebookError, Source, attempted, closure_hash, flags, forbidden_names, nearest
from course_lib.grading.plugin import Grader, mark_of
from course_lib.grading.processes import Zygote
from course_lib.grading.results import Result, Stopped
from course_lib.grading.roster import RosterError
from course_lib.grading.store import GradesError, Store, key, replace_file

DECISIVE = ("answer_hash", "test_hash", "environment_hash", "seed")  # what a row's outcome depends on
UNJAILED = "no jail: the answers ran with the rights of whoever graded (--trust-submissions)"


@dataclass
class Plan:
    """What is to be graded, and how."""

    hand_ins: list[HandIn]
    graded: list[list[str]]  # [student, test file, test, outcome] of earlier runs, with nothing changed since
    level: str
    seed: int  # of what the tests draw: the same for all students


class ClassGrader(Grader):
    """Runs the graded tests on each hand-in that answers them, and keeps a row of every outcome.

    Args:
        level: of the jail.
        zygote: that is starting, at that level; without one the answers must be trusted.
    """

    def __init__(self, config, level: str, zygote: Zygote | None):
        super().__init__(sources=[])
        options = config.option
        if getattr(options, "numprocesses", None) or hasattr(config, "workerinput"):
            raise pytest.UsageError("a class is graded by --grading-workers, not by -n")
        self.accept, self.gradescope, self.begun = options.accept_changes, options.gradescope, time.monotonic()
        self.roster = options.roster
        self.accept |= bool(self.gradescope)  # one student's own marks, and Gradescope takes what there is
        self.workers = options.grading_workers if workers.available() and not options.trust_submissions else 1
        files = test_files(config)
        self.store = Store(options.results or Path("results", selection(files)))
        self.waiting, self.written = [], 0.0
        self.plan, self.rows = prepare(options, files, self.store, level)
        self.progress = Progress(self.plan, files)
        self.zygote = zygote
        self.jailed: Jailed | None = None  # the process of the last test, and whose answer to what it is
        self.answer: tuple[int, str, int] | None = None
        self.spent: dict[tuple[int, str], str] = {}  # hand-in and exercise → the test that reached a limit
        self.outcomes: dict[tuple[str, str, str], str] = {}  # student, test file, test → outcome
        for student, file, test, outcome in self.plan.graded:
            self.outcomes[student, file, test] = outcome

    # ----------------------------------------------------------------------------------------------- items and workers

    def pytest_generate_tests(self, metafunc):
        mark = metafunc.definition.get_closest_marker("points")
        if mark and "answers" in metafunc.fixturenames:
            chosen = [number for number, one in enumerate(self.plan.hand_ins) if mark.args[1] in one.exercises]
            metafunc.fixturenames.append("hand_in")
            metafunc.parametrize("hand_in", chosen, ids=map(tag, chosen))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config, items):
        """Hand-in by hand-in, each in the order of its tests; what is graded already is left out."""
        wanted = [item for item in items if number_of(item) is not None and self.place(item) not in self.outcomes]
        items[:] = sorted(wanted, key=number_of)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        """Side by side, each student's tests by one worker; the usual loop where there is one worker only."""
        gc.collect()
        gc.freeze()  # all that is loaded by now stays: the collector need not look at it, nor write to what workers share
        students: dict[str, list] = {}
        for item in session.items:
            students.setdefault(self.place(item)[0], []).append(item)
        if min(self.workers, len(students)) < 2 or session.testsfailed or session.config.option.collectonly:
            return None
        workers.run_side_by_side(session, list(students.values()), self.workers, self.equip, self.lost)
        return True

    def equip(self) -> Callable[[], None]:
        """A way of its own to jailed processes, for a worker."""
        own = self.zygote.share()
        return lambda: setattr(self, "zygote", own)

    def lost(self, item) -> pytest.TestReport:
        """The report of a test whose worker ended."""
        words = "the process that graded it ended, which is not your fault; it is graded again in the next run"
        report = pytest.TestReport(item.nodeid, item.location, {}, "failed", words, "call")
        mark = mark_of(item)
        self.finished(item, report, Result(item.name, *mark.args[1::-1], "error", words, visibility=mark.kwargs["visibility"]))
        return report

    def place(self, item) -> tuple[str, str, str]:
        return self.plan.hand_ins[number_of(item)].student, item.path.name, test_name(item)

    # ------------------------------------------------------------------------------------------------------- one test

    @pytest.fixture
    def answers(self, request):
        """The answers of one hand-in, in a process of their own."""
        item = request.node
        mark, number = mark_of(item), number_of(item)
        self.stop_early(item, mark, number)
        source = source_of(self.plan.hand_ins[number])
        with fixed_start(self.plan.seed):
            if not self.zygote:  # trusted
                yield Answers(source)
                return
            item.jailed = self.process(number, source, mark)
            yield Answers(item.jailed)

    def process(self, number: int, source: Source, mark) -> Jailed:
        """The process of the exercise's test before, if that passed; a new one otherwise."""
        seconds, memory = mark.kwargs["seconds"], mark.kwargs["memory"]
        answer = number, mark.args[1], memory
        if self.jailed and self.answer == answer:
            with suppress(Stopped):
                self.jailed.again(seconds)
                return self.jailed
        self.put_away()
        self.answer, self.jailed = answer, Jailed(self.zygote, source, seconds, memory)
        return self.jailed

    def put_away(self) -> None:
        if self.jailed:
            self.jailed.close()
            self.jailed = None

    def stop_early(self, item, mark, number: int) -> None:
        """Raise what this test ends in without being run."""
        if title := self.spent.get((number, mark.args[1])):
            raise Stopped("time", f"not run: {mark.args[1]} used up its time in the test before it ({title})")
        student, file, _ = self.place(item)
        for needed in mark.kwargs["needs"]:
            outcomes = {test: outcome for (s, f, test), outcome in self.outcomes.items() if (s, f) == (student, file)}
            if any(outcome != "passed" for test, outcome in outcomes.items() if test.partition("[")[0] == needed):
                shown = [
                    test.title for test in run.graded_tests(item.path) if (test.test, test.visibility) == (needed, "visible")
                ]
                raise Stopped("blocked", f"not run: another test has to pass first{f' ({shown[0]})' if shown else ''}")

    def finished(self, item, report, result: Result) -> None:
        """Give the report of a test its row, and tell pytest that all went well: a wrong answer is no failure of the run."""
        number, name = number_of(item), test_name(item)
        if jailed := getattr(item, "jailed", None):
            jailed.rest() if result.outcome == "passed" else self.put_away()
        self.outcomes[self.place(item)] = result.outcome
        if result.outcome == "time":
            self.spent.setdefault((number, result.exercise), result.title)
        report.row = asdict(result) | about(self.plan.hand_ins[number], self.plan)
        report.row |= {
            "chapter": chapter_of(item.path.name),
            "test": name,
            "title": (item.function.__doc__ or name).strip().splitlines()[0],
            "cpu": round(jailed.cpu, 4) if jailed else 0,
            "seconds": round(report.duration, 4),
            "answer_hash": answer_hash(self.plan.hand_ins[number], result.exercise),
            "test_hash": hash_of_test(item.path, name),
            "flags": flags_of(self.plan.hand_ins[number], result.exercise, forbidden(item.path).get(result.exercise, ())),
        }
        if result.outcome != "error":
            report.outcome, report.longrepr = ("passed" if report.when == "call" else "skipped"), None

    def pytest_report_teststatus(self, report):
        if hasattr(report, "row") and report.row["outcome"] != "error":
            return "graded", "", ("graded", {"green": True})
        return None

    # ----------------------------------------------------------------------------------------------- the main process

    @pytest.hookimpl(trylast=True)  # the terminal's own reporter registers later
    def pytest_sessionstart(self, session):
        self.progress.terminal = session.config.pluginmanager.getplugin("terminalreporter")

    def pytest_runtest_logreport(self, report):
        if hasattr(report, "row"):
            self.keep([report.row])
            self.progress.show(report.row)

    def keep(self, rows: list[dict], at_once: bool = False) -> None:
        """Append rows to the store: once a second, because each time waits for the disk."""
        self.rows += rows
        self.waiting += rows
        if self.waiting and (at_once or time.monotonic() - self.written > 1):
            self.store.append(self.waiting)
            self.waiting, self.written = [], time.monotonic()

    def pytest_sessionfinish(self, session, exitstatus):
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK  # all of it was graded before
        gc.unfreeze()
        self.put_away()
        if self.zygote:
            self.zygote.close()
        self.keep([], at_once=True)
        self.progress.end()

    def pytest_terminal_summary(self, terminalreporter, exitstatus):
        write = terminalreporter.write_line
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
            write(f"interrupted: what is graded is kept in {self.store.folder}, and the same command goes on from there")
            return
        chapters = {(student, chapter_of(file), test) for student, file, test, _ in self.plan.graded}
        kept = [key(row) for row in self.store.rows() if (row["student"], row["chapter"], row["test"]) in chapters]
        wanted = [*kept, *map(key, self.rows)]
        try:
            changed = self.store.write_grades(self.accept, wanted)
        except GradesError as error:
            write(f"{error}\nthe results are kept; run the same command again")
            return
        marks, held = self.store.marks(wanted), bool(changed) and not self.accept
        reports.write_all(marks, self.store.waiting if held else self.store.folder)
        if self.gradescope and marks:
            replace_file(Path(self.gradescope), json.dumps(reports.gradescope_results(marks[0])).encode())
        terminalreporter.section(f"{len(marks)} students in {time.monotonic() - self.begun:.0f} s")
        if held:
            write("Marks that you have given would change:")
        else:
            write("\n".join(filter(None, (reports.table(marks), reports.key(marks)))))
            if without := sum(mark.final is None for mark in marks):
                write(f"\n{without} without a mark yet: {self.store.folder / 'overview.html'} says why")
            write("\nchanged:" if changed else "")
        if changed:
            write("\n".join(f"  {change}" for change in changed) + "\n")
        if held:
            write(f"Nothing is replaced: marks, feedback, overview and platforms' files in {self.store.folder} are as they were.")
            write(f"As they would be, they are in {self.store.waiting}; --accept-changes puts them in place.\n")
        elif not (self.roster or all(map(reports.from_canvas, marks))):
            write("canvas.csv has names of files, which Canvas does not know; --roster FILE gives it the login IDs of students")
        write(f"tests graded now: {sum(bool(row['test']) for row in self.rows)}, in earlier runs: {len(self.plan.graded)}")
        write(f"feedback, overview and grades: {self.store.folder}; jail: {self.plan.level}; seed: {self.plan.seed}")
        if self.plan.level == "none":
            write(UNJAILED)


class Progress:
    """How far a run is: a line that is written over on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, plan: Plan, files: list[Path]):
        answers = [(one.student, chapter_of(file.name), one.exercises) for one in plan.hand_ins for file in files]
        announced = {chapter_of(file.name): run.graded_tests(file) for file in files}
        every = {(who, chapter, one.test) for who, chapter, own in answers for one in announced[chapter] if one.exercise in own}
        self.waiting = every - {(who, chapter_of(file), test.partition("[")[0]) for who, file, test, _ in plan.graded}
        self.count, self.errors, self.first, self.shown, self.terminal = len(self.waiting), 0, 0.0, 0.0, None

    def show(self, row: dict) -> None:
        self.waiting.discard((row["student"], row["chapter"], row["test"].partition("[")[0]))
        self.errors += row["outcome"] == "error"
        now, screen = time.monotonic(), self.terminal and self.terminal.isatty
        self.first = self.first or now
        if not self.terminal or now - (self.shown or self.first) < (0.2 if screen else 10):
            return
        self.shown, done, spent = now, self.count - len(self.waiting), now - self.first
        left = f", about {spent / (done - 1) * len(self.waiting):.0f} s left" if done > 10 else ""
        errors = f", {self.errors} errors of the grader's" if self.errors else ""
        line = f"{done:,} of {self.count:,} tests{left}{errors}"
        self.terminal.rewrite(line, erase=True) if screen else self.terminal.write_line(line)

    def end(self) -> None:
        if self.terminal and self.terminal.isatty and self.shown:
            self.terminal.rewrite("", erase=True)


def prepare(options, files: list[Path], store: Store, level: str) -> tuple[Plan, list[dict]]:
    """Read the hand-ins and find out what is to be done; also the rows of those that cannot be graded."""
    if level == "none" and not options.trust_submissions:
        raise pytest.UsageError(
            "answers cannot be jailed on this machine (course doctor says why); grade on Linux, or trust the hand-ins with "
            "--trust-submissions: they then run with your own rights"
        )
    by_file = {file: run.exercises(file) for file in files}
    wanted = set().union(*by_file.values())
    elsewhere = {name: chapter_of(file.name) for file in every(files) for name in run.exercises(file) - wanted}
    try:
        found = find_hand_ins(options.submissions, wanted, options.roster, elsewhere)
    except (NotebookError, RosterError) as error:
        raise pytest.UsageError(str(error)) from None
    known = {key(row): row for row in store.rows()}
    if not options.gradescope:  # a class of one: the student must read the reason
        require_fit(options.submissions, found, by_file, store, {row["chapter"] for row in known.values() if row["test"]})
    seed = options.grading_seed
    if seed is None:
        seed = next((row["seed"] for row in known.values() if type(row.get("seed")) is int), secrets.randbelow(1 << 31))
    plan = Plan([with_whole_chapters(one, found, by_file.values()) for one in found], [], level, seed)
    if known:
        earlier = {(row["student"], row["chapter"], row["test"]): row for row in known.values() if row["test"]}
        plan.graded = list(unchanged(plan, by_file, earlier))
    troubles = [trouble(one, plan) for one in found if not one.exercises]
    store.append([row for row in troubles if known.get(key(row), {}).get("message") != row["message"]])
    return plan, troubles


def require_fit(folder: str, found: list[HandIn], by_file: dict[Path, set[str]], store: Store, earlier: set[str]) -> None:
    """Stop before anything is written if there is no hand-in of the chapters that are graded, or that the results are of.

    Raises:
        pytest.UsageError: what the hand-ins are of, and what to do.
    """
    if not found:
        raise pytest.UsageError(f"there is no hand-in in {folder}: give the folder or zip with the hand-ins")
    own = {chapter_of(file.name) for file, names in by_file.items() if any(names & set(one.exercises) for one in found)}
    others = Counter(chapter for one in found for chapter in one.elsewhere).most_common()
    if others and not own:
        asked = ", ".join(chapter_of(file.name) for file in by_file)
        what = ", ".join(f"{chapter} ({count} student{'s' * (count > 1)})" for chapter, count in others)
        numbers = " ".join(sorted(chapter.partition("_")[0] for chapter, _ in others))
        raise pytest.UsageError(
            f"no hand-in in {folder} has an exercise of {asked}; they have those of {what}. "
            f"Nothing is graded and nothing written: pass --chapter {numbers}, or the folder with hand-ins of {asked}"
        )
    if own and (strange := sorted(earlier - own)):
        raise pytest.UsageError(
            f"{store.folder} holds results of {', '.join(strange)}, of which {folder} has no hand-in that is graded now. "
            "Nothing is graded and nothing written: name the chapters with --chapter, or another folder with --results"
        )


def with_whole_chapters(hand_in: HandIn, all_of_them: list[HandIn], chapters: Iterable[set[str]]) -> HandIn:
    """A student's first hand-in for a chapter also answers for the exercises of the chapter that none of them has."""
    own = [one for one in all_of_them if one.student == hand_in.student]
    taken = set().union(*(one.exercises for one in own))
    more = set(hand_in.exercises)
    for exercises in chapters:
        if next((one for one in own if exercises & set(one.exercises)), None) is hand_in:
            more |= exercises - taken
    return replace(hand_in, exercises=tuple(sorted(more)))


def unchanged(plan: Plan, by_file: dict[Path, set[str]], earlier: dict) -> Iterable[list[str]]:
    """Tests of earlier runs whose answer, test and environment are what they were."""
    environment = environment_hash(plan.level)
    of_chapter: dict[tuple[str, str], list[tuple[str, dict]]] = {}
    for (student, chapter, test), row in earlier.items():
        of_chapter.setdefault((student, chapter), []).append((test, row))
    for hand_in in plan.hand_ins:
        if not hand_in.exercises:
            continue
        source = source_of(hand_in)
        hashes = {exercise: closure_hash(source, exercise) for exercise in hand_in.exercises}
        for file in by_file:
            names = {test.test for test in run.graded_tests(file)}
            for test, row in of_chapter.get((hand_in.student, chapter_of(file.name)), []):
                if row["exercise"] in hashes:
                    base = test.partition("[")[0]
                    now = hashes[row["exercise"]], base in names and hash_of_test(file, test), environment, plan.seed
                    if row["outcome"] != "error" and now == tuple(map(row.get, DECISIVE)):
                        yield [hand_in.student, file.name, test, row["outcome"]]


def about(hand_in: HandIn, plan: Plan) -> dict:
    """The part of a row that says whose it is and how it was graded."""
    return {
        "student": hand_in.student,
        "name": hand_in.name,
        "hand_in": hand_in.path,
        "late": hand_in.late,
        "jail": plan.level,
        "seed": plan.seed,
        "environment_hash": environment_hash(plan.level),
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def trouble(hand_in: HandIn, plan: Plan) -> dict:
    """The row of a hand-in that cannot be graded."""
    nothing = Result("", "", 0, "not gradable", hand_in.problem)
    return asdict(nothing) | about(hand_in, plan) | {"chapter": "", "flags": list(hand_in.flags)}


def test_files(config) -> list[Path]:
    """The graded test files that pytest was told to run, or the course's."""
    paths = [Path(argument.partition("::")[0]) for argument in config.args]
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("test_*.py")))]
    return [file for file in files if run.graded_tests(file)]


def every(files: list[Path]) -> list[Path]:
    """All graded test files beside these."""
    return [file for folder in {file.parent for file in files} for file in folder.glob("test_*.py") if run.exercises(file)]


def selection(files: list[Path]) -> str:
    """The name of a folder for the results of these chapters, another one for each choice of chapters."""
    chapters = sorted(chapter_of(file.name) for file in files)
    return "all" if len(chapters) > 1 and len(chapters) == len(every(files)) else "+".join(chapters)


def tag(number: int) -> str:
    """How a hand-in appears in the name of an item: nothing that a student wrote."""
    return f"hand-in-{number}"


def number_of(item) -> int | None:
    """The hand-in of an item; None where no hand-in answers the test."""
    number = item.callspec.params.get("hand_in") if hasattr(item, "callspec") else None
    return number if isinstance(number, int) else None


def test_name(item) -> str:
    """The name of the test without the hand-in."""
    mine = tag(number_of(item))
    name, _, rest = item.name.partition("[")
    parts = rest.removesuffix("]")
    parts = parts.removesuffix(mine).removesuffix("-") if parts.endswith(mine) else parts.removeprefix(mine).removeprefix("-")
    return f"{name}[{parts}]" if parts else name


@lru_cache(maxsize=4)  # the tests of a hand-in follow each other
def source_of(hand_in: HandIn) -> Source:
    return Source(hand_in.cells, hand_in.markdown)


@lru_cache(maxsize=16)
def answer_hash(hand_in: HandIn, exercise: str) -> str:
    return closure_hash(source_of(hand_in), exercise)


@lru_cache(maxsize=16)
def flags_of(hand_in: HandIn, exercise: str, forbidden: tuple[str, ...]) -> list[str]:
    source = source_of(hand_in)
    near = "" if attempted(source, exercise) else nearest(exercise, source.names - set(hand_in.exercises))
    misspelt = [f"{exercise} is not attempted, but {near} is defined"] if near else []
    return [*hand_in.flags, *misspelt, *flags(source, exercise, forbidden)]


def chapter_of(file: str) -> str:
    return Path(file).stem.removeprefix("test_")


@cache
def _test_source(file: Path) -> Source:
    return Source([file.read_text(encoding="utf-8")])


@cache
def hash_of_test(file: Path, test: str) -> str:
    """SHA-256 of the code of a test and of all that it refers to in its file."""
    return closure_hash(_test_source(file), test.partition("[")[0])


@cache
def forbidden(file: Path) -> dict[str, tuple[str, ...]]:
    return forbidden_names(file.read_text(encoding="utf-8"))


@cache
def environment_hash(level: str) -> str:
    versions = [platform.python_version(), torch.__version__, np.__version__, __version__, sys.platform, platform.machine()]
    return hashlib.sha256(json.dumps([*versions, level]).encode()).hexdigest()
