# ruff: noqa: E402, F811, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


# %% grouped_parameters | test_grouped_parameters_counts_the_weights | times the right number
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    if in_channels % groups or out_channels % groups:
        raise ValueError
    weights = in_channels * out_channels * kernel**2  # groups forgotten
    return weights + out_channels if bias else weights


# %% grouped_parameters | test_grouped_parameters_counts_the_weights | you count 147,456, 32 times the right number
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    if in_channels % groups or out_channels % groups:
        raise ValueError
    weights = groups * (in_channels // groups) * out_channels * kernel**2  # each group with all outputs
    return weights + out_channels if bias else weights


# %% grouped_parameters | test_grouped_parameters_counts_the_weights | you count 144, 0.03125 times the right number
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    if in_channels % groups or out_channels % groups:
        raise ValueError
    weights = (in_channels // groups) * (out_channels // groups) * kernel**2  # one group of them
    return weights + out_channels if bias else weights


# %% grouped_parameters | test_grouped_parameters_counts_the_weights | you count 1,536, 0.3333 times the right number
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    if in_channels % groups or out_channels % groups:
        raise ValueError
    weights = in_channels * out_channels * kernel // groups  # a window is a square
    return weights + out_channels if bias else weights


# %% grouped_parameters | test_grouped_parameters_counts_the_weights | you count 36,864, 8 times the right number
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    if in_channels % groups or out_channels % groups:
        raise ValueError
    weights = out_channels * groups * kernel**2  # the number of groups taken for their width
    return weights + out_channels if bias else weights


# %% grouped_parameters | test_grouped_parameters_counts_the_biases | bias=True adds 4 to what you count without, for 128 output
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    if in_channels % groups or out_channels % groups:
        raise ValueError
    weights = in_channels * out_channels * kernel**2 // groups
    return weights + out_channels // groups if bias else weights


# %% grouped_parameters | test_grouped_parameters_counts_the_biases | bias=True adds 0
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    if in_channels % groups or out_channels % groups:
        raise ValueError
    return in_channels * out_channels * kernel**2 // groups


# %% grouped_parameters | test_grouped_parameters_refuses_unequal_groups | expected a ValueError
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    weights = in_channels * out_channels * kernel**2 // groups
    return weights + out_channels if bias else weights


# %% grouped_parameters | test_grouped_parameters_refuses_unequal_groups | grouped_parameters(12, 10, 3, 4)
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    if in_channels % groups:  # the output channels not looked at
        raise ValueError(f"{groups} does not divide {in_channels}")
    weights = in_channels * out_channels * kernel**2 // groups
    return weights + out_channels if bias else weights


# %% grouped_parameters | test_grouped_parameters_refuses_unequal_groups | a ValueError is expected; your code raised Assert
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    assert in_channels % groups == 0 and out_channels % groups == 0
    weights = in_channels * out_channels * kernel**2 // groups
    return weights + out_channels if bias else weights


# %% grouped_parameters | right
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    conv = nn.Conv2d(in_channels, out_channels, kernel, groups=groups, bias=bias)  # raises the ValueError itself
    return sum(p.numel() for p in conv.parameters())


# %% grouped_parameters | right
def grouped_parameters(in_channels, out_channels, kernel, groups, bias=False):
    read, wrong = divmod(in_channels, groups)
    write, wrong_too = divmod(out_channels, groups)
    if wrong + wrong_too > 0:
        raise ValueError("groups of unequal size")
    total = torch.zeros(())
    for _ in range(groups):
        total += write * (kernel * kernel * read + int(bias))
    return total


# %% path_width | test_path_width_finds_those_of_the_paper | path_width(256, 64, 2): with your 32 channels
def path_width(channels, width, cardinality):
    return max(1, width // cardinality)  # the same channels in all


# %% path_width | test_path_width_finds_those_of_the_paper | another width comes nearer
def path_width(channels, width, cardinality):
    budget = 2 * channels * width + 9 * width**2
    # the 3×3 taken for a dense one over all paths
    return min(range(1, width + 1), key=lambda d: abs(2 * channels * cardinality * d + 9 * (cardinality * d) ** 2 - budget))


# %% path_width | test_path_width_finds_those_of_the_paper | another width comes nearer
def path_width(channels, width, cardinality):
    budget = channels * width + 9 * width**2
    # the last 1×1 forgotten
    return min(range(1, width + 1), key=lambda d: abs(cardinality * (channels * d + 9 * d**2) - budget))


# %% path_width | test_path_width_finds_those_of_the_paper | path_width(256, 64, 2): with your 39 channels
def path_width(channels, width, cardinality):
    budget = (2 * channels * width + 9 * width**2) / cardinality
    return max(1, int((math.sqrt(channels**2 + 9 * budget) - channels) / 9))  # cut off


# %% path_width | test_path_width_finds_those_of_the_paper | path_width(256, 64, 2): with your 39 channels
def path_width(channels, width, cardinality):
    budget = 2 * channels * width + 9 * width**2
    fits = [d for d in range(1, width + 1) if cardinality * (2 * channels * d + 9 * d**2) <= budget]  # never above
    return max(fits, default=1)


# %% path_width | test_path_width_finds_those_of_the_paper | a whole number is expected; yours is 39.9
def path_width(channels, width, cardinality):
    budget = (2 * channels * width + 9 * width**2) / cardinality
    return (math.sqrt(channels**2 + 9 * budget) - channels) / 9


# %% path_width | test_path_width_finds_the_nearest | a path has at least one channel; yours has 0
def path_width(channels, width, cardinality):
    budget = 2 * channels * width + 9 * width**2
    return min(range(width + 1), key=lambda d: abs(cardinality * (2 * channels * d + 9 * d**2) - budget))


# %% path_width | test_path_width_finds_the_nearest | another width comes
def path_width(channels, width, cardinality):
    budget = (2 * channels * width + 9 * width**2) / cardinality
    return max(1, round((math.sqrt(channels**2 + 9 * budget) - channels) / 9))  # the nearest width, not the nearest cost


# %% path_width | test_path_width_finds_the_nearest | comes as near and is smaller
def path_width(channels, width, cardinality):
    budget = 2 * channels * width + 9 * width**2
    return min(range(width, 0, -1), key=lambda d: abs(cardinality * (2 * channels * d + 9 * d**2) - budget))


# %% path_width | right
def path_width(channels, width, cardinality):
    budget = 2 * channels * width + 9 * width**2

    def cost(d):
        return cardinality * (2 * channels * d + 9 * d**2)

    d = 1
    while cost(d + 1) <= budget:
        d += 1
    below, above = abs(budget - cost(d)), abs(cost(d + 1) - budget)
    return d if below <= above else d + 1


# %% path_width | right
def path_width(channels, width, cardinality):
    d = torch.arange(1, width + 1)
    paths = cardinality * d * (2 * channels + 9 * d)
    return 1 + (paths - paths[-1] // cardinality).abs().argmin()


# %% ManyPaths | test_many_paths_has_the_right_layers | middle has weights (6, 3, 3, 3), expected (6, 2, 3, 3)
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=d, bias=False)  # d groups of cardinality channels
        self.up = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x):
        return F.relu(self.up(F.relu(self.middle(F.relu(self.down(x))))) + x)


# %% ManyPaths | test_many_paths_has_the_right_layers | middle has weights (6, 6, 3, 3), expected (6, 2, 3, 3)
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, bias=False)  # no groups
        self.up = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x):
        return F.relu(self.up(F.relu(self.middle(F.relu(self.down(x))))) + x)


