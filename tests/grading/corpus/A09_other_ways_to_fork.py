# threat: A9
# Right only if every attempt fails.
import ctypes
import os


def started(*ways):
    count = 0
    for way in ways:
        try:
            way()
        except (OSError, MemoryError):
            continue
        count += 1
    return count


def checked(result):
    if result < 0:
        raise OSError


def area(width, height):
    libc = ctypes.CDLL(None)
    return width * height + started(
        os.forkpty,
        lambda: os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}),
        lambda: os.execv("/bin/sleep", ["sleep", "1000"]),
        lambda: checked(libc.syscall(57)),  # fork
        lambda: checked(libc.syscall(435, 0, 0)),  # clone3
        lambda: checked(libc.syscall(56, 17, 0, 0, 0, 0)),  # clone with SIGCHLD
    )
