"""Load weights of torchvision's and timm's networks into the course's: other names for the same layers.

Nothing is guessed from the order of a file: for each donor there is a list of its layers, in the order in which ours are defined.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from course_lib.models.baselines import VGG_DEPTHS
from course_lib.models.bn_inception import MODULES as BN_MODULES
from course_lib.models.inception import MODULES
from course_lib.models.layers import IMAGENET_DEPTHS
from course_lib.models.mobilenet import STAGES


def load_weights(model: nn.Module, source: Mapping[str, Tensor] | str) -> nn.Module:
    """Copy weights into a network of ``course_lib.models``, all of them or none.

    Args:
        model: the network, changed in place; it must have the source's number of classes and of input channels. If it has no
            auxiliary classifiers, the source's are left out.
        source: a state dict of ours, of torchvision or of timm; or a name such as "torchvision/resnet50" or
            "timm/legacy_seresnet50", whose weights that library downloads (for torchvision the first, "IMAGENET1K_V1"). Cadene's
            state dict of BN-Inception fits too: biases before a batch normalisation go into its running mean.
    Returns:
        ``model``.
    Raises:
        ValueError: if the source is unknown or does not fit. The message names the first entry that is missing, unexpected or of
            another shape, and the model is as it was.
        ImportError: if the source is a name of timm and timm is not installed.
    """
    theirs = layers_of(download(source) if isinstance(source, str) else source)
    ours = layers_of(model.state_dict())
    donor, names = recognise(list(ours), theirs)
    own_auxiliary = [] if getattr(model, "auxiliary", None) else [name for name in theirs if name.startswith("auxiliary.")]
    left_out = {name for name in [*names[len(ours) :], *own_auxiliary] if "aux" in name.lower()}
    fitting: dict[str, Tensor] = {}
    bias = None  # of a convolution that has none here, to be folded into the normalisation after it
    for i, (layer, wanted) in enumerate(ours.items()):
        name = names[i] if i < len(names) else None
        found = theirs.get(name, {})
        for leaf, value in wanted.items():
            if leaf in found:
                fitting[f"{layer}.{leaf}"] = shaped(found[leaf], value, f"{name}.{leaf}", f"{layer}.{leaf}", donor)
            elif leaf != "num_batches_tracked":  # which old files do not have, and nothing depends on
                missing = f"{name}.{leaf} is missing" if name else f"{donor} has no counterpart"
                raise ValueError(f"{missing} for {layer}.{leaf} of this {type(model).__name__}{remedy(layer)}")
        if bias is not None:
            if "running_mean" not in wanted:
                raise ValueError(f"{names[i - 1]}.bias of {donor} is unexpected: no normalisation follows that could hold it")
            fitting[f"{layer}.running_mean"] = fitting[f"{layer}.running_mean"] - bias
        bias = found["bias"] if "bias" not in wanted and "bias" in found else None
        if unknown := found.keys() - wanted.keys() - {"bias"}:
            raise ValueError(f"{name}.{min(unknown)} of {donor} is unexpected: {layer} has no such entry")
    for name in [name for name in theirs if name not in left_out.union(names[: len(ours)])][:1]:
        raise ValueError(f"{name}.{next(iter(theirs[name]))} is unexpected: this {type(model).__name__} has no such layer")
    model.load_state_dict({**model.state_dict(), **fitting})
    return model


def layers_of(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The entries of a state dict by layer: {"conv1": {"weight": …}, "bn1": {"weight": …, "bias": …, …}, …}."""
    if not isinstance(state, Mapping):
        raise ValueError(f"source is of type {type(state).__name__}; pass a state dict, as model.state_dict() gives it")
    layers: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(
                f"source[{key!r}] is of type {type(value).__name__}; pass a state dict, as model.state_dict() gives it"
            )
        layer, _, leaf = key.rpartition(".")
        layers.setdefault(layer, {})[leaf] = value
    return layers


def recognise(ours: list[str], theirs: Mapping[str, object]) -> tuple[str, list[str]]:
    """Whose layers these are, and their names in the order of ours: of the networks that share most names the smallest."""
    known = {"the source": ours, **LAYOUTS}
    donor = max(known, key=lambda name: (len(theirs.keys() & set(known[name])), -len(known[name])))
    if not theirs.keys() & set(known[donor]):
        first = next(iter(theirs), "nothing at all")
        raise ValueError(f"no network that is known here has a layer {first!r}; donors: {', '.join(LAYOUTS)}")
    return donor, known[donor]


def shaped(value: Tensor, like: Tensor, name: str, target: str, donor: str) -> Tensor:
    """``value`` in the shape of ``like``: a dense layer and a convolution over its whole input have the same weights."""
    if value.shape == like.shape:
        return value
    if value.ndim != like.ndim and value.ndim > 1 and value.flatten(1).shape == like.flatten(1).shape:
        return value.reshape(like.shape)
    raise ValueError(
        f"{name} of {donor} has shape {tuple(value.shape)}, but {target} has {tuple(like.shape)}; "
        "build the network with the classes, input channels and options of the source"
    )


