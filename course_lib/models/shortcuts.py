"""Shortcuts: what runs past a block, and the block that adds it (He et al. 2016a, equations 1 and 2)."""

import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.layers import conv_bn


class PadShortcut(nn.Module):
    """Option A: every ``stride``-th pixel, and channels of zeros for those that are missing. No parameters.

    (N, in_channels, H, W) → (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉).

    Args:
        pad: "back" appends all zeros after the channels of x (as in the authors' Torch code); "both" puts half in front,
            as the widely used CIFAR weights of akamaster/pytorch_resnet_cifar10 expect. He et al. leave it open.
    Raises:
        ValueError: if there are fewer output than input channels, or ``pad`` is unknown.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, pad: str = "back"):
        super().__init__()
        missing = out_channels - in_channels
        if missing < 0:
            raise ValueError(f"a zero-padded shortcut cannot go from {in_channels} down to {out_channels} channels; use B")
        if pad not in ("back", "both"):
            raise ValueError(f'pad={pad!r} is unknown; use "back" or "both"')
        front = missing // 2 if pad == "both" else 0
        self.stride, self.padding = stride, (front, missing - front)

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.padding))


def make_shortcut(option: str, in_channels: int, out_channels: int, stride: int, norm: bool = True) -> nn.Module:
    """The shortcut of He et al. 2016a, section 3.3: identity wherever the shape allows it, unless the option is C.

    A: zero-padding where the shape changes. B: a 1×1 projection where the shape changes. C: a 1×1 projection everywhere.
    (N, in_channels, H, W) → (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉).
    """
    if option not in ("A", "B", "C"):
        raise ValueError(f'shortcut={option!r} is unknown; use "A" (zero-padding), "B" (projection where the shape changes) '
                         'or "C" (projection everywhere)')  # fmt: skip
    if option != "C" and stride == 1 and in_channels == out_channels:
        return nn.Identity()
    if option == "A":
        return PadShortcut(in_channels, out_channels, stride)
    return conv_bn(in_channels, out_channels, 1, stride, norm)


class ResidualBlock(nn.Module):
    """y = σ(F(x) + shortcut(x)): what the basic block and the bottleneck share (He et al. 2016a, equations 1 and 2)."""

    def __init__(self, branch: nn.Sequential, shortcut: nn.Module, out_channels: int):
        super().__init__()
        self.branch, self.shortcut, self.out_channels = branch, shortcut, out_channels

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x) + self.shortcut(x), inplace=True)  # in place of the sum, which nobody else sees


def zero_last_norm(net: nn.Module) -> nn.Module:
    """Set the last batch-norm scale of every residual branch to 0, so that each block starts as its shortcut alone."""
    for block in net.modules():
        if isinstance(block, ResidualBlock):
            norms = [layer for layer in block.branch.modules() if isinstance(layer, nn.BatchNorm2d)]
            if not norms:
                raise ValueError("zero_init=True sets batch-norm scales, and norm=False leaves none; choose one of the two")
            nn.init.zeros_(norms[-1].weight)
    return net
