"""The door to a jailed answer.

::

    with Zygote() as zygote:
        with Jailed(zygote, source, seconds=10, memory=1000) as jailed:
            answers = Answers(jailed)
            …
        jailed.cpu  # CPU seconds of the answer process
"""

import ast
import os
import signal
import sys
import time
from dataclasses import replace

from course_lib.grading import wire
from course_lib.grading.door import Backend
from course_lib.grading.jail import JailError, Limits
from course_lib.grading.kernel import PACKAGES
from course_lib.grading.notebook import Source, Statement
from course_lib.grading.processes import REPLY, Process, Zygote
from course_lib.grading.results import Stopped
from course_lib.grading.zygote import MODULES

PATIENCE = 2  # seconds for a process that has closed its channel to be gone: freeing its memory takes time
LOADED = {"course_lib", "google", *PACKAGES, *sys.stdlib_module_names, *(name.partition(".")[0] for name in MODULES.split())}
LOADING = Limits(seconds=10, memory=250)  # more of both where libraries are loaded: torchvision and scikit-learn take 4 s, 220 MB


class Jailed(Backend):
    """The door to an answer process of its own, which starts when a test first needs it.

    Args:
        source: the text of the notebook; only the statements that an answer needs go in.
        seconds: CPU time; the test waits three times as long and ten seconds more on the clock, all its requests together.
        memory: MB.

    An answer whose text loads a library that the zygote has not loaded may use ten seconds and 250 MB more.

    Attributes:
        cpu: CPU seconds of the process, once it is closed.
        instructor: how the process ended, if not by itself being closed.
    """

    def __init__(self, zygote: Zygote, source: Source, seconds: float = 3, memory: int = 300):
        super().__init__(source)
        self.zygote, self.limits = zygote, Limits(seconds, memory)
        self.cpu, self.instructor = 0.0, ""
        self._before = 0.0  # CPU seconds of tests before
        self._loads = False  # libraries, in this test
        self._process: Process | None = None
        self._stopped: Stopped | None = None
        self._waited = 0.0

    def __enter__(self) -> "Jailed":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def again(self, seconds: float) -> None:
        """Begin another test of the same answer in the same process, with nothing of the notebook run and new limits on time.

        Raises:
            Stopped: if the process ended after the test before.
        """
        granted, self.limits = self.limits.seconds, replace(self.limits, seconds=seconds)
        self._waited, self.cpu, self._loads = 0.0, 0.0, False
        if self._stopped:
            raise self._stopped
        if self._process:
            if seconds != granted:
                self._before = self._grant()
            self.students, self._sent = set(), {}
            self._ask("begin", ())

    def rest(self) -> None:
        """The test is over; the process waits for another, and may use as much again."""
        if self._process:
            try:
                used = self._process.grant(self.limits.seconds)
            except JailError:
                self.close()
                return
            self.cpu, self._before = used - self._before, used

    def _statements(self, space: str, source: Source, name: str) -> tuple:
        if not self._loads and any(map(_loads, source.closure(name))):
            self._loads = True
            self.limits = replace(self.limits, seconds=self.limits.seconds + LOADING.seconds)
            if self._process:
                self._grant()
            else:  # the limit on memory stays what it was at the start
                self.limits = replace(self.limits, memory=self.limits.memory + LOADING.memory)
        return super()._statements(space, source, name)

    def exchange(self, frame: bytes) -> bytes:
        if self._stopped:
            raise self._stopped
        if self._process is None:
            self._open()
        start = time.monotonic()
        deadline = start + self.limits.wall - self._waited
        try:
            self._process.send(frame, deadline)
            return self._reply(deadline)
        except (TimeoutError, EOFError, wire.ProtocolError) as error:
            self._stop(error)
        finally:
            self._waited += time.monotonic() - start

    def _ask(self, *args, **kwargs):
        try:
            return super()._ask(*args, **kwargs)
        except wire.ProtocolError as error:
            self._stop(error)

    def _grant(self) -> float:
        """Allow the process its limit from now on; CPU seconds so far."""
        try:
            return self._process.grant(self.limits.seconds)
        except JailError as error:
            raise Stopped("error", str(error)) from None

    def _open(self) -> None:
        try:
            self._process = self.zygote.open(self.limits)
            self._reply(time.monotonic() + REPLY)  # it is in the jail: from now on it may be given the student's code
        except (JailError, TimeoutError, EOFError, wire.ProtocolError) as error:
            end = self._end()
            words = "the answer could not be put into its jail"
            self._stopped = Stopped("error", words, f"{words}: {error or end}")
            raise self._stopped from None

    def _reply(self, deadline: float) -> bytes:
        size = wire.length(self._process.receive(wire.LENGTH.size, deadline))
        return self._process.receive(size, deadline)

    def close(self) -> None:
        """End the process, and know what it used."""
        if self._process:
            self._end()
            self._stopped = self._stopped or Stopped("error", "the test is over, and the answer's process with it")

    def _end(self, patience: float = 0) -> dict | None:
        """End the process; how that went, if that is known."""
        if not self._process:
            return None
        process, self._process = self._process, None
        try:
            end = process.close(patience)
        except JailError as error:
            self.instructor = str(error)
            return None
        self.cpu = end["cpu"] - self._before
        return end

    def _stop(self, error: Exception) -> None:
        """End the process, say why, and say so again whatever is asked of it later."""
        end = self._end(PATIENCE if isinstance(error, EOFError) else 0)
        outcome, words = self._why(error, end)
        self._stopped = Stopped(outcome, words, self.instructor)
        raise self._stopped from None

    def _why(self, error: Exception, end: dict | None) -> tuple[str, str]:
        """Outcome and words for a process that sent no right reply, and ended like this."""
        if end is None:
            return "error", "the answer's process was lost, which is not your fault"
        computing = f"your answer reached its limit of {self.limits.seconds:g} s of computing time"
        if isinstance(error, TimeoutError) and self.cpu < self.limits.seconds:
            return "time", f"your answer did not finish within {self.limits.wall:g} s: does it wait for something?"
        if isinstance(error, TimeoutError):
            return "time", computing
        if isinstance(error, wire.ProtocolError) or not end["by_itself"]:
            self.instructor = f"protocol: {error or 'the channel is closed'}"
            return "crash", "your answer interfered with the process that grades it"
        status = end["status"]
        if not os.WIFSIGNALED(status):
            return "crash", f"your answer ended Python: exit({os.waitstatus_to_exitcode(status)})"
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return "time", computing
        if number == signal.SIGKILL:
            self.instructor = "killed from outside (by a machine without memory to spare?)"
            return "error", "the answer's process was killed from outside, which is not your fault"
        if number == signal.SIGSYS:
            self.instructor = "a system call that no honest answer makes"
            return "crash", "your answer tried something that is forbidden while grading"
        if end["memory"] > 0.8 * self.limits.memory:
            return "memory", f"your answer needs more than {self.limits.memory} MB of memory"
        return "crash", f"your answer ended Python: {signal.strsignal(number)}"


def _loads(statement: Statement) -> bool:
    """Whether a statement loads a library that the zygote has not, or what torch loads for its optimisers."""
    for node in ast.walk(statement.node):
        if isinstance(node, ast.Attribute) and node.attr == "optim":
            return True
        if isinstance(node, ast.Import | ast.ImportFrom):
            package = f"{node.module}." if isinstance(node, ast.ImportFrom) and node.module else ""
            for alias in node.names:
                parts = f"{package}{alias.name}".split(".")
                if parts[0] not in LOADED or "optim" in parts:
                    return True
    return False
