"""The networks that ours are compared with, as torchvision, timm, facenet-pytorch and pretrainedmodels build them."""

import warnings

import timm
import torch
import torchvision
from torch import nn

from course_lib.models import Entry


def build_donor(entry: Entry) -> nn.Module:
    """The donor of a catalogue entry, without pretrained weights, with dropout as ours has it."""
    library, _, name = entry.donor.partition("/")
    if library == "torchvision":
        options = {"aux_logits": True} if name in ("googlenet", "inception_v3") else {}
        if name.startswith(("vgg", "googlenet", "inception")):
            options["init_weights"] = False  # random biases instead of zeros, and without a minute of sampling
        return torchvision.models.get_model(name, weights=None, **options)
    if library == "timm":
        dropout = 0.2 if name in ("legacy_senet154", "inception_v4", "inception_resnet_v2") else 0.0
        return timm.create_model(name, pretrained=False, drop_rate=dropout)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if library == "pretrainedmodels":
            return bn_inception()
        return inception_resnet_v1()


def bn_inception() -> nn.Module:
    """Cadene's port, without the convolutions' biases, which the normalisation after them cancels."""
    from pretrainedmodels.models import bninception

    donor = bninception(pretrained=None)
    for layer in donor.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_parameter("bias", None)
    donor.global_pool = nn.AdaptiveAvgPool2d(1)  # the same as its 7×7 average at 224×224
    return donor


def inception_resnet_v1() -> nn.Module:
    """facenet's network with an ImageNet classifier in place of its face embedding."""
    from facenet_pytorch import InceptionResnetV1

    donor = InceptionResnetV1(classify=True, num_classes=1000, dropout_prob=0.2)
    donor.last_linear, donor.last_bn, donor.logits = nn.Identity(), nn.Identity(), nn.Linear(1792, 1000)
    return donor


def scores_of(output) -> list[torch.Tensor]:
    """The scores of a network, then those of its auxiliary classifiers from the first on, whatever form they come in."""
    if isinstance(output, torch.Tensor):
        return [output]
    if hasattr(output, "auxiliary"):
        return [output.scores, *output.auxiliary]
    first, *rest = output  # torchvision gives the deepest auxiliary classifier first
    return [first, *reversed(rest)]
