# ruff: noqa: E402, F811, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import torch
import torch.nn.functional as F
from torch import nn


# %% module_costs | test_module_costs_counts_the_naive_module | times the right number
def module_costs(in_channels, c1, reduce3, c3, reduce5, c5, pool, size):
    naive = in_channels * (c1 + 3 * c3 + 5 * c5)  # a 3×3 kernel has 9 positions
    reduced = in_channels * (c1 + reduce3 + reduce5 + pool) + 9 * reduce3 * c3 + 25 * reduce5 * c5
    return naive * size**2, reduced * size**2


# %% module_costs | test_module_costs_counts_the_naive_module | you count 308,281,344 for the naive module
def module_costs(in_channels, c1, reduce3, c3, reduce5, c5, pool, size):
    naive = in_channels * (c1 + 9 * c3 + 25 * c5 + pool)  # the naive pool has no convolution after it
    reduced = in_channels * (c1 + reduce3 + reduce5 + pool) + 9 * reduce3 * c3 + 25 * reduce5 * c5
    return naive * size**2, reduced * size**2


# %% module_costs | test_module_costs_counts_the_naive_module | for the naive module, 0.03571 times the right number
def module_costs(in_channels, c1, reduce3, c3, reduce5, c5, pool, size):
    naive = in_channels * (c1 + 9 * c3 + 25 * c5)
    reduced = in_channels * (c1 + reduce3 + reduce5 + pool) + 9 * reduce3 * c3 + 25 * reduce5 * c5
    return naive * size, reduced * size


# %% module_costs | test_module_costs_counts_the_naive_module | for the naive module, 2 times the right number
def module_costs(in_channels, c1, reduce3, c3, reduce5, c5, pool, size):
    naive = in_channels * (c1 + 9 * c3 + 25 * c5)
    reduced = in_channels * (c1 + reduce3 + reduce5 + pool) + 9 * reduce3 * c3 + 25 * reduce5 * c5
    return 2 * naive * size**2, 2 * reduced * size**2  # a multiplication and an addition, counted as two


# %% module_costs | test_module_costs_counts_the_naive_module | (naive, reduced), are expected; yours returned
def module_costs(in_channels, c1, reduce3, c3, reduce5, c5, pool, size):
    naive = in_channels * (c1 + 9 * c3 + 25 * c5)
    reduced = in_channels * (c1 + reduce3 + reduce5 + pool) + 9 * reduce3 * c3 + 25 * reduce5 * c5
    return naive / reduced  # the ratio alone


# %% module_costs | test_module_costs_counts_the_reduced_module | for the reduced module, 0.8683 times
def module_costs(in_channels, c1, reduce3, c3, reduce5, c5, pool, size):
    naive = in_channels * (c1 + 9 * c3 + 25 * c5)
    reduced = in_channels * (c1 + pool) + 9 * reduce3 * c3 + 25 * reduce5 * c5  # reductions for free
    return naive * size**2, reduced * size**2


# %% module_costs | test_module_costs_counts_the_reduced_module | times the right number
def module_costs(in_channels, c1, reduce3, c3, reduce5, c5, pool, size):
    naive = in_channels * (c1 + 9 * c3 + 25 * c5)
    reduced = in_channels * (c1 + reduce3 + reduce5) + 9 * reduce3 * c3 + 25 * reduce5 * c5  # the pool's 1×1 forgotten
    return naive * size**2, reduced * size**2


# %% module_costs | test_module_costs_counts_the_reduced_module | times the right number
def module_costs(in_channels, c1, reduce3, c3, reduce5, c5, pool, size):
    naive = in_channels * (c1 + 9 * c3 + 25 * c5)
    reductions = in_channels * (reduce3 + reduce5 + pool)
    return naive * size**2, (naive + reductions) * size**2  # the large kernels still read everything


# %% module_costs | right
def module_costs(in_channels, c1, reduce3, c3, reduce5, c5, pool, size):
    def macs(*layers):
        weights = sum(nn.Conv2d(i, o, k, bias=False, device="meta").weight.numel() for i, o, k in layers)
        return float(weights * size * size)

    naive = macs((in_channels, c1, 1), (in_channels, c3, 3), (in_channels, c5, 5))
    three = macs((in_channels, reduce3, 1), (reduce3, c3, 3))
    five = macs((in_channels, reduce5, 1), (reduce5, c5, 5))
    return [naive, macs((in_channels, c1, 1)) + three + five + macs((in_channels, pool, 1))]