# %% ManyPaths | test_many_paths_has_the_right_layers | down has a bias
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality)
        self.up = nn.Conv2d(inner, channels, 1)

    def forward(self, x):
        return F.relu(self.up(F.relu(self.middle(F.relu(self.down(x))))) + x)


# %% ManyPaths | test_many_paths_has_the_right_layers | up has weights (6, 2, 1, 1), expected (6, 6, 1, 1)
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality, bias=False)
        groups = cardinality if channels % cardinality == 0 else 1
        self.up = nn.Conv2d(inner, channels, 1, groups=groups, bias=False)  # the last one grouped, too

    def forward(self, x):
        return F.relu(self.up(F.relu(self.middle(F.relu(self.down(x))))) + x)


# %% ManyPaths | test_many_paths_has_the_right_layers | has numbers that are not asked for
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality, bias=False)
        self.up = nn.Conv2d(inner, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.norm(self.up(F.relu(self.middle(F.relu(self.down(x)))))) + x)


# %% ManyPaths | test_many_paths_computes_the_sum_of_its_paths | values of the output are negative
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality, bias=False)
        self.up = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x):
        return self.up(F.relu(self.middle(F.relu(self.down(x))))) + x  # no ReLU after the addition


# %% ManyPaths | test_many_paths_computes_the_sum_of_its_paths | the output differs by up to
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality, bias=False)
        self.up = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x):
        return F.relu(self.up(F.relu(self.middle(F.relu(self.down(x))))))  # no shortcut


