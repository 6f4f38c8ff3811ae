"""What a network costs: parameters, multiply-adds (MACs), activations and receptive fields, layer by layer; and its latency.

One multiply-add is one MAC. Convolutions, dense layers and matrix products count; biases, normalisation, activations, pooling and
additions do not (their share is a few percent). The formulas are those of torch's own counter, which calls each MAC two FLOPs.
"""

import copy
import time
from collections import Counter
from dataclasses import dataclass
from statistics import median, quantiles

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from course_lib.receptive_field import ReceptiveFields


@dataclass(frozen=True)
class Cost:
    """Cost of one network, or of one part of it, for one image.

    Args:
        name: of the part in the network, such as "stages.0.1"; of the network's class in a total.
        kind: class of the part, with the kernel, stride and groups of a convolution or pooling.
        output_shape: without the batch; of the first tensor, if there are several.
        parameters: learnable numbers.
        macs: multiply-adds.
        activations: numbers that its operations write; views and in-place operations write none. Times 4: bytes.
        receptive_field: height and width of the input that one output can depend on, the border that padding adds included, so
            that it can be larger than the image. None: every output sees the same, as after global pooling.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    activations: int
    receptive_field: tuple[int, int] | None


def count_parameters(model: nn.Module) -> int:
    """Learnable numbers; a parameter that two layers share counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def count(model: nn.Module, input_shape: tuple[int, int, int]) -> Cost:
    """Cost of a network for one image.

    Args:
        input_shape: (C, H, W) of the image.
    Raises:
        ValueError: if ``input_shape`` is not three positive numbers, or does not fit the network.
    """
    return stage_costs(model, input_shape, depth=0)[-1]


def layer_costs(model: nn.Module, input_shape: tuple[int, int, int]) -> list[Cost]:
    """Cost of every layer of a network in the order of the run; the last row is the total. Else as ``stage_costs``."""
    return stage_costs(model, input_shape, depth=None)


def stage_costs(model: nn.Module, input_shape: tuple[int, int, int], depth: int | None = 2) -> list[Cost]:
    """Cost of the parts of a network down to ``depth`` levels of submodules, in the order of the run; the last row is the total.

    Nothing is computed and no weight is copied: the run takes place in evaluation mode on torch's meta device, so that the
    largest networks count in a second. Parameters and MACs of the rows add up to the total; what a part that is cut further has
    itself is a row of its own. The total's activations include what is written between the parts, by an addition for example.

    Args:
        input_shape: (C, H, W) of the image.
        depth: None goes down to the layers.
    Raises:
        ValueError: if ``input_shape`` is not three positive numbers, or does not fit the network.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(f"input_shape={input_shape} must be (channels, height, width), all at least 1")
    shadow = without_numbers(model).eval()
    parts = {part: name for name, part in shadow.named_modules() if name == "" or depth is None or name.count(".") < depth}
    dtype = next((parameter.dtype for parameter in shadow.parameters()), torch.float32)
    images = torch.empty(1, *input_shape, device="meta", dtype=dtype)
    fields, meter = ReceptiveFields(images), Meter(parts)
    hooks = [hook for part in parts for hook in meter.watch(part, fields)]
    try:
        with torch.no_grad(), fields, meter:
            shadow(images)
    except (RuntimeError, NotImplementedError) as error:
        raise ValueError(f"an image of shape {tuple(input_shape)} does not fit this {type(model).__name__}: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()
    return meter.rows(shadow)


def without_numbers(model: nn.Module) -> nn.Module:
    """A copy of a network whose parameters and buffers have shapes and no memory; what is shared stays shared."""
    shapes: dict[int, Tensor] = {}
    for parameter in model.parameters():
        shapes[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device="meta"), parameter.requires_grad)
    for buffer in model.buffers():
        shapes[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(model, shapes)


class Meter(TorchDispatchMode):
    """Notes for each part what its operations cost, by asking torch's registry of formulas about every one of them."""

    def __init__(self, parts: dict[nn.Module, str]):
        super().__init__()
        self.parts = parts
        self.running: list[nn.Module] = []
        self.macs: Counter[nn.Module] = Counter()  # of a part and all within it
        self.own_macs: Counter[nn.Module] = Counter()  # of a part where it is the innermost
        self.activations: Counter[nn.Module] = Counter()
        self.outputs: dict[nn.Module, tuple[tuple[int, ...], tuple[int, int] | None]] = {}

    def watch(self, part: nn.Module, fields: ReceptiveFields) -> list:
        """Hooks that tell when a part runs and what it returns."""

        def enter(_part: nn.Module, _inputs: tuple) -> None:
            self.running.append(part)

        def leave(_part: nn.Module, _inputs: tuple, output) -> None:
            self.running.pop()
            first = next((leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)), None)
            self.outputs[part] = ((), None) if first is None else (tuple(first.shape[1:]), fields.size(first))

        return [part.register_forward_pre_hook(enter), part.register_forward_hook(leave)]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        flops = formula(*args, **(kwargs or {}), out_val=result) if formula else 0
        writes = not func.is_view and not func._schema.is_mutable
        written = sum(leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor) and leaf.is_floating_point())
        for part in set(self.running):
            self.macs[part] += flops // 2
            self.activations[part] += written if writes else 0
        if self.running:
            self.own_macs[self.running[-1]] += flops // 2
        return result

    def rows(self, model: nn.Module) -> list[Cost]:
        """A row for each part that is not cut further, for what the others have themselves, and for the whole."""
        rows = []
        for part, (shape, field) in self.outputs.items():
            name = self.parts[part] or type(part).__name__
            cut = any(child in self.parts for child in part.children())
            if part is model or (isinstance(part, nn.Sequential) and not len(part)):
                continue
            if not cut:
                row = Cost(name, kind_of(part), shape, count_parameters(part), self.macs[part], self.activations[part], field)
                rows.append(row)
            else:
                own = sum(parameter.numel() for parameter in part.parameters(recurse=False))
                if own or self.own_macs[part]:
                    rows.append(Cost(f"{name} itself", type(part).__name__, shape, own, self.own_macs[part], 0, field))
        shape, field = self.outputs[model]
        total = Cost(type(model).__name__, "", shape, count_parameters(model), self.macs[model], self.activations[model], field)
        return [*rows, total]


