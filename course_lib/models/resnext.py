"""ResNeXt: many narrow paths of one shape instead of few wide ones (Xie et al. 2017).

Xie et al. 2017, "Aggregated residual transformations for deep neural networks" (CVPR). Figure 3 draws the block in three forms;
``ResNeXtBlock`` is form (c), one grouped convolution, and ``split_form`` and ``concat_form`` turn it into (a) and (b).
"""

from functools import partial

import torch
from torch import Tensor, nn

from course_lib.models.layers import Branches, ConvNet, cifar_net, conv_bn, imagenet_net, initialise
from course_lib.models.plain import blocks_per_stage
from course_lib.models.shortcuts import ResidualBlock, make_shortcut


class ResNeXtBlock(ResidualBlock):
    """1×1 to ``cardinality`` groups of d channels, 3×3 within the groups, 1×1 to 4·width, and a shortcut (Figure 3c).

    (N, in_channels, H, W) → (N, 4·width, H/stride, W/stride); d = width · base_width / 64.

    Args:
        width: 64 in the first stage, doubled with every halving of the resolution.
        cardinality: C, the number of paths.
        base_width: channels of a path where ``width`` is 64: C = 32, base_width = 4 is "32×4d".
    Raises:
        ValueError: if a path would have less than one channel.
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, cardinality: int = 32, base_width: int = 4):
        d = width * base_width // 64
        if d < 1 or cardinality < 1:
            raise ValueError(
                f"width={width}, cardinality={cardinality} and base_width={base_width} leave a path {d} channels; "
                f"use cardinality >= 1 and base_width >= {max(1, 64 // width)}"
            )
        inner = cardinality * d
        branch = nn.Sequential(
            *conv_bn(in_channels, inner, 1),
            nn.ReLU(inplace=True),
            *conv_bn(inner, inner, 3, stride, groups=cardinality),
            nn.ReLU(inplace=True),
            *conv_bn(inner, 4 * width, 1),
        )
        super().__init__(branch, make_shortcut("B", in_channels, 4 * width, stride), 4 * width)
        self.cardinality = cardinality


class SumOfPaths(nn.Module):
    """Form (a): split, transform each path, add the paths: (N, C, H, W) → (N, C', H', W')."""

    def __init__(self, paths: list[nn.Sequential]):
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(self, x: Tensor) -> Tensor:
        return sum(path(x) for path in self.paths)


def split_form(block: ResNeXtBlock) -> ResidualBlock:
    """Form (a) of a block, with its weights: C paths of 1×1, 3×3, 1×1, added, then one batch normalisation (footnote 6)."""
    *_, last, norm = block.branch
    paths = paths_of(block)
    for path, weight in zip(paths, last.weight.chunk(block.cardinality, dim=1), strict=True):
        path.append(conv_with(weight))
    return ResidualBlock(nn.Sequential(SumOfPaths(paths), copy_norm(norm, slice(None))), block.shortcut, block.out_channels)


def concat_form(block: ResNeXtBlock) -> ResidualBlock:
    """Form (b) of a block, with its weights: C paths of 1×1 and 3×3, concatenated, then one 1×1, as in an Inception module."""
    first, *_, last, norm = block.branch
    branches = Branches(first.in_channels, *paths_of(block))
    branch = nn.Sequential(branches, conv_with(last.weight), copy_norm(norm, slice(None)))
    return ResidualBlock(branch, block.shortcut, block.out_channels)


def paths_of(block: ResNeXtBlock) -> list[nn.Sequential]:
    """The C paths of a block up to the second ReLU, each with its slice of the weights."""
    first, first_norm, _, second, second_norm, *_ = block.branch
    d = first.out_channels // block.cardinality
    paths = []
    for start in range(0, first.out_channels, d):
        part = slice(start, start + d)
        paths.append(
            nn.Sequential(
                conv_with(first.weight[part]), copy_norm(first_norm, part), nn.ReLU(inplace=True),
                conv_with(second.weight[part], second.stride), copy_norm(second_norm, part), nn.ReLU(inplace=True),
            )
        )  # fmt: skip
    return paths


def conv_with(weight: Tensor, stride: tuple[int, int] = (1, 1)) -> nn.Conv2d:
    """A convolution without groups and bias that has a copy of this weight (C_out, C_in, k, k)."""
    out_channels, in_channels, kernel, _ = weight.shape
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False, dtype=weight.dtype)
    conv.weight = nn.Parameter(weight.detach().clone())
    return conv


def copy_norm(norm: nn.BatchNorm2d, part: slice) -> nn.BatchNorm2d:
    """Batch normalisation of some channels, with their scales, shifts and statistics."""
    copy = nn.BatchNorm2d(norm.weight[part].numel(), norm.eps, dtype=norm.weight.dtype)
    with torch.no_grad():
        for name, value in copy.state_dict().items():
            value.copy_(getattr(norm, name)[part] if value.ndim else getattr(norm, name))
    return copy


def resnext(depth: int, num_classes: int = 1000, in_channels: int = 3, *, cardinality: int = 32, base_width: int = 4) -> ConvNet:
    """ResNeXt (Table 1), equal to torchvision's and timm's: (N, in_channels, 224, 224) → (N, num_classes).

    Args:
        depth: 50, 101 or 152.
    Raises:
        ValueError: if ``depth`` is another one, a path would have no channel, or ``num_classes`` < 1.
    """
    if depth not in (50, 101, 152):
        raise ValueError(f"depth={depth}: ResNeXt has 50, 101 and 152 layers")
    block = partial(ResNeXtBlock, cardinality=cardinality, base_width=base_width)
    return initialise(imagenet_net(block, depth, num_classes, in_channels))


def cifar_resnext(
    depth: int = 29, num_classes: int = 10, in_channels: int = 3, *, cardinality: int = 8, base_width: int = 64
) -> ConvNet:
    """ResNeXt for small images (section 5.3): (N, in_channels, H, W) → (N, num_classes), three stages of 64, 128 and 256.

    Args:
        depth: 9n+2; 29 in the paper.
    Raises:
        ValueError: if ``depth`` is not 9n+2, a path would have no channel, or ``num_classes`` < 1.
    """
    block = partial(ResNeXtBlock, cardinality=cardinality, base_width=base_width)
    n = blocks_per_stage(depth, 9)
    return initialise(cifar_net(block, n, num_classes, in_channels, widths=(64, 128, 256)))
