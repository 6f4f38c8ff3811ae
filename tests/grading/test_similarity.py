"""Copies are found whatever they look like; what everybody writes is not held against anybody."""

import argparse
import json
import random
import time
from dataclasses import replace
from textwrap import dedent

import pytest

from course_lib.grading import similarity
from course_lib.grading.handins import HandIn
from course_lib.grading.notebook import Source
from course_lib.grading.similarity import pairs, tokens

STUB = "def double(x):\n    raise NotImplementedError('write double')"
SOLUTION = "def double(x):\n    return 2 * x"
ODD = """
    import math

    def double(x):
        \"\"\"Twice x.\"\"\"
        total, weights = x * 0, [1.5, 0.25, 0.25]
        for place, weight in enumerate(weights):
            # a strange way
            total = total + weight * x.clamp(min=-1e9) if place % 2 else total + x * weight
        return math.sqrt(1.0) * total
"""
COPY = """
    import math as m
    HALVES = None

    def double(values: 'Tensor') -> 'Tensor':
        s, parts = values * 0, [1.5,
                                0.25, 0.25]
        for i, p in enumerate(parts):
            s = (s + p * values.clamp(min=-1e9)
                 if i % 2 else s + values * p)
        return m.sqrt(1.0) * s
"""
OTHER = """
    def double(x):
        result = x
        while not bool((result == x + x).all()):
            result = result + (x + x - result)
        return result.reshape(x.shape)
"""


def of(text: str, exercise: str = "double") -> list[str]:
    return tokens(Source([dedent(text)]), exercise)


def striking(answers: dict[str, str]) -> list[tuple[str, str]]:
    found = pairs({student: of(text) for student, text in answers.items()}, [of(STUB), of(SOLUTION)])
    return [pair[:2] for pair in found]


# ----------------------------------------------------------------------------------------------------------- tokens


def test_layout_names_words_and_annotations_make_no_difference():
    assert of("def double(x):\n    y = x\n    return x + y") == of(
        "def double(a: int = None) -> int:\n    'Words.'\n    # more\n    b = (a)\n\n    return a + b".replace(" = None", "")
    )


@pytest.mark.parametrize("other", ["return x - y", "return x + 2 * y", "return x.T + y", "return y", "return f(x) + y"])
def test_the_code_makes_a_difference(other):
    assert of("def double(x, y):\n    return x + y") != of(f"def double(x, y):\n    {other}")


def test_what_the_answer_uses_belongs_to_it_and_imports_do_not():
    alone = "def double(x):\n    return twice(x)"
    assert len(of(f"def twice(x):\n    return x + x\n\n{alone}")) > len(of(alone))
    root = "def double(x):\n    return sqrt(x)"
    assert of(f"from math import sqrt\n\n{root}") == of(f"from math import sin, sqrt, cos\n\n{root}")


def test_a_huge_answer_is_read_in_part():
    huge = of(f"def double(x):\n    return [{'x,' * 45_000}]")
    assert similarity.LONGEST <= len(huge) < similarity.LONGEST + 10


# ------------------------------------------------------------------------------------------------------------ pairs


def test_a_copy_with_other_names_is_found():
    assert striking({"ann": ODD, "bob": OTHER, "cem": COPY}) == [("ann", "cem")]


def test_a_copy_with_a_line_changed_and_a_line_moved_is_found():
    changed = ODD.replace("return math.sqrt(1.0) * total", "scale = math.sqrt(1.0)\n        return scale * total")
    assert striking({"ann": ODD, "bob": OTHER, "cem": changed}) == [("ann", "cem")]


def test_a_few_lines_in_common_among_many_do_not_make_a_pair():
    forms = "x = x - {n} if {n} < x else x.y{n}", "x = g{n}(x, [x, {n}]) + x[{n}:]"
    parts = ["\n".join(f"        {form.format(n=n)}" for n in range(20)) for form in forms]
    ann, bob = (ODD.replace("        return", f"{part}\n        return") for part in parts)
    assert striking({"ann": ODD, "bob": ODD}) == [("ann", "bob")]
    assert striking({"ann": ann, "bob": bob}) == []


def test_two_who_wrote_the_solution_or_nothing_are_no_pair():
    assert striking({"ann": SOLUTION, "bob": SOLUTION, "cem": STUB, "dan": STUB}) == []
    long = dedent(ODD)
    found = pairs({"ann": of(long), "bob": of(COPY)}, [of(STUB), of(long)])
    assert found == []


def test_what_most_of_the_class_writes_is_no_pair():
    class_ = {f"student {n}": ODD for n in range(20)}
    assert striking(class_) == []
    assert striking(dict(list(class_.items())[:3])) != []


def test_a_class_of_300_takes_seconds():
    chance = random.Random(0)
    names = [f"n{i}" for i in range(40)]
    answers = {}
    for student in range(300):
        lines = [
            f"{chance.choice(names)} = {chance.choice(names)} {chance.choice('+-*/')} {chance.randint(0, 9)}" for _ in range(60)
        ]
        answers[str(student)] = "def double(x):\n    " + "\n    ".join(lines)
    answers["copy"] = answers["17"].replace("n1 ", "first ")
    started = time.process_time()
    assert striking(answers)[0] == ("17", "copy")
    assert time.process_time() - started < 20


