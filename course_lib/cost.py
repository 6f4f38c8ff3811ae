"""What a network costs: parameters and multiply-adds (MACs), in total and stage by stage.

One multiply-add is one MAC. Convolutions and dense layers count; biases, normalisation, activations, pooling and additions
do not (their share is a few percent). torch's own counter does the counting and calls each MAC two FLOPs.
"""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-adds of one network or one part of it, for a batch of one; shapes are without the batch."""

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int


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


def stage_costs(model: nn.Module, input_shape: tuple[int, int, int], depth: int = 2) -> list[Cost]:
    """Cost of the parts of a network down to ``depth`` levels of submodules, in the order of the run; the last row is the total.

    Nothing is computed: the run takes place on torch's meta device, so that the largest networks count in a second.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(f"input_shape={input_shape} must be (channels, height, width), all at least 1")
    shadow = copy.deepcopy(model).to("meta").eval()
    parts = {part: name for name, part in shadow.named_modules() if name == "" or name.count(".") < depth}
    leaves = {part for part in parts if not any(other is not part and other in parts for other in part.modules())}
    order: list[tuple[nn.Module, tuple[int, ...]]] = []

    def keep(part: nn.Module, _inputs: tuple, output) -> None:
        order.append((part, tuple(output.shape[1:])))

    hooks = [part.register_forward_hook(keep) for part in leaves | {shadow}]
    counter = FlopCounterMode(display=False)
    try:
        with counter, torch.no_grad():
            shadow(torch.empty(1, *input_shape, device="meta"))
    except RuntimeError as error:
        raise ValueError(f"an image of shape {tuple(input_shape)} does not fit this {type(model).__name__}: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()
    flops = {name: sum(by_operation.values()) for name, by_operation in counter.get_flop_counts().items()}
    root = type(shadow).__name__
    rows = []
    for part, shape in order:
        name = parts[part]
        macs = flops.get(f"{root}.{name}" if name else root, flops.get("Global", 0) if not name else 0) // 2
        rows.append(Cost(name or root, shape, count_parameters(part), macs))
    return rows


def conv_macs(in_channels: int, out_channels: int, kernel: int, height: int, width: int, groups: int = 1) -> int:
    """Multiply-adds of one convolution with an output of height × width: H·W·k²·C_in·C_out / groups."""
    if in_channels % groups or out_channels % groups:
        raise ValueError(f"groups={groups} must divide both in_channels={in_channels} and out_channels={out_channels}")
    return height * width * kernel**2 * in_channels * out_channels // groups
