# ruff: noqa: E402, F811, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


# %% separable_costs | test_separable_costs_counts_the_standard_form | for the standard form, 0.3333 times the right number
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    positions = math.ceil(height / stride) * math.ceil(width / stride)
    standard = in_channels * out_channels * kernel  # a 3×3 kernel has 9 positions
    return positions * standard, positions * (in_channels * kernel**2 + in_channels * out_channels)


# %% separable_costs | test_separable_costs_counts_the_standard_form | for the standard form, 4 times the right number
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    positions = height * width  # the stride forgotten
    standard = in_channels * out_channels * kernel**2
    return positions * standard, positions * (in_channels * kernel**2 + in_channels * out_channels)


# %% separable_costs | test_separable_costs_counts_the_standard_form | times the right number
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    positions = (height // stride) * (width // stride)  # rounded down
    standard = in_channels * out_channels * kernel**2
    return positions * standard, positions * (in_channels * kernel**2 + in_channels * out_channels)


# %% separable_costs | test_separable_costs_counts_the_standard_form | for the standard form, 2 times the right number
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    positions = math.ceil(height / stride) * math.ceil(width / stride)
    standard = in_channels * out_channels * kernel**2
    return 2 * positions * standard, 2 * positions * (in_channels * kernel**2 + in_channels * out_channels)


# %% separable_costs | test_separable_costs_counts_the_standard_form | (standard, separable), are expected; yours returned
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    return 1 / out_channels + 1 / kernel**2  # the ratio alone


# %% separable_costs | test_separable_costs_counts_the_separable_form | for the separable form, 0.64 times the right number
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    positions = math.ceil(height / stride) * math.ceil(width / stride)
    standard = in_channels * out_channels * kernel**2
    return positions * standard, positions * in_channels * out_channels + 0  # pointwise alone


# %% separable_costs | test_separable_costs_counts_the_separable_form | for the separable form, 0.36 times the right number
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    positions = math.ceil(height / stride) * math.ceil(width / stride)
    standard = in_channels * out_channels * kernel**2
    return positions * standard, positions * in_channels * kernel**2  # depthwise alone


# %% separable_costs | test_separable_costs_counts_the_separable_form | for the separable form, 2.56 times the right number
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    positions = math.ceil(height / stride) * math.ceil(width / stride)
    standard = in_channels * out_channels * kernel**2
    # the filters read one channel each, and there are as many as output channels
    return positions * standard, positions * (out_channels * kernel**2 + in_channels * out_channels)


# %% separable_costs | test_separable_costs_counts_the_separable_form | times the right number
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    positions = math.ceil(height / stride) * math.ceil(width / stride)
    standard = in_channels * out_channels * kernel**2
    pointwise = height * width * in_channels * out_channels  # works after the stride
    return positions * standard, positions * in_channels * kernel**2 + pointwise


# %% separable_costs | right
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    kinds = {"bias": False, "device": "meta"}
    image = torch.empty(1, in_channels, height, width, device="meta")
    full = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, **kinds)
    depth = nn.Conv2d(in_channels, in_channels, kernel, stride, kernel // 2, groups=in_channels, **kinds)
    point = nn.Conv2d(in_channels, out_channels, 1, **kinds)
    _, _, h, w = full(image).shape
    return [float(full.weight.numel() * h * w), h * w * (depth.weight.numel() + point.weight.numel())]


# %% separable_costs | right
def separable_costs(in_channels, out_channels, kernel, height, width, stride=1):
    rows, columns = (height - 1) // stride + 1, (width - 1) // stride + 1
    one = torch.tensor([out_channels * kernel * kernel, out_channels + kernel * kernel])
    return in_channels * one * rows * columns


# %% SeparableLayer | test_separable_layer_has_the_right_shape | on an input of shape
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        # one filter and no groups: it reads a single channel
        self.depthwise = nn.Conv2d(1, in_channels, kernel, stride, padding=kernel // 2, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


# %% SeparableLayer | test_separable_layer_has_the_right_shape | turns
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, groups=in_channels, bias=False)  # no padding
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


# %% SeparableLayer | test_separable_layer_has_the_right_shape | turns
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, padding=1, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)  # padding for 3×3 alone

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


