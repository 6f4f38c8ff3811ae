"""Values cross as bytes and come back as they were; no bytes but those of values are believed, and none cost much."""

import json
import random
import struct
import time
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest
import torch

from course_lib.grading import wire


def nobody(value):
    raise AssertionError(f"{type(value)} is no value")


def crossed(value):
    frame = wire.pack(value, nobody)
    assert wire.length(frame[:4]) == len(frame) - 4
    return wire.unpack(frame[4:], nobody)


def frame(header, blobs: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + blobs


def same(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        bits = one.reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8)
        return (one.dtype, one.shape) == (other.dtype, other.shape) and torch.equal(*bits)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    return type(one) is type(other) and repr(one) == repr(other)  # NaN and -0.0 too


VALUES = [
    *(None, True, False, 0, -1, 10**399, 1.5, -0.0, float("nan"), float("inf"), 5e-324, "", "é\ud800\0\x1b[2J"),
    *([], (), {}, [[], ()], ([1, (2, {"a": 3.0})],), {None: 1, 2.5: [True], "x": {}, 7: 8}),
    *(torch.tensor(2.5), torch.zeros(0), torch.zeros(3, 0, 2), torch.arange(24).reshape(2, 3, 4).permute(2, 0, 1)),
    *(torch.tensor([float("nan"), float("inf"), -0.0]), torch.tensor([True, False]), torch.tensor([1 + 2j]).conj().clone()),
    [torch.ones(2), (torch.zeros(1, dtype=torch.int64), 3)],
]
VALUES += [torch.ones(3, 2).to(dtype) for dtype in wire.DTYPES.values()]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:40])
def test_a_value_comes_back_as_it_was(value):
    assert same(crossed(value), value)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (np.float64(2.5), 2.5),
        (np.float32(0.1), 0.10000000149011612),
        (np.int8(-3), -3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(3), torch.tensor(3)),
        (np.arange(4, dtype=">i4")[::-2], torch.tensor([3, 1], dtype=torch.int32)),
        (np.ones((2, 2), dtype=np.complex128), torch.ones(2, 2, dtype=torch.complex128)),
        (torch.nn.Parameter(torch.ones(2)), torch.ones(2)),
        (torch.ones(2, requires_grad=True) * 2, torch.full((2,), 2.0)),
        (torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j])),
        (torch.Size([2, 3]), (2, 3)),
        (OrderedDict(a=1), {"a": 1}),
    ],
    ids=repr,
)
def test_what_is_converted_by_name(value, found):
    assert same(crossed(value), found)


class Number(int):
    pass


class Words(str):
    pass


class Items(list):
    pass


@pytest.mark.parametrize(
    "value",
    [
        *(Number(3), Words("a"), Items(), type("Table", (dict,), {})(), {1}, b"x", 1j, object(), {(1, 2): 3}, {Words("a"): 1}),
        *(torch.ones(2).to_sparse(), torch.ones(2, device="meta"), torch.ones(2).as_subclass(type("Mine", (torch.Tensor,), {}))),
        *(np.array([object()]), np.array(["a"]), np.ma.array([1]), np.longdouble(1), np.datetime64("2020")),
        torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8),
    ],
    ids=lambda value: type(value).__name__,
)
def test_everything_else_is_a_handle(value):
    seen = []
    found = wire.unpack(wire.pack([value], lambda thing: seen.append(thing) or 7)[4:], lambda number: f"handle {number}")
    assert found == ["handle 7"] and seen[0] is value


