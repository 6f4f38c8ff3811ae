"""Mutants of tiny answers, and `course exercises verify` on a course of one tiny chapter, in a process of its own."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest
from tiny_course import ANSWERS

from course_lib.grading.mutants import mutants
from course_lib.grading.verify import Notes, equivalents, sections

# ---------------------------------------------------------------------------------------------------------- mutants


def made(source: str, name: str = "f") -> list[str]:
    return [mutant.what for mutant in mutants(dedent(source), {name})]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a, b):\n    return a - b", ["operator: return a + b", "operand dropped: return a", "order: return b - a"]),
        ("def f(a):\n    return a // 2", ["operator: return a * 2", "constant: return a // 3", "rounded up: return -(-a // 2)"]),
        ("def f(a):\n    return -(-a // 2)", ["rounded down: return a // 2", "operator dropped: return -(a // 2)"]),
        ("def f(a, b):\n    return a < b", ["condition: return a <= b", "condition: return a > b"]),
        ("def f(a, b):\n    return a and not b", ["condition: return a or not b", "operator dropped: return a and b"]),
        ("def f(a, b=True):\n    return b", ["default dropped: def f(a, b):", "constant: def f(a, b=False):"]),
        ("def f(a: int, b: int):\n    return a", ["name: return b"]),
        ("def f(x):\n    return F.relu(x)", ["call dropped: return x", "mistaken: return F.sigmoid(x)"]),
        ("import torch as t\ndef f(x):\n    return t.cat(x, dim=1)", ["argument dropped: return t.cat(x)"]),
        ("def f(x):\n    return x.mean(dim=(2, 3))", ["call dropped: return x", "constant: return x.mean(dim=(1, 3))"]),
        ("def f(x):\n    y = g(x)\n    return y + 1", ["returned too early: return y", "dropped: y = g(x)"]),
        ("def f(x):\n    x += 1\n    x *= 2", ["assigned: x = 1", "operator: x -= 1", "swapped: x *= 2; x += 1"]),
        ("def f(x):\n    if x:\n        return 1\n    return 2", ["always: if x:", "dropped: if x:", "condition: if not x:"]),
        ("def f(x):\n    for y in x:\n        g(y)\n    return x", ["once: for y in x:", "dropped: for y in x:"]),
        ("def f(x):\n    with g():\n        return x", ["without: with g():"]),
        ("def f(n):\n    return range(n)", ["bound: return range(n + 1)", "bound: return range(n - 1)"]),
        ("def f(x):\n    return x[:, ::2]", ["bound dropped: return x[:, :]", "constant: return x[:, ::1]"]),
        ("def f(x):\n    return [y for y in x if y]", ["filter dropped: return [y for y in x]"]),
        ("def f(x):\n    return [g() for _ in range(x)]", ["made once: return [g()] * len(range(x))"]),
        ("def f(x):\n    return nn.Sequential(a, b)", ["element dropped: return nn.Sequential(b)"]),
        ("def f(x):\n    return nn.ReLU()", ["layer dropped: return nn.Identity()", "mistaken: return nn.Sigmoid()"]),
        ("def f(x):\n    return nn.Conv2d(2, 3, 1)", ["argument added: return nn.Conv2d(2, 3, 1, bias=False)"]),
        ("def f(x) -> Tensor:\n    return x + 1", ["gradient stopped: return (x + 1).detach()"]),
        ("def f(x):\n    return {'lr': x, 'params': 1}", ["constant: return {'params': x, 'params': 1}"]),
    ],
)
def test_a_mistake_of_each_kind_is_made(source, expected):
    assert [what for what in expected if what not in made(source)] == []


def test_layers_of_one_kind_are_taken_for_each_other():
    source = """
    class f(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(1, 1, 3)
            self.b = nn.Conv2d(1, 1, 3)
            self.c = nn.ReLU()

        def forward(self, x):
            return self.a(x)
    """
    assert "name: return self.b(x)" in made(source)
    assert "name: return self.c(x)" not in made(source)
    assert "dropped: super().__init__()" in made(source)


@pytest.mark.parametrize(
    "source",
    [
        'def f(x: "a" = None) -> "b":\n    """Two words."""',
        "def f(x):\n    for a, b in zip(x, x, strict=True):\n        pass",
        "def f(x):\n    return isinstance(x, A | B)",
        "def f(x):\n    return x.mean(dim=(2, 3))",
    ],
    ids=["words", "strict", "union", "dim"],
)
def test_what_makes_no_difference_stays(source):
    unwanted = ("'a?'", "'b?'", "Two words?", "strict=False", "B | A", "dim=(3, 2)")
    assert [what for what in made(source) if any(words in what for words in unwanted)] == []


def test_no_function_becomes_a_stub():
    assert [what for what in made("def f(x):\n    'Words.'\n    x.zero_()") if what.startswith("dropped")] == []


def test_error_messages_stay():
    message = "raise ValueError('x is ' + str(x))"
    mutated = [mutant.text for mutant in mutants(f"def f(x):\n    if x > 1:\n        {message}", {"f"})]
    assert mutated and all(message in text or "raise" not in text for text in mutated)


def test_mutants_are_the_same_in_every_run_and_none_comes_twice():
    source = "def f(a: int, b: int = 2):\n    c = a * b + a * b\n    return c if a > b else max(a, b, 1)"
    first = list(mutants(source, {"f"}))
    assert first == list(mutants(source, {"f"}))
    texts = [mutant.text for mutant in first]
    assert len(texts) == len(set(texts)) > 20
    assert source not in texts
    for text in texts:
        compile(text, "", "exec")


def test_only_the_named_answer_is_changed_and_its_last_definition_counts():
    source = "def f():\n    return 1\n\ndef g():\n    return 2\n\ndef f():\n    return 3\n"
    found = list(mutants(source, {"f", "missing"}))
    assert {(mutant.exercise, mutant.line) for mutant in found} == {("f", 8)}
    assert {mutant.text for mutant in found} == {f"def f():\n    return {n}" for n in (2, 4, 6)}


# ----------------------------------------------------------------------------------------------------------- tables


def test_sections_of_a_file_of_wrong_answers(tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text("import torch\n\n# %% double | test_zero | not | zero\nfirst\n# %% double | right\nsecond\n")
    first, second = sections(file)
    assert first[:4] == (3, "double", "test_zero", "not | zero") and first.code == "import torch\n\n\nfirst\n"
    assert second[:4] == (5, "double", "", "")


def test_the_table_of_equivalent_mutants(tmp_path):
    file = tmp_path / "table.txt"
    file.write_text(
        "Words.\n\n# %% 01_double | double\nconstant: x = 1\nconstant: x = 2\n  Both are\n  the same.\ndropped: y\n  Unused.\n"
    )
    rows = {"constant: x = 1": "Both are the same.", "constant: x = 2": "Both are the same.", "dropped: y": "Unused."}
    assert equivalents(file) == {("01_double", "double"): rows}
    assert equivalents(tmp_path / "missing.txt") == {}


def test_an_equivalent_mutant_needs_a_reason(tmp_path):
    file = tmp_path / "table.txt"
    file.write_text("# %% 01_double | double\nconstant: x = 1\n")
    with pytest.raises(ValueError, match=r"01_double \| double gives no reason for: constant: x = 1"):
        equivalents(file)


# ------------------------------------------------------------------------------------------------- a course, verified

TESTS = '''
import torch

from course_lib.grading import points


def check(found, expected, words):
    """A failure with these words where something else, or no value at all, came back."""
    assert isinstance(found, torch.Tensor) and torch.equal(found, expected), words


@points(2, "double", hint="What is x + x?")
def test_tensor(answers):
    """a tensor is doubled"""
    check(answers.double(torch.ones(3)), torch.full((3,), 2.0), "the result is not twice the input")


@points(1, "double", hint="What is twice nothing?")
def test_zero(answers):
    """zero stays zero"""
    check(answers.double(torch.zeros(1)), torch.zeros(1), "not zero")

'''

SCALE_TEST = '''

@points(3, "Scale")
def test_scale(answers):
    """Scale multiplies by its factor"""
    check(answers.Scale(3)(torch.full((2,), 2.0)), torch.full((2,), 6.0), "not scaled")
'''

SERVER = """
import argparse, contextlib, io, json, os, sys
from course_lib.grading import verify
for request in sys.stdin:
    folder, arguments, limits = json.loads(request)
    os.chdir(folder)
    vars(verify).update({"CPU_SECONDS": 20, "WALL_SECONDS": 120, **limits})
    parser, screen, status = argparse.ArgumentParser(), io.StringIO(), None
    verify.add_options(parser)
    with contextlib.redirect_stdout(screen):
        try:
            status = verify.main(parser.parse_args(arguments))
        except ValueError as error:
            print(error)
    print(json.dumps([status, screen.getvalue()]), flush=True)
"""

WRONG = """
# %% double | test_tensor | not twice
def double(x):
    return 3 * x

# %% double | test_zero | not zero
def double(x):
    return 2 * x if x.any() else x + 1

# %% double | right
def double(x):
    return x + x
"""

SCALE_WRONG = """
# %% Scale | test_scale | not scaled
class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()

    def forward(self, x):
        return x
"""

STUBS = """
def double(x):
    raise NotImplementedError("write double")

class Scale(nn.Module):
    def __init__(self, factor):
        raise NotImplementedError("write Scale")
"""


@pytest.fixture(scope="module")
def server():
    """One process for all: it forks, so it must not be the one in which other tests have used torch's threads."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def course(tmp_path, server):
    """A course of one chapter whose tests are good; write over its files, then verify it."""

    class Course:
        def write(self, path: str, text: str) -> None:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".ipynb":
                text = json.dumps({"cells": [{"cell_type": "code", "source": text}]})
            file.write_text(text)

        def verify(self, *arguments: str, **limits) -> tuple[int, str]:
            arguments = arguments if "--repeats" in arguments else (*arguments, "--repeats", "1")
            print(json.dumps([str(tmp_path), arguments, limits]), file=server.stdin, flush=True)
            return tuple(json.loads(server.stdout.readline()))

        def add_scale(self) -> None:
            """A second exercise, which the notebooks have already."""
            self.write("tests/exercises/test_01_double.py", TESTS + SCALE_TEST)
            self.write("tests/grading/wrong_answers/01_double.py", f"from torch import nn\n{WRONG}{SCALE_WRONG}")

    made = Course()
    made.write("tests/exercises/test_01_double.py", TESTS)
    made.write("solutions/01_double.ipynb", ANSWERS)
    made.write("exercises/01_double.ipynb", f"from torch import nn\n{STUBS}")
    made.write("tests/grading/wrong_answers/01_double.py", f"from torch import nn\n{WRONG}")
    return made


def test_a_good_chapter_has_nothing_wrong(course):
    course.add_scale()
    status, said = course.verify()
    assert said.endswith("nothing is wrong\n") and status == 0
    assert [line.split()[:3] for line in said.splitlines()[2:4]] == [["double", "2", "2"], ["Scale", "1", "1"]]
    assert all(line.endswith("100.0%") for line in said.splitlines()[2:4])


def test_what_a_weak_test_misses_is_listed(course):
    weak = TESTS.replace("torch.ones(3)), torch.full((3,), 2.0)", "torch.zeros(3)), torch.zeros(3)")
    assert weak != TESTS
    course.write("tests/exercises/test_01_double.py", weak)
    status, said = course.verify()
    assert status == 1
    assert "survived: double, line 5\n    constant: return 3 * x" in said
    assert "% of the mutants are caught, fewer than 95%" in said
    assert "section double in line 3 of the wrong answers: test_tensor was to fail: passed" in said


@pytest.mark.slow
def test_a_listed_equivalent_must_exist_and_survive(course):
    table = "# %% 01_double | double\ncall dropped: no\n  Why not.\nconstant: return 3 * x\n  Nobody sees it.\n"
    course.write("tests/grading/equivalent_mutants.txt", table)
    status, said = course.verify()
    assert status == 1 and "double: listed as equivalent, but there is no such mutant: call dropped: no" in said
    assert "constant: return 3 * x: listed as equivalent, but test_tensor notices it" in said


@pytest.mark.slow
def test_an_equivalent_mutant_is_left_out_of_the_share(course):
    course.write("solutions/01_double.ipynb", ANSWERS.replace("return 2 * x", "unused = 7\n    return 2 * x"))
    _, said = course.verify()
    assert said.count("survived: double") == 4  # dropped, 6, 8, 14
    changes = ["dropped: unused = 7", "constant: unused = 6", "constant: unused = 8", "constant: unused = 14"]
    course.write("tests/grading/equivalent_mutants.txt", "\n".join(["# %% 01_double | double", *changes, "  Nobody reads it."]))
    status, said = course.verify()
    assert said.endswith("nothing is wrong\n") and status == 0
    row = next(line.split() for line in said.splitlines() if line.split()[0] == "double")
    assert row[5:] == ["4", "100.0%"] and int(row[3]) == int(row[4]) + 4


def test_a_test_that_nothing_fails_is_listed(course):
    idle = '\n@points(1, "double", hint="?")\ndef test_idle(answers):\n    """idle"""\n    answers.double(1)\n'
    course.write("tests/exercises/test_01_double.py", TESTS + idle.replace("answers.double(1)", "assert True"))
    status, said = course.verify()
    assert status == 1 and "double: no mutant and no wrong answer fails test_idle" in said


def test_a_solution_that_fails_and_an_attempted_stub_are_listed(course):
    course.write("solutions/01_double.ipynb", ANSWERS.replace("2 * x", "5 * x"))
    course.write("exercises/01_double.ipynb", ANSWERS)
    _, said = course.verify()
    assert "solution: test_tensor: wrong the result is not twice the input" in said
    assert "stub: test_tensor: passed" in said


def test_a_right_answer_that_fails_is_listed_and_so_are_missing_words(course):
    wrong = WRONG.replace("return x + x", "return x + 1").replace("| not twice", "| something else")
    course.write("tests/grading/wrong_answers/01_double.py", f"from torch import nn\n{wrong}")
    _, said = course.verify()
    assert "section double in line 11 of the wrong answers: test_zero: wrong" in said
    assert "test_tensor says 'the result is not twice the input', without 'something else'" in said


def test_a_mutant_may_run_for_ever_or_take_all_memory(course):
    loop = "n = 0\n    while n < 3:\n        n += 1\n    unused = [0] * (2**29 % 7)\n    return 2 * x"
    course.write("solutions/01_double.ipynb", ANSWERS.replace("return 2 * x", loop))
    changes = made(ANSWERS.replace("return 2 * x", loop), "double")
    _, said = course.verify(CPU_SECONDS=1)
    for what in ("operator: n -= 1", "operand dropped: unused = [0] * 2 ** 29"):  # would end never, and in 4 GiB
        assert what in changes and f"    {what}\n" not in said
    assert "survived: double, line 8\n    operand dropped: unused = [0]\n" in said


@pytest.mark.slow
def test_what_stood_still_is_begun_again(course):
    pause = "    if not os.path.exists('begun'):\n        open('begun', 'w').close()\n        time.sleep(1e6)\n    return 3 * x"
    wrong = WRONG.replace("    return 3 * x", pause)
    course.write("tests/grading/wrong_answers/01_double.py", f"import os, time\nfrom torch import nn\n{wrong}")
    status, said = course.verify(WALL_SECONDS=10)
    assert status == 0, said


@pytest.mark.slow
def test_a_verdict_that_moves_is_listed(course):
    shaky = TESTS.replace("import torch\n", "import time\nfrom pathlib import Path\n\nimport torch\n")
    course.write("tests/exercises/test_01_double.py", shaky.replace('"not zero"', 'f"not zero after {time.monotonic()} s"'))
    assert course.verify("--repeats", "2")[0] == 0  # a number that was measured
    shaky = shaky.replace('"not zero"', 'f"not zero {Path(__file__).parent.name}"')  # later repeats have a copy elsewhere
    course.write("tests/exercises/test_01_double.py", shaky)
    _, said = course.verify("--repeats", "3", "--workers", "2")
    assert "line 7 of the wrong answers: the verdict of test_zero moves: ('wrong', " in said


@pytest.mark.slow
def test_each_repeat_draws_by_its_number_and_the_last_as_the_first(course):
    """With the seeds 0, 1 and 2, this number is even, odd and odd."""
    imports = "import torch\n\nfrom course_lib.grading.values import seed\n"
    drawn = TESTS.replace("import torch\n", imports, 1).replace('"not zero"', 'f"not zero {seed(1)}"')
    course.write("tests/exercises/test_01_double.py", drawn)
    assert course.verify("--repeats", "4")[0] == 0  # another number in the message is no other verdict
    lucky = drawn.replace(
        "torch.ones(3)), torch.full((3,), 2.0)", "torch.ones(3) * (seed(1) % 2)), torch.full((3,), seed(1) % 2 * 2.0)"
    )
    course.write("tests/exercises/test_01_double.py", lucky)
    _, said = course.verify("--repeats", "3")
    moves = [line for line in said.splitlines() if "line 3 of the wrong answers: the verdict of test_tensor moves" in line]
    assert len(moves) == 1 and moves[0].endswith("in repeat 2 with seed 1"), said
    fixed = TESTS.replace("import torch\n", imports, 1).replace('"not zero"', '"not" + seed(1) % 2 * "hing" + " zero"')
    course.write("tests/exercises/test_01_double.py", fixed)
    assert "the verdict of test_zero moves: ('wrong', 'not zero') at first, " in course.verify("--repeats", "3")[1]


@pytest.mark.slow
def test_a_test_that_needs_another_one_before_it_is_found(course):
    needy = TESTS.replace("\n\n@points", "\n\nseen = []\n\n@points", 1)
    needy = needy.replace('twice the input")', 'twice the input")\n    seen.append(1)').replace(
        '"not zero")', '"not zero")\n    assert seen'
    )
    course.write("tests/exercises/test_01_double.py", needy)
    assert course.verify()[0] == 0
    _, said = course.verify("--repeats", "5", "--workers", "2")
    assert "solution: the verdict of test_zero moves: ('passed', '') at first, ('wrong', 'zero stays zero') in repeat" in said


def test_a_test_that_goes_wrong_itself_is_listed_and_notices_nothing(course):
    careless = TESTS.replace("isinstance(found, torch.Tensor) and torch", "torch")
    course.write("tests/exercises/test_01_double.py", careless)
    status, said = course.verify()
    assert status == 1 and "test_tensor itself goes wrong: the test went wrong, which is not your fault (TypeError" in said
    assert "survived: double, line 5\n    operand dropped: return 2" in said


def test_an_attempt_that_is_taken_for_a_stub_is_listed(course):
    course.write(
        "solutions/01_double.ipynb",
        ANSWERS.replace("    return 2", "    if x is None:\n        raise NotImplementedError\n    return 2"),
    )
    status, said = course.verify()
    assert status == 1 and "double, line 5: always: if x is None:: test_tensor takes it for a stub" in said


def test_a_file_of_something_else_is_not_taken_for_notes(tmp_path):
    (tmp_path / "other.jsonl").write_text('{"key": "a", "verdict": "caught"}\n')
    with pytest.raises(ValueError, match="other.jsonl holds something else"):
        Notes(tmp_path / "other.jsonl")
    (tmp_path / "cut.jsonl").write_text('{"key": "a", "verdicts": {"t": ["wrong", ""]}}\n{"key": "b", "verd')
    assert Notes(tmp_path / "cut.jsonl").verdicts == {"a": {"t": ("wrong", "")}}


@pytest.mark.slow
def test_notes_spare_what_has_not_changed(course, tmp_path):
    course.add_scale()
    notes = tmp_path / "notes.jsonl"
    first = course.verify("--notes", str(notes))
    rows = notes.read_text().splitlines()
    assert course.verify("--notes", str(notes)) == first
    assert notes.read_text().splitlines() == rows
    course.write(
        "tests/exercises/test_01_double.py",
        TESTS + SCALE_TEST.replace("full((2,)", "full((4,)"),
    )
    course.verify("--notes", str(notes))
    new = [json.loads(row)["exercise"] for row in notes.read_text().splitlines()[len(rows) :]]
    assert set(new) == {"Scale"} and len(new) == sum(json.loads(row)["exercise"] == "Scale" for row in rows)


@pytest.mark.slow
def test_only_the_chapters_asked_for(course):
    assert course.verify("02") == (None, "there is no chapter '02' among 01_double\n")
    assert course.verify("01")[0] == 0


def test_a_folder_without_a_course_is_refused(course, tmp_path):
    (tmp_path / "solutions" / "01_double.ipynb").unlink()
    status, said = course.verify()
    assert status is None and "has no notebooks in solutions/: go to the folder of the course" in said
