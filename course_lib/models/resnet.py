"""Residual networks: the plain networks of ``plain.py`` with a shortcut around every block.

He et al. 2016a, "Deep residual learning for image recognition" (CVPR), and 2016b, "Identity mappings in deep residual
networks" (ECCV), the source of the pre-activation form.
"""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.plain import (
    IMAGENET_DEPTHS,
    ConvNet,
    blocks_per_stage,
    cifar_net,
    conv_bn,
    imagenet_net,
    initialise,
)


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
        return F.relu(self.branch(x) + self.shortcut(x))


class BasicBlock(ResidualBlock):
    """Two 3×3 convolutions and a shortcut (He et al. 2016a, Figure 2 and Figure 5 left).

    (N, in_channels, H, W) → (N, width, H/stride, W/stride).
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, shortcut: str = "B", norm: bool = True):
        branch = nn.Sequential(
            conv_bn(in_channels, width, 3, stride, norm),
            nn.ReLU(),
            conv_bn(width, width, 3, norm=norm),
        )
        super().__init__(branch, make_shortcut(shortcut, in_channels, width, stride, norm), width)


class Bottleneck(ResidualBlock):
    """1×1 down to ``width``, 3×3, 1×1 up to 4·width, and a shortcut (He et al. 2016a, Figure 5 right).

    (N, in_channels, H, W) → (N, 4·width, H/stride, W/stride).

    Args:
        stride_in: "3x3" strides in the 3×3 convolution, as all current weights do ("v1.5"); "1x1" in the first 1×1, as the
            paper does, with 6 % fewer multiply-adds in ResNet-50 and the same parameters.
    Raises:
        ValueError: if ``stride_in`` or ``shortcut`` is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        *,
        shortcut: str = "B",
        stride_in: str = "3x3",
        norm: bool = True,
    ):
        if stride_in not in ("3x3", "1x1"):
            raise ValueError(f'stride_in={stride_in!r} is unknown; use "3x3" or "1x1"')
        first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
        branch = nn.Sequential(
            conv_bn(in_channels, width, 1, first, norm),
            nn.ReLU(),
            conv_bn(width, width, 3, second, norm),
            nn.ReLU(),
            conv_bn(width, 4 * width, 1, norm=norm),
        )
        super().__init__(branch, make_shortcut(shortcut, in_channels, 4 * width, stride, norm), 4 * width)


class PreActResidualBlock(nn.Module):
    """y = shortcut + F(σ(BN(x))): normalise and activate *before* each convolution (He et al. 2016b, Figure 1b).

    Nothing follows the addition, so an identity shortcut is a straight line through the whole stage. Where the shape changes,
    the shortcut starts from the activated input and is not normalised (as in the authors' code).
    """

    def __init__(self, activate: nn.Sequential, branch: nn.Sequential, shortcut: nn.Module, out_channels: int):
        super().__init__()
        self.activate, self.branch, self.shortcut, self.out_channels = activate, branch, shortcut, out_channels

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activate(x)
        start = x if isinstance(self.shortcut, nn.Identity) else activated
        return self.shortcut(start) + self.branch(activated)


class PreActBlock(PreActResidualBlock):
    """The basic block, pre-activated: (N, in_channels, H, W) → (N, width, H/stride, W/stride)."""

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, shortcut: str = "B"):
        branch = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False),
            norm_relu(width),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
        )
        super().__init__(norm_relu(in_channels), branch, bare_shortcut(shortcut, in_channels, width, stride), width)


class PreActBottleneck(PreActResidualBlock):
    """The bottleneck, pre-activated, of the 1001-layer network: (N, in_channels, H, W) → (N, 4·width, H/stride, W/stride)."""

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, shortcut: str = "B"):
        branch = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, bias=False),
            norm_relu(width),
            nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
            norm_relu(width),
            nn.Conv2d(width, 4 * width, 1, bias=False),
        )
        super().__init__(norm_relu(in_channels), branch, bare_shortcut(shortcut, in_channels, 4 * width, stride), 4 * width)


def norm_relu(channels: int) -> nn.Sequential:
    """Batch normalisation and ReLU; the shape (N, channels, H, W) stays."""
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())


