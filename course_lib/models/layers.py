"""What every family is built from: convolutions in a row, branches side by side, and the description of a whole network.

``ConvNet(stem, stages, head)`` describes all networks of the course; ``cifar_net`` and ``imagenet_net`` are the two bodies
of He et al. 2016a, which plain, residual, grouped and squeezed networks share and fill with different blocks.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CIFAR_WIDTHS = (16, 32, 64)  # He et al. 2016a, section 4.2: three stages of n blocks
IMAGENET_WIDTHS = (64, 128, 256, 512)  # He et al. 2016a, Table 1
IMAGENET_DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def conv_bn(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int],
    stride: int = 1,
    norm: bool = True,
    *,
    padding: int | None = None,
    groups: int = 1,
    eps: float = 1e-5,
) -> nn.Sequential:
    """Convolution, then batch normalisation: (N, C_in, H, W) → (N, C_out, ⌈H/stride⌉, ⌈W/stride⌉) for an odd ``kernel``.

    Args:
        kernel: k for k×k, or (height, width).
        norm: without it the convolution stands alone, with the bias that batch normalisation makes superfluous.
        padding: zeros around the image; without a value half the kernel, so that stride 1 keeps the size. 0 is "valid".
        groups: input and output channels fall into this many groups that do not see each other.
        eps: what batch normalisation adds to the variance.
    """
    height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    pad = (height // 2, width // 2) if padding is None else padding
    conv = nn.Conv2d(in_channels, out_channels, (height, width), stride, pad, groups=groups, bias=not norm)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels, eps)) if norm else nn.Sequential(conv)


def convs(in_channels: int, *steps: tuple, norm: bool = True, eps: float = 1e-5) -> nn.Sequential:
    """Convolutions in a row, each normalised and followed by ReLU.

    Here and in the blocks, ReLU works in place where it follows a normalisation, whose output nothing else needs. The outputs of
    convolutions stay as they are, for probes to look at.

    Args:
        steps: (out_channels, kernel), (out_channels, kernel, stride) or (out_channels, kernel, stride, padding) for each,
            as in ``conv_bn``: ``convs(192, (96, 1), (128, 3))`` reduces to 96 channels before a 3×3.
    """
    layers: list[nn.Module] = []
    for out_channels, kernel, *options in steps:
        named = dict(zip(("stride", "padding"), options, strict=False))
        layers += [*conv_bn(in_channels, out_channels, kernel, norm=norm, eps=eps, **named), nn.ReLU(inplace=norm)]
        in_channels = out_channels
    return nn.Sequential(*layers)


class Branches(nn.Module):
    """Branches over one input, their outputs concatenated: (N, C, H, W) → (N, C₁ + C₂ + …, H', W')."""

    def __init__(self, in_channels: int, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.out_channels = sum(last_channels(branch, in_channels) for branch in branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def last_channels(module: nn.Module, in_channels: int) -> int:
    """Channels that leave a branch; pooling and activations leave those that came in."""
    if isinstance(module, nn.Sequential):
        for layer in module:
            in_channels = last_channels(layer, in_channels)
    return getattr(module, "out_channels", in_channels)


class ConvNet(nn.Module):
    """Stem, stages, head: the description that all networks of the course share.

    Args:
        stem: images to features, (N, in_channels, H, W) → (N, C, H', W').
        stages: one ``nn.Sequential`` of blocks for each resolution.
        head: features to class scores, (N, C', H'', W'') → (N, num_classes).
        smallest: the least height and width of an image that leaves something to every layer.
    Raises:
        ValueError: from ``forward``, if the batch is not (N, in_channels, H, W) with H and W of at least ``smallest``.
    """

    def __init__(self, stem: nn.Sequential, stages: nn.Sequential, head: nn.Sequential, smallest: int = 1):
        super().__init__()
        self.stem, self.stages, self.head, self.smallest = stem, stages, head, smallest
        self.in_channels = next(layer for layer in self.modules() if isinstance(layer, nn.Conv2d)).in_channels

    def forward(self, x: Tensor) -> Tensor:
        check_batch(x, self.in_channels, self.smallest)
        x = self.stem(x)
        for stage in self.stages:  # one by one, so that no stage's input outlives it: a quarter of ResNeXt-101's memory
            x = stage(x)
        return self.head(x)


class AuxiliaryScores(NamedTuple):
    """Class scores of a network in training, and of its auxiliary classifiers from the first on, each (N, num_classes)."""

    scores: Tensor
    auxiliary: tuple[Tensor, ...]
    weight: float


class AuxiliaryNet(ConvNet):
    """A network with extra classifiers on the way, which help in training and are left out in evaluation.

    In training ``forward`` returns ``AuxiliaryScores``, in evaluation the scores alone, (N, num_classes).

    Args:
        auxiliary: classifiers by the name of the block after which they sit.
        weight: factor of each auxiliary loss in ``cross_entropy``.
        smallest, smallest_in_training: least sizes of an image, without and with the auxiliary classifiers.
    """

    def __init__(
        self,
        stem: nn.Sequential,
        stages: nn.Sequential,
        head: nn.Sequential,
        auxiliary: dict[str, nn.Module],
        weight: float,
        smallest: int = 1,
        smallest_in_training: int = 1,
    ):
        super().__init__(stem, stages, head, smallest)
        self.auxiliary, self.weight, self.smallest_in_training = nn.ModuleDict(auxiliary), weight, smallest_in_training

    def forward(self, x: Tensor) -> Tensor | AuxiliaryScores:
        if not self.training or not self.auxiliary:
            return super().forward(x)
        check_batch(x, self.in_channels, self.smallest_in_training, "; in training with aux=False smaller ones do")
        x = self.stem(x)
        auxiliary = []
        for stage in self.stages:
            for name, block in stage.named_children():
                x = block(x)
                if name in self.auxiliary:
                    auxiliary.append(self.auxiliary[name](x))
        return AuxiliaryScores(self.head(x), tuple(auxiliary), self.weight)


def cross_entropy(output: Tensor | AuxiliaryScores, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of a network's output, with the weighted losses of its auxiliary classifiers if it has any.

    Args:
        output: scores (N, K), or what ``AuxiliaryNet`` returns in training.
        labels: (N,) class indices.
        label_smoothing: ε spread evenly over all classes (Szegedy et al. 2016, section 7: 0.1).
    """
    if not isinstance(output, AuxiliaryScores):
        return F.cross_entropy(output, labels, label_smoothing=label_smoothing)
    extra = sum(F.cross_entropy(scores, labels, label_smoothing=label_smoothing) for scores in output.auxiliary)
    return F.cross_entropy(output.scores, labels, label_smoothing=label_smoothing) + output.weight * extra


def classifier(channels: int, num_classes: int, dropout: float = 0.0) -> nn.Sequential:
    """Average over space, dropout if any, then one dense layer: (N, channels, H, W) → (N, num_classes)."""
    check_classes(num_classes)
    drop = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *drop, nn.Linear(channels, num_classes))


