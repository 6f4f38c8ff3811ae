"""Colab, the light version: an exercise runs where course_lib is missing. The rest, with Colab's versions: tools/colab.py."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

colab = pytest.importorskip("colab", reason="running notebooks needs nbclient")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return colab.copy_of_the_repository(tmp_path_factory.mktemp("course"))


def run(notebook: Path, repository: Path) -> float:
    """In a thread of its own: Playwright keeps a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(colab.run, notebook, Path(sys.executable), repository).result()


def test_the_first_cell_installs_the_course_and_the_rest_runs(repository):
    assert run(ROOT / "exercises/04_one_by_one.ipynb", repository) > 0


def test_a_cell_that_fails_is_told(repository, tmp_path):
    notebook = colab.notebooks.read(ROOT / "exercises/04_one_by_one.ipynb")
    first, second = list(colab.notebooks.code_cells(notebook))[:2]
    first.source, second.source = "import torch", "import course_lib"
    notebook.cells = [first, second]
    colab.notebooks.write(tmp_path / "notebook.ipynb", colab.notebooks.canonical(notebook))
    with pytest.raises(colab.CellExecutionError, match="No module named 'course_lib'"):
        run(tmp_path / "notebook.ipynb", repository)
