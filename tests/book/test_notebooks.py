"""What an author relies on when tools/notebooks.py writes and checks notebooks, and when nbval runs them.

The notebooks here are tiny and need no torch: starting their kernels is what takes time, so one course is run once
and every test works on a copy of it.
"""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
notebooks = importlib.import_module("notebooks")

CHAPTER, SOLUTION, EXERCISE = "book/01_tiny.ipynb", "solutions/01_tiny.ipynb", "exercises/01_tiny.ipynb"
CONFIG = "repository:\n  url: https://example.org/course\n  branch: main\n"
ALT = {"mystnb": {"image": {"alt": "A rising line."}}}

DOUBLE = """\
class Double:
    factor = 2

    def __init__(self, offset=0):
        # BEGIN SOLUTION
        self.offset = offset
        # END SOLUTION

    def apply(
        self,
        x,
    ):
        doubled = self.factor * x
        # BEGIN SOLUTION
        if self.offset:
            return doubled + self.offset
        return doubled
        # END SOLUTION


def double(x):
    # BEGIN SOLUTION
    return Double().apply(x)
    # END SOLUTION"""
DOUBLE_STUB = """\
class Double:
    factor = 2

    def __init__(self, offset=0):
        raise NotImplementedError("write Double.__init__")

    def apply(
        self,
        x,
    ):
        doubled = self.factor * x
        raise NotImplementedError("write Double.apply")


def double(x):
    raise NotImplementedError("write double")"""


def code(source, *tags, **fields):
    return new_code_cell(source, metadata={"tags": list(tags), **fields.pop("metadata", {})}, **fields)


def save(path, *cells, course=None):
    path.parent.mkdir(exist_ok=True, parents=True)
    nbformat.write(new_notebook(cells=list(cells), metadata={"course": course or {}}), path)


