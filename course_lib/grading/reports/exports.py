"""Marks and results for other programs: JUnit XML, Gradescope, Canvas, Moodle.

A student without a mark gets none anywhere: no platform is told zero for what could not be graded.
"""

import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from course_lib import __version__
from course_lib.grading.reports.feedback import COMMENT, outcome_name, reason, title_of, unread
from course_lib.grading.results import NO_MARK
from course_lib.grading.store import Mark, csv_text, replace_file
from course_lib.grading.words import FAILED, cell, clean, file_name, html, line, number


def junit(marks: list[Mark], folder: Path) -> Path:
    """Write ``junit.xml`` for the instructor's tools: a suite per student, a case per graded test.

    ``failure``: tried and not passed. ``skipped``: not attempted, or blocked. ``error``: not gradable, or the grader's fault.
    """
    root = ElementTree.Element("testsuites", name="exercises")
    for mark in marks:
        seconds = sum(row.get("seconds", 0) for row in mark.rows)
        suite = ElementTree.SubElement(root, "testsuite", name=line(mark.student), time=f"{seconds:.3f}")
        for row in mark.rows:
            place = ".".join(filter(None, (row["chapter"], row["exercise"]))) or line(row["hand_in"]) or "hand-in"
            name = row["test"] or "hand-in can be graded"
            case = ElementTree.SubElement(suite, "testcase", classname=place, name=name, time=f"{row.get('seconds', 0):.3f}")
            kind = (
                "failure" if row["outcome"] in FAILED else "error" if row["outcome"] in NO_MARK or not row["test"] else "skipped"
            )
            if row["outcome"] != "passed":
                end = ElementTree.SubElement(case, kind, type=row["outcome"], message=line(row["message"]))
                end.text = clean("\n".join(filter(None, (row["message"], row.get("instructor", "")))))
        for kind in ("failure", "error", "skipped"):
            suite.set(
                {"failure": "failures", "error": "errors", "skipped": "skipped"}[kind], str(len(suite.findall(f"*/{kind}")))
            )
        suite.set("tests", str(len(suite)))
    ElementTree.indent(root)
    replace_file(folder / "junit.xml", ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
    return folder / "junit.xml"


def gradescope(marks: list[Mark], folder: Path) -> list[Path]:
    """Write ``gradescope/<student>.json``, each a ``results.json`` as Gradescope documents it."""
    files = []
    for mark in marks:
        files.append(folder / "gradescope" / f"{file_name(mark.student)}.json")
        replace_file(files[-1], json.dumps(gradescope_results(mark), indent=1).encode("ascii"))
    return files


def gradescope_results(mark: Mark) -> dict:
    """One ``results.json``. Without a mark no test has a score, so that Gradescope shows the reasons and no zero.

    A manual mark is the score of the whole, whatever the tests add up to.

    What is printed stays hidden, texts are plain text, and of a test that is not visible no words are handed on: Gradescope
    would show them after the due date.
    """
    tests = []
    said: set[tuple[str, str]] = set()
    for row in mark.rows:
        message, advice, hint = reason(row, said)
        output = [f"{outcome_name(row)}: {message}" if message else outcome_name(row), advice, f"Hint: {hint}" if hint else ""]
        visibility = row.get("visibility", "visible")
        test = {"name": f"{row['exercise']}: {line(title_of(row))}", "name_format": "text", "output_format": "text"}
        if not row["test"]:
            test["name"], output = "Your hand-in can be graded", [clean(unread(row, mark))]
        if visibility == "hidden":
            test["name"] = (
                f"{row['exercise']}: {line(row.get('title') or row['test'])}"  # for the instructor; students never see it
            )
        if row["outcome"] != "passed":
            test["output"] = "\n".join(filter(None, output))
        if not mark.problems:
            test |= {"score": row["points"] if row["outcome"] == "passed" else 0, "max_score": row["points"]}
        tests.append(test | {"status": "passed" if row["outcome"] == "passed" else "failed", "visibility": visibility})
    results = {
        "tests": tests,
        "stdout_visibility": "hidden",
        "execution_time": round(sum(r.get("seconds", 0) for r in mark.rows)),
    }
    if mark.manual is not None:
        results["score"] = mark.manual
    about = [f"{COMMENT}: {clean(mark.comment)}"] if mark.comment else []
    if mark.final is None:
        about.append("There is no mark yet. This is no zero.")
    if about:
        results |= {"output": "\n".join(about), "output_format": "text"}
    return results


SETUP = """#!/usr/bin/env bash
# Builds the image in which Gradescope grades: an environment of its own, with the course and nothing of a student's.
set -euo pipefail
apt-get update
apt-get install -y python3 python3-venv
python3 -m venv /autograder/environment
/autograder/environment/bin/pip install --no-cache-dir {course}
"""
RUN = """#!/usr/bin/env bash
# Grades one hand-in. If this ends early there is no results.json: Gradescope then reports a failure, and no zero.
set -euo pipefail
cd /
exec /autograder/environment/bin/course grade /autograder/submission --gradescope /autograder/results/results.json
"""


def autograder(path: Path, wheel: Path | None = None) -> Path:
    """Write the zip that Gradescope takes as autograder: ``setup.sh`` and ``run_autograder``, at its root.

    Args:
        path: the zip to write.
        wheel: the course's own wheel, put into the zip and installed; by default this version, from the package index.
    Raises:
        FileNotFoundError: if there is no such wheel.
    """
    course = f"/autograder/source/{wheel.name}" if wheel else f"course-lib=={__version__}"
    files = {"setup.sh": SETUP.format(course=shlex.quote(course)).encode(), "run_autograder": RUN.encode()}
    if wheel:
        files[wheel.name] = wheel.read_bytes()
    beside = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(beside, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = ZipInfo(name)  # the same bytes every time: its date is 1980
            entry.external_attr = (0o755 if name in ("setup.sh", "run_autograder") else 0o644) << 16
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, content)
    beside.replace(path)
    return path


def canvas(marks: list[Mark], folder: Path, assignment: str | None = None) -> Path:
    """Write ``canvas.csv`` for Canvas: Gradebook > Import.

    Who has no mark is left out: an empty cell would delete the mark that Canvas has. A student is known to Canvas by ``ID``,
    its own number, where the hand-in's file name comes from Canvas (``name_ID_NUMBER_file``); otherwise by ``SIS Login ID``,
    which only a roster tells, or, failing that, by name.

    Args:
        assignment: as Canvas names it, best with its number: ``Exercise 6 (1234)``; another name makes a new assignment.
    """
    table = [["Student", "ID", "SIS Login ID", "Section", cell(assignment or _assignment(marks))]]
    table.append(["    Points Possible", "", "", "", number(marks[0].out_of) if marks else ""])
    for mark in marks:
        if mark.final is not None:
            ids = [mark.student, ""] if from_canvas(mark) else ["", cell(mark.student)]
            table.append([cell(mark.name), *ids, "", number(mark.final)])
    replace_file(folder / "canvas.csv", csv_text(table).encode())
    return folder / "canvas.csv"


def moodle(marks: list[Mark], folder: Path) -> Path:
    """Write ``moodle.csv`` for Moodle: assignment > Upload grading worksheet, with Moodle in English.

    Moodle finds a student by ``Participant N``, where N is in the names of the folders that it exports; other identifiers it
    passes over. It also wants the column of the last change: empty says "never", so for a second upload tick "Allow updating
    records that have been modified more recently". An empty grade changes nothing there.
    """
    table = [["Identifier", "Full name", "Grade", "Last modified (grade)", "Feedback comments"]]
    for mark in marks:
        grade = "" if mark.final is None else number(mark.final)
        participant = f"Participant {mark.student}" if mark.student.isdecimal() else cell(mark.student)
        table.append([participant, cell(mark.name), grade, "", _moodle_comment(mark)])
    replace_file(folder / "moodle.csv", csv_text(table).encode())
    return folder / "moodle.csv"


def _assignment(marks: list[Mark]) -> str:
    chapters = {chapter for mark in marks for chapter in mark.chapters.values()}
    return chapters.pop() if len(chapters) == 1 else "Exercises"


def from_canvas(mark: Mark) -> bool:
    """Whether the student's identifier is Canvas's own number, because the hand-in has the name that Canvas gives."""
    name = rf"_{re.escape(mark.student)}_\d+_[^/]*$"
    return mark.student.isdecimal() and any(re.search(name, row["hand_in"]) for row in mark.rows)


def _moodle_comment(mark: Mark) -> str:
    """What a student reads in Moodle, as HTML on one line, in which nothing can be taken for a formula."""
    parts, said = [f"<b>{COMMENT}:</b> {html(mark.comment)}"] if mark.comment else [], set()
    for row in mark.rows:
        message, advice, hint = reason(row, said)
        if not row["test"]:
            parts.append(html(unread(row, mark)) + ("<br>You have no mark yet. This is no zero." if mark.final is None else ""))
        elif row["outcome"] != "passed":
            words = filter(None, (message, advice, f"Hint: {hint}" if hint else ""))
            head = f"<b>{html(row['exercise'])}: {html(title_of(row))}</b>"
            parts.append("<br>".join([f"{head} ({html(outcome_name(row))})", *map(html, words)]))
    if all(row["outcome"] == "passed" for row in mark.rows):
        parts.append("All tests passed.")
    text = "<br><br>".join(parts)
    text = text.replace("\n", "<br>")
    return re.sub("[=+\\-@\uff1d\uff0b\uff0d\uff20]", lambda match: f"&#{ord(match[0])};", text)
