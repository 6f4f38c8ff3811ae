"""What is graded is kept: rows survive a kill, marks follow from them, the instructor's columns survive every run."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from io import StringIO

import pytest

from course_lib.grading.store import GradesError, Store, key, latest, marks
from course_lib.grading.words import identifier


def row(student="ada", test="test_a", outcome="passed", points=2, **rest):
    """A row as the grader writes it; chapter 01 has one exercise, ``double``, unless ``rest`` says otherwise."""
    common = {"student": student, "name": student.title(), "hand_in": f"{student}.ipynb", "chapter": "01_double"}
    common |= {
        "exercise": "double" if test else "",
        "test": test,
        "title": "",
        "points": points,
        "outcome": outcome,
        "message": "",
    }
    return common | rest


def unread(student="ada", **rest):
    return row(student, test="", outcome="not gradable", points=0, message="it is no notebook", chapter="", **rest)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def grades(store, name="grades.csv"):
    """The table by student: column to cell."""
    lines = list(csv.DictReader(StringIO((store.folder / name).read_text("utf-8-sig"), newline="")))
    return {line["student"]: line for line in lines}


def edit(store, student, /, encoding="utf-8-sig", delimiter=",", **cells):
    """Save grades.csv as a spreadsheet program does, with some cells of a student changed."""
    table = grades(store)
    table[student] |= cells
    file = StringIO()
    writer = csv.DictWriter(file, table[student].keys(), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(table.values())
    (store.folder / "grades.csv").write_bytes(file.getvalue().encode(encoding))


def total(store, student="ada"):
    return next(mark.total for mark in store.marks() if mark.student == student)


# ---------------------------------------------------------------------------------------------------------------- rows


def test_rows_come_back_and_the_newest_counts(store):
    assert store.rows() == []
    store.append([row(outcome="wrong"), row(test="test_b")])
    store.append([row(outcome="passed", cpu=0.5)])
    assert [(r["test"], r["outcome"]) for r in store.rows()] == [("test_a", "passed"), ("test_b", "passed")]
    assert store.rows()[0] == row(outcome="passed", cpu=0.5)


def test_a_row_that_is_torn_anywhere_costs_itself_only(store):
    store.append([row(), row("bob", name="Bøb \u202e \x1b[31m \ud800")])
    path = store.folder / "results.jsonl"
    whole = path.read_bytes()
    assert whole.isascii() and b"\x1b" not in whole
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole) - 1):
        path.write_bytes(whole[:cut])
        store.append([row("cleo")])
        assert [r["student"] for r in store.rows()] == ["ada", "cleo"], cut
        assert store.damaged == ([] if cut == first else [2])


def test_lines_that_are_no_results_are_passed_over_and_counted(store):
    store.append([row()])
    with open(store.folder / "results.jsonl", "ab") as file:
        file.write(b'[1]\n{"student": "eve"}\n\xff\xfe\n' + b"[" * 100_000 + b"\n")
    store.append([row("bob")])
    assert [r["student"] for r in store.rows()] == ["ada", "bob"]
    assert store.damaged == [2, 3, 4, 5]


def test_what_was_written_survives_a_kill(store):
    program = (
        "import sys; from course_lib.grading.store import Store\n"
        "sys.path.insert(0, sys.argv[2]); from test_store import row\n"
        "store = Store(sys.argv[1])\n"
        "for n in range(10**6):\n"
        "    store.append([row(f's{sys.argv[3]}-{n}', test=f't{m}', message='x' * 3000) for m in range(3)])\n"
        "    print(n, flush=True)\n"
    )
    for attempt in range(3):
        arguments = [sys.executable, "-c", program, str(store.folder), os.path.dirname(__file__), str(attempt)]
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        child.stdout.readline()
        time.sleep(0.05 * attempt)
        child.send_signal(signal.SIGKILL)
        said = child.communicate()[0].split()
        kept = {r["student"] for r in store.rows()}
        assert {f"s{attempt}-{n}" for n in said} | {f"s{attempt}-0"} <= kept
        assert len(store.damaged) <= attempt + 1


@pytest.mark.parametrize(
    "wrong", [{"outcome": "failed"}, {"points": float("nan")}, {"points": True}, {"points": -1}, {"student": ""}, {"name": None}]
)
def test_what_is_no_result_is_refused_before_anything_is_written(store, wrong):
    with pytest.raises(ValueError, match="cannot be a result"):
        store.append([row(), row("bob") | wrong])
    with pytest.raises(ValueError):
        store.append([row(cpu=float("inf"))])
    assert store.rows() == [] and not store.folder.exists()


def test_exercises_of_the_same_name_in_two_chapters_are_two(store):
    store.append([row(), row(chapter="08_resnext", outcome="wrong")])
    (mark,) = store.marks()
    assert mark.exercises == {"01_double: double": 2, "08_resnext: double": 0}
    assert mark.chapters == {"01_double: double": "01_double", "08_resnext: double": "08_resnext"}


def test_wanted_rows_alone_and_in_their_order(store):
    store.append([row(test="old"), row(test="test_a"), row(test="test_b"), row("gone")])
    wanted = [key(row(test="test_b")), key(row(test="test_a")), key(row("never", test="test_a"))]
    assert [(r["student"], r["test"]) for r in store.rows(wanted)] == [("ada", "test_b"), ("ada", "test_a")]
    assert [mark.out_of for mark in store.marks(wanted)] == [4]


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([unread(), row()], [row()]),  # mended
        ([row(), row(test="b"), unread()], [unread()]),  # broken by a later upload
        ([row(), unread(), row(test="b")], [row(test="b")]),
        ([unread(hand_in=""), row()], [row()]),  # handed in late
        ([row(), unread(hand_in="")], [row()]),
        ([unread(hand_in=""), unread()], [unread()]),
        ([row(), unread(hand_in="other.ipynb")], [row(), unread(hand_in="other.ipynb")]),
        ([row(), unread("bob")], [row(), unread("bob")]),
    ],
)
def test_a_trouble_that_is_over_no_longer_counts(rows, left):
    assert latest(rows) == left


# --------------------------------------------------------------------------------------------------------------- marks


def test_marks_are_the_points_of_passed_tests(store):
    store.append([row(points=0.1, test=f"t{n}") for n in range(3)] + [row(test="t9", outcome="raised")])
    store.append([row(exercise="Scale", test="s", points=3), row(exercise="Scale", test="r", outcome="not attempted")])
    (mark,) = store.marks()
    assert mark.exercises == pytest.approx({"double": 0.3, "Scale": 3})
    assert mark.possible == pytest.approx({"double": 2.3, "Scale": 5})
    assert (mark.total, mark.out_of) == pytest.approx((3.3, 7.3))
    store.write_grades()
    assert (grades(store)["ada"]["double"], grades(store)["ada"]["total"]) == ("0.3", "3.3")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([row(outcome="error")], "double: 1 × error"),
        ([row(outcome="not gradable")], "double: 1 × not gradable"),
        ([unread()], "it is no notebook"),
        ([unread(hand_in="")], "it is no notebook"),
        ([row(), unread(hand_in="other.ipynb")], "it is no notebook"),
        ([row(test="test_b")], "double: 1 not graded yet"),  # an interrupted run
        ([row(chapter="02", exercise="other")], "no hand-in for 01_double"),
    ],
)
def test_what_could_not_be_graded_is_never_a_zero(store, rows, problem):
    store.append([*rows, row("bob"), *([row("bob", test="test_b")] if rows[0]["test"] == "test_b" else [])])
    mark = next(mark for mark in store.marks() if mark.student == "ada")
    assert problem in mark.problems and mark.total is None and mark.final is None
    store.write_grades()
    line = grades(store)["ada"]
    assert (line["total"], line["final"]) == ("", "") and problem in line["not gradable"]


# -------------------------------------------------------------------------------------------------------------- grades


def test_grades_have_the_promised_columns(store):
    store.append([row(flags=["defined twice"], late="2 days late"), row("Bob", outcome="wrong"), unread("cleo", hand_in="")])
    assert store.write_grades() == []
    text = (store.folder / "grades.csv").read_text("utf-8-sig").splitlines()[0]
    assert text == "student,name,double,total,out of,manual,final,comment,flags,not gradable,late,feedback"
    line = grades(store)["ada"]
    assert [line[name] for name in ("double", "total", "out of", "final")] == ["2"] * 4
    assert (line["flags"], line["late"]) == ("defined twice", "2 days late")
    assert line["feedback"] == "feedback/ada.html" and re.fullmatch(r"feedback/Bob-\w{8}\.html", grades(store)["Bob"]["feedback"])
    assert grades(store)["cleo"]["feedback"] == ""  # handed in nothing
    assert not list(store.folder.glob("*.part"))


@pytest.mark.parametrize("saved", [{}, {"delimiter": ";", "manual": "1,5"}, {"delimiter": "\t", "encoding": "cp1252"}])
def test_manual_marks_and_comments_survive(store, saved):
    store.append([row(name="Zoë"), row("bob")])
    store.write_grades()
    comment = "- talked; = été"
    edit(store, "ada", **{"manual": "1.5", "comment": comment} | saved)
    store.append([row("cleo")])
    for _ in range(2):
        assert store.write_grades() == []
        line = grades(store)["ada"]
        assert (line["manual"], line["final"], line["total"], line["name"]) == ("1.5", "1.5", "2", "Zoë")
        assert line["comment"] == "'- talked; '= été" and store.read_grades()["ada"]["comment"] == comment
    assert next(mark.final for mark in store.marks() if mark.student == "ada") == 1.5
    assert set(grades(store)) == {"ada", "bob", "cleo"}


def test_a_manual_mark_survives_without_results_and_is_found_without_its_zeros(store):
    store.append([row("007", name="James"), row("bob")])
    store.write_grades()
    edit(store, "007", student="7", manual="1")
    edit(store, "bob", comment="left")
    store.append([row("008", name="Other")])
    assert store.write_grades(accept=True, wanted=[key(row("007")), key(row("008"))])
    table = grades(store)
    assert (table["007"]["manual"], table["008"]["manual"], table["bob"]["comment"]) == ("1", "", "left")
    assert "7" not in table


@pytest.mark.parametrize("text", ["excused", "1;2", "nan", "12 points"])
def test_a_manual_mark_that_is_no_number_stops_before_anything_is_lost(store, text):
    store.append([row()])
    store.write_grades()
    edit(store, "ada", manual=text)
    before = (store.folder / "grades.csv").read_bytes()
    store.append([row("bob")])
    with pytest.raises(GradesError, match="line 2, column manual: .* is not a number of points"):
        store.write_grades(accept=True)
    assert (store.folder / "grades.csv").read_bytes() == before


def test_a_table_that_is_not_ours_is_left_alone(store):
    store.append([row()])
    (store.folder / "grades.csv").write_text("id;mark\nada;3\n")
    with pytest.raises(GradesError, match="line 1: there is no column student"):
        store.write_grades()
    (store.folder / "grades.csv").write_text("student,manual\nada,3\nada,4\n")
    with pytest.raises(GradesError, match="line 3: the student 'ada' is there twice"):
        store.write_grades()
    (store.folder / "grades.csv").write_text("student,manual\n,3\n")
    with pytest.raises(GradesError, match="line 2: the student has no identifier"):
        store.write_grades()


def test_marks_change_only_when_accepted(store):
    store.append([row(), row("bob", outcome="wrong"), row("cleo", outcome="error"), row("dan")])
    store.write_grades()
    store.append([row(outcome="wrong"), row("bob"), row("cleo"), row("eve"), row("dan", outcome="error")])
    changed = store.write_grades()
    assert sorted(map(str, changed)) == [
        "Ada (ada), double: 2 → 0 (-2)",
        "Ada (ada), total: 2 → 0 (-2)",
        "Bob (bob), double: 0 → 2 (+2)",
        "Bob (bob), total: 0 → 2 (+2)",
        "Dan (dan), double: 2 → no mark",
        "Dan (dan), total: 2 → no mark",
    ]
    assert [change.what for change in changed] == ["total"] * 3 + ["double"] * 3
    assert grades(store)["ada"]["total"] == "2" and "eve" not in grades(store)
    assert grades(store, "not-accepted/grades.csv")["ada"]["total"] == "0"
    (store.waiting / "feedback").mkdir()
    assert store.write_grades(accept=True) == changed
    assert grades(store)["ada"]["total"] == "0" and "eve" in grades(store)
    assert not store.waiting.exists()
    assert store.write_grades() == []


def test_a_folder_of_somebody_else_in_the_place_of_held_back_marks_is_left_alone(store):
    store.append([row()])
    theirs = store.waiting / "hand-in.ipynb"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{}")
    store.write_grades()
    assert theirs.read_text() == "{}"


def test_who_is_not_among_the_hand_ins_any_more_is_told_apart_from_who_has_no_mark(store):
    store.append([row(), row("bob")])
    store.write_grades()
    assert [str(change) for change in store.write_grades(wanted=[key(row("bob"))])] == [
        "Ada (ada), total: 2 → no mark, not among these hand-ins"
    ]


def test_a_manual_mark_out_of_other_points_is_told(store):
    """It was given for one chapter, and now there are two, say."""
    store.append([row(), row("bob", outcome="error")])
    store.write_grades()
    edit(store, "bob", manual="1.5")
    assert store.write_grades() == []
    store.append([row("bob", test="other", chapter="02_more", exercise="more", points=3)])
    changed = [str(change) for change in store.write_grades()]
    assert "Bob (bob), out of, with 1.5 given by hand: 2 → 5 (+3)" in changed and grades(store)["bob"]["out of"] == "2"
    store.write_grades(accept=True)
    assert store.write_grades() == [] and grades(store)["bob"]["manual"] == "1.5"


def test_a_first_mark_changes_nobodys(store):
    store.append([row(outcome="error"), unread("bob")])
    store.write_grades()
    store.append([row(), row("bob")])
    assert store.write_grades() == []
    assert total(store) == total(store, "bob") == 2
    assert grades(store)["bob"]["total"] == "2"


def test_students_whose_names_look_alike_stay_two(store):
    alike = [
        "x\x01",
        "x\x02",
        "x\ufffd",
        "=1",
        "'=1",
        " a",
        "a",
        "a\u202e",
        "x" * 600 + "1",
        "x" * 600 + "2",
        identifier("x\x01"),
    ]
    store.append([row(student, name="Same") for student in alike])
    for _ in range(2):
        assert store.write_grades() == []
    assert len(grades(store)) == len(alike) == len(store.read_grades())
    for n, student in enumerate(list(grades(store))):
        edit(store, student, manual=str(n))
    store.write_grades()
    assert sorted(mark.manual for mark in store.marks()) == list(range(len(alike)))


def test_an_exercise_may_be_called_like_a_column():
    (mark,) = marks([row(exercise="total"), row(exercise="late", test="b")])
    assert set(mark.exercises) == {"01_double: total", "01_double: late"}
