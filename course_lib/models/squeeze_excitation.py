"""Squeeze and excitation: let the whole image rescale every channel, in any network (Hu et al. 2018).

Hu et al. 2018, "Squeeze-and-excitation networks" (CVPR; tables in the numbering of the journal version, 2020). Every network
here is one from another file with ``SqueezeExcitation`` added to its blocks.
"""

from functools import partial

from torch import Tensor, nn

from course_lib.models.bn_inception import bn_inception
from course_lib.models.inception import googlenet
from course_lib.models.layers import (
    IMAGENET_DEPTHS,
    IMAGENET_WIDTHS,
    AuxiliaryNet,
    Branches,
    ConvNet,
    build_stages,
    cifar_net,
    classifier,
    conv_bn,
    convs,
    imagenet_net,
    initialise,
)
from course_lib.models.plain import blocks_per_stage
from course_lib.models.resnet import BasicBlock, Bottleneck
from course_lib.models.resnext import ResNeXtBlock
from course_lib.models.shortcuts import ResidualBlock


class SqueezeExcitation(nn.Module):
    """Rescale every channel by a gate computed from all channels (Hu et al. 2018, section 3).

    Squeeze: mean over space, (N, C, H, W) → (N, C, 1, 1).  Excite: two 1×1 convolutions through C // reduction channels,
    ReLU between them, sigmoid at the end.  Scale: multiply.

    Args:
        channels: C of the input.
        reduction: r of the paper, 16 by default; C must be at least r.
    Raises:
        ValueError: if ``channels < reduction``.
    """

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        if not 1 <= reduction <= channels:
            raise ValueError(f"reduction={reduction} leaves no hidden channel of channels={channels}; use 1 to {channels}")
        hidden = channels // reduction
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)  # (N, C, H, W) * (N, C, 1, 1)


def squeezed(block: type[ResidualBlock], *arguments, reduction: int = 16, **options) -> ResidualBlock:
    """A residual block with squeeze and excitation at the end of its branch, before the addition (Figure 3).

    ``squeezed(BasicBlock, 16, 32, stride=2)``: as the block without it, (N, 16, H, W) → (N, 32, H/2, W/2).
    """
    made = block(*arguments, **options)
    made.branch.append(SqueezeExcitation(made.out_channels, reduction))
    return made


def squeeze_modules(net: ConvNet, reduction: int = 16) -> ConvNet:
    """Put squeeze and excitation after every Inception module of a network (Figure 2); the network is changed in place."""
    for stage in net.stages:
        for name, block in stage.named_children():
            if isinstance(block, Branches):
                setattr(stage, name, nn.Sequential(block, SqueezeExcitation(block.out_channels, reduction)))
    return initialise(net)


class SENet154Block(ResidualBlock):
    """The block of SENet-154 (appendix): a 64-group 3×3 between 1×1s, with twice ResNeXt's width behind and half before it.

    (N, in_channels, H, W) → (N, 4·width, H/stride, W/stride). A strided shortcut is a 3×3 convolution.
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1):
        out_channels = 4 * width
        branch = nn.Sequential(
            *conv_bn(in_channels, 2 * width, 1),
            nn.ReLU(inplace=True),
            *conv_bn(2 * width, out_channels, 3, stride, groups=64),
            nn.ReLU(inplace=True),
            *conv_bn(out_channels, out_channels, 1),
            SqueezeExcitation(out_channels),
        )
        same = stride == 1 and in_channels == out_channels
        shortcut = nn.Identity() if same else conv_bn(in_channels, out_channels, 3 if stride > 1 else 1, stride)
        super().__init__(branch, shortcut, out_channels)


def caffe_pool() -> nn.MaxPool2d:
    """The stem's pooling in the authors' Caffe networks: no border, sizes rounded up."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def se_resnet(
    depth: int, num_classes: int = 1000, in_channels: int = 3, *, reduction: int = 16, stride_in: str = "1x1"
) -> ConvNet:
    """SE-ResNet (Table 1), equal to timm's ``legacy_seresnet``: (N, in_channels, 224, 224) → (N, num_classes).

    Args:
        depth: 50, 101 or 152.
        stride_in: as in ``Bottleneck``; the authors' weights have the stride in the first 1×1.
    Raises:
        ValueError: if ``depth`` is another one, ``num_classes`` < 1 or an option does not fit.
    """
    check_depth(depth)
    block = partial(squeezed, Bottleneck, reduction=reduction, stride_in=stride_in)
    return initialise(imagenet_net(block, depth, num_classes, in_channels, pool=caffe_pool()))


def se_resnext(depth: int, num_classes: int = 1000, in_channels: int = 3, *, reduction: int = 16) -> ConvNet:
    """SE-ResNeXt 32×4d (Table 1), equal to timm's ``legacy_seresnext``: (N, in_channels, 224, 224) → (N, num_classes)."""
    check_depth(depth)
    block = partial(squeezed, ResNeXtBlock, reduction=reduction)
    return initialise(imagenet_net(block, depth, num_classes, in_channels, pool=caffe_pool()))


def se_googlenet(num_classes: int = 1000, in_channels: int = 3, *, aux: bool = True, reduction: int = 16) -> AuxiliaryNet:
    """``googlenet`` with squeeze and excitation after each of its nine modules; no published weights exist."""
    return squeeze_modules(googlenet(num_classes, in_channels, aux=aux), reduction)


def se_bn_inception(num_classes: int = 1000, in_channels: int = 3, *, reduction: int = 16) -> ConvNet:
    """SE-BN-Inception (Table 2): ``bn_inception`` with squeeze and excitation after each of its ten modules."""
    return squeeze_modules(bn_inception(num_classes, in_channels), reduction)


def senet154(num_classes: int = 1000, in_channels: int = 3) -> ConvNet:
    """SENet-154, equal to timm's ``legacy_senet154``: (N, in_channels, 224, 224) → (N, num_classes).

    The appendix's changes to an SE-ResNeXt-152 64×4d: the first 1×1 halved, a stem of three 3×3, strided shortcuts of 3×3,
    20 % dropout before the classifier; the paper trains it with label smoothing.
    """
    stem = nn.Sequential(*convs(in_channels, (64, 3, 2), (64, 3), (128, 3)), caffe_pool())  # (N, 128, 56, 56)
    stages = build_stages(SENet154Block, 128, IMAGENET_WIDTHS, IMAGENET_DEPTHS[152])
    return initialise(ConvNet(stem, stages, classifier(2048, num_classes, dropout=0.2), smallest=3))


def cifar_se_resnet(
    depth: int, num_classes: int = 10, in_channels: int = 3, *, reduction: int = 16, shortcut: str = "A"
) -> ConvNet:
    """``cifar_resnet`` with squeeze and excitation in every block (section 5.2): (N, in_channels, H, W) → (N, num_classes)."""
    block = partial(squeezed, BasicBlock, reduction=reduction, shortcut=shortcut)
    return initialise(cifar_net(block, blocks_per_stage(depth, 6), num_classes, in_channels))


def check_depth(depth: int) -> None:
    """Raise a ValueError unless bottleneck networks exist of this depth."""
    if depth not in (50, 101, 152):
        raise ValueError(f"depth={depth}: SE-ResNet and SE-ResNeXt have 50, 101 and 152 layers")
