"""The layers around an answer process, by the kernel's own means: Linux 5.13 or later on x86_64 or aarch64.

``standard`` needs no privilege: limits on resources, no new privileges, Landlock (which files may be read; nothing may be
written, no TCP, no signal outwards) and a seccomp filter that allows the system calls of a computing Python and nothing else.
``strong`` adds namespaces: an own file tree of the Python libraries, no network device, no other process in sight.
Whoever grades as root becomes ``nobody`` at both levels.

Each layer is there in case another has a hole. What they do not hold: whether a file of a guessed name exists (``stat`` is
not Landlock's, so only ``strong`` hides that), and whatever a hole in the kernel itself lets through.
"""

import ctypes
import os
import platform
import signal
import site
import struct
import sys
import sysconfig
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import NamedTuple

LEVELS = ("strong", "standard")  # the best first
NOBODY = 65534
HOUR = 3600
THREADS = 500  # of the user, on top of what runs when the first answer starts

libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class JailError(RuntimeError):
    """This machine does not give the layer that is asked for, and what to do."""


@dataclass(frozen=True)
class Limits:
    """What one answer process may use."""

    seconds: float = 3  # of CPU time, all threads together; on the clock it may wait three times as long and ten more
    memory: int = 300  # MB on top of Python and torch themselves

    @property
    def wall(self) -> float:
        return 3 * self.seconds + 10


class Used(NamedTuple):
    """Bytes of memory that a process has mapped, and those of them that are its own to write."""

    all: int
    data: int


def missing() -> list[str]:
    """Why there is no jail on this machine: empty where there is one."""
    if sys.platform != "linux":
        return [f"{platform.system()} has no jail for answers: grade on Linux, in a virtual machine or a container of it"]
    reasons = []
    if platform.machine() not in MACHINES:
        reasons.append(f"no list of system calls for {platform.machine()}: grade on {' or '.join(MACHINES)}")
    if landlock_version() < 1:
        reasons.append(f"Linux {platform.release()} gives no Landlock: it takes 5.13 or later, with landlock among its lsm=")
    try:
        with open("/proc/self/status") as status:
            if "Seccomp_filters:" not in status.read():  # Linux 5.9
                reasons.append(f"Linux {platform.release()} gives no seccomp filters: it takes 5.13 or later, built with them")
    except OSError as error:
        reasons.append(f"/proc is not there: {error.strerror}")
    return reasons


# ------------------------------------------------------------------------------------------------ system calls

Calls = dict[str, tuple[int | None, int | None]]  # name → number on x86_64, on aarch64; None where it has no such call


def _calls(table: str) -> Calls:
    rows = (line.split() for line in table.strip().splitlines())
    return {name: tuple(None if number == "-" else int(number) for number in numbers) for name, *numbers in rows}


