"""Change the networks of ``course_lib.models`` one small step at a time and see whether the tests notice.

    python tools/mutants.py --sample 200 --seed 1        a random sample
    python tools/mutants.py --file resnext.py            every mutant of one file
    python tools/mutants.py --retry                      those that survived, again, after the tests were improved
    python tools/mutants.py --report                     what is known so far

A mutant is the package with one stride, group count, width, kernel, padding, activation, order or the like changed. It is written
to a temporary folder, and only the tests of its family run, until the first that fails. Results are appended to a file, so that a
run can be stopped and continued. Each mutant is judged in a fork of a process that has imported torch and the donors' libraries,
which saves ten seconds of each; hence POSIX systems alone.
"""

import argparse
import ast
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "build" / "mutants.jsonl"
LIMIT = 600  # seconds for the tests of one mutant

# What pytest's -k selects for a mutant of each file: its networks, and the tests that are about its blocks.
TESTS = {
    "baselines.py": "alexnet or vgg",
    "bn_inception.py": "bn-inception or both_inception",
    "inception.py": "googlenet or naive or auxiliary or small-inception",
    "inception_resnet.py": "inception-resnet or inception_resnet",
    "inception_v3.py": "inception-v3 or inception_v3 or auxiliary",
    "inception_v4.py": "inception-v4 or inception-resnet-v2 or inception_resnets_of",
    "layers.py": "auxiliary or label or cifar-resnet-20 or resnet-18 or resnet-34 or resnet-101 or resnet-152 or googlenet "
    "or inception-v3 or mobilenet or xception or cifar-resnext-29-8x64d or se-resnet-50 or naive or initialis or wrong or reject",
    "mobilenet.py": "mobilenet or keeps_the_size",
    "plain.py": "keeps_the_size or plain or initialis or cifar-resnet-20 or depth",
    "preact.py": "keeps_the_size or by_default or preact or preactivat or every_block or straight_line or 1001 or depth",
    "resnet.py": "keeps_the_size or cifar-resnet or resnet-18 or resnet-34 or resnet-50 or counts_of_every or every_block "
    "or imagenet_counts or cardinality or plain or zero_init or se-resnet or depth",
    "resnext.py": "keeps_the_size or by_default or resnext or cardinality",
    "separable.py": "xception or separable",
    "shortcuts.py": "cifar-resnet or resnet-18 or resnet-50 or counts_of_every or every_block or pad_shortcut or zero_init "
    "or preact or straight_line",
    "squeeze_excitation.py": "keeps_the_size or se- or senet or squeeze or reduction",
}
# Cheap tests first: most mutants fall to the counts within a second.
ORDER = ["test_counts.py", "test_resnet.py", "test_architectures.py", "test_bad_input.py", "test_parity.py"]

# Mutants that behave as the original, so that no test can fail: (file, what was changed, the line it makes) and the reason.
NO_POOL = "Reduction has no projection after its pool, so that nobody reads the last number"
EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("bn_inception.py", "width", '"3c": (0, 128, 160, 64, 96, 1),'): NO_POOL,
    ("bn_inception.py", "width", '"4e": (0, 128, 192, 192, 256, 1),'): NO_POOL,
    ("resnet.py", "order", "if depth in (34, 18):"): "the order of what is looked through does not matter",
}