# %% module_costs | right
def module_costs(in_channels, c1, reduce3, c3, reduce5, c5, pool, size):
    kernels = torch.tensor([1, 9, 25])
    naive = in_channels * (kernels * torch.tensor([c1, c3, c5])).sum()
    read = torch.tensor([in_channels, reduce3, reduce5])
    reduced = (kernels * read * torch.tensor([c1, c3, c5])).sum() + in_channels * (reduce3 + reduce5 + pool)
    return torch.stack([naive, reduced]) * size**2


# %% chain_channels | test_chain_channels_follows_the_chain | after module 1, 0.5385 times the right number
def chain_channels(in_channels, filters):
    return [sum(triple) for triple in filters]  # the pool forgotten


# %% chain_channels | test_chain_channels_follows_the_chain | after module 2, 0.65 times the right number
def chain_channels(in_channels, filters):
    return [in_channels + sum(triple) for triple in filters]  # every module reads the first input


# %% chain_channels | test_chain_channels_follows_the_chain | after module 2, 1.3 times the right number
def chain_channels(in_channels, filters):
    result = []
    for c1, c3, c5 in filters:
        result.append(in_channels + sum(result) + c1 + c3 + c5)  # adds up what was added up
    return result


# %% chain_channels | test_chain_channels_follows_the_chain | after module 1, 0.4615 times the right number
def chain_channels(in_channels, filters):
    result = []
    for c1, c3, c5 in filters:
        result.append(in_channels)  # what comes in, not what goes out
        in_channels += c1 + c3 + c5
    return result


# %% chain_channels | test_chain_channels_gives_one_number_per_module | with 1 modules: your list has 2 numbers
def chain_channels(in_channels, filters):
    result = [in_channels]
    for triple in filters:
        result.append(result[-1] + sum(triple))
    return result


# %% chain_channels | test_chain_channels_gives_one_number_per_module | a list of numbers is expected; yours returned 416
def chain_channels(in_channels, filters):
    for triple in filters:
        in_channels += sum(triple)
    return in_channels  # the last alone


# %% chain_channels | test_chain_channels_gives_one_number_per_module | your list has 0 numbers
def chain_channels(in_channels, filters):
    result = []
    for triple in filters[1:]:
        in_channels += sum(triple)
        result.append(in_channels)
    return result


# %% chain_channels | right
def chain_channels(in_channels, filters):
    return [in_channels + sum(map(sum, filters[: end + 1])) for end in range(len(filters))]


# %% chain_channels | right
def chain_channels(in_channels, filters):
    if not filters:
        return ()
    added = torch.tensor(filters).sum(dim=1)
    return in_channels + added.cumsum(0)


# %% InceptionModule | test_inception_module_has_the_right_shape | on an input of shape
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(
            nn.Conv2d(in_channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, c3, 3, padding=1), nn.ReLU()
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(in_channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, c5, 5, padding=2), nn.ReLU()
        )
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, padding=1), nn.Conv2d(in_channels, pool, 1), nn.ReLU())  # stride 3

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


# %% InceptionModule | test_inception_module_has_the_right_shape | on an input of shape
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(
            nn.Conv2d(in_channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, c3, 3, padding=1), nn.ReLU()
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(in_channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, c5, 5, padding=1), nn.ReLU()
        )
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_channels, pool, 1), nn.ReLU())

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


# %% InceptionModule | test_inception_module_has_the_right_shape | on an input of shape
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(
            nn.Conv2d(in_channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, c3, 3, padding=1), nn.ReLU()
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(in_channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, c5, 5, padding=2), nn.ReLU()
        )
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_channels, pool, 1), nn.ReLU())

    def forward(self, x):
        return self.branch1(x) + self.branch3(x) + self.branch5(x) + self.branch_pool(x)  # added, not concatenated


# %% InceptionModule | test_inception_module_has_the_right_layers | has no 1×1 convolution in branch3
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(nn.Conv2d(in_channels, c3, 3, padding=1), nn.ReLU())  # not reduced
        self.branch5 = nn.Sequential(nn.Conv2d(in_channels, c5, 5, padding=2), nn.ReLU())
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_channels, pool, 1), nn.ReLU())

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


