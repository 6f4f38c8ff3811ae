# ruff: noqa: E402, F811, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import torch
import torch.nn.functional as F
from torch import nn


# %% pointwise | test_pointwise_has_the_right_shape | weight (3, 5), bias (3,)
def pointwise(x, weight, bias=None):
    return F.linear(x, weight, bias)  # works on the width instead of the channels


# %% pointwise | test_pointwise_has_the_right_shape | your result has shape (2, 4, 7, 3), expected (2, 3, 4, 7)
def pointwise(x, weight, bias=None):
    return F.linear(x.permute(0, 2, 3, 1), weight, bias)  # the channels stay last


# %% pointwise | test_pointwise_has_the_right_shape | your result has shape (2, 3, 7, 4), expected (2, 3, 4, 7)
def pointwise(x, weight, bias=None):
    return F.linear(x.transpose(1, 3), weight, bias).transpose(1, 3).transpose(2, 3)  # height and width exchanged


# %% pointwise | test_pointwise_has_the_right_shape | your result has shape (2, 3), expected (2, 3, 4, 7)
def pointwise(x, weight, bias=None):
    return F.linear(x.mean((2, 3)), weight, bias)  # one dense layer for the whole map


# %% pointwise | test_pointwise_applies_the_dense_layer | a bias: your result differs
def pointwise(x, weight, bias=None):
    n, c, h, w = x.shape
    return F.linear(x.reshape(n, h, w, c), weight, bias).reshape(n, -1, h, w)  # reshape does not exchange dimensions


# %% pointwise | test_pointwise_applies_the_dense_layer | a bias: your result differs
def pointwise(x, weight, bias=None):
    return torch.einsum("nchw,dc->ndhw", x, weight)  # the bias forgotten


# %% pointwise | test_pointwise_applies_the_dense_layer | bias not given: your code raised TypeError
def pointwise(x, weight, bias=None):
    return torch.einsum("nchw,dc->ndhw", x, weight) + bias[:, None, None]


# %% pointwise | test_pointwise_applies_the_dense_layer | a bias: your result differs
def pointwise(x, weight, bias=None):
    return F.relu(F.linear(x.permute(0, 2, 3, 1), weight, bias).permute(0, 3, 1, 2))  # ReLU was not asked for


# %% pointwise | test_pointwise_applies_the_dense_layer | your answer calls a convolution of PyTorch
def pointwise(x, weight, bias=None):
    return F.conv2d(x, weight[:, :, None, None], bias)


# %% pointwise | test_pointwise_passes_gradients | no gradient reaches weight
def pointwise(x, weight, bias=None):
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=x.dtype)
    layer.weight.data.copy_(weight)  # a copy: nothing flows back
    if bias is not None:
        layer.bias.data.copy_(bias)
    return layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


# %% pointwise | test_pointwise_passes_gradients | x is changed in place
def pointwise(x, weight, bias=None):
    result = torch.einsum("nchw,dc->ndhw", x, weight)
    x *= 0  # no longer needed
    return result if bias is None else result + bias[:, None, None]


# %% pointwise | test_pointwise_applies_the_dense_layer | bias not given: expected a signature
def pointwise(x, weight, bias):
    return torch.einsum("nchw,dc->ndhw", x, weight) + (0 if bias is None else bias[:, None, None])


# %% pointwise | right
def pointwise(x, weight, bias=None):
    n, c, h, w = x.shape
    result = weight @ x.flatten(2)
    if bias is not None:
        result = result + bias.unsqueeze(1)
    return result.view(n, len(weight), h, w)


# %% pointwise | right
def pointwise(x, weight, bias=None):
    maps = []
    for row in range(len(weight)):
        one = sum(weight[row, c] * x[:, c] for c in range(x.shape[1]))
        maps.append(one if bias is None else one + bias[row])
    return torch.stack(maps, dim=1)


