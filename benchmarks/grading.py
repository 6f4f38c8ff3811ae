"""Measure the grader, alone on a class and side by side with its peers: ``python benchmarks/grading.py``.

The class: hand-ins of one exercise notebook of the course, right, wrong, untouched, hostile and unreadable ones in fixed shares,
graded by ``course grade`` with two workers. Every outcome is compared with the expected one.

The peers: hand-ins of one assignment of two questions, most of them right, graded by ``otter run`` (a process for each hand-in),
otter's Python interface (one process for all), ``nbgrader autograde``, plain pytest (a process for each, on the notebook's code)
and ``course grade``. All run the same checks, and every score is compared with the expected one. ``otter grade`` needs Docker and
is left out. Ours is measured twice: with as many hand-ins as the others, and with as many as the class has.

CPU seconds are those of all processes of a command, start-up included. Memory is the largest sum over them of the proportional
set size, in which a page that n processes share counts 1/n in each. The kernel takes milliseconds to tell it: it is asked every
five seconds, and where resident memory, which costs nothing to read, is at a new peak. Load is that of all other processes.

otter-grader and nbgrader get virtual environments of their own on first use; torch and numpy are this interpreter's.
"""

import argparse
import csv
import ctypes
import json
import os
import platform
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import NamedTuple

import psutil

from course_lib.grading.processes import jail_level
from course_lib.grading.run import graded_tests
from course_lib.grading.verify import sections

ROOT = Path(__file__).parents[1]
PEERS_FOLDER = ROOT / "build" / "peers"
CHAPTER = "06_squeeze_excitation"
WORKERS, PROGRESS = 2, 10  # processes; seconds between two signs of life
EVERY, AT_LEAST = 0.1, 5  # seconds between two looks at resident memory, and at the proportional set size
SHARES = {"wrong": 0.25, "hostile": 0.08, "stub": 0.05, "unreadable": 0.02}  # the rest is right
GATES = (
    ("class: wall seconds", "<", 60),
    ("class: peak memory, MB", "<", 1000),
    ("nbgrader / ours, CPU seconds per hand-in", ">=", 20),
    ("otter run / ours, CPU seconds per hand-in", ">=", 50),
)

# ------------------------------------------------------------------------------------------------------------- measuring


@dataclass
class Measured:
    """What some commands took, with all their processes."""

    hand_ins: int
    wall: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0  # MB
    peak_without_answers: float = 0.0  # MB, without the processes in which our grader jails answers
    foreign_load: float = 0.0  # share of the machine
    left_behind: list[str] = field(default_factory=list)  # processes that outlived their command
    problems: list[str] = field(default_factory=list)  # what was graded otherwise than expected

    @property
    def cpu_each(self) -> float:
        return self.cpu / self.hand_ins


def measure(what: str, hand_ins: int, commands: list[list[str]], folder: Path, **environment: str) -> Measured:
    """Run commands in a folder, one after the other.

    Raises:
        RuntimeError: if one of them fails.
    """
    found, memory, shown = Measured(hand_ins), Memory(), time.monotonic()
    clock, cpu, idle = time.monotonic(), children_cpu(), idle_seconds()
    for number, command in enumerate(commands):
        with tempfile.TemporaryFile() as screen:
            process = subprocess.Popen(command, cwd=folder, env=os.environ | environment, stdout=screen, stderr=screen)
            while not ended(process):
                memory.look()
                if time.monotonic() - shown > PROGRESS:
                    shown = time.monotonic()
                    print(f"  {what}: {number} of {len(commands)} commands, {shown - clock:.0f} s", flush=True)
            screen.seek(0)
            insist(process.returncode, command, screen.read())
        found.left_behind += end_what_is_left()
    found.wall, found.cpu = time.monotonic() - clock, children_cpu() - cpu
    found.foreign_load = max(0.0, 1 - (found.cpu + idle_seconds() - idle) / (found.wall * os.cpu_count()))
    found.peak, found.peak_without_answers = memory.peak / 1e6, memory.peak_without_answers / 1e6
    print(f"{what}, {hand_ins} hand-ins: {found.wall:.1f} s, {found.cpu:.1f} CPU s, {found.peak:.0f} MB", flush=True)
    return found