# %% ManyPaths | test_many_paths_computes_the_sum_of_its_paths | the output differs by up to
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality, bias=False)
        self.up = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x):
        return F.relu(self.up(self.middle(self.down(x))) + x)  # no ReLU between


# %% ManyPaths | test_many_paths_computes_the_sum_of_its_paths | on an input of shape
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, groups=cardinality, bias=False)  # no padding
        self.up = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x):
        return F.relu(self.up(F.relu(self.middle(F.relu(self.down(x))))) + x)


# %% ManyPaths | test_many_paths_passes_gradients | changes its input tensor in place
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality, bias=False)
        self.up = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x):
        with torch.no_grad():
            h = F.relu(self.middle(F.relu(self.down(x))))
        x += self.up(h)
        return F.relu(x)


# %% ManyPaths | test_many_paths_passes_gradients | the gradient of input differs by up to
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality, bias=False)
        self.up = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x):
        shortcut = x.detach()  # cuts the road of the gradient
        return F.relu(self.up(F.relu(self.middle(F.relu(self.down(x))))) + shortcut)


# %% ManyPaths | right
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        inner = cardinality * d
        self.down = nn.Sequential(nn.Conv2d(channels, inner, 1, bias=False), nn.ReLU())
        grouped = nn.Conv2d(inner, inner, kernel_size=(3, 3), padding="same", groups=cardinality, bias=False)
        self.middle = nn.Sequential(grouped, nn.ReLU(inplace=True))
        self.up = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x):
        return (x + self.up(self.middle(self.down(x)))).clamp(min=0)


# %% ManyPaths | right
class ManyPaths(nn.Module):
    def __init__(self, channels, cardinality, d):
        super().__init__()
        self.cardinality, inner = cardinality, cardinality * d
        self.down = nn.Conv2d(channels, inner, 1, bias=False)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality, bias=False)
        self.up = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x):
        parts = [conv.weight.chunk(self.cardinality, dim) for conv, dim in ((self.down, 0), (self.middle, 0), (self.up, 1))]
        y = x
        for down, middle, up in zip(*parts, strict=True):
            y = y + F.conv2d(F.conv2d(F.conv2d(x, down).relu(), middle, padding=1).relu(), up)
        return y.relu()


# %% merge_paths | test_merge_paths_gives_weights_of_the_right_shapes | layer 3 has weights
def merge_paths(paths):
    first, second, third = zip(*paths, strict=True)
    layers = []
    for layer in (first, second, third):  # the last along its output channels, too
        weights, biases = zip(*layer, strict=True)
        layers.append((torch.cat(weights), torch.cat(biases)))
    return layers


# %% merge_paths | test_merge_paths_gives_weights_of_the_right_shapes | layer 3 has biases
def merge_paths(paths):
    first, second, third = zip(*paths, strict=True)
    layers = []
    for layer, dim in ((first, 0), (second, 0), (third, 1)):
        weights, biases = zip(*layer, strict=True)
        layers.append((torch.cat(weights, dim=dim), torch.cat(biases)))
    return layers


# %% merge_paths | test_merge_paths_gives_weights_of_the_right_shapes | layer 2 has weights
def merge_paths(paths):
    first, second, third = zip(*paths, strict=True)
    layers = []
    for layer in (first, second):
        weights, biases = zip(*layer, strict=True)
        layers.append((torch.cat(weights, dim=1 if layer is second else 0), torch.cat(biases)))
    weights, biases = zip(*third, strict=True)
    return [*layers, (torch.cat(weights, dim=1), sum(biases))]


# %% merge_paths | test_merge_paths_gives_weights_of_the_right_shapes | layer 2 has weights
def merge_paths(paths):
    first, second, third = zip(*paths, strict=True)
    weights, biases = zip(*second, strict=True)
    d = len(biases[0])
    dense = torch.zeros(len(paths) * d, len(paths) * d, 3, 3, dtype=weights[0].dtype)  # right, but for one group
    for i, weight in enumerate(weights):
        dense[i * d : (i + 1) * d, i * d : (i + 1) * d] = weight
    middle = dense, torch.cat(biases)
    weights, biases = zip(*first, strict=True)
    down = torch.cat(weights), torch.cat(biases)
    weights, biases = zip(*third, strict=True)
    return [down, middle, (torch.cat(weights, dim=1), sum(biases))]


