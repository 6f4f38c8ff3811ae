"""Who handed in what: notebooks in folders and zips as learning platforms export them.

Everything here is reading: nothing of a hand-in is run, imported, unpickled or written to the disk. Who a hand-in belongs
to is told by the platform's file names, the folder or the file name, never by what stands inside.

What lies directly in the folder (or in the one zip in it) belongs to a student each, by the name of its platform:

| platform | name | student |
|---|---|---|
| Canvas | ``lopezana_LATE_12345_67890_notebook.ipynb`` | 12345 |
| Moodle | ``Ana López_12345_assignsubmission_file_/notebook.ipynb`` | 12345 |
| Gradescope | ``submission_6789/notebook.ipynb`` beside ``submission_metadata.yml`` | the student ids in that file |
| Google Classroom | ``Ana López - notebook.ipynb`` | Ana López |
| none | ``ana/…``, ``ana.zip``, ``ana.ipynb`` | ana |

Inside a folder or zip of the last kind, names that only Moodle, Gradescope or Canvas give count as well, unless the roster knows
whose the folder or zip is.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from course_lib.grading.archives import File, Refused, files_in, members
from course_lib.grading.notebook import Notebook, NotebookError, Source, attempted, read_cells
from course_lib.grading.results import printable
from course_lib.grading.roster import Roster, read_roster

CANVAS = re.compile(r"(?P<name>.+?)(?P<late>_LATE)?_(?P<id>\d+)_(?P<number>\d{2,})_(?P<file>.+)", re.DOTALL)
CANVAS_ANONYMOUS = re.compile(r"(?P<late>LATE_)?(?P<id>anon_[^\W_]+)_(?P<number>\d{2,})_(?P<file>.+)", re.DOTALL)
CANVAS_INSIDE = re.compile(r"[^\W_]+(_LATE)?(_(?!20\d{6}_)\d{3,}){2}(?<=\d{5})_.+", re.DOTALL)  # no small numbers, no dates
CANVAS_TEXT = re.compile(r"(?P<name>.+?)(?P<late>_LATE)?_(?P<id>\d+)_(?P<file>text|link)\.html", re.DOTALL)
MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?", re.DOTALL)
GRADESCOPE = re.compile(r"submission_(?P<number>\d+)")
CLASSROOM = re.compile(r"(?P<name>.+?) - (?P<file>.+)", re.DOTALL)
COPY = re.compile(r"^Copy of | ?\(\d+\)$")
METADATA = "submission_metadata.yml"

LINKS = {".gdoc", ".gsheet", ".glink", ".url", ".webloc", ".lnk", ".desktop"}
PAGES = {".html", ".htm", ".mhtml"}
CLASS_FILES = {".csv", ".yml", ".yaml", ".xls", ".xlsx"}  # beside the hand-ins: nobody's
OTHER_ARCHIVES = {".rar", ".7z", ".tar", ".gz", ".tgz", ".xz", ".bz2"}
DOWNLOAD = "Hand in the notebook itself: File > Download > Download .ipynb"
MAX_LOOKS = 40  # files of one student that are opened
MAX_UNPACKED = 750_000_000  # bytes of one student that are read
MAX_ZIPS = 3  # zips in zips
MAX_METADATA = 50_000_000
MAX_ABOVE = 4  # folders and zips around all hand-ins


@dataclass(frozen=True)
class HandIn:
    """One notebook of one student. The texts, the name, the path and the flags are the student's: untrusted."""

    student: str  # id, from the roster or the names of files; unique to the student
    name: str  # to show
    path: str  # relative, for people
    cells: tuple[str, ...] = ()  # texts of the code cells; none if there is a problem
    markdown: tuple[str, ...] = ()  # texts of the other cells
    flags: tuple[str, ...] = ()  # for the instructor
    problem: str = ""  # why it is not gradable, and what to hand in
    late: str = ""  # what the platform says
    exercises: tuple[str, ...] = ()  # what this hand-in, and no other of the student's, is graded on
    elsewhere: tuple[str, ...] = ()  # if there are none: chapters not graded now whose exercises the student's files have


