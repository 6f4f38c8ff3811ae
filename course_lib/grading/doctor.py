"""``course doctor``: which jail this machine gives to answers, proved by attacking it."""

import inspect
import os
import platform
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from course_lib.grading import attacks, jail
from course_lib.grading.door import Answers
from course_lib.grading.jailed import Jailed
from course_lib.grading.notebook import Source
from course_lib.grading.processes import Zygote
from course_lib.grading.results import NotAttempted, Raised, Stopped

ENDS = {  # how an attack that cannot be refused must end
    "never_ends": "time",
    "computes_on_all_cores": "time",
    "takes_memory_by_lists": "memory",
    "takes_memory_by_tensors": "memory",
    "takes_shared_memory": "memory",
    "forges_a_reply": "crash",
    "floods_its_channel": "crash",
    "ends_as_if_all_were_well": "crash",
}


def main(level: str | None = None) -> int:
    """Say which jail there is and attack it; the exit status is 1 if there is none or an attack was not held."""
    print(f"{platform.system()} {platform.release()} on {platform.machine()}, Landlock version {_landlock()}")
    try:
        with Zygote(level) as zygote:
            print(f"jail: {zygote.level}{f' ({zygote.lacks})' if zygote.lacks else ''}")
            print(f"answers run as: {'nobody' if os.geteuid() == 0 else 'you'}; limits per test: CPU and clock time, memory\n")
            open_ = [found for found in attack_all(zygote) if not report(*found)]
    except jail.JailError as error:
        print(f"jail: none ({error})\nAnswers can only be graded with --trust-submissions here: they run with your own rights.")
        return 1
    print(f"\n{f'{len(open_)} attacks are NOT held: do not grade on this machine' if open_ else 'all attacks are held'}")
    return 1 if open_ else 0


def report(what: str, held: bool, how: str) -> bool:
    print(f"  {'held    ' if held else 'NOT HELD'}  {what}: {how}")
    return held


def attack_all(zygote: Zygote) -> Iterator[tuple[str, bool, str]]:
    """For every attack what it does, whether it was held, and how."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        os.chmod(folder, 0o755)
        secret = Path(folder, "secret.txt")
        for function in ATTACKS:
            secret.write_text("expected values")
            secret.chmod(0o644)
            arguments = (str(secret), server.getsockname()[1], os.getpid())
            yield inspect.getdoc(function), *attack(zygote, function.__name__, *arguments)
            if secret.read_text() != "expected values":
                yield inspect.getdoc(function), False, "the file is changed"
    yield "leaves a process behind", not (left := _children(zygote)), f"{left} processes are left" if left else "none is left"


def attack(zygote: Zygote, name: str, *arguments) -> tuple[bool, str]:
    """Run one attack as an answer; whether it was held, and how."""
    source = Source([Path(attacks.__file__).read_text(encoding="utf-8")])
    with Jailed(zygote, source, seconds=2, memory=500) as jailed:
        try:
            got = getattr(Answers(jailed), name)(*arguments)
            outcome, how = ("passed", f"got {got}") if got is not None else ("raised", "refused")
        except (Raised, NotAttempted, Stopped) as error:
            outcome, how = error.outcome, error.msg.partition("  (in ")[0]
            how = how.removeprefix("your code raised ")
            how = f"{outcome}: {jailed.instructor or how}" if isinstance(error, Stopped) else how
    wanted = ENDS.get(name, "")
    return outcome == wanted if wanted else outcome in ("raised", "crash", "time", "memory"), how.splitlines()[0]


def _children(zygote: Zygote) -> int:
    """How many processes the zygote has, beyond the first one of a process namespace."""
    children = Path(f"/proc/{zygote.process}/task/{zygote.process}/children").read_text().split()
    return len(children) - (zygote.level == "strong")


def _landlock() -> str:
    return str(jail.landlock_version()) if sys.platform == "linux" else "none"


ATTACKS: list[Callable] = [
    function
    for name, function in vars(attacks).items()
    if inspect.isfunction(function) and list(inspect.signature(function).parameters) == ["secret", "port", "grader"]
]