def insist(status: int, command: list[str], screen: bytes) -> None:
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {status}:\n{screen.decode(errors='replace')[-3000:]}")


def prepare(command: list[str], folder: Path, **environment: str) -> str:
    """Run what is not measured; returns what it wrote."""
    done = subprocess.run(command, cwd=folder, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    insist(done.returncode, command, done.stdout)
    return done.stdout.decode().strip()


def ended(process: subprocess.Popen) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(EVERY)
    return process.returncode is not None


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def idle_seconds() -> float:
    times = psutil.cpu_times()
    return times.idle + times.iowait


class Memory:
    """Bytes of this process's descendants at the worst moment."""

    def __init__(self):
        self.peak = self.peak_without_answers = self.resident = self.looked = 0.0

    def look(self) -> None:
        processes = psutil.Process().children(recursive=True)
        resident = sum(ask(process, lambda process: process.memory_info().rss) for process in processes)
        if resident < 1.03 * self.resident and time.monotonic() - self.looked < AT_LEAST:
            return
        self.resident, self.looked = max(self.resident, resident), time.monotonic()
        sizes = {process: ask(process, proportional) for process in processes}
        answers = sum(size for process, size in sizes.items() if ask(process, is_answer))
        self.peak = max(self.peak, sum(sizes.values()))
        self.peak_without_answers = max(self.peak_without_answers, sum(sizes.values()) - answers)


def ask(process: psutil.Process, question: Callable[[psutil.Process], int]) -> int:
    try:
        return question(process)
    except (psutil.NoSuchProcess, ProcessLookupError):  # ended meanwhile
        return 0


def proportional(process: psutil.Process) -> int:
    """The proportional set size; of a jailed process that hides it, what it has more than the one it was forked from."""
    try:
        return process.memory_full_info().pss
    except psutil.AccessDenied:
        return max(0, process.memory_info().rss - psutil.Process(process.ppid()).memory_info().rss)


def is_answer(process: psutil.Process) -> bool:
    """Whether our grader jails an answer in it: a fork of the process that loads torch for them, in a session of its own."""
    lines = (" ".join(one.cmdline()) for one in (process, psutil.Process(process.ppid())))
    return os.getsid(process.pid) == process.pid and all("course_lib.grading.zygote" in line for line in lines)


def adopt_orphans() -> None:
    """Become the parent of processes that outlive theirs: their CPU seconds count, and none goes unnoticed."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def end_what_is_left() -> list[str]:
    """End the processes that a command left behind, and name them."""
    _, alive = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=5)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive)
    return [str(process) for process in alive]


# ------------------------------------------------------------------------------------------------------------- the class


class HandIn(NamedTuple):
    """A student's file, and the outcomes that each test may have; none where it cannot be read."""

    kind: str
    content: bytes
    expected: dict[str, set[str]]
    test: str = ""  # whose message has these words
    words: str = ""


class Attack(NamedTuple):
    """A hostile body of ``se_parameters``, and what its tests end in."""

    outcome: str
    code: str


ATTACKS = {
    "loops for ever": Attack("time", "while True: pass"),
    "takes all memory": Attack("memory", "kept = []\nwhile True: kept.append(bytearray(10**6))"),
    "ends its process": Attack("crash", "import os; os._exit(0)"),
    "forks for ever": Attack("raised", "import os\nwhile True: os.fork()"),
    "prints 50 MB and is right": Attack("passed", "print('x' * 50_000_000)\nreturn right(channels, blocks, reduction)"),
    "reads a file": Attack("raised", "return open('/etc/passwd').read()"),
    "kills the grader": Attack("raised", "import os; os.kill(os.getppid(), 9)"),
    "equals everything": Attack("wrong", "return type('All', (int,), {'__eq__': lambda *_: True, '__hash__': None})()"),
}
UNREADABLE = (b"", b'{"cells": [{"cell_type": "code", "sour', b"<!DOCTYPE html><title>Sign in</title>", bytes(range(256)) * 40)


class Chapter:
    """The hand-ins that a chapter's solution, stub and wrong answers make."""

    def __init__(self, name: str):
        tests = graded_tests(ROOT / "tests" / "exercises" / f"test_{name}.py")
        self.exercise_of = {test.test: test.exercise for test in tests}
        self.stub = json.loads((ROOT / "exercises" / f"{name}.ipynb").read_text(encoding="utf-8"))
        solved = json.loads((ROOT / "solutions" / f"{name}.ipynb").read_text(encoding="utf-8"))
        texts = ["".join(cell["source"]) for cell in solved["cells"] if "answer" in cell["metadata"].get("tags", ())]
        found = sections(ROOT / "tests" / "grading" / "wrong_answers" / f"{name}.py")
        self.wrong = [section for section in found if section.test]
        self.right: dict[str, list[str]] = {}  # exercise → right answers, the solution's first
        for exercise in dict.fromkeys(self.exercise_of.values()):
            own = [text for text in texts if self.defines(text, exercise)]
            self.right[exercise] = own + [s.code for s in found if s.exercise == exercise and not s.test]

    @staticmethod
    def defines(text: str, exercise: str) -> bool:
        return f"def {exercise}(" in text or f"class {exercise}(" in text

    def notebook(self, answers: dict[str, str], number: int) -> bytes:
        """The exercise notebook with these answers, outputs of its cells, and a cell of the student's own."""
        cells = []
        for cell in self.stub["cells"]:
            text = "".join(cell["source"])
            if "answer" in cell["metadata"].get("tags", ()):
                text = next((code for exercise, code in answers.items() if self.defines(text, exercise)), text)
            outputs = [{"output_type": "stream", "name": "stdout", "text": ["all requirements met\n"] * 20}]
            cells.append(cell | {"source": text} | ({"outputs": outputs} if cell["cell_type"] == "code" else {}))
        own = {"cell_type": "code", "metadata": {}, "execution_count": 1, "outputs": [], "source": f"print('student {number}')"}
        return json.dumps(self.stub | {"cells": [*cells, own]}).encode()

    def hand_in(self, kind: str, number: int, chance: random.Random) -> HandIn:
        """The number-th hand-in of a kind."""
        answers = {exercise: chance.choice(codes) for exercise, codes in self.right.items()}
        expected = {test: {"passed"} for test in self.exercise_of}
        if kind == "unreadable":
            return HandIn(kind, UNREADABLE[number % len(UNREADABLE)], {})
        if kind == "stub":
            return HandIn(kind, self.notebook({}, number), {test: {"not attempted"} for test in expected})
        if kind == "wrong":
            section = self.wrong[number % len(self.wrong)]
            own = {test: {"passed", "wrong", "raised"} for test in expected if self.exercise_of[test] == section.exercise}
            expected |= own | {section.test: {"wrong", "raised"}}
            answers[section.exercise] = section.code
            return HandIn(kind, self.notebook(answers, number), expected, section.test, section.words)
        if kind == "hostile":
            kind, (outcome, code) = list(ATTACKS.items())[number % len(ATTACKS)]
            body = "\n    ".join(code.splitlines())
            right = self.right["se_parameters"][0].replace("def se_parameters", "def right")
            answers["se_parameters"] = f"{right}\n\ndef se_parameters(channels, blocks, reduction):\n    {body}\n"
            expected |= {test: {outcome} for test in expected if self.exercise_of[test] == "se_parameters"}
        return HandIn(kind, self.notebook(answers, number), expected)


def make_class(size: int) -> dict[str, HandIn]:
    """Student → hand-in; the same for the same size."""
    chapter, chance = Chapter(CHAPTER), random.Random(0)
    counts = {kind: max(1, round(share * size)) for kind, share in SHARES.items()}
    counts = {"right": size - sum(counts.values()), **counts}
    hand_ins = [chapter.hand_in(kind, number, chance) for kind, count in counts.items() for number in range(count)]
    chance.shuffle(hand_ins)
    return {f"student-{number:03}": hand_in for number, hand_in in enumerate(hand_ins)}


def measure_class(size: int) -> tuple[Measured, dict[str, int]]:
    hand_ins = make_class(size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hand-ins").mkdir()
        for student, hand_in in hand_ins.items():
            (folder / "hand-ins" / f"{student}.ipynb").write_bytes(hand_in.content)
        found = measure("class", size, [grade_command("--chapter", CHAPTER)], folder)
        found.problems = list(wrongly_graded(hand_ins, rows_of(folder)))
    return found, dict(Counter(hand_in.kind for hand_in in hand_ins.values()))


def grade_command(*options: str) -> list[str]:
    command = [sys.executable, "-m", "course_lib.cli", "grade", "hand-ins", "--results", "results", "--seed", "0"]
    return [*command, "--workers", str(WORKERS), *options]


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "results" / "results.jsonl").read_text(encoding="utf-8").splitlines()]


