"""Run, check and generate the notebooks of the course. Nothing else writes their outputs.

    python tools/notebooks.py run [FILES]       execute in a fresh kernel and store canonical outputs
    python tools/notebooks.py check [FILES]     verify everything that can be verified without executing
    python tools/notebooks.py generate [FILES]  write exercises/ from solutions/ (`run` does this too)

Without FILES: all notebooks of book/, solutions/ and exercises/. Exit status 1 if anything is wrong.

A notebook that is run again unchanged keeps every byte, its times and the outputs of cells tagged
`nbval-ignore-output` included; `run --fresh` stores them anew. A cell that raises leaves the file as it was.
"""

import argparse
import ast
import copy
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import inputs
import nbformat
import psutil
import yaml
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

FOLDERS = ("book", "solutions", "exercises")
RUN = "python tools/notebooks.py run"

# What a kernel sees besides the author's environment: no GPU, the same hash order and number of threads everywhere,
# figures as pictures, and proxies that lead nowhere, so that a download fails here before it fails in a classroom.
KERNEL_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "2",
    "MKL_NUM_THREADS": "2",
    "COURSE_LIB_PROGRESS": "0",  # a line that rewrites itself would be stored with all its states
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1"),
}

SETUP_TAGS = ["setup", "hide-input"]
SETUP_SOURCE = """\
# Run this first. On Colab it installs the course package; elsewhere it does nothing.
import importlib.util

if importlib.util.find_spec("course_lib") is None:
    %pip install -q "course-lib @ git+{url}@{branch}\""""

DEFAULT_BUDGET = 60  # seconds of wall clock from top to bottom
CPU_BUDGET_FACTOR = 2  # CPU seconds allowed per second of budget: two threads
HANGING_CELL = 600  # seconds after which a cell is interrupted; the budget is judged afterwards
MAX_OUTPUT_BYTES = 1_000_000  # per cell

# Other metadata comes from editors (widgets, jupytext, colab, execution, collapsed, …) and is removed.
NOTEBOOK_METADATA = ("course", "myst", "mystnb")
CELL_METADATA = ("course", "mystnb", "tags")
KERNEL_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# What `run` writes into the notebook's metadata under "course".
MEASURED = ("seconds", "cpu_seconds", "digest", "inputs", "versions")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"  # the random id of a model that no reader's kernel has

# Script and style of an explorable, which the site brings itself: without them no edit of a script makes an output stale.
LIVE_ONLY = re.compile(r"<(style|script) data-live-only[^>]*>.*?</\1>", re.S)

NOT_REPEATABLE = {
    "a memory address": re.compile(r"\b0x[0-9a-fA-F]{8,}"),
    "an absolute path": re.compile(r"""(?:^|(?<=[\s"'(\[=:]))/(?:[\w.+-]+/)+[\w.+-]+|\b[A-Z]:\\Users\\""", re.M),
}
MARKER = re.compile(r"^(?P<indent>\s*)# (?P<kind>BEGIN|END) SOLUTION\s*$")
LIKE_A_MARKER = re.compile(r"#\s*(BEGIN|END)\W*SOLUTION", re.IGNORECASE)  # misspelt, it would give the answer away
NBVAL_COMMENT = re.compile(r"^\s*#\s*(NBVAL_\w+)\s*$", re.M)


# ----------------------------------------------------------------------------------------------- reading and writing


