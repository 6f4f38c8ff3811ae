"""What lies in a folder or a zip. Nothing is extracted, no link is followed, and every limit has a reason to show.

What is refused is listed as well, with the problem, so that nobody's hand-in is lost without a word.
"""

import io
import os
import stat
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

IGNORED = {"__MACOSX", "__pycache__", "node_modules", "site-packages", "Thumbs.db", "desktop.ini"}  # and hidden ones
MAX_FILES = 10_000  # in one folder of the class, or in one zip
MAX_DEPTH = 20  # folders in folders
MAX_NESTED = 256_000_000  # bytes of a zip inside a zip: it is unpacked in memory
MAX_DIRECTORY = 2_000_000  # bytes of a zip's table of contents: about 20,000 files
MAX_RATIO = 200  # a bomb reaches 1000; a notebook of repeated text about 50


class Refused(ValueError):
    """Something is not read, and why; the words follow its name."""


@dataclass(frozen=True, eq=False)
class File:
    """One file: its path in parts, when it was changed (year to second), its size in bytes, and how to open it for reading.

    ``problem`` says why it may not be read ("": it may); ``packed``: it comes out of a zip.
    """

    parts: tuple[str, ...]
    time: tuple[int, ...]
    size: int
    open: Callable[[], BinaryIO]
    problem: str = ""
    packed: bool = False

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def suffix(self) -> str:
        return os.path.splitext(self.name)[1].lower()


def files_in(folder: Path) -> list[File]:
    """All files in a folder by name, those in its folders included; or the one file that it is."""
    if not folder.is_dir():
        return list(_walk(folder.parent, (folder.name,)))
    return [file for name in sorted(os.listdir(folder)) if not _is_ignored(name) for file in _walk(folder, (name,))]


def members(archive: File, stack: ExitStack) -> list[File]:
    """All files of a zip, their paths below that of the zip; they can be read until the stack is closed.

    Raises:
        Refused: if it is no zip, or one that could be meant to do harm.
    """
    if archive.problem:
        raise Refused(archive.problem)
    if archive.packed and archive.size > MAX_NESTED:
        raise Refused(f"is a zip of {archive.size // 10**6} MB. Hand in the notebook alone")
    try:
        stream = stack.enter_context(archive.open())
        stream = io.BytesIO(stream.read()) if archive.packed else stream  # a packed one cannot go back
        _check_directory(stream)
        opened = stack.enter_context(zipfile.ZipFile(stream))
        found = [_member(archive, opened, info) for info in opened.infolist() if not info.filename.endswith("/")]
    except Refused:
        raise
    except Exception as error:  # a hostile zip can raise anything
        raise Refused(f"cannot be unpacked ({type(error).__name__}). Zip the notebook again, or hand it in as it is") from None
    return [file for file in found if not any(map(_is_ignored, file.parts))]


def _walk(folder: Path, parts: tuple[str, ...]) -> Iterator[File]:
    waiting, count = [parts], 0
    while waiting:
        parts = waiting.pop()
        path = folder.joinpath(*parts)
        try:
            status = os.lstat(path)
        except OSError:
            continue  # it is gone
        if stat.S_ISDIR(status.st_mode) and len(parts) <= MAX_DEPTH:
            inner = [(*parts, name) for name in os.listdir(path) if not _is_ignored(name)]
            waiting += sorted(inner, reverse=True)
            continue
        count += 1
        problem = "" if stat.S_ISREG(status.st_mode) else "is not a regular file (a link, a device). Hand in the notebook itself"
        if stat.S_ISDIR(status.st_mode):
            problem = f"is more than {MAX_DEPTH} folders deep. Hand in the notebook alone"
        if count > MAX_FILES:
            problem, waiting = f"is one of more than {MAX_FILES:,} files. Hand in the notebook alone", []
        yield File(parts, tuple(time.localtime(status.st_mtime)[:6]), status.st_size, lambda path=path: _open(path), problem)


def _open(path: Path) -> BinaryIO:
    """Open a regular file; without waiting, should a pipe have taken its place."""
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused("is not a regular file. Hand in the notebook itself")
    return os.fdopen(descriptor, "rb")


def _check_directory(stream: BinaryIO) -> None:
    """Refuse a zip before its table of contents is read, if that would take long."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 65_557))  # the last record and the longest comment
    tail = stream.read()
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) < end + 22:
        raise Refused("is not a zip. Zip the notebook again, or hand it in as it is")
    if tail[max(0, end - 20) : end].startswith(b"PK\6\7"):
        raise Refused("is a zip in the format for huge ones (zip64). Hand in the notebook alone")
    if struct.unpack_from("<L", tail, end + 12)[0] > MAX_DIRECTORY:
        raise Refused("is a zip of too many files. Hand in the notebook alone")


def _member(archive: File, opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> File:
    name = info.filename.replace("\\", "/")  # as some programs for Windows write it
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    mode = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
    problem = ""
    if name.startswith("/") or name[1:2] == ":" or ".." in parts or not 0 < len(parts) <= MAX_DEPTH:
        problem = "has a path that leads out of the zip. Hand in the notebook as it is"
    elif mode not in (0, stat.S_IFREG):
        problem = "is not a regular file (a link, a device). Hand in the notebook itself"
    elif info.flag_bits & 1:
        problem = "is locked with a password. Zip it without one, or hand it in as it is"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = "is compressed in an unusual way. Hand in the notebook as it is"
    elif info.file_size > 10**7 and info.file_size > MAX_RATIO * info.compress_size:
        problem = f"unpacks to more than {MAX_RATIO} times its size. Clear the notebook's outputs and hand it in as it is"
    parts = tuple(part for part in parts if part != "..") or ("nameless",)
    return File((*archive.parts, *parts), tuple(info.date_time), info.file_size, lambda: opened.open(info), problem, True)


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name in IGNORED