def wrongly_graded(hand_ins: dict[str, HandIn], rows: list[dict]) -> Iterator[str]:
    by_place = {(row["student"], row["test"].partition("[")[0]): row for row in rows}
    nothing = {"outcome": "no outcome", "message": ""}
    for student, hand_in in hand_ins.items():
        for test, outcomes in (hand_in.expected or {"": {"not gradable"}}).items():
            row = by_place.get((student, test), nothing)
            if row["outcome"] not in outcomes or (test == hand_in.test and hand_in.words not in row["message"]):
                wanted = " or ".join(sorted(outcomes))
                yield f"{hand_in.kind}, {student}, {test}: {row['outcome']} ({row['message'][:80]!r}), expected {wanted}"


# ------------------------------------------------------------------------------------------------- an assignment for all

IMPORTS = "import torch\nimport torch.nn.functional as F\nfrom torch import nn"
BLOCK = '''
class ResidualBlock(nn.Module):
    """relu(x + conv2(relu(conv1(x)))): two 3×3 convolutions that keep height and width, without bias."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))
'''
COUNT = '''
def count_parameters(channels, blocks):
    """Parameters of that many residual blocks, one after the other."""
    return blocks * 2 * 9 * channels**2
'''
WRONG_BLOCK = BLOCK.replace("F.relu(x + self.conv2(F.relu(self.conv1(x))))", "x + F.relu(self.conv2(F.relu(self.conv1(x))))")
WRONG_COUNT = COUNT.replace("2 * 9 *", "9 *")
CHECKS = """
import torch
import torch.nn.functional as F

def check_block(ResidualBlock, state="state_dict"):
    torch.manual_seed(0)
    for channels in (4, 8):
        x, block = torch.randn(2, channels, 6, 5), ResidualBlock(channels)
        first, second = (getattr(block, state)()[f"conv{number}.weight"] for number in (1, 2))
        expected = F.relu(x + F.conv2d(F.relu(F.conv2d(x, first, padding=1)), second, padding=1))
        assert torch.allclose(block(x), expected, atol=1e-5), "the output is not relu(x + branch(x))"

def check_count(count_parameters):
    for channels, blocks in ((8, 1), (16, 3)):
        assert count_parameters(channels, blocks) == 18 * blocks * channels**2, f"wrong for {channels} channels, {blocks} blocks"
"""
ANSWERS = {"block": "ResidualBlock", "count": "count_parameters"}
POINTS = {"block": 2, "count": 1}