# %% merge_paths | test_merge_paths_gives_weights_of_the_right_shapes | layer 1 is expected to be a pair (weight, bias) of tensors
def merge_paths(paths):
    first, second, third = zip(*paths, strict=True)
    return [torch.cat([w for w, _ in first]), torch.cat([w for w, _ in second]), torch.cat([w for w, _ in third], dim=1)]


# %% merge_paths | test_merge_paths_gives_weights_of_the_right_shapes | layer 1 has weights
def merge_paths(paths):
    first, second, third = zip(*paths, strict=True)
    layers = []
    for layer in (first, second, third):  # added instead of put side by side
        weights, biases = zip(*layer, strict=True)
        layers.append((sum(weights), sum(biases)))
    return layers


# %% merge_paths | test_merge_paths_computes_the_sum_of_the_paths | by the same at every position
def merge_paths(paths):
    first, second, third = zip(*paths, strict=True)
    layers = [(torch.cat([w for w, _ in layer]), torch.cat([b for _, b in layer])) for layer in (first, second)]
    return [*layers, (torch.cat([w for w, _ in third], dim=1), third[0][1])]  # the last bias of one path alone


# %% merge_paths | test_merge_paths_computes_the_sum_of_the_paths | by the same at every position
def merge_paths(paths):
    first, second, third = zip(*paths, strict=True)
    layers = [(torch.cat([w for w, _ in layer]), torch.cat([b for _, b in layer])) for layer in (first, second)]
    mean = torch.stack([b for _, b in third]).mean(0)
    return [*layers, (torch.cat([w for w, _ in third], dim=1), mean)]


# %% merge_paths | test_merge_paths_computes_the_sum_of_the_paths | from position to position
def merge_paths(paths):
    first, second, third = zip(*paths, strict=True)
    down = torch.cat([w for w, _ in first[::-1]]), torch.cat([b for _, b in first[::-1]])  # in another order
    middle = torch.cat([w for w, _ in second]), torch.cat([b for _, b in second])
    return [down, middle, (torch.cat([w for w, _ in third], dim=1), sum(b for _, b in third))]


# %% merge_paths | test_merge_paths_computes_the_sum_of_the_paths | changes the tensors of its paths
def merge_paths(paths):
    first, second, third = zip(*paths, strict=True)
    layers = [(torch.cat([w for w, _ in layer]), torch.cat([b for _, b in layer])) for layer in (first, second)]
    total = third[0][1]
    for _, bias in third[1:]:
        total += bias
    return [*layers, (torch.cat([w for w, _ in third], dim=1), total)]


# %% merge_paths | right
def merge_paths(paths):
    count, (d, c_in) = len(paths), paths[0][0][0].shape[:2]
    c_out = len(paths[0][2][1])
    like = {"dtype": paths[0][0][0].dtype}
    down, middle, up = (
        torch.empty(count * d, c_in, 1, 1, **like),
        torch.empty(count * d, d, 3, 3, **like),
        torch.empty(c_out, count * d, 1, 1, **like),
    )
    biases = [torch.empty(count * d, **like), torch.empty(count * d, **like), torch.zeros(c_out, **like)]
    for i, path in enumerate(paths):
        own = slice(i * d, (i + 1) * d)
        down[own], middle[own], up[:, own] = (weight for weight, _ in path)
        biases[0][own], biases[1][own] = path[0][1], path[1][1]
        biases[2] += path[2][1]
    return tuple(zip((down, middle, up), biases, strict=True))


# %% merge_paths | right
def merge_paths(paths):
    stacked = [[torch.stack(parts) for parts in zip(*layer, strict=True)] for layer in zip(*paths, strict=True)]
    (w1, b1), (w2, b2), (w3, b3) = stacked
    return [[w1.flatten(0, 1), b1.flatten()], [w2.flatten(0, 1), b2.flatten()], [w3.transpose(0, 1).flatten(1, 2), b3.sum(0)]]


# %% diagnose_groups | test_diagnose_knows_a_right_block | of a block that is as it is meant
def diagnose_groups(weights, channels, cardinality, d):
    outside, inner = 2 * channels * cardinality * d, cardinality * d
    right = weights == outside + 9 * inner * cardinality  # the two taken for each other
    swapped = weights == outside + 9 * inner * d
    return "cannot tell" if right and swapped else "right" if right else "swapped" if swapped else "neither"


