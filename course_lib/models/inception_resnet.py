"""Inception-ResNet v1 and v2: Inception modules as the residual branch of a block (Szegedy et al. 2017, section 3.2).

Szegedy et al. 2017, "Inception-v4, Inception-ResNet and the impact of residual connections on learning" (AAAI). Figures in arXiv
numbering; a padding of 0 is their "V".
"""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models import layers
from course_lib.models.inception_v4 import average_and_project, reduction_a, stem_v4
from course_lib.models.layers import Branches, ConvNet, check_classes, classifier, initialise

convs = partial(layers.convs, eps=1e-3)

SCALES = (0.17, 0.10, 0.20)  # of the residuals at 35×35, 17×17 and 8×8 in the authors' code; the paper: between 0.1 and 0.3


class InceptionResidual(nn.Module):
    """y = σ(x + scale · W branches(x)), the projection W (1×1, biased, not normalised) matching the channels (section 3.3).

    (N, C, H, W) → (N, C, H, W).

    Args:
        scale: factor of the residual, which keeps wide networks from dying early in training.
        activate: without it the sum leaves as it is.
    """

    def __init__(self, branches: Branches, channels: int, scale: float, activate: bool = True):
        super().__init__()
        self.branch = nn.Sequential(branches, nn.Conv2d(branches.out_channels, channels, 1))
        self.scale, self.activate, self.out_channels = scale, activate, channels

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.scale * self.branch(x)
        return F.relu(y, inplace=True) if self.activate else y


def branches_a(channels: int, wide: tuple[int, int]) -> Branches:
    """For 35×35 maps (Figures 10 and 16); ``wide`` are the channels of the two 3×3 in a row."""
    return Branches(
        channels,
        convs(channels, (32, 1)),
        convs(channels, (32, 1), (32, 3)),
        convs(channels, (32, 1), *((width, 3) for width in wide)),
    )


def branches_b(channels: int, first: int, widths: tuple[int, int, int]) -> Branches:
    """For 17×17 maps (Figures 11 and 17): 1×1 beside 1×1, 1×7, 7×1."""
    narrow, middle, last = widths
    return Branches(
        channels,
        convs(channels, (first, 1)),
        convs(channels, (narrow, 1), (middle, (1, 7)), (last, (7, 1))),
    )


def branches_c(channels: int, middle: int, last: int) -> Branches:
    """For 8×8 maps (Figures 13 and 19): 1×1 beside 1×1, 1×3, 3×1."""
    return Branches(
        channels,
        convs(channels, (192, 1)),
        convs(channels, (192, 1), (middle, (1, 3)), (last, (3, 1))),
    )


def reduction_b(channels: int, beside: int, middle: int, last: int) -> Branches:
    """Figures 12 and 18, from 17×17 to 8×8: three strided branches beside a max-pool."""
    return Branches(
        channels,
        convs(channels, (256, 1), (384, 3, 2, 0)),
        convs(channels, (256, 1), (beside, 3, 2, 0)),
        convs(channels, (256, 1), (middle, 3), (last, 3, 2, 0)),
        nn.MaxPool2d(3, stride=2),
    )


def stem_v1(in_channels: int, last: nn.Module) -> nn.Sequential:
    """Figure 14 up to its last layer: (N, in_channels, 299, 299) → (N, 192, 71, 71), then ``last`` to 35×35."""
    return nn.Sequential(
        *convs(in_channels, (32, 3, 2, 0), (32, 3, 1, 0), (64, 3)),  # (N, 64, 147, 147)
        nn.MaxPool2d(3, stride=2),  # (N, 64, 73, 73)
        *convs(64, (80, 1), (192, 3, 1, 0)),  # (N, 192, 71, 71)
        last,
    )


def residuals(branches: list[Branches], channels: int, scale: float, linear_end: bool = False) -> list[InceptionResidual]:
    """One block for each of ``branches``; with ``linear_end`` the last neither scales its residual nor activates the sum."""
    blocks = [InceptionResidual(branch, channels, scale) for branch in branches]
    if linear_end:
        blocks[-1].scale, blocks[-1].activate = 1.0, False
    return blocks


