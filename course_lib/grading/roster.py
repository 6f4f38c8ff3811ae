"""Who is in the class: a CSV file in whatever form a learning platform exports it."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# Names of columns, letters and digits only. The first that is there gives a student's id; all of them are known.
ID_COLUMNS = ("id", "studentid", "sid", "sisuserid", "studentnumber", "idnumber", "identifier", "orgdefinedid", "userid")
ID_COLUMNS += ("username", "login", "loginid", "sisloginid", "netid", "matriculationnumber", "matrikelnummer")
NAME_COLUMNS = ("name", "fullname", "student", "studentname", "displayname")
FIRST_COLUMNS, LAST_COLUMNS = ("firstname", "givenname", "first"), ("lastname", "surname", "familyname", "last")
EMAIL_COLUMNS = ("email", "emailaddress", "mail")
MAX_ROSTER = 5_000_000


class RosterError(ValueError):
    """The roster cannot be used, and why."""


@dataclass(eq=False)
class Student:
    """One line of the roster: the id that results go by, the name to show, all words that mean this student."""

    student: str
    name: str
    ids: set[str] = field(default_factory=set)  # folded: ids, e-mail addresses and their local parts
    flags: list[str] = field(default_factory=list)


def read_roster(path: str | Path) -> list[Student]:
    """Read a roster: columns for id, name or e-mail address are found by their names, in any order.

    Raises:
        RosterError: if the file cannot be read or has no such column.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RosterError(f"{path} cannot be read: {error}") from None
    if len(data) > MAX_ROSTER:
        raise RosterError(f"{path} has {len(data) // 10**6} MB, which is no roster")
    text = _decode(data)
    head = text.lstrip("\n").partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(map(str.strip, row))]
    except csv.Error as error:
        raise RosterError(f"{path} is not a CSV file: {error}") from None
    columns = [re.sub(r"[^a-z0-9]", "", folded(title)) for title in rows[0]] if rows else []
    if not {*columns} & {*ID_COLUMNS, *NAME_COLUMNS, *EMAIL_COLUMNS}:
        found = ", ".join(rows[0]) if rows else "nothing"
        raise RosterError(f"{path}: no column says who the students are; expected id, name or email, found {found}")
    students: dict[str, Student] = {}
    for row in rows[1:]:
        cells = {}
        for title, cell in zip(columns, row, strict=False):
            cells.setdefault(title, " ".join(cell.split()))
        student = _student(cells)
        if student is None:
            continue
        first = students.setdefault(student.student, student)
        if first is not student:
            first.ids |= student.ids
            if words(first.name) != words(student.name):
                first.flags.append(f"the roster has the id {student.student} twice, also for {student.name}")
    return list(students.values())


def folded(text: str) -> str:
    """Lower case without accents, for comparing."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def words(text: str) -> tuple[str, ...]:
    """The words of a name, sorted: "García, Ana" is "Ana Garcia"."""
    return tuple(sorted(re.findall(r"[^\W_]+", folded(text))))


def run_together(text: str) -> set[str]:
    """A name without spaces, first names first or last: what Canvas makes of it."""
    parts = re.findall(r"[^\W_]+", folded(text))
    return {"".join(parts[place:] + parts[:place]) for place in range(len(parts))}


class Roster:
    """The students of a class, found again by id, e-mail address or name."""

    def __init__(self, students: list[Student]):
        self.students = students
        self._by_id = {word: student for student in reversed(students) for word in student.ids}
        self._by_name: dict[object, list[Student]] = {}
        for student in students:
            for key in {words(student.name), *run_together(student.name)}:
                self._by_name.setdefault(key, []).append(student)

    def find(self, ids: Iterable[str], name: str) -> tuple[Student | None, str]:
        """The student that is meant, if it is one alone, and what is odd about it."""
        for word in ids:
            if student := self._by_id.get(folded(word)):
                odd = (
                    folded(name) != folded(word)
                    and words(name) != words(student.name)
                    and _letters(name) not in run_together(student.name)
                )
                return student, f"handed in as {name}, on the roster as {student.name}" if odd else ""
        found = self._by_name.get(words(name)) or self._by_name.get(_letters(name)) or self._within(name)
        if len(found) > 1:
            return None, f"{len(found)} students on the roster could be meant by {name}"
        return (found[0] if found else None), ""

    def _within(self, name: str) -> list[Student]:
        """The students whose id, or whole name of two words or more, stands in a longer name."""
        there = set(words(name))
        ids = [student for student in self.students if any(len(word) > 2 and word in there for word in student.ids)]
        return ids or [s for s in self.students if len(words(s.name)) > 1 and there.issuperset(words(s.name))]


def _letters(name: str) -> str:
    return "".join(re.findall(r"[^\W_]+", folded(name)))


def _student(cells: dict[str, str]) -> Student | None:
    first, last = (next((cells[name] for name in names if cells.get(name)), "") for names in (FIRST_COLUMNS, LAST_COLUMNS))
    name = next((cells[name] for name in NAME_COLUMNS if cells.get(name)), f"{first} {last}".strip())
    if re.fullmatch(r"[^,]+, [^,]+", name):  # "García, Ana"
        name = " ".join(reversed(name.split(", ")))
    email = next((cells[name] for name in EMAIL_COLUMNS if cells.get(name)), "")
    ids = [cells[column].removeprefix("Participant ") for column in ID_COLUMNS if cells.get(column)]
    if not (ids or email) and (not name or name.casefold() == "points possible"):  # a line that Canvas puts in
        return None
    known = {folded(word) for word in (*ids, email, email.partition("@")[0]) if word}
    student = next(word for word in (*ids, email, name) if word)
    return Student(student, name or student, known)


def _decode(data: bytes) -> str:
    for encoding in ("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")