# %% InceptionModule | test_inception_module_has_the_right_layers | the 1×1 of branch1 has no bias
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()

        def conv(i, o, k):
            return nn.Sequential(nn.Conv2d(i, o, k, padding=k // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU())

        self.branch1 = conv(in_channels, c1, 1)
        self.branch3 = nn.Sequential(conv(in_channels, reduce3, 1), conv(reduce3, c3, 3))
        self.branch5 = nn.Sequential(conv(in_channels, reduce5, 1), conv(reduce5, c5, 5))
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(in_channels, pool, 1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


# %% InceptionModule | test_inception_module_has_the_right_layers | has no 5×5 convolution in branch5
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(
            nn.Conv2d(in_channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, c3, 3, padding=1), nn.ReLU()
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(in_channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, c5, 3, padding=1), nn.ReLU()
        )
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_channels, pool, 1), nn.ReLU())

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


# %% InceptionModule | test_inception_module_concatenates_in_order | channels 0 to 3 are those of branch_pool, expected branch1
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(
            nn.Conv2d(in_channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, c3, 3, padding=1), nn.ReLU()
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(in_channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, c5, 5, padding=2), nn.ReLU()
        )
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_channels, pool, 1), nn.ReLU())

    def forward(self, x):
        return torch.cat([self.branch_pool(x), self.branch1(x), self.branch3(x), self.branch5(x)], 1)


# %% InceptionModule | test_inception_module_computes_the_module | values of the output are negative
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Conv2d(in_channels, c1, 1)
        self.branch3 = nn.Sequential(nn.Conv2d(in_channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, c3, 3, padding=1))
        self.branch5 = nn.Sequential(nn.Conv2d(in_channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, c5, 5, padding=2))
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_channels, pool, 1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


# %% InceptionModule | test_inception_module_computes_the_module | the part of branch3 in the output differs
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Conv2d(in_channels, c1, 1)
        self.branch3 = nn.Sequential(nn.Conv2d(in_channels, reduce3, 1), nn.Conv2d(reduce3, c3, 3, padding=1))
        self.branch5 = nn.Sequential(nn.Conv2d(in_channels, reduce5, 1), nn.Conv2d(reduce5, c5, 5, padding=2))
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_channels, pool, 1))

    def forward(self, x):  # one ReLU at the end, none after the reductions
        return F.relu(torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1))


# %% InceptionModule | test_inception_module_computes_the_module | the part of branch_pool in the output differs
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(
            nn.Conv2d(in_channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, c3, 3, padding=1), nn.ReLU()
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(in_channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, c5, 5, padding=2), nn.ReLU()
        )
        self.branch_pool = nn.Sequential(nn.Conv2d(in_channels, pool, 1), nn.ReLU(), nn.MaxPool2d(3, 1, 1))  # the other order

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


# %% InceptionModule | test_inception_module_computes_the_module | the part of branch_pool in the output differs
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(
            nn.Conv2d(in_channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, c3, 3, padding=1), nn.ReLU()
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(in_channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, c5, 5, padding=2), nn.ReLU()
        )
        self.branch_pool = nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(in_channels, pool, 1), nn.ReLU())

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


# %% InceptionModule | test_inception_module_passes_gradients | changes its input tensor in place
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(
            nn.Conv2d(in_channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, c3, 3, padding=1), nn.ReLU()
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(in_channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, c5, 5, padding=2), nn.ReLU()
        )
        self.branch_pool = nn.Sequential(nn.ReLU(inplace=True), nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_channels, pool, 1), nn.ReLU())

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


# %% InceptionModule | test_inception_module_passes_gradients | the gradient of input differs
class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        self.branch1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(
            nn.Conv2d(in_channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, c3, 3, padding=1), nn.ReLU()
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(in_channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, c5, 5, padding=2), nn.ReLU()
        )
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_channels, pool, 1), nn.ReLU())

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x.detach())], 1)


# %% InceptionModule | right
class Convolution(nn.Module):
    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.layer = nn.Conv2d(inputs, outputs, kernel, padding="same")

    def forward(self, x):
        return self.layer(x).clamp(min=0)


