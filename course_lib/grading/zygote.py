"""The process from which answer processes are forked: torch is loaded, and nothing in it is worth reading.

It is started by :class:`course_lib.grading.processes.Zygote` in a fresh interpreter, imports what answers may need and no test,
and then serves its socket: ``{"open": limits}`` with the channel of a new answer process, ``{"used": process}``, also with
the ``more`` seconds that it may use from now on, ``{"close": process}``, and ``{"share": true}`` with a socket that a fork of
it serves from then on.
"""

import gc
import importlib
import json
import logging
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import time
from math import ceil
from pathlib import Path

from course_lib.grading import jail
from course_lib.grading.inside import fixed_start, serve
from course_lib.grading.jail import JailError, Limits

# Loaded once for all answers. What is not here, torchvision and scikit-learn say, an answer imports by itself, in seconds of its
# own; loaded here it would cost every answer process milliseconds.
MODULES = (
    "abc argparse array ast asyncio base64 bisect calendar cmath collections.abc concurrent.futures contextlib copy csv "
    "ctypes dataclasses datetime decimal difflib enum fractions functools glob hashlib heapq html inspect io itertools json "
    "logging math multiprocessing numbers operator os pathlib pickle platform pprint queue random re secrets shutil "
    "statistics string struct subprocess sys tempfile textwrap threading time timeit traceback typing unittest.mock "
    "urllib.request uuid warnings weakref zipfile encodings.idna numpy numpy.random numpy.testing matplotlib.pyplot torch "
    "torch.nn.functional torch.optim.lr_scheduler torch.optim.swa_utils torch.utils.data torch.nn.utils.parametrize "
    "torch.func torch.nn.utils.fusion torch.utils.checkpoint torch.utils.flop_counter course_lib.check course_lib.cost "
    "course_lib.data course_lib.figures course_lib.models course_lib.probes course_lib.receptive_field course_lib.training "
    "course_lib.grading.inside course_lib.grading.values "
)
# What torch loads when it is first asked for (a layer on the meta device, an optimiser), and what answers import by themselves:
# loaded only where they could not, for it takes seconds and 200 MB.
REST = "torch._dynamo torch.fx.experimental.symbolic_shapes torchvision sklearn.datasets sklearn.model_selection"
NOT_FOR_ANSWERS = {"course_lib", "site-packages", "dist-packages", "__pycache__"}  # in folders of libraries
TESTS = "exercise_tests"  # in the installed course_lib

PAGE = os.sysconf("SC_PAGE_SIZE")
CPU_CLOCK = 2  # the clock of all of another process's CPU time is called by its number and this
CHANNEL, RULES = 3, 4  # descriptors of an answer process


def main(control: int, level: str) -> None:
    """Load the libraries, enter the level's namespaces, report how that went, then fork as asked until the socket closes."""
    server = socket.socket(fileno=control)
    try:
        zygote = Zygote(server, level)
    except (JailError, ImportError, OSError) as error:
        _send(server, {"error": str(error), "again": isinstance(error, jail.HalfDone)})
        return
    os.dup2(0, 2)  # what answers write goes nowhere
    with fixed_start():  # each fork begins from here
        _send(server, {"level": zygote.level, "lacks": zygote.lacks})
        zygote.serve()