def kind_of(layer: nn.Module) -> str:
    """Class of a layer, with what tells one convolution or pooling from another: "Conv2d 3×3 /2, 32 groups"."""
    if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        kernel, stride = (value if isinstance(value, tuple) else (value, value) for value in (layer.kernel_size, layer.stride))
        text = f"{type(layer).__name__} {kernel[0]}×{kernel[1]}" + (f" /{stride[0]}" if max(stride) > 1 else "")
        groups = getattr(layer, "groups", 1)
        if groups > 1:
            text += ", depthwise" if groups == layer.in_channels else f", {groups} groups"
        return text
    if isinstance(layer, nn.Linear):
        return f"Linear {layer.in_features} → {layer.out_features}"
    return type(layer).__name__


def conv_macs(in_channels: int, out_channels: int, kernel: int, height: int, width: int, groups: int = 1) -> int:
    """Multiply-adds of one convolution with an output of height × width: H·W·k²·C_in·C_out / groups."""
    if in_channels % groups or out_channels % groups:
        raise ValueError(f"groups={groups} must divide both in_channels={in_channels} and out_channels={out_channels}")
    return height * width * kernel**2 * in_channels * out_channels // groups


@dataclass(frozen=True)
class Latency:
    """Times of single forward passes in milliseconds: the median, and the quartiles below and above it."""

    median: float
    low: float
    high: float
    batch: int

    def __str__(self) -> str:
        return f"{self.median:.1f} ms ({self.low:.1f} to {self.high:.1f}) for {self.batch} image{'s' * (self.batch > 1)}"


@torch.no_grad()
def latency(model: nn.Module, input_shape: tuple[int, int, int], batch: int = 1, repeats: int = 20) -> Latency:
    """Measure how long a forward pass takes, where the network is, with the threads that torch has now.

    Evaluation mode, three passes to warm up, channels-last images, and on a GPU a wait for the end of each pass. The mode comes
    back as it was. The spread tells whether the machine was quiet; compare networks in one run.

    Args:
        input_shape: (C, H, W) of the images.
        repeats: passes that are timed, 4 at least.
    Raises:
        ValueError: if ``batch`` < 1 or ``repeats`` < 4, or the images do not fit the network.
    """
    if batch < 1 or repeats < 4:
        raise ValueError(f"batch={batch} must be at least 1 and repeats={repeats} at least 4")
    parameter = next(model.parameters(), torch.empty(0))
    images = torch.randn(batch, *input_shape, device=parameter.device, dtype=parameter.dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    wait = torch.cuda.synchronize if images.is_cuda else lambda: None
    modes = {module: module.training for module in model.modules()}
    model.eval()
    times = []
    try:
        for _ in range(3 + repeats):
            start = time.perf_counter()
            model(images)
            wait()
            times.append(1000 * (time.perf_counter() - start))
    finally:
        for module, training in modes.items():
            module.training = training
    low, _, high = quantiles(times[3:], n=4)
    return Latency(median(times[3:]), low, high, batch)
