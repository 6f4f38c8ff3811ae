"""What a network costs: parameters, multiply-adds (MACs), activations and receptive fields, layer by layer; and its latency.

One multiply-add is one MAC. Convolutions, dense layers and matrix products count; biases, normalisation, activations, pooling and
additions do not (their share is a few percent). The formulas are those of torch's own counter, which calls each MAC two FLOPs.
"""

import copy
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from statistics import quantiles

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from course_lib.receptive_field import ReceptiveFields, both


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
        ValueError: if ``input_shape`` is not three positive whole numbers, or does not fit the network.
    """
    return stage_costs(model, input_shape, depth=0)[-1]


def layer_costs(model: nn.Module, input_shape: tuple[int, int, int]) -> list[Cost]:
    """Cost of every layer of a network in the order of the run; the last row is the total. Else as ``stage_costs``."""
    return stage_costs(model, input_shape, depth=None)


def stage_costs(model: nn.Module, input_shape: tuple[int, int, int], depth: int | None = 2) -> list[Cost]:
    """Cost of the parts of a network down to ``depth`` levels of submodules, in the order of the run; the last row is the total.

    Nothing is computed and no weight is copied: the run takes place in evaluation mode on torch's meta device, so that the
    largest networks count in two seconds. The network stays as it is, and forward hooks that it carries do not run.

    Parameters and MACs of the rows add up to the total. What a part that is cut further has itself is a row of its own if it has
    parameters or MACs. What is not called in evaluation, an auxiliary classifier say, comes last with no MACs. A part that runs
    twice has the MACs of both runs; a parameter belongs to the first part that has it. The total's activations include what is
    written between the parts, by an addition for example.

    Args:
        input_shape: (C, H, W) of the image.
        depth: 0 gives the total alone; None goes down to the layers.
    Raises:
        ValueError: if ``input_shape`` is not three positive whole numbers, or does not fit the network, or ``depth`` < 0.
    """
    shape = checked(input_shape)
    if depth is not None and depth < 0:
        raise ValueError(f"depth={depth} must be 0 or more, or None for every layer")
    with torch.inference_mode(False), torch.no_grad():  # in inference mode, operations would not come in their elementary parts
        shadow = without_numbers(model).eval()
        dtype = next((value.dtype for value in shadow.parameters() if value.is_floating_point()), None)
        images = torch.empty(1, *shape, device="meta", dtype=dtype)
        fields = ReceptiveFields(images)
        meter = Meter(shadow, depth, fields)
        try:
            with fields, meter:
                shadow(images)
        except RuntimeError as error:
            if "meta tensor" in str(error):
                reason = "its forward looks at numbers, and counting takes place without any"
            else:
                reason = "pass the channels that it takes, and a larger image if this one is too small for it"
            part = meter.place() or type(model).__name__
            raise ValueError(f"an image of shape {shape} does not fit {part}: {error}; {reason}") from error
    return meter.rows()[-1 if depth == 0 else 0 :]


def checked(input_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else (input_shape,)
    if len(shape) != 3 or not all(isinstance(size, Integral) and size >= 1 for size in shape):
        raise ValueError(f"input_shape={input_shape} must be (channels, height, width), three whole numbers of at least 1")
    return shape


def without_numbers(model: nn.Module) -> nn.Module:
    """A copy of a network whose tensors have shapes and no memory; what is shared stays shared."""
    shapes: dict[int, Tensor] = {}
    for tensor in tree_leaves([vars(module) for module in model.modules()]):
        if isinstance(tensor, Tensor) and id(tensor) not in shapes:
            shape = torch.empty_like(tensor, device="meta")
            shapes[id(tensor)] = nn.Parameter(shape, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else shape
    copied = copy.deepcopy(model, shapes)
    for module in copied.modules():
        module._forward_hooks.clear()  # the user's probes; hooks before a forward stay, as they may compute weights
    return copied


class Meter(TorchDispatchMode):
    """Notes for each part what its operations cost, by asking torch's registry of formulas about every one of them.

    Args:
        depth: parts are named by as many levels of the modules' names, ``None`` by all.
    """

    def __init__(self, model: nn.Module, depth: int | None, fields: ReceptiveFields):
        super().__init__()
        self.model, self.fields = model, fields
        self.running: list[str] = []  # names of modules, the innermost last
        self.modules = dict(model.named_modules())
        self.part = {name: ".".join(name.split(".")[:depth]) for name in self.modules}
        self.parameters, self.macs, self.activations = Counter(), Counter(), Counter()  # by part, without what is cut from it
        self.outputs: dict[str, tuple[tuple[int, ...], tuple[int, int] | None]] = {}  # by part, in the order of the run
        counted = set()
        for name, module in self.modules.items():
            for parameter in module.parameters(recurse=False):
                self.parameters[self.part[name]] += 0 if id(parameter) in counted else parameter.numel()
                counted.add(id(parameter))
            module.register_forward_pre_hook(lambda _module, _inputs, name=name: self.running.append(name), prepend=True)
            module.register_forward_hook(lambda _module, _inputs, output, name=name: self.leave(name, output))

    def leave(self, name: str, output) -> None:
        self.running.pop()
        first = next((leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)), None)
        self.outputs[self.part[name]] = ((), None) if first is None else (tuple(first.shape[1:]), self.fields.size(first))

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        part = self.part[self.running[-1]]
        if formula := flop_registry.get(func.overloadpacket):
            self.macs[part] += formula(*args, **(kwargs or {}), out_val=result) // 2
        if not func.is_view and not func._schema.is_mutable:
            written = (leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor) and leaf.is_floating_point())
            self.activations[part] += sum(leaf.numel() for leaf in written)
        return result

    def place(self) -> str:
        """The innermost module that runs: "layer2.0.conv1 (Conv2d 3×3 /2)"; nothing for the network itself."""
        name = self.running[-1] if self.running else ""
        return name and f"{name} ({kind_of(self.modules[name])})"

    def rows(self) -> list[Cost]:
        """A row for each part that is not cut further, for what the others have themselves, and for the whole."""
        rows = []
        cut = {part.rpartition(".")[0] for part in self.part.values() if part}
        for part in dict.fromkeys([*self.outputs, *self.parameters, *self.macs]):
            module, costs = self.modules[part], (self.parameters[part], self.macs[part], self.activations[part])
            kind = kind_of(module) + ("" if part in self.outputs else ", not called")
            name = part or type(module).__name__
            if any(costs[:2]) or not (part in cut or (isinstance(module, nn.Sequential) and not len(module))):
                shape, field = self.outputs.get(part, ((), None))
                rows.append(Cost(f"{name} itself" if part in cut else name, kind, shape, *costs, field))
        shape, field = self.outputs[""]
        costs = (sum(counter.values()) for counter in (self.parameters, self.macs, self.activations))
        total = Cost(type(self.model).__name__, "", shape, *costs, field)
        return [*rows, total]


def kind_of(layer: nn.Module) -> str:
    """Class of a layer, with what tells one convolution or pooling from another: "Conv2d 3×3 /2, 32 groups"."""
    text = type(layer).__name__
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d)):
        kernel, stride, dilation = (both(getattr(layer, name, 1)) for name in ("kernel_size", "stride", "dilation"))
        text += f" {kernel[0]}×{kernel[1]}"
        if max(stride) > 1:
            text += f" /{stride[0]}" if stride[0] == stride[1] else f" /{stride[0]}×{stride[1]}"
        if max(dilation) > 1:
            text += f", dilation {max(dilation)}"
        groups = getattr(layer, "groups", 1)
        if groups > 1:
            text += ", depthwise" if groups == layer.in_channels else f", {groups} groups"
    if isinstance(layer, nn.Linear):
        text += f" {layer.in_features} → {layer.out_features}"
    return text


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


def latency(
    model: nn.Module,
    input_shape: tuple[int, int, int],
    batch: int = 1,
    repeats: int = 20,
    device: torch.device | str | None = None,
) -> Latency:
    """Measure how long a forward pass takes, with the threads that torch has now.

    Evaluation mode, no gradients, three passes to warm up, and on a GPU a wait for the end of each pass. Images are channels-last
    if the network's weights are. The mode comes back as it was. The spread tells whether the machine was quiet; compare networks
    in one run.

    Args:
        input_shape: (C, H, W) of the images.
        repeats: passes that are timed, 4 at least.
        device: None is where the network is; on another device a copy of it runs.
    Raises:
        ValueError: if ``input_shape`` is not three positive whole numbers or does not fit the network, ``batch`` < 1,
            ``repeats`` < 4, or the network is on the meta device or cannot go to ``device``.
    """
    shape = checked(input_shape)
    if batch < 1 or repeats < 4:
        raise ValueError(f"batch={batch} must be at least 1 and repeats={repeats} at least 4")
    weights = [*model.parameters(), torch.empty(0)]
    here = weights[0].device
    if here.type == "meta":
        raise ValueError(
            f"this {type(model).__name__} is on the meta device and cannot compute; build it on a device with memory"
        )
    if device is not None:
        try:
            model = model if torch.device(device) == here else copy.deepcopy(model).to(device)
        except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
            raise ValueError(
                f"device={str(device)!r} cannot hold the network: {error}; leave device out to stay on {here}"
            ) from error
        weights = [*model.parameters(), torch.empty(0, device=device)]
    images = torch.randn(batch, *shape, device=weights[0].device).to(weights[0].dtype)
    if any(weight.ndim == 4 and is_channels_last(weight) for weight in weights):
        images = images.contiguous(memory_format=torch.channels_last)
    wait = torch.cuda.synchronize if images.is_cuda else lambda _device: None
    modes = {module: module.training for module in model.modules()}
    model.eval()
    times = []
    try:
        with torch.no_grad():
            for _ in range(3 + repeats):
                wait(images.device)
                start = time.perf_counter()
                model(images)
                wait(images.device)
                times.append(1000 * (time.perf_counter() - start))
    except torch.cuda.OutOfMemoryError:  # a RuntimeError too, and its own message is the better one
        raise
    except RuntimeError as error:
        raise ValueError(f"images of shape {shape} do not fit this {type(model).__name__}: {error}") from error
    finally:
        for module, training in modes.items():
            module.training = training
    low, middle, high = quantiles(times[3:], n=4)
    return Latency(middle, low, high, batch)


def is_channels_last(weight: Tensor) -> bool:
    return weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