class Submission(NamedTuple):
    """The two answers of a student, and the score that they deserve."""

    block: str
    count: str
    score: float


def make_submissions(size: int) -> dict[str, Submission]:
    """Of ten students one gets the block wrong and one the count."""
    made = {}
    for number in range(size):
        block, count = (WRONG_BLOCK, 0) if number % 10 == 3 else (BLOCK, 2), (WRONG_COUNT, 0) if number % 10 == 7 else (COUNT, 1)
        made[f"student{number:03}"] = Submission(f"# answer {number}\n{block[0]}", count[0], block[1] + count[1])
    return made


def notebook(*cells: str | tuple[str, dict]) -> str:
    """A notebook of code cells, each a text or a text and its metadata."""
    made = []
    for number, cell in enumerate(cells):
        text, metadata = (cell, {}) if isinstance(cell, str) else cell
        made.append({"cell_type": "code", "id": f"cell-{number}", "metadata": metadata, "source": text.strip(), "outputs": []})
        made[-1]["execution_count"] = None
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": made})


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


Scores = dict[str, float]
Submissions = dict[str, Submission]


def ours(_: Path, folder: Path, submissions: Submissions) -> tuple[Measured, Scores]:
    write(
        folder / "tests" / "test_01_assignment.py",
        f"from course_lib.grading import points\n{CHECKS}\n"
        '@points(2, "ResidualBlock")\ndef test_block(answers):\n    check_block(answers.ResidualBlock, "state")\n\n'
        '@points(1, "count_parameters")\ndef test_count(answers):\n    check_count(answers.count_parameters)\n',
    )
    for student, one in submissions.items():
        write(folder / "hand-ins" / f"{student}.ipynb", notebook(IMPORTS, one.block, one.count))
    found = measure("course grade", len(submissions), [grade_command("--tests", "tests")], folder)
    scores: Scores = Counter()
    for row in rows_of(folder):
        scores[row["student"]] += row["points"] * (row["outcome"] == "passed")
    return found, scores


