"""Which input pixels an output can depend on, followed through every operation of a run on torch's meta device.

The arithmetic is that of Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks" (Distill).
"""

from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
POOLS = (aten.max_pool2d_with_indices, aten.avg_pool2d)
ADAPTIVE_POOLS = (aten._adaptive_avg_pool2d, aten.adaptive_max_pool2d)
PADS = (aten.constant_pad_nd, aten.reflection_pad2d, aten.replication_pad2d)
PRODUCTS = (aten.mm, aten.bmm, aten.addmm, aten.baddbmm)  # of matrices, whose rows and columns they mix


class Axis(NamedTuple):
    """Position i of a map depends on the input pixels from ``jump``·i + ``low`` to ``jump``·i + ``high``, borders included.

    With ``jump`` 0 every position depends on the same pixels: after global pooling, or where a gate computed from it multiplies.
    """

    low: Fraction | int
    high: Fraction | int
    jump: Fraction | int

    def window(self, low: Fraction | int, high: Fraction | int, stride: Fraction | int = 1) -> "Axis":
        """After an operation whose output i reads the positions from ``stride``·i + ``low`` to ``stride``·i + ``high``."""
        return Axis(self.low + self.jump * low, self.high + self.jump * high, self.jump * stride)

    def adaptive(self, size: int, out: int) -> "Axis":
        """After pooling ``size`` positions to ``out``, where windows differ if it does not divide evenly: a bound of all."""
        if out == 1:
            return self.whole(size)
        scale = Fraction(size, out)
        low = min(i * size // out - i * scale for i in range(out))
        high = max(ceil((i + 1) * scale) - 1 - i * scale for i in range(out))
        return self.window(low, high, scale)

    def whole(self, size: int) -> "Axis":
        """After anything that lets every output see all ``size`` positions."""
        return self.window(0, size - 1, 0)


Field = tuple[Axis, Axis]  # height, width: of the last two dimensions of a tensor


class ReceptiveFields(TorchDispatchMode):
    """Follow the fields of all tensors that are computed from ``images`` (N, C, H, W) while this mode is active.

    Where branches meet, the union is taken. Normalisation by statistics of the image (instance, group and layer norm) is left
    out of account. An operation that is not known here is taken to work position by position if it keeps height and width, and
    otherwise to let every output see everything; so do transposed convolutions, resizing, matrix products, and whatever swaps
    height or width with another dimension.
    """

    def __init__(self, images: Tensor):
        super().__init__()
        self.fields: dict[int, Field] = {id(images): (Axis(0, 0, 1), Axis(0, 0, 1))}
        self.alive: list[Tensor] = [images]  # an id is free for another tensor once its own is gone

    def size(self, tensor: Tensor) -> tuple[int, int] | None:
        """Height and width of the receptive field in pixels; None if, along one of them, every position sees the same."""
        field = self.fields.get(id(tensor))
        if field is None or 0 in (field[0].jump, field[1].jump):
            return None
        return tuple(floor(axis.high - axis.low) + 1 for axis in field)  # pixels are whole

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and id(leaf) in self.fields]
        name = func.overloadpacket.__name__
        if inputs and not name.startswith("new_") and not name.endswith("_like"):  # these take a shape, and no numbers
            for output in tree_leaves(result):
                if isinstance(output, Tensor):
                    self.note(output, field_after(func, args, kwargs or {}, inputs, self.fields, output))
                    if func._schema.is_mutable and output._is_view():  # x[:, :c] = y changes x
                        base = output._base
                        known = [base] if id(base) in self.fields else []
                        self.note(base, union([fitted(part, self.fields, base) for part in [output, *known]], base))
        return result

    def note(self, tensor: Tensor, field: Field) -> None:
        self.fields[id(tensor)] = field
        self.alive.append(tensor)