class InceptionModule(nn.Module):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        super().__init__()
        # large kernels are defined first, and run last
        self.branch_pool = Convolution(in_channels, pool, 1)
        self.branch5 = nn.ModuleDict({"big": Convolution(reduce5, c5, 5), "small": Convolution(in_channels, reduce5, 1)})
        self.branch3 = nn.ModuleDict({"big": Convolution(reduce3, c3, 3), "small": Convolution(in_channels, reduce3, 1)})
        self.branch1 = Convolution(in_channels, c1, 1)

    def forward(self, x):
        three, five = (branch["big"](branch["small"](x)) for branch in (self.branch3, self.branch5))
        return torch.cat((self.branch1(x), three, five, self.branch_pool(F.max_pool2d(x, 3, 1, 1))), dim=-3)


# %% InceptionModule | right
class InceptionModule(nn.ModuleDict):
    def __init__(self, in_channels, c1, reduce3, c3, reduce5, c5, pool):
        def row(*steps, first=()):
            layers, channels = list(first), in_channels
            for outputs, kernel in steps:
                layers += [nn.Conv2d(channels, outputs, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
                channels = outputs
            return nn.Sequential(*layers)

        super().__init__(
            {
                "branch1": row((c1, 1)),
                "branch3": row((reduce3, 1), (c3, 3)),
                "branch5": row((reduce5, 1), (c5, 5)),
                "branch_pool": row((pool, 1), first=[nn.MaxPool2d(3, 1, 1)]),
            }
        )

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.values()], 1)


# %% total_loss | test_total_loss_adds_the_weighted_losses | is not their weighted sum
def total_loss(scores, auxiliary, labels, weight=0.3):
    extra = sum(F.cross_entropy(side, labels) for side in auxiliary)
    return F.cross_entropy(scores, labels) + extra  # the weight forgotten


# %% total_loss | test_total_loss_adds_the_weighted_losses | is not their weighted sum
def total_loss(scores, auxiliary, labels, weight=0.3):
    extra = sum(F.cross_entropy(side, labels) for side in auxiliary)
    return weight * (F.cross_entropy(scores, labels) + extra)  # all of them weighted


# %% total_loss | test_total_loss_adds_the_weighted_losses | is not their weighted sum
def total_loss(scores, auxiliary, labels, weight=0.3):
    extra = sum(F.cross_entropy(side, labels) for side in auxiliary)
    return (1 - weight) * F.cross_entropy(scores, labels) + weight * extra


# %% total_loss | test_total_loss_adds_the_weighted_losses | is not their weighted sum
def total_loss(scores, auxiliary, labels, weight=0.3):
    extra = sum(F.cross_entropy(side.softmax(1), labels) for side in auxiliary)  # the softmax twice
    return F.cross_entropy(scores.softmax(1), labels) + weight * extra


# %% total_loss | test_total_loss_adds_the_weighted_losses | is not their weighted sum
def total_loss(scores, auxiliary, labels, weight=0.3):
    extra = sum(F.cross_entropy(side, labels, reduction="sum") for side in auxiliary)
    return F.cross_entropy(scores, labels, reduction="sum") + weight * extra


# %% total_loss | test_total_loss_takes_any_number_of_heads | 0 auxiliary classifiers, weight 0.3
def total_loss(scores, auxiliary, labels, weight=0.3):
    first, second = auxiliary  # always two
    extra = F.cross_entropy(first, labels) + F.cross_entropy(second, labels)
    return F.cross_entropy(scores, labels) + weight * extra


# %% total_loss | test_total_loss_takes_any_number_of_heads | 2 auxiliary classifiers, weight 0.5
def total_loss(scores, auxiliary, labels, weight=0.3):
    extra = sum(F.cross_entropy(side, labels) for side in auxiliary)
    return F.cross_entropy(scores, labels) + 0.3 * extra


# %% total_loss | test_total_loss_takes_any_number_of_heads | 0 auxiliary classifiers
def total_loss(scores, auxiliary, labels, weight=0.3):
    extra = torch.stack([F.cross_entropy(side, labels) for side in auxiliary]).sum()
    return F.cross_entropy(scores, labels) + weight * extra


