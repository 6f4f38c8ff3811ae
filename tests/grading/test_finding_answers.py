"""Answers are found whatever became of cells, metadata and file name."""

import json
import random
import time
from pathlib import Path

import pytest

from course_lib.grading import kernel
from course_lib.grading.notebook import (
    NotebookError,
    Source,
    attempted,
    closure_hash,
    flags,
    forbidden_names,
    nearest,
    read_notebook,
)
from course_lib.grading.results import NotAttempted, Raised

ROOT = Path(__file__).parents[2]

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


@pytest.mark.parametrize(
    ("exercise", "near"),
    [("count_parameters", "count_paramters"), ("SEBlock", "SE_block"), ("conv_cost", "Convcost"), ("double", "trouble")],
)
def test_a_slip_in_a_name_is_recognised(exercise, near):
    expected = "" if near == "trouble" else near
    assert nearest(exercise, {"x", "helper", near, "parameters", "Block"}) == expected


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
    [("", "is empty"), ("[1]", "no list of cells"), ('{"cells": 3}', "no list of cells"), ("[" * 10**5, "not JSON")],
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


@pytest.mark.parametrize(
    "cell",
    [
        "if True:\n    def double(x):\n        return 2 * x\n    while True:\n        pass",
        "if __name__ == '__main__':\n    def double(x):\n        return 2 * x\n    double(1 / 0)",
        "try:\n    import nowhere\nexcept ImportError:\n    def double(x):\n        return 2 * x\n    raise_it()",
        "import contextlib\nwith contextlib.nullcontext():\n    double = lambda x: 2 * x\n    print(1 / 0); exit()",
        "    def double(x):\n        return 2 * x\n    %timeit double(2)",
        "await nothing()\ndef double(x): return 2 * x",
        "return 3\n\ndef double(x): return 2 * x",
        "x = 1; double = lambda x: 2 * x; y = 1 / 0",
        "import functools\n@functools.cache\ndef double(x): return 2 * x",
        "\ufeffdef double(x):\r\n    return 2 * x\r\n",
    ],
)
def test_a_definition_is_found_wherever_it_is(answers, cell):
    assert answers(cell).double(2) == 4


def test_an_indented_cell_is_read_as_in_a_notebook():
    source = Source(["\n    def double(x):\n        return 2 * x\n\n    %timeit double(2)\n"])
    assert source.names == {"double"} and source.closure("double")[0].line == 2


def test_a_broken_statement_breaks_only_itself(answers):
    source = answers("x = 1\n\ndef bad():\n    nonlocal y\n\n" + DOUBLE)
    assert source.double(2) == 4
    with pytest.raises(Raised, match="syntax error.*nonlocal.*line 4"):
        source.bad  # noqa: B018


def test_a_broken_answer_beside_its_stub_is_no_stub(answers):
    with pytest.raises(Raised, match="syntax error"):
        answers("def double(x):\n    raise NotImplementedError", "def double(x)\n    return 2 * x").double  # noqa: B018


def test_statements_carry_their_text_and_place():
    source = Source(["x = 1\n\n@cache\ndef f(a):\n    return a + x  # why\ny = 2"])
    assert [(one.place, one.text) for one in source.closure("f")] == [
        ("cell 1, line 1", "x = 1"),
        ("cell 1, line 3", "@cache\ndef f(a):\n    return a + x  # why"),
    ]


