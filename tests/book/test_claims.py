"""What a reader relies on who asks what supports a claim: the page that lists them, and the command that tries other seeds."""

import importlib
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
claims = importlib.import_module("claims")

CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
PAGE = (ROOT / "book" / "claims.md").read_text(encoding="utf-8")
CELL = re.compile(r"`(\d\d_\w+)#([\w-]+)`")
LISTED = CELL.findall(PAGE)
SPREAD = re.compile(r"(\d+(?:\.\d+)?)\s*±\s*(\d+(?:\.\d+)?)")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_claim_of_a_chapter_is_listed_with_its_cell(path):
    asserting = {cell.id for cell in claims.claims(nbformat.read(path, as_version=4))}
    listed = {cell for chapter, cell in LISTED if chapter == path.stem}
    assert listed <= asserting, f"no assertion in {listed - asserting}"
    unlisted = {cell for cell in asserting - listed if "claim" in cell}
    assert not unlisted, f"not in claims.md: {unlisted}"


def test_every_listed_chapter_exists():
    assert {chapter for chapter, _ in LISTED} == {path.stem for path in CHAPTERS}


def printed(chapter):
    """Every "a ± b" in the stored text outputs of a chapter, as two strings."""
    cells = nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return {pair for out in outputs for pair in SPREAD.findall(out.get("text") or out.get("data", {}).get("text/plain", ""))}


def test_every_margin_with_a_spread_is_printed_in_the_chapter_of_its_row():
    """Outputs that are renewed without this page would leave old margins on it.

    What follows "recorded" or "other seeds" in a row, up to the next semicolon, is of runs that no chapter need print.
    """
    rows = [row for row in PAGE.splitlines() if row.startswith("|") and SPREAD.search(row) and CELL.search(row)]
    outputs, stale = {path.stem: printed(path.stem) for path in CHAPTERS}, []
    assert rows, "no row with a spread: has the format changed?"
    for row in rows:
        found = set().union(*(outputs[chapter] for chapter, _ in CELL.findall(row)))
        margins = SPREAD.findall(re.sub(r"\b(recorded|other seeds)\b[^;|]*", "", row))
        stale += [f"{' ± '.join(margin)} in {row}" for margin in margins if margin not in found]
    assert not stale, "not printed in its chapter: " + "\n".join(stale)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_that_trains_takes_its_seeds_from_the_line_that_the_command_replaces(path):
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code = "\n".join(cell.source for cell in cells if "needs-kernel" not in cell.metadata.get("tags", []))  # there readers choose
    assert "fit_seeds(" not in code or claims.with_seeds(notebook, [7, 8, 9])
    derived = re.findall(r"\w+", " ".join(re.findall(r"^(.*?)=.*SEEDS", code, re.M))) + ["SEEDS"]
    for call in re.findall(r"fit_seeds\((?:[^()]|\([^()]*\))*\)", code):
        assert set(derived) & set(re.findall(r"\w+", call)), f"{call} trains with seeds of its own"


def test_the_command_runs_a_chapter_with_other_seeds_and_reports_each_claim_that_fails(tmp_path, capsys):
    path = tmp_path / "01_tiny.ipynb"
    cells = ["SEEDS = (0, 1, 2)", "assert sum(SEEDS) < 5, f'{SEEDS} are too many'", "assert len(SEEDS) == 3"]
    nbformat.write(new_notebook(cells=[new_code_cell(cell, id=f"c{i}") for i, cell in enumerate(cells)]), path)
    before = path.read_bytes()
    assert claims.main([str(path), "--seeds", "0", "1", "3"]) == 0
    assert claims.main([str(path), "--seeds", "7", "8", "9"]) == 1
    assert "1 of 2 cells" in (said := capsys.readouterr().out)
    assert "c1: AssertionError: (7, 8, 9) are too many" in said
    assert path.read_bytes() == before
