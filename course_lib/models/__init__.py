"""Reference implementations, one file per family; each reads like its chapter and imports torch alone."""

from course_lib.models.baselines import alexnet, vgg
from course_lib.models.bn_inception import DoubleInception, bn_inception
from course_lib.models.catalogue import Entry, create, entry, names
from course_lib.models.inception import Inception, NaiveInception, googlenet, small_inception
from course_lib.models.inception_resnet import InceptionResidual, inception_resnet_v1, inception_resnet_v2
from course_lib.models.inception_v3 import inception_v3
from course_lib.models.inception_v4 import inception_v4
from course_lib.models.layers import (
    AuxiliaryNet,
    AuxiliaryScores,
    Branches,
    ConvNet,
    build_stages,
    cifar_net,
    classifier,
    conv_bn,
    convs,
    cross_entropy,
    imagenet_net,
    initialise,
)
from course_lib.models.mobilenet import DepthwiseSeparable, mobilenet
from course_lib.models.plain import PlainBlock, imagenet_plain_net, plain_net
from course_lib.models.preact import PreActBlock, PreActBottleneck, cifar_preact_resnet, imagenet_preact_resnet
from course_lib.models.resnet import BasicBlock, Bottleneck, cifar_resnet, imagenet_resnet
from course_lib.models.resnext import ResNeXtBlock, cifar_resnext, concat_form, resnext, split_form
from course_lib.models.separable import SeparableConv, XceptionBlock, small_xception, xception
from course_lib.models.shortcuts import PadShortcut, ResidualBlock, make_shortcut
from course_lib.models.squeeze_excitation import (
    SqueezeExcitation,
    cifar_se_resnet,
    se_bn_inception,
    se_googlenet,
    se_resnet,
    se_resnext,
    senet154,
    squeezed,
)

__all__ = [
    "AuxiliaryNet",
    "AuxiliaryScores",
    "BasicBlock",
    "Bottleneck",
    "Branches",
    "ConvNet",
    "DepthwiseSeparable",
    "DoubleInception",
    "Entry",
    "Inception",
    "InceptionResidual",
    "NaiveInception",
    "PadShortcut",
    "PlainBlock",
    "PreActBlock",
    "PreActBottleneck",
    "ResNeXtBlock",
    "ResidualBlock",
    "SeparableConv",
    "SqueezeExcitation",
    "XceptionBlock",
    "alexnet",
    "bn_inception",
    "build_stages",
    "cifar_net",
    "cifar_preact_resnet",
    "cifar_resnet",
    "cifar_resnext",
    "cifar_se_resnet",
    "classifier",
    "concat_form",
    "conv_bn",
    "convs",
    "create",
    "cross_entropy",
    "entry",
    "googlenet",
    "imagenet_net",
    "imagenet_plain_net",
    "imagenet_preact_resnet",
    "imagenet_resnet",
    "inception_resnet_v1",
    "inception_resnet_v2",
    "inception_v3",
    "inception_v4",
    "initialise",
    "make_shortcut",
    "mobilenet",
    "names",
    "plain_net",
    "resnext",
    "se_bn_inception",
    "se_googlenet",
    "se_resnet",
    "se_resnext",
    "senet154",
    "small_inception",
    "small_xception",
    "split_form",
    "squeezed",
    "vgg",
    "xception",
]