def inception_resnet_v1(num_classes: int = 1000, in_channels: int = 3, *, paper: bool = False) -> ConvNet:
    """Inception-ResNet-v1, of about Inception-v3's cost (Figure 15 left): (N, in_channels, 299, 299) → (N, num_classes).

    Args:
        paper: 5, 10 and 5 blocks. The default, as in facenet's weights, has a sixth 8×8 block without scaling and activation.
    Raises:
        ValueError: if ``num_classes`` < 1.
    """
    a, b, c = SCALES
    stages = nn.Sequential(
        nn.Sequential(*residuals([branches_a(256, (32, 32)) for _ in range(5)], 256, a)),  # (N, 256, 35, 35)
        nn.Sequential(  # (N, 896, 17, 17)
            reduction_a(256, 192, 192, 256, 384),
            *residuals([branches_b(896, 128, (128, 128, 128)) for _ in range(10)], 896, b),
        ),
        nn.Sequential(  # (N, 1792, 8, 8)
            reduction_b(896, 256, 256, 256),
            *residuals([branches_c(1792, 192, 192) for _ in range(5 if paper else 6)], 1792, c, linear_end=not paper),
        ),
    )
    head = classifier(1792, num_classes, dropout=0.2)
    return initialise(ConvNet(stem_v1(in_channels, convs(192, (256, 3, 2, 0))), stages, head, smallest=75))


def inception_resnet_v2(num_classes: int = 1000, in_channels: int = 3, *, paper: bool = False) -> ConvNet:
    """Inception-ResNet-v2, of about Inception-v4's cost (Figure 15 right): (N, in_channels, 299, 299) → (N, num_classes).

    Args:
        paper: the stem of Inception-v4 and 5, 10 and 5 blocks. The default is the network of the authors' released weights,
            equal to timm's: the stem of v1 with one Inception module, 10, 20 and 10 blocks, the last of them neither scaled nor
            activated, and a 1×1 to 1536 channels. Where Figures 17 and 19 print 1154 and 2048 channels, the branches add up to
            1152 and 2144, which are used here.
    Raises:
        ValueError: if ``num_classes`` < 1.
    """
    check_classes(num_classes)
    a, b, c = SCALES
    depths = (5, 10, 5) if paper else (10, 20, 10)
    first = Branches(
        192,
        convs(192, (96, 1)),
        convs(192, (48, 1), (64, 5)),
        convs(192, (64, 1), (96, 3), (96, 3)),
        average_and_project(192, 64),
    )
    stem = stem_v4(in_channels) if paper else stem_v1(in_channels, nn.Sequential(nn.MaxPool2d(3, stride=2), first))
    width = 384 if paper else first.out_channels  # 320
    to_17 = reduction_a(width, 256, 256, 384, 384)
    to_8 = reduction_b(to_17.out_channels, 288, 288, 320)
    stages = nn.Sequential(
        nn.Sequential(*residuals([branches_a(width, (48, 64)) for _ in range(depths[0])], width, a)),  # (N, 320, 35, 35)
        nn.Sequential(  # (N, 1088, 17, 17)
            to_17,
            *residuals([branches_b(to_17.out_channels, 192, (128, 160, 192)) for _ in range(depths[1])], to_17.out_channels, b),
        ),
        nn.Sequential(  # (N, 2080, 8, 8)
            to_8,
            *residuals(
                [branches_c(to_8.out_channels, 224, 256) for _ in range(depths[2])], to_8.out_channels, c, linear_end=not paper
            ),
        ),
    )
    head = classifier(to_8.out_channels if paper else 1536, num_classes, dropout=0.2)
    if not paper:
        head = nn.Sequential(*convs(to_8.out_channels, (1536, 1)), *head)
    return initialise(ConvNet(stem, stages, head, smallest=75))
