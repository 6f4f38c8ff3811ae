"""Pairs of hand-ins that agree where neither the exercise nor the rest of the class explains it, for a person to judge.

An answer is compared as the syntax tree of its code, with everything it uses: layout, comments, documentation, annotations and
the names of its variables make no difference. Each run of tokens that stands in two answers, but not in the stub or the
solution, counts; the more others have it too, the less. An answer with fewer such runs than make a pair is not compared: whoever
changes one token of the solution has about as many, so agreeing in fewer says nothing.
"""

import argparse
import ast
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

from course_lib.grading import run
from course_lib.grading.handins import HandIn, find_hand_ins
from course_lib.grading.notebook import IMPORTS, Source, attempted, read_notebook
from course_lib.grading.words import line

RUN = 10  # tokens; a line of code has about as many
LONGEST = 20_000  # tokens of an answer that are read
COMMON = 50  # what so many have was taught, told or found, and says nothing about two of them
LEAST = 10.0  # runs in common: a line or two that nobody else has
HALF = 0.5  # of the shorter answer


@dataclass(frozen=True)
class Pair:
    """Two answers that agree.

    Attributes:
        runs: how many runs of tokens both have, each divided by the number of others who have it as well (at least 1).
        share: of the runs of the shorter answer, counted in the same way; 1 if all of it stands in the other one too.
    """

    chapter: str
    exercise: str
    first: str  # the student, and the file
    second: str
    first_file: str
    second_file: str
    runs: float
    share: float


def tokens(source: Source, exercise: str) -> list[str]:
    """The code of an answer and all that it refers to, imports apart, as tokens in the order of the syntax tree."""
    statements = [statement for statement in source.closure(exercise) if not isinstance(statement.node, IMPORTS)]
    own = {name for statement in statements for name in statement.binds}
    found: list[str] = []
    waiting: list[ast.AST] = [statement.node for statement in reversed(statements)]
    local = own | {name for node in waiting for name in _bound(node)}
    while waiting and len(found) < LONGEST:
        node = waiting.pop()
        if isinstance(node, ast.expr_context) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            continue
        found.append(type(node).__name__)
        children: list[ast.AST] = []
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "type_comment", "kind"):
                continue
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ast.AST):
                    children.append(item)
                elif item is not None:
                    found.append("name" if item in local and isinstance(item, str) else str(item)[:100])
        waiting.extend(reversed(children))
    return found


def _bound(tree: ast.AST) -> Iterable[str]:
    """Names that the code itself makes: variables, arguments, functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef):
            yield node.name


def pairs(answers: Mapping[str, list[str]], known: Iterable[list[str]] = ()) -> list[tuple[str, str, float, float]]:
    """Who agrees with whom: (one, other, runs, share) as in :class:`Pair`, the most striking first.

    Args:
        answers: tokens by student.
        known: tokens of the stub and of the solution, which everybody may have.
    """
    discounted = set().union(*map(_runs, known))
    own = {student: _runs(answer) - discounted for student, answer in answers.items()}
    having: dict[tuple, list[str]] = defaultdict(list)
    for student, pieces in own.items():
        for piece in pieces:
            having[piece].append(student)
    weight = {piece: 1 / max(1, len(students) - 1) for piece, students in having.items()}
    together: Counter[tuple[str, str]] = Counter()
    for piece, students in having.items():
        if len(students) <= COMMON:
            for pair in combinations(students, 2):
                together[pair] += weight[piece]
    size = {student: sum(weight[piece] for piece in pieces) for student, pieces in own.items()}
    found = [(a, b, both, both / min(size[a], size[b])) for (a, b), both in together.items() if both >= LEAST]
    return sorted((pair for pair in found if pair[3] >= HALF), key=lambda pair: (-pair[2], -pair[3], pair))


def _runs(answer: list[str]) -> set[tuple[str, ...]]:
    return {tuple(answer[start : start + RUN]) for start in range(len(answer) - RUN + 1)}


def why_not_compared(answer: list[str], known: Iterable[list[str]]) -> str:
    """Why an answer has too little of its own to agree with any other; empty if it has enough."""
    runs = _runs(answer)
    if len(runs) < LEAST:
        return "short"
    return "like the published solution" if len(runs.difference(*map(_runs, known))) < LEAST else ""


def similar(hand_ins: Iterable[HandIn], known: Iterable[Source]) -> tuple[list[Pair], Counter[str]]:
    """Pairs of hand-ins that agree, by exercise, the most striking first; and how many answers are not compared, by reason.

    Args:
        hand_ins: of :func:`find_hand_ins`; those that cannot be read have no answers.
        known: the stubs and solutions of the course.
    """
    answers: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(dict)
    files: dict[tuple[str, str], str] = {}
    for hand_in in hand_ins:
        source = Source(hand_in.cells)
        for chapter, exercise in _answered(source):
            if exercise in hand_in.exercises and attempted(source, exercise):
                answers[chapter, exercise][hand_in.student] = tokens(source, exercise)
                files[hand_in.student, chapter] = hand_in.path
    expected: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for source in known:
        for chapter, exercise in _answered(source):
            expected[chapter, exercise].append(tokens(source, exercise))
    found, left_out = [], Counter()
    for (chapter, exercise), written in sorted(answers.items()):
        left_out.update(filter(None, (why_not_compared(answer, expected[chapter, exercise]) for answer in written.values())))
        for a, b, runs, share in pairs(written, expected[chapter, exercise]):
            found.append(Pair(chapter, exercise, a, b, files[a, chapter], files[b, chapter], round(runs, 1), round(share, 3)))
    return found, left_out


def _answered(source: Source) -> Iterable[tuple[str, str]]:
    """(chapter, exercise) of each answer; a name that two chapters ask for belongs to the one that has more of the answers."""
    taken: set[str] = set()
    for file in run.test_files(source.names):
        names = run.exercises(file) & source.names - taken
        taken |= names
        yield from ((file.stem.removeprefix("test_"), name) for name in sorted(names))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``course similarity``."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="hand-ins: notebooks, folders or zips of a learning platform")
    parser.add_argument("--json", action="store_true", help="for programs")


def main(options: argparse.Namespace) -> int:
    """Print the pairs that agree; returns 0. Stubs and solutions come from the current folder, where it is a course's."""
    names = set().union(*map(run.exercises, run.tests_folder().glob("test_*.py")))
    known = [read_notebook(path) for folder in ("exercises", "solutions") for path in sorted(Path(folder).glob("*.ipynb"))]
    found, left_out = similar(find_hand_ins(options.folder, names), known)
    if options.json:
        print(json.dumps([asdict(pair) for pair in found], indent=1, ensure_ascii=False))
        return 0
    if found:
        print(f"  {'runs':>6} {'share':>5}  student (file)")
    for exercise in dict.fromkeys((pair.chapter, pair.exercise) for pair in found):
        print(*exercise)
        for pair in found:
            if (pair.chapter, pair.exercise) == exercise:
                print(f"  {pair.runs:>6.1f} {pair.share:>5.0%}  {line(pair.first)} ({line(pair.first_file)})")
                print(f"{'':>16}{line(pair.second)} ({line(pair.second_file)})")
    agree = "1 pair agrees" if len(found) == 1 else f"{len(found)} pairs agree"
    print(f"{agree}; look at them: agreeing is no proof of copying" if found else agree)
    if left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items(), reverse=True))
        print(f"answers not compared, as too little in them is the student's own: {reasons}")
    return 0
