"""What a hostile answer tries, each attack a function: ``course doctor`` runs them in answer processes, as answers.

An attack that gets what it wants returns what it got; one that is held raises, returns None or dies.
"""

import ctypes
import mmap
import os
import platform
import signal
import socket
import subprocess
import sys
import threading

import torch

from course_lib.grading.jail import CALLS, MACHINES, libc

MEMFD, SOCKETPAIR = {"x86_64": (319, 53), "aarch64": (279, 199)}.get(platform.machine(), (-1, -1))


def call(name, *arguments):
    """A system call past Python; what it returned, if it was let through."""
    number = name if isinstance(name, int) else CALLS[name][MACHINES[platform.machine()][0]]
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return f"{name} gave {result}"


def reads_a_file(secret, port, grader):
    """reads a file that everyone may read"""
    with open(secret) as file:
        return file.read()


def lists_folders(secret, port, grader):
    """lists a folder"""
    return os.listdir(os.path.dirname(secret))


def reads_the_environment(secret, port, grader):
    """reads environment variables"""
    return set(os.environ) - {"TORCHINDUCTOR_CACHE_DIR"} or None  # that one is the jail's


def finds_the_tests(secret, port, grader):
    """finds tests or expected values in its own memory"""
    known = [name for name in sys.modules if name.startswith(("test_", "tests", "exercise_tests", "conftest"))]
    return known or sys.argv[1:] or None


def writes_a_file(secret, port, grader):
    """writes a file"""
    for folder in ("/tmp", "/dev/shm", "/var/tmp", ".", os.path.expanduser("~"), os.path.dirname(torch.__file__)):
        try:
            with open(os.path.join(folder, "answer-was-here"), "w") as file:
                file.write("x")
            return folder
        except OSError:
            continue
    return None


def changes_a_file(secret, port, grader):
    """changes, moves or removes a file"""
    for change in (
        lambda: os.chmod(secret, 0o777),
        lambda: os.utime(secret),
        lambda: os.rename(secret, secret + "2"),
        lambda: os.truncate(secret, 0),
        lambda: os.symlink(secret, secret + "3"),
        lambda: os.remove(secret),
    ):
        try:
            change()
            return "changed"
        except OSError:
            continue
    return None


def fills_memory_files(secret, port, grader):
    """keeps data in a file in memory"""
    return call(MEMFD, b"x", 0)


def connects(secret, port, grader):
    """connects to a port of this machine (TCP)"""
    return str(socket.create_connection(("127.0.0.1", port), timeout=2))