# %% reduction_macs | test_reduction_macs_counts_the_direct_form | for the direct form, 0.2 times the right number
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    outputs = (size // stride) ** 2
    direct = in_channels * out_channels * kernel * outputs  # a 5×5 kernel has 25 positions
    return direct, in_channels * reduced * size**2 + reduced * out_channels * kernel**2 * outputs


# %% reduction_macs | test_reduction_macs_counts_the_direct_form | for the direct form, 0.001276 times the right number
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    # parameters, not multiply-adds
    return in_channels * out_channels * kernel**2, in_channels * reduced + reduced * out_channels * kernel**2


# %% reduction_macs | test_reduction_macs_counts_the_direct_form | two numbers, (direct, reduced), are expected
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    outputs = (size // stride) ** 2
    direct = in_channels * out_channels * kernel**2 * outputs
    return direct - in_channels * reduced * size**2 - reduced * out_channels * kernel**2 * outputs  # what is saved


# %% reduction_macs | test_reduction_macs_counts_the_direct_form | for the direct form, 2 times the right number
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    outputs = (size // stride) ** 2
    direct = in_channels * out_channels * kernel**2 * outputs
    return 2 * direct, 2 * (in_channels * reduced * size**2 + reduced * out_channels * kernel**2 * outputs)


# %% reduction_macs | test_reduction_macs_counts_the_reduced_form | for the reduced form, 0.8065 times the right number
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    outputs = (size // stride) ** 2
    return in_channels * out_channels * kernel**2 * outputs, reduced * out_channels * kernel**2 * outputs  # the 1×1 for free


# %% reduction_macs | test_reduction_macs_counts_the_reduced_form | times the right number
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    outputs = (size // stride) ** 2
    direct = in_channels * out_channels * kernel**2 * outputs
    return direct, in_channels * reduced * size**2 + direct  # the kernel still reads everything


# %% reduction_macs | test_reduction_macs_counts_the_reduced_form | times the right number
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    outputs = (size // stride) ** 2
    direct = in_channels * out_channels * kernel**2 * outputs
    return direct, (in_channels * reduced + reduced * out_channels) * kernel**2 * outputs  # two k×k


# %% reduction_macs | test_reduction_macs_counts_strides | for the reduced form
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    outputs = (size // stride) ** 2
    direct = in_channels * out_channels * kernel**2 * outputs
    return direct, reduced * (in_channels + out_channels * kernel**2) * outputs  # the 1×1 has no stride


# %% reduction_macs | test_reduction_macs_counts_strides | for the direct form, 2 times the right number
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    outputs = size * size // stride  # only one side is divided
    direct = in_channels * out_channels * kernel**2 * outputs
    return direct, in_channels * reduced * size**2 + reduced * out_channels * kernel**2 * outputs


# %% reduction_macs | right
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    def macs(layer, positions):
        return positions * layer.weight.numel()

    after = (size / stride) ** 2
    direct = nn.Conv2d(in_channels, out_channels, kernel, device="meta")
    first, second = nn.Conv2d(in_channels, reduced, 1), nn.Conv2d(reduced, out_channels, kernel)
    return [round(macs(direct, after)), macs(first, size * size) + round(macs(second, after))]


# %% reduction_macs | right
def reduction_macs(in_channels, reduced, out_channels, kernel, size, stride=1):
    read = torch.tensor([in_channels, reduced])
    return read * out_channels * (kernel * (size // stride)) ** 2 + torch.tensor([0, in_channels * reduced * size * size])


# %% widest_reduction | test_widest_reduction_meets_the_budget | channels are over the budget
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    return min(budget // (out_channels * kernel**2 * size**2), in_channels)  # the 1×1 for free


# %% widest_reduction | test_widest_reduction_meets_the_budget | are within the budget
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    for channels in range(in_channels, 0, -1):
        if channels * (in_channels + out_channels * kernel**2) * size**2 < budget:  # exactly the budget is allowed
            return channels
    return 0


# %% widest_reduction | test_widest_reduction_meets_the_budget | is not a whole number of channels
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    per_channel = (in_channels + out_channels * kernel**2) * size**2
    return 0 if budget < per_channel else min(budget / per_channel, in_channels)


# %% widest_reduction | test_widest_reduction_meets_the_budget | channels are over the budget
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    per_channel = (in_channels + out_channels * kernel**2) * size**2
    return 0 if budget < per_channel else min(-(-budget // per_channel), in_channels)  # rounded up


# %% widest_reduction | test_widest_reduction_meets_the_budget | than your 1 channels are within the budget
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    for channels in range(1, in_channels + 1):  # the first that fits is the narrowest
        if channels * (in_channels + out_channels * kernel**2) * size**2 <= budget:
            return channels
    return 0


# %% widest_reduction | test_widest_reduction_keeps_to_the_channels_that_come_in | are more than the 16 that come in
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    return budget // ((in_channels + out_channels * kernel**2) * size**2)


# %% widest_reduction | test_widest_reduction_keeps_to_the_channels_that_come_in | the budget allows more than your 15 channels
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    per_channel = (in_channels + out_channels * kernel**2) * size**2
    return max(channels for channels in range(in_channels) if channels * per_channel <= budget)


# %% widest_reduction | test_widest_reduction_says_when_nothing_fits | you say 1; one channel alone costs
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    per_channel = (in_channels + out_channels * kernel**2) * size**2
    return max(1, min(budget // per_channel, in_channels))


# %% widest_reduction | test_widest_reduction_says_when_nothing_fits | ValueError
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    per_channel = (in_channels + out_channels * kernel**2) * size**2
    return max(channels for channels in range(1, in_channels + 1) if channels * per_channel <= budget)


# %% widest_reduction | right
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    def cost(channels):
        return nn.Conv2d(in_channels, channels, 1).weight.numel() + nn.Conv2d(channels, out_channels, kernel).weight.numel()

    return sum(cost(channels) * size**2 <= budget for channels in range(1, in_channels + 1))


# %% widest_reduction | right
def widest_reduction(in_channels, out_channels, kernel, size, budget):
    channels = 0
    while channels < in_channels:
        more = channels + 1
        if in_channels * more * size * size + more * out_channels * kernel * kernel * size * size > budget:
            break
        channels = more
    return torch.tensor(channels)


# %% bottleneck_macs | test_bottleneck_macs_counts_the_branch | times the right number
def bottleneck_macs(in_channels, width, size, stride=1):
    before, after = size**2, (size // stride) ** 2
    macs = in_channels * width * before + 9 * width**2 * after  # the last 1×1 forgotten
    return macs + (in_channels * 4 * width * after if stride != 1 or in_channels != 4 * width else 0)


# %% bottleneck_macs | test_bottleneck_macs_counts_the_branch | times the right number
def bottleneck_macs(in_channels, width, size, stride=1):
    before, after = size**2, (size // stride) ** 2
    macs = in_channels * width * before + 3 * width**2 * after + 4 * width**2 * after  # a 3×3 kernel has 9 positions
    return macs + (in_channels * 4 * width * after if stride != 1 or in_channels != 4 * width else 0)


# %% bottleneck_macs | test_bottleneck_macs_counts_the_branch | times the right number
def bottleneck_macs(in_channels, width, size, stride=1):
    before, after = size**2, (size // stride) ** 2
    macs = in_channels * width * before + 9 * width**2 * after + 4 * width**2 * after
    return macs + in_channels * 4 * width * after  # a projection everywhere


# %% bottleneck_macs | test_bottleneck_macs_counts_the_branch | times the right number
def bottleneck_macs(in_channels, width, size, stride=1):
    before, after = size**2, (size // stride) ** 2
    macs = in_channels * width * before + 9 * width**2 * after + width**2 * after  # gives out width channels
    return macs + (in_channels * width * after if stride != 1 or in_channels != 4 * width else 0)


# %% bottleneck_macs | test_bottleneck_macs_counts_the_branch | 0.0003189 times the right number
def bottleneck_macs(in_channels, width, size, stride=1):
    weights = in_channels * width + 9 * width**2 + 4 * width**2  # parameters, not multiply-adds
    return weights + (in_channels * 4 * width if stride != 1 or in_channels != 4 * width else 0)


# %% bottleneck_macs | test_bottleneck_macs_counts_the_projection | channels in and
def bottleneck_macs(in_channels, width, size, stride=1):
    before, after = size**2, (size // stride) ** 2
    macs = in_channels * width * before + 13 * width**2 * after
    return macs + (in_channels * 4 * width * after if stride != 1 else 0)  # the first stage's projection forgotten


# %% bottleneck_macs | test_bottleneck_macs_counts_the_projection | channels in and
def bottleneck_macs(in_channels, width, size, stride=1):
    before, after = size**2, (size // stride) ** 2
    return in_channels * width * before + 13 * width**2 * after  # shortcuts are free


# %% bottleneck_macs | test_bottleneck_macs_counts_strides | stride 2: you count
def bottleneck_macs(in_channels, width, size, stride=1):
    after = (size // stride) ** 2
    macs = in_channels * width * after + 13 * width**2 * after  # the stride in the first 1×1, as in the paper
    return macs + (in_channels * 4 * width * after if stride != 1 or in_channels != 4 * width else 0)


# %% bottleneck_macs | test_bottleneck_macs_counts_strides | bottleneck_macs(32, 8, 12, 2)
def bottleneck_macs(in_channels, width, size, stride=1):
    before, after = size**2, (size // stride) ** 2
    macs = in_channels * width * before + 13 * width**2 * after
    return macs + (in_channels * 4 * width * after if in_channels != 4 * width else 0)  # a stride alone needs one too


# %% bottleneck_macs | test_bottleneck_macs_counts_strides | stride 2: you count
def bottleneck_macs(in_channels, width, size, stride=1):
    before, after = size**2, (size // stride) ** 2
    macs = in_channels * width * before + 13 * width**2 * after
    return macs + (in_channels * 4 * width * before if stride != 1 or in_channels != 4 * width else 0)


# %% bottleneck_macs | right
def bottleneck_macs(in_channels, width, size, stride=1):
    small = size // stride
    layers = [(in_channels, width, 1, size), (width, width, 3, small), (width, 4 * width, 1, small)]
    if (in_channels, stride) != (4 * width, 1):
        layers.append((in_channels, 4 * width, 1, small))
    return float(sum(i * o * k**2 * s**2 for i, o, k, s in layers))


# %% bottleneck_macs | right
def bottleneck_macs(in_channels, width, size, stride=1):
    image = torch.zeros(1, in_channels, size, size)
    reduce, middle = nn.Conv2d(in_channels, width, 1), nn.Conv2d(width, width, 3, stride, 1)
    layers = {reduce: image, middle: reduce(image)}
    layers[nn.Conv2d(width, 4 * width, 1)] = middle(layers[middle])
    if stride > 1 or in_channels != 4 * width:
        layers[nn.Conv2d(in_channels, 4 * width, 1, stride)] = image
    return sum(layer.weight.numel() * layer(x)[0, 0].numel() for layer, x in layers.items())


# %% directions_needed | test_directions_needed_counts_from_one | share 0.1: you count 0 directions
def directions_needed(features, share=0.99):
    vectors = features.double().transpose(0, 1).flatten(1)
    energies = torch.linalg.eigvalsh(vectors @ vectors.T).flip(0)
    return int((energies.cumsum(0) / energies.sum() < share).sum())  # a place counted from 0


# %% directions_needed | test_directions_needed_counts_from_one | is expected to be a number; yours is
def directions_needed(features, share=0.99):
    vectors = features.double().transpose(0, 1).flatten(1)
    energies = torch.linalg.eigvalsh(vectors @ vectors.T).flip(0)
    return energies.cumsum(0) / energies.sum() >= share  # a list of yes and no


# %% directions_needed | test_directions_needed_counts_from_one | four multiples of one channel
def directions_needed(features, share=0.99):
    vectors = features.double().reshape(features.shape[1], -1)  # not the channels: reshape exchanges nothing
    energies = torch.linalg.eigvalsh(vectors @ vectors.T).flip(0)
    return int((energies.cumsum(0) / energies.sum() < share).sum()) + 1


# %% directions_needed | test_directions_needed_counts_from_one | four multiples of one channel
def directions_needed(features, share=0.99):
    energies = features.double().square().sum((0, 2, 3)).sort(descending=True).values  # of the channels as they are
    return int((energies.cumsum(0) / energies.sum() < share).sum()) + 1


# %% directions_needed | test_directions_needed_follows_the_energy | whose energies along directions are
def directions_needed(features, share=0.99):
    vectors = features.double().transpose(0, 1).flatten(1)
    sizes = torch.linalg.svdvals(vectors)  # the roots of the energies
    return int((sizes.cumsum(0) / sizes.sum() < share).sum()) + 1


# %% directions_needed | test_directions_needed_follows_the_energy | whose energies along directions are
def directions_needed(features, share=0.99):
    vectors = features.double().transpose(0, 1).flatten(1)
    energies = torch.linalg.eigvalsh(vectors @ vectors.T)  # the smallest first
    return int((energies.cumsum(0) / energies.sum() < share - 1e-9).sum()) + 1


# %% directions_needed | test_directions_needed_follows_the_energy | whose energies along directions are
def directions_needed(features, share=0.99):
    vectors = features.double().transpose(0, 1).flatten(1)
    energies = torch.linalg.eigvalsh(vectors @ vectors.T).flip(0)
    return int((energies / energies.sum() > 1 - share).sum().clamp(min=1))  # each direction by itself


# %% directions_needed | test_directions_needed_follows_the_energy | (not given): you count
def directions_needed(features, share=0.9):
    vectors = features.double().transpose(0, 1).flatten(1)
    energies = torch.linalg.eigvalsh(vectors @ vectors.T).flip(0)
    return int((energies.cumsum(0) / energies.sum() < share).sum()) + 1


# %% directions_needed | test_directions_needed_subtracts_nothing | the first a constant
def directions_needed(features, share=0.99):
    vectors = features.double().transpose(0, 1).flatten(1)
    energies = torch.linalg.eigvalsh(torch.cov(vectors)).flip(0)  # the mean is taken away
    return int((energies.cumsum(0) / energies.sum() < share).sum()) + 1


# %% directions_needed | test_directions_needed_subtracts_nothing | the first a constant
def directions_needed(features, share=0.99):
    vectors = features.double().transpose(0, 1).flatten(1)
    vectors = vectors - vectors.mean(1, keepdim=True)
    held = torch.linalg.svdvals(vectors).square().cumsum(0)
    return int((held < share * held[-1]).sum()) + 1


# %% directions_needed | test_directions_needed_follows_the_energy | with what precision do you compute?
def directions_needed(features, share=0.99):
    vectors = features.transpose(0, 1).flatten(1)  # in single precision, if the features are
    energies = torch.linalg.eigvalsh(vectors @ vectors.T).flip(0)
    held = energies.cumsum(0) / energies.sum()
    return int((held < share).sum()) + 1


# %% directions_needed | right
def directions_needed(features, share=0.99):
    pixels = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1]).double()
    held = torch.linalg.svdvals(pixels).pow(2).cumsum(0)
    return torch.searchsorted(held, share * held[-1]) + 1


# %% directions_needed | right
def directions_needed(features, share=0.99):
    products = torch.einsum("nchw,ndhw->cd", features.double(), features.double())
    energies = sorted(torch.linalg.eigvalsh(products).tolist(), reverse=True)
    held, found = 0.0, 0
    while held < share * products.trace():
        held += energies[found]
        found += 1
    return float(found)