def deep(levels: int):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def test_what_is_too_deep_or_too_large_does_not_cross():
    assert same(crossed(deep(wire.DEEPEST)), deep(wire.DEEPEST))
    endless = []
    endless.append(endless)
    for value in (deep(wire.DEEPEST + 1), endless, 10**400, -(10**400), "x" * wire.HEADER, torch.zeros(wire.LONGEST // 4 + 1)):
        with pytest.raises(wire.Unfit):
            wire.pack(value, nobody)


TENSOR = {"tensor": ["float32", [2]]}
BAD = {
    "nothing": b"",
    "a header that is not there": struct.pack("<I", 10),
    "a header longer than its frame": struct.pack("<I", 2**32 - 1) + b"1",
    "no JSON": frame(b"{"),
    "no text": frame(b"\xff\xfe"),
    "not ASCII": frame('"é"'.encode()),
    "more after the header": frame(1, b"x"),
    "too deep": frame(b"[" * 20 + b"]" * 20),
    "deep enough for a stack to overflow": frame(b"[" * 10**5 + b"]" * 10**5),
    "a tuple too deep": frame(b'{"tuple":[' * 13 + b"]}" * 13),
    "a bare float": frame(b"1.5"),
    "an exponent": frame(b"1e999"),
    "a bare NaN": frame(b"NaN"),
    "a number of a million digits": frame(b"9" * 10**6),
    "a number of a thousand digits": frame(b"9" * 1000),
    "too many values": frame(b"[" + b"0," * 500_000 + b"0]"),
    "two keys": frame(b'{"tuple":[],"dict":[]}'),
    "the same key twice": frame(b'{"tuple":[1],"tuple":[2]}'),
    "no key": frame(b"{}"),
    "an unknown key": frame({"object": 1}),
    "a float that is none": frame({"float": "one"}),
    "a float that is a number": frame({"float": 1}),
    "a float too large": frame({"float": "0x1p99999"}),
    "a float of a megabyte": frame({"float": "0x" + "0" * 10**6}),
    "a tuple that is none": frame({"tuple": "ab"}),
    "a dictionary that is none": frame({"dict": [[1]]}),
    "a key that comes twice": frame({"dict": [[1, 2], [1, 3]]}),
    "equal keys": frame({"dict": [[1, 2], [True, 3]]}),
    "a list as a key": frame({"dict": [[[1], 2]]}),
    "a tensor as a key": frame({"dict": [[TENSOR, 2]]}, bytes(8)),
    "a handle below zero": frame({"handle": -1}),
    "a handle too large": frame({"handle": 2**31}),
    "a handle that is true": frame({"handle": True}),
    "a tensor without bytes": frame(TENSOR),
    "a tensor with too few bytes": frame(TENSOR, bytes(7)),
    "a tensor with too many bytes": frame(TENSOR, bytes(9)),
    "one tensor's bytes for two": frame([TENSOR, TENSOR], bytes(8)),
    "an unknown type": frame({"tensor": ["object", [2]]}, bytes(16)),
    "a type that is no text": frame({"tensor": [["float32"], [2]]}, bytes(8)),
    "a negative size": frame({"tensor": ["float32", [-2, -1]]}, bytes(8)),
    "a size that is true": frame({"tensor": ["uint8", [True]]}, bytes(1)),
    "sizes without end": frame({"tensor": ["uint8", [2**62, 2**62, 0]]}),
    "too many dimensions": frame({"tensor": ["uint8", [1] * 1000]}, bytes(1)),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_is_no_value_is_refused_at_little_cost(bad):
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(wire.ProtocolError):
            wire.unpack(bad, lambda number: number)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(bad) + 10**5
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 1


@pytest.mark.parametrize("start", [0, 3, 64_000_001, 2**32 - 1])
def test_a_length_that_no_frame_has_is_refused(start):
    with pytest.raises(wire.ProtocolError, match="a frame of"):
        wire.length(struct.pack("<I", start))


def test_a_byte_that_is_neither_true_nor_false_is_true():
    assert wire.unpack(frame({"tensor": ["bool", [3]]}, b"\0\1\xff"), nobody).tolist() == [False, True, True]


def test_no_bytes_make_it_fail_in_another_way():
    """Valid frames with bytes changed, cut, doubled and put together, from fixed seeds."""
    draw = random.Random(0)
    frames = [wire.pack(value, nobody)[4:] for value in [*VALUES, VALUES] if len(wire.pack(value, nobody)) < 5000]
    understood = 0
    for _ in range(20_000):
        data = bytearray(draw.choice(frames))
        for _ in range(draw.randint(1, 4)):
            kind, at = draw.randrange(5), draw.randrange(len(data) + 1)
            if kind == 0 and data:
                data[at % len(data)] = draw.randrange(256)
            elif kind == 1:
                del data[at : at + draw.randint(1, 8)]
            elif kind == 2:
                data[at:at] = draw.choice([b'{"tensor":["float32",[2]]}', b"[", b"]", b'{"handle":1}', b"\0", b"9" * 50, b'"'])
            elif kind == 3:
                other = draw.choice(frames)
                data[at:] = other[draw.randrange(len(other)) :]
            elif data:  # a header as long as it says, so that what is behind it is reached
                data[:4] = struct.pack("<I", draw.randint(0, len(data)))
        try:
            wire.unpack(bytes(data), lambda number: number)
            understood += 1
        except wire.ProtocolError:
            pass
    assert 50 < understood < 15_000
