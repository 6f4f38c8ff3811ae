"""Compare a network of ours with a donor whose weights it carries: four ways of disagreeing, in double precision."""

from collections.abc import Callable

import pytest
import torch
from donors import scores_of
from torch import nn

Carry = Callable[[nn.Module, dict[str, torch.Tensor]], object]


@pytest.fixture(autouse=True)
def one_thread():
    """For modules that import it: small maps are hardly faster with two threads, and many times slower beside another program."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def randomise(donor: nn.Module, images: torch.Tensor) -> nn.Module:
    """Give a donor weights that hide nothing: random batch-norm scales, shifts and statistics near those of real data.

    A fresh donor has scale 1, shift 0, mean 0 and variance 1 everywhere, and agrees with networks that never use them; its
    activations hardly reach 6, so that ReLU6 would pass for ReLU. Where nothing normalises, fresh weights let the signal die out:
    dense layers, and every layer of a network without batch normalisation, get He's variance times 1.4 and random biases.
    """
    generator = torch.Generator().manual_seed(1)

    def uniform(like: torch.Tensor, low: float, high: float) -> torch.Tensor:
        return torch.rand(like.shape, generator=generator, dtype=like.dtype) * (high - low) + low

    norms = [layer for layer in donor.modules() if isinstance(layer, nn.BatchNorm2d)]
    bare = [layer for layer in donor.modules() if isinstance(layer, nn.Linear if norms else (nn.Linear, nn.Conv2d))]
    with torch.no_grad():
        for layer in bare:
            nn.init.kaiming_normal_(layer.weight, generator=generator).mul_(1.4**0.5)
            layer.bias.copy_(uniform(layer.bias, -0.5, 0.5))
        for norm in norms:
            norm.weight.copy_(uniform(norm.weight, 0.5, 1.5))
            norm.bias.copy_(uniform(norm.bias, -0.2, 0.2))
            norm.bias[0] = 6  # one channel on both sides of ReLU6's bound
            norm.momentum = 1.0
        donor.train()(images)  # running statistics become those of this batch
        for norm in norms:
            norm.momentum = 0.1
            norm.running_mean.add_(norm.running_var.sqrt() * uniform(norm.running_mean, -0.1, 0.1))
            norm.running_var.mul_(uniform(norm.running_var, 0.8, 1.2))
    return donor


def carry_in_order(ours: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Copy a state dict whose entries are in the order of ours, whatever their names."""
    own = ours.state_dict()
    assert len(own) == len(state), f"{len(own)} entries against {len(state)} of the donor"
    ours.load_state_dict(dict(zip(own, state.values(), strict=True)))


def disagreement(donor: nn.Module, ours: nn.Module, images: torch.Tensor, carry: Carry) -> dict[str, float]:
    """Largest relative difference in evaluation output, training output, running statistics after it, and gradients.

    ``carry(ours, state)`` copies a state dict of the donor into ours; in the end also the donor's gradients, in the place of its
    parameters, so that they can be compared. Ours is of no use after that.
    """
    carry(ours, donor.state_dict())
    with torch.no_grad():
        results = {"evaluation": relative(donor.eval()(images), ours.eval()(images))}
    found = []
    for net in (donor, ours):
        torch.manual_seed(0)  # one dropout mask for both
        net.train().zero_grad()
        batch = images.clone().requires_grad_()
        scores = scores_of(net(batch))
        weights = [torch.linspace(-1, 1, part.numel(), dtype=part.dtype).view_as(part) for part in scores]
        sum((part * weight).sum() for part, weight in zip(scores, weights, strict=True)).backward()
        found.append((scores, batch.grad))
    (scores, gradient), (our_scores, our_gradient) = found
    results["training"] = max(map(relative, scores, our_scores))
    buffers = [buffer.clone() for buffer in ours.buffers()]
    carry(ours, donor.state_dict() | {name: parameter.grad for name, parameter in donor.named_parameters()})
    results["statistics"] = max(map(relative, ours.buffers(), buffers), default=0.0)
    with torch.no_grad():
        # A bias before a batch normalisation has no gradient but rounding, which is compared with the gradients beside it.
        floor = 1e-4 * max(parameter.abs().max().item() for parameter in ours.parameters())
        compared = [relative(parameter, parameter.grad, floor) for parameter in ours.parameters()]
    results["gradients"] = max(relative(gradient, our_gradient), *compared)
    return results


def relative(expected: torch.Tensor, found: torch.Tensor, floor: float = 1e-300) -> float:
    assert expected.shape == found.shape, f"shape {tuple(found.shape)} against {tuple(expected.shape)} of the donor"
    expected, found = expected.double(), found.double()
    return ((expected - found).abs().max() / expected.abs().max().clamp_min(floor)).item()