def sends_datagrams(secret, port, grader):
    """sends a datagram (UDP)"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"x", ("127.0.0.1", port))


def makes_sockets(secret, port, grader):
    """makes a socket of any kind"""
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 40):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                return str(socket.socket(family, kind))
            except OSError:
                continue
    return call(SOCKETPAIR, 1, 1, 0, (ctypes.c_int * 2)())


def forks(secret, port, grader):
    """starts a second process (fork)"""
    process = os.fork()
    if process == 0:
        os._exit(0)
    return process


def clones(secret, port, grader):
    """starts a second process past Python (clone, clone3)"""
    try:
        result = call("clone3", ctypes.create_string_buffer(88), 88)
    except OSError:
        result = call("clone", signal.SIGCHLD, 0, 0, 0, 0)
    if result.endswith(" 0"):
        os._exit(0)
    return result


def starts_a_program(secret, port, grader):
    """starts a program"""
    return subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, text=True, check=True).stdout


def becomes_a_program(secret, port, grader):
    """becomes another program (exec)"""
    os.execv(sys.executable, [sys.executable, "-c", "print(1)"])


def starts_threads(secret, port, grader):
    """starts threads without end"""
    stop = threading.Event()
    threading.stack_size(1 << 16)  # small, so that memory does not end it first
    try:
        started = [threading.Thread(target=stop.wait, daemon=True).start() for _ in range(5_000)]
    except RuntimeError:
        return None
    return f"{len(started)} threads"


def kills_its_parent(secret, port, grader):
    """kills the process that started it"""
    os.kill(os.getppid() or grader, signal.SIGKILL)
    return "sent"


def kills_the_grader(secret, port, grader):
    """kills the grader"""
    os.kill(grader, signal.SIGKILL)
    return "sent"


def kills_everything(secret, port, grader):
    """kills whatever it may"""
    os.kill(-1, signal.SIGKILL)
    return "sent"


def signals_by_a_file(secret, port, grader):
    """lets the kernel send signals for it (F_SETOWN)"""
    import fcntl

    return str(fcntl.fcntl(3, fcntl.F_SETOWN, grader))


def reads_the_parents_memory(secret, port, grader):
    """reads the memory of its parent"""
    with open(f"/proc/{os.getppid() or grader}/mem", "rb") as memory:
        return str(memory)


def reads_its_own_process_files(secret, port, grader):
    """reads /proc/self (command line, maps, environment)"""
    with open("/proc/self/environ") as file:
        return file.read() or "opened"


def traces_the_parent(secret, port, grader):
    """debugs its parent (ptrace)"""
    return call("ptrace", 16, os.getppid() or grader, 0, 0)


def copies_memory(secret, port, grader):
    """copies the memory of the grader (process_vm_readv)"""
    return call("process_vm_readv", grader, 0, 0, 0, 0, 0)


def becomes_root(secret, port, grader):
    """becomes root"""
    os.setuid(0)
    return os.getuid()


def makes_namespaces(secret, port, grader):
    """makes namespaces of its own (unshare)"""
    return call("unshare", 0x10000000)


def mounts(secret, port, grader):
    """mounts a file system"""
    return call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, 0)


def asks_the_kernel(secret, port, grader):
    """loads a program into the kernel (bpf)"""
    return call("bpf", 0, 0, 0)


def uses_io_uring(secret, port, grader):
    """gets around the filter (io_uring)"""
    return call("io_uring_setup", 1, ctypes.create_string_buffer(120))


def uses_keys(secret, port, grader):
    """uses the kernel's keys"""
    return call("keyctl", 0, -3, 1)


def opens_by_number(secret, port, grader):
    """opens a file past its path (open_by_handle_at)"""
    return call("open_by_handle_at", -100, ctypes.create_string_buffer(64), 0)


def calls_as_32_bit(secret, port, grader):
    """makes a system call under its second number (x32)"""
    return call(0x40000000 + 39) if platform.machine() == "x86_64" else None


def lifts_its_limits(secret, port, grader):
    """lifts its limits"""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return "lifted"


def outlives_its_parent(secret, port, grader):
    """outlives its parent (PR_SET_PDEATHSIG)"""
    if libc.prctl(1, 0, 0, 0, 0) == 0:
        return "possible"
    return None


def uses_all_descriptors(secret, port, grader):
    """opens files without end"""
    try:
        opened = [os.dup(3) for _ in range(10_000)]
    except OSError:
        return None
    return f"{len(opened)} descriptors"


def takes_memory_by_lists(secret, port, grader):
    """takes all memory with a list"""
    taken = []
    while len(taken) < 40:
        taken.append(bytearray(100_000_000))
    return "4 GB"


def takes_memory_by_tensors(secret, port, grader):
    """takes all memory with a tensor"""
    return str(torch.ones(4_000_000_000, dtype=torch.uint8).shape)


def takes_shared_memory(secret, port, grader):
    """takes memory that counts as shared"""
    shared = mmap.mmap(-1, 4_000_000_000)
    shared[::4096] = bytes(len(shared[::4096]))
    return "4 GB"


def never_ends(secret, port, grader):
    """computes without end, and lets no exception or signal stop it"""
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue


def computes_on_all_cores(secret, port, grader):
    """computes without end in many threads"""
    torch.set_num_threads(4)
    x = torch.ones(2000, 2000)
    while True:
        x @ x


def forges_a_reply(secret, port, grader):
    """writes replies of its own"""
    os.write(3, b"\x0b\x00\x00\x00\x07\x00\x00\x00[1,2,3]" * 3)
    raise RuntimeError("written")


def floods_its_channel(secret, port, grader):
    """writes to the grader without end"""
    while True:
        os.write(3, b"\xff" * 65536)


def ends_as_if_all_were_well(secret, port, grader):
    """ends the process as if all were well"""
    os._exit(0)
