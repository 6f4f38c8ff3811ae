"""Fuzz the parser of what answer processes send (course_lib.grading.wire), guided by its coverage; needs ``pip install atheris``.

``python tools/fuzz_wire.py SECONDS``: every input is either refused by name or a value that packs and parses again. Any
other exception, ten seconds for one input or 2 GB of memory end the run with an error. libFuzzer prints its figures.
"""

import struct
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["course_lib.grading.wire", "json"]):
    from course_lib.grading import wire

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "grading"))
from test_wire import VALUES

SIZE = wire.LENGTH.size


def parse(data: bytes) -> None:
    """Read a line of header and the bytes after it; their lengths are put in, which no fuzzer would guess."""
    header, _, blobs = data.partition(b"\n")
    try:
        value = wire.unpack(wire.LENGTH.pack(len(header)) + header + blobs, lambda number: number)
    except wire.ProtocolError:
        return
    wire.unpack(wire.pack(value, None)[SIZE:], lambda number: number)


def seeds(folder: Path) -> None:
    """Frames of the values that the tests pack, to begin with."""
    for number, value in enumerate(VALUES):
        frame = wire.pack(value, None)[SIZE:]
        (end,) = struct.unpack_from(wire.LENGTH.format, frame)
        if len(frame) < 4000:
            (folder / str(number)).write_bytes(frame[SIZE : SIZE + end] + b"\n" + frame[SIZE + end :])


if __name__ == "__main__":
    seconds = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        seeds(Path(folder))
        limits = ["-max_len=4096", f"-max_total_time={seconds}", "-rss_limit_mb=2000", "-timeout=10", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], folder, *limits], parse)
        atheris.Fuzz()
