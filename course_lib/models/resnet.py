"""Residual networks: the plain networks of ``plain.py`` with a shortcut around every block.

He et al. 2016a, "Deep residual learning for image recognition" (CVPR). ``shortcuts.py`` holds the shortcut and its addition.
"""

from functools import partial

from torch import nn

from course_lib.models.layers import ConvNet, cifar_net, conv_bn, imagenet_net, initialise
from course_lib.models.plain import blocks_per_stage
from course_lib.models.shortcuts import ResidualBlock, make_shortcut, zero_last_norm


class BasicBlock(ResidualBlock):
    """Two 3×3 convolutions and a shortcut (He et al. 2016a, Figure 2 and Figure 5 left).

    (N, in_channels, H, W) → (N, width, H/stride, W/stride).
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, shortcut: str = "B", norm: bool = True):
        branch = nn.Sequential(
            *conv_bn(in_channels, width, 3, stride, norm),
            nn.ReLU(inplace=norm),
            *conv_bn(width, width, 3, norm=norm),
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
            *conv_bn(in_channels, width, 1, first, norm),
            nn.ReLU(inplace=norm),
            *conv_bn(width, width, 3, second, norm),
            nn.ReLU(inplace=norm),
            *conv_bn(width, 4 * width, 1, norm=norm),
        )
        super().__init__(branch, make_shortcut(shortcut, in_channels, 4 * width, stride, norm), 4 * width)


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
        block = partial(BasicBlock, shortcut=shortcut)
    else:
        block = partial(Bottleneck, shortcut=shortcut, stride_in=stride_in)
    net = initialise(imagenet_net(block, depth, num_classes, in_channels), "he")
    return zero_last_norm(net) if zero_init else net