def cell_error(name: str, cell: NotebookNode, message: str) -> ValueError:
    return ValueError(f"{name}: cell {cell.id}: {message}")


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def read(path: Path) -> NotebookNode:
    """Read a notebook. A cell without an id gets one made from its content: the same one every time."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        ids = [cell["id"] for cell in raw["cells"] if cell.get("id")]
    except (ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{path.name}: not a notebook ({problem!r})") from problem
    if twice := {one for one in ids if ids.count(one) > 1}:
        raise ValueError(f"{path.name}: several cells have the id {min(twice)}; delete the id from all but one")
    for cell in raw["cells"]:
        if not cell.get("id"):
            derived = cell["cell_type"] + "".join(cell["source"])
            while (derived := hashlib.sha256(derived.encode()).hexdigest()[:8]) in ids:
                pass  # an equal cell came before: hash once more
            cell["id"] = derived
            ids.append(derived)
    raw["nbformat"], raw["nbformat_minor"] = 4, 5
    return nbformat.reads(json.dumps(raw), as_version=4)


def canonical(notebook: NotebookNode) -> str:
    """Bring a notebook into canonical form, in place, and return its text."""
    metadata = {key: notebook.metadata[key] for key in NOTEBOOK_METADATA if notebook.metadata.get(key)}
    notebook.metadata = nbformat.from_dict(metadata | KERNEL_METADATA)
    for cell in notebook.cells:
        metadata = {key: cell.metadata[key] for key in CELL_METADATA if cell.metadata.get(key)}
        cell.metadata = nbformat.from_dict(metadata)
        if cell.cell_type == "code":
            cell.outputs = canonical_outputs(cell)
    return nbformat.writes(notebook, version=4) + "\n"  # indent 1, sorted keys, no ASCII escapes


def canonical_outputs(cell: NotebookNode) -> list[NotebookNode]:
    outputs = []
    for is_stream, neighbours in groupby(cell.outputs, key=lambda output: output.output_type == "stream"):
        if is_stream:  # join them, stdout before stderr: the moment at which each is flushed is left to chance
            texts = {"stdout": "", "stderr": ""}
            for output in neighbours:
                texts[output.name] += output.text
            outputs += [nbformat.v4.new_output("stream", name=name, text=text) for name, text in texts.items() if text]
            continue
        for output in neighbours:
            if output.output_type == "error":  # a traceback has a hundred lines and local paths; its last line tells
                output.traceback = [f"{output.ename}: {output.evalue}"]
            else:
                output.data.pop(WIDGET_VIEW, None)
                if "text/html" in output.data:
                    output.data["text/html"] = LIVE_ONLY.sub("", output.data["text/html"])
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
            outputs.append(output)
    return outputs


def digest(notebook: NotebookNode) -> str:
    """Fingerprint of the code cells and their outputs. Text cells are left out: editing them makes no output stale."""
    return hashlib.sha256(json.dumps(code_cells(notebook), sort_keys=True).encode()).hexdigest()


def is_as_stored_by_run(path: Path) -> bool:
    notebook = read(path)
    is_canonical = path.read_bytes() == canonical(notebook).encode()
    return is_canonical and notebook.metadata.get("course", {}).get("digest") == digest(notebook)


def content(notebook: NotebookNode, with_outputs: bool) -> list:
    """What two notebooks are compared by: all but measurements, and outputs (where asked for) that can repeat."""
    course = {key: value for key, value in notebook.metadata.get("course", {}).items() if key not in MEASURED}
    parts = [{**notebook.metadata, "course": course}]
    for cell in notebook.cells:
        repeats = cell.cell_type == "code" and "nbval-ignore-output" not in tags(cell)
        parts.append([cell.id, cell.cell_type, cell.source, cell.metadata, cell.get("attachments")])
        parts[-1] += [cell.outputs] if with_outputs and repeats else []
    return parts


def write(path: Path, text: str) -> bool:
    """Replace the file by text in one step; leave it alone, and return False, if it is equal already."""
    if path.exists() and path.read_bytes() == text.encode():
        return False
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(text.encode())
    os.replace(beside, path)
    return True


def setup_source(root: Path) -> str:
    repository = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return SETUP_SOURCE.format(url=repository["url"], branch=repository["branch"])


def with_setup_cell(notebook: NotebookNode, source: str) -> NotebookNode:
    """Make the setup cell the first code cell: inserted, moved up or rewritten, in place."""
    code = code_cells(notebook)
    if not code or "setup" not in (code[0].id, *tags(code[0])):
        others = [cell for cell in notebook.cells if cell.id != "setup" and "setup" not in tags(cell)]
        above = next((place for place, cell in enumerate(others) if cell.cell_type == "code"), len(others))
        notebook.cells = [*others[:above], nbformat.v4.new_code_cell(), *others[above:]]
    setup = code_cells(notebook)[0]
    setup.id, setup.source, setup.metadata["tags"] = "setup", source, list(SETUP_TAGS)
    return notebook


# ------------------------------------------------------------------------------------------- exercises from solutions


def python_lines(lines: list[str]) -> str:
    """The lines as Python can parse them: magics and shell commands replaced by `pass`."""
    return "\n".join(re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in lines)


def stubbed(source: str) -> str:
    """Replace the lines between markers by `raise NotImplementedError("write NAME")`."""
    lines = source.splitlines()
    stub, begin, indent = [], None, ""
    for number, line in enumerate(lines, start=1):
        marker = MARKER.match(line)
        if marker is None and LIKE_A_MARKER.search(line):
            raise ValueError(f"line {number}: the markers are `# BEGIN SOLUTION` and `# END SOLUTION`, alone on a line")
        if marker is None:
            stub += [line] if begin is None else []
        elif (marker["kind"] == "BEGIN") != (begin is None):
            raise ValueError(f"line {number}: {marker['kind']} SOLUTION without its counterpart before it")
        elif begin is None:
            begin, indent = number, marker["indent"]
            stub.append(f'{indent}raise NotImplementedError("write {enclosing_name(lines, number)}")')
        elif marker["indent"] != indent:
            raise ValueError(f"line {number}: END SOLUTION is not indented like its BEGIN SOLUTION")
        else:
            begin = None
    if begin is not None:
        raise ValueError(f"line {begin}: BEGIN SOLUTION without END SOLUTION")
    ast.parse(python_lines(stub))
    return "\n".join(stub)


def enclosing_name(lines: list[str], number: int) -> str:
    """The name that a student writes at this line: `function`, or `Class.method`."""

    def around(body: list[ast.stmt]) -> ast.stmt | None:
        return next((node for node in body if node.lineno < number <= node.end_lineno), None)

    outer = around(ast.parse(python_lines(lines)).body)
    inner = around(outer.body) if isinstance(outer, ast.ClassDef) else outer
    if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):  # a class body runs, and would raise, at once
        raise ValueError(f"line {number}: BEGIN SOLUTION must stand above a line inside a function or method")
    return inner.name if inner is outer else f"{outer.name}.{inner.name}"


def exercise_from(solution: NotebookNode, name: str, stored: NotebookNode | None) -> NotebookNode:
    """The exercise made from a solution. Cells whose code is that of the stored exercise keep the stored outputs."""
    exercise = copy.deepcopy(solution)
    exercise.cells = [cell for cell in exercise.cells if "solution-only" not in tags(cell)]
    before = {(cell.id, cell.source): cell for cell in code_cells(stored)} if stored else {}
    for cell in code_cells(exercise):
        has_markers = bool(LIKE_A_MARKER.search(cell.source))
        if has_markers != ("answer" in tags(cell)):
            raise cell_error(name, cell, "a cell has the tag `answer` if, and only if, it has SOLUTION markers")
        if has_markers:
            try:
                cell.source = stubbed(cell.source)
            except (ValueError, SyntaxError) as problem:
                raise cell_error(name, cell, str(problem)) from problem
            cell.metadata["tags"] = [tag for tag in tags(cell) if tag != "hide-input"]
        old = before.get((cell.id, cell.source))
        cell.outputs, cell.execution_count = (old.outputs, old.execution_count) if old else ([], None)
    course = stored.metadata.get("course", {}) if stored else {}
    budget = solution.metadata.get("course", {}).get("budget_seconds", DEFAULT_BUDGET)
    exercise.metadata["course"] = {**course, "budget_seconds": budget}
    return exercise


def generated(root: Path, path: Path) -> NotebookNode:
    """The exercise that belongs at path, made from the solution of the same name."""
    solution = root / "solutions" / path.name
    if not solution.exists():
        raise ValueError(f"{label(root, path)}: no solution generates it; delete it, or write solutions/{path.name}")
    notebook = with_setup_cell(read(solution), setup_source(root))
    return exercise_from(notebook, label(root, solution), read(path) if path.exists() else None)


# ------------------------------------------------------------------------------------------------------------ running


class ThisInterpreter(AsyncKernelManager):
    """Starts ipykernel in the interpreter that runs this tool, whatever kernels the machine has."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