# ------------------------------------------------------------------------------------------ what is said of an answer


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (DOUBLE, True),
        ("", False),
        ("def double(x):\n    'doc'\n    raise NotImplementedError('write double')", False),
        ("def double(x):\n    y = x\n    raise NotImplementedError", False),
        ("def double(x):\n    if x:\n        return 2 * x\n    raise NotImplementedError", True),
        ("def double(x): ...", False),
        ("def double(x): pass", False),
        ("def double(x): return", True),
        ("def double(x:", True),
        ("double = 3", True),
        ("from course_lib import double", False),
        ("class double:\n    'doc'\n    def __init__(self): raise NotImplementedError('write it')\n    def f(self): ...", False),
        ("class double:\n    def __init__(self): self.x = 1\n    def f(self): raise NotImplementedError('write it')", True),
        ("class double(Base): pass", True),
        ("class double(nn.Module): pass", False),
    ],
)
def test_attempted_is_more_than_the_stub(cell, expected):
    source = Source([cell])
    assert attempted(source, "double") is expected
    assert (closure_hash(source, "double") != "") is expected


@pytest.mark.parametrize("path", sorted((ROOT / "exercises").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_exercise_of_the_course_is_attempted_and_every_solution_is(path):
    stub, solution = read_notebook(path), read_notebook(ROOT / "solutions" / path.name)
    checks = [cell.removeprefix('check("').strip('")') for cell in stub.cells.values() if cell.startswith('check("')]
    assert checks
    assert [name for name in checks if attempted(stub, name) or closure_hash(stub, name)] == []
    assert [name for name in checks if not closure_hash(solution, name) or flags(solution, name)] == []


def test_the_hash_changes_with_the_code_it_needs_and_with_nothing_else():
    cells = ["import math\nF = 2\nunused = 1", "def double(x):\n    return F * x"]
    same = [
        ["unused = 2\nimport math", "F  =  (2)", "# why\ndef double(x):\n\n    return F*x  # so", "print(3)\nfor"],
        ["%pip install x\nF = 2", "def double(x): return F * x"],
    ]
    hashes = {closure_hash(Source(one), "double") for one in [cells, *same]}
    assert len(hashes) == 1
    for changed in (["F = 3", cells[1]], [cells[0], "def double(x):\n    return x * F"], [*cells, "double = double"]):
        assert closure_hash(Source(changed), "double") not in hashes


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([DOUBLE, DOUBLE + "\n\n"], "double is written 2 times; the last counts (cell 2, line 2)"),
        ([DOUBLE, "x = 1\ndel double"], "double is deleted (cell 2, line 2)"),
        ([DOUBLE, "def double(x:"], "double stands in a cell with a syntax error; an earlier one is graded"),
        ([DOUBLE, "from m import double"], "double (cell 1, line 2) is replaced by an import"),
        ([DOUBLE, "%%writefile net.py" + DOUBLE], "double is defined in a cell whose %% line keeps it from running"),
        (["class double(Base): pass", "class Base: pass"], "cell 1, line 1 needs Base, which is only defined in cell 2, line 1"),
        (["def double(x=F): return x", "F = 2"], "cell 1, line 1 needs F, which is only defined in cell 2"),
        (["def double(x): return 2 * x + state"], "no cell defines state"),
        (["def double(x): return input() or x"], 'input() gives "" while grading'),
        (["from m import Ready as R", "def double(x):\n    return R(x)"], "uses Ready (cell 2, line 2)"),
        (["import m", "def double(x):\n    return m.n.Ready(x)"], "uses Ready (cell 2, line 2)"),
        (["import m", "def double(x):\n    return getattr(m, 'Ready')(x)"], "uses Ready (cell 2, line 2)"),
        (["from m import *", "helper = Ready", "def double(x):\n    return helper(x)"], "uses Ready (cell 2, line 1)"),
    ],
)
def test_what_is_odd_about_an_answer_is_flagged(cells, words):
    (found,) = flags(Source(cells), "double", forbidden=("Ready",))
    assert found.startswith(words)


def test_an_answer_in_a_text_cell_is_flagged():
    source = Source(["x = 1"], ["# Mine\n```python\ndef double(x): return 2 * x\n```"])
    assert flags(source, "double") == ["double is defined in a text cell, which does not run"]
    assert not attempted(source, "double")


