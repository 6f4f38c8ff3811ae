"""Answer processes as the graders see them: :class:`Zygote` forks them, :class:`Process` is one of them.

Nothing here loads torch: a zygote can be started first, and load it while the grader does.
"""

import importlib.util
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from copy import copy
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from course_lib.grading import jail
from course_lib.grading.jail import JailError, Limits

START = 120  # seconds in which the zygote must have loaded torch, on a loaded machine too
REPLY = 60  # seconds for each of its replies
LOOK = 1  # seconds between two looks at what a process uses that does not answer
ENVIRONMENT = {  # fixed hashes, one thread, no GPU, no window
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "MPLBACKEND": "Agg",
    "LC_ALL": "C.UTF-8",
}
KEPT = ("HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "LD_LIBRARY_PATH")  # where matplotlib keeps its list of fonts, libraries lie
BEGIN = "import sys; sys.path[:] = {path}; from course_lib.grading.zygote import main; main({control}, {level!r})"


class Zygote:
    """A process with torch loaded, which forks answer processes in milliseconds. It ends with ``close`` or its parent thread.

    Args:
        level: ``"strong"`` or ``"standard"``; without it, the best that this machine gives.
        wait: for it to be ready; otherwise that is waited for when it is first used, and nothing here is known before.

    Attributes:
        level: the level it has.
        lacks: why it is not a better one; "" if it is the best.
        process: its number.
    Raises:
        JailError: if the machine does not give the level.
    """

    def __init__(self, level: str | None = None, wait: bool = True):
        if reasons := jail.missing():
            raise JailError(f"answers cannot be jailed on this machine: {'; '.join(reasons)}")
        self._wanted = level
        self._start(level or "strong")
        if wait:
            self._ready()

    def __enter__(self) -> "Zygote":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def open(self, limits: Limits) -> "Process":
        """A new answer process.

        Raises:
            JailError: if there is none to be had.
        """
        self._ready()
        if self._is_gone():  # killed by hand, or by a machine that ran out of memory
            self.close()
            self._start(self.level)
            self._ready()
        ours, theirs = socket.socketpair()
        try:
            reply = self._ask({"open": asdict(limits)}, theirs.fileno())
        except JailError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        return Process(self, reply["process"], ours, limits.seconds)

    def used(self, process: int, more: float = 0) -> float:
        """CPU seconds of an answer process so far; it is granted so many more from now on."""
        return self._ask({"used": process, "more": more})["cpu"]

    def end(self, process: int, patience: float) -> dict:
        """Give an answer process so many seconds to end, then end it.

        Returns:
            its exit ``status``, whether it ended ``by_itself``, ``cpu`` in seconds, the ``memory`` in MB that it
            had at most beyond what it began with.
        """
        return self._ask({"close": process, "patience": patience})

    def share(self) -> "Zygote":
        """The same for a fork of this process; it is served by a fork of that one, which takes hardly any memory."""
        self._ready()
        other = copy(self)
        other._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._ask({"share": True}, theirs.fileno())
        other._process = None
        return other

    def close(self) -> None:
        """End this process, and with it all answer processes."""
        self._control.close()
        if self._process:
            self._process.kill()
            self._process.wait()

    def _start(self, level: str) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        begin = BEGIN.format(path=_library_path(), control=theirs.fileno(), level=level)
        environment = ENVIRONMENT | {name: os.environ[name] for name in KEPT if name in os.environ}
        command, silent = [sys.executable, "-c", begin], subprocess.DEVNULL
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, what it writes until it is ready
        self._process = subprocess.Popen(
            command,
            stdin=silent,
            stdout=silent,
            stderr=self._errors,
            env=environment,
            cwd="/",
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C is for the grader, which then ends it
        )
        theirs.close()

    def _ready(self) -> None:
        """Wait until it has loaded the libraries, and learn at which level."""
        if self._errors is None:
            return
        with self._errors as errors:
            self._errors = None
            try:
                reply = self._receive(START)
            except JailError as error:
                again = getattr(error, "again", False)
                self.close()
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip().splitlines()[-1:]
                error = JailError(": ".join([str(error), *said]))
                if self._wanted is None and again:
                    self._start("standard")
                    self._ready()
                    self.lacks = str(error)
                    return
                raise error from None
        self.level, self.lacks, self.process = reply["level"], reply["lacks"], self._process.pid
        if self._wanted not in (None, self.level):
            self.close()
            raise JailError(f"the level {self._wanted!r} is not to be had on this machine: {self.lacks}")

    def _is_gone(self) -> bool:
        """Whether there is something to read where nothing was asked for: the end."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        return bool(poll.poll(0))

    def _ask(self, request: dict, *descriptors: int) -> dict:
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
        except OSError as error:
            raise JailError(f"the process that starts answers is gone: {error.strerror}") from None
        return self._receive(REPLY)

    def _receive(self, seconds: float) -> dict:
        self._control.settimeout(seconds)
        try:
            message = self._control.recv(65536)
        except OSError as error:
            if self._process:
                self._process.kill()  # whatever it does now, it is not what was asked for
            raise JailError(f"the process that starts answers does not reply: {error}") from None
        if not message:
            raise JailError("the process that starts answers ended by itself")
        reply = json.loads(message)
        if "error" in reply:
            error = JailError(reply["error"])
            error.again = reply.get("again", False)
            raise error
        return reply


class Process:
    """One answer process and the channel to it."""

    def __init__(self, zygote: Zygote, number: int, channel: socket.socket, allowed: float):
        self.zygote, self.number, self._channel, self._allowed = zygote, number, channel, allowed
        self._poll = select.poll()

    def used(self) -> float:
        """CPU seconds so far."""
        return self.zygote.used(self.number)

    def grant(self, seconds: float) -> float:
        """Allow it so much CPU time from now on; CPU seconds so far."""
        used = self.zygote.used(self.number, seconds)
        self._allowed = used + seconds
        return used

    def send(self, frame: bytes, deadline: float) -> None:
        """Write all of it.

        Raises:
            TimeoutError: if it is not read before the deadline (a time of ``time.monotonic()``).
            EOFError: if the process ended.
        """
        rest = memoryview(frame)
        while rest:
            self._wait(select.POLLOUT, deadline)
            try:
                rest = rest[self._channel.send(rest) :]
            except BlockingIOError:
                continue
            except OSError:
                raise EOFError from None

    def receive(self, size: int, deadline: float) -> bytes:
        """That many bytes, or the same exceptions. However they drip in, the deadline stays."""
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            self._wait(select.POLLIN, deadline)
            try:
                count = self._channel.recv_into(rest)
            except BlockingIOError:
                continue
            except OSError:
                count = 0
            if not count:
                raise EOFError
            rest = rest[count:]
        return bytes(data)

    def close(self, patience: float = 0) -> dict:
        """End the process, after so many seconds: see :meth:`Zygote.end`."""
        self._channel.close()
        return self.zygote.end(self.number, patience)

    def _wait(self, event: int, deadline: float) -> None:
        self._poll.register(self._channel, event)
        left = deadline - time.monotonic()
        while left <= 0 or not self._poll.poll(min(left, LOOK) * 1000):
            left = deadline - time.monotonic()
            if left <= 0 or self.used() > self._allowed:  # the kernel's own limit can be ignored
                raise TimeoutError


@lru_cache(maxsize=1)
def jail_level() -> str:
    """The level that answers are jailed at on this machine; ``"none"`` where there is no jail."""
    if jail.missing():
        return "none"
    command = [sys.executable, "-I", jail.__file__, *map(str, jail.library_folders())]  # tries, and loads no torch for it
    tried = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", check=False)
    return "standard" if tried.returncode else "strong"


def _library_path() -> list[str]:
    """Where a fresh interpreter finds the libraries that this one has, and nothing else: no folder of tests."""
    course = Path(importlib.util.find_spec("course_lib").origin).resolve().parents[1]
    needed = {str(Path(folder)) for folder in sys.path if Path(folder).name in ("site-packages", "dist-packages")}
    base = [folder for folder in sys.path if folder and Path(folder).resolve().is_relative_to(Path(sys.base_prefix).resolve())]
    return [*base, *sorted(needed - set(base)), str(course)]