LIMITS = {"convs": ("width", "kernel", "stride", "padding")}  # of each step, a tuple
POSITIONS = {  # meaning of the positional arguments
    "Conv2d": ("width", "width", "kernel", "stride", "padding"),
    "conv_bn": ("width", "width", "kernel", "stride", "norm"),
    "MaxPool2d": ("kernel", "stride", "padding"),
    "AvgPool2d": ("kernel", "stride", "padding"),
    "SeparableConv": ("width", "width", "kernel", "stride"),
    "XceptionBlock": ("width", "width", "stride"),
    "DepthwiseSeparable": ("width", "width", "stride"),
}
SWAPPED_NAMES = {
    "MaxPool2d": ("AvgPool2d",),
    "AvgPool2d": ("MaxPool2d",),
    "AdaptiveAvgPool2d": ("AdaptiveMaxPool2d",),
    "ReLU": ("ReLU6", "Identity"),
    "ReLU6": ("ReLU",),
    "relu": ("relu6", "silu"),
    "Sigmoid": ("Hardsigmoid", "Tanh"),
}
SWAPPED_OPERATORS = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "//", ast.FloorDiv: "*", ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<",
    ast.Gt: ">=", ast.GtE: ">", ast.In: "not in", ast.NotIn: "in", ast.And: "or", ast.Or: "and",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: bytes ``start`` to ``end`` of a file become ``text``; ``twin`` numbers lines that read alike."""

    file: str
    kind: str
    line: int
    start: int
    end: int
    text: str
    before: str
    after: str
    twin: int = 0

    @property
    def key(self) -> str:
        """The same for the same change of the same line, wherever in the file that stands."""
        return hashlib.sha256(f"{self.file}|{self.kind}|{self.twin}|{self.before}|{self.after}".encode()).hexdigest()[:12]


def mutants_of(file: Path) -> list[Mutant]:
    """Every mutant of one file that is still Python, each once."""
    source = file.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines = source.decode().splitlines()
    found: dict[bytes, Mutant] = {}
    for kind, line, start, end, text in changes(ast.parse(source), source, starts):
        mutated = source[:start] + text.encode() + source[end:]
        if mutated == source or mutated in found:
            continue
        try:
            compile(mutated, file.name, "exec")
        except SyntaxError:
            continue
        stop = mutated.find(b"\n", start + len(text.encode()))
        after = mutated[starts[line - 1] : stop].decode().strip()
        before = lines[line - 1].strip()
        twin = sum(other.strip() == before for other in lines[: line - 1])
        found[mutated] = Mutant(file.name, kind, line, start, end, text, before, after, twin)
    return list(found.values())


def changes(tree: ast.Module, source: bytes, starts: list[int]) -> Iterator[tuple[str, int, int, int, str]]:
    """(kind, line, first byte, last byte + 1, new text) of every change."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def span(node: ast.AST) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    def text(node: ast.AST) -> str:
        start, end = span(node)
        return source[start:end].decode()

    def replace(kind: str, node: ast.AST, new: str) -> tuple[str, int, int, int, str]:
        return (kind, node.lineno, *span(node), new)

    def swap(kind: str, first: ast.AST, second: ast.AST) -> tuple[str, int, int, int, str]:
        (start, middle), (middle2, end) = span(first), span(second)
        return kind, first.lineno, start, end, text(second) + source[middle:middle2].decode() + text(first)

    for node in ast.walk(tree):
        if ignored(node, parents):
            continue
        if isinstance(node, ast.Constant):
            role = role_of(node, parents)
            for kind, new in constants(node.value, role):
                yield replace(kind, node, new)
        elif isinstance(node, ast.Attribute) and node.attr in SWAPPED_NAMES:
            for new in SWAPPED_NAMES[node.attr]:
                yield replace("pooling" if "Pool" in node.attr else "activation", node, f"{text(node.value)}.{new}")
        elif isinstance(node, (ast.BinOp, ast.Compare, ast.BoolOp)):
            left, right, operator = (
                (node.left, node.right, node.op) if isinstance(node, ast.BinOp)
                else (node.left, node.comparators[0], node.ops[0]) if isinstance(node, ast.Compare)
                else (*node.values[:2], node.op)
            )  # fmt: skip
            if new := SWAPPED_OPERATORS.get(type(operator)):
                start, end = span(left)[1], span(right)[0]
                between = source[start:end].decode()
                closing, opening = between.count(")"), between.count("(")
                yield (
                    "condition" if not isinstance(node, ast.BinOp) else "arithmetic",
                    left.lineno,
                    start,
                    end,
                    (")" * closing + f" {new} " + "(" * opening),
                )
        elif isinstance(node, ast.IfExp):
            yield replace("condition", node, f"{text(node.orelse)} if {text(node.test)} else {text(node.body)}")
        elif isinstance(node, ast.If):
            yield replace("condition", node.test, f"not ({text(node.test)})")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield replace("condition", node, text(node.operand))
        sequence = elements(node)
        for first, second in zip(sequence, sequence[1:], strict=False):
            if text(first) != text(second) and sort_of(first, parents) == sort_of(second, parents):
                yield swap("order", first, second)