# What is open already (the channel, libraries): Landlock decides what can be opened at all, and all of that only to be read.
ALLOWED = _calls("""
    read 0 63
    write 1 64
    readv 19 65
    writev 20 66
    pread64 17 67
    lseek 8 62
    close 3 57
    close_range 436 436
    dup 32 23
    dup2 33 -
    dup3 292 24
    fadvise64 221 223
    poll 7 -
    ppoll 271 73
    select 23 -
    pselect6 270 72
""")
# Finding and opening files: an import looks for its module in folders.
ALLOWED |= _calls("""
    open 2 -
    openat 257 56
    stat 4 -
    lstat 6 -
    fstat 5 80
    newfstatat 262 79
    statx 332 291
    access 21 -
    faccessat 269 48
    faccessat2 439 439
    readlink 89 -
    readlinkat 267 78
    getdents64 217 61
    getcwd 79 17
    umask 95 166
""")
# Memory: private to the process, within its limit. oneDNN writes machine code, so executable pages must be possible.
ALLOWED |= _calls("""
    brk 12 214
    mmap 9 222
    munmap 11 215
    mremap 25 216
    mprotect 10 226
    madvise 28 233
""")
# Threads of its own (clone only makes threads, see below), and what they wait with.
ALLOWED |= _calls("""
    futex 202 98
    set_robust_list 273 99
    set_tid_address 218 96
    rseq 334 293
    membarrier 324 283
    sched_yield 24 124
    sched_getaffinity 204 123
    getcpu 309 168
    gettid 186 178
    exit 60 93
    exit_group 231 94
    wait4 61 260
""")
# The time, and waiting for it.
ALLOWED |= _calls("""
    clock_gettime 228 113
    clock_getres 229 114
    clock_nanosleep 230 115
    nanosleep 35 101
    gettimeofday 96 169
    time 201 -
    times 100 153
    restart_syscall 219 128
""")
# Its own signal handlers.
ALLOWED |= _calls("""
    rt_sigaction 13 134
    rt_sigprocmask 14 135
    rt_sigreturn 15 139
    sigaltstack 131 132
""")
# Who and where it is, in numbers that tell nothing; random bytes.
ALLOWED |= _calls("""
    getpid 39 172
    getppid 110 173
    getuid 102 174
    geteuid 107 175
    getgid 104 176
    getegid 108 177
    getpgrp 111 -
    getpgid 121 155
    getsid 124 156
    getgroups 115 158
    uname 63 160
    sysinfo 99 179
    getrusage 98 165
    getrlimit 97 163
    getrandom 318 278
""")
# Allowed with some arguments only: see seccomp_filter.
CALLS = ALLOWED | _calls("""
    clone 56 220
    clone3 435 435
    kill 62 129
    tgkill 234 131
    fcntl 72 25
    ioctl 16 29
    prctl 157 167
    prlimit64 302 261
""")
# No honest answer comes near these, and holes in kernels often begin there: the process ends at once.
KILLED = _calls("""
    ptrace 101 117
    process_vm_readv 310 270
    process_vm_writev 311 271
    process_madvise 440 440
    bpf 321 280
    userfaultfd 323 282
    perf_event_open 298 241
    open_by_handle_at 304 265
    io_uring_setup 425 425
    io_uring_enter 426 426
    io_uring_register 427 427
    add_key 248 217
    request_key 249 218
    keyctl 250 219
    kexec_load 246 104
    init_module 175 105
    finit_module 313 273
    delete_module 176 106
    setns 308 268
    unshare 272 97
    mount 165 40
    umount2 166 39
    pivot_root 155 41
    open_tree 428 428
    move_mount 429 429
    fsopen 430 430
    pidfd_getfd 438 438
""")
CALLS |= KILLED

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of CALLS, what the kernel calls the machine

LOAD, AND, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # the instructions of the filter
NUMBER, MACHINE, ARGUMENTS = 0, 4, 16  # where struct seccomp_data has them; six arguments of two 32-bit words, low one first
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = 1, 38
WHOLE = 0xFFFFFFFF