class Zygote:
    """Forks answer processes; ``level`` is what the machine gave, ``lacks`` why it is not the level asked for."""

    def __init__(self, server: socket.socket, level: str):
        parent, user = os.getppid(), jail.NOBODY if os.geteuid() == 0 else os.getuid()
        self.server, self.level, self.lacks = server, level, ""
        self.children: set[int] = set()
        _load(MODULES)
        _warm_up()
        gc.collect()
        gc.freeze()
        gc.disable()
        jail.use_large_pages()
        self.own = os.open("/proc/self/statm", os.O_RDONLY), os.open("/proc/self/stat", os.O_RDONLY)  # /proc may go
        self.threads = jail.running_threads(user) + jail.THREADS
        Path("/proc/self/oom_score_adj").write_text("1000")  # if memory runs out, an answer goes first
        if level == "strong":
            try:
                jail.enter_namespaces(jail.library_folders())
            except jail.HalfDone:
                raise
            except JailError as error:
                self.level, self.lacks = "standard", str(error)
        folders = jail.library_folders()
        hidden = self.level != "strong" and not jail.may_be_read_by_answers(folders)
        if hidden:
            _load(REST)
            gc.freeze()
        self.rules = jail.landlock_rules(_libraries(folders), folders)
        jail.become_nobody()
        jail.die_with_parent(parent)
        if self.level == "strong":
            self._first_process()
        elif hidden:
            loaded = "nobody may not read Python's libraries here, so answers have only those that are loaded"
            self.lacks = "; ".join(filter(None, (self.lacks, loaded)))
        os.chdir("/")
        os.environ.clear()
        # torch._dynamo, which torchvision imports, wants a folder for its cache to be there; nothing can be written to it.
        tempfile.tempdir = os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/"

    def serve(self) -> None:
        while True:
            message, channels, _, _ = socket.recv_fds(self.server, 65536, 1)
            if not message:
                return
            request = json.loads(message)
            try:
                if "used" in request:
                    _send(self.server, {"cpu": self._used(**request)})
                elif "share" in request:
                    self._share(*channels)
                elif "open" in request:
                    _send(self.server, {"process": self._open(Limits(**request["open"]), *channels)})
                else:
                    _send(self.server, self._close(request["close"], request["patience"]))
            except OSError as error:
                _send(self.server, {"error": f"no answer process: {error.strerror}"})
            for channel in channels:
                os.close(channel)

    def _share(self, channel: int) -> None:
        """Go on here and in a fork, which has the other socket: two graders then have an own zygote in the memory of one."""
        _check_threads(self.own[1])
        parent = os.getpid()
        if os.fork():
            _send(self.server, {})
            return
        jail.die_with_parent(parent)
        self.server.close()
        self.server, self.children = socket.socket(fileno=os.dup(channel)), set()

    def _open(self, limits: Limits, channel: int) -> int:
        pages, self.resident, *_, data, _ = map(int, os.pread(self.own[0], 200, 0).split())
        used = jail.Used(pages * PAGE, data * PAGE)
        _check_threads(self.own[1])
        parent = os.getpid()
        process = os.fork()
        if process == 0:
            try:
                self._live(limits, used, parent, channel)
            finally:
                os._exit(0)  # the channel is closed, or the jail is not to be had: without its first reply no answer goes in
        self.children.add(process)
        return process

    def _live(self, limits: Limits, used: jail.Used, parent: int, channel: int) -> None:
        """The life of an answer process."""
        os.setsid()
        os.dup2(channel, 63)  # out of the way of the two numbers it goes to
        os.dup2(self.rules, 62)
        os.dup2(63, CHANNEL)
        os.dup2(62, RULES)
        os.closerange(RULES + 1, 1 << 20)
        jail.die_with_parent(parent)
        jail.enter(limits, used, RULES, self.threads)
        gc.enable()
        random.seed(0)  # Python draws a new seed after a fork
        serve(CHANNEL)

    def _used(self, used: int, more: float = 0) -> float:
        """CPU seconds of an answer process so far."""
        self._check_child(used)
        seconds = time.clock_gettime(~used << 3 | CPU_CLOCK)
        if more:
            resource.prlimit(used, resource.RLIMIT_CPU, (ceil(seconds + more), jail.HOUR))
        return seconds

    def _check_child(self, process: int) -> None:
        if process not in self.children:
            raise OSError(0, f"{process} is none of the answer processes")

    def _close(self, process: int, patience: float) -> dict:
        """Wait so many seconds for an answer process to end, then end it: how it ended, and what it used."""
        self._check_child(process)
        deadline = time.monotonic() + patience
        ended, status, usage = os.wait4(process, os.WNOHANG)
        while not ended and time.monotonic() < deadline:
            time.sleep(0.005)
            ended, status, usage = os.wait4(process, os.WNOHANG)
        if not ended:
            os.kill(process, signal.SIGKILL)
            _, status, usage = os.wait4(process, 0)
        self.children.remove(process)
        cpu, memory = usage.ru_utime + usage.ru_stime, (usage.ru_maxrss * 1024 - self.resident * PAGE) / 1e6
        return {"status": status, "by_itself": bool(ended), "cpu": cpu, "memory": memory}

    def _first_process(self) -> None:
        """A process that only waits: number 1 of the namespace of the answers, which ends with it."""
        parent = os.getpid()
        process = os.fork()
        if process == 0:
            os.closerange(3, 1 << 20)
            jail.die_with_parent(parent)
            while True:
                time.sleep(1000)


def _load(names: str) -> None:
    """Import libraries, but not what torch's counter brings for kernels of a GPU: 70 MB that no answer needs."""
    sys.modules["triton"] = None
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)  # it would say so
    for name in names.split():
        importlib.import_module(name)
    del sys.modules["triton"]


def _warm_up() -> None:
    """Let the libraries do what they do once: an answer process would do it each time, and some of it reads /proc."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.ones(2, 4, 6, 6, requires_grad=True)
    for dtype in (torch.float32, torch.float64):
        block = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten())
        (block.to(dtype)(x.to(dtype)) @ torch.ones(64, 3, dtype=dtype)).sum().backward()


def _libraries(folders: list[Path]) -> list[Path]:
    """What answers may read: all in these folders but the graded tests, which an installed course has with it."""
    return [path for folder in folders for path in folder.iterdir() if path.name not in NOT_FOR_ANSWERS | {TESTS}]


def _check_threads(stat: int) -> None:
    """A fork has one thread, and would wait for ever for what the others held."""
    threads = int(os.pread(stat, 1000, 0).rpartition(b")")[2].split()[17])
    if threads != 1:
        raise OSError(0, f"{threads} threads at a fork")


def _send(server: socket.socket, message: dict) -> None:
    server.send(json.dumps(message).encode())