def elements(node: ast.AST) -> list[ast.AST]:
    """What follows each other in a call, a list or a tuple."""
    if isinstance(node, ast.Call):
        return node.args
    if isinstance(node, (ast.List, ast.Tuple)) and isinstance(node.ctx, ast.Load):
        return node.elts
    return []


def sort_of(node: ast.AST, parents: dict) -> str:
    """Only what is of one sort changes places; a number in the place of a layer would fall at once and prove nothing."""
    if isinstance(node, ast.Starred):
        node = node.value
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__} {role_of(node, parents)}"
    return "number" if isinstance(node, (ast.Name, ast.Attribute, ast.BinOp)) else type(node).__name__


def ignored(node: ast.AST, parents: dict) -> bool:
    """Annotations, documentation, error messages and the guards before them, indices, imports and signatures of exceptions."""
    child = node
    while child in parents:
        parent = parents[child]
        if isinstance(parent, (ast.Raise, ast.JoinedStr, ast.Subscript, ast.Import, ast.ImportFrom)):
            return True
        if isinstance(parent, ast.Expr) and isinstance(child, ast.Constant):
            return True
        if child is getattr(parent, "annotation", None) or child is getattr(parent, "returns", None):
            return True
        if isinstance(parent, ast.If) and child is parent.test and isinstance(parent.body[-1], ast.Raise):
            return True
        if isinstance(parent, ast.Assign) and any(getattr(name, "id", "") == "remedy" for name in parent.targets):
            return True
        if isinstance(parent, ast.Call) and getattr(parent.func, "id", "") in (
            "isinstance",
            "getattr",
            "hasattr",
            "zip",
            "TypeVar",
        ):
            return True
        if child in getattr(parent, "decorator_list", ()):
            return True
        child = parent
    return isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise)


def role_of(node: ast.Constant, parents: dict) -> str:
    """What a number means: stride, kernel, padding, groups, eps or, without a better name, width."""
    parent = parents[node]
    if isinstance(parent, ast.keyword):
        return parent.arg or "width"
    if isinstance(parent, ast.arguments):
        names = [argument.arg for argument in parent.args]
        if node in parent.defaults:
            return names[len(names) - len(parent.defaults) + parent.defaults.index(node)]
        return parent.kwonlyargs[parent.kw_defaults.index(node)].arg
    if isinstance(parent, ast.Call) and node in parent.args:
        name = getattr(parent.func, "attr", getattr(parent.func, "id", ""))
        roles = POSITIONS.get(name, ())
        index = parent.args.index(node)
        return roles[index] if index < len(roles) else "width"
    if isinstance(parent, ast.Tuple):
        index = parent.elts.index(node)
        call = parents[parent]
        while isinstance(call, (ast.Starred, ast.GeneratorExp)):
            call = parents[call]
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "convs":
            return LIMITS["convs"][index]
        if isinstance(call, ast.Tuple) and call.elts.index(parent) == 1:
            return "kernel"
    if isinstance(parent, ast.IfExp):
        outer = parents[parent]
        if isinstance(outer, ast.keyword):
            return outer.arg or "width"
        if isinstance(outer, ast.Assign) and isinstance(outer.targets[0], ast.Name):
            return outer.targets[0].id
        if isinstance(outer, ast.Call) and parent in outer.args:
            roles = POSITIONS.get(getattr(outer.func, "attr", getattr(outer.func, "id", "")), ())
            index = outer.args.index(parent)
            return roles[index] if index < len(roles) else "width"
    return "width"