def seccomp_filter(process: int) -> bytes:
    """The program that the kernel runs at each system call of the answer process of this number."""
    column, machine = MACHINES[platform.machine()]
    code: list[tuple[int, int, int, int]] = []  # operation, jump if true, jump if false, operand

    def answer(name: str, *instructions: tuple[int, int, int, int]) -> None:
        number = CALLS[name][column]
        if number is not None:
            code.append((EQUAL, 0, len(instructions), number))
            code.extend(instructions)

    def condition(argument: int, values: tuple[int, ...], mask: int = WHOLE, word: int = 0) -> list[tuple[int, int, int, int]]:
        """Go on where the argument is one of the values, refuse the call otherwise."""
        tests = [(EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
        return [(LOAD, 0, 0, ARGUMENTS + 8 * argument + 4 * word), (AND, 0, 0, mask), *tests, (RETURN, 0, 0, REFUSE | EPERM)]

    def forbidden(argument: int, value: int) -> list[tuple[int, int, int, int]]:
        return [(LOAD, 0, 0, ARGUMENTS + 8 * argument), (EQUAL, 0, 1, value), (RETURN, 0, 0, REFUSE | EPERM)]

    allow = (RETURN, 0, 0, ALLOW)
    code += [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, machine), (RETURN, 0, 0, KILL)]  # a 32-bit call would have other numbers
    code += [(LOAD, 0, 0, NUMBER)]
    if platform.machine() == "x86_64":
        code += [(AT_LEAST, 0, 1, 0x40000000), (RETURN, 0, 0, KILL)]  # x32: the same calls under second numbers
    for name in ALLOWED:
        answer(name, allow)
    for name in KILLED:
        answer(name, (RETURN, 0, 0, KILL))
    # Threads only (CLONE_THREAD): without a second process, killing this one leaves nothing behind.
    answer("clone", *condition(0, (0x10000,), mask=0x10000), allow)
    answer("clone3", (RETURN, 0, 0, REFUSE | ENOSYS))  # has its flags in memory, where no filter looks; libc then takes clone
    # To itself, and no SIGKILL: whoever dies of that was killed by the grader, by its limit on CPU time or by the machine.
    answer("kill", *condition(0, (process,)), *forbidden(1, signal.SIGKILL), allow)
    answer("tgkill", *condition(0, (process,)), *forbidden(2, signal.SIGKILL), allow)
    # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC; not F_SETOWN, which makes the kernel send signals.
    answer("fcntl", *condition(1, (0, 1, 2, 3, 4, 1030)), allow)
    answer("ioctl", *condition(1, (0x5401, 0x541B, 0x5450, 0x5451)), allow)  # TCGETS (open asks), FIONREAD, FIONCLEX, FIOCLEX
    answer(
        "prctl", *condition(0, (15, 16, 0x53564D41)), allow
    )  # names of threads and of memory; nothing about its parent's death
    answer(
        "prlimit64", *condition(0, (0,)), *condition(2, (0,)), *condition(2, (0,), word=1), allow
    )  # asks for its limits, sets none
    code.append((RETURN, 0, 0, REFUSE | EPERM))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


# ---------------------------------------------------------------------------------------------------- Landlock

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # on every machine
READ_FILE, READ_DIR, WRITE_FILE, TRUNCATE = 1 << 2, 1 << 3, 1 << 1, 1 << 14


def landlock_version() -> int:
    """The kernel's Landlock ABI; 0 where there is none."""
    return max(0, libc.syscall(LANDLOCK_CREATE, None, 0, 1))


def landlock_rules(libraries: list[Path], folders: list[Path]) -> int:
    """A descriptor of the rules: nothing may be opened but these libraries, to read, these folders, to list, and /dev/null.

    From version 4 on no TCP, from 6 on no signal and no abstract socket outside.
    """
    version = landlock_version()
    files = (
        (1 << 13) - 1 | (1 << 13 if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0) | (1 << 15 if version >= 5 else 0)
    )
    attributes = struct.pack("=QQQ", files, 3, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = _checked(libc.syscall(LANDLOCK_CREATE, attributes, len(attributes), 0), "Landlock")
    null = READ_FILE | WRITE_FILE | (TRUNCATE & files)
    for path, rights in [*((path, READ_FILE | READ_DIR) for path in libraries), *((path, READ_DIR) for path in folders)] + [
        (Path(os.devnull), null)
    ]:
        _landlock_add(rules, path, rights)
    return rules


def _landlock_add(rules: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # went away, or is not readable for whoever grades: then not for an answer either
    try:
        rights &= WHOLE if path.is_dir() else ~READ_DIR
        _checked(libc.syscall(LANDLOCK_ADD, rules, 1, struct.pack("=Qi", rights, place), 0), f"Landlock ({path})")
    finally:
        os.close(place)


def _checked(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise JailError(f"{what} is refused on this machine: {os.strerror(error)}")
    return result


# -------------------------------------------------------------------------------------------------- namespaces

NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000  # files, host name, IPC, processes, network
NEW_USER = 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2


def library_folders() -> list[Path]:
    """Where Python finds libraries: the standard library and its C part, the installed packages, the course."""
    import course_lib

    paths = sysconfig.get_paths()
    packages = {paths["purelib"], paths["platlib"], *site.getsitepackages()}
    packages |= {folder for folder in sys.path if Path(folder).name in ("site-packages", "dist-packages")}
    course = Path(course_lib.__file__).resolve().parent
    folders = {Path(folder).resolve() for folder in (paths["stdlib"], paths["platstdlib"], *packages)} | {course}
    return sorted(folder for folder in folders if folder.is_dir())


def enter_namespaces(libraries: list[Path]) -> None:
    """Give this process its own file tree of these libraries, no network, and its next children a process tree of their own.

    Raises:
        JailError: if the machine refuses; the process is then as it was.
    """
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        _checked(libc.unshare(NAMESPACES), "a set of namespaces")
    else:
        _checked(libc.unshare(NAMESPACES | NEW_USER), "a set of namespaces")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    try:
        _own_file_tree(libraries)
    except (OSError, JailError) as error:
        raise HalfDone(str(error)) from None


class HalfDone(JailError):
    """Some of the namespaces are entered: begin again in a new process."""


def _own_file_tree(libraries: list[Path]) -> None:
    _mount(None, "/", MS_REC | MS_PRIVATE)
    root = "/proc"  # any folder without libraries will do: only this process and its children see what is mounted there
    _mount("tmpfs", root, MS_NOSUID | MS_NODEV, "tmpfs", "mode=755,size=1m")
    for path in [*libraries, Path(os.devnull)]:
        copy = Path(root, *path.parts[1:])
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.mkdir(exist_ok=True) if path.is_dir() else copy.touch()
        _mount(str(path), str(copy), MS_BIND)
        if path.is_dir():
            kept = os.statvfs(copy).f_flag & (MS_NOSUID | MS_NODEV | 8 | 1024)  # noexec, noatime: what is set stays set
            _mount(None, str(copy), MS_REMOUNT | MS_BIND | MS_RDONLY | kept)
    os.chdir(root)
    if libc.syscall(CALLS["pivot_root"][MACHINES[platform.machine()][0]], b".", b".") < 0:
        raise JailError(f"pivot_root: {os.strerror(ctypes.get_errno())}")
    _checked(libc.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")
    _mount(None, "/", MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)


def _mount(source: str | None, target: str, flags: int, kind: str | None = None, options: str | None = None) -> None:
    arguments = [text if text is None else text.encode() for text in (source, target, kind, options)]
    result = libc.mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[3])
    _checked(result, f"mount {source or ''} on {target}")


# ------------------------------------------------------------------------------------------- into the jail

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38


def become_nobody() -> None:
    """Leave root behind, for good. Nothing happens to an ordinary user."""
    if os.geteuid() == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        except OSError as error:
            raise JailError(f"root cannot become nobody here ({error.strerror}): grade as an ordinary user") from None


def may_be_read_by_answers(folders: list[Path]) -> bool:
    """Whether these folders are open to the user, and to the groups, that answers run as: a process that becomes it looks."""
    process = os.fork()
    if process == 0:
        try:
            become_nobody()
            os._exit(not all(os.access(folder, os.R_OK | os.X_OK) for folder in folders))
        finally:
            os._exit(1)
    return os.waitpid(process, 0)[1] == 0


def use_large_pages() -> None:
    """Make a fork of this process several times cheaper, where the kernel can (Linux 6.1): fewer pages to copy the table of."""
    size, collapse = 1 << 21, 25  # bytes of a large page, MADV_COLLAPSE
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, rights, *_, name = f"{line} -".split(" ", 5)
        start, end = (int(address, 16) for address in place.split("-"))
        start, end = -(-start // size) * size, end // size * size
        if rights == "rw-p" and name.strip(" -") in ("", "[heap]") and start < end:
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), collapse)  # where it cannot, nothing is lost


def die_with_parent(parent: int) -> None:
    """Be killed when the process of this number ends. A change of user forgets it: call it after that."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() not in (parent, 0):  # 0: a parent outside this process namespace
        os._exit(1)


def running_threads(user: int) -> int:
    """How many threads this user has now: the limit on them counts all of them."""
    count = 0
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{process}").st_uid == user:
                count += len(os.listdir(f"/proc/{process}/task"))
        except OSError:
            continue  # ended meanwhile
    return count


def enter(limits: Limits, used: Used, rules: int, threads: int) -> None:
    """Put this process, which has one thread, under all limits and filters, for good.

    Args:
        used: memory it has already.
        rules: what :func:`landlock_rules` gave.
        threads: limit on this user's threads.
    """
    import resource  # Windows has none, and must be able to say that it has no jail

    memory = int(limits.memory * 1e6)
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(limits.seconds), HOUR))  # SIGXCPU; who catches that is watched from outside
    for name, value in (
        (resource.RLIMIT_DATA, used.data + memory),  # what it writes for itself …
        (resource.RLIMIT_AS, used.all + memory + 10**9),  # … and what it maps, shared memory and libraries with it
        (resource.RLIMIT_STACK, 8 << 20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_NPROC, threads),
    ):
        resource.setrlimit(name, (value, value))
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # no other process of this user may look into it
    _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _checked(libc.syscall(LANDLOCK_RESTRICT, rules, 0), "Landlock")
    os.close(rules)
    program = seccomp_filter(os.getpid())
    text = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HP", len(program) // 8, ctypes.addressof(text))
    _checked(libc.prctl(PR_SET_SECCOMP, 2, head, 0, 0), "a seccomp filter")


if __name__ == "__main__":  # does this machine give namespaces?
    enter_namespaces([Path(folder) for folder in sys.argv[1:]])
