"""Inception-v4: the Inception modules made uniform, without residual connections (Szegedy et al. 2017).

Szegedy et al. 2017, "Inception-v4, Inception-ResNet and the impact of residual connections on learning" (AAAI). Each function is
one figure of the paper (arXiv numbering), its branches from left to right as timm's weights order them; a padding of 0 is the
figures' "V".
"""

from functools import partial

from torch import nn

from course_lib.models import layers
from course_lib.models.layers import Branches, ConvNet, classifier, initialise

convs = partial(layers.convs, eps=1e-3)


def average_and_project(in_channels: int, width: int) -> nn.Sequential:
    """3×3 average, then 1×1: (N, in_channels, H, W) → (N, width, H, W). Zeros around the image do not count."""
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False), *convs(in_channels, (width, 1)))


def stem_v4(in_channels: int) -> nn.Sequential:
    """Figure 3, the stem of Inception-v4 and Inception-ResNet-v2: (N, in_channels, 299, 299) → (N, 384, 35, 35)."""
    return nn.Sequential(
        *convs(in_channels, (32, 3, 2, 0), (32, 3, 1, 0), (64, 3)),  # (N, 64, 147, 147)
        Branches(64, nn.MaxPool2d(3, stride=2), convs(64, (96, 3, 2, 0))),  # (N, 160, 73, 73)
        Branches(
            160,
            convs(160, (64, 1), (96, 3, 1, 0)),
            convs(160, (64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3, 1, 0)),
        ),  # (N, 192, 71, 71)
        Branches(192, convs(192, (192, 3, 2, 0)), nn.MaxPool2d(3, stride=2)),  # (N, 384, 35, 35)
    )


def module_a() -> Branches:
    """Figure 4, for 35×35 maps: (N, 384, H, W) → (N, 384, H, W)."""
    return Branches(
        384,
        convs(384, (96, 1)),
        convs(384, (64, 1), (96, 3)),
        convs(384, (64, 1), (96, 3), (96, 3)),
        average_and_project(384, 96),
    )


def reduction_a(in_channels: int, k: int, l: int, m: int, n: int) -> Branches:  # noqa: E741 (the paper's letters)
    """Figure 7 and Table 1, from 35×35 to 17×17: (N, in_channels, H, W) → (N, n + m + in_channels, H/2, W/2)."""
    return Branches(
        in_channels,
        convs(in_channels, (n, 3, 2, 0)),
        convs(in_channels, (k, 1), (l, 3), (m, 3, 2, 0)),
        nn.MaxPool2d(3, stride=2),
    )


def module_b() -> Branches:
    """Figure 5, for 17×17 maps: (N, 1024, H, W) → (N, 1024, H, W)."""
    return Branches(
        1024,
        convs(1024, (384, 1)),
        convs(1024, (192, 1), (224, (1, 7)), (256, (7, 1))),
        convs(1024, (192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
        average_and_project(1024, 128),
    )


def reduction_b() -> Branches:
    """Figure 8, from 17×17 to 8×8: (N, 1024, H, W) → (N, 1536, H/2, W/2)."""
    return Branches(
        1024,
        convs(1024, (192, 1), (192, 3, 2, 0)),
        convs(1024, (256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, 2, 0)),
        nn.MaxPool2d(3, stride=2),
    )


def module_c() -> Branches:
    """Figure 6, for 8×8 maps, with branches that end in 1×3 and 3×1 side by side: (N, 1536, H, W) → (N, 1536, H, W)."""

    def fan(channels: int) -> Branches:
        return Branches(channels, convs(channels, (256, (1, 3))), convs(channels, (256, (3, 1))))

    return Branches(
        1536,
        convs(1536, (256, 1)),
        nn.Sequential(*convs(1536, (384, 1)), fan(384)),
        nn.Sequential(*convs(1536, (384, 1), (448, (3, 1)), (512, (1, 3))), fan(512)),
        average_and_project(1536, 256),
    )


def inception_v4(num_classes: int = 1000, in_channels: int = 3) -> ConvNet:
    """Inception-v4 (Figure 9), equal to timm's: (N, in_channels, 299, 299) → (N, num_classes).

    Raises:
        ValueError: if ``num_classes`` < 1.
    """
    stages = nn.Sequential(
        nn.Sequential(*(module_a() for _ in range(4))),  # (N, 384, 35, 35)
        nn.Sequential(reduction_a(384, 192, 224, 256, 384), *(module_b() for _ in range(7))),  # (N, 1024, 17, 17)
        nn.Sequential(reduction_b(), *(module_c() for _ in range(3))),  # (N, 1536, 8, 8)
    )
    return initialise(ConvNet(stem_v4(in_channels), stages, classifier(1536, num_classes, dropout=0.2), smallest=75))
