"""Separable convolutions, and Xception, which is built from them (Chollet 2017).

Chollet 2017, "Xception: deep learning with depthwise separable convolutions" (CVPR).
"""

from collections.abc import Sequence

from torch import Tensor, nn

from course_lib.models.layers import ConvNet, build_stages, check_classes, classifier, conv_bn, convs, initialise


class SeparableConv(nn.Sequential):
    """A k×k convolution within groups of channels, then a 1×1 across all: (N, C_in, H, W) → (N, C_out, ⌈H/stride⌉, ⌈W/stride⌉).

    No bias, and nothing between the two: Chollet 2017, Figure 10, finds that an activation there harms.

    Args:
        groups: C_in, the default, gives each channel its own k×k kernel (depthwise); 1 is a standard convolution followed by a
            1×1; every divisor of C_in between them is a point on the same line (section 1.2).
    Raises:
        ValueError: if ``groups`` does not divide ``in_channels``.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, *, groups: int | None = None):
        groups = in_channels if groups is None else groups
        if groups < 1 or in_channels % groups:
            raise ValueError(f"groups={groups} must divide in_channels={in_channels}")
        super().__init__(
            nn.Conv2d(in_channels, in_channels, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
        )


class XceptionBlock(nn.Module):
    """Separable convolutions, each activated before and normalised after it, and a shortcut around them (Figure 5).

    (N, in_channels, H, W) → (N, widths[-1], ⌈H/stride⌉, ⌈W/stride⌉); nothing follows the addition.

    Args:
        widths: output channels of each separable convolution.
        stride: 2 ends the branch with a 3×3 max-pool; the shortcut is then a strided 1×1 projection.
        activate_first: without it the first ReLU is left out, as in the first block.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], stride: int = 1, *, activate_first: bool = True):
        super().__init__()
        layers: list[nn.Module] = []  # of which the first must not work in place: the shortcut reads the same x
        channels = in_channels
        for width in widths:
            layers += [nn.ReLU(inplace=bool(layers)), SeparableConv(channels, width), nn.BatchNorm2d(width)]
            channels = width
        if stride > 1:
            layers.append(nn.MaxPool2d(3, stride, padding=1))
        self.branch = nn.Sequential(*(layers if activate_first else layers[1:]))
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Identity() if same else conv_bn(in_channels, channels, 1, stride)
        self.out_channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x) + self.shortcut(x)


def xception(num_classes: int = 1000, in_channels: int = 3) -> ConvNet:
    """Xception (Figure 5): (N, in_channels, 299, 299) → (N, num_classes), 36 convolutions, 34 of them separable.

    Equal to timm's ``legacy_xception``; its parameters are those of the paper's Table 3 to the last one. Keras, where the
    authors' weights live, pads the strided pools on one side and adds 1e-3 to the variances, not 1e-5.

    Raises:
        ValueError: if ``num_classes`` < 1.
    """
    stem = convs(in_channels, (32, 3, 2, 0), (64, 3, 1, 0))  # (N, 64, 147, 147)
    entry = nn.Sequential(
        XceptionBlock(64, (128, 128), 2, activate_first=False),  # (N, 128, 74, 74)
        XceptionBlock(128, (256, 256), 2),  # (N, 256, 37, 37)
        XceptionBlock(256, (728, 728), 2),  # (N, 728, 19, 19)
    )
    middle = nn.Sequential(*(XceptionBlock(728, (728, 728, 728)) for _ in range(8)))  # (N, 728, 19, 19)
    leave = nn.Sequential(
        XceptionBlock(728, (728, 1024), 2),  # (N, 1024, 10, 10)
        nn.Sequential(SeparableConv(1024, 1536), nn.BatchNorm2d(1536), nn.ReLU(inplace=True)),
        nn.Sequential(SeparableConv(1536, 2048), nn.BatchNorm2d(2048), nn.ReLU(inplace=True)),  # (N, 2048, 10, 10)
    )
    return initialise(ConvNet(stem, nn.Sequential(entry, middle, leave), classifier(2048, num_classes), smallest=7))


def small_xception(num_classes: int = 10, in_channels: int = 3) -> ConvNet:
    """An Xception for images of 8×8 to 32×32: a 3×3 stem, three stages of two blocks with 32, 64 and 128 channels.

    (N, in_channels, H, W) → (N, num_classes).
    """
    check_classes(num_classes)

    def block(channels: int, width: int, stride: int) -> XceptionBlock:
        return XceptionBlock(channels, (width, width), stride)

    stem = conv_bn(in_channels, 32, 3)
    stages = build_stages(block, 32, (32, 64, 128), (2, 2, 2))
    head = nn.Sequential(nn.ReLU(), *classifier(128, num_classes))
    return initialise(ConvNet(stem, stages, head))