def cpu_seconds(kernel_process: int) -> float:
    """CPU seconds that a process has used so far, its finished children included."""
    return sum(psutil.Process(kernel_process).cpu_times()[:4])


def execute(notebook: NotebookNode, folder: Path, name: str) -> tuple[float, float]:
    """Run all code cells in a fresh kernel, in place; return wall and CPU seconds."""
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisInterpreter,
        timeout=HANGING_CELL,
        skip_cells_with_tag="",
        record_timing=False,
    )
    started = time.perf_counter()
    environment = {**os.environ, **KERNEL_ENVIRONMENT}
    with client.setup_kernel(cwd=str(folder), env=environment, stderr=subprocess.DEVNULL):
        for count, cell in enumerate(code_cells(notebook), start=1):
            if not cell.source.strip():
                raise cell_error(name, cell, "is an empty code cell; delete it")
            try:
                client.execute_cell(cell, notebook.cells.index(cell))
            except CellExecutionError as problem:
                raise cell_error(name, cell, f"{problem.ename}: {problem.evalue}") from problem
            except (CellTimeoutError, DeadKernelError) as problem:
                raise cell_error(name, cell, str(problem)) from problem
            if cell.id == "setup" and cell.outputs:  # of an installation
                raise cell_error(name, cell, f"course_lib is not installed for {sys.executable}; pip install -e .")
            cell.execution_count = count
        return time.perf_counter() - started, cpu_seconds(client.km.provisioner.pid)


