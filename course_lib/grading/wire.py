"""Values as bytes: what passes the door, and nothing else.

A frame is ``[length][length of the header][header][blobs]``: two unsigned 32-bit numbers, a JSON text, the bytes of tensors.
In the header ``null``, booleans, whole numbers, texts and lists stand for themselves; everything else is an object of one
key::

    {"float": "0x1.8p+1"}  {"tuple": […]}  {"dict": [[key, value], …]}  {"tensor": [dtype, shape]}  {"handle": number}

The blobs are those of the tensors in the order of the header. :func:`pack` goes by exact types, so that no object can pass for
a value. :func:`unpack` believes nothing: whatever does not fit is a :class:`ProtocolError`, at a bounded cost in memory and time.
"""

import json
import struct
from collections import OrderedDict
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

DEEPEST = 12  # containers in containers
LONGEST = 64 * 10**6  # bytes of a frame
HEADER = 4 * 10**6  # bytes of its header
NODES = 400_000  # in a header
DIGITS = 400  # of a whole number

SCALARS = (type(None), bool, int, float, str)
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64),
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128),
    )
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
NUMPY_SCALARS = {np.dtype(code).type for code in "?bBhHiIlLqQefdU"}
LENGTH = struct.Struct("<I")


class ProtocolError(ValueError):
    """The bytes are no frame, or a frame that holds more than it may."""


class Unfit(TypeError):
    """A value that may not cross, and why."""


def pack(value, refer) -> bytes:
    """The frame of a value.

    Args:
        refer: gives the number of the handle for an object that is no value, or raises.
    Raises:
        Unfit: if the value is nested too deep or too large.
    """
    blobs: list[bytes] = []
    header = json.dumps(_node(value, refer, blobs, 0), separators=(",", ":"), allow_nan=False).encode("ascii")
    length = LENGTH.size + len(header) + sum(map(len, blobs))
    if length > LONGEST or len(header) > HEADER:
        raise Unfit(f"a value of {length:,} bytes is too large: {LONGEST:,} may cross, {HEADER:,} of them outside tensors")
    return b"".join([LENGTH.pack(length), LENGTH.pack(len(header)), header, *blobs])


def unpack(frame: bytes, resolve):
    """The value in a frame without its first length (see :func:`length`).

    Args:
        resolve: gives what stands here for the handle of that number, or raises.
    Raises:
        ProtocolError: if the frame is not exactly what :func:`pack` can make.
    """
    if len(frame) < LENGTH.size:
        raise ProtocolError("a frame without a header")
    (size,) = LENGTH.unpack_from(frame)
    start = LENGTH.size + size
    if size > HEADER or start > len(frame):
        raise ProtocolError(f"a header of {size} bytes in a frame of {len(frame)}")
    header = frame[LENGTH.size : start]
    if header.count(b"[") + header.count(b"{") + header.count(b",") > NODES:
        raise ProtocolError("too many values in one frame")
    try:
        text = header.decode("ascii")
        node = json.loads(text, parse_int=_whole, parse_float=_constant, parse_constant=_constant, object_pairs_hook=_one_key)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the header is no JSON: {str(error)[:200]}") from None
    blobs = _Blobs(frame, start)
    value = _value(node, resolve, blobs, 0)
    if blobs.at != len(frame):
        raise ProtocolError(f"{len(frame) - blobs.at} bytes that belong to no tensor")
    return value


def length(start: bytes) -> int:
    """How many bytes follow the first four of a frame."""
    (found,) = LENGTH.unpack(start)
    if not LENGTH.size <= found <= LONGEST:
        raise ProtocolError(f"a frame of {found:,} bytes")
    return found


def _node(value, refer, blobs: list[bytes], depth: int):
    kind = type(value)
    if kind is float:
        return {"float": value.hex()}
    if kind is int and abs(value) >= 10**DIGITS:
        raise Unfit(f"a whole number of more than {DIGITS} digits")
    if kind in SCALARS:
        return value
    if kind in NUMPY_SCALARS:
        return _node(value.item(), refer, blobs, depth)
    if kind is np.ndarray and value.dtype.isnative is False:
        value = value.astype(value.dtype.newbyteorder("="))
    if kind is np.ndarray and value.dtype.name in DTYPES:
        value = torch.from_numpy(np.array(value, order="C"))  # a copy: torch knows neither negative strides nor read-only
        kind = Tensor
    if kind in (Tensor, nn.Parameter):
        if value.layout is torch.strided and value.device.type != "meta" and value.dtype in NAMES:
            return {"tensor": _tensor(value, blobs)}
    elif kind in (list, tuple, torch.Size):
        below = _deeper(depth)
        nodes = [_node(item, refer, blobs, below) for item in value]
        return nodes if kind is list else {"tuple": nodes}
    elif kind in (dict, OrderedDict) and all(type(key) in SCALARS for key in value):
        below = _deeper(depth)
        return {"dict": [[_node(key, refer, blobs, below), _node(item, refer, blobs, below)] for key, item in value.items()]}
    return {"handle": refer(value)}


