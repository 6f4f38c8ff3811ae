"""What a class got: in one folder, every graded test as a line of ``results.jsonl``, and the marks in ``grades.csv``.

``results.jsonl`` only ever grows. Each line is one graded test on one hand-in, a JSON object that names at least
``student``, ``chapter``, ``exercise``, ``test``, ``points`` and ``outcome`` (see :class:`course_lib.grading.results.Result`);
a line whose ``test`` is empty says why a hand-in has no results (``not gradable``), or that there is none (``hand_in`` empty).
Marks are computed from the lines. Two columns of ``grades.csv`` belong to the instructor and survive: ``manual``, ``comment``.
"""

import csv
import json
import math
import os
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from course_lib.grading.results import NO_MARK, OUTCOMES
from course_lib.grading.words import cell, file_name, from_cell, identifier, line, number

Key = tuple[str, str, str, str]
GIVEN = ("manual", "comment")
FIXED = {"student", "name", "total", "out of", *GIVEN, "final", "flags", "not gradable", "late", "feedback"}


class GradesError(ValueError):
    """``grades.csv`` holds something that is no mark; the message names the line and what to do."""


@dataclass(frozen=True)
class Mark:
    """What one student got. ``None`` for points means: no mark yet, which is never a zero."""

    student: str
    name: str
    exercises: dict[str, float | None]  # the whole class's exercises, in order
    possible: dict[str, float]
    tests: dict[str, tuple[dict, ...]]  # the rows behind each exercise; none where the chapter was not handed in
    chapters: dict[str, str]  # of each exercise
    problems: tuple[str, ...]  # why there is no total
    rows: tuple[dict, ...]  # all rows, also those without a test
    flags: tuple[str, ...] = ()
    late: str = ""
    manual: float | None = None
    comment: str = ""

    @property
    def total(self) -> float | None:
        return None if self.problems else math.fsum(self.exercises.values())

    @property
    def final(self) -> float | None:
        """The instructor's mark where there is one, otherwise the total."""
        return self.total if self.manual is None else self.manual

    @property
    def out_of(self) -> float:
        return math.fsum(self.possible.values())

    @property
    def page(self) -> str:
        """The student's page of feedback, in the folder of results; none for who handed in nothing."""
        return f"feedback/{file_name(self.student)}.html" if any(row["hand_in"] for row in self.rows) else ""


@dataclass(frozen=True)
class Change:
    """A mark that would become another one; ``what`` is an exercise, ``"total"``, or what a manual mark is out of."""

    student: str
    name: str
    what: str
    before: float
    after: float | None
    gone: bool = False  # the student is not among these hand-ins

    def __str__(self) -> str:
        after = (
            "no mark" + ", not among these hand-ins" * self.gone
            if self.after is None
            else f"{number(self.after)} ({self.after - self.before:+.4g})"
        )
        return f"{line(self.name, 60)} ({line(self.student, 60)}), {self.what}: {number(self.before)} → {after}"


