"""A chapter runs again when something that it computes with has changed, and only then."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import inputs
import notebooks

ROOT = Path(__file__).parents[2]
CELL = 'from course_lib.training import fit\nfrom course_lib.quizzes import Quiz\nfit()\nQuiz("01_one")'
FILES = {
    "__init__.py": "",
    "training.py": '"""Train."""\nfrom course_lib import results\nfrom course_lib.models import net\n\nfit = lambda: net()\n',
    "models/__init__.py": "from course_lib.models.net import net\n",
    "models/net.py": "def net():\n    return 1  # block\n",
    "results/__init__.py": "",
    "results/longer.json": "[1]",
    "quizzes/__init__.py": "",
    "quizzes/01_one.json": "[1]",
    "quizzes/02_two.json": "[1]",
    "grading.py": "x = 1\n",
}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        file = tmp_path / "course_lib" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "old", "new", "matters"),
    [
        ("models/net.py", "return 1", "return 2", True),
        ("models/net.py", "# block", "# a block", False),
        ("training.py", '"""Train."""', '"""Train a network."""', False),
        ("training.py", "net()", '"# not a comment"', True),
        ("results/longer.json", "[1]", "[2]", True),
        ("quizzes/01_one.json", "[1]", "[2]", True),
        ("quizzes/02_two.json", "[1]", "[2]", False),
        ("grading.py", "x = 1", "x = 2", False),
    ],
)
def test_what_a_chapter_imports_matters_and_nothing_else(root, name, old, new, matters):
    before = inputs.fingerprint(root, [CELL])
    file = root / "course_lib" / name
    file.write_text(file.read_text().replace(old, new))
    assert (inputs.fingerprint(root, [CELL]) != before) == matters


def test_a_class_that_is_a_docstring_alone_stays_a_class():
    left = inputs.essence('class Stopped(KeyboardInterrupt):\n    """The run was stopped."""\n\nx = 1\n')
    assert left == "class Stopped(KeyboardInterrupt):\n    pass\nx = 1"


def test_magics_do_not_disturb():
    cell = "if True:\n    %pip install x\n!ls\nfrom course_lib import cost"
    assert set(inputs.imported(ROOT, cell)) == {ROOT / "course_lib/__init__.py", ROOT / "course_lib/cost.py"}


def test_a_chapter_depends_on_the_networks_that_it_trains():
    """What the graders and the figures of the site are made of does not matter to it."""
    sources = [cell.source for cell in notebooks.code_cells(notebooks.read(ROOT / "book/02_residuals.ipynb"))]
    names = {file.relative_to(ROOT / "course_lib").as_posix() for file in inputs.modules(ROOT, sources)}
    assert {"models/resnet.py", "models/layers.py", "training.py", "probes.py", "data.py", "figures.py"} <= names
    assert not [name for name in names if name.startswith("grading/")]


def test_other_versions_of_the_libraries_run_it_again(monkeypatch):
    path = ROOT / "book/01_degradation.ipynb"
    monkeypatch.setattr(inputs, "versions", lambda: {**notebooks.read(path).metadata.course["versions"]})
    assert notebooks.is_up_to_date(ROOT, path)
    monkeypatch.setattr(inputs, "versions", lambda: {"torch": "9.0"})
    assert not notebooks.is_up_to_date(ROOT, path)


def test_a_change_of_the_package_is_found_without_running(monkeypatch):
    path = ROOT / "book/01_degradation.ipynb"
    assert list(notebooks.findings(ROOT, path)) == []
    monkeypatch.setattr(inputs, "fingerprint", lambda root, sources: "another")
    (found,) = notebooks.findings(ROOT, path)
    assert "before a change of the package" in found
