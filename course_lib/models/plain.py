"""Plain networks: stacks of 3×3 convolutions without shortcuts (He et al. 2016a, section 3.3; VGG is their ancestor).

``resnet.py`` changes the block, and nothing else.
"""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.layers import ConvNet, cifar_net, conv_bn, imagenet_net, initialise


class PlainBlock(nn.Module):
    """Two 3×3 convolutions in a row, y = σ(F(x)) with F(x) = W₂ σ(W₁ x): the unit that a shortcut will span.

    (N, in_channels, H, W) → (N, width, H/stride, W/stride).
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, norm: bool = True):
        super().__init__()
        self.out_channels = width
        self.branch = nn.Sequential(
            *conv_bn(in_channels, width, 3, stride, norm),
            nn.ReLU(inplace=norm),
            *conv_bn(width, width, 3, norm=norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x))


def plain_net(depth: int, num_classes: int = 10, in_channels: int = 3, *, norm: bool = True, init: str = "he") -> ConvNet:
    """Plain network of depth 6n+2 for small images (He et al. 2016a, section 4.2: 20, 32, 44, 56).

    Args:
        depth: layers with weights, 6n+2: the stem, 2n in each of three stages, the dense layer.
        norm: batch normalisation after every convolution.
        init: "he" (He et al. 2015) or "torch" (PyTorch's default, which keeps a third of He's variance or less).
    Raises:
        ValueError: if ``depth`` is not 6n+2 with n ≥ 1, ``num_classes`` < 1, or ``init`` is unknown.
    """
    block = partial(PlainBlock, norm=norm)
    net = cifar_net(block, blocks_per_stage(depth, 6), num_classes, in_channels, norm=norm)
    return initialise(net, init)


def imagenet_plain_net(depth: int, num_classes: int = 1000, in_channels: int = 3) -> ConvNet:
    """ResNet-18 or ResNet-34 without its shortcuts (He et al. 2016a, Table 1 and Figure 4): (N, 3, 224, 224) → (N, 1000).

    Raises:
        ValueError: if ``depth`` is neither 18 nor 34, or ``num_classes`` < 1.
    """
    if depth not in (18, 34):
        raise ValueError(f"depth={depth}: He et al. built plain networks of 18 and 34 layers")
    return initialise(imagenet_net(PlainBlock, depth, num_classes, in_channels), "he")


def blocks_per_stage(depth: int, layers_per_n: int) -> int:
    """n, for a depth of ``layers_per_n``·n + 2; a ValueError names the nearest depths that exist."""
    n, rest = divmod(depth - 2, layers_per_n)
    if rest or n < 1:
        lower = layers_per_n * max(n, 1) + 2
        raise ValueError(f"depth={depth} is not {layers_per_n}n+2; the nearest are {lower} and {lower + layers_per_n}")
    return n
