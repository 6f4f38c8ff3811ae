"""The part of the corpus that is about files, archives and platforms: each function makes the hand-ins of a small class.

No file of these is in the repository: they are made where a test wants them, and some are large.
"""

import io
import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

RIGHT = Path(__file__).with_name("corpus").joinpath("right.py").read_text(encoding="utf-8")
PICKLE = b"cos\nsystem\n(S'touch /tmp/corpus_was_here'\ntR."  # leaves a trace when it is opened
TRACE = "open('/tmp/corpus_was_here', 'w').close()\n"  # when it is imported


class Found(NamedTuple):
    """What is expected of one student: outcomes as in the head of a hand-in, or words of the reason why there are none."""

    expect: str = "rest=passed"
    problem: str = ""
    flag: str = ""
    late: str = ""


class Class(NamedTuple):
    """A function that writes hand-ins into an empty folder, and what is expected of each student."""

    threats: tuple[str, ...]
    students: dict[str, Found]
    make: Callable[[Path], None]


CLASSES: dict[str, Class] = {}


def hand_ins(*threats: str, **students: Found):
    def keep(make: Callable[[Path], None]):
        named = {name.replace("__", " "): found for name, found in students.items()}
        CLASSES[make.__name__] = Class(threats, named, make)
        return make

    return keep