def computed_with(root: Path, notebook: NotebookNode) -> str:
    """Fingerprint of what a notebook imports from the package."""
    return inputs.fingerprint(root, [cell.source for cell in code_cells(notebook)])


def is_up_to_date(root: Path, path: Path) -> bool:
    """Whether running a chapter would repeat what is stored: its code and what it computes with are those of its last run."""
    notebook = read(path)
    course = notebook.metadata.get("course", {})
    now = (digest(notebook), computed_with(root, notebook), inputs.versions())
    return (course.get("digest"), course.get("inputs"), course.get("versions")) == now


def unfit_outputs(cell: NotebookNode) -> Iterator[str]:
    """What makes the outputs of a cell unfit to be stored."""
    if (size := len(json.dumps(cell.outputs, ensure_ascii=False).encode())) > MAX_OUTPUT_BYTES:
        yield f"its outputs have {size / 1e6:.1f} MB; show less than {MAX_OUTPUT_BYTES / 1e6:.0f} MB"
    for output in cell.outputs:
        data = [part for kind, part in output.get("data", {}).items() if kind not in ("image/png", "image/jpeg")]
        for text in map(str, [output.get("text", ""), output.get("evalue", ""), *data]):
            for what, pattern in NOT_REPEATABLE.items():
                if found := pattern.search(text):
                    yield f"its output shows {what}, {found[0]}, which differs elsewhere; do not print it"
    raises = any(output.output_type == "error" for output in cell.outputs)
    if raises != ("raises-exception" in tags(cell)):
        yield f"{'raises without' if raises else 'does not raise despite'} the tag `raises-exception`"


def run(root: Path, path: Path, fresh: bool = False) -> tuple[str, bool]:
    """Execute one notebook and store it. Return a line that says what happened, and whether it kept its budget."""
    name = label(root, path)
    is_exercise = path.parent.name == "exercises"
    notebook = generated(root, path) if is_exercise else with_setup_cell(read(path), setup_source(root))
    course = notebook.metadata.setdefault("course", nbformat.from_dict({}))
    budget = course.setdefault("budget_seconds", DEFAULT_BUDGET)
    wall, cpu = execute(notebook, path.parent, name)
    canonical(notebook)
    for cell in code_cells(notebook):
        for problem in unfit_outputs(cell):
            raise cell_error(name, cell, problem)
    what = "unchanged"
    is_known = path.exists() and is_as_stored_by_run(path)
    if fresh or not is_known or content(read(path), True) != content(notebook, True):
        what = "rewritten"
        notebook.metadata.course.update(seconds=round(wall, 1), cpu_seconds=round(cpu, 1), digest=digest(notebook))
    else:
        notebook = read(path)
    if path.parent.name == "book":
        notebook.metadata.course.update(inputs=computed_with(root, notebook), versions=inputs.versions())
    write(path, canonical(notebook))
    line = f"{name}: {what}, {wall:.1f} s, {cpu:.1f} CPU seconds, budget {budget} s"
    return (line, True) if wall <= budget else (f"{line}: OVER BUDGET", False)


# ----------------------------------------------------------------------------------------------------------- checking


def unportable_markdown(text: str) -> str | None:
    """The first piece of MyST syntax in a text cell: JupyterLab, Colab and GitHub would show it raw."""
    if directive := re.search(r"^\s*(`{3,}|~{3,}|:{3,})\{[\w:.-]+\}", text, re.M):
        return directive[0].strip()
    without_code = re.sub(r"^\s*(`{3,}|~{3,}).*?^\s*\1", "", text, flags=re.M | re.S)
    without_code = re.sub(r"(?<![`}])(`+)(?!`).+?(?<!`)\1(?!`)", "", without_code)  # `…`, but not the `…` of a {role}
    found = re.search(r"\{[\w:.-]+\}`|^\([\w-]+\)=\s*$", without_code, re.M)
    return found[0] if found else None


