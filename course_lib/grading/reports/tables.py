"""The class in a terminal."""

from course_lib.grading.store import Mark
from course_lib.grading.words import columns, line, number

WIDEST = 28  # columns of a terminal for a name


def table(marks: list[Mark]) -> str:
    """A line per student: points of every exercise (of every chapter, where there are several) and the total, ``–`` for none."""
    if not marks:
        return "no results"
    places = marks[0].chapters  # exercise to chapter
    several = len(set(places.values())) > 1
    heads = list(dict.fromkeys(places.values() if several else places))
    lines = [["student", *heads, "total"]]
    possible = [sum(of for label, of in marks[0].possible.items() if head in (label, places[label])) for head in heads]
    lines.append(["out of", *map(number, possible), number(marks[0].out_of)])
    for mark in marks:
        points = []
        for head in heads:
            mine = [earned for label, earned in mark.exercises.items() if head in (label, places[label])]
            points.append("–" if None in mine else number(sum(mine)))
        total = "–" if mark.final is None else number(mark.final) + ("*" if mark.manual is not None else "")
        lines.append([_short(line(mark.name) or line(mark.student)), *points, total])
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    text = [
        first
        + " " * (widths[0] - columns(first))
        + "".join(f"  {' ' * (width - columns(cell))}{cell}" for cell, width in zip(rest, widths[1:], strict=True))
        for first, *rest in lines
    ]
    return "\n".join(text)


def key(marks: list[Mark]) -> str:
    """What the signs in the table mean, of those that are there."""
    signs = ["* given by hand, in the column manual of grades.csv"] if any(mark.manual is not None for mark in marks) else []
    if any(None in (mark.final, *mark.exercises.values()) for mark in marks):
        signs.append("– no mark yet, which is no zero")
    return "; ".join(signs)


def _short(text: str) -> str:
    while columns(text) > WIDEST:
        text = text[:-2] + "…"
    return text