# %% SeparableLayer | test_separable_layer_has_the_right_shape | turns
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, padding=kernel // 2, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)  # the stride twice

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


# %% SeparableLayer | test_separable_layer_has_the_right_weights | the weights of depthwise are (3, 3, 3, 3)
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, padding=kernel // 2, bias=False)  # no groups
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


# %% SeparableLayer | test_separable_layer_has_the_right_weights | has weights that are not asked for: depthwise.bias
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, padding=kernel // 2, groups=in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


# %% SeparableLayer | test_separable_layer_has_the_right_weights | has weights that are not asked for: norm
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, padding=kernel // 2, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x):
        return self.norm(self.pointwise(self.depthwise(x)))


# %% SeparableLayer | test_separable_layer_has_the_right_weights | the weights of depthwise are
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)  # the other order
        self.depthwise = nn.Conv2d(
            out_channels, out_channels, kernel, stride, padding=kernel // 2, groups=out_channels, bias=False
        )

    def forward(self, x):
        return self.depthwise(self.pointwise(x))


# %% SeparableLayer | test_separable_layer_computes_both_parts | there is an activation between the two parts
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, padding=kernel // 2, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.depthwise(x).relu())


# %% SeparableLayer | test_separable_layer_computes_both_parts | no value of the output is negative
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, padding=kernel // 2, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        return F.relu(self.pointwise(self.depthwise(x)))


# %% SeparableLayer | test_separable_layer_computes_both_parts | the output differs by up to
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.stride = stride
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, padding=kernel // 2, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):  # pooling instead of the stride
        return F.avg_pool2d(self.pointwise(self.depthwise(x)), self.stride, ceil_mode=True)


# %% SeparableLayer | test_separable_layer_passes_gradients | changes its input tensor in place
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, padding=kernel // 2, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        result = self.pointwise(self.depthwise(x.clone()))
        x.data.relu_()
        return result


# %% SeparableLayer | test_separable_layer_passes_gradients | the gradient of input differs
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, padding=kernel // 2, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.depthwise(x).detach())


# %% SeparableLayer | test_separable_layer_has_the_right_shape | expected a signature that fits SeparableLayer(int, int)
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel, stride):  # the defaults are gone
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, kernel // 2, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


# %% SeparableLayer | right
class SeparableLayer(nn.Sequential):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        channels = {"padding": "same"} if stride == 1 else {"padding": (kernel - 1) // 2, "stride": stride}
        self.add_module("depthwise", nn.Conv2d(in_channels, in_channels, kernel, groups=in_channels, bias=None, **channels))
        self.add_module("pointwise", nn.Conv2d(in_channels, out_channels, (1, 1), bias=False))


# %% SeparableLayer | right
class SeparableLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel=3, stride=1):
        super().__init__()
        # the pointwise part first in the list of layers, and second when it runs
        self.pointwise = nn.ModuleDict({"mix": nn.Conv2d(in_channels, out_channels, 1, bias=False)})
        self.depthwise = nn.ParameterDict({"filters": nn.Parameter(torch.randn(in_channels, 1, kernel, kernel))})
        self.stride = stride

    def forward(self, x):
        filters = self.depthwise["filters"]
        edge = filters.shape[-1] // 2
        maps = [F.conv2d(F.pad(x[:, i : i + 1], 4 * [edge]), filters[i : i + 1], stride=self.stride) for i in range(x.shape[1])]
        return torch.einsum("nihw,oi->nohw", torch.cat(maps, 1), self.pointwise["mix"].weight[:, :, 0, 0])


# %% full_weight | test_full_weight_has_zeros_between_the_groups | your result has shape (4, 3, 3, 3)
def full_weight(weight, groups):
    return weight.clone()  # as if the groups read all channels


# %% full_weight | test_full_weight_has_zeros_between_the_groups | output channel 0 sees input channel 3
def full_weight(weight, groups):
    return weight.repeat(1, groups, 1, 1)  # every group's filter on every run


# %% full_weight | test_full_weight_has_zeros_between_the_groups | output channel 2 sees input channel 0
def full_weight(weight, groups):
    out_channels, inside, k, _ = weight.shape
    full = weight.new_zeros(out_channels, inside * groups, k, k)
    full[:, :inside] = weight  # all of them read the first run
    return full


