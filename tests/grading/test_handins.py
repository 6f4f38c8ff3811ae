"""Hand-ins are found however platforms export them, belong to the right student, and can do no harm when they are read."""

import io
import json
import os
import random
import time
import zipfile

import pytest

from course_lib.grading import archives, handins, notebook
from course_lib.grading.handins import find_hand_ins
from course_lib.grading.notebook import NotebookError
from course_lib.grading.roster import RosterError, read_roster

EXERCISES = {"double", "Scale", "halve"}
DOUBLE, SCALE = "def double(x):\n    return 2 * x", "class Scale:\n    factor = 3"
STUB = "def double(x):\n    raise NotImplementedError('write double')"


def ipynb(*cells, markdown=(), **more) -> bytes:
    parts = [{"cell_type": "markdown", "source": text} for text in markdown]
    parts += [{"cell_type": "code", "source": text.splitlines(keepends=True), "outputs": []} for text in cells or [DOUBLE]]
    return json.dumps({"cells": parts, "metadata": {"points": 100, "student": "someone else"}, **more}).encode()


def zipped(files: dict[str, bytes], **info) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, info.get("date", (2024, 1, 1, 0, 0, 0)))
            entry.compress_type = info.get("method", zipfile.ZIP_DEFLATED)
            entry.external_attr = info.get("mode", 0o100644) << 16
            archive.writestr(entry, data)
    return stream.getvalue()


@pytest.fixture
def find(tmp_path):
    """Put these files into a folder and find the hand-ins in it."""

    def put(files: dict[str, bytes], roster: str | bytes | None = None, exercises=EXERCISES):
        folder = tmp_path / "hand-ins"
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        folder.mkdir(exist_ok=True)
        if roster is not None:
            (tmp_path / "roster.csv").write_bytes(roster if isinstance(roster, bytes) else roster.encode())
        before = sorted(folder.rglob("*"))
        found = find_hand_ins(folder, exercises, None if roster is None else tmp_path / "roster.csv")
        assert sorted(folder.rglob("*")) == before  # nothing is written
        return found

    return put


def students(found) -> list[str]:
    return [hand_in.student for hand_in in found]


def problems(found) -> dict[str, str]:
    return {hand_in.student: hand_in.problem for hand_in in found if hand_in.problem}


# ------------------------------------------------------------------------------------------------------ platforms


def test_files_folders_and_zips_without_a_platform(find):
    found = find(
        {
            "ana.ipynb": ipynb(),
            "Copy of ben (1).ipynb": ipynb(),
            "cem/deep/er/CNN final FINAL (2).ipynb": ipynb(),
            "dora.zip": zipped({"hw/any.ipynb": ipynb()}),
            "eva.py": DOUBLE.encode(),
            "roster.csv": b"id,name\n",
            "README.md": b"read me",
            ".DS_Store": b"",
            "cem/.ipynb_checkpoints/x-checkpoint.ipynb": ipynb(SCALE),
        }
    )
    assert students(found) == ["ana", "ben", "cem", "dora", "eva"]
    assert problems(found) == {}
    assert {hand_in.cells for hand_in in found} == {(DOUBLE,)}
    assert [hand_in.path for hand_in in found][3] == "dora.zip/hw/any.ipynb"


CANVAS = {
    "garcialopezana_12345_67890_06_squeeze.ipynb": ipynb(),
    "leebob_LATE_222_67999_hw-1.ipynb": ipynb(),
    "leebob_LATE_222_67001_hw.ipynb": ipynb(DOUBLE + "  # older"),
    "kim_333_68000_all.zip": zipped({"__MACOSX/._x.ipynb": b"", "my work\\x.ipynb": ipynb()}),
    "anon_Xy12z_68001_hw.ipynb": ipynb(),
    "poe_444_text.html": b"<p>I could not upload</p>",
}


@pytest.mark.parametrize("wrap", ["folder", "zip", "zip in folder"])
def test_canvas(find, wrap):
    files = {"submissions.zip": zipped(CANVAS)} if wrap == "zip" else CANVAS
    found = find({f"week 6/{name}": data for name, data in files.items()} if wrap == "zip in folder" else files)
    assert students(found) == ["12345", "222", "333", "444", "anon_Xy12z"]
    assert [hand_in.name for hand_in in found] == ["garcialopezana", "leebob", "kim", "poe", "anon_Xy12z"]
    assert [hand_in.late for hand_in in found] == ["", "late", "", "", ""]
    assert found[1].path.endswith("67999_hw-1.ipynb")
    assert "leebob_LATE_222_67001_hw.ipynb answers the same exercises" in found[1].flags[0]
    assert "not a notebook" in problems(found)["444"]