def remedy(layer: str) -> str:
    return "; build the network with aux=False" if layer.startswith("auxiliary") else ""


def download(name: str) -> Mapping[str, Tensor]:
    """The state dict of a network of torchvision or timm, from their caches or the network."""
    library, _, model = name.partition("/")
    if library == "torchvision":
        from torchvision.models import get_model_weights

        return get_model_weights(model)["IMAGENET1K_V1"].get_state_dict(progress=True)
    if library == "timm":
        try:
            import timm
        except ImportError as error:
            raise ImportError(f"{name} needs timm: pip install timm") from error
        return timm.create_model(model, pretrained=True).state_dict()
    raise ValueError(f'source={name!r}: name a network as "torchvision/resnet50" or "timm/legacy_seresnet50"')


# The layers of each donor, in the order in which those of our network are defined: stem, stages, head, auxiliary classifiers.


def resnet(
    depths: tuple[int, ...],
    convolutions: int,
    stem: tuple[str, ...] = ("conv1", "bn1"),
    extra: tuple[str, ...] = (),
    head: str = "fc",
) -> list[str]:
    """torchvision's names; timm's squeezed networks differ in ``stem``, ``head`` and the ``extra`` layers of a block."""
    names = list(stem)
    for stage, depth in enumerate(depths, 1):
        for block in range(depth):
            parts = [f"{kind}{i}" for i in range(1, convolutions + 1) for kind in ("conv", "bn")] + list(extra)
            projected = block == 0 and (stage > 1 or convolutions == 3)
            parts += ["downsample.0", "downsample.1"] if projected else []
            names += [f"layer{stage}.{block}.{part}" for part in parts]
    return [*names, head]


def squeezed_resnet(depths: tuple[int, ...], stem_convolutions: int = 1) -> list[str]:
    stem = tuple(f"layer0.{kind}{i}" for i in range(1, stem_convolutions + 1) for kind in ("conv", "bn"))
    return resnet(depths, 3, stem, ("se_module.fc1", "se_module.fc2"), "last_linear")


def preact_resnet(depths: tuple[int, ...], convolutions: int) -> list[str]:
    names = ["stem.conv"]
    for stage, depth in enumerate(depths):
        for block in range(depth):
            parts = [f"{kind}{i}" for i in range(1, convolutions + 1) for kind in ("norm", "conv")]
            parts += ["downsample.conv"] if block == 0 and (stage > 0 or convolutions == 3) else []
            names += [f"stages.{stage}.blocks.{block}.{part}" for part in parts]
    return [*names, "norm", "head.fc"]


def features(*indices: int, classifier: tuple[int, int, int]) -> list[str]:
    """AlexNet and VGG: numbers of the layers with weights."""
    return [f"features.{i}" for i in indices] + [f"classifier.{i}" for i in classifier]


def vgg(per_stage: tuple[int, ...], norm: bool) -> list[str]:
    step, index, indices = 3 if norm else 2, 0, []
    for layers in per_stage:
        for _ in range(layers):
            indices += [index, index + 1] if norm else [index]
            index += step
        index += 1  # the pool
    return features(*indices, classifier=(0, 3, 6))


def units(*names: str) -> list[str]:
    """Convolution and batch normalisation of each unit."""
    return [f"{name}.{kind}" for name in names for kind in ("conv", "bn")]


def branches(prefix: str, *lengths: int, start: int = 0, pooled: bool = False) -> list[str]:
    """Units of branches with so many convolutions; a single one is not numbered, and ``pooled`` adds one after a pool."""
    names = []
    for number, length in enumerate(lengths, start):
        names += [f"{prefix}.branch{number}"] if length == 1 else [f"{prefix}.branch{number}.{i}" for i in range(length)]
    return units(*names, *([f"{prefix}.branch{start + len(lengths)}.1"] if pooled else []))


def googlenet() -> list[str]:
    modules = [name for module in MODULES for name in branches(f"inception{module}", 1, 2, 2, start=1, pooled=True)]
    auxiliary = [name for i in (1, 2) for name in (*units(f"aux{i}.conv"), f"aux{i}.fc1", f"aux{i}.fc2")]
    return [*units("conv1", "conv2", "conv3"), *modules, "fc", *auxiliary]


def bn_inception() -> list[str]:
    names = ["conv1_7x7_s2", "conv2_3x3_reduce", "conv2_3x3"]
    for module, widths in BN_MODULES.items():
        parts = ["3x3_reduce", "3x3", "double_3x3_reduce", "double_3x3_1", "double_3x3_2"]
        names += [f"inception_{module}_{part}" for part in (["1x1", *parts, "pool_proj"] if widths[0] else parts)]
    return [*(part for name in names for part in (name, f"{name}_bn")), "last_linear"]


