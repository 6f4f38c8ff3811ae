"""Which input pixels an output can depend on, followed through every operation of a run on torch's meta device.

The arithmetic is that of Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks" (Distill).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten


class Axis(NamedTuple):
    """Position i of a map depends on the input pixels from ``jump``·i + ``low`` to ``jump``·i + ``high``, borders included.

    With ``jump`` 0 every position depends on the same pixels: after global pooling, or where a gate computed from it multiplies.
    """

    low: float
    high: float
    jump: float

    def window(self, kernel: float, stride: float, padding: float) -> "Axis":
        """After a convolution or pooling with this (dilated) kernel."""
        low = self.low - self.jump * padding
        return Axis(low, low + self.high - self.low + self.jump * (kernel - 1), self.jump * stride)

    def whole(self, size: int) -> "Axis":
        """After anything that lets every output see all ``size`` positions."""
        return Axis(self.low, self.high + self.jump * (size - 1), 0)


Field = tuple[Axis, Axis]  # height, width


class ReceptiveFields(TorchDispatchMode):
    """Follow the fields of all tensors that are computed from ``images`` (N, C, H, W) while this mode is active.

    Where branches meet, the union is taken. An operation that is not known here is taken to work position by position if it keeps
    height and width, and otherwise to let every output see everything (so do transposed convolutions, and reshapes that mix space
    with channels).
    """

    def __init__(self, images: Tensor):
        super().__init__()
        self.fields: dict[int, Field] = {id(images): (Axis(0, 0, 1), Axis(0, 0, 1))}
        self.alive: list[Tensor] = [images]  # an id is free for another tensor once its own is gone

    def size(self, tensor: Tensor) -> tuple[int, int] | None:
        """Height and width of the receptive field in pixels; None if every position sees the same, all there is to see."""
        field = self.fields.get(id(tensor))
        if field is None or 0 in (field[0].jump, field[1].jump):
            return None
        return tuple(round(axis.high - axis.low) + 1 for axis in field)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and id(leaf) in self.fields]
        if inputs:
            for output in tree_leaves(result):
                if isinstance(output, Tensor) and id(output) not in self.fields:
                    self.fields[id(output)] = self.field_after(func.overloadpacket, args, inputs, output)
                    self.alive.append(output)
        return result

    def field_after(self, operation, args: tuple, inputs: list[Tensor], output: Tensor) -> Field:
        x, field = inputs[0], self.fields[id(inputs[0])]
        if operation is aten.convolution and x.ndim == 4 and not args[6]:
            kernel, (stride, padding, dilation) = args[1].shape[2:], args[3:6]
            return pair(axis.window(dilation[i] * (kernel[i] - 1) + 1, stride[i], padding[i]) for i, axis in enumerate(field))
        if operation in (aten.max_pool2d_with_indices, aten.avg_pool2d):
            kernel, stride, padding = (both(args[i]) if len(args) > i and args[i] != [] else None for i in (1, 2, 3))
            stride, padding = stride or kernel, padding or (0, 0)
            return pair(axis.window(kernel[i], stride[i], padding[i]) for i, axis in enumerate(field))
        if operation is aten._adaptive_avg_pool2d:
            pairs = zip(field, x.shape[-2:], output.shape[-2:], strict=True)
            return pair(axis.window(-(-size // out), size / out, 0) for axis, size, out in pairs)
        if operation is aten.slice and args[1] % x.ndim >= x.ndim - 2:
            return self.sliced(field, *args)
        if operation is aten.constant_pad_nd:
            left = (args[1] + [0, 0, 0, 0])[2], args[1][0]
            return pair(axis.window(1, 1, left[i]) for i, axis in enumerate(field))
        fields = [self.fitted(tensor, output) for tensor in inputs]
        return pair(union([field[i] for field in fields], output) for i in (0, 1))

    def sliced(self, field: Field, x: Tensor, dim: int, start: int | None = 0, end: int | None = None, step: int = 1) -> Field:
        axes = list(field)
        i = dim % x.ndim - (x.ndim - 2)
        axes[i] = axes[i].window(1, step, -(start or 0))
        return tuple(axes)

    def fitted(self, tensor: Tensor, output: Tensor) -> Field:
        """The field of one input of an operation that works position by position, or else of all its positions."""
        axes = []
        for i, axis in zip((-2, -1), self.fields[id(tensor)], strict=True):
            size = tensor.shape[i] if tensor.ndim >= 3 else 1
            kept = tensor.ndim >= 3 and output.ndim >= 3 and tensor.shape[i] == output.shape[i]
            axes.append(axis if kept and size > 1 else axis.whole(size))
        return tuple(axes)


def union(axes: list[Axis], output: Tensor) -> Axis:
    """What all of these together see; the same for every position if their jumps differ."""
    if len({axis.jump for axis in axes}) > 1:
        size = max(output.shape[-2:]) if output.ndim >= 3 else 1
        axes = [axis.whole(size) for axis in axes]
    return Axis(min(axis.low for axis in axes), max(axis.high for axis in axes), axes[0].jump)


def pair(axes) -> Field:
    height, width = axes
    return height, width


def both(value: int | list[int]) -> tuple[int, int]:
    """torch takes one number for height and width, or a list of one or two."""
    numbers = [value] if isinstance(value, int) else list(value)
    return (numbers[0], numbers[-1])
