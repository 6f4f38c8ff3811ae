"""Who may import whom: models import torch alone, grading never imports models, nothing imports from the book."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "course_lib"
LAYERS = [
    {"models", "results", "receptive_field"},
    {"data", "cost", "weights"},
    {"training", "probes"},
    {"figures", "listing", "explorables"},
    {"scale"},
    {"quizzes"},
    {"grading"},
    {"check"},
    {"cli"},
]


def imports(file: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_go_downwards(file):
    level = {name: i for i, names in enumerate(LAYERS) for name in names}
    for name in imports(file):
        if name.startswith("course_lib.") and room(file) != "__init__":
            below = name.split(".")[1]
            assert below == room(file) or level[below] < level[room(file)], f"{room(file)} imports {name}"
        assert not name.startswith("book")


@pytest.mark.parametrize("file", [file for file in FILES if room(file) == "models"], ids=lambda file: file.name)
def test_models_import_torch_alone(file):
    roots = {name.split(".")[0] for name in imports(file)}
    assert roots <= {"torch", "course_lib"} | sys.stdlib_module_names


@pytest.mark.parametrize("file", [file for file in FILES if room(file) == "grading"], ids=lambda file: file.name)
def test_grading_knows_no_models(file):
    assert not any(name.startswith(("course_lib.models", "course_lib.training")) for name in imports(file))