def inception_v3() -> list[str]:
    seven = ["branch7x7_1", "branch7x7_2", "branch7x7_3", *(f"branch7x7dbl_{i}" for i in range(1, 6))]
    double = ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"]
    fans = ["branch3x3_1", "branch3x3_2a", "branch3x3_2b", *double[:2], "branch3x3dbl_3a", "branch3x3dbl_3b"]
    kinds = {
        "5b 5c 5d": ["branch1x1", "branch5x5_1", "branch5x5_2", *double, "branch_pool"],
        "6a": ["branch3x3", *double],
        "6b 6c 6d 6e": ["branch1x1", *seven, "branch_pool"],
        "7a": ["branch3x3_1", "branch3x3_2", *(f"branch7x7x3_{i}" for i in range(1, 5))],
        "7b 7c": ["branch1x1", *fans, "branch_pool"],
    }
    stem = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"]
    modules = [f"Mixed_{module}.{part}" for group, parts in kinds.items() for module in group.split() for part in parts]
    return [*units(*stem, *modules), "fc", *units("AuxLogits.conv0", "AuxLogits.conv1"), "AuxLogits.fc"]


def inception_v4() -> list[str]:
    names = units("features.0", "features.1", "features.2", "features.3.conv")
    names += [*branches("features.4", 2, 4), *units("features.5.conv")]
    names += [name for i in range(6, 10) for name in branches(f"features.{i}", 1, 2, 3, pooled=True)]
    names += branches("features.10", 1, 3)
    names += [name for i in range(11, 18) for name in branches(f"features.{i}", 1, 3, 5, pooled=True)]
    names += branches("features.18", 2, 4)
    fan = ["branch0", "branch1_0", "branch1_1a", "branch1_1b", "branch2_0", "branch2_1", "branch2_2", "branch2_3a", "branch2_3b"]
    for i in range(19, 22):
        names += units(*(f"features.{i}.{part}" for part in fan), f"features.{i}.branch3.1")
    return [*names, "last_linear"]


def inception_resnet_v2() -> list[str]:
    names = units("conv2d_1a", "conv2d_2a", "conv2d_2b", "conv2d_3b", "conv2d_4a") + branches("mixed_5b", 1, 2, 3, pooled=True)
    for i in range(10):
        names += [*branches(f"repeat.{i}", 1, 2, 3), f"repeat.{i}.conv2d"]
    names += branches("mixed_6a", 1, 3)
    for i in range(20):
        names += [*branches(f"repeat_1.{i}", 1, 3), f"repeat_1.{i}.conv2d"]
    names += branches("mixed_7a", 2, 2, 3)
    for block in (*(f"repeat_2.{i}" for i in range(9)), "block8"):
        names += [*branches(block, 1, 3), f"{block}.conv2d"]
    return [*names, *units("conv2d_7b"), "classif"]


def xception() -> list[str]:
    names = ["conv1", "bn1", "conv2", "bn2"]
    for block in range(1, 13):
        first = 0 if block == 1 else 1  # the first block lacks the ReLU that counts as layer 0
        for i in range(2 if block in (1, 2, 3, 12) else 3):
            at = f"block{block}.rep.{first + 3 * i}"
            names += [f"{at}.conv1", f"{at}.pointwise", f"block{block}.rep.{first + 3 * i + 1}"]
        names += [f"block{block}.skip", f"block{block}.skipbn"] if block in (1, 2, 3, 12) else []
    return [*names, "conv3.conv1", "conv3.pointwise", "bn3", "conv4.conv1", "conv4.pointwise", "bn4", "fc"]


def mobilenet() -> list[str]:
    blocks = [f"blocks.{i}.{j}" for i, widths in enumerate(STAGES) for j in range(len(widths))]
    parts = ("conv_dw", "bn1", "conv_pw", "bn2")
    return ["conv_stem", "bn1", *(f"{block}.{part}" for block in blocks for part in parts), "classifier"]


LAYOUTS = {
    "torchvision/alexnet": features(0, 3, 6, 8, 10, classifier=(1, 4, 6)),
    **{f"torchvision/vgg{depth}": vgg(stages, norm=False) for depth, stages in VGG_DEPTHS.items()},
    **{f"torchvision/vgg{depth}_bn": vgg(stages, norm=True) for depth, stages in VGG_DEPTHS.items()},
    **{f"torchvision/resnet{depth}": resnet(depths, 2 if depth < 50 else 3) for depth, depths in IMAGENET_DEPTHS.items()},
    **{f"timm/resnetv2_{depth}": preact_resnet(depths, 2 if depth < 50 else 3) for depth, depths in IMAGENET_DEPTHS.items()},
    **{f"timm/legacy_seresnet{depth}": squeezed_resnet(IMAGENET_DEPTHS[depth]) for depth in (50, 101, 152)},
    "timm/legacy_senet154": squeezed_resnet(IMAGENET_DEPTHS[152], stem_convolutions=3),
    "torchvision/googlenet": googlenet(),
    "pretrainedmodels/bninception": bn_inception(),
    "torchvision/inception_v3": inception_v3(),
    "timm/inception_v4": inception_v4(),
    "timm/inception_resnet_v2": inception_resnet_v2(),
    "timm/legacy_xception": xception(),
    "timm/mobilenetv1_100": mobilenet(),
}
