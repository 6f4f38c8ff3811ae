"""Find a student's definitions in the text of a notebook. Nothing here runs or imports what it reads.

The text may be anything: what is too long or too deep to be read in about a second is refused with the reason.
"""

import __future__

import ast
import builtins
import hashlib
import json
import re
import symtable
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

PYTHON_CELL_MAGICS = ("%%time", "%%capture", "%%prun")  # the rest of such a cell runs as Python in the notebook
ASSIGNED_MAGIC = re.compile(r"[\w, \t]+=[ \t]*[%!]")  # files = !ls
HELP = re.compile(r"[\w.]+\?\??[ \t]*")
WRITTEN = re.compile(r"^[ \t]*(?:async +)?(?:def|class) +(\w+)", re.MULTILINE)
CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
PYTHON_EXPORT_CELL = re.compile(r"^# (?:In ?\[[\d ]*\]:|%%).*$", re.MULTILINE)
IMAGE = re.compile(rb"[A-Za-z0-9+/=\\]{20000,}")  # base64, its line ends written as \n

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
NOT_RUN = (ast.For, ast.AsyncFor, ast.While, ast.Expr, ast.Delete)  # a training loop is not a definition
# Statements that hold others and are run, and the parts of these.
BLOCKS = (ast.If, ast.Try, ast.With, ast.AsyncWith, ast.Match, getattr(ast, "TryStar", ast.Try))
PARTS = (ast.ExceptHandler, ast.match_case)
KERNEL_NAMES = {"__name__", "display", "get_ipython", "input"}  # see kernel.py

# Python parses about 400,000 of the most expensive characters in a second; a long exercise notebook has 15,000.
MAX_CELL = 100_000
MAX_CODE = 250_000
MAX_CELLS = 2_000
MAX_STATEMENTS = 3_000
MAX_SYMBOLS = 250_000  # names × inner scopes of one scope: symtable takes this many steps
MAX_FLAGGED = 300  # statements of one answer in which an odd order is looked for
MAX_TEXT = 16_000_000  # bytes of a notebook without its pictures
MAX_FILE = 700_000_000
PART = 4_000_000  # bytes looked at in one go


class NotebookError(ValueError):
    """The file cannot be graded, and why."""


class Notebook(NamedTuple):
    """What is read of a notebook file: texts of the code cells and of the others, and what was odd about it."""

    code: tuple[str, ...]
    markdown: tuple[str, ...]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Statement:
    """One top-level statement: its code, where it stands, the names it binds and the global names it may look up.

    ``text`` is its source without loops and calls that do not run, its first line is line ``line`` of the cell.
    """

    order: int
    node: ast.stmt
    cell: str
    binds: frozenset[str]
    needs: frozenset[str]
    line: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.cell.strip('<>')}, line {self.line}"


