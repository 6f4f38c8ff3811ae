"""Reference implementations, one file per family; each reads like its chapter and imports torch alone."""

from course_lib.models.plain import ConvNet, PlainBlock, imagenet_plain_net, plain_net
from course_lib.models.resnet import (
    BasicBlock,
    Bottleneck,
    PadShortcut,
    PreActBlock,
    PreActBottleneck,
    cifar_preact_resnet,
    cifar_resnet,
    imagenet_preact_resnet,
    imagenet_resnet,
    make_shortcut,
)

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "ConvNet",
    "PadShortcut",
    "PlainBlock",
    "PreActBlock",
    "PreActBottleneck",
    "cifar_preact_resnet",
    "cifar_resnet",
    "imagenet_plain_net",
    "imagenet_preact_resnet",
    "imagenet_resnet",
    "make_shortcut",
    "plain_net",
]
