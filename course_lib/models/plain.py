"""Plain networks: stacks of 3×3 convolutions without shortcuts (He et al. 2016, section 3.3; VGG is their ancestor).

What plain and residual networks share is here: the description ``ConvNet(stem, stages, head)``, the two tables of depths and
widths, and the two families that they describe. ``resnet.py`` changes the block, and nothing else.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

CIFAR_WIDTHS = (16, 32, 64)  # He et al. 2016, section 4.2: 6n+2 layers, three stages of n blocks
IMAGENET_WIDTHS = (64, 128, 256, 512)  # He et al. 2016, Table 1
IMAGENET_DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def conv_bn(in_channels: int, out_channels: int, kernel: int, stride: int = 1, norm: bool = True) -> nn.Sequential:
    """Convolution, then batch normalisation: (N, C_in, H, W) → (N, C_out, ⌈H/stride⌉, ⌈W/stride⌉) for an odd ``kernel``.

    With ``norm=False`` the convolution stands alone, with the bias that batch normalisation makes superfluous.
    """
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=not norm)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels)) if norm else nn.Sequential(conv)


class PlainBlock(nn.Module):
    """Two 3×3 convolutions in a row, y = σ(F(x)) with F(x) = W₂ σ(W₁ x): the unit that a shortcut will span.

    (N, in_channels, H, W) → (N, width, H/stride, W/stride).
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, norm: bool = True):
        super().__init__()
        self.out_channels = width
        self.branch = nn.Sequential(
            conv_bn(in_channels, width, 3, stride, norm),
            nn.ReLU(),
            conv_bn(width, width, 3, norm=norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x))


class ConvNet(nn.Module):
    """Stem, stages, head: the description that all networks of the first chapters share.

    Args:
        stem: images to features, (N, in_channels, H, W) → (N, C, H', W').
        stages: one ``nn.Sequential`` of blocks for each resolution.
        head: features to class scores, (N, C', H'', W'') → (N, num_classes).
    Raises:
        ValueError: from ``forward``, if the batch is not (N, in_channels, H, W).
    """

    def __init__(self, stem: nn.Sequential, stages: nn.Sequential, head: nn.Sequential):
        super().__init__()
        self.stem, self.stages, self.head = stem, stages, head
        self.in_channels = next(layer for layer in stem.modules() if isinstance(layer, nn.Conv2d)).in_channels

    def forward(self, x: Tensor) -> Tensor:
        check_batch(x, self.in_channels)
        return self.head(self.stages(self.stem(x)))


def build_stages(
    block: Callable[..., nn.Module], in_channels: int, widths: Sequence[int], depths: Sequence[int]
) -> nn.Sequential:
    """One stage per width, ``depths[i]`` blocks in stage i; every stage but the first begins by halving the resolution.

    ``block(in_channels, width, stride)`` builds one block and tells its ``out_channels``.
    """
    stages = []
    for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        blocks = []
        for j in range(depth):
            blocks.append(block(in_channels, width, stride=2 if i > 0 and j == 0 else 1))
            in_channels = blocks[-1].out_channels
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(*stages)


def cifar_net(
    block: Callable[..., nn.Module], blocks_per_stage: int, num_classes: int, in_channels: int, *, norm: bool = True
) -> ConvNet:
    """The network of He et al. 2016, section 4.2: a 3×3 stem, three stages of 16, 32 and 64 channels, average pooling.

    (N, in_channels, H, W) → (N, num_classes); the stages work at H, H/2 and H/4.
    """
    check_classes(num_classes)
    stem = nn.Sequential(conv_bn(in_channels, CIFAR_WIDTHS[0], 3, norm=norm), nn.ReLU())
    stages = build_stages(block, CIFAR_WIDTHS[0], CIFAR_WIDTHS, [blocks_per_stage] * 3)
    return ConvNet(stem, stages, classifier(stages[-1][-1].out_channels, num_classes))