def test_moodle(find):
    found = find(
        {
            "Ana García_101_assignsubmission_file_/a.ipynb": ipynb(),
            "Group B-Bob Lee_102_assignsubmission_file_b.ipynb": ipynb(),
            "Cem Can_103_assignsubmission_onlinetext_/onlinetext.html": b"<html>",
            "Cem Can_103_assignsubmission_file/c.ipynb": ipynb(),
        }
    )
    assert [(one.student, one.name, one.problem) for one in found] == [
        ("101", "Ana García", ""),
        ("102", "Group B-Bob Lee", ""),
        ("103", "Cem Can", ""),
    ]


METADATA = """---
submission_11:
  :submitters:
  - :name: Ana García
    :sid: '0101'
    :email: ana@example.org
  :created_at: 2024-01-01 10:00:00.000000000 Z
  :results:
    output: |2-
        :submitters:
        - :name: Mallory
          :sid: '666'
submission_12:
  :submitters:
  - :name: "Bob \\"B\\" Lee"
    :sid:
    :email: bob@example.org
  - :name: 'Cem O''Can'
    :sid: '0103'
    :email: cem@example.org
"""


def test_gradescope_with_a_group(find):
    forged = METADATA.replace("0101", "9999").encode()
    files = {
        "submission_metadata.yml": METADATA.encode(),
        "submission_11/a.ipynb": ipynb(),
        "submission_11/submission_metadata.yml": forged,
        "submission_12/b.ipynb": ipynb(SCALE),
        "submission_13/c.ipynb": ipynb("x = 1"),
    }
    found = find({"x.zip": zipped({f"assignment_5_export/{name}": data for name, data in files.items()})})
    assert [(one.student, one.name) for one in found] == [
        ("0101", "Ana García"),
        ("0103", "Cem O'Can"),
        ("bob@example.org", 'Bob "B" Lee'),
        ("submission_13", "submission_13"),
    ]
    assert 'handed in together: Bob "B" Lee, Cem O\'Can' in found[1].flags
    assert list(problems(found)) == ["submission_13"]


def test_google_classroom(find):
    found = find(
        {
            "Assignment 6/Ana García - 06.ipynb": ipynb(),
            "Assignment 6/Bob Lee - 06.ipynb": ipynb(STUB),
            "Assignment 6/Bob Lee - 06(1).ipynb": ipynb(SCALE),
            "Assignment 6/Cem Can - Untitled.gdoc": b'{"doc_id": "x"}',
            "Assignment 6/more/x.ipynb": ipynb("import math"),
        }
    )
    assert [one.student for one in found if one.cells] == ["Ana García", "Bob Lee", "Bob Lee"]
    assert "only a link to a notebook. Hand in the notebook itself: File > Download" in problems(found)["Cem Can"]