# ------------------------------------------------------------------------------------------------------- a folder


def run(folder, capsys, *arguments: str) -> str:
    parser = argparse.ArgumentParser()
    similarity.add_options(parser)
    assert similarity.main(parser.parse_args([str(folder), *arguments])) == 0
    return capsys.readouterr().out


@pytest.fixture
def hand_ins(tests_folder, tmp_path, monkeypatch, notebook):
    """Three hand-ins, two of them alike, in a course whose current folder has stub and solution."""
    monkeypatch.chdir(tmp_path)
    for folder, text in (("exercises", STUB), ("solutions", SOLUTION)):
        (tmp_path / folder).mkdir()
        notebook(text).rename(tmp_path / folder / "01_double.ipynb")
    (tmp_path / "hand-ins").mkdir()
    for student, text in {"ann": ODD, "bob": OTHER, "cem": COPY, "dan": "raise ValueError("}.items():
        notebook(text).rename(tmp_path / "hand-ins" / f"{student}.ipynb")
    return tmp_path / "hand-ins"


def test_what_the_solution_does_is_no_pair(hand_ins, capsys, tmp_path, notebook):
    notebook(ODD).rename(tmp_path / "solutions" / "01_double.ipynb")
    said = run(hand_ins, capsys)
    assert said.startswith("0 pairs agree\n") and said.endswith("student's own: 2 like the published solution\n")


def test_it_is_said_which_answers_are_not_compared_and_why(hand_ins, capsys, notebook):
    """The same wrong line of two, and the solution of one; who left the stub has no answer."""
    for student, text in (("eve", "3 * x"), ("fay", "3 * x"), ("gus", "2 * x"), ("hal", None)):
        notebook(SOLUTION.replace("2 * x", text) if text else STUB).rename(hand_ins / f"{student}.ipynb")
    said = run(hand_ins, capsys)
    assert said.endswith("answers not compared, as too little in them is the student's own: 3 short\n") and "eve" not in said


def test_one_token_changed_in_the_solution_is_compared():
    """With another number in it, code that is no longer than the solution is the student's own."""
    solution = "def double(x):\n    a, b = x.shape\n    return (x + 0).reshape(b, a).mean(1) * 2"
    wrong = solution.replace("x + 0", "x + 1")
    found = pairs({"ann": of(wrong), "bob": of(wrong)}, [of(solution)])
    assert [pair[:2] for pair in found] == [("ann", "bob")]
    assert similarity.why_not_compared(of(wrong), [of(solution)]) == ""
    assert similarity.why_not_compared(of(solution), [of(solution)]) == "like the published solution"


def test_only_what_a_hand_in_is_graded_on_counts(tests_folder):
    graded, old = (
        HandIn(name, name, f"{name}.ipynb", (dedent(ODD),), exercises=what) for name, what in (("a", ("double",)), ("b", ()))
    )
    assert similarity.similar([graded, old], [])[0] == []
    assert len(similarity.similar([graded, replace(old, exercises=("double",))], [])[0]) == 1


def test_a_name_cannot_write_to_the_terminal(tests_folder, capsys, monkeypatch):
    found = [HandIn(f"{n}\x1b[31m\r", "", f"{n}\n\x07.ipynb", (dedent(ODD),), exercises=("double",)) for n in "ab"]
    monkeypatch.setattr(similarity, "find_hand_ins", lambda *_: found)
    said = run("anywhere", capsys)
    assert "a (a" in said and not {"\x1b", "\r", "\x07"} & set(said) and said.count("\n") == 5


def test_the_table_names_both_and_their_files(hand_ins, capsys):
    said = run(hand_ins, capsys)
    assert said.startswith("    runs share  student (file)\n01_double double\n") and said.endswith(
        "1 pair agrees; look at them: agreeing is no proof of copying\n"
    )
    assert "ann" in said and "cem" in said and "bob" not in said and "dan" not in said


def test_json_has_the_same(hand_ins, capsys):
    (pair,) = json.loads(run(hand_ins, capsys, "--json"))
    assert (pair["chapter"], pair["exercise"], pair["first"], pair["first_file"]) == ("01_double", "double", "ann", "ann.ipynb")
    assert pair["share"] > 0.8 and pair["runs"] > 30


def test_nothing_is_run(hand_ins, capsys, notebook, tmp_path):
    text = f"open({str(tmp_path / 'ran')!r}, 'w')\n{dedent(ODD)}"
    notebook(text).rename(hand_ins / "eve.ipynb")
    assert "eve" in run(hand_ins, capsys)
    assert not (tmp_path / "ran").exists()


def test_a_class_without_pairs(hand_ins, capsys):
    (hand_ins / "ann.ipynb").unlink()
    assert run(hand_ins, capsys) == "0 pairs agree\n"
