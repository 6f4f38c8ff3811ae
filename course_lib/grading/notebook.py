"""Find a student's definitions in the text of a notebook. Nothing here runs or imports what it reads."""

import __future__

import ast
import json
import re
import symtable
import warnings
from dataclasses import dataclass
from pathlib import Path

# A line of IPython's own syntax (%magic, !command, ?help, help?, files = !ls), with the lines it continues on.
MAGIC = re.compile(r"^([ \t]*)(?:(?:[\w, \t]+=[ \t]*[%!]|[%!?])(?:.*\\\n)*.*|[\w.]+\?\??[ \t]*)$", re.MULTILINE)
PYTHON_CELL_MAGICS = ("%%time", "%%capture", "%%prun")  # the rest of such a cell runs as Python in the notebook

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
NOT_RUN = (ast.For, ast.AsyncFor, ast.While, ast.Expr, ast.Delete)  # a training loop is not a definition


class NotebookError(ValueError):
    """The file cannot be graded, and why."""


@dataclass(frozen=True, eq=False)
class Statement:
    """One top-level statement: its code, where it stands, the names it binds and the global names it may look up."""

    order: int
    node: ast.stmt
    cell: str
    binds: frozenset[str]
    needs: frozenset[str]


class Source:
    """The code cells of a notebook, and which statements an answer needs.

    Attributes:
        names: what the notebook itself defines (``def``, ``class`` or assignment; imports do not count).
        answers: these, and what it tries to define in cells with a syntax error.
        broken: for names that stand only in a cell with a syntax error, that error.
        cells: text of each cell by its label, line numbers as in the notebook.
        flags: compiler flags of the ``from __future__`` imports.
    """

    def __init__(self, cells: list[str]):
        self.cells = {f"<cell {number}>": text for number, text in enumerate(cells, 1)}
        self.broken: dict[str, SyntaxError] = {}
        self._statements: dict[str, list[Statement]] = {}  # name → the statements that give it its last value
        self._order = 0
        self.flags = 0
        for label, text in self.cells.items():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    statements = [self._read(node, label) for node in _parse(text).body]
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                error = error if isinstance(error, SyntaxError) else SyntaxError(str(error))
                self.broken |= dict.fromkeys(re.findall(r"^(?:async +)?(?:def|class) +(\w+)", text, re.MULTILINE), error)
                continue
            for statement in statements:
                self._add(statement)
        self.names = {name for name, last in self._statements.items() if not isinstance(last[-1].node, IMPORTS)}
        self.answers = self.names | set(self.broken)

    def closure(self, name: str) -> list[Statement]:
        """The statements that define ``name`` and everything it refers to, in notebook order."""
        found: set[Statement] = set()
        seen: set[str] = set()
        wanted = [name, "*"]
        while wanted:
            name = wanted.pop()
            if name not in seen:
                seen.add(name)
                for statement in self._statements.get(name, []):
                    found.add(statement)
                    wanted.extend(statement.needs)
        return sorted(found, key=lambda statement: statement.order)

    def _read(self, node: ast.stmt, label: str) -> Statement:
        table = symtable.symtable(ast.unparse(node), label, "exec")
        binds = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            binds = {"*"}
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                self.flags |= getattr(__future__, alias.name).compiler_flag
        self._order += 1
        return Statement(self._order, node, label, frozenset(binds), frozenset(_globals(table)))

    def _add(self, statement: Statement) -> None:
        node = statement.node
        if isinstance(node, NOT_RUN) or (isinstance(node, ast.AnnAssign) and node.value is None):
            return
        for name in statement.binds:
            fresh = isinstance(node, (*DEFINITIONS, *IMPORTS)) or (
                isinstance(node, (ast.Assign, ast.AnnAssign)) and name not in statement.needs
            )
            before = [] if fresh and name != "*" else self._statements.get(name, [])
            self._statements[name] = [*before, statement]
        if isinstance(node, ASSIGNMENTS):  # Net.forward = forward; SIZES["large"] = 512
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                while isinstance(target, (ast.Attribute, ast.Subscript)):
                    target = target.value
                if isinstance(target, ast.Name) and target.id in self._statements and target.id not in statement.binds:
                    self._statements[target.id].append(statement)


def read_notebook(path: str | Path) -> Source:
    """Read the code cells of a notebook file.

    Raises:
        NotebookError: if there is no such file, it is a folder, or it is not a notebook.
    """
    path = Path(path)
    if path.is_dir():
        raise NotebookError(f"{path} is a folder: give one notebook file")
    try:
        notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise NotebookError(f"{path}: there is no such file") from None
    except (OSError, UnicodeError) as error:
        raise NotebookError(f"{path} cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"{path} is not a notebook: not JSON ({error})") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise NotebookError(f"{path} is not a notebook: it has no list of cells")
    code = [cell.get("source", "") for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    return Source(["".join(map(str, text)) if isinstance(text, list) else str(text) for text in code])


def _parse(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError:  # only then: a line of plain Python may begin with % too
        first, _, rest = text.lstrip().partition("\n")
        if first.startswith("%%"):
            text = "\n" * text.partition("%%")[0].count("\n") + "\n" + rest
            if first.split()[0] not in PYTHON_CELL_MAGICS:
                return ast.Module([], [])
        return ast.parse(MAGIC.sub(lambda line: line[1] + "pass" + "\n" * line[0].count("\n"), text))


def _globals(table: symtable.SymbolTable) -> set[str]:
    """Names that the code looks up outside its own functions, by Python's own scoping."""
    own = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module")
    }
    return own.union(*map(_globals, table.get_children()))
