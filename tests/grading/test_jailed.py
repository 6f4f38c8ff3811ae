"""Answers in a jailed process: the same verdicts as in process, deaths told apart, and nothing that a hostile one can forge."""

import os
import re
import signal
import struct
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from itertools import zip_longest
from pathlib import Path

import pytest
import test_exercises as exercises
import torch
from jails import jailed_answers

# All that holds for an answer in process holds for a jailed one: the fixture below replaces the one they were written for.
from test_finding_answers import *  # noqa: F403
from test_the_door import *  # noqa: F403
from test_the_door import NET

from course_lib.grading import door, jail, wire
from course_lib.grading.door import Answers
from course_lib.grading.jail import Limits
from course_lib.grading.jailed import Jailed
from course_lib.grading.notebook import Source
from course_lib.grading.processes import Zygote
from course_lib.grading.results import NotAttempted, Raised, Refused, Stopped
from course_lib.grading.run import run_tests

pytestmark = pytest.mark.skipif(bool(jail.missing()), reason=f"no jail here: {jail.missing()}")


@pytest.fixture(scope="module")
def zygote():
    with Zygote() as process:
        yield process


@pytest.fixture
def answers(zygote):
    """The answers in a notebook of these cells, each in a process of its own."""
    opened = []

    def open_(*cells: str, **limits) -> Answers:
        opened.append(Jailed(zygote, Source([cell.strip("\n") for cell in cells]), **limits))
        return Answers(opened[-1])

    yield open_
    for jailed in opened:
        jailed.close()


@pytest.fixture
def stopped(zygote):
    """How the process of this answer ``f`` ends when it is called."""

    def stop(code: str, *args, **limits) -> Stopped:
        with jailed_answers(zygote, code, **limits) as answers:
            with pytest.raises(Stopped) as caught:
                answers.f(*args)
            with pytest.raises(Stopped) as again:  # nothing brings it back
                answers.f(*args)
        assert again.value.outcome == caught.value.outcome
        return caught.value

    return stop


# ----------------------------------------------------------------------------------------------------- agreement


@pytest.fixture(scope="module")
def standard():
    """Where nobody may not read Python's libraries, answers have only those that the zygote has loaded."""
    with Zygote("standard") as process:
        yield process


QUICK = exercises.CHAPTERS[:1]


@pytest.mark.parametrize("chapter", [pytest.param(c, marks=() if c in QUICK else pytest.mark.slow) for c in exercises.CHAPTERS])
def test_a_chapter_has_the_same_results_in_process_and_jailed(chapter, standard, monkeypatch, request):
    """Solution, stubs, and a wrong answer to each exercise; with --all, those of every chapter.

    The inputs depend on a seed that a jailed answer does not know: a test that drew one inside would show.
    """
    by_exercise: dict[str, list[str]] = {}
    for variant in exercises.variants(chapter):
        by_exercise.setdefault(variant.exercise, []).append(variant.code)
    mixed = ["\n\n".join(filter(None, sections)) for sections in zip_longest(*by_exercise.values())]
    everything = request.config.getoption("all")
    solution = exercises.notebook("solutions", chapter)
    texts = [solution, exercises.notebook("exercises", chapter)]
    texts += [f"{solution}\n\n{sections}" for sections in (mixed if everything else mixed[:1])]
    file, opened = exercises.ROOT / "tests" / "exercises" / f"test_{chapter}.py", []

    def jailed(source: Source) -> Jailed:
        for old in opened:
            old.close()
        opened[:] = [Jailed(standard, source)]
        return opened[0]

    for text in texts:
        in_process = run_tests(file, Source([text]), seed=1)
        with monkeypatch.context() as patch:
            patch.setattr(door, "Inside", jailed)
            found = run_tests(file, Source([text]), seed=1)
        assert comparable(found) == comparable(in_process)
    jailed(Source([])).close()


LATE = """
import torch
from torch import nn

def late():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).to("meta")
    torch.optim.SGD(net.parameters(), lr=0.1)
    return list(net(torch.empty(2, 3, 8, 8, device="meta")).shape)
"""


def test_an_answer_has_what_torch_loads_when_it_is_first_asked_for(standard):
    """Also where answers may not read Python's libraries."""
    with jailed_answers(standard, LATE) as answers:
        assert answers.late() == [2, 8, 6, 6]