# %% full_weight | test_full_weight_has_zeros_between_the_groups | output channel 0 does not see input channel 1
def full_weight(weight, groups):
    out_channels, inside, k, _ = weight.shape
    full = weight.new_zeros(out_channels, inside * groups, k, k)
    for o in range(out_channels):
        full[o, o % groups :: groups] = weight[o]  # groups taken in turn, not in runs
    return full


# %% full_weight | test_full_weight_has_zeros_between_the_groups | a weight of shape (4, 3, 3, 3) with 2 groups
def full_weight(weight, groups):
    out_channels, inside, k, _ = weight.shape
    full = weight.new_zeros(out_channels, inside * groups, k, k)
    for g in range(groups):  # runs of the output as long as those of the input
        rows = slice(g * inside, (g + 1) * inside)
        full[rows, g * inside : (g + 1) * inside] = weight[g * inside : g * inside + out_channels // groups]
    return full


# %% full_weight | test_full_weight_has_zeros_between_the_groups | your function changes it
def full_weight(weight, groups):
    run, inside = len(weight) // groups, weight.shape[1]
    full = torch.cat([torch.block_diag(*[torch.ones(run, inside, dtype=weight.dtype)] * groups)[..., None, None]])
    weight *= 2
    return full * weight.repeat(1, groups, 1, 1) / 2


# %% full_weight | test_full_weight_computes_the_same | the convolution with your weight differs by up to
def full_weight(weight, groups):
    out_channels, inside, k, _ = weight.shape
    full = weight.new_zeros(out_channels, inside * groups, k, k)
    run = out_channels // groups
    for g in range(groups):
        rows = slice(g * run, (g + 1) * run)
        full[rows, g * inside : (g + 1) * inside] = weight[:run]  # the first group's filters everywhere
    return full


# %% full_weight | test_full_weight_computes_the_same | the convolution with your weight differs by up to
def full_weight(weight, groups):
    run, inside = len(weight) // groups, weight.shape[1]
    mask = torch.block_diag(*[torch.ones(run, inside, dtype=weight.dtype)] * groups)
    # shared out evenly, as if zeros had to be made up for
    return mask[..., None, None] * weight.repeat(1, groups, 1, 1) / groups


# %% full_weight | test_full_weight_computes_the_same | the convolution with your weight differs by up to
def full_weight(weight, groups):
    run, inside = len(weight) // groups, weight.shape[1]
    mask = torch.block_diag(*[torch.ones(run, inside, dtype=weight.dtype)] * groups)
    return mask[..., None, None] * weight.repeat(1, groups, 1, 1).transpose(2, 3)  # height and width taken for each other


# %% full_weight | right
def full_weight(weight, groups):
    # what the grouped convolution answers to an impulse in each channel is its weight, turned over
    in_channels, kernel = weight.shape[1] * groups, weight.shape[-1]
    impulses = torch.zeros(in_channels, in_channels, 2 * kernel - 1, 2 * kernel - 1, dtype=weight.dtype)
    impulses[range(in_channels), range(in_channels), kernel - 1, kernel - 1] = 1
    return F.conv2d(impulses, weight, groups=groups).flip(2, 3).transpose(0, 1)


# %% full_weight | right
def full_weight(weight, groups):
    rows = []
    for g, chunk in enumerate(weight.chunk(groups)):
        before, after = g * weight.shape[1], (groups - 1 - g) * weight.shape[1]
        rows.append(F.pad(chunk, (0, 0, 0, 0, before, after)))
    return torch.cat(rows)


# %% mobilenet_macs | test_mobilenet_macs_counts_the_network | no blocks, width 1.0, resolution 224: you count 10,838,016
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = math.ceil(resolution / 2), round(32 * width_mult)
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        size, width = math.ceil(size / stride), round(out_channels * width_mult)
        total += (9 * channels + channels * width) * size**2
        channels = width
    return total  # the dense layer forgotten


# %% mobilenet_macs | test_mobilenet_macs_counts_the_network | no blocks, width 1.0, resolution 224: you count 43,384,064
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = resolution, round(32 * width_mult)  # the first convolution's stride forgotten
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        size, width = math.ceil(size / stride), round(out_channels * width_mult)
        total += (9 * channels + channels * width) * size**2
        channels = width
    return total + 1000 * channels


# %% mobilenet_macs | test_mobilenet_macs_counts_the_network | one block, width 1.0, resolution 224
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = math.ceil(resolution / 2), round(32 * width_mult)
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        size, width = math.ceil(size / stride), round(out_channels * width_mult)
        total += 9 * channels * width * size**2  # standard convolutions
        channels = width
    return total + 1000 * channels


# %% mobilenet_macs | test_mobilenet_macs_counts_the_network | one block, width 1.0, resolution 224
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = math.ceil(resolution / 2), round(32 * width_mult)
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        size, width = math.ceil(size / stride), round(out_channels * width_mult)
        total += (9 * width + channels * width) * size**2  # one filter for each output channel
        channels = width
    return total + 1000 * channels


# %% mobilenet_macs | test_mobilenet_macs_counts_the_network | one block with stride 2, width 1.0, resolution 224
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = math.ceil(resolution / 2), round(32 * width_mult)
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        width = round(out_channels * width_mult)
        total += 9 * channels * size**2  # the depthwise part before the stride
        size = math.ceil(size / stride)
        total += channels * width * size**2
        channels = width
    return total + 1000 * channels


# %% mobilenet_macs | test_mobilenet_macs_counts_the_network | four blocks, width 1.0, resolution 224
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = math.ceil(resolution / 2), round(32 * width_mult)
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        size, width = math.ceil(size / stride), round(out_channels * width_mult)
        total += (9 * channels + channels * width) * size**2
    return total + 1000 * (width if blocks else channels)  # every block reads the first one's input


# %% mobilenet_macs | test_mobilenet_macs_counts_the_network | no blocks, width 1.0, resolution 224
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = math.ceil(resolution / 2), round(32 * width_mult)
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        size, width = math.ceil(size / stride), round(out_channels * width_mult)
        total += (9 * channels + channels * width) * size**2
        channels = width
    return total + 1000 * channels * size**2  # no average before the dense layer


# %% mobilenet_macs | test_mobilenet_macs_follows_the_width | no blocks, width 0.25, resolution 224
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = math.ceil(resolution / 2), 32  # the first convolution not narrowed
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        size, width = math.ceil(size / stride), round(out_channels * width_mult)
        total += (9 * channels + channels * width) * size**2
        channels = width
    return total + 1000 * channels


# %% mobilenet_macs | test_mobilenet_macs_follows_the_width | width 0.25, resolution 224
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = math.ceil(resolution / 2), 32
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        size = math.ceil(size / stride)
        total += (9 * channels + channels * out_channels) * size**2
        channels = out_channels
    return round((total + 1000 * channels) * width_mult**2)  # all of it squared


# %% mobilenet_macs | test_mobilenet_macs_follows_the_resolution | no blocks, width 1.0, resolution 71
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = resolution // 2, round(32 * width_mult)  # rounded down
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        size, width = size // stride, round(out_channels * width_mult)
        total += (9 * channels + channels * width) * size**2
        channels = width
    return total + 1000 * channels


# %% mobilenet_macs | test_mobilenet_macs_follows_the_resolution | width 1.0, resolution 128
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    size, channels = 112, round(32 * width_mult)
    total = 27 * channels * size**2
    for out_channels, stride in blocks:
        size, width = math.ceil(size / stride), round(out_channels * width_mult)
        total += (9 * channels + channels * width) * size**2
        channels = width
    return (total + 1000 * channels) * (resolution / 224) ** 2  # the dense layer too, and no rounding


# %% mobilenet_macs | right
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    rows, before = [(3, 3, 2)], int(32 * width_mult)
    net = [nn.Conv2d(3, before, 3, 2, 1, bias=False, device="meta")]
    for after, stride in blocks:
        after = int(after * width_mult)
        net.append(nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False, device="meta"))
        net.append(nn.Conv2d(before, after, 1, bias=False, device="meta"))
        before = after
    image, total = torch.empty(1, 3, resolution, resolution, device="meta"), before * 1000
    for layer in net:
        image = layer(image)
        total += layer.weight.numel() * image[0, 0].numel()
    return float(total)


