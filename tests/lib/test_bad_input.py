"""Wrong input gets a ValueError that names the value and what is allowed."""

import pytest
import torch
from torch import nn

from course_lib import models
from course_lib.cost import conv_macs, count, latency
from course_lib.data import load_data
from course_lib.figures import Drawing
from course_lib.models import (
    Bottleneck,
    PadShortcut,
    cifar_preact_resnet,
    cifar_resnet,
    imagenet_plain_net,
    imagenet_resnet,
    plain_net,
)
from course_lib.probes import probe
from course_lib.training import fit, fit_seeds, pick_device

DIGITS = load_data("digits")


def small():
    return plain_net(8, in_channels=1)


CASES = {
    "a depth that is not 6n+2": (lambda: plain_net(19), "depth=19", "14 and 20"),
    "a depth that is too small": (lambda: cifar_resnet(2), "depth=2", "8 and 14"),
    "a bottleneck depth that is not 9n+2": (
        lambda: cifar_preact_resnet(21, bottleneck=True),
        "depth=21 is not 9n+2",
        "20 and 29",
    ),
    "an ImageNet depth that nobody built": (lambda: imagenet_resnet(42), "depth=42", "18, 34, 50, 101 and 152"),
    "a plain ImageNet depth": (lambda: imagenet_plain_net(50), "depth=50", "18 and 34"),
    "no classes": (lambda: plain_net(20, num_classes=0), "num_classes=0", "at least 1"),
    "an unknown shortcut": (lambda: cifar_resnet(20, shortcut="D"), "shortcut='D'", '"A"', '"B"', '"C"'),
    "an unknown initialisation": (lambda: plain_net(20, init="xavier"), "init='xavier'", '"he"'),
    "an unknown place of the stride": (lambda: Bottleneck(64, 64, stride_in="5x5"), "stride_in='5x5'", '"3x3"'),
    "zero-padding to fewer channels": (lambda: PadShortcut(32, 16), "32", "16", "use B"),
    "an unknown padding": (lambda: PadShortcut(16, 32, pad="front"), "pad='front'", '"back"'),
    "zero_init without normalisation": (lambda: cifar_resnet(20, norm=False, zero_init=True), "zero_init", "norm=False"),
    "a single image": (lambda: small()(torch.zeros(1, 8, 8)), "(1, 8, 8)", "(N, 1, H, W)", "x[None]"),
    "a batch with other channels": (lambda: small()(torch.zeros(2, 3, 8, 8)), "(2, 3, 8, 8)", "in_channels=3"),
    "an unknown data set": (lambda: load_data("imagenet-22k"), "imagenet-22k", "digits", "folder"),
    "no epochs": (lambda: fit(small(), DIGITS, epochs=0), "epochs=0", "greater than 0"),
    "a negative learning rate": (lambda: fit(small(), DIGITS, lr=-0.1), "lr=-0.1"),
    "a batch larger than the data": (lambda: fit(small(), DIGITS, batch_size=5000), "5000", "1347"),
    "too few classes for the data": (lambda: fit(plain_net(8, 3, 1), DIGITS), "(64, 3)", "num_classes=10"),
    "an unknown device": (lambda: pick_device("abacus"), "abacus", "cpu"),
    "no seeds": (lambda: fit_seeds({"small": small}, DIGITS, seeds=()), "seeds is empty"),
    "no networks": (lambda: fit_seeds({}, DIGITS), "networks is empty"),
    "nothing to probe": (lambda: probe(nn.ReLU(), torch.zeros(1, 1), torch.zeros(1).long()), "ReLU"),
    "labels missing": (lambda: probe(small(), DIGITS.x_train[:4], DIGITS.y_train[:3]), "4 images", "3 labels"),
    "an input shape with a batch": (lambda: count(small(), (2, 1, 8, 8)), "(2, 1, 8, 8)", "(channels, height, width)"),
    "an input shape with other channels": (lambda: count(small(), (3, 8, 8)), "in_channels=3"),
    "an image too small to count": (lambda: count(nn.Conv2d(3, 8, 5), (3, 2, 2)), "(3, 2, 2)", "Conv2d"),
    "groups that do not divide": (lambda: conv_macs(16, 32, 3, 8, 8, groups=5), "groups=5", "16", "32"),
    "a batch of no images": (lambda: latency(small(), (1, 8, 8), batch=0), "batch=0", "at least 1"),
    "too few repeats": (lambda: latency(small(), (1, 8, 8), repeats=2), "repeats=2", "at least 4"),
    "an unknown network": (lambda: models.create("resnet-51"), "'resnet-51'", "resnet-50"),
    "an option that a network does not have": (lambda: models.vgg(11), "depth=11", "16 and 19"),
    "an image too small for the network": (
        lambda: models.vgg(16, 2)(torch.zeros(1, 3, 16, 16)),
        "(1, 3, 16, 16)",
        "32×32 or more",
    ),
    "an image too small for an auxiliary classifier": (
        lambda: models.inception_v3(2).train()(torch.zeros(2, 3, 224, 224)),
        "(2, 3, 224, 224)",
        "299×299",
        "aux=False",
    ),
    "a width multiplier of zero": (lambda: models.mobilenet(width_mult=0), "width_mult=0", "greater than 0"),
    "groups that do not divide the channels": (lambda: models.SeparableConv(8, 8, groups=3), "groups=3", "in_channels=8"),
    "a reduction that leaves nothing": (lambda: models.SqueezeExcitation(8), "reduction=16", "channels=8"),
    "paths without a channel": (lambda: models.ResNeXtBlock(16, 8, base_width=4), "base_width=4", "base_width >= 8"),
    "a ResNeXt that nobody built": (lambda: models.resnext(18), "depth=18", "50, 101 and 152"),
    "a squeezed network that nobody built": (lambda: models.se_resnet(34), "depth=34", "50, 101 and 152"),
    "an unknown drawing": (lambda: Drawing("mona_lisa"), "mona_lisa", "residual_block"),
}


@pytest.mark.parametrize("case", CASES)
def test_error_names_value_and_remedy(case):
    call, *words = CASES[case]
    with pytest.raises(ValueError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