def field_after(func, args: tuple, kwargs: dict, inputs: list[Tensor], fields: dict[int, Field], output: Tensor) -> Field:
    """The field of one output of an operation.

    Args:
        inputs: the tensors among the arguments that depend on the image.
    """
    operation, x, field = func.overloadpacket, inputs[0], fields[id(inputs[0])]
    given = dict(enumerate(args))
    if operation is aten.convolution and x.ndim == 4 and len(inputs) == 1 and not args[6]:
        return pair(map(windowed, field, args[1].shape[2:], *map(both, args[3:6])))
    if operation in POOLS:
        dilation = given.get(4, 1) if operation is aten.max_pool2d_with_indices else 1
        return pair(map(windowed, field, *map(both, (args[1], given.get(2) or args[1], given.get(3, 0), dilation))))
    if operation in ADAPTIVE_POOLS:
        return pair(map(Axis.adaptive, field, x.shape[-2:], output.shape[-2:]))
    if operation in PADS:
        left, _, top, _ = (*args[1], 0, 0)[:4]
        return field[0].window(-top, -top), field[1].window(-left, -left)
    if operation is aten.slice and args[1] % x.ndim >= x.ndim - 2 >= 1:
        start, _, step = slice(given.get(2), given.get(3), given.get(4, 1)).indices(x.shape[args[1]])
        rows, columns = field
        if args[1] % x.ndim == x.ndim - 2:
            return rows.window(start, start, step), columns
        return rows, columns.window(start, start, step)
    if operation is aten.convolution or operation in PRODUCTS:
        along = {-2, -1}
    else:
        along = set() if func.is_view else dims_of(func, args, kwargs, x.ndim)
    moves = func.is_view or operation is aten._unsafe_view
    return union([fitted(tensor, fields, output, moves, along) for tensor in inputs], output)


def windowed(axis: Axis, kernel: int, stride: int, padding: int, dilation: int) -> Axis:
    """After a convolution or pooling along this axis."""
    return axis.window(-padding, dilation * (kernel - 1) - padding, stride)


def dims_of(func, args: tuple, kwargs: dict, ndim: int) -> set[int]:
    """Which of height (-2) and width (-1) an operation works along, as a mean, a softmax or cat do: its argument ``dim``."""
    for i, argument in enumerate(func._schema.arguments):
        if argument.name in ("dim", "dims"):
            dims = args[i] if i < len(args) else kwargs.get(argument.name, argument.default_value)
            dims = range(ndim) if dims in (None, []) else [dims] if isinstance(dims, int) else dims
            return {-2, -1} & {dim % ndim - ndim for dim in dims if ndim}
    return set()


def fitted(tensor: Tensor, fields: dict[int, Field], output: Tensor, moves: bool = False, along: set[int] = frozenset()) -> Field:
    """The field of one input of an operation that works position by position, or else of all its positions.

    Args:
        moves: the output is a view, which has the same positions where it has the same strides.
        along: axes of which every output reads all.
    """
    axes = []
    lost = along and output.ndim < tensor.ndim  # then what was height may be in the place of width
    for i, axis in zip((-2, -1), fields[id(tensor)], strict=True):
        size = tensor.shape[i] if tensor.ndim >= 3 else 1
        kept = min(tensor.ndim, output.ndim) >= 3 and output.shape[i] == size and i not in along and not lost
        if kept and moves and size > 1:
            kept = output.stride(i) == tensor.stride(i)
        axes.append(axis if kept else axis.whole(size))
    return pair(axes)


def union(fields: list[Field], output: Tensor) -> Field:
    """What all of these together see; the same for every position if their jumps differ."""
    joined = []
    for i, axes in zip((-2, -1), zip(*fields, strict=True), strict=True):
        if len({axis.jump for axis in axes}) > 1:
            axes = [axis.whole(output.shape[i]) if axis.jump else axis for axis in axes]
        joined.append(Axis(min(axis.low for axis in axes), max(axis.high for axis in axes), axes[0].jump))
    return pair(joined)


def pair(axes) -> Field:
    height, width = axes
    return height, width


def both(value: int | list[int]) -> tuple[int, int]:
    """torch takes one number for height and width, or a list of one or two."""
    numbers = [value] if isinstance(value, int) else list(value)
    return numbers[0], numbers[-1]