def _deeper(depth: int) -> int:
    if depth == DEEPEST:
        raise Unfit(f"values are nested more than {DEEPEST} deep")
    return depth + 1


def _tensor(value: Tensor, blobs: list[bytes]) -> list:
    with torch.no_grad():
        # resolve_…: a transposed complex matrix carries its conjugation as a flag beside the numbers
        flat = Tensor.detach(value).resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
        if flat.nbytes > LONGEST:
            raise Unfit(f"a tensor of {flat.nbytes:,} bytes is too large: {LONGEST:,} may cross")
        blobs.append(flat.view(torch.uint8).numpy().tobytes())
    return [NAMES[value.dtype], list(value.shape)]


class _Blobs:
    """The bytes behind the header, taken in order."""

    def __init__(self, frame: bytes, at: int):
        self.frame, self.at = frame, at

    def take(self, size: int) -> bytearray:
        if size > len(self.frame) - self.at:
            raise ProtocolError("a tensor longer than its frame")
        self.at += size
        return bytearray(memoryview(self.frame)[self.at - size : self.at])


def _value(node, resolve, blobs: _Blobs, depth: int):
    kind = type(node)
    if kind is list:
        return _items(node, resolve, blobs, _level(depth))
    if kind is not _Object:
        return node
    name, content = node
    if name == "float" and type(content) is str and len(content) <= 40:
        try:
            return float.fromhex(content)
        except (ValueError, OverflowError):
            pass
    elif name == "tuple" and type(content) is list:
        return tuple(_items(content, resolve, blobs, _level(depth)))
    elif name == "dict" and type(content) is list:
        return _dictionary(content, resolve, blobs, _level(depth))
    elif name == "tensor" and type(content) is list and len(content) == 2:
        return _read_tensor(*content, blobs)
    elif name == "handle" and type(content) is int and 0 <= content < 2**31:
        return resolve(content)
    raise ProtocolError(f"no value: {name!r:.40}")


def _items(nodes: list, resolve, blobs: _Blobs, depth: int) -> list:
    return [_value(node, resolve, blobs, depth) for node in nodes]


def _dictionary(content: list, resolve, blobs: _Blobs, depth: int) -> dict:
    found = {}
    for pair in content:
        if type(pair) is not list or len(pair) != 2:
            raise ProtocolError("an entry of a dictionary is a key and a value")
        key = _value(pair[0], resolve, blobs, depth)
        if type(key) not in SCALARS or key in found:
            raise ProtocolError("the key of a dictionary is no plain value, or comes twice")
        found[key] = _value(pair[1], resolve, blobs, depth)
    return found


def _read_tensor(name, shape, blobs: _Blobs) -> Tensor:
    dtype = DTYPES.get(name) if type(name) is str else None
    if dtype is None or type(shape) is not list or len(shape) > 25 or not all(type(n) is int and n >= 0 for n in shape):
        raise ProtocolError("a tensor of an unknown type or shape")
    if prod(max(n, 1) for n in shape) > 2**40:  # beside a zero too: torch computes strides
        raise ProtocolError("a tensor without end")
    data = blobs.take(prod(shape) * dtype.itemsize)
    if not data:
        return torch.empty(shape, dtype=dtype)
    if dtype is torch.bool:  # a byte other than 0 and 1 would be neither
        return (torch.frombuffer(data, dtype=torch.uint8) != 0).reshape(shape)
    return torch.frombuffer(data, dtype=dtype).reshape(shape)


def _level(depth: int) -> int:
    if depth == DEEPEST:
        raise ProtocolError(f"nested more than {DEEPEST} deep")
    return depth + 1


class _Object(tuple):
    """A JSON object of one key: its name and content."""


def _one_key(pairs: list) -> _Object:
    if len(pairs) != 1:
        raise ValueError(f"an object of {len(pairs)} keys")
    return _Object(pairs[0])


def _whole(digits: str) -> int:
    if len(digits) > DIGITS + 1:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _constant(text: str):
    raise ValueError(f"{text[:40]} is no whole number")
