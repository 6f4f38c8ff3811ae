"""Compare a network of ours with a donor: copy weights in the order of definition, then four ways of disagreeing."""

import torch
from torch import nn


def randomise(donor: nn.Module, images: torch.Tensor) -> nn.Module:
    """Give a donor weights that hide nothing: random batch-norm scales, shifts and statistics near those of real data.

    A fresh donor has scale 1, shift 0, mean 0 and variance 1 everywhere, and agrees with networks that never use them.
    """
    generator = torch.Generator().manual_seed(1)

    def uniform(like: torch.Tensor, low: float, high: float) -> torch.Tensor:
        return torch.rand(like.shape, generator=generator, dtype=like.dtype) * (high - low) + low

    norms = [layer for layer in donor.modules() if isinstance(layer, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.copy_(uniform(norm.weight, 0.5, 1.5))
            norm.bias.copy_(uniform(norm.bias, -0.2, 0.2))
            norm.momentum = 1.0
        donor.train()(images)  # running statistics become those of this batch
        for norm in norms:
            norm.momentum = 0.1
            norm.running_mean.add_(norm.running_var.sqrt() * uniform(norm.running_mean, -0.1, 0.1))
            norm.running_var.mul_(uniform(norm.running_var, 0.8, 1.2))
    return donor


def copy_weights(donor: nn.Module, ours: nn.Module) -> None:
    """Copy parameters and buffers layer by layer, in the order in which the layers are defined."""
    sources, targets = ([layer for layer in net.modules() if next(layer.parameters(recurse=False), None) is not None]
                        for net in (donor, ours))  # fmt: skip
    assert len(sources) == len(targets), f"{len(targets)} layers with weights against {len(sources)} of the donor"
    for source, target in zip(sources, targets, strict=True):
        target.load_state_dict(source.state_dict())


def disagreement(donor: nn.Module, ours: nn.Module, images: torch.Tensor) -> dict[str, float]:
    """Largest relative difference in evaluation output, training output, running statistics after it, and gradients."""
    results = {"evaluation": relative(donor.eval()(images), ours.eval()(images))}
    outputs = []
    for net in (donor, ours):
        net.train().zero_grad()
        batch = images.clone().requires_grad_()
        scores = net(batch)
        weights = torch.linspace(-1, 1, scores.numel(), dtype=scores.dtype).view_as(scores)
        (scores * weights).sum().backward()
        outputs.append((scores, [batch.grad, *(parameter.grad for parameter in net.parameters())], list(net.buffers())))
    (scores, gradients, buffers), (our_scores, our_gradients, our_buffers) = outputs
    results["training"] = relative(scores, our_scores)
    results["gradients"] = max(map(relative, gradients, our_gradients))
    results["statistics"] = max(relative(a.double(), b.double()) for a, b in zip(buffers, our_buffers, strict=True))
    return results


def relative(expected: torch.Tensor, found: torch.Tensor) -> float:
    assert expected.shape == found.shape, f"shape {tuple(found.shape)} against {tuple(expected.shape)} of the donor"
    return ((expected - found).abs().max() / expected.abs().max().clamp_min(1e-300)).item()