def test_an_ordinary_answer_is_not_flagged():
    cells = [
        "from m import Ready, F",
        "def double(x):\n    return even(x) and F(x)",
        "def even(x): return double(x - 1)",
        "Ready()",
    ]
    assert flags(Source(cells), "double", forbidden=("Ready",)) == []


def test_a_test_file_lists_ready_made_names():
    assert forbidden_names('import m\nFORBIDDEN = {"SEBlock": ("SqueezeExcitation", "se")}') == {
        "SEBlock": ("SqueezeExcitation", "se")
    }
    assert forbidden_names("x = 1") == {}
    for wrong in ("FORBIDDEN = f()", "FORBIDDEN = {'a': 'bc'}", "FORBIDDEN = {'a': (1,)}", "FORBIDDEN = 3"):
        with pytest.raises(ValueError, match="expected exercise names with tuples of names"):
            forbidden_names(wrong)


# ------------------------------------------------------------------------------------------------------------- hostile


METHODS = "".join(f"  def m{n}(): 0\n" for n in range(5000))
HOSTILE = {
    "parentheses": "f = " + "(" * 49_000 + ")" * 49_000,
    "unclosed": "f = " + "[{(" * 30_000,
    "minus": "f = " + "-" * 90_000 + "1",
    "attributes": "f = a" + ".a" * 45_000,
    "sum": "f = 1" + "+1" * 45_000,
    "calls": "f = a" + "()" * 45_000,
    "lambdas": "f = " + "lambda:" * 12_000 + "1",
    "digits": "f = " + "9" * 99_000,
    "hexadecimal": "f = 1; g = 0x" + "f" * 90_000,
    "statements": "a()\n" * 24_000,
    "on one line": "a=1;" * 24_000,
    "methods": "class f:\n" + METHODS,
    "names": "".join(f"v{n} = v{n - 1}\n" for n in range(5000)) + "f = v4999",
    "wide": "\n".join(["a,b,c,d,e,f = f,e,d,c,b,a"] * 3500),
    "blocks": "if 1: f = 1; g()\n" * 5000,
    "elif": "if 1: f = 1\n" + "elif 1: g()\n" * 8000,
    "blanks": " " * 99_000 + "%",
    "blank lines": "%x\n" + (" " * 99 + "\n") * 990,
    "magics": "%a\n" * 33_000,
    "backslashes": "!a \\\n" * 20_000,
    "nothing": "\0" * 100,
    "half characters": "f = '\ud800'",
    "huge": "f = 1\n" * 10**6,
    "strings": "f = " + "'a' " * 24_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_reading_survives_hostile_text_and_is_quick(text):
    begun = time.process_time()
    source = Source([text, text, DOUBLE])
    for name in ["f", "double", "nowhere", *sorted(source.answers)[:1]]:
        source.closure(name)
        flags(source, name, ("Ready",))
        closure_hash(source, name)
    assert time.process_time() - begun < 4  # the slowest takes about 1.5
    assert len(text) > MAX_HARMLESS or attempted(source, "double")


@pytest.mark.parametrize("text", ["x = 1\n" * 4000 + DOUBLE, "#" * 100_001 + DOUBLE, "class double:\n" + METHODS])
def test_what_is_too_long_to_be_read_says_so(text):
    assert "to be read" in Source([text]).broken["double"].msg


MAX_HARMLESS = 60_000  # so much in two cells leaves room for the answer


def test_reading_survives_anything():
    chance = random.Random(1)
    cells = [cell for path in (ROOT / "solutions").glob("0[1-4]*.ipynb") for cell in read_notebook(path).cells.values()]
    bits = [
        "(",
        ")",
        "]",
        "{",
        "\n",
        "    ",
        "'",
        '"""',
        "f'{",
        "%",
        "!",
        "?",
        "lambda:",
        "del f\n",
        "if 1:\n",
        "class f:\n",
        "\0",
    ]
    bits += [
        "\ud800",
        "\r",
        "\x0c",
        "ª",
        "global x\n",
        "from a import *\n",
        "from __future__ import x\n",
        "@",
        "=",
        ";",
        "0x",
        "\\\n",
    ]
    for _ in range(300):
        texts = []
        for text in chance.choices(cells, k=4):
            for _ in range(chance.randint(0, 6)):
                place = chance.randint(0, len(text))
                text = text[:place] + chance.choice(bits) * chance.choice([1, 1, 9]) + text[place + chance.randint(0, 9) :]
            texts.append(text)
        source = Source(texts, texts)
        for name in source.answers:
            assert all(name in statement.binds or statement.text for statement in source.closure(name))
            assert bool(closure_hash(source, name)) == attempted(source, name)
            flags(source, name)


def test_a_real_notebook_is_read_in_a_few_milliseconds():
    path = ROOT / "solutions" / "06_squeeze_excitation.ipynb"
    times = []
    for _ in range(7):
        begun = time.process_time()
        read_notebook(path)
        times.append(time.process_time() - begun)
    assert min(times) < 0.02  # about 0.004


# ------------------------------------------------------------------------------------------------- a notebook's kernel


def test_what_a_notebook_takes_for_granted_is_there_and_harmless(monkeypatch):
    import sys

    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    names = {"__name__": "__main__", **kernel.names()}
    cell = """
import google.colab
from google.colab import auth, drive, files, userdata
from google.colab.drive import mount
import google.colab.output as output
auth.authenticate_user(); drive.mount("/content/drive"); mount("x"); output.clear(); google.colab.drive.flush_and_unmount()
get_ipython().run_line_magic("matplotlib", "inline")
for line in get_ipython().getoutput("ls"):
    raise AssertionError
with output.use_tags("x"):
    display(1, 2)
name = input("your name")
"""
    exec(cell, names)
    assert names["name"] == ""
    with pytest.raises(RuntimeError, match="no file can be uploaded while grading"):
        names["files"].upload()


@pytest.mark.parametrize("jailed", [True, False])
def test_a_notebooks_own_packages_are_there_where_they_are_not_installed(monkeypatch, jailed):
    import sys
    from importlib.util import find_spec

    missing = ("IPython", "ipywidgets", "tqdm")
    loaded = {name: module for name, module in sys.modules.items() if not name.startswith(missing)}
    monkeypatch.setattr(sys, "modules", loaded)
    monkeypatch.setattr(kernel, "find_spec", lambda name: None)
    kernel.names(jailed)
    for bar in (loaded["tqdm"].tqdm, loaded["tqdm"].auto.tqdm, loaded["tqdm.notebook"].tqdm):
        assert list(bar([1, 2], desc="x")) == [1, 2] and len(bar([1, 2])) == 2
    assert list(loaded["tqdm.auto"].trange(1, 3, leave=False)) == [1, 2] and bar(total=5).update(1) is not None
    assert not loaded["IPython"].get_ipython() and not loaded["ipywidgets.widgets"].IntSlider(value=1)
    assert find_spec("IPython").name == "IPython"  # torch's compiler asks for it
    with pytest.raises(AttributeError):
        loaded["IPython"].__version__  # noqa: B018


def test_installed_packages_are_left_alone_outside_of_a_jail(monkeypatch):
    import sys

    loaded = {name: module for name, module in sys.modules.items() if not name.startswith(("IPython", "ipywidgets"))}
    monkeypatch.setattr(sys, "modules", loaded)
    kernel.names()
    assert "IPython" not in loaded


def test_tqdm_is_itself_in_a_jail_but_draws_no_widget(monkeypatch):
    import sys

    import tqdm

    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.setattr(tqdm, "notebook", None, raising=False)
    kernel.names(jailed=True)
    assert sys.modules["tqdm"] is tqdm and sys.modules["tqdm.notebook"].tqdm is tqdm.notebook.tqdm is tqdm.tqdm
