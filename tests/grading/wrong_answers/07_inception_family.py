# ruff: noqa: E402, F811, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import torch
import torch.nn.functional as F
from torch import nn


# %% factorised_weights | test_factorised_weights_counts_the_whole_kernel | for k×k, 0.01562 times the right number
def factorised_weights(channels, kernel):
    count = (kernel - 1) // 2
    return kernel**2 * channels, 9 * channels**2 * count, 2 * kernel * channels**2  # one filter


# %% factorised_weights | test_factorised_weights_counts_the_whole_kernel | times the right number
def factorised_weights(channels, kernel):
    count = (kernel - 1) // 2
    return kernel * channels**2, 9 * channels**2 * count, 2 * kernel * channels**2  # k×k has k² positions


# %% factorised_weights | test_factorised_weights_counts_the_whole_kernel | are expected; yours returned
def factorised_weights(channels, kernel):
    count = (kernel - 1) // 2
    return 9 * count / kernel**2, 2 / kernel  # the parts alone


# %% factorised_weights | test_factorised_weights_counts_the_stack | factorised_weights(64, 7): you count 73,728
def factorised_weights(channels, kernel):
    return kernel**2 * channels**2, 2 * 9 * channels**2, 2 * kernel * channels**2  # always two


# %% factorised_weights | test_factorised_weights_counts_the_stack | for the stack of 3×3, 1.5 times the right number
def factorised_weights(channels, kernel):
    count = -(-kernel // 2)  # rounded up
    return kernel**2 * channels**2, 9 * count * channels**2, 2 * kernel * channels**2


# %% factorised_weights | test_factorised_weights_counts_the_stack | times the right number
def factorised_weights(channels, kernel):
    count = kernel // 3
    return kernel**2 * channels**2, 9 * count * channels**2, 2 * kernel * channels**2


# %% factorised_weights | test_factorised_weights_counts_the_crossed_pair | for 1×k and k×1, 0.5 times the right number
def factorised_weights(channels, kernel):
    count = (kernel - 1) // 2
    return kernel**2 * channels**2, 9 * count * channels**2, kernel * channels**2  # one of the two


# %% factorised_weights | test_factorised_weights_counts_the_crossed_pair | for 1×k and k×1, 0.03125 times the right number
def factorised_weights(channels, kernel):
    count = (kernel - 1) // 2
    return kernel**2 * channels**2, 9 * count * channels**2, kernel * 2 * channels * 2  # each filter reads one channel


# %% factorised_weights | right
def factorised_weights(channels, kernel):
    def size(*layers):
        return sum(nn.Conv2d(channels, channels, layer, bias=False, device="meta").weight.numel() for layer in layers)

    return [float(size(kernel)), size(*[3] * (kernel // 2)), size((1, kernel), (kernel, 1))]


# %% factorised_weights | right
def factorised_weights(channels, kernel):
    stack, seen = 0, 1
    while seen < kernel:
        stack, seen = stack + (3 * channels) ** 2, seen + 2
    return torch.tensor([(kernel * channels) ** 2, stack, 2 * kernel * channels * channels])


# %% small_stack | test_small_stack_keeps_the_size | into
def small_stack(in_channels, out_channels, kernel):
    layers = [nn.Conv2d(in_channels, out_channels, 3)]  # no padding
    for _ in range((kernel - 3) // 2):
        layers += [nn.ReLU(), nn.Conv2d(out_channels, out_channels, 3)]
    return nn.Sequential(*layers)


# %% small_stack | test_small_stack_keeps_the_size | a module is expected; yours returned a list of 3 values
def small_stack(in_channels, out_channels, kernel):
    layers = [nn.Conv2d(in_channels, out_channels, 3, padding=1)]
    for _ in range((kernel - 3) // 2):
        layers += [nn.ReLU(), nn.Conv2d(out_channels, out_channels, 3, padding=1)]
    return layers


# %% small_stack | test_small_stack_has_the_right_layers | has 2 convolutions; with these it does not see exactly 7×7
def small_stack(in_channels, out_channels, kernel):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU(), nn.Conv2d(out_channels, out_channels, 3, padding=1)
    )


# %% small_stack | test_small_stack_has_the_right_layers | all kernels have to be 3×3
def small_stack(in_channels, out_channels, kernel):
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)  # the large kernel itself


# %% small_stack | test_small_stack_has_the_right_layers | convolution 1 has weights (3, 3, 3, 3), expected (5, 3, 3, 3)
def small_stack(in_channels, out_channels, kernel):
    layers = []
    for _ in range((kernel - 3) // 2):
        layers += [nn.Conv2d(in_channels, in_channels, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(in_channels, out_channels, 3, padding=1))


# %% small_stack | test_small_stack_has_the_right_layers | has no bias
def small_stack(in_channels, out_channels, kernel):
    layers = [nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)]
    for _ in range((kernel - 3) // 2):
        layers += [nn.ReLU(), nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)]
    return nn.Sequential(*layers)


# %% small_stack | test_small_stack_sees_as_far | one output sees 7×7 pixels, expected 5×5
def small_stack(in_channels, out_channels, kernel):
    layers = [nn.Conv2d(in_channels, out_channels, 3, padding=1)]
    for _ in range((kernel - 3) // 2):
        layers += [nn.ReLU(), nn.Conv2d(out_channels, out_channels, 3, padding=2, dilation=2)]
    return nn.Sequential(*layers)


# %% small_stack | test_small_stack_computes_the_stack | the output differs by up to
def small_stack(in_channels, out_channels, kernel):
    layers = [nn.Conv2d(in_channels, out_channels, 3, padding=1)]
    for _ in range((kernel - 3) // 2):
        layers += [nn.Conv2d(out_channels, out_channels, 3, padding=1)]  # nothing between them
    return nn.Sequential(*layers)


# %% small_stack | test_small_stack_computes_the_stack | gives no negative value
def small_stack(in_channels, out_channels, kernel):
    layers = [nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU()]
    for _ in range((kernel - 3) // 2):
        layers += [nn.Conv2d(out_channels, out_channels, 3, padding=1), nn.ReLU()]  # one after the last as well
    return nn.Sequential(*layers)


# %% small_stack | right
class Stack(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.steps = nn.ModuleList(nn.Conv2d(a, b, 3, padding="same") for a, b in zip(channels, channels[1:], strict=False))

    def forward(self, x):
        for i, step in enumerate(self.steps):
            x = step(torch.relu(x) if i else x)
        return x


def small_stack(in_channels, out_channels, kernel):
    return Stack([in_channels] + [out_channels] * (kernel // 2))


# %% small_stack | right
def small_stack(in_channels, out_channels, kernel):
    last = nn.Conv2d(in_channels if kernel == 3 else out_channels, out_channels, (3, 3), stride=1, padding=(1, 1))
    return last if kernel == 3 else nn.Sequential(small_stack(in_channels, out_channels, kernel - 2), nn.ReLU(), last)


# %% reduction_costs | test_reduction_costs_with_the_convolution_first | for convolution first, 0.25 times the right number
def reduction_costs(channels, size):
    half = 9 * channels * channels * (size // 2) ** 2
    return 2 * half, 2 * half, half  # as if the convolution ran after the pool


# %% reduction_costs | test_reduction_costs_with_the_convolution_first | for convolution first, 0.5 times the right number
def reduction_costs(channels, size):
    half = 9 * channels * channels * (size // 2) ** 2
    return 4 * half, 2 * half, half  # half of the filters


# %% reduction_costs | test_reduction_costs_with_the_convolution_first | are expected; yours returned
def reduction_costs(channels, size):
    return {"convolution first": 8, "pool first": 2, "side by side": 1}


# %% reduction_costs | test_reduction_costs_with_the_pool_first | for pool first, 2 times the right number
def reduction_costs(channels, size):
    full = 9 * channels * 2 * channels * size**2
    return full, full // 2, full // 8  # half the side is a quarter of the positions


# %% reduction_costs | test_reduction_costs_with_the_pool_first | for pool first, 0.5 times the right number
def reduction_costs(channels, size):
    half = 9 * channels * channels * (size // 2) ** 2
    return 8 * half, half, half


# %% reduction_costs | test_reduction_costs_side_by_side | for side by side, 2 times the right number
def reduction_costs(channels, size):
    half = 9 * channels * channels * (size // 2) ** 2
    return 8 * half, 2 * half, 2 * half  # the pool's channels computed as well


# %% reduction_costs | test_reduction_costs_side_by_side | for side by side, 4 times the right number
def reduction_costs(channels, size):
    half = 9 * channels * channels * (size // 2) ** 2
    return 8 * half, 2 * half, 4 * half  # stride 2 overlooked


# %% reduction_costs | test_reduction_costs_side_by_side | times the right number
def reduction_costs(channels, size):
    half = channels * channels * (size // 2) ** 2
    return 8 * 9 * half, 2 * 9 * half, 9 * half + 9 * channels * (size // 2) ** 2  # the pool counted


# %% reduction_costs | right
def reduction_costs(channels, size):
    def macs(out_channels, side):
        return float(nn.Conv2d(channels, out_channels, 3, bias=False, device="meta").weight.numel() * side * side)

    return [macs(2 * channels, size), macs(2 * channels, size / 2), macs(channels, size / 2)]


# %% reduction_costs | right
def reduction_costs(channels, size):
    return torch.tensor([72, 18, 9]) * (channels * size // 2) ** 2


# %% smoothed_loss | test_smoothed_loss_spreads_the_label | your loss of
def smoothed_loss(scores, labels, epsilon=0.1):
    return F.cross_entropy(scores, labels)  # no smoothing


# %% smoothed_loss | test_smoothed_loss_spreads_the_label | your loss of
def smoothed_loss(scores, labels, epsilon=0.1):
    logs, classes = scores.log_softmax(1), scores.shape[1]
    wanted = torch.full_like(logs, epsilon / (classes - 1))  # the share of the true class given to the others
    wanted.scatter_(1, labels[:, None], 1 - epsilon)
    return -(wanted * logs).sum(1).mean()


# %% smoothed_loss | test_smoothed_loss_spreads_the_label | your loss of
def smoothed_loss(scores, labels, epsilon=0.1):
    logs, classes = scores.log_softmax(1), scores.shape[1]
    wanted = F.one_hot(labels, classes) + epsilon / classes  # adds up to more than 1
    return -(wanted * logs).sum(1).mean()


# %% smoothed_loss | test_smoothed_loss_spreads_the_label | times the right number
def smoothed_loss(scores, labels, epsilon=0.1):
    logs, classes = scores.log_softmax(1), scores.shape[1]
    wanted = (1 - epsilon) * F.one_hot(labels, classes) + epsilon / classes
    return -(wanted * logs).mean()  # over the classes too


# %% smoothed_loss | test_smoothed_loss_spreads_the_label | one number for the whole batch is expected
def smoothed_loss(scores, labels, epsilon=0.1):
    logs, classes = scores.log_softmax(1), scores.shape[1]
    wanted = (1 - epsilon) * F.one_hot(labels, classes) + epsilon / classes
    return -(wanted * logs).sum(1)


# %% smoothed_loss | test_smoothed_loss_stands_the_extremes | is not right
def smoothed_loss(scores, labels, epsilon=0.1):
    classes = scores.shape[1]
    wanted = (1 - epsilon) * F.one_hot(labels, classes) + epsilon / classes
    return -(wanted * torch.log(torch.softmax(scores, 1))).sum(1).mean()  # the logarithm of 0


# %% smoothed_loss | test_smoothed_loss_passes_gradients | (yours is 0 everywhere)
def smoothed_loss(scores, labels, epsilon=0.1):
    logs, classes = scores.log_softmax(1), scores.shape[1]
    wanted = (1 - epsilon) * F.one_hot(labels, classes) + epsilon / classes
    return torch.tensor(-(wanted * logs).sum(1).mean().item())


# %% smoothed_loss | test_smoothed_loss_spreads_the_label | epsilon not given: your loss
def smoothed_loss(scores, labels, epsilon=0.0):
    return F.cross_entropy(scores, labels, label_smoothing=epsilon)


# %% smoothed_loss | right
def smoothed_loss(scores, labels, epsilon=0.1):
    logs = scores - scores.logsumexp(dim=1, keepdim=True)
    sharp = -logs[torch.arange(len(labels)), labels]
    return ((1 - epsilon) * sharp - epsilon * logs.mean(dim=1)).mean()


# %% smoothed_loss | right
def smoothed_loss(scores, labels, epsilon=0.1):
    uniform = torch.full_like(scores, 1 / scores.shape[1])
    return (1 - epsilon) * F.cross_entropy(scores, labels) + epsilon * F.cross_entropy(scores, uniform)


# %% ScaledResidual | test_scaled_residual_has_the_right_layers | has 0 convolutions under the name projection
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.branch, self.expand, self.scale = branch, nn.Conv2d(branch_channels, channels, 1), scale

    def forward(self, x):
        return torch.relu(x + self.scale * self.expand(self.branch(x)))


# %% ScaledResidual | test_scaled_residual_has_the_right_layers | the projection has weights
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.branch, self.projection, self.scale = branch, nn.Conv2d(branch_channels, channels, 3, padding=1), scale

    def forward(self, x):
        return torch.relu(x + self.scale * self.projection(self.branch(x)))


# %% ScaledResidual | test_scaled_residual_has_the_right_layers | the projection has no bias
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.branch, self.projection, self.scale = branch, nn.Conv2d(branch_channels, channels, 1, bias=False), scale

    def forward(self, x):
        return torch.relu(x + self.scale * self.projection(self.branch(x)))


# %% ScaledResidual | test_scaled_residual_has_the_right_layers | has weights that are not asked for
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.branch, self.scale = branch, scale
        self.projection = nn.Sequential(nn.Conv2d(branch_channels, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, x):
        return torch.relu(x + self.scale * self.projection(self.branch(x)))


# %% ScaledResidual | test_scaled_residual_computes_the_block | the output differs by up to
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.branch, self.projection, self.scale = branch, nn.Conv2d(branch_channels, channels, 1), scale

    def forward(self, x):
        return torch.relu(self.scale * (x + self.projection(self.branch(x))))  # the shortcut scaled too


# %% ScaledResidual | test_scaled_residual_computes_the_block | the output differs by up to
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.branch, self.projection, self.scale = branch, nn.Conv2d(branch_channels, channels, 1), scale

    def forward(self, x):
        return torch.relu(x + self.projection(self.scale * self.branch(x)))  # the bias is not scaled


# %% ScaledResidual | test_scaled_residual_computes_the_block | the output differs by up to
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.branch, self.projection, self.scale = branch, nn.Conv2d(branch_channels, channels, 1), scale

    def forward(self, x):
        return torch.relu(x + self.scale * torch.relu(self.projection(self.branch(x))))  # activated before the addition


# %% ScaledResidual | test_scaled_residual_computes_the_block | values of the output are negative
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.branch, self.projection, self.scale = branch, nn.Conv2d(branch_channels, channels, 1), scale

    def forward(self, x):
        return x + self.scale * self.projection(self.branch(x))


# %% ScaledResidual | test_scaled_residual_passes_gradients | changes its input tensor in place
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.branch, self.projection, self.scale = branch, nn.Conv2d(branch_channels, channels, 1), scale

    def forward(self, x):
        x += self.scale * self.projection(self.branch(x))
        return torch.relu(x)


# %% ScaledResidual | test_scaled_residual_passes_gradients | the gradient of
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.branch, self.projection, self.scale = branch, nn.Conv2d(branch_channels, channels, 1), scale

    def forward(self, x):
        with torch.no_grad():
            features = self.branch(x)
        return torch.relu(x + self.scale * self.projection(features))


# %% ScaledResidual | test_scaled_residual_computes_the_block | ScaledResidual(branch, 7, 5): the output differs
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=1.0):  # another default
        super().__init__()
        self.branch, self.projection, self.scale = branch, nn.Conv2d(branch_channels, channels, 1), scale

    def forward(self, x):
        return F.relu(x + self.scale * self.projection(self.branch(x)))


# %% ScaledResidual | right
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, scale=0.1):
        super().__init__()
        self.add_module("branch", branch)
        self.projection = nn.Sequential(nn.Conv2d(branch_channels, channels, kernel_size=(1, 1)))
        self.register_buffer("factor", torch.tensor(float(scale)), persistent=False)

    def forward(self, x):
        return torch.clamp(torch.add(x, self.projection(self.branch(x)) * self.factor), min=0)


# %% ScaledResidual | right
class ScaledResidual(nn.Module):
    def __init__(self, branch, branch_channels, channels, *, scale=0.1):
        super().__init__()
        self.branch = branch
        self.projection = nn.Conv2d(branch_channels, channels, 1)
        self.activate = nn.ReLU(inplace=True)
        self.scale = scale

    def forward(self, x):
        residual = self.projection(self.branch(x)).mul(self.scale)
        return self.activate(residual + x)