def bare_shortcut(option: str, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """``make_shortcut`` with projections that are a convolution alone, without normalisation."""
    shortcut = make_shortcut(option, in_channels, out_channels, stride)
    return shortcut[0] if isinstance(shortcut, nn.Sequential) else shortcut


def cifar_resnet(
    depth: int,
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    shortcut: str = "A",
    norm: bool = True,
    init: str = "he",
    zero_init: bool = False,
) -> ConvNet:
    """Residual network of depth 6n+2 for small images (He et al. 2016a, section 4.2: 20, 32, 44, 56, 110, 1202).

    Args:
        depth: layers with weights, 6n+2 as in ``plain_net``; projections are not counted.
        shortcut: "A", "B" or "C", see ``make_shortcut``; the paper's CIFAR networks use A.
        norm: batch normalisation after every convolution.
        init: "he" or "torch", see ``initialise``.
        zero_init: start each block as its shortcut alone, by a last batch-norm scale of 0 (Goyal et al. 2017, section 5.1).
    Raises:
        ValueError: if ``depth`` is not 6n+2, ``num_classes`` < 1, an option is unknown, or ``zero_init`` meets ``norm=False``.
    """
    block = partial(BasicBlock, shortcut=shortcut, norm=norm)
    net = initialise(cifar_net(block, blocks_per_stage(depth, 6), num_classes, in_channels, norm=norm), init)
    return zero_last_norm(net) if zero_init else net


def cifar_preact_resnet(
    depth: int, num_classes: int = 10, in_channels: int = 3, *, bottleneck: bool = False, shortcut: str = "A"
) -> ConvNet:
    """Pre-activation residual network for small images (He et al. 2016b, Table 2: 110; with bottlenecks 164 and 1001).

    Args:
        depth: 6n+2 with basic blocks, 9n+2 with bottlenecks.
    Raises:
        ValueError: if ``depth`` does not fit, ``num_classes`` < 1, or ``shortcut`` is unknown.
    """
    block = partial(PreActBottleneck if bottleneck else PreActBlock, shortcut=shortcut)
    net = cifar_net(block, blocks_per_stage(depth, 9 if bottleneck else 6), num_classes, in_channels)
    return initialise(preactivated(net), "he")


def preactivated(net: ConvNet) -> ConvNet:
    """Move normalisation and ReLU from the stem, where the first block brings its own, to the end of the last stage."""
    convolution = net.stem[0][0]
    channels = net.stages[-1][-1].out_channels
    stem = nn.Sequential(convolution, *net.stem[2:])
    return ConvNet(stem, net.stages, nn.Sequential(norm_relu(channels), *net.head))


def imagenet_resnet(
    depth: int,
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    shortcut: str = "B",
    stride_in: str = "3x3",
    zero_init: bool = False,
) -> ConvNet:
    """Residual network of He et al. 2016a, Table 1, equal to torchvision's for the default options.

    (N, in_channels, 224, 224) → (N, num_classes).

    Args:
        depth: 18 or 34 (basic blocks), 50, 101 or 152 (bottlenecks).
        shortcut: "A", "B" or "C". The paper's ImageNet tables give A and B for 34 layers; all published weights are B.
        stride_in: see ``Bottleneck``; basic blocks have no such choice.
        zero_init: see ``cifar_resnet``.
    Raises:
        ValueError: if ``depth`` is another one, ``num_classes`` < 1, or an option is unknown.
    """
    if depth in (18, 34):
        block: Callable[..., nn.Module] = partial(BasicBlock, shortcut=shortcut)
    elif depth in (50, 101, 152):
        block = partial(Bottleneck, shortcut=shortcut, stride_in=stride_in)
    else:
        raise ValueError(f"depth={depth}: the ImageNet family has 18, 34, 50, 101 and 152 layers")
    net = initialise(imagenet_net(block, depth, num_classes, in_channels), "he")
    return zero_last_norm(net) if zero_init else net


def imagenet_preact_resnet(depth: int, num_classes: int = 1000, in_channels: int = 3) -> ConvNet:
    """``imagenet_resnet`` with pre-activation blocks (He et al. 2016b, section 5 and Table 5), for the same depths."""
    if depth not in IMAGENET_DEPTHS:
        raise ValueError(f"depth={depth}: the ImageNet family has 18, 34, 50, 101 and 152 layers")
    block = PreActBlock if depth < 50 else PreActBottleneck
    return initialise(preactivated(imagenet_net(block, depth, num_classes, in_channels)), "he")


def zero_last_norm(net: nn.Module) -> nn.Module:
    """Set the last batch-norm scale of every residual branch to 0, so that each block starts as its shortcut alone."""
    for block in net.modules():
        if isinstance(block, ResidualBlock):
            last = block.branch[-1][-1]
            if not isinstance(last, nn.BatchNorm2d):
                raise ValueError("zero_init=True sets batch-norm scales, and norm=False leaves none; choose one of the two")
            nn.init.zeros_(last.weight)
    return net
