"""Inception-v3: large kernels factorised into small and asymmetric ones (Szegedy et al. 2016).

Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision" (CVPR). Module widths are those of the released
network, which the paper does not print; names of the modules follow it too.
"""

from collections import OrderedDict
from functools import partial

from torch import nn

from course_lib.models import layers
from course_lib.models.layers import AuxiliaryNet, Branches, check_classes, classifier, initialise

convs = partial(layers.convs, eps=1e-3)


def average_and_project(in_channels: int, width: int) -> nn.Sequential:
    """3×3 average, then 1×1: (N, in_channels, H, W) → (N, width, H, W). Zeros around the image count in the average."""
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), *convs(in_channels, (width, 1)))


def module_a(in_channels: int, pool: int, kernel5: int = 5) -> Branches:
    """For 35×35 maps (Figure 5): a 5×5 and two 3×3 side by side. ``kernel5=3`` is the figure, 5 the released network."""
    return Branches(
        in_channels,
        convs(in_channels, (64, 1)),
        convs(in_channels, (48, 1), (64, kernel5)),
        convs(in_channels, (64, 1), (96, 3), (96, 3)),
        average_and_project(in_channels, pool),
    )  # (N, 224 + pool, H, W)


def reduction_a(in_channels: int) -> Branches:
    """From 35×35 to 17×17: strided convolutions beside pooling, so that nothing is squeezed first (Figure 10)."""
    return Branches(
        in_channels,
        convs(in_channels, (384, 3, 2, 0)),
        convs(in_channels, (64, 1), (96, 3), (96, 3, 2, 0)),
        nn.MaxPool2d(3, stride=2),
    )  # (N, 480 + in_channels, H/2, W/2)


def module_b(in_channels: int, width: int) -> Branches:
    """For 17×17 maps: 7×7 kernels as 1×7 and 7×1, once and twice (Figure 6 with n = 7), ``width`` channels between them."""
    return Branches(
        in_channels,
        convs(in_channels, (192, 1)),
        convs(in_channels, (width, 1), (width, (1, 7)), (192, (7, 1))),
        convs(in_channels, (width, 1), (width, (7, 1)), (width, (1, 7)), (width, (7, 1)), (192, (1, 7))),
        average_and_project(in_channels, 192),
    )  # (N, 768, H, W)


def reduction_b(in_channels: int) -> Branches:
    """From 17×17 to 8×8: as ``reduction_a``, with a factorised 7×7 before one of the strided 3×3."""
    return Branches(
        in_channels,
        convs(in_channels, (192, 1), (320, 3, 2, 0)),
        convs(in_channels, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, 0)),
        nn.MaxPool2d(3, stride=2),
    )  # (N, 512 + in_channels, H/2, W/2)


def module_c(in_channels: int) -> Branches:
    """For 8×8 maps: an expanded filter bank, where branches end in 1×3 and 3×1 side by side (Figure 7)."""

    def fan(channels: int) -> Branches:
        return Branches(channels, convs(channels, (384, (1, 3))), convs(channels, (384, (3, 1))))

    return Branches(
        in_channels,
        convs(in_channels, (320, 1)),
        nn.Sequential(*convs(in_channels, (384, 1)), fan(384)),
        nn.Sequential(*convs(in_channels, (448, 1), (384, 3)), fan(384)),
        average_and_project(in_channels, 192),
    )  # (N, 2048, H, W)


def inception_v3(num_classes: int = 1000, in_channels: int = 3, *, aux: bool = True, paper: bool = False) -> AuxiliaryNet:
    """Inception-v3, equal to torchvision's: (N, in_channels, 299, 299) → (N, num_classes).

    The paper trains it with label smoothing 0.1 (section 7), see ``cross_entropy``. torchvision's weights expect pixels scaled
    to [-1, 1].

    Args:
        aux: with the auxiliary classifier, batch-normalised, after the last 17×17 module; it needs images of 299×299 at least.
            Its weight, 0.4, is that of the authors' code; the paper gives none.
        paper: the 35×35 modules as in Figure 5, with a 3×3 where the released network kept a 5×5.
    Raises:
        ValueError: if ``num_classes`` < 1.
    """
    check_classes(num_classes)
    kernel5 = 3 if paper else 5
    stem = nn.Sequential(
        *convs(in_channels, (32, 3, 2, 0), (32, 3, 1, 0), (64, 3)),  # (N, 64, 147, 147)
        nn.MaxPool2d(3, stride=2),  # (N, 64, 73, 73)
        *convs(64, (80, 1), (192, 3, 1, 0)),  # (N, 192, 71, 71)
        nn.MaxPool2d(3, stride=2),  # (N, 192, 35, 35)
    )
    stages = nn.Sequential(
        nn.Sequential(  # (N, 288, 35, 35)
            OrderedDict({"5b": module_a(192, 32, kernel5), "5c": module_a(256, 64, kernel5), "5d": module_a(288, 64, kernel5)})
        ),
        nn.Sequential(  # (N, 768, 17, 17)
            OrderedDict({
                "6a": reduction_a(288),
                "6b": module_b(768, 128), "6c": module_b(768, 160), "6d": module_b(768, 160), "6e": module_b(768, 192),
            })
        ),
        nn.Sequential(OrderedDict({"7a": reduction_b(768), "7b": module_c(1280), "7c": module_c(2048)})),  # (N, 2048, 8, 8)
    )  # fmt: skip
    auxiliary = nn.Sequential(
        nn.AvgPool2d(5, stride=3),  # (N, 768, 5, 5)
        *convs(768, (128, 1), (768, 5, 1, 0)),  # (N, 768, 1, 1)
        *classifier(768, num_classes),
    )
    heads = {"6e": auxiliary} if aux else {}
    head = classifier(2048, num_classes, dropout=0.5)
    return initialise(AuxiliaryNet(stem, stages, head, heads, weight=0.4, smallest=75, smallest_in_training=299))
