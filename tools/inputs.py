"""What the outputs of a notebook were computed with: a fingerprint of the course's code and data, and versions of libraries.

A notebook whose fingerprint and versions are the stored ones would give the stored outputs, so `make test` does not run it again;
`make test-all` does. Comments and docstrings are left out: editing them makes no output stale.
"""

import ast
import hashlib
import io
import re
import tokenize
from importlib.metadata import version
from itertools import chain
from pathlib import Path

PACKAGE = "course_lib"
LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn", "matplotlib")
# Files that a module reads and that notebooks show: all of them, or those that the notebook names.
DATA = {
    "figures": ("drawings/*.svg",),
    "results": ("results/*.json",),
    "scale": ("scale/recipes/*.json", "results/runs/*.json"),
    "explorables": ("explorables/pictures/*.html",),
    "quizzes": ("quizzes/*.json",),
}
NAMED = ("explorables", "quizzes")
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def versions() -> dict[str, str]:
    return {library: version(library).partition("+")[0] for library in LIBRARIES}


def fingerprint(root: Path, sources: list[str]) -> str:
    """Of all of the package that code cells with these sources import, directly or not, and of the files it reads."""
    found = modules(root, sources)
    for room in {file.relative_to(root / PACKAGE).parts[0].removesuffix(".py") for file in found}:
        for file in chain.from_iterable((root / PACKAGE).glob(pattern) for pattern in DATA.get(room, ())):
            if room not in NAMED or any(f'"{file.stem}"' in source for source in sources):
                found[file] = file.read_text(encoding="utf-8")
    text = "".join(f"{file.relative_to(root).as_posix()}\n{found[file]}\n" for file in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()


def modules(root: Path, sources: list[str]) -> dict[Path, str]:
    """What is left of each file of the package that these sources import, directly or not."""
    found: dict[Path, str] = {}
    waiting = [file for source in sources for file in imported(root, source)]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found[file] = essence(file.read_text(encoding="utf-8"))
            waiting += imported(root, found[file])
    return found


def imported(root: Path, source: str) -> list[Path]:
    """The files of the package that a text imports anywhere; magics of notebooks are left out."""
    names = set()
    for node in ast.walk(ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.M))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = []
    for name in names:
        if name.partition(".")[0] == PACKAGE:
            place = root.joinpath(*name.split("."))
            files += [file for file in (place.with_name(f"{place.name}.py"), place / "__init__.py") if file.is_file()]
    return files


def essence(source: str) -> str:
    """A module without comments, docstrings and empty lines."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DEFINITIONS) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            lines[first.lineno - 1 : first.end_lineno] = [""] * (first.end_lineno - first.lineno + 1)
            if len(node.body) == 1 and not isinstance(node, ast.Module):  # else nothing would be left of it
                lines[first.lineno - 1] = " " * first.col_offset + "pass"
    return "\n".join(line.rstrip() for line in lines if line.strip())