class Store:
    """The folder of results of one class.

    Args:
        folder: made when the first result is written.

    Attributes:
        waiting: its subfolder for what would replace marks and is not accepted yet.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.waiting = self.folder / "not-accepted"
        self.damaged: list[int] = []  # numbers of the lines that the last reading could not use

    def append(self, rows: Iterable[dict]) -> None:
        """Write rows, in one piece and down to the disk; after this returns, a power cut does not lose them.

        Raises:
            ValueError: if a row is not as the module says, or holds a number that JSON has not (NaN, infinity).
            OSError: if the disk does not take them.
        """
        rows = list(rows)
        for row in rows:
            if fault := _fault(row):
                raise ValueError(f"this row cannot be a result, {fault}: {row!r:.300}")
        if not rows:
            return
        text = "".join(json.dumps(row, sort_keys=True, allow_nan=False) + "\n" for row in rows).encode("ascii")
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "results.jsonl", "a+b", buffering=0) as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # the last run was killed in the middle of a line; what it tore stays alone
                    text = b"\n" + text
            while text:
                text = text[file.write(text) :]
            os.fsync(file.fileno())

    def rows(self, wanted: Collection[Key] | None = None) -> list[dict]:
        """The newest row of every graded test, test by test in the order in which the class met them.

        Args:
            wanted: only these, in this order (see :func:`key`); all by default.
        """
        rows, self.damaged = [], []
        path = self.folder / "results.jsonl"
        for place, text in enumerate(path.read_bytes().splitlines() if path.exists() else (), start=1):
            try:
                row = json.loads(text)
            except (ValueError, RecursionError):
                row = None
            if _fault(row):
                self.damaged.append(place)
            else:
                rows.append(row)
        newest = latest(rows)
        if wanted is None:
            return newest
        by_key = {key(row): row for row in newest}
        return [by_key[name] for name in dict.fromkeys(wanted) if name in by_key]

    def marks(self, wanted: Collection[Key] | None = None) -> list[Mark]:
        """The class, by name. Manual marks and comments come from ``grades.csv``.

        Raises:
            GradesError: if a manual mark there is not a number.
        """
        return marks(self.rows(wanted), self.read_grades())

    def read_grades(self) -> dict[str, dict[str, str]]:
        """The lines of ``grades.csv`` by student: column name to text, also after a spreadsheet program has saved it anew.

        Raises:
            GradesError: if it has no column ``student``, a student twice, or a manual mark that is not a number.
        """
        path = self.folder / "grades.csv"
        if not path.exists():
            return {}
        table: dict[str, dict[str, str]] = {}
        for place, row in _read_csv(path):
            student = row.get("student", "")
            if not student and not any(row.values()):
                continue
            if not student or (student in table and any(row.get(name) for name in GIVEN)):
                fault = f"{student!r} is there twice" if student else "has no identifier"
                raise GradesError(f"{path}, line {place}: the student {fault}; mend the column student, or move the file away")
            if (text := row.get("manual", "")) and _points(text) is None:
                raise GradesError(
                    f"{path}, line {place}, column manual: {text!r} is not a number of points; write one, or leave it empty"
                    " and use the column comment"
                )
            table.setdefault(student, row)
        return table

    def write_grades(self, accept: bool = False, wanted: Collection[Key] | None = None) -> list[Change]:
        """Bring ``grades.csv`` up to date, manual marks and comments as they are there.

        Marks that were in the file and would change: then it stays as it is, the table in the folder ``waiting`` shows the new
        ones, and they are returned. New students, and marks where there was none, change nobody's mark.

        Args:
            accept: replace marks; what changed is still returned.
            wanted: as for :meth:`rows`.
        Raises:
            GradesError: if the file there cannot be understood; it then stays as it is.
        """
        old = self.read_grades()
        new = marks(self.rows(wanted), old)
        changed = changes(old, new)
        text = grades_csv(new, old).encode("utf-8-sig")  # with its mark, or spreadsheet programs garble accents
        if (self.waiting / "grades.csv").is_file():  # so it is ours, and not somebody's folder of that name
            shutil.rmtree(self.waiting)
        replace_file((self.waiting if changed and not accept else self.folder) / "grades.csv", text, lasting=True)
        return changed


def key(row: dict) -> Key:
    """What a newer row replaces: student, chapter, exercise, test. Without a test: student and the hand-in's path."""
    if row["test"]:
        return row["student"], row["chapter"], row["exercise"], row["test"]
    return row["student"], row["hand_in"], "", ""


def latest(rows: Iterable[dict]) -> list[dict]:
    """The rows that count, in the order in which each test came first: of each test the newest, and no trouble that is over.

    A hand-in that could be read later is no longer unreadable, one that became unreadable has no results any more, and a
    student with any hand-in has not handed in nothing.
    """
    rows = list(rows)
    newest: dict[Key, dict] = {}
    read, unread = set(), set()  # hand-ins of later rows
    for row in reversed(rows):
        hand_in = row["student"], row["hand_in"]
        over = hand_in in (unread if row["test"] else read)
        (read if row["test"] else unread).add(hand_in)
        if not over:
            newest.setdefault(key(row), row)
    present = {row["student"] for row in newest.values() if row["hand_in"]}
    order = (name for name in dict.fromkeys(map(key, rows)) if name in newest)
    return [newest[name] for name in order if newest[name]["hand_in"] or newest[name]["student"] not in present]


