"""Views of a class's marks: each is a function of the marks and a folder, and writes files that anybody can open.

Whatever a student may have written in them (name, path, message, flag) is made harmless in :mod:`course_lib.grading.words`.
"""

from pathlib import Path

from course_lib.grading.reports.exports import autograder, canvas, from_canvas, gradescope, gradescope_results, junit, moodle
from course_lib.grading.reports.feedback import feedback
from course_lib.grading.reports.overview import overview
from course_lib.grading.reports.tables import key, table
from course_lib.grading.store import Mark

__all__ = [
    "autograder",
    "canvas",
    "feedback",
    "from_canvas",
    "gradescope",
    "gradescope_results",
    "junit",
    "key",
    "moodle",
    "overview",
    "table",
    "write_all",
]


def write_all(marks: list[Mark], folder: str | Path) -> None:
    """Every file about a class: feedback, overview, and what JUnit's readers, Gradescope, Canvas and Moodle take."""
    folder = Path(folder)
    for view in (feedback, overview, junit, gradescope, canvas, moodle):
        view(marks, folder)
