"""One answer, graded: the same results from text, from a notebook file and on the command line."""

import os
import subprocess
import sys

import pytest
from tiny_course import ANSWERS

from course_lib.grading import grade_notebook, grade_source, plugin, points
from course_lib.grading.notebook import NotebookError
from course_lib.grading.run import exercises, named

PLUGIN = "course_lib.grading.plugin"


def outcomes(results):
    return {test: result.outcome for test, result in results.items()}


@pytest.fixture
def graded_file(tmp_path):
    def grade(tests: str, source: str):
        path = tmp_path / "test_one.py"
        path.write_text(tests)
        return grade_source(source, path)

    return grade


@pytest.fixture
def graded(graded_file):
    """Grade the answer ``f`` on one test of this body; the result."""

    def grade(body: str, source: str = "def f(x):\n    return x", before: str = ""):
        code = f"from course_lib.grading import points\n{before}\n"
        code += f"@points(1, 'f')\ndef test_f(answers):\n    'f is right'\n    {body}\n"
        (result,) = graded_file(code, source).values()
        return result

    return grade


def run_pytest(capsys, *arguments):
    code = pytest.main(["-p", PLUGIN, "-p", "no:cacheprovider", "--import-mode=importlib", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_right_answers_get_all_points(test_file):
    results = grade_source(ANSWERS, test_file)
    assert outcomes(results) == {"test_tensor": "passed", "test_zero": "passed", "test_scale": "passed"}
    assert sum(result.earned for result in results.values()) == 6


def test_points_are_per_test(test_file):
    results = grade_source(ANSWERS.replace("2 * x", "3 * x"), test_file)
    assert outcomes(results) == {"test_tensor": "wrong", "test_zero": "passed", "test_scale": "passed"}
    assert [(result.earned, result.points) for result in results.values()] == [(0, 2), (1, 1), (3, 3)]
    wrong = results["test_tensor"]
    assert (wrong.exercise, wrong.title, wrong.hint) == ("double", "a tensor is doubled", "What is x + x?")
    assert wrong.message == "the result is not twice the input"


def test_a_stub_or_nothing_is_not_attempted(test_file):
    stub = 'def double(x):\n    raise NotImplementedError("write double")'
    results = grade_source(stub, test_file)
    assert set(outcomes(results).values()) == {"not attempted"}
    assert results["test_scale"].message == "not attempted: Scale"


def test_an_answer_that_ends_the_program_leaves_the_others_alone(test_file):
    results = grade_source(ANSWERS.replace("return 2 * x", "raise SystemExit(3)"), test_file)
    assert outcomes(results) == {"test_tensor": "raised", "test_zero": "raised", "test_scale": "passed"}
    assert results["test_zero"].message.startswith("your code raised SystemExit: 3  (in double, line 5")


def test_prints_and_warnings_are_harmless_and_unseen(test_file, capfd):
    noisy = "import sys, warnings\n" + ANSWERS.replace(
        "return 2", "print('x' * 9999), sys.stderr.write('y'), warnings.warn('old')\n    return 2"
    )
    assert set(outcomes(grade_source(noisy, test_file)).values()) == {"passed"}
    assert capfd.readouterr() == ("", "")


def test_an_assertion_without_words_shows_what_is_checked(graded):
    assert graded("assert answers.f(1) == 2").message == "f is right"
    assert graded("assert answers.f(1) == 2, 'not 2'").message == "not 2"
    assert graded("assert answers.f(1) == 2, 'one\\ntwo'").message.split() == ["one", "two"]
    assert graded("import pytest; pytest.fail('not 2')").message == "not 2"


def test_an_expected_error_can_be_asked_for(graded):
    body = "import pytest\n    from course_lib.grading import Raised\n"
    body += "    with pytest.raises(Raised) as e: answers.f(1)\n    "
    assert graded(body + "assert e.value.kind == 'ValueError'", "def f(x):\n    raise ValueError").outcome == "passed"
    quiet = graded(body)
    assert (quiet.outcome, quiet.message) == ("wrong", "f is right")


@pytest.mark.parametrize("body", ["answers.f(1).shape", "answers.f(object())", "import nowhere", "answers.inside(iter, []) == 1"])
def test_the_graders_own_fault_is_an_error(graded, body):
    result = graded(body)
    assert result.outcome == "error" and "not your fault" in result.message


def test_a_broken_test_file_is_an_error_of_every_test(graded):
    result = graded("pass", before="import nowhere")
    assert (result.outcome, result.earned, result.title) == ("error", 0, "f is right")
    assert result.message == "the tests could not be run: ModuleNotFoundError: No module named 'nowhere'"


def test_a_test_run_that_stops_leaves_no_test_out(test_file):
    test_file.write_text(test_file.read_text() + "\n\n@points(1, 'double')\ndef test_last(answers):\n    pass\n")
    stopped = test_file.read_text().replace('"""zero stays zero"""', '"""zero stays zero"""\n    raise KeyboardInterrupt')
    test_file.write_text(stopped)
    results = grade_source(ANSWERS, test_file)
    assert set(results) == {"test_tensor", "test_zero", "test_scale", "test_last"}
    assert outcomes(results)["test_tensor"] == "passed" and outcomes(results)["test_last"] == "error"
    assert results["test_last"].message == "the tests could not be run: pytest stopped"


def test_every_parameter_set_is_a_test(graded_file):
    results = graded_file(
        "import pytest\nfrom course_lib.grading import points\n\n"
        "@points(2, 'f')\n@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_f(answers, n):\n    assert answers.f(n) == 1\n",
        "def f(x):\n    return x",
    )
    assert outcomes(results) == {"test_f[1]": "passed", "test_f[2]": "wrong"}


def test_a_test_without_points_is_refused(tmp_path, capsys):
    (tmp_path / "test_one.py").write_text("def test_f(answers):\n    pass\n")
    assert "mark it with @points" in run_pytest(capsys, tmp_path)[1]


@pytest.mark.parametrize("arguments", [(0, "f"), (True, "f"), ("2", "f"), (float("nan"), "f"), (1, "not a name"), (1, None)])
def test_points_must_make_sense(arguments):
    with pytest.raises(ValueError, match="points"):
        points(*arguments)


def test_an_edited_test_file_is_read_again(graded):
    assert [graded(f"assert answers.f(1) == {n}").outcome for n in (1, 2, 1)] == ["passed", "wrong", "passed"]


def test_exercises_are_known_without_running_their_tests(tmp_path):
    (tmp_path / "test_one.py").write_text('1 / 0\n@grading.points(1, "f")\ndef test_f(answers): pass\ndef test_g(): pass\n')
    assert exercises(tmp_path / "test_one.py") == {"f"}


def test_chapters_go_by_number_name_or_its_beginning():
    chapters = ["10_choosing", "01_degradation", "04_one_by_one"]
    for wanted in (["4"], ["04"], ["04_one_by_one"], ["04_o"], ["4", "04"]):
        assert named(chapters, wanted) == ["04_one_by_one"]
    assert named(chapters, ["10", "1"]) == ["01_degradation", "10_choosing"] and named(chapters, ["1"]) == ["01_degradation"]
    for unknown in ("12", "0", "", "degradation"):
        with pytest.raises(ValueError, match=f"no chapter '{unknown}' among 01_degradation, 04_one_by_one, 10_choosing$"):
            named(chapters, ["4", unknown])


def test_a_notebook_is_graded_by_the_names_it_defines(tests_folder, notebook):
    (tests_folder / "test_02_other.py").write_text(
        "1 / 0\n" + (tests_folder / "test_01_double.py").read_text().replace("ouble", "ther")
    )
    results = grade_notebook(notebook("import torch", ANSWERS, "def broken(", name="renamed (2).ipynb"))
    assert {name: result.outcome for name, result in results.items() if "::" not in name} == {
        "test_tensor": "passed",
        "test_zero": "passed",
        "test_scale": "passed",
    }
    with pytest.raises(NotebookError, match="it defines none of the course's exercises"):
        grade_notebook(notebook("x = 1"))


def test_the_command_line_grades_a_hand_in(tests_folder, notebook):
    other = (tests_folder / "test_01_double.py").read_text().replace("double", "halve").replace("Scale", "Shrink")
    (tests_folder / "test_02_halve.py").write_text(other)
    hand_in = notebook("!ls", "import torch", ANSWERS.replace("return 2 * x", "print(x)\n    return x"), "while True: pass")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        PLUGIN,
        "-p",
        "no:cacheprovider",
        "--submission",
        hand_in,
        tests_folder,
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tests_folder.parent, check=False)
    table = done.stdout.partition(f"exercises: {hand_in} ")[2]
    assert done.returncode == 1 and "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "deselected" not in done.stdout
    expected = """double: 1 of 3 points
  ✗ failed (0 of 2): a tensor is doubled
      the result is not twice the input
  ✓ passed (1 of 1): zero stays zero
Scale: 3 of 3 points
  ✓ passed (3 of 3): Scale multiplies by its factor
total: 4 of 6 points

The answers ran with your own rights: nothing jails them. Grade only notebooks that you trust."""
    assert expected in table, table


def test_without_a_hand_in_the_course_folder_is_graded(tests_folder, notebook, tmp_path, capsys):
    (tmp_path / "exercises").mkdir()
    notebook("def double(x):\n    raise NotImplementedError", name="exercises/07_other.ipynb")
    notebook(ANSWERS, name="exercises/09_mine.ipynb")
    code, output = run_pytest(capsys, f"--rootdir={tmp_path}", tests_folder)
    assert code == 0 and "total: 6 of 6 points" in output


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("missing.ipynb", None, "there is no such file"),
        (".", None, "is a folder: give one notebook file"),
        ("text.ipynb", "hello", "is not a notebook: not JSON"),
        ("empty.ipynb", '{"cells": []}', "has no answers in it: it defines none of Scale, double"),
    ],
)
def test_a_hand_in_that_cannot_be_graded_is_refused_with_the_reason(tests_folder, tmp_path, capsys, name, content, complaint):
    if content is not None:
        (tmp_path / name).write_text(content)
    code, output = run_pytest(capsys, "--submission", tmp_path / name, tests_folder)
    assert code == pytest.ExitCode.USAGE_ERROR and complaint in output and "Traceback" not in output


def test_the_plugin_may_come_by_its_name_and_by_its_entry_point():
    for first, second in (("course_lib", PLUGIN), (PLUGIN, "course_lib")):
        manager = pytest.PytestPluginManager()
        manager.register(plugin, first)
        assert manager.is_blocked(second)


def test_other_projects_pay_nothing_for_the_plugin(tmp_path):
    (tmp_path / "test_theirs.py").write_text(
        "import sys, pytest\n@pytest.fixture\ndef answers(): return 42\n"
        "@pytest.mark.points(5)\ndef test_theirs(answers):\n    assert answers == 42 and 'torch' not in sys.modules\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider", tmp_path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0 and "1 passed" in done.stdout and "rights" not in done.stdout, done.stdout