def otter_files(python: Path, folder: Path, submissions: Submissions) -> None:
    for name, answer in ANSWERS.items():
        write(
            folder / "tests" / f"{name}.py",
            f'from otter.test_files import test_case\n\nOK_FORMAT = False\nname = "{name}"\npoints = {POINTS[name]}\n{CHECKS}\n'
            f"@test_case()\ndef test_{name}({answer}):\n    check_{name}({answer})\n",
        )
    checks = [f'grader.check("{name}")' for name in POINTS]
    for student, one in submissions.items():
        cells = ("import otter\n\ngrader = otter.Notebook()", IMPORTS, one.block, checks[0], one.count, checks[1])
        write(folder / f"{student}.ipynb", notebook(*cells))
    prepare([str(python), "-m", "otter", "generate", "-t", "tests", "-o", "autograder.zip", "--no-requirements"], folder)


def otter_run(python: Path, folder: Path, submissions: Submissions) -> tuple[Measured, Scores]:
    otter_files(python, folder, submissions)
    for student in submissions:
        (folder / student).mkdir()
    command = [str(python), "-m", "otter", "run", "-a", "autograder.zip", "--no-logo"]
    found = measure("otter run", len(submissions), [[*command, "-o", s, f"{s}.ipynb"] for s in submissions], folder)
    results = {student: json.loads((folder / student / "results.json").read_text()) for student in submissions}
    return found, {student: sum(test.get("score", 0) for test in one["tests"]) for student, one in results.items()}


OTTER_API = """
import json, sys
from otter.api import grade_submission

scores = {name: grade_submission(f"{name}.ipynb", "autograder.zip", quiet=True).total for name in sys.argv[1:]}
json.dump(scores, open("scores.json", "w"))
"""


def otter_api(python: Path, folder: Path, submissions: Submissions) -> tuple[Measured, Scores]:
    otter_files(python, folder, submissions)
    found = measure("otter's Python interface", len(submissions), [[str(python), "-c", OTTER_API, *submissions]], folder)
    return found, json.loads((folder / "scores.json").read_text())


def nbgrader(python: Path, folder: Path, submissions: Submissions) -> tuple[Measured, Scores]:
    def cells(block: str, count: str) -> str:
        made = [IMPORTS]
        for (name, answer), code in zip(ANSWERS.items(), (block, count), strict=True):
            about = {"schema_version": 3, "task": False}
            given = {**about, "grade_id": name, "grade": False, "solution": True, "locked": False}
            test = {**about, "grade_id": f"test-{name}", "grade": True, "solution": False, "locked": True, "points": POINTS[name]}
            made += [(code, {"nbgrader": given}), (f"{CHECKS}\ncheck_{name}({answer})", {"nbgrader": test})]
        return notebook(*made)

    write(folder / "source" / "a1" / "answers.ipynb", cells(BLOCK, COUNT))
    for student, one in submissions.items():
        write(folder / "submitted" / student / "a1" / "answers.ipynb", cells(one.block, one.count))
    command, path = [str(python), "-m", "nbgrader"], f"{python.parent}{os.pathsep}{os.environ['PATH']}"  # it calls alembic
    prepare([*command, "generate_assignment", "a1", "--create"], folder, PATH=path)
    found = measure("nbgrader autograde", len(submissions), [[*command, "autograde", "a1", "--create"]], folder, PATH=path)
    prepare([*command, "export"], folder, PATH=path)
    with open(folder / "grades.csv", newline="") as file:
        return found, {line["student_id"]: float(line["raw_score"]) for line in csv.DictReader(file)}


