"""Run the chapters with other seeds than their own and see whether every claim still holds.

    python tools/claims.py                                       three other seeds, all chapters
    python tools/claims.py book/03_inception.ipynb --seeds 7 8 9

A chapter names its seeds in one line, ``SEEDS = (0, 1, 2)``, and asserts its claims. This command replaces that line in memory,
runs the page and lists the cells whose assertion fails; the files stay as they are. What a chapter draws from recorded runs keeps
the seeds of the record. Exit status 1 if a claim fails.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode
from notebooks import code_cells, execute, read, tags

ROOT = Path(__file__).resolve().parents[1]
SEEDS = re.compile(r"^SEEDS = \(.*\)$", re.M)
ASSERTION = re.compile(r"^\s*assert ", re.M)


def with_seeds(notebook: NotebookNode, seeds: list[int]) -> bool:
    """Replace the seeds of a chapter in place; return whether it names any."""
    replaced = 0
    for cell in code_cells(notebook):
        cell.source, found = SEEDS.subn(f"SEEDS = {tuple(seeds)}", cell.source)
        replaced += found
    return replaced > 0


def claims(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that assert something."""
    return [cell for cell in code_cells(notebook) if ASSERTION.search(cell.source)]


def failures(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Run a chapter, in place; what fails, claim by claim."""
    for cell in claims(notebook):
        cell.metadata.tags = [*tags(cell), "raises-exception"]  # go on, to see the others
    try:
        execute(notebook, path.parent, path.name)
    except ValueError as problem:
        yield str(problem)
    for cell in claims(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"{path.name}: cell {cell.id}: {output.ename}: {output.evalue}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: all of book/")
    parser.add_argument("--seeds", nargs="+", type=int, default=[10, 11, 12], metavar="SEED", help="default: 10 11 12")
    options = parser.parse_args(arguments)
    failed = 0
    for path in options.files or sorted((ROOT / "book").glob("*.ipynb")):
        notebook = read(path)
        number = len(claims(notebook))
        if not with_seeds(notebook, options.seeds):
            print(f"{path.name}: no line SEEDS = (…); it has {number} cells with assertions that depend on no seed", flush=True)
            continue
        found = list(failures(notebook, path))
        failed += len(found)
        print(f"{path.name}, seeds {options.seeds}: {number - len(found)} of {number} cells with claims hold", *found, sep="\n  ")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