@dataclass(frozen=True)
class _Owner:
    """Whom a name in the class's folder speaks of."""

    key: str
    name: str
    number: int = 0  # the platform's, larger for a later one
    late: str = ""
    ids: tuple[str, ...] = ()
    group: tuple[str, ...] = ()  # names of all who handed it in together


@dataclass
class _Unit:
    """All that one student handed in."""

    student: str
    name: str
    files: list[tuple[_Owner, File]] = field(default_factory=list)
    flags: dict[str, None] = field(default_factory=dict)


@dataclass(eq=False)
class _Candidate:
    """A notebook that could count."""

    owner: _Owner
    file: File
    notebook: Notebook
    answers: set[str]
    done: set[str]  # of them, those that are more than a stub

    def rank(self, exercise: str) -> tuple:
        return exercise in self.done, self.owner.number, self.file.time, len(self.done), self.file.parts


def find_hand_ins(
    folder: str | Path,
    exercises: Iterable[str],
    roster: str | Path | None = None,
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> list[HandIn]:
    """Read everything that a class handed in: one ``HandIn`` for each notebook that counts, in a fixed order.

    A notebook counts if it defines an exercise, whatever it is called. Where several notebooks of a student define the same
    exercise, the newest that is more than the stub counts. A student without a readable notebook has one ``HandIn`` that
    says why.

    Args:
        folder: hand-ins in files, folders or zips; or one such file.
        exercises: names of all exercises that are to be graded.
        roster: a CSV file with columns like id, name, email. Everyone in it is in the result.
        elsewhere: names of the course's other exercises, and the chapter of each.
    Raises:
        NotebookError: if there is no such folder.
        RosterError: if the roster cannot be used.
    """
    folder, exercises = Path(folder), frozenset(exercises)
    known = Roster(read_roster(roster) if roster is not None else [])
    if not folder.exists():
        raise NotebookError(f"{folder}: there is no such file or folder")
    with ExitStack() as stack:
        files = _class_level(files_in(folder), known, stack)
        units = _units(files, known, stack)
        hand_ins = [hand_in for unit in units for hand_in in _hand_ins_or_fault(unit, exercises, elsewhere)]
    places = {student.student: place for place, student in enumerate(known.students)}
    hand_ins.sort(key=lambda one: (places.get(one.student, len(places)), one.student.casefold(), one.student, one.path))
    return _flag_same(hand_ins, exercises)


# --------------------------------------------------------------------------------------------- what belongs to whom


def _class_level(files: list[File], known: Roster, stack: ExitStack) -> list[File]:
    """The files with paths that begin with a name for each student: without folders and zips around the whole class."""
    level, is_zip = files, False
    for above in range(MAX_ABOVE + 1):
        if above and _is_class(level, is_zip):
            return level
        if len({file.parts[0] for file in level}) != 1 or _is_student(level[0], known):
            break
        is_zip = len(level[0].parts) == 1 and level[0].suffix == ".zip"
        try:
            inner = members(level[0], stack) if is_zip else level
        except Refused:
            break
        level = [replace(file, parts=file.parts[1:]) for file in inner if len(file.parts) > 1]
    return files


def _is_class(files: list[File], is_zip: bool) -> bool:
    """Whether these are the hand-ins of several students: named by a platform, or in folders or zips of their own."""
    if any(_platform_owner(file) or file.parts == (METADATA,) for file in files):
        return True
    if _has_classroom_names(files):
        return True
    kinds = (".zip", ".ipynb", ".py") if is_zip else (".zip",)
    return len({file.parts[0] for file in files if len(file.parts) > 1 or file.suffix in kinds}) > 1


def _has_classroom_names(files: list[File]) -> bool:
    """Whether what stands in front of " - " tells students apart: it may be a title as well."""
    matches = (CLASSROOM.fullmatch(file.name) for file in files if len(file.parts) == 1)
    return len({match["name"] for match in matches if match}) > 1


def _is_student(file: File, known: Roster) -> bool:
    owner = _platform_owner(file) or _plain_owner(file)
    return known.find(owner.ids, owner.name)[0] is not None


def _units(files: list[File], known: Roster, stack: ExitStack) -> list[_Unit]:
    """The files by student; students of the roster without any come last."""
    units: dict[object, _Unit] = {}
    for owners, file in _owned(files, known, stack):
        for owner in owners:
            student, flag = known.find(owner.ids, owner.name)
            unit = units.setdefault(
                student or owner.key, _Unit(*((student.student, student.name) if student else (owner.key, owner.name)))
            )
            unit.files.append((owner, file))
            if known.students and not student:
                flag = f"not on the roster{': ' * bool(flag)}{flag}"
            unit.flags |= dict.fromkeys(filter(None, [flag, *(student.flags if student else ())]))
    for student in known.students:
        units.setdefault(student, _Unit(student.student, student.name, flags=dict.fromkeys(student.flags)))
    taken: set[str] = set()
    for unit in units.values():  # names that differ only in what cannot be shown must not become one student
        first = student = _shown(unit.student, 100) or "nameless"
        number = 1
        while student in taken:
            number += 1
            student = f"{first} ({number})"
        taken.add(student)
        unit.student = student
    return list(units.values())


def _owned(files: list[File], known: Roster, stack: ExitStack) -> list[tuple[list[_Owner], File]]:
    """All files that can be somebody's, and whose they are."""
    groups = next((_groups(file) for file in files if file.parts == (METADATA,)), {})
    classroom = _has_classroom_names(files)
    outer: list[tuple[list[_Owner], File]] = []
    plain: dict[str, list[File]] = {}  # folders and zips with no name of a platform
    for file in files:
        if _is_nobodys(file):
            continue
        owners = groups.get(file.parts[0]) or [_platform_owner(file)]
        if owners == [None]:
            match = CLASSROOM.fullmatch(file.name) if len(file.parts) == 1 else None
            person = match and COPY.sub("", match["name"])
            owners = [_Owner(person, person) if match and (classroom or known.find((), person)[0]) else _plain_owner(file)]
            if owners == [_plain_owner(file)]:
                plain.setdefault(file.parts[0], []).append(file)
        outer.append((owners, file))
    inside = {name: _inside(own, stack) for name, own in plain.items() if not _is_student(own[0], known)}
    inside = {name: found for name, found in inside.items() if found}

    def people(found: Iterable[tuple[list[_Owner], File]]) -> set[object]:
        return {known.find(owner.ids, owner.name)[0] or owner.key for owners, _ in found for owner in owners}

    # A student may have made the zip: it cannot speak for somebody who is named elsewhere too.
    named = Counter(people(one for one in outer if one[1].parts[0] not in inside))
    within = {name: people(one for one in found if one[0] != [_plain_owner(one[1])]) for name, found in inside.items()}
    named.update(person for found in within.values() for person in found)
    for name, found in inside.items():
        if all(named[person] == 1 for person in within[name]):
            outer = [one for one in outer if one[1].parts[0] != name] + found
    return outer


def _inside(files: list[File], stack: ExitStack) -> list[tuple[list[_Owner], File]]:
    """All files of a folder or zip, and whose they are by names of platforms inside it; nothing if there are none.

    The outermost such name counts. What has none stays with the folder or zip.
    """
    files = [inner for file in files for inner in _unpacked_export(file, stack)]
    exports: dict[tuple[str, ...], dict[str, list[_Owner]]] = {}  # folders and zips, with what Gradescope's list there says
    for file, depth, inner in _levels(files):
        if inner.parts == (METADATA,) and (groups := _groups(file)):
            exports[file.parts[:depth]] = groups
        elif _is_unmistakable(inner):
            exports.setdefault(file.parts[:depth], {})
    if not exports:
        return []
    found: dict[File, list[_Owner]] = {file: [_plain_owner(file)] for file in files}
    for file, depth, inner in reversed(list(_levels(files))):  # the outermost at last
        if (groups := exports.get(file.parts[:depth])) is not None:
            if _is_nobodys(inner):
                found.pop(file, None)
            elif owners := groups.get(inner.parts[0]) or list(filter(None, [_platform_owner(inner)])):
                found[file] = owners
    return [(owners, file) for file, owners in found.items()]


def _levels(files: Iterable[File]) -> Iterator[tuple[File, int, File]]:
    """Each file as it looks from inside the folders and zips around it, the outermost first."""
    for file in files:
        for depth in range(1, min(len(file.parts), MAX_ABOVE + 1)):
            yield file, depth, replace(file, parts=file.parts[depth:])


def _unpacked_export(file: File, stack: ExitStack) -> list[File]:
    """The files of a zip with names of platforms; any other file as it is."""
    if file.suffix == ".zip" and len(file.parts) <= MAX_ABOVE:
        with ExitStack() as look, suppress(Refused):  # closed again: there may be a zip for each student
            levels = _levels(members(file, look))
            if any(inner.parts == (METADATA,) or _is_unmistakable(inner) for _, _, inner in levels):
                return members(file, stack)
    return [file]


def _is_unmistakable(file: File) -> bool:
    """Whether nobody but Moodle or Canvas gives such a name."""
    first = file.parts[0]
    return bool(MOODLE.fullmatch(first) or (len(file.parts) == 1 and CANVAS_INSIDE.fullmatch(first)))


def _is_nobodys(file: File) -> bool:
    return len(file.parts) == 1 and (file.suffix in CLASS_FILES or file.name.lower().startswith("readme"))


def _platform_owner(file: File) -> _Owner | None:
    """Whom Canvas, Moodle or Gradescope names, if it is one of their names."""
    first = file.parts[0]
    if match := MOODLE.fullmatch(first):
        return _Owner(match["id"], match["name"], ids=(match["id"],))
    if match := GRADESCOPE.fullmatch(first.removesuffix(file.suffix) if len(file.parts) == 1 else first):
        return _Owner(first, first, int(match["number"][:18]))
    if len(file.parts) > 1:
        return None
    if match := CANVAS_ANONYMOUS.fullmatch(first):
        return _Owner(match["id"], match["id"], int(match["number"][:18]), "late" if match["late"] else "")
    if match := CANVAS.fullmatch(first) or CANVAS_TEXT.fullmatch(first):
        number = int(match.groupdict().get("number", "0")[:18])
        return _Owner(match["id"], match["name"], number, "late" if match["late"] else "", (match["id"],))
    return None


def _plain_owner(file: File) -> _Owner:
    """Whom a folder or a file is named after."""
    name = file.parts[0]
    if len(file.parts) == 1:
        name = COPY.sub("", name.removesuffix(Path(name).suffix).removesuffix(".ipynb")) or name
    return _Owner(name, name, ids=(name,))


def _groups(file: File) -> dict[str, list[_Owner]]:
    """Who handed in each folder, from a file that may be Gradescope's list."""
    if file.problem or file.size > MAX_METADATA:
        return {}
    try:
        with file.open() as stream:
            return _gradescope(stream.read().decode("utf-8", "replace"))
    except Exception:  # a hostile zip can raise anything
        return {}


def _gradescope(text: str) -> dict[str, list[_Owner]]:
    """Who handed in each folder, from Gradescope's list.

    It is YAML, of which these lines are read and no others; what students wrote stands deeper in it::

        submission_6789:
          :submitters:
          - :name: Ana López
            :sid: '12345'
            :email: ana@example.org
    """
    found: dict[str, list[dict[str, str]]] = {}
    folder, inside = "", False
    for line in text.splitlines():
        if line[:1].strip():
            folder, inside = line.rstrip().removesuffix(":").strip("'\""), False
        elif line.startswith("  :"):
            inside = line.rstrip() == "  :submitters:"
        elif inside and (match := re.fullmatch(r"  (- |  ):(name|sid|email): ?(.*)", line)):
            if match[1] == "- ":
                found.setdefault(folder, []).append({})
            if found.get(folder):
                found[folder][-1][match[2]] = _yaml_text(match[3].strip())
    groups = {}
    for folder, people in found.items():
        number = GRADESCOPE.match(folder)
        names = tuple(person.get("name", "") for person in people)
        groups[folder] = [
            _Owner(ids[0], person.get("name") or ids[0], int(number["number"][:18]) if number else 0, "", ids, names)
            for person in people
            if (ids := tuple(filter(None, (person.get("sid"), person.get("email"))))) or (ids := (person.get("name", folder),))
        ]
    return groups


def _yaml_text(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    if value.startswith('"'):
        try:
            return str(json.loads(re.sub(r"\\x([0-9A-Fa-f]{2})", r"\\u00\1", value)))
        except ValueError:
            return value.strip('"')
    return "" if value in ("null", "~") else value


# ------------------------------------------------------------------------------------------- what counts of a student


def _hand_ins_or_fault(unit: _Unit, exercises: frozenset[str], elsewhere: Mapping[str, str]) -> list[HandIn]:
    try:
        return _hand_ins(unit, exercises, elsewhere)
    except Exception as error:  # no hand-in may stop the class, not even by a mistake in this file
        path = _path(unit.files[0][1]) if unit.files else ""
        fault = f"reading it failed, which is the grader's own fault ({type(error).__name__}); look at it by hand"
        return [HandIn(unit.student, _shown(unit.name, 100), path, flags=_flags(unit.flags), problem=fault)]


def _hand_ins(unit: _Unit, exercises: frozenset[str], elsewhere: Mapping[str, str]) -> list[HandIn]:
    base = HandIn(unit.student, _shown(unit.name, 100), "")
    if not unit.files:
        return [replace(base, flags=_flags(unit.flags), problem="nothing was handed in")]
    problems: dict[File, str] = {}
    candidates: list[_Candidate] = []
    modules = []  # Python files without an answer
    others: dict[File, list[str]] = {}  # chapters that are not graded now
    with ExitStack() as stack:
        room = MAX_UNPACKED
        files = sorted(_unpack(unit.files, problems, stack), key=_reading_order)
        for looks, (owner, file) in enumerate(files):
            room -= file.size
            if looks == MAX_LOOKS or room < 0:
                unit.flags[f"only {looks} of {len(files)} files are looked at"] = None
                break
            try:
                notebook = _read(file)
            except NotebookError as error:
                problems[file] = str(error)
                continue
            source = Source(notebook.code)
            answers = source.answers & exercises
            if answers:
                done = {exercise for exercise in answers if attempted(source, exercise)}
                candidates.append(_Candidate(owner, file, notebook, answers, done))
            elif chapters := sorted({elsewhere[name] for name in source.answers if name in elsewhere}):
                others[file] = chapters
            elif file.suffix == ".py":
                modules.append(file)
            else:
                problems[file] = "has none of the course's exercises in it. Hand in the exercise notebook with your answers"
    if not candidates:
        for file, chapters in others.items():
            what = f"has the exercises of {' and of '.join(chapters)}, not those that are graded here"
            problems[file] = f"{what}. Hand in the notebook that was asked for"
        for file in modules:
            problems[file] = f"has none of the course's exercises in it. {DOWNLOAD}"
        said = [f"{_shown(file.name, 80)} {_shown(problem, 400)}" for file, problem in problems.items()]
        owner, file = unit.files[0]
        problem = "; ".join(said[:3]) or f"there is no notebook in it. {DOWNLOAD}"
        known = tuple(sorted(set().union(*others.values())))
        return [replace(base, path=_path(file), flags=_flags(unit.flags), problem=problem, late=owner.late, elsewhere=known)]
    for file in modules:
        unit.flags[f"{file.name} lies beside the notebook and is not read"] = None
    for file, problem in list(problems.items())[:5]:
        if file.suffix in (".ipynb", ".zip") or file.problem:
            unit.flags[f"not read: {_path(file)} {problem}"] = None
    return [_counted(base, one, candidates, unit) for one in candidates if _won(one, candidates)]


def _won(candidate: _Candidate, candidates: list[_Candidate]) -> tuple[str, ...]:
    """The exercises for which this notebook counts."""
    won = (
        exercise
        for exercise in candidate.answers
        if candidate is max((one for one in candidates if exercise in one.answers), key=lambda one: one.rank(exercise))
    )
    return tuple(sorted(won))


def _counted(base: HandIn, candidate: _Candidate, candidates: list[_Candidate], unit: _Unit) -> HandIn:
    flags = dict(unit.flags) | dict.fromkeys(candidate.notebook.flags)
    rivals = [one for one in candidates if one is not candidate and one.answers & candidate.answers]
    for one in rivals[:3]:
        flags[f"{_path(one.file)} answers the same exercises: the newest that is more than the stub counts"] = None
    if len(candidate.owner.group) > 1:
        flags[f"handed in together: {', '.join(candidate.owner.group)}"] = None
    return replace(
        base,
        path=_path(candidate.file),
        cells=candidate.notebook.code,
        markdown=candidate.notebook.markdown,
        flags=_flags(flags),
        late=candidate.owner.late,
        exercises=_won(candidate, candidates),
    )


def _unpack(files: list[tuple[_Owner, File]], problems: dict[File, str], stack: ExitStack) -> list[tuple[_Owner, File]]:
    """The files with those of the zips among them; why some are not read goes to ``problems``."""
    found, waiting, room = [], [(owner, file, 0) for owner, file in files], MAX_UNPACKED
    while waiting:
        owner, file, depth = waiting.pop()
        if file.problem:
            problems[file] = file.problem
        elif file.suffix != ".zip":
            found.append((owner, file))
        elif depth == MAX_ZIPS or room < file.size:
            problems[file] = "is a zip too many. Hand in the notebook alone"
        else:
            room -= file.size if file.packed else 0
            try:
                inner = members(file, stack)
            except Refused as error:
                problems[file] = str(error)
                continue
            top = (_platform_owner(replace(one, parts=one.parts[len(file.parts) :])) for one in inner)
            people = {other.key for other in top if other}
            if len(people) > 1:
                problems[file] = "looks like a platform's export of several students. Instructor: grade it by itself"
            else:
                waiting += [(owner, one, depth + 1) for one in inner]
    return found


def _reading_order(entry: tuple[_Owner, File]) -> tuple:
    """Notebooks first, then what could be one, then Python; the less deep the earlier."""
    file = entry[1]
    return {".ipynb": 0, ".py": 2}.get(file.suffix, 1), len(file.parts), file.parts


def _read(file: File) -> Notebook:
    """The cells of a file.

    Raises:
        NotebookError: if it is no notebook: why, and what to hand in.
    """
    if file.suffix in LINKS:
        raise NotebookError(f"is only a link to a notebook. {DOWNLOAD}")
    if file.suffix in PAGES:
        raise NotebookError(f"is a web page or a text typed into one, not a notebook. {DOWNLOAD}")
    if file.suffix in OTHER_ARCHIVES:
        raise NotebookError("is an archive of a kind that is not read. Hand in the notebook itself, or a zip")
    try:
        if file.suffix not in (".ipynb", ".py"):
            with file.open() as stream:
                start = stream.read(200).replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")  # UTF-16 too
            if not start.startswith(b"{"):
                raise NotebookError(f"is not a notebook. {DOWNLOAD}")
        with file.open() as stream:
            return read_cells(stream, python=file.suffix == ".py")
    except NotebookError:
        raise
    except Refused as error:
        raise NotebookError(str(error)) from None
    except Exception as error:  # a hostile zip can raise anything
        raise NotebookError(f"cannot be read ({type(error).__name__}). Hand it in again") from None


def _flag_same(hand_ins: list[HandIn], exercises: frozenset[str]) -> list[HandIn]:
    """Flag notebooks of different students that are alike to the letter and more than the stub."""
    alike: dict[tuple, list[int]] = {}
    for place, hand_in in enumerate(hand_ins):
        if hand_in.cells:
            alike.setdefault(hand_in.cells, []).append(place)
    for cells, places in alike.items():
        if len({hand_ins[place].path for place in places}) > 1:
            source = Source(cells)
            if any(attempted(source, exercise) for exercise in exercises & source.answers):
                for place in places:
                    others = [hand_ins[other].student for other in places if hand_ins[other].student != hand_ins[place].student]
                    if others:
                        same = f"the same notebook as {', '.join(others[:5])}"
                        hand_ins[place] = replace(hand_ins[place], flags=(*hand_ins[place].flags, same))
    return hand_ins


def _path(file: File) -> str:
    return _shown("/".join(file.parts), 300)


def _shown(text: str, length: int) -> str:
    """One line that can be shown."""
    text = " ".join(printable(text).split())
    return text if len(text) <= length else text[: length - 2] + " …"


def _flags(flags: Iterable[str]) -> tuple[str, ...]:
    return tuple(_shown(flag, 500) for flag in flags)