def plain_pytest(_: Path, folder: Path, submissions: Submissions) -> tuple[Measured, Scores]:
    tests = "".join(f"\ndef test_{name}():\n    check_{name}({answer})\n" for name, answer in ANSWERS.items())
    for student, one in submissions.items():
        write(folder / student / "answers.py", "\n".join((IMPORTS, one.block, one.count)))
        write(folder / student / "test_answers.py", f"from answers import ResidualBlock, count_parameters\n{CHECKS}{tests}")
    command = [sys.executable, "-c", "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]) not in (0, 1))", "-q"]
    commands = [[*command, f"--junitxml={student}.xml", f"{student}/test_answers.py"] for student in submissions]
    found = measure("pytest", len(submissions), commands, folder, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    scores: Scores = {}
    for student in submissions:
        cases = ElementTree.parse(folder / f"{student}.xml").iter("testcase")
        scores[student] = sum(POINTS[case.get("name").removeprefix("test_")] for case in cases if not len(case))
    return found, scores


class Peer(NamedTuple):
    """A grader, and the packages that it needs of its own."""

    name: str
    package: str
    grade: Callable[[Path, Path, Submissions], tuple[Measured, Scores]]


PEERS = (
    Peer("otter run", "otter-grader", otter_run),
    Peer("otter's Python interface", "otter-grader", otter_api),
    Peer("nbgrader autograde", "nbgrader", nbgrader),
    Peer("pytest, a process each", "", plain_pytest),
)
OURS = Peer("course grade", "", ours)


def environment(folder: Path, package: str) -> Path:
    """The interpreter of a virtual environment with the package, made on first use."""
    python, done = folder / package / "bin" / "python", folder / package / "complete"
    if not done.exists():
        print(f"installing {package} into {folder / package}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        prepare([sys.executable, "-m", "venv", "--clear", package], folder)
        prepare([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package, "ipykernel"], folder)
        site = prepare([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder)
        link_torch(folder / package / "torch")
        Path(site, "torch_of_the_course.pth").write_text(str(folder / package / "torch"))  # searched after its own packages
        done.touch()
    return python


def link_torch(folder: Path) -> None:
    """Links to this environment's torch and numpy and all that they need. More of it would make a peer slower: otter twice."""
    folder.mkdir()
    waiting, seen = ["torch", "numpy"], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        with suppress(PackageNotFoundError):  # not for this system
            package = distribution(name)
            for part in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
                with suppress(FileExistsError):  # several packages may share a folder
                    (folder / part).symlink_to(package.locate_file(part))
            needed = (re.match(r"[\w.-]+", line)[0] for line in package.requires or () if "extra ==" not in line)
            waiting += [name for name in needed if name not in seen]


def measure_peer(peer: Peer, size: int, environments: Path) -> Measured:
    python = environment(environments, peer.package) if peer.package else Path(sys.executable)
    submissions = make_submissions(size)
    with tempfile.TemporaryDirectory() as folder:
        found, scores = peer.grade(python, Path(folder), submissions)
    for student, one in submissions.items():
        if scores.get(student) != one.score:
            found.problems.append(f"{peer.name}, {student}: {scores.get(student)} points, expected {one.score}")
    return found


# ------------------------------------------------------------------------------------------------------------- the report


def settings(environments: Path) -> dict[str, str]:
    model = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    about = {"machine": f"{os.cpu_count()} × {(model or [platform.machine()])[0]}", "python": platform.python_version()}
    about |= {name: version(name) for name in ("course-lib", "torch", "pytest")}
    for package in dict.fromkeys(peer.package for peer in PEERS if peer.package):
        ask = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
        about[package] = prepare([str(environment(environments, package)), "-c", ask], ROOT)
    return about | {"jail": jail_level(), "workers of course grade": str(WORKERS)}


def gates(record: dict) -> list[dict]:
    """The project's bounds; ours with as many hand-ins as the class has."""
    many = record["ours"][-1]["cpu_each"]
    by_name = {peer["name"]: peer["cpu_each"] / many for peer in record["peers"]}
    values = (record["class"]["wall"], record["class"]["peak"], by_name["nbgrader autograde"], by_name["otter run"])
    checked = []
    for (what, sign, bound), value in zip(GATES, values, strict=True):
        holds = value < bound if sign == "<" else value >= bound
        checked.append({"gate": f"{what} ({sign} {bound})", "value": value, "holds": holds})
    return checked


def row(one: dict, ours: list[dict]) -> list[str]:
    ratios = [f"{one['cpu_each'] / own['cpu_each']:.1f}" for own in ours]
    each = [f"{one['cpu_each']:.3f}", f"{one['wall'] / one['hand_ins']:.3f}"]
    return [one["name"], str(one["hand_ins"]), *each, f"{one['peak']:.0f}", *ratios, f"{one['foreign_load']:.0%}"]


def report(record: dict) -> str:
    """The results as Markdown."""
    group, ours = record["class"], record["ours"]
    lines = [f"`{record['command']}`, {record['date']}: {', '.join(f'{k} {v}' for k, v in record['settings'].items())}.", ""]
    lines += [f"Class of {group['hand_ins']} ({', '.join(f'{n} {kind}' for kind, n in group['kinds'].items())}), {CHAPTER}:"]
    lines += [f"{group['wall']:.1f} s on the clock, {group['cpu']:.1f} CPU s, peak memory {group['peak']:.0f} MB,"]
    lines += [f"{group['peak_without_answers']:.0f} MB without the answers' own; load of others {group['foreign_load']:.0%}.", ""]
    ratios = [f"CPU / ours with {own['hand_ins']}" for own in ours]
    header = ["grader", "hand-ins", "CPU s each", "wall s each", "peak, MB", *ratios, "load"]
    rows = [header, ["---"] * len(header), *(row(one, ours) for one in (*record["peers"], *ours))]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    lines += ["", *(f"- {g['gate']}: {g['value']:.1f}, {'holds' if g['holds'] else 'FAILS'}" for g in record["gates"])]
    for one in (group, *record["peers"], *ours):
        lines += [f"- WRONGLY GRADED: {problem}" for problem in one["problems"]]
        lines += [f"- LEFT BEHIND by {one['name']}: {process}" for process in one["left_behind"]]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hand-ins", type=int, default=200, metavar="N", help="of the class, at least 5 (default: 200)")
    parser.add_argument("--peer-hand-ins", type=int, default=10, metavar="N", help="for each of the others (default: 10)")
    parser.add_argument("--peers", type=Path, default=PEERS_FOLDER, metavar="FOLDER", help=f"their environments ({PEERS_FOLDER})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results here")
    options = parser.parse_args()
    if options.hand_ins <= len(SHARES):
        parser.error(f"--hand-ins {options.hand_ins}: expected at least {len(SHARES) + 1}, one of each kind")
    adopt_orphans()
    record = {"command": " ".join(("python", *sys.argv)), "date": date.today().isoformat()}
    environments = options.peers.resolve()
    record["settings"] = settings(environments)
    found, kinds = measure_class(options.hand_ins)
    record["class"] = described("class", found) | {"kinds": kinds}
    sizes = (options.peer_hand_ins, options.hand_ins)
    record["ours"] = [described(OURS.name, measure_peer(OURS, size, environments)) for size in sizes]
    record["peers"] = [described(peer.name, measure_peer(peer, options.peer_hand_ins, environments)) for peer in PEERS]
    record["gates"] = gates(record)
    print(f"\n{report(record)}")
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    wrong = any(one["problems"] or one["left_behind"] for one in (record["class"], *record["ours"], *record["peers"]))
    return int(wrong or not all(gate["holds"] for gate in record["gates"]))


def described(name: str, found: Measured) -> dict:
    return {"name": name, **asdict(found), "cpu_each": found.cpu_each}


if __name__ == "__main__":
    sys.exit(main())