def comparable(results) -> dict[str, tuple[str, str]]:
    """Outcome and message by test, without the digits: some are measured times."""
    return {name: (result.outcome, re.sub(r"[\d.e-]+", "0", result.message)) for name, result in results.items()}


# -------------------------------------------------------------------------------------------------------- deaths


@pytest.mark.parametrize(
    ("code", "outcome", "words"),
    [
        ("while True: pass", "time", r"reached its limit of 1 s of computing time$"),
        ("re.match('(a*)*b', 'a' * 99)", "time", "computing time"),
        ("sum(range(10**12))", "time", "computing time"),
        ("x = [bytearray(10**8) for _ in range(99)]", "memory", "more memory than there is"),
        ("torch.ones(10**10)", "memory", "more memory than there is"),
        ("np.ones(10**10)", "memory", "more memory than there is"),
        ("os._exit(0)", "crash", r"ended Python: exit\(0\)"),
        ("os._exit(97)", "crash", r"exit\(97\)"),
        ("os.abort()", "crash", "Aborted"),
        ("ctypes.string_at(0)", "crash", "Segmentation fault"),
        (
            "hash(functools.reduce(lambda inner, _: (inner,), range(10**6), ()))",
            "crash",
            "Segmentation fault",
        ),
        ("signal.raise_signal(15)", "crash", "Terminated"),
        ("ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "crash", "forbidden while grading"),
        ("os.close(3); time.sleep(99)", "crash", "interfered"),
    ],
)
def test_deaths_are_told_apart(stopped, code, outcome, words):
    imports = "import ctypes, functools, os, re, signal, sys, time, torch\nimport numpy as np\n"
    end = stopped(f"{imports}def f():\n    {code}", seconds=1 if outcome == "time" else 3, memory=500)
    assert (end.outcome, bool(re.search(words, end.msg))) == (outcome, True), end


def test_waiting_ends_at_the_deadline_however_it_is_put_off(stopped, monkeypatch):
    monkeypatch.setattr(Limits, "wall", 1.0)
    drip = "os.write(3, bytes([0, 0, 0, 1]))\n    while True:\n        os.write(3, bytes(1))\n        time.sleep(0.2)"
    for code in ("time.sleep(1e6)", drip):
        start = time.monotonic()
        assert stopped(f"import os, time\ndef f():\n    {code}").outcome == "time"
        assert time.monotonic() - start < 2


def test_the_time_of_all_requests_of_a_test_counts_together(answers, monkeypatch):
    monkeypatch.setattr(Limits, "wall", 1.0)
    nap = answers("import time\ndef f():\n    time.sleep(0.3)")
    with pytest.raises(Stopped) as caught:
        for _ in range(10):
            nap.f()
    assert caught.value.outcome == "time"


def test_a_machine_that_kills_the_answer_is_to_blame(zygote):
    with jailed_answers(zygote, "import os\ndef f():\n    return os.getpid()") as answers:
        answers.f()
        os.kill(answers._backend._process.number, signal.SIGKILL)
        with pytest.raises(Stopped) as caught:
            answers.f()
    assert caught.value.outcome == "error" and "not your fault" in caught.value.msg


def test_a_killed_zygote_is_one_error_and_a_new_one_starts(answers):
    with Zygote() as zygote:
        with jailed_answers(zygote, "def f(): return 1") as lost:
            assert lost.f() == 1
            os.kill(zygote.process, signal.SIGKILL)
            with pytest.raises(Stopped) as caught:
                for _ in range(1000):  # until the kernel has ended it too
                    lost.f()
                    time.sleep(0.01)
            assert caught.value.outcome == "error"
        with jailed_answers(zygote, "def f(): return 1") as again:
            assert again.f() == 1


def test_a_killed_grader_leaves_no_process(tmp_path):
    script = (
        "import os, sys, time\nfrom course_lib.grading.jailed import Jailed\nfrom course_lib.grading.processes import Zygote\n"
        "from course_lib.grading.door import Answers\nfrom course_lib.grading.notebook import Source\n"
        "zygote = Zygote()\njailed = Jailed(zygote, Source(['import time\\ndef f(): return 1\\ndef g(): time.sleep(1e6)']))\n"
        "Answers(jailed).f()\nprint(zygote.process, jailed._process.number, flush=True)\nAnswers(jailed).g()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment) as grader:
        numbers = grader.stdout.readline().split()
        grader.kill()
    deadline = time.monotonic() + 5
    while (left := [n for n in numbers if is_running(n)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(numbers) == 2 and not left


def is_running(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_nothing_is_left_of_many_answers(zygote):
    def used():
        return [len(os.listdir(f"/proc/{process}/fd")) for process in ("self", zygote.process)]

    before = used()
    for code in ["def f(): return 1", "import os\ndef f(): os._exit(1)", "def f(): return 1 / 0"] * 10:
        with jailed_answers(zygote, code) as answers, suppress(Raised, Stopped):
            answers.f()
    children = Path(f"/proc/{zygote.process}/task/{zygote.process}/children").read_text().split()
    assert used() == before and len(children) == (zygote.level == "strong")


def test_the_cpu_seconds_are_known_when_it_is_closed(zygote):
    jailed = Jailed(zygote, Source(["import time\ndef f():\n    while time.process_time() < 0.3: pass"]))
    Answers(jailed).f()
    jailed.close()
    assert 0.3 < jailed.cpu < 1
    with pytest.raises(Stopped, match="the test is over"):
        Answers(jailed).f()


@pytest.mark.parametrize(
    ("line", "loads"),
    [
        ("import torchvision", True),
        ("from torchvision.transforms import v2 as math", True),
        ("from torch import optim", True),
        ("make = torch.optim.SGD", True),
        ("import math, torch.nn.functional", False),
        ("from course_lib.models import ConvNet", False),
        ("from tqdm.auto import tqdm", False),
    ],
)
def test_an_answer_that_loads_a_library_has_time_for_it(zygote, line, loads):
    code = f"import time, torch\ndef f(seconds):\n    {line}\n    while time.process_time() < seconds: pass\ndef g(): return 1"
    with Jailed(zygote, Source([code]), seconds=0.5, memory=1000) as jailed:
        answers = Answers(jailed)
        assert answers.g() == 1  # which loads nothing
        with nullcontext() if loads else pytest.raises(Stopped, match="limit of 0.5 s of computing time"):
            answers.f(3)


def test_an_answer_that_loads_libraries_has_memory_for_them(answers):
    code = "def f():\n    import sklearn.datasets, torchvision\n    return torchvision.torch.ones(50_000_000).sum().item()"
    assert answers(code).f() == 50_000_000


def test_time_for_loading_is_not_more_time_for_the_next_test(zygote):
    with Jailed(
        zygote, Source(["import torchvision\ndef f(): return torchvision.__name__\ndef g():\n    while True: pass"])
    ) as jailed:
        assert Answers(jailed).f() == "torchvision"
        jailed.rest()
        jailed.again(1)
        with pytest.raises(Stopped, match="limit of 1 s of computing time"):
            Answers(jailed).g()
        assert jailed.cpu < 4


def test_a_missing_answer_costs_no_process(zygote):
    with Jailed(zygote, Source(["def g(): return 1"])) as jailed, pytest.raises(NotAttempted):
        Answers(jailed).f()
    assert jailed.cpu == 0


# ------------------------------------------------------------------------------------------------------ isolation


def test_every_test_has_a_process_of_its_own(answers):
    first = answers(
        "import torch\nseen = []\ndef f():\n    seen.append(1)\n    torch.set_default_dtype(torch.float64)\n    return len(seen)"
    )
    assert [first.f(), first.f()] == [1, 2]
    assert answers("import torch\nseen = []\ndef f():\n    return torch.ones(1)").f().dtype == torch.float32


def test_what_an_answer_changes_of_torch_changes_no_verdict(answers):
    door = answers(
        "import builtins, torch\ntorch.allclose = torch.equal = lambda *_, **__: True\ntorch.manual_seed = lambda n: None\n"
        "builtins.len = lambda x: 0\ntorch.Tensor.__eq__ = lambda a, b: True\ntorch.nn.Linear.forward = lambda s, x: x\n",
        "def f():\n    return torch.zeros(2)",
    )
    assert not torch.equal(door.f(), torch.ones(2)) and torch.nn.Linear(2, 3)(torch.ones(1, 2)).shape == (1, 3)


def test_random_numbers_begin_the_same_in_every_process(answers):
    code = (
        "import random, torch\nimport numpy as np\ndef f():\n    return [random.random(), float(np.random.rand()), torch.rand(1)]"
    )
    assert str(answers(code).f()) == str(answers(code).f())
    assert answers("def f():\n    return hash('a')").f() == answers("def f():\n    return hash('a')").f()


# ------------------------------------------------------------------------------------------------------- protocol


def reply(value, number: int | None = None) -> str:
    """The text of code that writes this reply to the channel."""
    return f"os.write(3, {wire.pack(value, lambda handle: handle)!r})"


FIND, CALL = 1, 2  # numbers of the first two requests: find f, call it


@pytest.mark.parametrize(
    "write",
    [
        "os.write(3, b'garbage')",
        f"os.write(3, {struct.pack('<I', 64_000_001)!r})",
        f"os.write(3, {struct.pack('<I', 2**32 - 1)!r} + b'x' * 99)",
        f"os.write(3, {struct.pack('<II', 8, 2**31)!r} + b'1234')",
        reply((CALL, "value", 1, {})) + "; " + reply((CALL, "value", 1, {})),  # the second is for nothing
        reply((CALL + 1, "value", 1, {})),
        reply((FIND, "value", 1, {})),
        reply((CALL, "value", 1)),
        reply((CALL, "well done", 1, {})),
        reply((CALL, "value", 1, [])),
        reply((CALL, "raised", 1, 2, 3)),
        reply((CALL, "fault", "TypeError", "the test is wrong", "")),  # it would make a grader's error of a wrong answer
        reply([CALL, "value", 1, {}]),
        reply("passed"),
        reply(None),
    ],
)
def test_forged_replies_are_a_crash(zygote, write):
    with jailed_answers(zygote, f"import os\ndef f():\n    {write}\n    return 2") as answers:
        with pytest.raises(Stopped) as caught:
            answers.f()
            answers.f()
        assert caught.value.outcome == "crash" and "interfered" in caught.value.msg
        assert caught.value.instructor.startswith("protocol: ")


def test_half_a_frame_and_an_end_is_a_crash(stopped):
    assert stopped("import os\ndef f():\n    os.write(3, b'\\x40\\0\\0\\0{')\n    os._exit(0)").outcome == "crash"


def test_a_forged_handle_leads_nowhere(answers):
    forged = reply((CALL, "value", {"a": 1}, {})).replace('{"dict":[["a",1]]}', '{"handle":99}')
    assert "handle" in forged
    size = len('{"dict":[["a",1]]}') - len('{"handle":99}')
    frame = wire.pack((CALL, "value", {"a": 1}, {}), None)[8:].replace(b'{"dict":[["a",1]]}', b'{"handle":99}')
    frame = struct.pack("<II", len(frame) + 4, len(frame)) + frame
    assert size > 0
    door = answers(f"import os, time\ndef f():\n    os.write(3, {frame!r})\n    time.sleep(0.5)")
    handle = door.f()
    with pytest.raises((Raised, Stopped, Refused)):
        handle(1)


def test_a_million_handles_are_too_many(answers):
    door = answers("def f(n):\n    return [object() for _ in range(n)]")
    assert len(door.f(100)) == 100
    with pytest.raises((Refused, Stopped)):
        door.f(420_000)


def test_what_it_says_cannot_act_on_a_terminal(answers):
    with pytest.raises(Raised) as caught:
        answers("def f():\n    raise type('E\\x1b[2J', (Exception,), {})('\\x1b]0;x\\x07' + '\\u202e' + 'y' * 10**6)").f()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", caught.value.msg) and len(caught.value.msg) < 2000


def test_notes_explain_what_is_not_there_while_grading(answers):
    for code, note in [
        ("from torch.utils.data import DataLoader\n    list(DataLoader([1, 2], num_workers=2))", "no other processes"),
        ("open('data.csv')", "no files but Python's own"),
        ("import urllib.request\n    urllib.request.urlopen('http://localhost')", "no network"),
        ("import torch\n    torch.ones(1).cuda()", "there is no GPU while grading"),
    ]:
        with pytest.raises(Raised, match=note):
            answers(f"def f():\n    {code}").f()


def test_gradients_and_weights_cross(answers):
    net = answers(NET).Net()
    net.load({name: torch.ones_like(value) for name, value in net.state().items()})
    assert net.gradients(torch.ones(1, 2))["input"].tolist() == [[2, 2]]


def test_where_there_is_no_jail_the_reason_is_said(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(jail.JailError, match="cannot be jailed on this machine: .* grade on Linux"):
        Zygote()