def build_stages(
    block: Callable[..., nn.Module], in_channels: int, widths: Sequence[int], depths: Sequence[int]
) -> nn.Sequential:
    """One stage per width, ``depths[i]`` blocks in stage i; every stage but the first begins by halving the resolution.

    ``block(in_channels, width, stride)`` builds one block and tells its ``out_channels``.
    """
    stages = []
    for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        blocks = []
        for j in range(depth):
            blocks.append(block(in_channels, width, stride=2 if i > 0 and j == 0 else 1))
            in_channels = blocks[-1].out_channels
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(*stages)


def cifar_net(
    block: Callable[..., nn.Module],
    blocks_per_stage: int,
    num_classes: int,
    in_channels: int,
    *,
    widths: Sequence[int] = CIFAR_WIDTHS,
    stem_width: int | None = None,
    norm: bool = True,
) -> ConvNet:
    """The network of He et al. 2016a, section 4.2: a 3×3 stem, three stages of 16, 32 and 64 channels, average pooling.

    (N, in_channels, H, W) → (N, num_classes); the stages work at H, H/2 and H/4.

    Args:
        stem_width: channels of the stem, those of the first stage without a value.
    """
    stem_width = stem_width or widths[0]
    stem = nn.Sequential(*conv_bn(in_channels, stem_width, 3, norm=norm), nn.ReLU(inplace=norm))
    stages = build_stages(block, stem_width, widths, [blocks_per_stage] * len(widths))
    return ConvNet(stem, stages, classifier(stages[-1][-1].out_channels, num_classes))


def imagenet_net(
    block: Callable[..., nn.Module],
    depth: int,
    num_classes: int,
    in_channels: int,
    *,
    pool: nn.Module | None = None,
) -> ConvNet:
    """The network of He et al. 2016a, Table 1: 7×7 stem and max-pool (stride 4 together), four stages, average pooling.

    (N, in_channels, H, W) → (N, num_classes); at 224×224 the stages work at 56, 28, 14 and 7.

    Args:
        depth: one of ``IMAGENET_DEPTHS``.
        pool: the stem's pooling, a 3×3 maximum with stride 2 and a border of one without a value.
    """
    if depth not in IMAGENET_DEPTHS:
        raise ValueError(f"depth={depth}: the ImageNet family has 18, 34, 50, 101 and 152 layers")
    stem = nn.Sequential(*convs(in_channels, (64, 7, 2)), pool or nn.MaxPool2d(3, stride=2, padding=1))
    stages = build_stages(block, 64, IMAGENET_WIDTHS, IMAGENET_DEPTHS[depth])
    smallest = 3 if pool else 1  # without a border a pool needs two pixels
    return ConvNet(stem, stages, classifier(stages[-1][-1].out_channels, num_classes), smallest)


def initialise(net: nn.Module, init: str = "he") -> nn.Module:
    """Set the weights of every convolution: "he" draws them with variance 2 / (k²·C_out), "torch" leaves PyTorch's default.

    He et al. 2015 derive 2 / (k²·C_in) from the forward pass and show (section 2.2) that the backward form serves as well;
    the backward form is the one that the published implementations use. In a grouped convolution an input reaches
    C_out / groups outputs, which take the place of C_out.
    """
    if init not in ("he", "torch"):
        raise ValueError(f'init={init!r} is unknown; use "he" or "torch"')
    if init == "he":
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d):
                fan_out = math.prod(layer.kernel_size) * layer.out_channels // layer.groups
                nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_out))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    return net


def check_classes(num_classes: int) -> None:
    """Raise a ValueError unless there is at least one class."""
    if num_classes < 1:
        raise ValueError(f"num_classes={num_classes}: a classifier needs at least 1 class")


def check_batch(x: Tensor, in_channels: int, smallest: int = 1, remedy: str = "") -> None:
    """Raise a ValueError unless ``x`` is a batch of images (N, in_channels, H, W), H and W at least ``smallest``."""
    if x.ndim != 4:
        remedy = "images need four dimensions (x[None] adds one)"
    elif x.shape[1] != in_channels:
        remedy = f"build the network with in_channels={x.shape[1]}"
    elif min(x.shape[2:]) < smallest:
        remedy = f"this network needs images of {smallest}×{smallest} or more{remedy}"
    else:
        return
    raise ValueError(f"got a batch of shape {tuple(x.shape)}, expected (N, {in_channels}, H, W): {remedy}")