def edit(path, change):
    """Change a notebook the way an editor or a hasty hand does: in the file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change({cell["id"]: cell for cell in content["cells"]}, content)
    path.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


@pytest.fixture(scope="module", autouse=True)
def installed_package(tmp_path_factory):
    """A stand-in for the installed course package, so that setup cells have nothing to install."""
    site = tmp_path_factory.mktemp("site")
    (site / "course_lib").mkdir()
    (site / "course_lib" / "__init__.py").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def course_run_once(tmp_path_factory):
    root = tmp_path_factory.mktemp("course")
    (root / "_config.yml").write_text(CONFIG, encoding="utf-8")
    save(
        root / CHAPTER,
        new_markdown_cell("# A chapter", id="title"),
        code("import os, pathlib, sys, time", id="imports"),
        code("print('out'); print('err', file=sys.stderr); print('naïve')", id="streams"),
        code("time.time_ns()", "nbval-ignore-output", id="volatile"),
        code("import matplotlib.pyplot as plt\nplt.plot([1, 2]);", id="figure", metadata={**ALT, "collapsed": True}),
        code("def fail():\n    raise ValueError('wrong on purpose')\nfail()", "raises-exception", id="raises"),
        code("[*map(os.environ.get, ['PYTHONHASHSEED', 'CUDA_VISIBLE_DEVICES']), pathlib.Path.cwd().name]", id="where"),
    )
    save(
        root / SOLUTION,
        new_markdown_cell("# An exercise", id="title"),
        new_markdown_cell("The answer, explained.", id="explained", metadata={"tags": ["solution-only"]}),
        code(DOUBLE, "answer", "hide-input", id="double"),
        code("try:\n    print(double(2))\nexcept NotImplementedError as reason:\n    print(reason)", id="try-it"),
        course={"budget_seconds": 30},
    )
    assert notebooks.main(["run", "--root", str(root)]) == 0
    return root


@pytest.fixture
def course(course_run_once, tmp_path):
    return shutil.copytree(course_run_once, tmp_path / "course")


@pytest.fixture
def tool(course, capsys):
    """Run a command on the course; return exit status and what was printed."""

    def command(name, *files):
        capsys.readouterr()
        status = notebooks.main([name, *(str(course / file) for file in files), "--root", str(course)])
        return status, capsys.readouterr().out

    return command


def cells_of(path):
    return {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}


# --- run


def test_running_an_unchanged_notebook_again_changes_no_byte(course, tool):
    before = (course / CHAPTER).read_bytes()
    status, output = tool("run", CHAPTER)
    assert status == 0 and f"{CHAPTER}: unchanged" in output
    assert (course / CHAPTER).read_bytes() == before


def test_fresh_run_renews_volatile_outputs(course):
    before = cells_of(course / CHAPTER)
    assert notebooks.main(["run", "--fresh", "--root", str(course), str(course / CHAPTER)]) == 0
    after = cells_of(course / CHAPTER)
    assert after["volatile"].outputs != before["volatile"].outputs
    assert after["figure"].outputs == before["figure"].outputs


def test_changed_source_is_run_and_stored(course, tool):
    edit(course / SOLUTION, lambda cells, _: cells["try-it"].update(source="print(double(3))"))
    assert tool("check", SOLUTION)[0] == 1
    status, output = tool("run", SOLUTION)
    assert status == 0 and f"{SOLUTION}: rewritten" in output
    assert cells_of(course / SOLUTION)["try-it"].outputs == [stream("6\n")]
    assert tool("check", SOLUTION)[0] == 0


def test_failing_cell_leaves_the_file_and_is_named(course, tool):
    edit(course / SOLUTION, lambda cells, _: cells["try-it"].update(source="print('partial')\n{}['missing']"))
    before = (course / SOLUTION).read_bytes()
    status, output = tool("run", SOLUTION)
    assert status == 1
    assert output == f"{SOLUTION}: cell try-it: KeyError: 'missing'\n"
    assert (course / SOLUTION).read_bytes() == before
    assert [file.name for file in (course / "solutions").iterdir()] == ["01_tiny.ipynb"]


def test_output_that_shows_an_absolute_path_is_refused(course, tool):
    edit(course / SOLUTION, lambda cells, _: cells["try-it"].update(source="print('read', '/home/author/data.csv')"))
    before = (course / SOLUTION).read_bytes()
    status, output = tool("run", SOLUTION)
    assert status == 1 and "cell try-it" in output and "/home/author/data.csv" in output
    assert (course / SOLUTION).read_bytes() == before


def test_run_over_budget_fails(course, tool):
    edit(course / SOLUTION, lambda _, notebook: notebook["metadata"]["course"].update(budget_seconds=0.1))
    status, output = tool("run", SOLUTION)
    assert status == 1 and "OVER BUDGET" in output


def test_setup_cell_takes_the_address_from_the_configuration(course, tool):
    assert "git+https://example.org/course@main" in cells_of(course / EXERCISE)["setup"].source
    (course / "_config.yml").write_text(CONFIG.replace("example.org", "moved.example.org"), encoding="utf-8")
    assert tool("check")[1].count("not the setup cell for the address in _config.yml") == 3
    assert tool("run", EXERCISE)[0] == 0
    assert "git+https://moved.example.org/course@main" in cells_of(course / EXERCISE)["setup"].source


def test_kernels_have_the_same_environment_everywhere(course):
    assert cells_of(course / CHAPTER)["where"].outputs[0].data["text/plain"] == "['0', '', 'book']"


def test_stored_notebooks_are_canonical(course):
    text = (course / CHAPTER).read_text(encoding="utf-8")
    notebook, cells = json.loads(text), cells_of(course / CHAPTER)
    assert text.endswith("}\n") and '\n "cells"' in text and "naïve" in text
    assert set(notebook["metadata"]) == {"course", "kernelspec", "language_info"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    assert cells["figure"].metadata == ALT
    assert cells["streams"].outputs == [stream("out\nnaïve\n"), stream("err\n", "stderr")]
    assert cells["raises"].outputs[0].traceback == ["ValueError: wrong on purpose"]
    counts = [cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert counts == [1, 2, 3, 4, 5, 6, 7]
    assert list(cells)[:2] == ["title", "setup"]


def test_cells_without_id_get_the_same_id_every_time(tmp_path):
    def without_ids(_, notebook):
        for cell in notebook["cells"]:
            del cell["id"]

    save(tmp_path / "old.ipynb", *(new_markdown_cell(text) for text in ("# Title", "same", "same")))
    edit(tmp_path / "old.ipynb", without_ids)
    ids = [[cell.id for cell in notebooks.read(tmp_path / "old.ipynb").cells] for _ in range(2)]
    assert ids[0] == ids[1] and len(set(ids[0])) == 3


# --- check


def test_check_is_clean_after_a_run(tool):
    assert tool("check") == (0, "3 notebooks, 0 findings\n")


def test_check_is_clean_after_a_text_cell_was_edited(course, tool):
    edit(course / CHAPTER, lambda cells, _: cells["title"].update(source=["# Another title"]))
    assert tool("check")[0] == 0


@pytest.mark.parametrize("cell", ["streams", "volatile"])
def test_hand_edited_output_is_detected(course, tool, cell):
    def change(cells, _):
        cells[cell]["outputs"][0].pop("data", None)
        cells[cell]["outputs"][0].update(output_type="stream", name="stdout", text=["made up\n"])
        cells[cell]["outputs"][0].pop("execution_count", None)
        cells[cell]["outputs"][0].pop("metadata", None)

    edit(course / CHAPTER, change)
    status, output = tool("check")
    remedy = f"python tools/notebooks.py run {CHAPTER}"
    assert status == 1 and f"{CHAPTER}: code or outputs are not those of the last run; {remedy}" in output


def test_exercise_edited_by_hand_is_detected(course, tool):
    edit(course / EXERCISE, lambda cells, _: cells["title"].update(source=["# An easier exercise"]))
    status, output = tool("check")
    assert status == 1 and f"{EXERCISE}: not what {SOLUTION} generates" in output


def remove_count(cells, _):
    cells["streams"].update(execution_count=None)


def save_from_an_editor(cells, notebook):
    cells["streams"]["metadata"]["execution"] = {"iopub.execute_input": "2030-01-01"}
    notebook["metadata"]["widgets"] = {}


def remove_alternative_text(cells, _):
    cells["figure"]["metadata"].clear()


def use_a_directive(cells, _):
    cells["title"]["source"].append("\n\n```{note}\nOnly on the site.\n```")


def remove_the_title(_, notebook):
    del notebook["cells"][0]


def hide_an_error(cells, _):
    cells["raises"]["metadata"].clear()


def ignore_by_comment(cells, _):
    cells["streams"]["source"].append("\n# NBVAL_IGNORE_OUTPUT")


def exceed_the_budget(_, notebook):
    notebook["metadata"]["course"].update(seconds=61.0, cpu_seconds=121.0)


@pytest.mark.parametrize(
    "change, finding",
    [
        (remove_count, "cell streams: not executed"),
        (save_from_an_editor, "not in canonical form"),
        (remove_alternative_text, "cell figure: shows an image without alternative text"),
        (use_a_directive, "cell title: '```{note}' works on the site only"),
        (remove_the_title, "does not begin with a text cell that holds the title"),
        (hide_an_error, "cell raises: raises without the tag `raises-exception`"),
        (ignore_by_comment, "cell streams: the comment NBVAL_IGNORE_OUTPUT"),
        (exceed_the_budget, "took 61.0 s of 60 s"),
        (exceed_the_budget, "took 121.0 CPU seconds"),
    ],
)
def test_check_finds(course, tool, change, finding):
    edit(course / CHAPTER, change)
    status, output = tool("check", CHAPTER)
    assert status == 1 and f"{CHAPTER}: {finding}" in output


def test_exercise_without_solution_is_found(course, tool):
    (course / SOLUTION).unlink()
    status, output = tool("check")
    assert status == 1 and f"{EXERCISE}: no solution generates it" in output


def test_solution_without_exercise_is_found(course, tool):
    (course / EXERCISE).unlink()
    status, output = tool("check")
    assert status == 1 and f"{EXERCISE}: does not exist" in output


@pytest.mark.parametrize(
    "text, found",
    [
        ("See {ref}`here`.", "{ref}`"),
        (":::{tip}\nText\n:::", ":::{tip}"),
        ("(label)=\n## Heading", "(label)="),
        ("A `{name}` in code, $\\frac{a}{b}$, (so)= what, and\n\n```python\nf'{x}`'\n```\n\n<details>\n\nText", None),
        ("> **Note.** [Link](01_tiny.ipynb#heading) and $$ x \\tag{1} $$", None),
    ],
)
def test_markdown_is_portable(text, found):
    assert notebooks.unportable_markdown(text) == found


@pytest.mark.parametrize(
    "output, is_unfit",
    [
        ("<function f at 0x7f3c5a2b1d30>", True),
        ("['/tmp/run/figure.png']", True),
        ("C:\\Users\\author", True),
        ("x" * 1_000_001, True),
        ('<a href="https://example.org/a/b">params/MACs</a></div> 3/4/5 a / b #ffffff 0xff', False),
    ],
)
def test_outputs_that_cannot_repeat_elsewhere_are_unfit(output, is_unfit):
    assert bool(list(notebooks.unfit_outputs(code("", outputs=[stream(output)])))) == is_unfit


def test_notebooks_of_the_repository_are_in_order(capsys):
    status = notebooks.main(["check"])
    assert status == 0, capsys.readouterr().out


# --- generate


def test_exercise_has_stubs_and_equals_its_solution_elsewhere(course):
    solution, exercise = cells_of(course / SOLUTION), cells_of(course / EXERCISE)
    assert exercise["double"].source == DOUBLE_STUB
    assert solution["double"].metadata.tags == ["answer", "hide-input"]
    assert exercise["double"].metadata.tags == ["answer"]
    assert list(exercise) == ["title", "setup", "double", "try-it"]
    for name in ("title", "setup", "try-it"):
        assert (exercise[name].source, exercise[name].metadata) == (solution[name].source, solution[name].metadata)
    assert exercise["try-it"].outputs == [stream("write double\n")]
    assert solution["try-it"].outputs == [stream("4\n")]
    assert nbformat.read(course / EXERCISE, as_version=4).metadata.course.budget_seconds == 30


def test_generating_again_changes_no_byte(course, tool):
    before = (course / EXERCISE).read_bytes()
    assert tool("generate") == (0, f"{EXERCISE}: unchanged\n")
    assert (course / EXERCISE).read_bytes() == before


def test_generating_keeps_outputs_of_unchanged_code(course, tool):
    edit(course / SOLUTION, lambda cells, _: cells["title"].update(source=["# A renamed exercise"]))
    assert tool("generate") == (0, f"{EXERCISE}: rewritten\n")
    assert cells_of(course / EXERCISE)["title"].source == "# A renamed exercise"
    assert tool("check")[0] == 0


@pytest.mark.parametrize(
    "source, message",
    [
        ("def f():\n    # BEGIN SOLUTION\n    return 1", "line 2: BEGIN SOLUTION without END"),
        ("def f():\n    return 1\n    # END SOLUTION", "line 3: END SOLUTION without its counterpart"),
        ("def f():\n    # BEGIN SOLUTION\n    # BEGIN SOLUTION\n    return 1", "line 3: BEGIN SOLUTION without its"),
        ("def f():\n    # BEGIN SOLUTION\n    return 1\n# END SOLUTION", "line 4: END SOLUTION is not indented"),
        ("# BEGIN SOLUTION\nx = 1\n# END SOLUTION", "line 1: BEGIN SOLUTION must stand .* inside a function"),
        ("class A:\n    # BEGIN SOLUTION\n    x = 1\n    # END SOLUTION", "line 2: BEGIN SOLUTION must stand"),
        ("def f():\n    #begin solution\n    return 1\n    #end solution", "line 2: the markers are"),
    ],
)
def test_wrong_markers_are_named(source, message):
    with pytest.raises(ValueError, match=message):
        notebooks.stubbed(source)


def test_answers_are_never_generated_from_cells_with_wrong_markers_or_tags(course, tool):
    before = (course / EXERCISE).read_bytes()
    edit(course / SOLUTION, lambda cells, _: cells["double"].update(metadata={}))
    status, output = tool("generate")
    assert status == 1 and f"{SOLUTION}: cell double: a cell has the tag `answer`" in output
    assert (course / EXERCISE).read_bytes() == before


# --- nbval


@pytest.fixture(scope="module")
def nbval_outcomes(tmp_path_factory):
    """Outcome by notebook and test of one nbval run over stored notebooks that are right or wrong in known ways."""
    root = tmp_path_factory.mktemp("nbval")
    (root / "pytest.ini").touch()

    def stored(source, *outputs, count=1):
        return code(source, outputs=list(outputs), execution_count=count)

    two = stored("print(1 + 1)", stream("2\n"))
    environment = "import os; print([os.environ[name] for name in ('PYTHONHASHSEED', 'OMP_NUM_THREADS')])"
    save(root / "right.ipynb", two, stored(environment, stream("['0', '2']\n"), count=2))
    save(
        root / "wrong.ipynb",
        stored("print(1 + 1)", stream("3\n")),
        stored("print(1 + 1)", stream("2 \n"), count=2),  # a space too much
        stored("print(1 + 1)", count=3),  # output not stored
        stored("1 + 1;", stream("2\n"), count=4),  # output that the code does not give
        stored("print(1 + 1)", stream("2\n", "stderr"), count=5),  # on the other stream
    )
    save(root / "unexecuted.ipynb", two, code("print(3)"))
    save(root / "costly.ipynb", two, course={"budget_seconds": 0.05})
    plugins = ["-p", "nbval.plugin", "-p", "nbval_budget", "-p", "no:cacheprovider"]
    alone = ["-c", "pytest.ini", "--rootdir", "."]  # not the configuration of this repository
    nbval = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", str(ROOT / "tests/book/nbval_sanitize.cfg")]
    path = os.pathsep.join([str(ROOT / "tests/book"), os.environ["PYTHONPATH"]])
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *alone, *plugins, *nbval, "--color=no", "-rA", "."],
        cwd=root,
        env={**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    lines = re.findall(r"^(PASSED|FAILED|ERROR) (\w+)\.ipynb::([^-\n]+?)(?: - .*)?$", result.stdout, re.MULTILINE)
    return {(notebook, test): outcome for outcome, notebook, test in lines}


def test_nbval_passes_a_notebook_whose_outputs_are_right(nbval_outcomes):
    tests = ("Cell 0", "Cell 1", "stored outputs", "CPU budget")
    assert [nbval_outcomes["right", test] for test in tests] == ["PASSED"] * 4


def test_nbval_fails_on_each_wrong_output(nbval_outcomes):
    assert [nbval_outcomes["wrong", f"Cell {cell}"] for cell in range(5)] == ["FAILED"] * 5


def test_nbval_fails_on_a_cell_stored_unexecuted(nbval_outcomes):
    assert nbval_outcomes["unexecuted", "Cell 1"] == "PASSED"  # nbval by itself compares nothing here
    assert nbval_outcomes["unexecuted", "stored outputs"] == "FAILED"


def test_nbval_fails_on_a_notebook_over_its_cpu_budget(nbval_outcomes):
    assert nbval_outcomes["costly", "Cell 0"] == "PASSED"
    assert nbval_outcomes["costly", "CPU budget"] == "FAILED"
