"""Answers are found whatever became of cells, metadata and file name."""

import json

import pytest

from course_lib.grading.notebook import NotebookError, Source, read_notebook
from course_lib.grading.results import NotAttempted, Raised

DOUBLE = """
def double(x):
    return 2 * x
"""


def test_moved_cells_are_put_back_in_working_order(answers):
    uses, imports, base = "class Net(Base):\n    x = math.floor(2.5)", "import math", "class Base:\n    pass"
    assert answers("def get():\n    return Net.x", uses, base, imports).get() == 2


def test_a_cell_split_in_two_still_makes_one_class(answers):
    split = answers(
        "class Net:\n    pass", "def size(self):\n    return 3", "Net.size = size", "def f():\n    return Net().size()"
    )
    assert split.f() == 3


def test_merged_cells(answers):
    assert answers("import math\n" + DOUBLE + "\ny = double(3)\nprint(y)").double(3) == 6


def test_the_last_of_duplicated_answers_counts(answers):
    assert answers(DOUBLE, "def double(x):\n    return x + x + 1").double(1) == 3


def test_an_earlier_import_of_the_same_name_is_overridden(answers):
    assert answers("from math import floor as double", DOUBLE).double(2) == 4


def test_an_import_is_not_an_answer(answers):
    with pytest.raises(NotAttempted, match="not attempted: resnet18"):
        answers("from torchvision.models import resnet18").resnet18  # noqa: B018


def test_a_stripped_notebook_is_read(notebook):
    assert read_notebook(notebook("import math", DOUBLE, name="CNN (1).ipynb")).names == {"double"}


@pytest.mark.parametrize(
    "magic",
    [
        "%matplotlib inline",
        "!pip install -q \\\n  torch",
        "double?",
        "?double",
        "files = !ls",
        "if True:\n    %pip install torch",
        "%timeit -n 1 double(3)",
    ],
)
def test_magics_are_dropped(answers, magic):
    assert answers(magic + "\n" + DOUBLE).double(2) == 4
    assert answers("%%time\n" + DOUBLE + "\n" + magic).double(2) == 4


def test_a_cell_for_another_language_is_no_python(answers):
    assert answers(DOUBLE, "%%writefile net.py\ndef double(x):\n    return 0").double(2) == 4


def test_a_line_of_python_that_begins_with_percent_is_kept(answers):
    assert answers("def odd(x):\n    return (x\n% 2)").odd(3) == 1


def test_a_broken_cell_elsewhere_does_no_harm(answers):
    assert answers("def oops(:", DOUBLE, "for", "\0").double(2) == 4


def test_an_answer_in_a_broken_cell_shows_the_line(answers):
    with pytest.raises(Raised, match=r"your code has a syntax error: .*\(line 2: return 2 \*\)"):
        answers("def double(x):\n    return 2 *").double  # noqa: B018


def test_a_training_loop_at_top_level_does_not_run(answers):
    loop = "loss = 0\nwhile True:\n    loss += 1"
    assert answers(loop, DOUBLE, "for x in range(10**12): pass\nraise SystemExit").double(2) == 4


def test_a_local_name_does_not_pull_in_a_training_run_of_the_same_name(answers):
    assert answers("model = 1 / 0", "def f(x):\n    model = x\n    return [model for model in [model]]").f(3) == [3]


def test_imports_helpers_and_constants_come_along(answers):
    cells = (
        "import numpy as np\nfrom math import *\nimport os.path as path",
        "FACTOR = 2\nFACTOR = FACTOR * 3\nFACTOR += 1\nSIZES = {}\nSIZES['a'] = 5\nflag: int",
        "try:\n    import nowhere\nexcept ImportError:\n    nowhere = None",
        "if FACTOR > 5:\n    mode = 'large'\nelse:\n    mode = 'small'",
        "def helper(x, scale=FACTOR):\n    return scale * x",
        "def f(x):\n    return helper(x), int(np.int64(2)), floor(2.5), SIZES, nowhere, mode, path.sep and 1",
    )
    assert answers(*cells).f(1) == (7, 2, 2, {"a": 5}, None, "large", 1)


def test_functions_that_need_each_other(answers):
    even = "def even(n):\n    return n == 0 or odd(n - 1)"
    assert answers(even, "def odd(n):\n    return n > 0 and even(n - 1)").even(4) is True


def test_a_deleted_answer_is_still_found(answers):
    assert answers(DOUBLE, "del double").double(2) == 4


def test_future_annotations(answers):
    assert answers("from __future__ import annotations", "def f(x: Unknown) -> Unknown:\n    return x").f(1) == 1


def test_display_and_odd_escapes_are_harmless(answers):
    assert answers("def f(x):\n    display(x)\n    return '\\d' and x").f(1) == 1


def test_reading_runs_nothing():
    assert Source(["import nowhere\n1 / 0\nx = 1 / 0"]).names == {"x"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "not JSON"), ("[1]", "no list of cells"), ('{"cells": 3}', "no list of cells"), ("[" * 10**5, "not JSON")],
)
def test_a_file_that_is_no_notebook_is_refused_with_the_reason(tmp_path, content, complaint):
    (tmp_path / "x.ipynb").write_text(content)
    with pytest.raises(NotebookError, match=complaint):
        read_notebook(tmp_path / "x.ipynb")


def test_a_byte_order_mark_and_odd_cells_are_read(tmp_path):
    cells = [
        3,
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": None},
        {"cell_type": "code", "source": "a = 1"},
    ]
    (tmp_path / "x.ipynb").write_bytes(b"\xef\xbb\xbf" + json.dumps({"cells": cells}).encode())
    assert "a" in read_notebook(tmp_path / "x.ipynb").names