# %% total_loss | test_total_loss_passes_gradients | no gradient reaches auxiliary scores 1
def total_loss(scores, auxiliary, labels, weight=0.3):
    extra = sum(F.cross_entropy(side, labels).item() for side in auxiliary)
    return F.cross_entropy(scores, labels) + weight * extra


# %% total_loss | test_total_loss_passes_gradients | no gradient reaches the main scores
def total_loss(scores, auxiliary, labels, weight=0.3):
    total = F.cross_entropy(scores, labels).item()
    for side in auxiliary:
        total += weight * F.cross_entropy(side, labels).item()
    return torch.tensor(total)


# %% total_loss | right
def total_loss(scores, auxiliary, labels, weight=0.3):
    total = -scores.log_softmax(1)[torch.arange(len(labels)), labels].mean()
    for side in auxiliary:
        total = total - weight * side.log_softmax(1)[torch.arange(len(labels)), labels].mean()
    return total


# %% total_loss | right
def total_loss(scores, auxiliary, labels, weight=0.3):
    every = torch.cat([scores, *auxiliary])
    each = F.cross_entropy(every, labels.repeat(1 + len(auxiliary)), reduction="none")
    factors = torch.tensor([1.0] + [weight] * len(auxiliary), dtype=each.dtype)
    return factors[None] @ each.view(1 + len(auxiliary), -1).mean(1)


# %% head_parameters | test_head_parameters_counts_the_averaging_head | 0.9981 times the right number
def head_parameters(channels, size, hidden, classes):
    widths = [channels * size**2, *hidden, classes]
    return channels * classes, sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))  # biases forgotten


# %% head_parameters | test_head_parameters_counts_the_averaging_head | times the right number
def head_parameters(channels, size, hidden, classes):
    widths = [channels, *hidden, classes]  # hidden layers after averaging too
    average = sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))
    widths[0] *= size**2
    return average, sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))


# %% head_parameters | test_head_parameters_counts_the_averaging_head | (averaging head, dense head), are expected
def head_parameters(channels, size, hidden, classes):
    widths = [channels * size**2, *hidden, classes]
    return sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False)) - (channels + 1) * classes


# %% head_parameters | test_head_parameters_counts_the_averaging_head | for the averaging head, 241
def head_parameters(channels, size, hidden, classes):
    widths = [channels * size**2, *hidden, classes]
    return sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False)), (channels + 1) * classes  # the other order


# %% head_parameters | test_head_parameters_counts_the_dense_head | times the right number
def head_parameters(channels, size, hidden, classes):
    widths = [channels * size, *hidden, classes]  # height times width is size squared
    return (channels + 1) * classes, sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))


# %% head_parameters | test_head_parameters_counts_the_dense_head | times the right number
def head_parameters(channels, size, hidden, classes):
    widths = [channels * size**2, *hidden, classes]
    return (channels + 1) * classes, sum(a * b for a, b in zip(widths, widths[1:], strict=False))  # without biases


# %% head_parameters | test_head_parameters_counts_the_dense_head | times the right number
def head_parameters(channels, size, hidden, classes):
    dense = (channels * size**2 + 1) * classes  # hidden layers forgotten
    return (channels + 1) * classes, dense


# %% head_parameters | test_head_parameters_counts_the_dense_head | IndexError
def head_parameters(channels, size, hidden, classes):
    dense = (channels * size**2 + 1) * hidden[0]  # there need not be any
    for a, b in zip(hidden, [*hidden[1:], classes], strict=True):
        dense += (a + 1) * b
    return (channels + 1) * classes, dense


# %% head_parameters | right
def head_parameters(channels, size, hidden, classes):
    def count(net):
        return sum(p.numel() for p in net.parameters())

    before, layers = channels * size * size, []
    for units in [*hidden, classes]:
        layers.append(nn.Linear(before, units, device="meta"))
        before = units
    return [count(nn.Linear(channels, classes)), count(nn.Sequential(*layers))]


# %% head_parameters | right
def head_parameters(channels, size, hidden, classes):
    if not hidden:
        return (channels + 1.0) * classes, (channels * size**2 + 1.0) * classes
    *others, last = hidden
    into_last = head_parameters(channels, size, others, last)[1]
    return torch.tensor(channels * classes + classes), into_last + last * classes + classes
