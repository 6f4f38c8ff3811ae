"""MobileNet: separable convolutions in a row, and two numbers that trade accuracy for cost (Howard et al. 2017).

Howard et al. 2017, "MobileNets: efficient convolutional neural networks for mobile vision applications" (arXiv).
"""

from collections.abc import Sequence

from torch import nn

from course_lib.models.layers import ConvNet, check_classes, classifier, conv_bn, initialise

STAGES = ((64,), (128, 128), (256, 256), (512,) * 6, (1024, 1024))  # Table 1; every stage but the first begins with stride 2


class DepthwiseSeparable(nn.Sequential):
    """Depthwise 3×3 and pointwise 1×1, each normalised and activated (Figure 3 right).

    (N, in_channels, H, W) → (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉).

    Args:
        activation: class of the non-linearity, ``nn.ReLU6`` or ``nn.ReLU``.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, activation: type[nn.Module] = nn.ReLU6):
        super().__init__(
            *conv_bn(in_channels, in_channels, 3, stride, groups=in_channels),
            activation(inplace=True),
            *conv_bn(in_channels, out_channels, 1),
            activation(inplace=True),
        )
        self.out_channels = out_channels


def mobilenet(
    num_classes: int = 1000, in_channels: int = 3, *, width_mult: float = 1.0, small: bool = False, paper: bool = False
) -> ConvNet:
    """MobileNet (Table 1): (N, in_channels, H, W) → (N, num_classes), for 224×224 images or any smaller resolution.

    The second number of the paper, the resolution multiplier ρ, is the size of the images that you pass: 224ρ.

    Args:
        width_mult: α, factor of every layer's channels, which are rounded to multiples of 8.
        small: for images of 8×8 to 32×32: the stem keeps the size, three stages of 32, 64 and 128 channels.
        paper: ReLU; the default is ReLU6, as in the authors' code and timm's weights. Table 1 prints stride 2 for the last
            depthwise layer, whose output keeps its size: it has stride 1.
    Raises:
        ValueError: if ``width_mult`` is not above 0, or ``num_classes`` < 1.
    """
    check_classes(num_classes)
    if not width_mult > 0:
        raise ValueError(f"width_mult={width_mult} must be greater than 0; the paper uses 0.25, 0.5, 0.75 and 1")
    activation = nn.ReLU if paper else nn.ReLU6

    def scaled(width: int) -> int:
        return max(8, int(width * width_mult + 4) // 8 * 8)

    table: Sequence[Sequence[int]] = ((32,), (64, 64), (128, 128)) if small else STAGES
    channels = scaled(table[0][0] // 2)
    stem = nn.Sequential(*conv_bn(in_channels, channels, 3, 1 if small else 2), activation(inplace=True))
    stages = []
    for i, widths in enumerate(table):
        blocks = []
        for j, width in enumerate(widths):
            blocks.append(DepthwiseSeparable(channels, scaled(width), 2 if i > 0 and j == 0 else 1, activation))
            channels = blocks[-1].out_channels
        stages.append(nn.Sequential(*blocks))  # at 224: (N, 64, 112, 112) … (N, 1024, 7, 7)
    return initialise(ConvNet(stem, nn.Sequential(*stages), classifier(channels, num_classes)))