def constants(value: object, role: str) -> list[tuple[str, str]]:
    """(kind, new text) of the changes of one literal."""
    if isinstance(value, bool):
        return [("flag " + role, str(not value))]
    if isinstance(value, float):
        if role == "eps" or value in (1e-3, 1e-5):
            return [("eps", "1e-5" if value == 1e-3 else "1e-3")]
        return [(role, repr(round(value * 1.5, 6) if value < 0.5 else round(value * 0.8, 6)))] if value else [(role, "0.1")]
    if not isinstance(value, int):
        return []
    if role in ("stride", "first", "second"):
        return [("stride", "1" if value == 2 else "2")]
    if role in ("kernel", "kernel5"):
        return [("kernel", str({1: 3, 2: 3, 3: 5}.get(value, value - 2)))]
    if role == "padding":
        return [("padding", str({0: 1, 1: 0}.get(value, value - 1)))]
    if role == "groups":
        return [("groups", str({1: 2, 2: 1}.get(value, value // 2)))]
    return [(role if role != "width" else "width", str(value + 1 if value < 8 else value + 8))]


def judge(mutant: Mutant, folder: Path) -> tuple[str, float, str]:
    """Verdict ("killed", "survived", "undecided"), seconds and first failed test of a mutant; of the original for kind "none"."""
    file = folder / "course_lib" / "models" / mutant.file
    source = file.read_bytes()
    if mutant.kind != "none":
        file.write_bytes(source[: mutant.start] + mutant.text.encode() + source[mutant.end :])
    try:
        return verdict_on(mutant, folder)
    finally:
        file.write_bytes(source)


def verdict_on(mutant: Mutant, folder: Path) -> tuple[str, float, str]:
    """As ``judge``, for the package that stands in ``folder``."""
    started, log = time.monotonic(), folder / "log"
    child = os.fork()
    if not child:
        run_tests(mutant.file, folder, log)
    while time.monotonic() - started < LIMIT:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "undecided", time.monotonic() - started, "time limit"
    if os.WIFSIGNALED(status):
        return "undecided", time.monotonic() - started, f"signal {os.WTERMSIG(status)}"
    output = log.read_text(encoding="utf-8", errors="replace")
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    code = os.waitstatus_to_exitcode(status)
    if code == 5:
        raise SystemExit(f"no test is selected for {mutant.file}")
    return ("killed" if code else "survived"), time.monotonic() - started, (failed or [f"exit code {code}"])[0] if code else ""


def run_tests(file: str, folder: Path, log: Path, *options: str) -> None:
    """In the forked process: run pytest on the changed copy, and leave."""
    descriptor = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    code = 70
    try:
        import pytest

        import course_lib

        assert Path(course_lib.__file__).is_relative_to(folder), course_lib.__file__
        files = [str(folder / "tests" / "lib" / name) for name in ORDER]
        code = int(
            pytest.main(
                ["-x", "-q", "-p", "no:cacheprovider", "--tb=no", "-k", f"({TESTS[file]}) and not command", *options, *files]
            )
        )
    finally:
        sys.stdout.flush()
        os._exit(code)


def preload(folder: Path) -> None:
    """Import what every judgement needs, and nothing of the course; compile the tests once, and the networks never."""
    import timm  # noqa: F401
    import torch
    import torch._dynamo
    import torch.utils.flop_counter
    import torchvision.models  # noqa: F401

    torch.set_num_threads(1)
    sys.dont_write_bytecode = False
    child = os.fork()
    if not child:
        run_tests("mobilenet.py", folder, folder / "log", "--collect-only")
    os.waitpid(child, 0)
    sys.dont_write_bytecode = True
    shutil.rmtree(folder / "course_lib" / "models" / "__pycache__")


def read(results: Path) -> dict[str, dict]:
    """The last verdict on each mutant."""
    if not results.exists():
        return {}
    rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    return {row["key"]: row for row in rows}


def report(verdicts: dict[str, dict], known: dict[str, Mutant]) -> None:
    """Print the rate and every survivor, of those mutants that still exist."""
    rows = [row for key, row in verdicts.items() if key in known]
    alive = [row for row in rows if row["verdict"] == "survived"]
    same = {row["key"]: EQUIVALENT[id_] for row in alive if (id_ := (row["file"], row["kind"], row["after"])) in EQUIVALENT}
    holes = [row for row in alive if row["key"] not in same]
    for file, number in sorted(Counter(row["file"] for row in rows).items()):
        survived = sum(row["file"] == file for row in holes)
        print(f"  {file:24} {number:4} tried, {survived:3} survived")
    for title, found in (("Survived", holes), ("Survived because they change nothing", [r for r in alive if r["key"] in same])):
        print(f"{title}: {len(found)}")
        for row in sorted(found, key=lambda row: (row["file"], row["line"])):
            print(f"  {row['file']}:{row['line']} ({row['kind']})\n    - {row['before']}\n    + {row['after']}")
            if row["key"] in same:
                print(f"      {same[row['key']]}")
    counted = len(rows) - len(same)
    killed = sum(row["verdict"] == "killed" for row in rows)
    undecided = sum(row["verdict"] == "undecided" for row in rows)
    print(f"{killed} of {counted} killed ({killed / max(1, counted):.1%}), {undecided} undecided; {len(known)} mutants exist")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", choices=sorted(TESTS), action="append", help="mutate this file alone")
    parser.add_argument("--sample", type=int, help="so many mutants, drawn at random from all files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--retry", action="store_true", help="only those that survived before")
    parser.add_argument("--trust", action="store_true", help="do not first see that the tests pass on each file as it is")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("--report", action="store_true", help="print the results so far and stop")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        run(options, Path(folder).resolve())


def run(options: argparse.Namespace, folder: Path) -> None:
    """Work on a copy in ``folder``, so that the checkout may change meanwhile."""
    for part in ("course_lib", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    known = {mutant.key: mutant for file in sorted(TESTS) for mutant in mutants_of(folder / "course_lib" / "models" / file)}
    verdicts = read(options.results)
    chosen = [mutant for mutant in known.values() if not options.file or mutant.file in options.file]
    random.Random(options.seed).shuffle(chosen)
    chosen = chosen[: options.sample]
    if options.list:
        for mutant in sorted(chosen, key=lambda mutant: (mutant.file, mutant.line)):
            print(f"{mutant.file}:{mutant.line} ({mutant.kind})\n    - {mutant.before}\n    + {mutant.after}")
        print(len(chosen))
        return
    if options.report:
        report(verdicts, known)
        return
    if options.retry:
        chosen = [mutant for mutant in chosen if verdicts.get(mutant.key, {}).get("verdict") == "survived"]
    else:
        chosen = [mutant for mutant in chosen if mutant.key not in verdicts]
    preload(folder)
    options.results.parent.mkdir(exist_ok=True)
    end = time.monotonic() + 60 * options.minutes
    with options.results.open("a", encoding="utf-8") as results:
        for file in [] if options.trust else sorted({mutant.file for mutant in chosen}):
            verdict, seconds, failed = judge(Mutant(file, "none", 0, 0, 0, "", "", ""), folder)
            print(f"{file} as it is: {seconds:.0f} s", flush=True)
            if verdict != "survived":
                raise SystemExit(f"the tests fail on {file} as it is: {failed or verdict}")
        for number, mutant in enumerate(chosen, 1):
            if time.monotonic() > end:
                break
            verdict, seconds, failed = judge(mutant, folder)
            row = {"key": mutant.key, "file": mutant.file, "kind": mutant.kind, "line": mutant.line, "before": mutant.before,
                   "after": mutant.after, "verdict": verdict, "seconds": round(seconds, 1), "by": failed}  # fmt: skip
            verdicts[mutant.key] = row
            results.write(json.dumps(row, ensure_ascii=False) + "\n")
            results.flush()
            if verdict != "killed":
                print(
                    f"[{number}/{len(chosen)}] {verdict} {mutant.file}:{mutant.line} ({mutant.kind}) + {mutant.after}", flush=True
                )
    report(verdicts, known)


if __name__ == "__main__":
    main()