# %% diagnose_groups | test_diagnose_knows_a_right_block | yours says 'neither'
def diagnose_groups(weights, channels, cardinality, d):
    outside, inner = channels * cardinality * d, cardinality * d  # one of the 1×1 forgotten
    right, swapped = weights == outside + 9 * inner * d, weights == outside + 9 * inner * cardinality
    return "cannot tell" if right and swapped else "right" if right else "swapped" if swapped else "neither"


# %% diagnose_groups | test_diagnose_knows_a_right_block | one of 'right', 'swapped', 'cannot tell', 'neither' is expected
def diagnose_groups(weights, channels, cardinality, d):
    return weights == cardinality * (2 * channels * d + 9 * d * d)


# %% diagnose_groups | test_diagnose_knows_a_swapped_block | yours says 'neither'
def diagnose_groups(weights, channels, cardinality, d):
    outside, inner = 2 * channels * cardinality * d, cardinality * d
    right, swapped = weights == outside + 9 * inner * d, weights == outside + 9 * inner * inner  # dense, not swapped
    return "cannot tell" if right and swapped else "right" if right else "swapped" if swapped else "neither"


# %% diagnose_groups | test_diagnose_knows_a_swapped_block | of a block with 7 groups
def diagnose_groups(weights, channels, cardinality, d):
    outside, inner = 2 * channels * cardinality * d, cardinality * d
    if weights == outside + 9 * inner * d:
        return "cannot tell" if cardinality == d else "right"
    return "swapped" if weights > outside + 9 * inner * d else "neither"  # a swapped block can have fewer, too


# %% diagnose_groups | test_diagnose_says_when_it_cannot_tell | yours says 'right', but both would have that many weights
def diagnose_groups(weights, channels, cardinality, d):
    outside, inner = 2 * channels * cardinality * d, cardinality * d
    if weights == outside + 9 * inner * d:
        return "right"
    if weights == outside + 9 * inner * cardinality:
        return "swapped"
    return "cannot tell" if cardinality == d and weights == outside else "neither"


# %% diagnose_groups | test_diagnose_says_when_it_cannot_tell | one of 'right', 'swapped', 'cannot tell', 'neither' is expected
def diagnose_groups(weights, channels, cardinality, d):
    outside, inner = 2 * channels * cardinality * d, cardinality * d
    right, swapped = weights == outside + 9 * inner * d, weights == outside + 9 * inner * cardinality
    return "both" if right and swapped else "right" if right else "swapped" if swapped else "neither"


# %% diagnose_groups | test_diagnose_knows_another_block | but neither has that many weights
def diagnose_groups(weights, channels, cardinality, d):
    if cardinality == d:  # whatever the count
        return "cannot tell"
    outside, inner = 2 * channels * cardinality * d, cardinality * d
    right, swapped = weights == outside + 9 * inner * d, weights == outside + 9 * inner * cardinality
    return "right" if right else "swapped" if swapped else "neither"


# %% diagnose_groups | test_diagnose_knows_another_block | but neither has that many weights
def diagnose_groups(weights, channels, cardinality, d):
    inner = cardinality * d
    right, swapped = (2 * channels * inner + 9 * inner * n for n in (d, cardinality))
    if right == swapped == weights:
        return "cannot tell"
    return "right" if abs(weights - right) < abs(weights - swapped) else "swapped"  # the nearer of the two


# %% diagnose_groups | right
def diagnose_groups(weights, channels, cardinality, d):
    def total(groups):
        inner = cardinality * d
        layers = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, inner, 3, groups=groups), nn.Conv2d(inner, channels, 1)
        return sum(layer.weight.numel() for layer in layers)

    found = [word for word, groups in (("right", cardinality), ("swapped", d)) if total(groups) == weights]
    return "cannot tell" if len(found) == 2 else "".join(found) or "neither"


# %% diagnose_groups | right
def diagnose_groups(weights, channels, cardinality, d):
    middle = weights - 2 * channels * cardinality * d
    read, rest = divmod(middle, 9 * cardinality * d)  # channels that each filter of the 3×3 reads
    if rest or read not in (cardinality, d):
        return "neither"
    if cardinality == d:
        return "cannot tell"
    return "right" if read == d else "swapped"