def marks(rows: Iterable[dict], given: dict[str, dict[str, str]] | None = None) -> list[Mark]:
    """Points of every student by exercise, by name of student.

    No total: if a test could not be graded, if a test that others have is still missing, or a whole chapter.

    Args:
        rows: as :meth:`Store.rows` gives them.
        given: as :meth:`Store.read_grades` gives it, for manual marks and comments.
    """
    points: dict[tuple[str, str], dict[str, float]] = {}  # by chapter and exercise: test to points
    students: dict[str, list[dict]] = {}
    for row in rows:
        students.setdefault(row["student"], []).append(row)
        if row["test"]:
            points.setdefault((row["chapter"], row["exercise"]), {})[row["test"]] = row["points"]
    places = sorted(points, key=lambda place: place[0])  # stable: the exercises of a chapter stay in order
    names = [exercise for _, exercise in places]
    labels = {(c, e): e if names.count(e) == 1 and e not in FIXED else f"{c}: {e}" for c, e in places}
    chapter_of = {labels[place]: place[0] for place in places}
    possible = {labels[place]: math.fsum(points[place].values()) for place in places}
    order = {(*place, test): n for n, (place, test) in enumerate((place, test) for place in places for test in points[place])}
    result = []
    for student, mine in students.items():
        mine.sort(key=lambda row: order.get((row["chapter"], row["exercise"], row["test"]), -1))
        earned, tests_of = {}, {}
        problems = [line(row["message"]) or row["outcome"] for row in mine if not row["test"]]
        graded: dict[tuple[str, str], list[dict]] = {}
        for row in mine:
            graded.setdefault((row["chapter"], row["exercise"]), []).append(row)
        chapters = {chapter for chapter, exercise in graded if exercise}
        for place in places:
            tests = graded.get(place, [])
            faults = [row["outcome"] for row in tests if row["outcome"] in NO_MARK]
            why = [f"{faults.count(fault)} × {fault}" for fault in dict.fromkeys(faults)]
            if missing := len(points[place]) - len(tests):
                why.append(f"{missing} not graded yet")
            if why and place[0] in chapters:
                problems.append(f"{labels[place]}: {', '.join(why)}")
            right = (row["points"] for row in tests if row["outcome"] == "passed")
            tests_of[labels[place]] = tuple(tests)
            earned[labels[place]] = None if why else math.fsum(right)
        if chapters:
            problems += [f"no hand-in for {chapter}" for chapter in sorted({chapter for chapter, _ in places} - chapters)]
        name = mine[-1]["name"]
        old = _given(given or {}, student, name)
        result.append(
            Mark(
                student,
                name,
                earned,
                possible,
                tests_of,
                chapter_of,
                tuple(problems),
                tuple(mine),
                flags=tuple(dict.fromkeys(flag for row in mine for flag in row.get("flags", ()))),
                late=next((row["late"] for row in mine if row.get("late")), ""),
                manual=_points(old.get("manual", "")),
                comment=old.get("comment", ""),
            )
        )
    return sorted(result, key=lambda mark: (line(mark.name).casefold(), mark.student))