def imagenet_net(block: Callable[..., nn.Module], depth: int, num_classes: int, in_channels: int) -> ConvNet:
    """The network of He et al. 2016, Table 1: 7×7 stem and max-pool (stride 4 together), four stages, average pooling.

    (N, in_channels, H, W) → (N, num_classes); at 224×224 the stages work at 56, 28, 14 and 7.
    """
    check_classes(num_classes)
    stem = nn.Sequential(conv_bn(in_channels, 64, 7, stride=2), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1))
    stages = build_stages(block, 64, IMAGENET_WIDTHS, IMAGENET_DEPTHS[depth])
    return ConvNet(stem, stages, classifier(stages[-1][-1].out_channels, num_classes))


def classifier(channels: int, num_classes: int) -> nn.Sequential:
    """Average over space, then one dense layer: (N, channels, H, W) → (N, num_classes)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))


def plain_net(depth: int, num_classes: int = 10, in_channels: int = 3, *, norm: bool = True, init: str = "he") -> ConvNet:
    """Plain network of depth 6n+2 for small images (He et al. 2016, section 4.2: 20, 32, 44, 56).

    Args:
        depth: layers with weights, 6n+2: the stem, 2n in each of three stages, the dense layer.
        norm: batch normalisation after every convolution.
        init: "he" (He et al. 2015) or "torch" (PyTorch's default, which keeps a third of He's variance or less).
    Raises:
        ValueError: if ``depth`` is not 6n+2 with n ≥ 1, ``num_classes`` < 1, or ``init`` is unknown.
    """
    block = partial(PlainBlock, norm=norm)
    net = cifar_net(block, blocks_per_stage(depth, 6), num_classes, in_channels, norm=norm)
    return initialise(net, init)


def imagenet_plain_net(depth: int, num_classes: int = 1000, in_channels: int = 3) -> ConvNet:
    """ResNet-18 or ResNet-34 without its shortcuts (He et al. 2016, Table 1 and Figure 4): (N, 3, 224, 224) → (N, 1000).

    Raises:
        ValueError: if ``depth`` is neither 18 nor 34, or ``num_classes`` < 1.
    """
    if depth not in (18, 34):
        raise ValueError(f"depth={depth}: He et al. built plain networks of 18 and 34 layers")
    return initialise(imagenet_net(PlainBlock, depth, num_classes, in_channels), "he")


def initialise(net: nn.Module, init: str) -> nn.Module:
    """Set the weights of every convolution: "he" draws them with variance 2 / (k²·C_out), "torch" leaves PyTorch's default.

    He et al. 2015 derive 2 / (k²·C_in) from the forward pass and show (section 2.2) that the backward form serves as well;
    the backward form (``fan_out``) is the one that the published implementations use.
    """
    if init not in ("he", "torch"):
        raise ValueError(f'init={init!r} is unknown; use "he" or "torch"')
    if init == "he":
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    return net


def blocks_per_stage(depth: int, layers_per_n: int) -> int:
    """n, for a depth of ``layers_per_n``·n + 2; a ValueError names the nearest depths that exist."""
    n, rest = divmod(depth - 2, layers_per_n)
    if rest or n < 1:
        lower = layers_per_n * max(n, 1) + 2
        raise ValueError(f"depth={depth} is not {layers_per_n}n+2; the nearest are {lower} and {lower + layers_per_n}")
    return n


def check_classes(num_classes: int) -> None:
    """Raise a ValueError unless there is at least one class."""
    if num_classes < 1:
        raise ValueError(f"num_classes={num_classes}: a classifier needs at least 1 class")


def check_batch(x: Tensor, in_channels: int) -> None:
    """Raise a ValueError unless ``x`` is a batch of images (N, in_channels, H, W)."""
    if x.ndim == 4 and x.shape[1] == in_channels:
        return
    remedy = (
        f"build the network with in_channels={x.shape[1]}" if x.ndim == 4 else "images need four dimensions (x[None] adds one)"
    )
    raise ValueError(f"got a batch of shape {tuple(x.shape)}, expected (N, {in_channels}, H, W): {remedy}")
