"""Inception v1: several kernel sizes side by side, made affordable by 1×1 reductions (Szegedy et al. 2015).

Szegedy et al. 2015, "Going deeper with convolutions" (CVPR).
"""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

from course_lib.models.layers import AuxiliaryNet, Branches, ConvNet, check_classes, classifier, conv_bn, convs, initialise

EPS = 1e-3  # added to the variance in batch normalisation by all weights of the Inception family but BN-Inception's

MODULES = {  # Table 1: 1×1; 3×3 reduction, 3×3; 5×5 reduction, 5×5; pool projection
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class NaiveInception(Branches):
    """1×1, 3×3, 5×5 and a max-pool over the same input (Figure 2a): no reductions, and the pool passes all its channels on.

    (N, in_channels, H, W) → (N, c1 + c3 + c5 + in_channels, H, W): wider with every module.
    """

    def __init__(self, in_channels: int, c1: int, c3: int, c5: int, *, norm: bool = True):
        super().__init__(
            in_channels,
            convs(in_channels, (c1, 1), norm=norm, eps=EPS),
            convs(in_channels, (c3, 3), norm=norm, eps=EPS),
            convs(in_channels, (c5, 5), norm=norm, eps=EPS),
            nn.MaxPool2d(3, stride=1, padding=1),
        )


class Inception(Branches):
    """The module with 1×1 reductions before the 3×3 and the 5×5 and a projection after the pool (Figure 2b).

    (N, in_channels, H, W) → (N, c1 + c3 + c5 + pool, H, W).

    Args:
        c1, reduce3, c3, reduce5, c5, pool: channels, in the order of the columns of Table 1.
        kernel5: kernel of the "5×5" branch. 3 is what all published weights have, by an oversight that was kept
            (torchvision's issue 906); 5 is the paper's.
    """

    def __init__(
        self,
        in_channels: int,
        c1: int,
        reduce3: int,
        c3: int,
        reduce5: int,
        c5: int,
        pool: int,
        *,
        kernel5: int = 3,
        norm: bool = True,
    ):
        super().__init__(
            in_channels,
            convs(in_channels, (c1, 1), norm=norm, eps=EPS),
            convs(in_channels, (reduce3, 1), (c3, 3), norm=norm, eps=EPS),
            convs(in_channels, (reduce5, 1), (c5, kernel5), norm=norm, eps=EPS),
            nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *convs(in_channels, (pool, 1), norm=norm, eps=EPS)),
        )


def auxiliary_classifier(in_channels: int, num_classes: int, *, paper: bool = False) -> nn.Sequential:
    """A small classifier on the way: (N, in_channels, 14, 14) → (N, num_classes), section 5.

    Average to 4×4, 1×1 to 128 channels, a dense layer of 1024, dropout of 70 %. The paper averages 5×5 with stride 3, which
    is 4×4 already where the map is 14×14; the default averages any map to 4×4 at once.
    """
    return nn.Sequential(
        *([nn.AvgPool2d(5, stride=3)] if paper else []),
        nn.AdaptiveAvgPool2d(4),
        *convs(in_channels, (128, 1), norm=not paper, eps=EPS),
        nn.Flatten(),
        nn.Linear(4 * 4 * 128, 1024),
        nn.ReLU(),
        nn.Dropout(0.7),
        nn.Linear(1024, num_classes),
    )


def googlenet(num_classes: int = 1000, in_channels: int = 3, *, aux: bool = True, paper: bool = False) -> AuxiliaryNet:
    """GoogLeNet, 22 layers deep (Table 1 and Figure 3): (N, in_channels, 224, 224) → (N, num_classes).

    In training with ``aux`` it returns ``AuxiliaryScores``, of weight 0.3; in evaluation always the scores alone.

    Args:
        aux: with the two auxiliary classifiers, after modules 4a and 4d.
        paper: the network of 2014: a true 5×5, biases instead of batch normalisation (which came in 2015), local response
            normalisation, 3×3 pooling before 5a, 40 % dropout. The default is torchvision's: 3×3 in its place, batch
            normalisation, 2×2 pooling before 5a, 20 % dropout. torchvision's weights expect pixels scaled to [-1, 1].
    Raises:
        ValueError: if ``num_classes`` < 1.
    """
    check_classes(num_classes)
    norm = not paper
    respond = [nn.LocalResponseNorm(5)] if paper else []
    stem = nn.Sequential(
        *convs(in_channels, (64, 7, 2), norm=norm, eps=EPS),  # (N, 64, 112, 112)
        nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 64, 56, 56)
        *respond,
        *convs(64, (64, 1), (192, 3), norm=norm, eps=EPS),  # (N, 192, 56, 56)
        *respond,
        nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 192, 28, 28)
    )
    channels, stages = 192, []
    for first, number in enumerate("345"):
        stage: OrderedDict[str, nn.Module] = OrderedDict()
        if first:
            stage["pool"] = nn.MaxPool2d(2 if number == "5" and not paper else 3, stride=2, ceil_mode=True)
        for name, widths in MODULES.items():
            if name[0] == number:
                stage[name] = Inception(channels, *widths, kernel5=5 if paper else 3, norm=norm)
                channels = stage[name].out_channels
        stages.append(nn.Sequential(stage))  # (N, 480, 28, 28), (N, 832, 14, 14), (N, 1024, 7, 7)
    heads = {name: auxiliary_classifier(wide, num_classes, paper=paper) for name, wide in (("4a", 512), ("4d", 528)) if aux}
    head = classifier(channels, num_classes, dropout=0.4 if paper else 0.2)
    smallest = {"smallest": 31, "smallest_in_training": 79} if paper else {"smallest": 15, "smallest_in_training": 15}
    return initialise(AuxiliaryNet(stem, nn.Sequential(*stages), head, heads, weight=0.3, **smallest))


def small_inception(
    num_classes: int = 10, in_channels: int = 3, *, module: Callable[[int, int], nn.Module] | None = None
) -> ConvNet:
    """A GoogLeNet for images of 8×8 to 32×32: a 3×3 stem, two modules, 2×2 pooling, two modules, average pooling.

    (N, in_channels, H, W) → (N, num_classes).

    Args:
        module: ``module(in_channels, width)`` builds one module that tells its ``out_channels``; by default an Inception
            module of about 2·width channels with a true 5×5.
    """
    module = module or small_module
    stem = nn.Sequential(*conv_bn(in_channels, 16, 3, eps=EPS), nn.ReLU(inplace=True))
    channels, stages = 16, []
    for width in (16, 32):
        stage: list[nn.Module] = [nn.MaxPool2d(2)] if stages else []
        for _ in range(2):
            stage.append(module(channels, width))
            channels = stage[-1].out_channels
        stages.append(nn.Sequential(*stage))
    return initialise(ConvNet(stem, nn.Sequential(*stages), classifier(channels, num_classes), smallest=2))


def small_module(in_channels: int, width: int) -> Inception:
    """An Inception module with the proportions of 3a: (N, in_channels, H, W) → (N, 2·width, H, W) for width a multiple of 8."""
    return Inception(in_channels, width // 2, 3 * width // 4, width, width // 8, width // 4, width // 4, kernel5=5)
