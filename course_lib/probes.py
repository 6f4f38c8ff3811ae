"""Look inside a network: gradient norms and activation statistics per layer, for any ``nn.Module``."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_lib.models import cross_entropy

LAYERS_WITH_WEIGHTS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True)
class LayerProbe:
    """One layer as one batch sees it: its output's mean and standard deviation, and the norm of its weight's gradient."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    mean: float
    std: float
    gradient_norm: float


def probe(model: nn.Module, images: Tensor, labels: Tensor) -> list[LayerProbe]:
    """Run one batch forward and backward in training mode and report every convolution and dense layer, in the order of the run.

    The model comes back as it was: weights, running statistics, gradients and mode.

    Args:
        images: (N, C, H, W), or whatever the model takes; they are moved to the model's device.
        labels: (N,) class indices; the loss is the mean cross-entropy.
    Raises:
        ValueError: if the model has no layer with weights, or images and labels differ in number.
    """
    if len(images) != len(labels):
        raise ValueError(f"{len(images)} images but {len(labels)} labels; pass one label for each image")
    names = {layer: name for name, layer in model.named_modules() if isinstance(layer, LAYERS_WITH_WEIGHTS)}
    if not names:
        raise ValueError(f"{type(model).__name__} has no convolution or dense layer to probe")
    outputs: dict[nn.Module, tuple[tuple[int, ...], float, float]] = {}

    def keep(layer: nn.Module, _inputs: tuple, output: Tensor) -> None:
        outputs[layer] = (tuple(output.shape), output.mean().item(), output.std().item())  # now: ReLU may work in place

    hooks = [layer.register_forward_hook(keep) for layer in names]
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    modes = {module: module.training for module in model.modules()}
    try:
        model.train()
        loss = loss_of(model, images, labels)
        layers = list(outputs)  # dictionaries keep the order in which the layers ran
        gradients = torch.autograd.grad(loss, [layer.weight for layer in layers], allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])
        for module, training in modes.items():
            module.training = training
    return [
        LayerProbe(
            names[layer],
            type(layer).__name__,
            *outputs[layer],
            0.0 if gradient is None else norm(gradient),
        )
        for layer, gradient in zip(layers, gradients, strict=True)
    ]


def loss_of(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of a batch, with that of auxiliary classifiers, computed where the model is."""
    device = next(model.parameters()).device
    return cross_entropy(model(images.to(device)), labels.to(device))


def norm(gradient: Tensor) -> float:
    """Euclidean norm in double precision: the squares of a vanishing gradient, 1e-27 say, are 0 in single precision."""
    return gradient.detach().cpu().double().norm().item()


def gradient_norms(model: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    """Gradient norms of the convolutions' weights, from the input to the output, by ``probe``.

    Projections on a shortcut are left out, so that plain and residual networks of one depth give lists of one length.
    """
    return [
        layer.gradient_norm
        for layer in probe(model, images, labels)
        if layer.kind == "Conv2d" and "shortcut" not in layer.name.split(".")
    ]


def kept_for_backward(model: nn.Module, images: Tensor, labels: Tensor) -> int:
    """Bytes of activations that a training step holds between its forward and its backward pass; weights are not counted.

    The step is carried out up to the gradient, and changes nothing but the running statistics of batch normalisation.
    """
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()  # the same for two views of one tensor, which takes memory once
        if place not in weights:
            kept[place] = max(kept.get(place, 0), tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = loss_of(model, images, labels)
    torch.autograd.grad(loss, list(model.parameters()))
    return sum(kept.values())
