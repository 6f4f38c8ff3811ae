"""check(), hint() and done() in a notebook: feedback at once, the same every time, and never an exception."""

import re
import sys
import time

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from tiny_course import ANSWERS
from traitlets.config import Config

from course_lib import check as feedback
from course_lib.grading import Result, grade_source, report

pytestmark = pytest.mark.usefixtures("tests_folder")


@pytest.fixture
def cell(capsys, monkeypatch):
    """Run one cell of a plain Python session; what it prints."""
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setattr(feedback, "_last", {})
    session = {"__name__": "__main__", "check": feedback.check, "hint": feedback.hint, "done": feedback.done}

    def run(code: str) -> str:
        exec(code, session)
        return capsys.readouterr().out

    return run


def test_feedback_names_what_passed_and_what_failed_and_why(cell):
    assert cell(ANSWERS.replace("2 * x", "3 * x") + 'check("double")') == (
        "double: 1 of 3 points\n"
        "  ✗ failed (0 of 2): a tensor is doubled\n"
        "      the result is not twice the input\n"
        "  ✓ passed (1 of 1): zero stays zero\n"
    )


def test_feedback_is_the_same_every_time(cell):
    cell("import random, torch\ndef double(x):\n    raise ValueError(f'{random.random()} {torch.rand(1)} {object()}')")
    assert cell('check("double")') == cell('check("double")')


def test_a_check_changes_nothing_in_the_notebook(cell):
    modules, warning = set(sys.modules), sys.warnoptions[:]
    torch.manual_seed(3)
    first = torch.rand(1)
    torch.manual_seed(3)
    cell(ANSWERS + 'check("double")')
    assert torch.equal(first, torch.rand(1))
    assert not {name for name in set(sys.modules) - modules if "test" in name} and warning == sys.warnoptions


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "double = None",
        "double = 3.5",
        "def double(): pass",
        "def double(x): raise SystemExit",
        "def double(x): raise KeyboardInterrupt",
        "def double(x): return object()",
        "def double(x): raise ValueError('\\ud800 \\x1b[2J')",
        "def double(x): return double(x)",
        "class double:\n    def __init__(s, x): pass\n    def __eq__(s, _): raise SystemExit\n    __repr__ = __eq__",
        "import __main__\ndouble = __main__",
    ],
)
def test_no_answer_makes_a_check_raise_or_pass(cell, answer):
    output = cell(f'{answer}\ncheck("double")')
    assert output.startswith("double: 0 of 3 points\n") and "passed" not in output


def test_an_answer_not_written_yet_is_not_attempted(cell):
    assert "○ not attempted (0 of 2): a tensor is doubled" in cell('check("double")')
    stub = 'def double(x): raise NotImplementedError("write {}")\ncheck("double")'
    assert cell(stub.format("double")) == cell('del double\ncheck("double")')
    assert "not attempted: helper" in cell(stub.format("helper"))


def test_an_unknown_name_lists_the_known_ones(cell):
    for use in ("check", "hint"):
        with pytest.raises(ValueError, match="there is no exercise 'dubble'; the course has: Scale, double"):
            cell(f'{use}("dubble")')


def test_hints_follow_the_failures_of_the_last_check(cell, test_file):
    assert cell('hint("double")') == 'Run check("double") first.\n'
    cell('check("double")')
    assert cell('hint("double")') == "double is not attempted: write it, then check it.\n"
    cell('def double(x): return 3 * x\ncheck("double")')
    assert cell('hint("double")') == "a tensor is doubled: What is x + x?\n"
    cell('def double(x): return 2 * x if isinstance(x, torch.Tensor) else 1\nimport torch\ncheck("double")')
    assert cell('hint("double")') == "zero stays zero: What is twice nothing?\n"
    cell('def double(x): return 2 * x + 1\ncheck("double")')
    assert cell('hint("double")') == "a tensor is doubled: What is x + x?\nzero stays zero: What is twice nothing?\n"
    test_file.write_text(test_file.read_text().replace("What is twice nothing?", "What is x + x?"))
    cell('check("double")')
    assert cell('hint("double")') == "a tensor is doubled: What is x + x?\n"
    cell('def double(x): return 2 * x\ncheck("double")')
    assert cell('hint("double")') == "Nothing fails in double.\n"
    cell('def Scale(n): return lambda x: x\ncheck("Scale")')
    assert cell('hint("Scale")') == "There is no hint for what fails here.\n"


def test_a_slip_in_the_name_is_noticed(cell):
    slip = "This notebook defines Doubel: is it meant to be double?\n"
    assert cell('def Doubel(x): return 2 * x\ncheck("double")').endswith(f"zero stays zero\n{slip}")
    assert cell('def double(x): raise NotImplementedError\ncheck("double")').endswith(slip)
    assert slip not in cell('def double(x): return 3 * x\ncheck("double")')
    assert "is it meant" not in cell('del Doubel, double\nScalee = 3\ndef trouble(x): pass\ncheck("double")')


def test_what_an_answer_prints_is_said_to_be_hidden(cell):
    notice = "What your code prints is hidden during a check. To see it, call double in a cell of its own.\n"
    shown = cell('def double(x):\n    print("secret", x)\n    return 2 * x\ncheck("double")')
    assert shown.endswith(f"zero stays zero\n{notice}") and "secret" not in shown
    assert notice not in cell('def double(x): return 2 * x\ncheck("double")')


def test_done_adds_up_the_notebook(cell):
    assert cell("done()") == "total: 0 of 0 points\n"
    assert cell(ANSWERS.replace("2 * x", "3 * x") + "done()") == (
        "double: 1 of 3 points\nScale: 3 of 3 points\ntotal: 4 of 6 points\n"
    )


def test_a_check_agrees_with_the_graded_run(cell, test_file):
    code = ANSWERS.replace("2 * x", "x.foo").replace("self.factor * x", "x[self.factor]")
    graded = grade_source(code, test_file).values()
    shown = cell(f'{code}\ncheck("double")\ncheck("Scale")')
    where = re.compile(r"line \d+: [^)]*")  # exec has no source lines to show; a notebook has
    assert where.sub("", shown + "total: 0 of 6 points") == where.sub("", report.text(graded))


def test_a_notebook_gets_html_and_the_same_text(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    try:
        shell.run_cell("from course_lib.check import check")
        shell.run_cell("# twice\n\ndef double(x):\n    return x['<b>']")
        with capture_output() as captured:
            assert shell.run_cell('check("double")').success
    finally:
        InteractiveShell.clear_instance()
    (shown,) = captured.outputs
    line = "your code raised IndexError"
    assert captured.stdout == "" and line in shown.data["text/plain"] and line in shown.data["text/html"]
    assert "in double, line 4: return x['<b>'])" in shown.data["text/plain"]
    assert "in double, line 4: return x[&#x27;&lt;b&gt;&#x27;])" in shown.data["text/html"]


def test_html_says_everything_in_words_and_sets_no_colours():
    results = [Result("t", "f<i>", 1, outcome, "<script>\n& more", None, "<u>") for outcome in report.SYMBOLS]
    html = report.html(results)
    assert not re.search("<script|<i>|<u>|color|background", html)
    assert all(f"{symbol} {report.WORDS.get(outcome, outcome)}" in html for outcome, symbol in report.SYMBOLS.items())
    assert html.count("&lt;script&gt;<br>&amp; more") == len(report.SYMBOLS)


def test_a_check_takes_well_under_a_second(cell):
    cell(ANSWERS + 'check("double")')
    start = time.process_time()
    cell('check("double")')
    assert time.process_time() - start < 0.5
