"""Every network of the course by name: how to build it, at what size it is meant to run, and what was published of it."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

import torch

from course_lib.models.baselines import alexnet, vgg
from course_lib.models.bn_inception import bn_inception
from course_lib.models.inception import googlenet, small_inception
from course_lib.models.inception_resnet import inception_resnet_v1, inception_resnet_v2
from course_lib.models.inception_v3 import inception_v3
from course_lib.models.inception_v4 import inception_v4
from course_lib.models.layers import ConvNet
from course_lib.models.mobilenet import mobilenet
from course_lib.models.plain import imagenet_plain_net, plain_net
from course_lib.models.preact import cifar_preact_resnet, imagenet_preact_resnet
from course_lib.models.resnet import cifar_resnet, imagenet_resnet
from course_lib.models.resnext import cifar_resnext, resnext
from course_lib.models.separable import small_xception, xception
from course_lib.models.squeeze_excitation import cifar_se_resnet, se_bn_inception, se_googlenet, se_resnet, se_resnext, senet154

HE15, SENET, XIE = "He et al. 2016a", "Hu et al. 2018", "Xie et al. 2017"
V4, TV = "Szegedy et al. 2017, Table 2 (1 crop, 299)", "torchvision's weights (1 crop, 224)"
ONE_CROP, CIFAR = "(1 crop, 224)", "(CIFAR-10)"


@dataclass(frozen=True)
class Entry:
    """One network of the course.

    Args:
        family: file of ``course_lib.models`` that defines it, or the first of them.
        build: ``build(num_classes=…, in_channels=…, **options)``.
        size: height and width of the images that it was published for, or that the course trains it on.
        num_classes: classes of the published network.
        top1, top5: published errors in percent, on ImageNet's validation or CIFAR-10's test images; None if there are none.
        source: where the errors are printed, and how they were measured.
        donor: the network that ours is proved equal to, as library/name; empty if there is none.
        label_smoothing: what the paper trains it with.
    """

    name: str
    family: str
    build: Callable[..., ConvNet]
    size: int = 224
    num_classes: int = 1000
    top1: float | None = None
    top5: float | None = None
    source: str = ""
    donor: str = ""
    label_smoothing: float = 0.0


def cifar(name: str, family: str, build: Callable[..., ConvNet], *published, size: int = 32) -> Entry:
    return Entry(name, family, build, size, 10, *published)


def resnet_entry(depth: int, top1: float, top5: float, source: str) -> Entry:
    build = partial(imagenet_resnet, depth)
    return Entry(f"resnet-{depth}", "resnet", build, 224, 1000, top1, top5, source, f"torchvision/resnet{depth}")


def resnext_entry(depth: int, paths: int, base_width: int, top1: float, top5: float | None, source: str) -> Entry:
    build = partial(resnext, depth, cardinality=paths, base_width=base_width)
    name = f"{depth}_{paths}x{base_width}d"
    library = "timm" if name == "101_32x4d" else "torchvision"
    donor = f"{library}/resnext{name}"
    return Entry(f"resnext-{name.replace('_', '-')}", "resnext", build, 224, 1000, top1, top5, source, donor)


CIFAR_ERRORS = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.43, 1202: 7.93}  # He et al. 2016a, Table 6

ENTRIES = [
    Entry("alexnet", "baselines", alexnet, 224, 1000, 43.48, 20.93, TV, "torchvision/alexnet"),
    Entry("vgg-16", "baselines", partial(vgg, 16), 224, 1000, 28.41, 9.62, TV, "torchvision/vgg16"),
    Entry("vgg-16-bn", "baselines", partial(vgg, 16, norm=True), 224, 1000, 26.64, 8.48, TV, "torchvision/vgg16_bn"),
    Entry("vgg-19", "baselines", partial(vgg, 19), 224, 1000, 27.62, 9.12, TV, "torchvision/vgg19"),
    Entry("vgg-19-bn", "baselines", partial(vgg, 19, norm=True), 224, 1000, 25.78, 8.16, TV, "torchvision/vgg19_bn"),
    Entry("plain-18", "plain", partial(imagenet_plain_net, 18), 224, 1000, 27.94, None, f"{HE15}, Table 2 (10 crops)"),
    Entry("plain-34", "plain", partial(imagenet_plain_net, 34), 224, 1000, 28.54, 10.02, f"{HE15}, Table 3 (10 crops)"),
    resnet_entry(18, 30.24, 10.92, TV),
    resnet_entry(34, 26.69, 8.58, TV),
    resnet_entry(50, 24.7, 7.8, f"{HE15}, authors' models {ONE_CROP}"),
    resnet_entry(101, 23.6, 7.1, f"{HE15}, authors' models {ONE_CROP}"),
    resnet_entry(152, 23.0, 6.7, f"{HE15}, authors' models {ONE_CROP}"),
    *(
        Entry(f"preact-resnet-{depth}", "preact", partial(imagenet_preact_resnet, depth), donor=f"timm/resnetv2_{depth}")
        for depth in (18, 34, 50, 101, 152)
    ),
    Entry("googlenet", "inception", googlenet, 224, 1000, 30.2, 10.07,
          "Howard et al. 2017, Table 8; Szegedy et al. 2015, Table 3 (1 crop)", "torchvision/googlenet"),
    Entry("bn-inception", "bn_inception", bn_inception, 224, 1000, 25.2, 7.82, f"{SENET}, Table 2 (original)",
          "pretrainedmodels/bninception"),
    Entry("inception-v3", "inception_v3", inception_v3, 299, 1000, 21.2, 5.6, V4, "torchvision/inception_v3", 0.1),
    Entry("inception-v4", "inception_v4", inception_v4, 299, 1000, 20.0, 5.0, V4, "timm/inception_v4", 0.1),
    Entry("inception-resnet-v1", "inception_resnet", inception_resnet_v1, 299, 1000, 21.3, 5.5, V4,
          "facenet-pytorch/InceptionResnetV1 (without its head)", 0.1),
    Entry("inception-resnet-v2", "inception_resnet", inception_resnet_v2, 299, 1000, 19.9, 4.9, V4,
          "timm/inception_resnet_v2", 0.1),
    Entry("xception", "separable", xception, 299, 1000, 21.0, 5.5, "Chollet 2017, Table 1 (1 crop, 299)", "timm/legacy_xception"),
    Entry("mobilenet", "mobilenet", mobilenet, 224, 1000, 29.4, None, f"Howard et al. 2017, Table 4 {ONE_CROP}",
          "timm/mobilenetv1_100"),
    resnext_entry(50, 32, 4, 22.2, None, f"{XIE}, Table 3 {ONE_CROP}"),
    resnext_entry(101, 32, 4, 21.2, 5.6, f"{XIE}, Table 4 {ONE_CROP}"),
    resnext_entry(101, 32, 8, 20.69, 5.47, TV),
    resnext_entry(101, 64, 4, 20.4, 5.3, f"{XIE}, Table 4 {ONE_CROP}"),
    *(
        Entry(f"se-resnet-{depth}", "squeeze_excitation", partial(se_resnet, depth), 224, 1000, *errors,
              f"{SENET}, Table 2 {ONE_CROP}", f"timm/legacy_seresnet{depth}", 0.1)
        for depth, errors in {50: (23.29, 6.62), 101: (22.38, 6.07), 152: (21.57, 5.73)}.items()
    ),
    *(
        Entry(f"se-resnext-{depth}-32x4d", "squeeze_excitation", partial(se_resnext, depth), 224, 1000, *errors,
              f"{SENET}, Table 2 {ONE_CROP}", f"timm/legacy_seresnext{depth}_32x4d", 0.1)
        for depth, errors in {50: (21.10, 5.49), 101: (20.70, 5.01)}.items()
    ),
    Entry("se-googlenet", "squeeze_excitation", se_googlenet),
    Entry("se-bn-inception", "squeeze_excitation", se_bn_inception, 224, 1000, 24.23, 7.14, f"{SENET}, Table 2 {ONE_CROP}",
          label_smoothing=0.1),
    Entry("senet-154", "squeeze_excitation", senet154, 224, 1000, 18.68, 4.47, f"{SENET}, Table 8 {ONE_CROP}",
          "timm/legacy_senet154", 0.1),
    *(cifar(f"cifar-plain-{depth}", "plain", partial(plain_net, depth)) for depth in (20, 32, 44, 56, 110)),
    *(
        cifar(f"cifar-resnet-{depth}", "resnet", partial(cifar_resnet, depth), error, None, f"{HE15}, Table 6 {CIFAR}")
        for depth, error in CIFAR_ERRORS.items()
    ),
    *(
        cifar(f"cifar-preact-resnet-{depth}", "preact", partial(cifar_preact_resnet, depth, bottleneck=depth > 110), error, None,
              f"He et al. 2016b, Table 3 {CIFAR}")
        for depth, error in {110: 6.37, 164: 5.46, 1001: 4.92}.items()
    ),
    *(
        cifar(f"cifar-resnext-29-{paths}x64d", "resnext", partial(cifar_resnext, 29, cardinality=paths), error, None,
              f"{XIE}, Table 7 {CIFAR}")
        for paths, error in {8: 3.65, 16: 3.58}.items()
    ),
    *(cifar(f"cifar-se-resnet-{depth}", "squeeze_excitation", partial(cifar_se_resnet, depth)) for depth in (20, 56, 110)),
    cifar("small-inception", "inception", small_inception),
    cifar("small-xception", "separable", small_xception),
    cifar("small-mobilenet", "mobilenet", partial(mobilenet, small=True)),
]  # fmt: skip

CATALOGUE = {entry.name: entry for entry in ENTRIES}
SHORT_NAMES = {name.replace("-", "").replace("_", ""): name for name in CATALOGUE}


def names() -> list[str]:
    """Names that ``create`` knows: the ImageNet networks by family, then those for small images."""
    return list(CATALOGUE)


def entry(name: str) -> Entry:
    """What the catalogue says of a network, by its name or by its name without dashes and "cifar": "resnet20".

    Raises:
        ValueError: if there is no network of that name.
    """
    short = name.lower().replace("-", "").replace("_", "")
    for full in (name, SHORT_NAMES.get(short), SHORT_NAMES.get(f"cifar{short}")):
        if full in CATALOGUE:
            return CATALOGUE[full]
    near = get_close_matches(name, [*CATALOGUE, *(known.removeprefix("cifar") for known in SHORT_NAMES)], n=3, cutoff=0.4)
    raise ValueError(f"no network is called {name!r}; " + (f"near it: {', '.join(near)}" if near else "see models.names()"))


def create(name: str, num_classes: int | None = None, in_channels: int = 3, **options) -> ConvNet:
    """Build a network by name, with weights laid out channels-last, which is how convolutions run fastest.

    ``create("resnet-50", num_classes=10, stride_in="1x1")`` is ``imagenet_resnet(50, 10, stride_in="1x1")`` in that layout.

    Args:
        num_classes: size of the output, the published one without a value.
        options: for the function that builds it, such as ``paper=True`` or ``width_mult=0.5``.
    Raises:
        ValueError: if the name is unknown, or as the function does.
    """
    found = entry(name)
    classes = found.num_classes if num_classes is None else num_classes
    return found.build(num_classes=classes, in_channels=in_channels, **options).to(memory_format=torch.channels_last)