def findings(root: Path, path: Path) -> Iterator[str]:
    """Everything wrong with one notebook, a line each: where, what, and what to do."""
    name = label(root, path)
    remedy = f"{RUN} {name}"
    notebook = read(path)
    if path.read_bytes() != canonical(notebook).encode():
        yield f"{name}: not in canonical form (another program saved it); {remedy}"
    course = {"budget_seconds": DEFAULT_BUDGET, "seconds": 0, "cpu_seconds": 0, **notebook.metadata.get("course", {})}
    if course.get("digest") != digest(notebook):
        yield f"{name}: code or outputs are not those of the last run; {remedy}"
    if path.parent.name == "book" and course.get("inputs") != computed_with(root, notebook):
        yield f"{name}: its outputs were computed before a change of the package that it imports; {remedy}"
    if course["seconds"] > course["budget_seconds"]:
        used = f"{course['seconds']} s of {course['budget_seconds']} s"
        yield f"{name}: took {used}; make it lighter, then {RUN} --fresh {name}"
    if course["cpu_seconds"] > CPU_BUDGET_FACTOR * course["budget_seconds"]:
        used = f"{course['cpu_seconds']} CPU seconds, over {CPU_BUDGET_FACTOR} × {course['budget_seconds']} s"
        yield f"{name}: took {used}; make it lighter, then {RUN} --fresh {name}"
    if not (notebook.cells and notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")):
        yield f"{name}: does not begin with a text cell that holds the title, `# …`; add it"
    first = next(iter(code_cells(notebook)), None)
    if first is None or (first.id, first.source, tags(first)) != ("setup", setup_source(root), SETUP_TAGS):
        yield f"{name}: the first code cell is not the setup cell for the address in _config.yml; {remedy}"
    if stale := [cell.id for count, cell in enumerate(code_cells(notebook), start=1) if cell.execution_count != count]:
        yield f"{name}: cell {', '.join(stale)}: not executed, or not from top to bottom; {remedy}"
    for cell in code_cells(notebook):
        here = f"{name}: cell {cell.id}:"
        for problem in unfit_outputs(cell):
            yield f"{here} {problem}; then {remedy}"
        has_image = any(kind.startswith("image/") for output in cell.outputs for kind in output.get("data", {}))
        if has_image and not cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip():
            metadata = '{"mystnb": {"image": {"alt": "…"}}}'
            yield f"{here} shows an image without alternative text; add the cell metadata {metadata}, then {remedy}"
        if comment := NBVAL_COMMENT.search(cell.source):
            yield f"{here} the comment {comment[1]} switches a comparison off unseen; use a cell tag, then {remedy}"
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (syntax := unportable_markdown(cell.source)):
            yield f"{name}: cell {cell.id}: {syntax!r} works on the site only; write portable Markdown"
    if path.parent.name == "exercises":
        expected = generated(root, path)
        canonical(expected)
        if content(expected, False) != content(notebook, False):
            yield f"{name}: not what solutions/{path.name} generates; edit the solution, then {remedy}"


# ------------------------------------------------------------------------------------------------------- command line


def label(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def selected(root: Path, files: list[Path], command: str) -> list[Path]:
    """The notebooks that a command works on; an exercise counts as soon as it has a solution."""
    paths = [file.resolve() for file in files]
    paths = paths or [path for folder in FOLDERS for path in sorted((root / folder).glob("*.ipynb"))]
    exercises = [root / "exercises" / path.name for path in paths if path.parent.name in ("solutions", "exercises")]
    if command == "generate":
        paths = exercises
    elif not files:
        paths += exercises
    return list(dict.fromkeys(paths))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "check", "generate"))
    parser.add_argument("files", nargs="*", type=Path, metavar="FILES")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="the folder of the course")
    parser.add_argument("--fresh", action="store_true", help="run: store times and volatile outputs anew")
    options = parser.parse_intermixed_args(arguments)  # options may stand before FILES
    root = options.root.resolve()
    paths = selected(root, options.files, options.command)
    if options.command != "check":
        (root / "exercises").mkdir(exist_ok=True)
    wrong = 0
    for path in paths:
        try:
            if options.command == "check":
                for finding in findings(root, path):
                    print(finding)
                    wrong += 1
            elif options.command == "generate":
                changed = write(path, canonical(generated(root, path)))
                print(f"{label(root, path)}: {'rewritten' if changed else 'unchanged'}")
            else:
                line, within_budget = run(root, path, options.fresh)
                print(line, flush=True)
                wrong += not within_budget
        except FileNotFoundError:
            print(f"{label(root, path)}: does not exist; {RUN} {label(root, path)}")
            wrong += 1
        except ValueError as problem:
            print(problem)
            wrong += 1
    if options.command == "check":
        print(f"{len(paths)} notebooks, {wrong} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