EMIL = "Emil Fährmann_12345_assignsubmission_file_/02.ipynb"
EXPORTS = {  # what platforms name stands inside something with a plain name, one student alone
    "moodle.zip": ({"moodle.zip": zipped({EMIL: ipynb(SCALE)})}, ("12345", "Emil Fährmann")),
    "moodle.zip of two": ({"m.zip": zipped({EMIL: ipynb(SCALE), EMIL.replace("l F", "e F"): b""})}, ("12345", "Emil Fährmann")),
    "moodle folder": ({f"week 2/group B/{EMIL}": ipynb(SCALE)}, ("12345", "Emil Fährmann")),
    "canvas.zip": ({"all.zip": zipped({"lee_LATE_222_67999_02.ipynb": ipynb(SCALE)})}, ("222", "lee")),
    "gradescope.zip": (
        {"x.zip": zipped({f"a/{name}": data for name, data in {"submission_metadata.yml": METADATA.encode()}.items()}
                         | {"a/submission_11/b.ipynb": ipynb(SCALE)})},
        ("0101", "Ana García"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("roster", [None, "id,name\nanna,Anna\nben,Ben\n"])
@pytest.mark.parametrize("kind", EXPORTS)
def test_a_platforms_name_counts_beside_loose_notebooks(find, kind, roster):
    files, expected = EXPORTS[kind]
    found = find({"anna.ipynb": ipynb(), "ben.ipynb": ipynb(), "carl.zip": zipped({"x.ipynb": ipynb()})} | files, roster)
    assert problems(found) == {}
    assert {(one.student, one.name, one.cells) for one in found if one.student not in ("anna", "ben", "carl")} == {
        (*expected, (SCALE,))
    }
    assert len(found) == 4


def test_a_platforms_name_inside_a_zip_is_found_on_the_roster(find):
    found = find({"anna.ipynb": ipynb(), "m.zip": zipped({EMIL: ipynb(SCALE)})}, "id,name\nanna,Anna\n77,Emil Fährmann\n")
    assert [(one.student, one.cells, one.problem) for one in found] == [("anna", (DOUBLE,), ""), ("77", (SCALE,), "")]


def test_a_zip_with_a_students_name_is_theirs_whatever_stands_inside(find):
    found = find({"anna.ipynb": ipynb(), "ben.zip": zipped({EMIL: ipynb(SCALE)})}, "id,name\nanna,Anna\nben,Ben\n")
    assert [(one.student, one.cells) for one in found] == [("anna", (DOUBLE,)), ("ben", (SCALE,))]


@pytest.mark.parametrize("name", ["model_34_50_x", "hw_3_20241105_x", "hw_20241105_101500_x", "run_100_1000_x"])
def test_a_notebook_with_numbers_in_its_name_stays_in_its_folder(find, name):
    assert students(find({"anna.ipynb": ipynb(), f"ben/{name}.ipynb": ipynb()})) == ["anna", "ben"]


def test_a_title_before_the_name_is_no_student(find):
    assert students(find({"Homework 6 - Ana.ipynb": ipynb()}) + find({"Homework 6 - Bob.ipynb": ipynb()})) == [
        "Homework 6 - Ana",
        "Homework 6 - Ana",
        "Homework 6 - Bob",
    ]


# --------------------------------------------------------------------------------------------------------- roster


ROSTER = """\ufeffName;Student ID;E-Mail
García López, Ana;0101;ana@example.org
Bob Lee;0102;bob.lee@example.org
Çem Can;0103;
"""


def test_everyone_on_the_roster_appears_and_nobody_else_is_lost(find):
    files = {"garcialopezana_7_8001_x.ipynb": ipynb(), "Dora.ipynb": ipynb(SCALE), "bob.lee/x.ipynb": ipynb(STUB)}
    found = find(files, ROSTER)
    assert [(one.student, one.name) for one in found] == [
        ("0101", "Ana García López"),
        ("0102", "Bob Lee"),
        ("0103", "Çem Can"),
        ("Dora", "Dora"),
    ]
    assert problems(found) == {"0103": "nothing was handed in"}
    assert found[3].flags == ("not on the roster",)


@pytest.mark.parametrize(
    "name",
    [
        "0102.ipynb",
        "hw6_0102_final.ipynb",
        "Lee Bob.ipynb",
        "bob.lee.zip",
        "BOB LEE/x.ipynb",
        "x_102_assignsubmission_file_y.ipynb",
    ],
)
def test_a_student_is_recognised(find, name):
    data = zipped({"x.ipynb": ipynb()}) if name.endswith("zip") else ipynb()
    found = find({name.replace("x_102", "Bob Lee_102"): data}, ROSTER)
    assert [one.student for one in found if one.cells] == ["0102"]
    assert len(found) == 3


def test_two_students_of_one_name_are_not_mixed_up(find):
    found = find({"Bob Lee.ipynb": ipynb(), "2.ipynb": ipynb(SCALE)}, "id,name\n1,Bob Lee\n2,Lee Bob\n")
    assert [(one.student, bool(one.cells)) for one in found] == [("1", False), ("2", True), ("Bob Lee", True)]
    assert found[2].flags == ("not on the roster: 2 students on the roster could be meant by Bob Lee",)


def test_another_name_under_a_known_number_is_flagged(find):
    (found,) = find({"leebob_1_8001_x.ipynb": ipynb()}, "id,name\n1,Ana García\n")
    assert found.flags == ("handed in as leebob, on the roster as Ana García",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id\tname\n1\tÀna\n\n", [("1", "Àna")]),
        ("First Name,Last name,SID,Email\nAna,Ruiz,7,a@x.org\n", [("7", "Ana Ruiz")]),
        ('Student,ID,SIS Login ID\n    Points Possible,,\n"Ruiz, Ana",7,aruiz\n', [("7", "Ana Ruiz")]),
        ("Identifier,Full name\nParticipant 12,Ana Ruiz\n", [("12", "Ana Ruiz")]),
        ("email\na@x.org\n", [("a@x.org", "a@x.org")]),
        ("id,name\n1,Ana\n1,Ana\n", [("1", "Ana")]),
        ("id,name\n", []),
    ],
)
def test_rosters_as_platforms_export_them(tmp_path, text, expected):
    for data in (text.encode(), text.encode("utf-16"), text.encode("cp1252"), text.replace("\n", "\r\n").encode("utf-8-sig")):
        (tmp_path / "r.csv").write_bytes(data)
        assert [(one.student, one.name) for one in read_roster(tmp_path / "r.csv")] == expected


@pytest.mark.parametrize("data", [b"", b"colour,size\nred,3\n", b'id,name\n1,"' + b"x" * 200_000, b"\0" * 10])
def test_a_file_that_is_no_roster_is_refused(tmp_path, data):
    (tmp_path / "r.csv").write_bytes(data)
    with pytest.raises(RosterError, match="r.csv"):
        read_roster(tmp_path / "r.csv")


# ---------------------------------------------------------------------------------------------------- what counts


def test_the_newest_of_two_notebooks_counts_and_it_is_flagged(find, tmp_path):
    find({"ana/old.ipynb": ipynb("def double(x):\n    return 1"), "ana/new.ipynb": ipynb(), "ben.ipynb": ipynb(SCALE)})
    os.utime(tmp_path / "hand-ins/ana/old.ipynb", (1e9, 1e9))
    ana, _ = find({})
    assert (ana.path, ana.exercises) == ("ana/new.ipynb", ("double",))
    assert "ana/old.ipynb answers the same exercises" in ana.flags[0]


def test_the_number_of_the_platform_goes_before_the_time_of_the_file(find, tmp_path):
    find({"leebob_222_67999_hw-1.ipynb": ipynb(), "leebob_222_67001_hw.ipynb": ipynb(SCALE + "\n" + DOUBLE)})
    os.utime(tmp_path / "hand-ins/leebob_222_67999_hw-1.ipynb", (1e9, 1e9))
    assert [one.exercises for one in find({})] == [("Scale",), ("double",)]


def test_a_newer_stub_does_not_replace_an_answer(find, tmp_path):
    find({"ana/old.ipynb": ipynb(), "ana/new.ipynb": ipynb(STUB)})
    os.utime(tmp_path / "hand-ins/ana/old.ipynb", (1e9, 1e9))
    assert [one.path for one in find({})] == ["ana/old.ipynb"]


def test_each_exercise_is_graded_in_one_notebook(find, tmp_path):
    find(
        {
            "ana/1.ipynb": ipynb(DOUBLE, SCALE),
            "ana/2.ipynb": ipynb(SCALE),
            "ana/3.ipynb": ipynb("def halve(x):\n    return x / 2"),
        }
    )
    os.utime(tmp_path / "hand-ins/ana/1.ipynb", (1e9, 1e9))
    assert [(one.path, one.exercises) for one in find({})] == [
        ("ana/1.ipynb", ("double",)),
        ("ana/2.ipynb", ("Scale",)),
        ("ana/3.ipynb", ("halve",)),
    ]


def test_the_same_notebook_of_two_students_is_flagged_but_not_the_stub(find):
    found = find({"ana.ipynb": ipynb(), "ben.ipynb": ipynb(), "cem.ipynb": ipynb(STUB), "dora.ipynb": ipynb(STUB)})
    assert [one.flags for one in found] == [("the same notebook as ben",), ("the same notebook as ana",), (), ()]


def test_text_cells_are_kept_apart(find):
    (found,) = find({"a.ipynb": ipynb(SCALE, markdown=["```\ndef double(x): ...\n```"])})
    assert found.cells == (SCALE,) and found.markdown == ("```\ndef double(x): ...\n```",) and found.exercises == ("Scale",)


def test_a_notebook_of_another_chapter_is_called_that(tmp_path):
    for path, code in (("ana/1.ipynb", DOUBLE), ("ben/1.ipynb", DOUBLE), ("ben/2.ipynb", "def halve(x): return x / 2")):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(ipynb(code))
    ana, ben = find_hand_ins(tmp_path, {"halve"}, elsewhere={"double": "01_double"})
    assert (ana.exercises, ana.elsewhere) == ((), ("01_double",))
    assert ana.problem.startswith("1.ipynb has the exercises of 01_double, not those that are graded here. Hand in")
    assert (ben.exercises, ben.elsewhere, ben.flags, ben.problem) == (("halve",), (), (), "")


def test_files_beside_the_notebook_are_not_read_and_flagged(find):
    (found,) = find({"ana/x.ipynb": ipynb(), "ana/torch.py": b"def evil(): pass", "ana/data.csv": b"1", "ana/w.pt": b"PK\3\4"})
    assert found.cells == (DOUBLE,)
    assert found.flags == ("torch.py lies beside the notebook and is not read",)


# ------------------------------------------------------------------------------------------------ broken but honest


@pytest.mark.parametrize(
    "data",
    [
        ipynb(),
        b"\xef\xbb\xbf" + ipynb(),
        ipynb().decode().encode("utf-16"),
        ipynb().decode().encode("utf-16-le"),
        json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": DOUBLE}]}], "nbformat": 3}).encode(),
        json.dumps({"cells": [{"cell_type": "code", "source": DOUBLE + "  # é"}]}, ensure_ascii=False).encode("latin-1"),
        ipynb().replace(b'{"cells"', b'{"nbformat": ' + b"9" * 5000 + b', "cells"'),
        b" \n" + ipynb(nbformat=4.5, metadata={"kernelspec": {"name": "R"}}),
        ipynb(DOUBLE.replace("\n", "\r\n")),
    ],
)
@pytest.mark.parametrize("name", ["a.ipynb", "a.ipynb.txt", "a.json", "a"])
def test_odd_notebooks_are_read(find, data, name):
    (found,) = find({name: data})
    assert (found.student, found.problem, found.exercises) == ("a", "", ("double",))


def test_a_python_export_is_read_cell_by_cell_if_one_is_broken(find):
    broken = f"# coding: utf-8\n# In[1]:\n\n{DOUBLE}\n\n# In[ ]:\n\nfor x in\n"
    (found,) = find({"ana.py": broken.encode()})
    assert found.exercises == ("double",) and len(found.cells) == 3


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.ipynb", b"", "a.ipynb is empty. Save the notebook"),
        ("a.ipynb", b'{"cells": [', "not JSON"),
        ("a.ipynb", b"[" * 10**5, "not JSON"),
        ("a.ipynb", b'{"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> main\n]}', "git conflict markers"),
        ("a.py", b"<<<<<<< HEAD\nx = 1\n", "git conflict markers"),
        ("a.ipynb", b"<!DOCTYPE html><html>", "web page"),
        ("a.html", b"<html>", "web page"),
        ("a.url", b"[InternetShortcut]", "only a link"),
        ("a.pdf", b"%PDF", "not a notebook. Hand in the notebook itself: File > Download"),
        ("a.rar", b"Rar!", "an archive of a kind that is not read"),
        ("a.ipynb", ipynb("import math"), "none of the course's exercises"),
        ("a.ipynb", json.dumps({"url": "https://x"}).encode(), "no list of cells"),
        ("a.ipynb", ipynb("x = 1\n" * 50_000, "y = 1\n" * 50_000, "z = 1\n" * 50_000), "characters of code"),
        ("a.ipynb", json.dumps({"cells": [{}] * 3000}).encode(), "3,000 cells"),
        ("a/b.png", b"\x89PNG", "not a notebook"),
        ("a.zip", b"PK no", "is not a zip"),
        ("a.zip", zipped({}), "there is no notebook in it"),
    ],
)
def test_what_cannot_be_graded_says_what_to_hand_in(find, name, data, words):
    (found,) = find({name: data})
    assert words in found.problem and found.cells == () and found.student == "a"


