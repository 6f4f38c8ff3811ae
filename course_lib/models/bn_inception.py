"""BN-Inception, the network of the batch normalisation paper, also called Inception v2 (Ioffe and Szegedy 2015).

Ioffe and Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal covariate shift" (ICML).
"""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.layers import Branches, ConvNet, classifier, convs, initialise

MODULES = {  # Figure 5: 1×1; 3×3 reduction, 3×3; double 3×3 reduction, double 3×3; pool projection. 0: no such branch
    "3a": (64, 64, 64, 64, 96, 32),
    "3b": (64, 64, 96, 64, 96, 64),
    "3c": (0, 128, 160, 64, 96, 0),
    "4a": (224, 64, 96, 96, 128, 128),
    "4b": (192, 96, 128, 96, 128, 128),
    "4c": (160, 128, 160, 128, 160, 128),
    "4d": (96, 128, 192, 160, 192, 128),
    "4e": (0, 128, 192, 192, 256, 0),
    "5a": (352, 192, 320, 160, 224, 128),
    "5b": (352, 192, 320, 192, 224, 128),
}


class DoubleInception(Branches):
    """GoogLeNet's module with its 5×5 made of two 3×3 (section 4.2).

    (N, in_channels, H, W) → (N, c1 + c3 + double3 + pool, H, W).

    Args:
        c1, reduce3, c3, reduce_double, double3, pool: channels, in the order of the columns of Figure 5.
        max_pool: a maximum instead of an average before the projection.
    """

    def __init__(
        self,
        in_channels: int,
        c1: int,
        reduce3: int,
        c3: int,
        reduce_double: int,
        double3: int,
        pool: int,
        *,
        max_pool: bool = False,
    ):
        pooling = (nn.MaxPool2d if max_pool else nn.AvgPool2d)(3, stride=1, padding=1)
        super().__init__(
            in_channels,
            convs(in_channels, (c1, 1)),
            convs(in_channels, (reduce3, 1), (c3, 3)),
            convs(in_channels, (reduce_double, 1), (double3, 3), (double3, 3)),
            nn.Sequential(pooling, *convs(in_channels, (pool, 1))),
        )


class HalvingPool(nn.MaxPool2d):
    """3×3 maximum with stride 2 whose first window starts at the first pixel, as in Caffe: (N, C, H, W) → (N, C, ⌈H/2⌉, ⌈W/2⌉).

    A map of odd size gets a border at its far end, so that the result fits the strided convolutions beside it.
    """

    def __init__(self):
        super().__init__(3, stride=2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        border = (0, x.shape[3] % 2, 0, x.shape[2] % 2)
        return super().forward(F.pad(x, border, value=float("-inf")) if any(border) else x)


class Reduction(Branches):
    """A module that halves the resolution and passes the pooled input on.

    (N, C, H, W) → (N, c3 + double3 + C, ⌈H/2⌉, ⌈W/2⌉).
    """

    def __init__(self, in_channels: int, reduce3: int, c3: int, reduce_double: int, double3: int):
        super().__init__(
            in_channels,
            convs(in_channels, (reduce3, 1), (c3, 3, 2)),
            convs(in_channels, (reduce_double, 1), (double3, 3), (double3, 3, 2)),
            HalvingPool(),
        )


def bn_inception(num_classes: int = 1000, in_channels: int = 3) -> ConvNet:
    """BN-Inception (Figure 5): (N, in_channels, 224, 224) → (N, num_classes).

    Follows the authors' released weights, as ported to PyTorch by Cadene, without the convolution biases that batch
    normalisation cancels. The printed table has the strided modules 3c and 4e at the end of their stage, as here; the paper's
    stem makes its first convolution a separable one of 8 filters a channel, which the released network has not.

    Raises:
        ValueError: if ``num_classes`` < 1.
    """
    stem = nn.Sequential(
        *convs(in_channels, (64, 7, 2)),  # (N, 64, 112, 112)
        nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 64, 56, 56)
        *convs(64, (64, 1), (192, 3)),  # (N, 192, 56, 56)
        nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 192, 28, 28)
    )
    channels, stages = 192, []
    for number in "345":
        stage: OrderedDict[str, nn.Module] = OrderedDict()
        for name, (c1, reduce3, c3, reduce_double, double3, pool) in MODULES.items():
            if name[0] == number:
                if c1:
                    widths = (c1, reduce3, c3, reduce_double, double3, pool)
                    stage[name] = DoubleInception(channels, *widths, max_pool=name == "5b")
                else:
                    stage[name] = Reduction(channels, reduce3, c3, reduce_double, double3)
                channels = stage[name].out_channels
        stages.append(nn.Sequential(stage))  # (N, 576, 14, 14), (N, 1056, 7, 7), (N, 1024, 7, 7)
    return initialise(ConvNet(stem, nn.Sequential(*stages), classifier(channels, num_classes), smallest=7))
