"""The layers of the jail: what an answer must be able to do, what it cannot, and the system calls by which it is so."""

import platform
import re
import signal
import struct
from pathlib import Path

import pytest
from jails import jailed_answers

from course_lib.grading import attacks, doctor, jail
from course_lib.grading.processes import Zygote

pytestmark = pytest.mark.skipif(bool(jail.missing()), reason=f"no jail here: {jail.missing()}")


@pytest.fixture(scope="module")
def zygote(request):
    try:
        process = Zygote(request.param)
    except jail.JailError as error:
        pytest.skip(str(error))
    with process:
        yield process


@pytest.fixture(scope="module")
def found(zygote):
    """What became of each attack, by its words."""
    return {what: (held, how) for what, held, how in doctor.attack_all(zygote)}


@pytest.mark.parametrize("attack", doctor.ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_held(found, attack):
    held, how = found[attack.__doc__]
    assert held, how


def test_nothing_is_left_of_the_attacks(found):
    assert found["leaves a process behind"] == (True, "none is left")


def test_an_attack_that_succeeds_is_seen(zygote, monkeypatch, capsys):
    """The doctor can fail: reading a file of Python's own is allowed."""
    monkeypatch.setattr(doctor, "ATTACKS", [attacks.reads_a_file, attacks.never_ends])
    monkeypatch.setattr(attacks, "__file__", __file__.replace("test_jail", "jails"))
    lines = [doctor.report(*result) for result in doctor.attack_all(zygote)]
    assert lines == [False, False, True] and capsys.readouterr().out.count("NOT HELD") == 2


@pytest.mark.parametrize(
    "code",
    [
        "import torch\nx = torch.ones(3, requires_grad=True)\n(x * 2).sum().backward()\nresult = x.grad.sum().item() == 6",
        "import torch\nnet = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))\n"
        "net(torch.rand(2, 3, 9, 9)).sum().backward()\nresult = True",
        "import torch\ntorch.set_num_threads(4)\nresult = (torch.ones(500, 500) @ torch.ones(500, 500)).sum().item() > 0",
        "import io, torch\nfile = io.BytesIO()\ntorch.save({'a': torch.ones(2)}, file)\nfile.seek(0)\n"
        "result = torch.load(file)['a'].sum().item() == 2",
        "from torch.utils.data import DataLoader\nresult = len(list(DataLoader(list(range(10)), 2))) == 5",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('x')\nplt.show()\nresult = True",
        "import logging, sys, warnings\nprint('x' * 10**7)\nprint('\\ud800', file=sys.stderr)\nlogging.error('x')\n"
        "warnings.warn('x')\nresult = True",
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as pool:\n"
        "    result = list(pool.map(abs, [-1, 2])) == [1, 2]",
        "import time, datetime\ntime.sleep(0.01)\nresult = datetime.datetime.now().year > 2000 and time.perf_counter() > 0",
        "import os, random, sys, secrets\nresult = bool(os.cpu_count() and os.getpid() and secrets.token_hex(2) and os.getcwd())",
        "open('/dev/null', 'w').write('x')\nresult = True",
        "from course_lib.models import BasicBlock\nfrom course_lib.check import check\nresult = callable(BasicBlock)",
        "from google.colab import drive\ndrive.mount('/content')\nresult = input('?') == ''",
    ],
    ids=lambda code: code.split("\n")[0],
)
def test_an_honest_answer_works(zygote, code):
    body = code.replace("\n", "\n    ")
    with jailed_answers(zygote, f"def f():\n    {body}\n    return result") as answers:
        assert answers.f() is True


def test_libraries_that_are_not_loaded_can_be_imported(zygote):
    if "nobody" in zygote.lacks:
        pytest.skip(zygote.lacks)
    code = "import sklearn.datasets, torchvision, wave\nfrom course_lib.data import digits\n"
    with jailed_answers(zygote, code + "def f():\n    return sklearn.datasets.load_digits().data.shape") as answers:
        assert answers.f() == (1797, 64)


CONSTANT = 3


def uses_constant(factor):
    return factor * CONSTANT + helper()


def helper():
    return 1


def names_there():
    return sorted(name for name in globals() if not name.startswith("__"))


def test_a_function_of_a_test_takes_along_what_it_refers_to_and_nothing_else(zygote):
    with jailed_answers(zygote) as answers:
        assert answers.inside(names_there) == ["names_there"]
        assert answers.inside(uses_constant, 2) == 7
        assert answers.inside(names_there) == ["CONSTANT", "helper", "names_there", "uses_constant"]


# ------------------------------------------------------------------------------------------------ the filter itself


def verdict(program: bytes, machine: int, number: int, *arguments: int) -> str:
    """What the kernel would do at this call: a small interpreter of the filter's instructions."""
    words = [number, machine, 0, 0]
    for argument in (*arguments, 0, 0, 0, 0, 0, 0)[:6]:
        words += [argument & 0xFFFFFFFF, argument >> 32 & 0xFFFFFFFF]
    code = [struct.unpack_from("=HBBI", program, place) for place in range(0, len(program), 8)]
    place = loaded = 0
    while True:
        operation, true, false, value = code[place]
        place += 1
        if operation == jail.RETURN:
            return {jail.ALLOW: "allow", jail.KILL: "kill", jail.REFUSE | 1: "refuse", jail.REFUSE | 38: "unknown"}[value]
        if operation == jail.LOAD:
            loaded = words[value // 4]
        elif operation == jail.AND:
            loaded &= value
        else:
            place += true if (loaded == value if operation == jail.EQUAL else loaded >= value) else false


@pytest.mark.parametrize("machine", jail.MACHINES)
def test_the_filter_decides_each_call_on_each_machine(machine, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    column, name = jail.MACHINES[machine]
    program, me = jail.seccomp_filter(1234), 1234

    def decided(call: str, *arguments: int) -> str:
        return verdict(program, name, jail.CALLS[call][column], *arguments)

    assert len(program) // 8 < 4096  # the kernel's limit
    known = {call for call, numbers in jail.CALLS.items() if numbers[column] is not None}
    assert {decided(call) for call in known & set(jail.ALLOWED)} == {"allow"}
    assert {decided(call) for call in jail.KILLED} == {"kill"}
    numbers = {jail.CALLS[call][column] for call in known}
    assert {verdict(program, name, number) for number in range(600) if number not in numbers} == {"refuse"}
    assert {verdict(program, other, 0) for other in (0, 0x40000003, 0x40000028)} == {"kill"}  # 32-bit calls
    for call, arguments, expected in [
        ("clone", (0x3D0F00,), "allow"),  # what libc makes a thread with
        ("clone", (signal.SIGCHLD,), "refuse"),
        ("clone", (0x10000000,), "refuse"),
        ("clone3", (), "unknown"),
        ("kill", (me, signal.SIGTERM), "allow"),
        ("kill", (me, signal.SIGKILL), "refuse"),
        ("kill", (1, signal.SIGTERM), "refuse"),
        ("kill", (2**64 - 1, signal.SIGTERM), "refuse"),
        ("kill", (0, signal.SIGTERM), "refuse"),
        ("tgkill", (me, me, signal.SIGABRT), "allow"),
        ("tgkill", (1, 1, signal.SIGABRT), "refuse"),
        ("tgkill", (me, me, signal.SIGKILL), "refuse"),
        ("fcntl", (3, 1), "allow"),
        ("fcntl", (3, 8), "refuse"),
        ("ioctl", (1, 0x5401), "allow"),
        ("ioctl", (1, 0x5412), "refuse"),  # TIOCSTI writes into a terminal
        ("prctl", (15,), "allow"),
        ("prctl", (1,), "refuse"),
        ("prctl", (4,), "refuse"),
        ("prlimit64", (0, 7, 0, 1 << 40), "allow"),
        ("prlimit64", (0, 7, 1 << 40), "refuse"),
        ("prlimit64", (0, 7, 1 << 12), "refuse"),
        ("prlimit64", (1, 7, 0), "refuse"),
    ]:
        assert decided(call, *arguments) == expected, (call, arguments)
    if machine == "x86_64":
        assert verdict(program, name, 0x40000000) == "kill"


@pytest.mark.parametrize(
    ("column", "header"), [(0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), (1, "/usr/include/asm-generic/unistd.h")]
)
def test_the_numbers_are_those_of_the_kernel(column, header):
    if not Path(header).exists():
        pytest.skip(f"{header} is not installed")
    text = Path(header).read_text()
    known = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text))
    known["newfstatat"] = known.get("newfstatat", known.get("fstatat"))
    numbers = {call: numbers[column] for call, numbers in jail.CALLS.items() if numbers[column] is not None}
    assert numbers == {call: int(known[call]) for call in numbers}