# %% mobilenet_macs | right
def mobilenet_macs(blocks, width_mult=1.0, resolution=224):
    def rest(size, channels, blocks):
        if not blocks:
            return channels * 1000
        (width, stride), *others = blocks
        size, width = (size - 1) // stride + 1, width * width_mult
        return channels * (9 + width) * size * size + rest(size, width, others)

    half = (resolution + 1) // 2
    return torch.tensor(27 * 32 * width_mult * half * half + rest(half, 32 * width_mult, blocks), dtype=torch.float64)


# %% roofline | test_roofline_finds_the_intensity | times the right number
def roofline(in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    weights = out_channels * in_channels * kernel**2  # the groups forgotten
    macs, moved = weights * size**2, 4 * ((in_channels + out_channels) * size**2 + weights)
    return macs / moved, max(macs / peak, moved / bandwidth)


# %% roofline | test_roofline_finds_the_intensity | per byte, 4 times the right number
def roofline(in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    weights = out_channels * in_channels // groups * kernel**2
    macs, moved = weights * size**2, (in_channels + out_channels) * size**2 + weights  # numbers, not bytes
    return macs / moved, max(macs / peak, moved / bandwidth)


# %% roofline | test_roofline_finds_the_intensity | times the right number
def roofline(in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    weights = out_channels * in_channels // groups * kernel**2
    macs, moved = weights * size**2, 4 * (in_channels + out_channels) * size**2  # the weights not read
    return macs / moved, max(macs / peak, moved / bandwidth)


# %% roofline | test_roofline_finds_the_intensity | times the right number
def roofline(in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    weights = out_channels * in_channels // groups * kernel**2
    macs = weights * size**2
    moved = 4 * (in_channels * kernel**2 + out_channels + weights) * size**2  # everything read at every position
    return macs / moved, max(macs / peak, moved / bandwidth)


# %% roofline | test_roofline_finds_the_intensity | times the right number
def roofline(in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    weights = out_channels * in_channels // groups * kernel**2
    macs, moved = weights * size**2, 4 * ((in_channels + out_channels) * size**2 + weights)
    return moved / macs, max(macs / peak, moved / bandwidth)  # bytes per multiply-add


# %% roofline | test_roofline_finds_the_intensity | (arithmetic intensity, seconds), are expected; yours returned
def roofline(in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    weights = out_channels * in_channels // groups * kernel**2
    macs, moved = weights * size**2, 4 * ((in_channels + out_channels) * size**2 + weights)
    return max(macs / peak, moved / bandwidth)


# %% roofline | test_roofline_finds_the_least_time | times the right number
def roofline(in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    weights = out_channels * in_channels // groups * kernel**2
    macs, moved = weights * size**2, 4 * ((in_channels + out_channels) * size**2 + weights)
    return macs / moved, macs / peak + moved / bandwidth  # one after the other


# %% roofline | test_roofline_finds_the_least_time | times the right number
def roofline(in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    weights = out_channels * in_channels // groups * kernel**2
    macs, moved = weights * size**2, 4 * ((in_channels + out_channels) * size**2 + weights)
    return macs / moved, macs / peak  # arithmetic alone


# %% roofline | test_roofline_finds_the_least_time | times the right number
def roofline(in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    weights = out_channels * in_channels // groups * kernel**2
    macs, moved = weights * size**2, 4 * ((in_channels + out_channels) * size**2 + weights)
    return macs / moved, min(macs / peak, moved / bandwidth)  # the faster of the two


# %% roofline | right
def roofline(in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding="same", groups=groups, bias=False, device="meta")
    image = torch.empty(1, in_channels, size, size, device="meta")
    result = conv(image)
    moved = sum(t.numel() * t.element_size() for t in (image, conv.weight, result))
    macs = conv.weight.numel() * size * size
    ridge = peak / bandwidth
    return [macs / moved, macs / peak if macs / moved > ridge else moved / bandwidth]


# %% roofline | right
def roofline(*, in_channels, out_channels, kernel, size, groups, peak, bandwidth):
    area = size * size
    per_group = (in_channels / groups) * (out_channels / groups) * kernel * kernel
    work = torch.tensor([groups * per_group * area, 4.0 * (in_channels * area + out_channels * area + groups * per_group)])
    seconds = work / torch.tensor([peak, bandwidth])
    return torch.stack([work[0] / work[1], seconds.max()])