def notebook(code: str = RIGHT, **more) -> str:
    """A notebook of one code cell."""
    return json.dumps({"cells": [{"cell_type": "code", "source": code}], **more})


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def zipped(**members: str | bytes) -> bytes:
    """A zip of these; a name is written as it is, whatever it says."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


WRONG = "def double(x):\n    return x\n"

# --------------------------------------------------------------------------------- E: writes what it should not


@hand_ins("E43", ana=Found(flag="torch.py lies beside the notebook and is not read"))
def modules_beside_the_notebook(folder: Path) -> None:
    for name in ("conftest.py", "sitecustomize.py", "usercustomize.py", "torch.py", "random.py", "course_lib/__init__.py"):
        write(folder / "ana" / name, TRACE)
    write(folder / "ana" / "pytest.ini", "[pytest]\naddopts = -p torch\n")
    write(folder / "ana" / "evil.pth", f"import os; {TRACE}")
    write(folder / "ana" / "answers.ipynb", notebook())


@hand_ins("E43", ana=Found(), conftest=Found(problem="has none of the course's exercises"))
def modules_beside_the_class(folder: Path) -> None:
    write(folder / "conftest.py", TRACE)
    write(folder / "ana.ipynb", notebook())


@hand_ins("E44", ana=Found(), ben=Found(problem="is not a notebook"), cem=Found(problem="not a notebook"))
def pickles(folder: Path) -> None:
    for name in ("model.pt", "model.pth", "data.pkl", "data.npy", "data.npz", "cache.joblib"):
        write(folder / "ana" / name, PICKLE)
    write(folder / "ana" / "answers.ipynb", notebook())
    write(folder / "ben.ipynb", PICKLE)
    write(folder / "cem.pkl", PICKLE)


OUT_OF_IT = Found(problem="has a path that leads out of the zip")


@hand_ins("E45", up=OUT_OF_IT, root=OUT_OF_IT, windows=OUT_OF_IT, beside=Found(flag="leads out of the zip"))
def paths_out_of_the_zip(folder: Path) -> None:
    write(folder / "up.zip", zipped(**{"../../corpus_was_here.ipynb": notebook()}))
    write(folder / "root.zip", zipped(**{"/tmp/corpus_was_here.ipynb": notebook()}))
    write(folder / "windows.zip", zipped(**{"C:\\tmp\\corpus_was_here.ipynb": notebook()}))
    write(folder / "beside.zip", zipped(**{"answers.ipynb": notebook(), "../corpus_was_here.ipynb": notebook(WRONG)}))


@hand_ins(
    "E45",
    bomb=Found(problem="times its size"),
    nested=Found(problem="zip too many"),
    many=Found(problem="too many files"),
    broken=Found(problem="is not a zip"),
    other=Found(problem="an archive of a kind that is not read"),
)
def bombs(folder: Path) -> None:
    write(folder / "bomb.zip", zipped(**{"answers.ipynb": bytes(300_000_000)}))
    inner = zipped(**{"answers.ipynb": notebook()})
    for _ in range(6):
        inner = zipped(**{"more.zip": inner})
    write(folder / "nested.zip", inner)
    write(folder / "many.zip", zipped(**{f"{'x' * 100}{number}.ipynb": b"" for number in range(20_000)}))
    write(folder / "broken.zip", zipped(**{"answers.ipynb": notebook()})[:200])
    write(folder / "other.7z", b"7z\xbc\xaf\x27\x1c")


@hand_ins("E45", huge=Found(problem="not JSON"), lies=Found(problem="cannot be read"))
def bombs_below_the_ratio(folder: Path) -> None:
    """Members of twenty megabytes that hardly compress; one whose size in the list is not its size."""
    noise = os.urandom(60_000)
    text = (noise.hex() * 200).encode()[:20_000_000]
    write(folder / "huge.zip", zipped(**{f"{number}.ipynb": text for number in range(3)}))
    content = bytearray(zipped(**{"answers.ipynb": bytes(1_000_000)}))
    place = content.rfind(b"PK\1\2") + 24
    content[place : place + 4] = (100).to_bytes(4, "little")
    write(folder / "lies.zip", bytes(content))


@hand_ins(
    "E45",
    ana=Found(),
    link=Found(problem="not a regular file"),
    other=Found(problem="not a regular file"),
    pipe=Found(problem="not a regular file"),
    packed=Found(problem="not a regular file"),
    loop=Found(problem="not a regular file"),
)
def links_and_devices(folder: Path) -> None:
    write(folder / "ana" / "answers.ipynb", notebook())
    (folder / "link.ipynb").symlink_to("/etc/passwd")
    write(folder / "other" / "readme.txt", "see ana's")
    (folder / "other" / "answers.ipynb").symlink_to("../ana/answers.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "loop").mkdir()
    (folder / "loop" / "again").symlink_to("..", target_is_directory=True)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        entry = zipfile.ZipInfo("answers.ipynb")
        entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    write(folder / "packed.zip", stream.getvalue())


@hand_ins("E45", ana=Found(), many=Found(problem="one of more than 10,000 files"))
def ten_thousand_files(folder: Path) -> None:
    write(folder / "ana.ipynb", notebook())
    (folder / "many").mkdir()
    for number in range(10_001):
        (folder / "many" / f"{number}.txt").touch()


@hand_ins("E45", "E46", **{"two lines": Found(), "a\ufffd[31m\ufffdb": Found()})
def names_that_mean_something(folder: Path) -> None:
    write(folder / "two\nlines.ipynb", notebook())
    write(folder / "a\x1b[31m\u202eb.zip", zipped(**{"x\ny\x00.ipynb": notebook()}))


@hand_ins("E46", **{"<script>corpus()<": Found(), "=HYPERLINK(A1)": Found(), "@SUM(A1)": Found(), "+1": Found(), "-1": Found()})
def names_that_act(folder: Path) -> None:
    for name in ("<script>corpus()<", "=HYPERLINK(A1)", "@SUM(A1)", "+1", "-1"):
        write(folder / f"{name}.ipynb", notebook())


@hand_ins("E47", ana=Found("double=wrong rest=not attempted"), ben=Found())
def metadata_with_claims(folder: Path) -> None:
    """A wrong answer with points of its own, the id of another student, and a result in the outputs."""
    claims = {"student": "ben", "name": "Ben", "points": 20, "grade": 20, "outcome": "passed", "authors": [{"name": "Ben"}]}
    cell = {
        "cell_type": "code",
        "source": WRONG,
        "metadata": {"nbgrader": {"grade": True, "points": 20, "grade_id": "double"}, "tags": ["passed"], **claims},
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "double: 20 of 20 points\n"}],
    }
    write(folder / "ana.ipynb", json.dumps({"cells": [cell], "metadata": claims, "student": "ben", "points": 20}))
    write(folder / "ben.ipynb", notebook())


# ------------------------------------------------------------------------------------------ G: broken but honest


@hand_ins(
    "G52",
    text=Found(problem="not JSON"),
    empty=Found(problem="is empty"),
    cut=Found(problem="not JSON"),
    conflict=Found(problem="git conflict markers"),
    list=Found(problem="it has no list of cells"),
    bom=Found(),
    utf16=Found(flag="read as UTF-16"),
    latin=Found(flag="read as Latin-1"),
    old=Found(flag="nbformat 3"),
)
def notebooks_that_are_broken(folder: Path) -> None:
    whole = notebook()
    write(folder / "text.ipynb", "my answers are attached")
    write(folder / "empty.ipynb", "")
    write(folder / "cut.ipynb", whole[: len(whole) // 2])
    write(folder / "conflict.ipynb", f"<<<<<<< HEAD\n{whole}\n=======\n{whole}\n>>>>>>> mine\n")
    write(folder / "list.ipynb", "[1, 2]")
    write(folder / "bom.ipynb", b"\xef\xbb\xbf" + whole.encode())
    write(folder / "utf16.ipynb", whole.encode("utf-16"))
    write(folder / "latin.ipynb", notebook(f"# größe\n{RIGHT}").encode("latin-1").replace(b"\\u00f6", b"\xf6"))
    sheet = {"cells": [{"cell_type": "code", "input": RIGHT, "language": "python", "outputs": []}]}
    write(folder / "old.ipynb", json.dumps({"nbformat": 3, "worksheets": [sheet]}))


@hand_ins(
    "G53",
    renamed=Found(),
    nested=Found(),
    script=Found(),
    percent=Found(),
    colab=Found(problem="File > Download"),
    link=Found(problem="File > Download"),
    page=Found(problem="File > Download"),
    picture=Found(problem="not a notebook"),
    nothing=Found(problem="has none of the course's exercises"),
)
def found_by_what_is_in_them(folder: Path) -> None:
    write(folder / "renamed" / "Kopie von CNN (1) final FINAL.ipynb", notebook())
    inner = zipped(**{"homework/week 2/Untitled3.ipynb": notebook(), "__MACOSX/._Untitled3.ipynb": b"\0\5\x16\7"})
    write(folder / "nested" / "all.zip", zipped(**{"all/inner.zip": inner, "readme.txt": "see the zip"}))
    write(folder / "script.py", f"# coding: utf-8\n\n# In[1]:\n\n{RIGHT}\nget_ipython().system('ls')\n")
    write(folder / "percent" / "exercises.py", RIGHT)
    write(folder / "colab.gdoc", '{"url": "https://colab.example.org/1"}')
    write(folder / "link.url", "[InternetShortcut]\nURL=https://colab.example.org/1\n")
    write(folder / "page" / "exercises.html", "<html><body>def double(x): return 2 * x</body></html>")
    write(folder / "picture" / "screenshot.png", b"\x89PNG\r\n\x1a\n")
    write(folder / "nothing" / "lecture.ipynb", notebook("print('hello')"))


@hand_ins("G53", ana=Found(flag="the newest that is more than the stub counts"), ben=Found(flag="the newest"))
def several_notebooks(folder: Path) -> None:
    """The newest counts, if it is more than the stub."""
    write(folder / "ana" / "old.ipynb", notebook(RIGHT.replace("2 * x", "3 * x")))
    write(folder / "ana" / "new.ipynb", notebook())
    os.utime(folder / "ana" / "old.ipynb", (1_000_000_000, 1_000_000_000))
    stub = "def double(x):\n    raise NotImplementedError\n\ndef area(width, height):\n    ...\n"
    write(folder / "ben" / "mine.ipynb", notebook())
    write(folder / "ben" / "downloaded again.ipynb", notebook(stub))
    os.utime(folder / "ben" / "mine.ipynb", (1_000_000_000, 1_000_000_000))


@hand_ins("G54", "G56", ana=Found(), ben=Found(), cem=Found())
def metadata_of_other_programs(folder: Path) -> None:
    """Nothing but cells; the name of a kernel that is not here; a source in lines, ids, attachments, unknown kinds of cells."""
    write(folder / "ana.ipynb", notebook())
    kernel = {"kernelspec": {"name": "my-own-env", "display_name": "R", "language": "R"}, "language_info": {"name": "R"}}
    write(folder / "ben.ipynb", notebook(metadata={**kernel, "colab": {"provenance": []}, "widgets": {"x": None}}, nbformat=4))
    cells = [
        {"cell_type": "raw", "source": "def double(x): return 0"},
        {"cell_type": "heading", "source": ["def double(x): return 0"], "level": 1},
        {"cell_type": "code", "source": RIGHT.splitlines(keepends=True), "id": 7, "metadata": None, "outputs": None},
        {"cell_type": "markdown", "source": None, "attachments": {"a.png": {"image/png": "AAAA"}}},
        "no cell",
        {"cell_type": "code"},
    ]
    write(folder / "cem.ipynb", json.dumps({"cells": cells, "nbformat": 5, "nbformat_minor": 99}))


@hand_ins("G69", ana=Found(), ben=Found(problem="Clear the outputs"), cem=Found(problem="characters"))
def large_notebooks(folder: Path) -> None:
    """300 MB of pictures; 20 MB of printed text; a cell with a table of numbers."""
    start, end = notebook().rsplit("]", 1)
    picture = '"' + "iVBORw0KGgo" * 1_000_000 + '"'
    with open(folder / "ana.ipynb", "w", encoding="utf-8") as file:
        file.write(f'{start}, {{"cell_type": "code", "source": "1", "outputs": [')
        for number in range(28):
            file.write(f'{", " if number else ""}{{"output_type": "display_data", "data": {{"image/png": {picture}}}}}')
        file.write(f"]}}]{end}")
    lines = {"output_type": "stream", "text": ["loss 0.123\n"] * 1_500_000}
    cells = [{"cell_type": "code", "source": RIGHT, "outputs": [lines]}]
    write(folder / "ben.ipynb", json.dumps({"cells": cells}))
    write(folder / "cem.ipynb", notebook(f"{RIGHT}\nTABLE = {list(range(100_000))}"))


@hand_ins("G70", ana=Found(flag="the same notebook as ben"), ben=Found(flag="the same notebook as ana"), cem=Found())
def the_same_file_twice(folder: Path) -> None:
    mine = f'# by Ana\nauthor = "Ana"\n{RIGHT}'
    write(folder / "ana.ipynb", notebook(mine))
    write(folder / "ben.ipynb", notebook(mine))
    write(folder / "cem.ipynb", notebook(RIGHT.replace("2 * x", "x + x")))


ROSTER = (
    "\ufeffid;name;email\n12345;López Ana;ana@example.org\n12346;Müller Jörg;joerg@example.org\n"
    "12347;Ghost Gina;gina@example.org\n"
)


@hand_ins(
    "G71",
    **{
        "12345": Found(late="late", flag="the newest"),
        "12346": Found(),
        "12347": Found(problem="nothing was handed in"),
        "99999": Found(flag="not on the roster"),
    },
)
def from_canvas(folder: Path) -> None:
    """Late and handed in twice; not on the roster; on it, and nothing handed in."""
    write(folder / "roster.csv", ROSTER)
    write(folder / "lopezana_12345_700001_exercises.ipynb", notebook(WRONG))
    write(folder / "lopezana_LATE_12345_700009_exercises-1.ipynb", notebook())
    write(folder / "muellerjoerg_12346_700002_exercises.ipynb", notebook())
    write(folder / "someoneelse_99999_700003_exercises.ipynb", notebook())


@hand_ins("G71", **{"12345": Found(flag="handed in together"), "12346": Found(), "12347": Found(flag="handed in together")})
def group_from_gradescope(folder: Path) -> None:
    write(folder / "roster.csv", ROSTER)
    people = (("López Ana", "12345"), ("Müller Jörg", "12346"), ("Ghost Gina", "12347"))
    lines = ["submission_77:", "  :submitters:"]
    for name, number in people:
        lines += [f"  - :name: {name}", f"    :sid: '{number}'", "    :email: x@example.org"]
    lines += ["  :created_at: 2026-11-01 10:00:00"]
    write(folder / "submission_metadata.yml", "\n".join(lines) + "\n")
    write(folder / "submission_77" / "answers.ipynb", notebook())


@hand_ins("G71", **{"12345": Found(), "12346": Found(), "12347": Found(), "Anders Other": Found(flag="not on the roster")})
def by_names_with_accents(folder: Path) -> None:
    """Accents in two spellings, first and last names in another order, from Moodle and from Google Classroom."""
    write(folder / "roster.csv", ROSTER)
    write(folder / "Ana López_12345_assignsubmission_file_" / "exercises.ipynb", notebook())
    write(folder / "Jo\u0308rg Mu\u0308ller - Copy of exercises.ipynb", notebook())
    write(folder / "Gina Ghost - exercises.ipynb", notebook())
    write(folder / "Anders Other - exercises.ipynb", notebook())