def test_a_notebook_of_300_megabytes_of_pictures_is_read(tmp_path, find):
    find({})
    picture = json.dumps({"data": {"image/png": "iVBORw0KGgo/" * 25_000 + "\n"}}).encode()
    with (tmp_path / "hand-ins/a.ipynb").open("wb") as file:
        file.write(b'{"cells": [{"cell_type": "code", "source": "def double(x):\\n    return 2", "outputs": [')
        for _ in range(1000):
            file.write(picture + b", ")
        file.write(b"{}]}]}")
    begun = time.process_time()
    (found,) = find({})
    assert found.cells == ("def double(x):\n    return 2",)
    assert time.process_time() - begun < 6  # about 1.5


def test_too_much_text_is_refused(monkeypatch):
    monkeypatch.setattr(notebook, "MAX_TEXT", 100_000)
    for data in (ipynb("x", x="loss 0.1 " * 20_000), ipynb("x", x=["a"] * 100_000), b'"' * 10**6):
        with pytest.raises(NotebookError, match="is too large.*Clear the outputs"):
            notebook.read_cells(io.BytesIO(data))
    assert notebook.read_cells(io.BytesIO(ipynb("x", x="AbC/" * 10**5))).code == ("x",)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(NotebookError, match="there is no such file or folder"):
        find_hand_ins(tmp_path / "nowhere", EXERCISES)


