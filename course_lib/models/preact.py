"""Pre-activation residual networks: normalise and activate before each convolution, so that nothing follows the addition.

He et al. 2016b, "Identity mappings in deep residual networks" (ECCV).
"""

from functools import partial

from torch import Tensor, nn

from course_lib.models.layers import ConvNet, cifar_net, imagenet_net, initialise
from course_lib.models.plain import blocks_per_stage
from course_lib.models.shortcuts import make_shortcut


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
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def bare_shortcut(option: str, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """``make_shortcut`` with projections that are a convolution alone, without normalisation."""
    shortcut = make_shortcut(option, in_channels, out_channels, stride)
    return shortcut[0] if isinstance(shortcut, nn.Sequential) else shortcut


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
    convolution, _norm, _relu, *pool = net.stem
    channels = net.stages[-1][-1].out_channels
    stem = nn.Sequential(convolution, *pool)
    return ConvNet(stem, net.stages, nn.Sequential(norm_relu(channels), *net.head))


def imagenet_preact_resnet(depth: int, num_classes: int = 1000, in_channels: int = 3) -> ConvNet:
    """``imagenet_resnet`` with pre-activation blocks (He et al. 2016b, section 5 and Table 5), for the same depths."""
    block = PreActBlock if depth in (18, 34) else PreActBottleneck
    return initialise(preactivated(imagenet_net(block, depth, num_classes, in_channels)), "he")