class Source:
    """The code cells of a notebook, and which statements an answer needs.

    Args:
        cells: texts of the code cells.
        markdown: texts of the other cells: nothing in them counts, but :func:`flags` looks for answers there.

    Attributes:
        names: what the notebook itself defines (``def``, ``class`` or assignment; imports do not count).
        answers: these, and what it tries to define in cells with a syntax error.
        broken: for names that stand in a cell with a syntax error, that error; an answer without one goes before it.
        cells: text of each cell by its label, line numbers as in the notebook.
        flags: compiler flags of the ``from __future__`` imports.
        markdown: as given.
        deleted: for names of ``del`` statements, where they stand.
        written: the statements that define a name, the ones that do not count included.
    """

    def __init__(self, cells: Iterable[str], markdown: Iterable[str] = ()):
        texts = [text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n") for text in cells]
        self.cells = {f"<cell {number}>": text for number, text in enumerate(texts, 1)}
        self.markdown = tuple(markdown)
        self.broken: dict[str, SyntaxError] = {}
        self.deleted: dict[str, str] = {}
        self.written: dict[str, list[Statement]] = {}
        self._statements: dict[str, list[Statement]] = {}  # name → the statements that give it its last value
        self._order = 0
        self.flags = 0
        room = MAX_CODE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for label, text in self.cells.items():
                room -= len(text)
                try:
                    if len(text) > MAX_CELL or room < 0:
                        total = MAX_CODE - room
                        raise SyntaxError(f"too long to be read: {len(text):,} characters, {total:,} in all cells so far")
                    tree, text = _parse(text)
                except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                    self._break(_written(text), error)
                    continue
                for statement in self._read(tree, text, label):
                    self._add(statement)
        self.names = {name for name, last in self._statements.items() if not isinstance(last[-1].node, IMPORTS)}
        self.names -= {name for name in self.broken if name in self.names and not attempted(self, name)}  # the stub, and a try
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
                fresh = set(self._statements.get(name, ())) - found
                found |= fresh
                for statement in fresh:
                    wanted.extend(statement.needs)
        return sorted(found, key=lambda statement: statement.order)

    def _read(self, tree: ast.Module, text: str, label: str) -> Iterator[Statement]:
        """The statements of a cell that are run; a broken one breaks only the names that it defines."""
        lines = text.split("\n")
        ends = [0, *(node.end_lineno for node in tree.body)]
        starts = [*map(_first_line, tree.body), len(lines) + 1]
        for place, node in enumerate(tree.body):
            if isinstance(node, ast.Delete):
                names = (target.id for target in node.targets if isinstance(target, ast.Name))
                self.deleted |= dict.fromkeys(names, f"{label.strip('<>')}, line {node.lineno}")
            if isinstance(node, NOT_RUN) or (isinstance(node, ast.AnnAssign) and node.value is None):
                continue
            first, last = starts[place], node.end_lineno
            alone = ends[place] < first and last < starts[place + 1]
            self._order += 1
            try:
                if self._order > MAX_STATEMENTS:
                    raise SyntaxError(f"too long to be read: more than {MAX_STATEMENTS:,} statements")
                source = "\n".join(lines[first - 1 : last]) if alone else ast.unparse(node)
                if isinstance(node, BLOCKS):
                    node, source = _without_loops(node, source if alone else None, first)
                yield self._statement(node, source, label, first)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                if isinstance(error, SyntaxError) and error.lineno:
                    error.lineno += first - 1
                self._break([node.name] if isinstance(node, DEFINITIONS) else [], error)

    def _statement(self, node: ast.stmt, source: str, label: str, first: int) -> Statement:
        table = symtable.symtable(source, label, "exec")
        binds = {symbol.get_name() for symbol in _symbols(table) if symbol.is_assigned() or symbol.is_imported()}
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            binds = {"*"}
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                self.flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
        return Statement(self._order, node, label, frozenset(binds), frozenset(_globals(table)), first, source)

    def _add(self, statement: Statement) -> None:
        node = statement.node
        for name in statement.binds:
            fresh = isinstance(node, (*DEFINITIONS, *IMPORTS)) or (
                isinstance(node, (ast.Assign, ast.AnnAssign)) and name not in statement.needs
            )
            if not isinstance(node, IMPORTS):
                self.written.setdefault(name, []).append(statement)
            if fresh and name != "*":
                self._statements[name] = [statement]
            else:
                self._statements.setdefault(name, []).append(statement)
        if isinstance(node, ASSIGNMENTS):  # Net.forward = forward; SIZES["large"] = 512
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                while isinstance(target, (ast.Attribute, ast.Subscript)):
                    target = target.value
                if isinstance(target, ast.Name) and target.id in self._statements and target.id not in statement.binds:
                    self._statements[target.id].append(statement)

    def _break(self, names: list[str], error: Exception) -> None:
        """Note what cannot be defined because of a syntax error."""
        if not isinstance(error, SyntaxError):
            error = SyntaxError(str(error) if isinstance(error, ValueError) else "nested too deeply to be read")
        error.msg, error.text = str(error.msg)[:200], (error.text or "")[:200]
        self.broken |= dict.fromkeys(names, error.with_traceback(None))


# ------------------------------------------------------------------------------------------------- about an answer


def attempted(source: Source, exercise: str) -> bool:
    """Whether the answer is there and more than a stub (``pass``, ``...``, ``raise NotImplementedError``)."""
    written = [statement.node for statement in source.written.get(exercise, ())]
    if exercise not in source.names or not written:
        return exercise in source.broken
    return not _is_stub(written[-1])


def closure_hash(source: Source, exercise: str) -> str:
    """SHA-256 of the code of the answer and of all that it refers to, whatever layout and comments; "" if not attempted."""
    if not attempted(source, exercise):
        return ""
    if exercise not in source.names:
        cells = [text for text in source.cells.values() if exercise in _written(text)]
        return hashlib.sha256("\0".join(cells).encode("utf-8", "replace")).hexdigest()
    digest = hashlib.sha256()
    for statement in source.closure(exercise):
        try:
            code = ast.dump(statement.node)
        except (RecursionError, ValueError):  # nested hundreds deep, or a number of thousands of digits
            code = statement.text
        digest.update(code.encode("utf-8", "replace") + b"\0")
    return digest.hexdigest()


def flags(source: Source, exercise: str, forbidden: Iterable[str] = ()) -> list[str]:
    """What the instructor should know about how an answer stands in its notebook. None of it changes the mark.

    Args:
        forbidden: ready-made names that the answer should not use (see :func:`forbidden_names`).
    """
    found = []
    written, closure = source.written.get(exercise, ()), source.closure(exercise)
    if written and exercise not in source.names:
        found.append(f"{exercise} ({written[-1].place}) is replaced by an import of that name")
    elif not set(written) <= set(closure):
        found.append(f"{exercise} is written {len(written)} times; the last counts ({written[-1].place})")
    if exercise in source.deleted:
        found.append(f"{exercise} is deleted ({source.deleted[exercise]}); graded as written before")
    if exercise in source.broken:
        ignored = "; an earlier one is graded" if exercise in source.names else ""
        found.append(f"{exercise} stands in a cell with a syntax error{ignored}")
    if any(exercise in _written(text) for text in source.markdown):
        found.append(f"{exercise} is defined in a text cell, which does not run")
    skipped = (text for text in source.cells.values() if _is_other_language(text))
    if any(exercise in _written(text) for text in skipped):
        found.append(f"{exercise} is defined in a cell whose %% line keeps it from running")
    return found + _order_flags(closure) + _name_flags(closure) + _forbidden_flags(closure, set(forbidden))


def nearest(exercise: str, names: Iterable[str]) -> str:
    """The name that was probably meant to be the exercise's; "" if there is none. Case and underscores hardly count."""
    plain = {name.casefold().replace("_", ""): name for name in sorted(names)}
    found = get_close_matches(exercise.casefold().replace("_", ""), plain, n=1, cutoff=0.8)
    return plain[found[0]] if found else ""


def forbidden_names(test_text: str) -> dict[str, tuple[str, ...]]:
    """The ready-made names by exercise that a graded test file lists as ``FORBIDDEN = {"SEBlock": ("SqueezeExcitation",)}``.

    Raises:
        ValueError: if ``FORBIDDEN`` is not written out as such a dictionary.
    """
    for node in ast.parse(test_text).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["FORBIDDEN"]:
            try:
                table = {str(exercise): tuple(names) for exercise, names in ast.literal_eval(node.value).items()}
                if all(isinstance(name, str) and len(name) > 1 for names in table.values() for name in names):
                    return table
            except (ValueError, TypeError, AttributeError):
                pass
            raise ValueError(f"FORBIDDEN (line {node.lineno}): expected exercise names with tuples of names, written out")
    return {}


def _written(text: str) -> list[str]:
    """Names that a text would define, whether it is Python or not."""
    return WRITTEN.findall(text[:MAX_CODE])


def _is_stub(node: ast.stmt) -> bool:
    if isinstance(node, ast.ClassDef):
        methods = [part for part in node.body if isinstance(part, FUNCTIONS)]
        if not methods and any(ast.unparse(base).split(".")[-1] not in ("Module", "object") for base in node.bases):
            return False  # everything is inherited
        return all(_is_stub(part) if isinstance(part, FUNCTIONS) else _says_nothing(part) for part in node.body)
    if not isinstance(node, FUNCTIONS):
        return False
    returns = any(isinstance(part, (ast.Return, ast.Yield, ast.YieldFrom)) for part in ast.walk(node))
    return all(map(_says_nothing, node.body)) or (not returns and any(map(_is_not_implemented, node.body)))


def _is_not_implemented(node: ast.stmt) -> bool:
    error = getattr(node, "exc", None)
    error = error.func if isinstance(error, ast.Call) else error
    return isinstance(error, ast.Name) and error.id == "NotImplementedError"


def _says_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _order_flags(closure: list[Statement]) -> list[str]:
    """Definitions that only work after a cell further down has run."""
    last = {name: statement for statement in closure for name in statement.binds}
    first = {name: statement for statement in reversed(closure) for name in statement.binds}
    found: list[str] = []
    for statement in closure[:MAX_FLAGGED]:
        late = [name for name in statement.needs if name in first and first[name].order > statement.order]
        if late:
            late = sorted(_globals(symtable.symtable(statement.text, "", "exec"), at_once=True).intersection(late))
            found += [f"{statement.place} needs {name}, which is only defined in {last[name].place}" for name in late]
    return found[:3]


def _name_flags(closure: list[Statement]) -> list[str]:
    bound = set().union(*(statement.binds for statement in closure))
    needed = set().union(*(statement.needs for statement in closure)) - bound
    found = ['input() gives "" while grading'] if "input" in needed else []
    if "*" not in bound:
        unknown = sorted(needed - KERNEL_NAMES - set(dir(builtins)))
        if unknown:
            found.append(f"no cell defines {', '.join(unknown[:5])}")
    return found


def _forbidden_flags(closure: list[Statement], forbidden: set[str]) -> list[str]:
    imported = {}
    for statement in closure:
        if isinstance(statement.node, IMPORTS):
            imported |= {alias.asname or alias.name: alias.name.split(".")[-1] for alias in statement.node.names}
    found: dict[str, None] = {}
    for statement in closure if forbidden else ():
        for node in ast.walk(statement.node):
            name = getattr(node, "id", getattr(node, "attr", getattr(node, "value", None)))
            name = imported.get(name, name) if isinstance(name, str) else None
            if name in forbidden:
                found[f"uses {name} ({statement.cell.strip('<>')}, line {node.lineno})"] = None
    return list(found)[:5]


# ---------------------------------------------------------------------------------------------------- reading files


def read_notebook(path: str | Path) -> Source:
    """Read the code cells of a notebook file, or of a Python file exported from one.

    Raises:
        NotebookError: if there is no such file, it is a folder, or it is not a notebook.
    """
    path = Path(path)
    if path.is_dir():
        raise NotebookError(f"{path} is a folder: give one notebook file")
    try:
        with path.open("rb") as stream:
            notebook = read_cells(stream, python=path.suffix == ".py")
    except FileNotFoundError:
        raise NotebookError(f"{path}: there is no such file") from None
    except OSError as error:
        raise NotebookError(f"{path} cannot be read: {error}") from None
    except NotebookError as error:
        raise NotebookError(f"{path} {error}") from None
    return Source(notebook.code, notebook.markdown)


def read_cells(stream: BinaryIO, python: bool = False) -> Notebook:
    """Read a notebook, nbformat 2 to 4, from a stream of bytes; of outputs nothing is kept.

    Args:
        python: read it as a Python file instead.
    Raises:
        NotebookError: if it is not a notebook or too large; the words follow the name of the file.
    """
    data = _without_images(stream)
    if not data.strip():
        raise NotebookError("is empty. Save the notebook and hand it in again")
    text, odd = _decode(data)
    if python:
        if CONFLICT.search(text):
            raise NotebookError("has git conflict markers in it. Resolve the conflict and hand it in again")
        _require_short([text])
        return Notebook(_python_cells(text), (), odd)
    try:  # a number is of no interest, and a long one takes long
        notebook = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        if CONFLICT.search(text):
            raise NotebookError("has git conflict markers in it. Resolve the conflict and hand it in again") from None
        if text.lstrip()[:9].lower().startswith(("<!doctype", "<html")):
            raise NotebookError("is a web page and not a notebook. Hand in the .ipynb file itself: File > Download") from None
        raise NotebookError(f"is not a notebook: not JSON ({error}). Save it, download it again and hand that in") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        sheets = [sheet.get("cells") for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
        odd = (*odd, "an old notebook format (nbformat 3)")
    if not isinstance(cells, list):
        raise NotebookError("is not a notebook: it has no list of cells. Hand in the .ipynb file: File > Download")
    if len(cells) > MAX_CELLS:
        raise NotebookError(f"has {len(cells):,} cells; at most {MAX_CELLS:,} are read. Hand in the exercises alone")
    code, markdown, room = [], [], MAX_CODE
    for cell in cells:
        if isinstance(cell, dict):
            is_code = cell.get("cell_type") == "code"
            source = cell.get("source", cell.get("input", ""))
            if isinstance(source, list):
                source = "".join(line for line in source if isinstance(line, str))
            source = source if isinstance(source, str) else ""
            if is_code:
                code.append(_whole_characters(source))
            elif room > 0:
                markdown.append(_whole_characters(source[:room]))
                room -= len(source)
    _require_short(code)
    return Notebook(tuple(code), tuple(markdown), odd)


def _without_images(stream: BinaryIO) -> bytes:
    """All bytes, but of a large file without the long base64 strings, which are pictures.

    A quotation mark ends every string, so a piece between two of them that is all base64 is one string, or the middle of one.
    """
    start = stream.read(MAX_TEXT + 1)
    if len(start) <= MAX_TEXT:
        return start
    kept, rest, size, total = [], b"", 0, 0
    parts = chain((start[at : at + PART] for at in range(0, len(start), PART)), iter(lambda: stream.read(PART), b""))
    for part in parts:
        *pieces, rest = (rest + part).split(b'"')
        for piece in pieces:
            kept.append(b"" if _is_image(piece) else piece)
            size += len(kept[-1]) + 10  # many short ones are no better than a few long ones
        if _is_image(rest):
            rest = rest[:20000].replace(b"\\", b"A")  # still one, and short
        total += len(part)
        if size + len(rest) > MAX_TEXT or total > MAX_FILE:
            raise NotebookError(
                f"is too large: more than {MAX_TEXT // 10**6} MB without its pictures, or {MAX_FILE // 10**6} MB with them. "
                "Clear the outputs (Edit > Clear All Outputs), save and hand it in again"
            )
    return b'"'.join([*kept, rest])


def _is_image(piece: bytes) -> bool:
    return len(piece) >= 20000 and IMAGE.fullmatch(piece) is not None and not piece.endswith(b"\\")


def _decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    encoding = json.detect_encoding(data)  # UTF-8, UTF-16 or UTF-32, with a byte order mark or without
    try:
        return data.decode(encoding), () if encoding.startswith("utf-8") else (f"read as {encoding.upper()}",)
    except UnicodeDecodeError:
        return data.decode("latin-1"), ("not UTF-8, read as Latin-1",)


def _python_cells(text: str) -> tuple[str, ...]:
    """A Python file as one cell, or, if it has a syntax error, as the cells that it was exported from."""
    text = _whole_characters(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return tuple(PYTHON_EXPORT_CELL.split(text)[:MAX_CELLS])
    return (text,)


def _require_short(code: list[str]) -> None:
    size = sum(map(len, code))
    if size > MAX_CODE:
        raise NotebookError(f"has {size:,} characters of code; at most {MAX_CODE:,} are read. Hand in the exercises alone")


def _whole_characters(text: str) -> str:
    """The text without half characters (lone surrogates), which nothing can write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


# ----------------------------------------------------------------------------------------------------- Python's text


def _parse(text: str) -> tuple[ast.Module, str]:
    """The cell's code, and its text without IPython's own syntax, line for line."""
    try:
        return ast.parse(text), text
    except SyntaxError:  # only then: a line of plain Python may begin with % too
        plain = _without_magics(text)
        if plain == text:
            raise
        return ast.parse(plain), plain


def _is_other_language(text: str) -> bool:
    start = text.lstrip()
    return start.startswith("%%") and start.split(None, 1)[0] not in PYTHON_CELL_MAGICS


def _without_magics(text: str) -> str:
    """Replace %magic, !command, ?help, help? and files = !ls, with the lines they continue on; undo a common indent."""
    if _is_other_language(text):
        return ""
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" \t"))]
    continued = False
    for place, line in enumerate(lines):
        line = line.removeprefix(indent)
        code = line.lstrip(" \t")
        if continued:
            lines[place] = ""
        elif code.startswith(("%", "!", "?")) or ASSIGNED_MAGIC.match(code) or HELP.fullmatch(code):
            lines[place] = line[: len(line) - len(code)] + "pass"
        else:
            lines[place] = line
            continue
        continued = code.endswith("\\")
    return "\n".join(lines)


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])


def _without_loops(node: ast.stmt, source: str | None, first: int) -> tuple[ast.stmt, str]:
    """A block without the loops and calls in it that do not run, as code and as text with the same line numbers.

    ``source`` is the block's text, or None if it shares a line with others: then its line numbers are lost.
    """
    lines = source.split("\n") if source is not None else []
    bodies, dropped = [node], 0
    while bodies:
        block = bodies.pop()
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            statements = getattr(block, field, [])
            for place, part in enumerate(statements):
                if isinstance(part, (*BLOCKS, *PARTS)):
                    bodies.append(part)
                elif isinstance(part, NOT_RUN):
                    statements[place] = ast.copy_location(ast.Pass(), part)
                    dropped += 1
                    for number in range(part.lineno - first, part.end_lineno - first + 1 if lines else 0):
                        lines[number] = lines[number][: part.col_offset] + "pass" if number == part.lineno - first else ""
    if not dropped:
        return node, ast.unparse(node) if source is None else source
    text = "\n".join(lines)
    try:
        if source is not None and ast.dump(ast.parse(text).body[0]) == ast.dump(node):
            return node, text
    except (SyntaxError, ValueError, IndexError):
        pass  # two statements on a line
    return node, ast.unparse(node)


def _symbols(table: symtable.SymbolTable) -> list[symtable.Symbol]:
    if len(table.get_identifiers()) * len(table.get_children()) > MAX_SYMBOLS:
        raise SyntaxError("too many definitions in one statement to be read")
    return table.get_symbols()


def _globals(table: symtable.SymbolTable, at_once: bool = False) -> set[str]:
    """Names that the code looks up outside its own functions, by Python's own scoping.

    ``at_once``: only those that it looks up when it is run, and not when a function in it is called.
    """
    if at_once and table.get_type() == "function" and not table.get_name().endswith(("comp", "genexpr")):
        return set()
    own = {
        symbol.get_name()
        for symbol in _symbols(table)
        if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module")
    }
    return own.union(*(_globals(child, at_once) for child in table.get_children()))