def test_one_file_alone(tmp_path):
    (tmp_path / "ana.ipynb").write_bytes(ipynb())
    (tmp_path / "ben.ipynb").write_bytes(ipynb())
    assert students(find_hand_ins(tmp_path / "ana.ipynb", EXERCISES)) == ["ana"]


# ---------------------------------------------------------------------------------------------------------- hostile


@pytest.mark.parametrize(
    "name", ["../../b.ipynb", "/etc/b.ipynb", "C:\\b.ipynb", "..\\b.ipynb", "x/../../b.ipynb", "/".join("x" * 30)]
)
def test_a_path_that_leads_out_of_a_zip_is_refused(find, name):
    found = find({"a.zip": zipped({name: ipynb()}), "b.zip": zipped({name: ipynb(), "good.ipynb": ipynb()})})
    assert "leads out of the zip" in problems(found)["a"]
    assert found[1].cells == (DOUBLE,) and "leads out of the zip" in found[1].flags[0]


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010644])
def test_a_link_or_device_in_a_zip_is_refused(find, mode):
    assert "not a regular file" in problems(find({"a.zip": zipped({"x.ipynb": b"/etc/passwd"}, mode=mode)}))["a"]


def test_a_link_or_pipe_in_a_folder_is_refused(tmp_path, find):
    find({"c.ipynb": ipynb()})
    (tmp_path / "secret.ipynb").write_bytes(ipynb())
    (tmp_path / "hand-ins/a.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (tmp_path / "hand-ins/b").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "hand-ins/d.ipynb")
    found = problems(find({}))
    assert list(found) == ["a", "b", "d"] and all("not a regular file" in words for words in found.values())


def test_bombs_are_refused(find, monkeypatch):
    monkeypatch.setattr(handins, "MAX_UNPACKED", 30_000_000)
    flat = zipped({"x.ipynb": b'{"cells": [' + b" " * 20_000_000})
    packed = zipped({f"{n}.ipynb": b"[" + os.urandom(4_500_000).hex().encode() for n in range(4)})
    monkeypatch.setattr(archives, "MAX_DIRECTORY", 100_000)
    many = zipped(dict.fromkeys(map(str, range(3000)), b""))
    deep = ipynb()
    for n in range(6):
        deep = zipped({f"{n}.zip": deep})
    found = find({"a.zip": flat, "b.zip": packed, "c.zip": many, "d.zip": deep, "e.ipynb": ipynb()})
    assert "unpacks to more than 200 times" in found[0].problem
    assert "only 3 of 4 files are looked at" in found[1].flags
    assert "too many files" in found[2].problem
    assert "a zip too many" in found[3].problem
    assert found[4].cells


def test_a_zip_that_lies_about_itself_is_refused(find):
    honest = zipped({"x.ipynb": ipynb()})
    for place in range(0, len(honest), 3):
        broken = bytearray(honest)
        broken[place] ^= 0xFF
        (found,) = find({"a.zip": bytes(broken)})
        assert found.problem or found.cells == (DOUBLE,)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert "unusual way" in find({"a.zip": zipped({"x.ipynb": ipynb()}, method=method)})[0].problem
    nameless = honest.replace(b"x.ipynb", b"\0.ipynb")
    assert "leads out of the zip" in find({"a.zip": nameless})[0].problem
    locked = honest.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
    assert "locked with a password" in find({"a.zip": locked})[0].problem


def test_ten_thousand_files_are_not_all_read(find, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 50)
    found = find({**{f"a/{n}.ipynb": ipynb("x = 1") for n in range(100)}, "b.ipynb": ipynb()})
    assert "only 40 of 50 files are looked at" in found[0].flags and found[0].problem
    assert found[1].cells


def test_a_zip_of_a_student_cannot_speak_for_others(find):
    forged = {"leebob_222_99999_x.ipynb": ipynb("def double(x): return 0"), "kim_333_99999_x.ipynb": ipynb()}
    found = find({"ana.zip": zipped(forged), "leebob_222_67999_hw.ipynb": ipynb(), "ben.zip": zipped({"x.ipynb": ipynb(SCALE)})})
    assert students(found) == ["222", "ana", "ben"]
    assert found[0].cells == (DOUBLE,) and "export of several students" in found[1].problem


@pytest.mark.parametrize("genuine", [EMIL, f"real.zip/{EMIL}"])
def test_a_name_inside_a_zip_takes_nothing_from_the_student_who_has_it(find, genuine):
    """Two that claim the same name are both left to the names outside, which the instructor gave."""
    files = {"mallory.zip": zipped({EMIL: ipynb()}), "anna.ipynb": ipynb()}
    files |= {"real.zip": zipped({EMIL: ipynb(SCALE)})} if genuine.startswith("real") else {genuine: ipynb(SCALE)}
    found = {one.student: one.cells for one in find(files)}
    assert found["mallory"] == (DOUBLE,) and (DOUBLE,) not in (found.get("12345"), found.get("real"))


def test_a_damaged_list_of_a_platform_inside_a_zip_stops_nobody(find):
    broken = bytearray(zipped({"submission_metadata.yml": METADATA.encode(), "submission_11/a.ipynb": ipynb()}))
    broken[60] ^= 0xFF
    assert students(find({"anna.ipynb": ipynb(), "ben.zip": bytes(broken)})) == ["anna", "ben"]


def test_names_that_look_alike_stay_apart(find):
    found = find({"a\u202e.ipynb": ipynb(), "a\u202d.ipynb": ipynb(SCALE), "x\ny <b>.ipynb": ipynb()})
    assert sorted(students(found)) == ["a\ufffd", "a\ufffd (2)", "x y <b>"]
    assert all(text.isprintable() for one in found for text in (one.student, one.name, one.path, *one.flags))


def test_a_mistake_of_the_reader_stops_nobody_else(find, monkeypatch):
    monkeypatch.setattr(handins, "Source", lambda cells: 1 / 0 if SCALE in cells else notebook.Source(cells))
    found = find({"ana.ipynb": ipynb(SCALE), "ben.ipynb": ipynb()})
    assert "the grader's own fault (ZeroDivisionError)" in found[0].problem and found[1].cells


def test_identity_never_comes_from_inside_the_notebook(find):
    assert students(find({"ana.ipynb": ipynb("# Name: Bob Lee, 0102", DOUBLE)})) == ["ana"]


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_at_all(find, seed):
    """Broken bytes in all kinds of files: a hand-in each, with exercises or with a problem, and quickly."""
    chance = random.Random(seed)
    seeds = [ipynb(), zipped({"x.ipynb": ipynb(), "y/z.py": DOUBLE.encode()}), METADATA.encode(), DOUBLE.encode()]
    files = {"submission_metadata.yml": METADATA.encode()}
    for n in range(20):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(0, 12)):
            place = chance.randrange(len(data) + 1)
            data[place : place + chance.randint(0, 5)] = chance.randbytes(chance.randint(0, 5))
        name = chance.choice(["{}.ipynb", "{}.zip", "{}.py", "{}", "{}/x.ipynb", "{}/y.zip", "{}/submission_metadata.yml"])
        files[name.format(f"s{n}")] = bytes(data)
    begun = time.process_time()
    found = find(files)
    assert time.process_time() - begun < 2
    assert {one.student for one in found} == {f"s{n}" for n in range(20)}
    assert all(bool(one.problem) != bool(one.exercises) for one in found)
    assert not [one.problem for one in found if "own fault" in one.problem]
