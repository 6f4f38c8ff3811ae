"""AlexNet and VGG: convolutions and pooling in a row, three dense layers, no shortcut and no branch.

Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks"; Krizhevsky 2014, "One weird trick";
Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image recognition".
"""

from torch import nn

from course_lib.models.layers import ConvNet, check_classes, initialise

VGG_WIDTHS = (64, 128, 256, 512, 512)
VGG_DEPTHS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # Simonyan and Zisserman 2015, Table 1, columns D and E


def dense_head(channels: int, size: int, num_classes: int, dropout_first: bool = False) -> nn.Sequential:
    """Three dense layers over a map of size × size: (N, channels, H, W) → (N, num_classes), 4096 hidden units twice.

    The map is averaged or repeated to size × size first, so that other image sizes run; at the papers' size nothing changes.

    Args:
        dropout_first: half of the inputs of the first two layers are dropped, instead of half of their outputs.
    """
    check_classes(num_classes)
    first = [nn.Linear(channels * size**2, 4096), nn.ReLU(), nn.Dropout()]
    second = [nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()]
    hidden = [first[2], *first[:2], second[2], *second[:2]] if dropout_first else first + second
    return nn.Sequential(nn.AdaptiveAvgPool2d(size), nn.Flatten(), *hidden, nn.Linear(4096, num_classes))


def alexnet(num_classes: int = 1000, in_channels: int = 3, *, paper: bool = False) -> ConvNet:
    """AlexNet: (N, in_channels, 224, 224) → (N, num_classes), five convolutions and three dense layers.

    Args:
        paper: the network of 2012 (Figure 2 and section 3): 96 to 384 filters, the second, fourth and fifth layer in two groups
            (one for each of two GPUs), local response normalisation, images of 227×227. The default is the one-column network
            of Krizhevsky 2014 that torchvision has weights for, without both.
    Raises:
        ValueError: if ``num_classes`` < 1.
    """
    widths, groups, pad = ((96, 256, 384, 384, 256), 2, 0) if paper else ((64, 192, 384, 256, 256), 1, 2)

    def normalise() -> list[nn.Module]:
        return [nn.LocalResponseNorm(5, alpha=5e-4, k=2.0)] if paper else []  # torch divides alpha by 5, the paper does not

    stem = nn.Sequential(
        nn.Conv2d(in_channels, widths[0], 11, stride=4, padding=pad), nn.ReLU(inplace=True), *normalise(),
        nn.MaxPool2d(3, stride=2),  # (N, 64, 27, 27)
    )  # fmt: skip
    middle = nn.Sequential(
        nn.Conv2d(widths[0], widths[1], 5, padding=2, groups=groups), nn.ReLU(inplace=True), *normalise(),
        nn.MaxPool2d(3, stride=2),  # (N, 192, 13, 13)
    )  # fmt: skip
    last = nn.Sequential(
        nn.Conv2d(widths[1], widths[2], 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(widths[2], widths[3], 3, padding=1, groups=groups), nn.ReLU(inplace=True),
        nn.Conv2d(widths[3], widths[4], 3, padding=1, groups=groups), nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),  # (N, 256, 6, 6)
    )  # fmt: skip
    head = dense_head(widths[4], 6, num_classes, dropout_first=not paper)
    return initialise(ConvNet(stem, nn.Sequential(middle, last), head, smallest=67 if paper else 63))


def vgg(depth: int, num_classes: int = 1000, in_channels: int = 3, *, norm: bool = False) -> ConvNet:
    """VGG-16 or VGG-19: (N, in_channels, 224, 224) → (N, num_classes), 3×3 convolutions alone, then three dense layers.

    Args:
        depth: layers with weights, 13 or 16 convolutions and three dense layers.
        norm: batch normalisation after every convolution, which came a year later. As in torchvision's weights, and unlike
            the course's other networks, the convolutions keep their biases beside it.
    Raises:
        ValueError: if ``depth`` is neither 16 nor 19, or ``num_classes`` < 1.
    """
    if depth not in VGG_DEPTHS:
        raise ValueError(f"depth={depth}: VGG is built here with 16 and 19 layers")
    stages = []
    channels = in_channels
    for width, layers in zip(VGG_WIDTHS, VGG_DEPTHS[depth], strict=True):
        stage: list[nn.Module] = []
        for _ in range(layers):
            stage += [nn.Conv2d(channels, width, 3, padding=1), *([nn.BatchNorm2d(width)] if norm else []), nn.ReLU(inplace=True)]
            channels = width
        stages.append(nn.Sequential(*stage, nn.MaxPool2d(2)))
    stem = nn.Sequential()  # none: the first stage sees the pixels
    return initialise(ConvNet(stem, nn.Sequential(*stages), dense_head(512, 7, num_classes), smallest=32))