def changes(old: dict[str, dict[str, str]], new: Iterable[Mark]) -> list[Change]:
    """Who would get other marks than ``grades.csv`` says: totals first, then exercises; a mark that goes away is one too.

    So is a manual mark whose total is out of another number of points than when it was given.
    """
    found, by_line = [], {id(_given(old, mark.student, mark.name)): mark for mark in new}
    for student, row in old.items():
        mark = by_line.get(id(row))
        now = {"total": mark.total, **mark.exercises} if mark else {"total": None}
        for what, after in now.items():
            before = _points(row.get(what, ""))
            if before is not None and (after is None or abs(after - before) > 5e-4):
                found.append(Change(student, mark.name if mark else row.get("name", ""), what, before, after, gone=not mark))
        out_of = _points(row.get("out of", ""))
        if mark and row.get("manual") and out_of is not None and abs(mark.out_of - out_of) > 5e-4:
            found.append(Change(student, mark.name, f"out of, with {row['manual']} given by hand", out_of, mark.out_of))
    return sorted(found, key=lambda change: change.what != "total")


def grades_csv(new: list[Mark], old: dict[str, dict[str, str]]) -> str:
    """The text of ``grades.csv``. Who is only in the old one stays if there is a manual mark or a comment."""
    exercises = list(new[0].exercises) if new else []
    header = ["student", "name", *exercises, "total", "out of", "manual", "final", "comment", "flags", "not gradable", "late"]
    header.append("feedback")
    table = [header]
    for mark in new:
        points = (*mark.exercises.values(), mark.total, mark.out_of, mark.manual, mark.final)
        words = (mark.comment, "; ".join(mark.flags), "; ".join(mark.problems), mark.late, mark.page)
        numbers = ["" if value is None else number(value) for value in points]
        table.append([cell(identifier(mark.student)), cell(mark.name), *numbers, *map(cell, words)])
    known = {id(_given(old, mark.student, mark.name)) for mark in new}
    for row in old.values():
        if id(row) not in known and any(row.get(name) for name in GIVEN):
            table.append([text if _points(text) is not None else cell(text) for text in (row.get(name, "") for name in header)])
    return csv_text(table)


def csv_text(table: Iterable[Iterable[str]]) -> str:
    """A CSV file of these cells."""
    file = StringIO()
    csv.writer(file).writerows(table)
    return file.getvalue()


def replace_file(path: Path, content: bytes, lasting: bool = False) -> None:
    """Write a file beside, then rename it: at any moment the old one or the new one is there, whole.

    Args:
        lasting: also after a power cut; what can be built again from ``results.jsonl`` need not wait for the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.part")
    with open(beside, "wb") as file:
        file.write(content)
        if lasting:
            file.flush()
            os.fsync(file.fileno())
    os.replace(beside, path)


def _fault(row: object) -> str:
    """What keeps a row from being a result; empty if nothing does."""
    if not isinstance(row, dict):
        return "it is no object"
    texts = ("student", "name", "hand_in", "chapter", "exercise", "test", "outcome", "message")
    if wrong := [name for name in texts if not isinstance(row.get(name), str)]:
        return f"{', '.join(wrong)} must be text"
    if not row["student"]:
        return "its student is empty"
    if row["outcome"] not in OUTCOMES:
        return f"the outcome {row['outcome']!r} is none of {', '.join(OUTCOMES)}"
    points = row.get("points")
    return "" if type(points) in (int, float) and 0 <= points < math.inf else f"points={points!r} is no number of points"


def _read_csv(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    """Line number and cells by column name. Spreadsheet programs change encoding, separator and line ends."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator)
    header = [from_cell(name) for name in next(reader, [])]
    if "student" not in header:
        raise GradesError(f"{path}, line 1: there is no column student (found: {', '.join(header)[:200]}); move the file away")
    for cells in reader:
        yield reader.line_num, dict(zip(header, map(from_cell, cells), strict=False))


def _points(text: str) -> float | None:
    """Points as an instructor or a spreadsheet program writes them (12.5 or 12,5); None if this is no number."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _given(old: dict[str, dict[str, str]], student: str, name: str) -> dict[str, str]:
    """The student's line of ``grades.csv``; also if a spreadsheet program has taken the identifier 007 for the number 7."""
    if found := old.get(identifier(student)):
        return found
    found = old.get(student.lstrip("0")) if student.isdecimal() else None
    return found if found and found.get("name") == from_cell(cell(name)) else {}
