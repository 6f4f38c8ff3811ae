# ruff: noqa: E402, F811, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.models import BasicBlock, Bottleneck


# %% bottleneck_cost | test_bottleneck_cost_counts_parameters | times the right number
def bottleneck_cost(channels, reduced, size):
    parameters = channels * reduced + 9 * channels**2 + reduced * channels  # the 3×3 is not reduced
    multiply_adds = parameters * size**2
    return parameters, multiply_adds, 18 * channels**2 * size**2 / multiply_adds


# %% bottleneck_cost | test_bottleneck_cost_counts_parameters | you count 53,248 parameters, 0.7647 times the right number
def bottleneck_cost(channels, reduced, size):
    parameters = channels * reduced + 9 * reduced**2  # and up again?
    multiply_adds = parameters * size**2
    return parameters, multiply_adds, 18 * channels**2 * size**2 / multiply_adds


# %% bottleneck_cost | test_bottleneck_cost_counts_parameters | times the right number
def bottleneck_cost(channels, reduced, size):
    parameters = 2 * channels * reduced + 3 * reduced**2  # a 3×3 kernel has 9 positions
    multiply_adds = parameters * size**2
    return parameters, multiply_adds, 18 * channels**2 * size**2 / multiply_adds


# %% bottleneck_cost | test_bottleneck_cost_counts_parameters | times the right number
def bottleneck_cost(channels, reduced, size):
    width = channels // reduced  # read as a factor
    parameters = 2 * channels * width + 9 * width**2
    multiply_adds = parameters * size**2
    return parameters, multiply_adds, 18 * channels**2 * size**2 / max(multiply_adds, 1)


# %% bottleneck_cost | test_bottleneck_cost_counts_parameters | times the right number
def bottleneck_cost(channels, reduced, size):
    layers = [nn.Conv2d(channels, reduced, 1), nn.Conv2d(reduced, reduced, 3, padding=1), nn.Conv2d(reduced, channels, 1)]
    parameters = sum(p.numel() for layer in layers for p in layer.parameters())  # with biases
    multiply_adds = sum(layer.weight.numel() for layer in layers) * size**2
    return parameters, multiply_adds, 18 * channels**2 * size**2 / multiply_adds


# %% bottleneck_cost | test_bottleneck_cost_counts_multiply_adds | 0.01786 times the right number
def bottleneck_cost(channels, reduced, size):
    parameters = 2 * channels * reduced + 9 * reduced**2
    multiply_adds = parameters * size
    return parameters, multiply_adds, 18 * channels**2 * size / multiply_adds


# %% bottleneck_cost | test_bottleneck_cost_counts_multiply_adds | 2 times the right number
def bottleneck_cost(channels, reduced, size):
    parameters = 2 * channels * reduced + 9 * reduced**2
    operations = 2 * parameters * size**2  # a multiplication and an addition, counted as two
    return parameters, operations, 2 * 18 * channels**2 * size**2 / operations


# %% bottleneck_cost | test_bottleneck_cost_tells_the_saving | 0.5 times the right number
def bottleneck_cost(channels, reduced, size):
    parameters = 2 * channels * reduced + 9 * reduced**2
    return parameters, parameters * size**2, 9 * channels**2 / parameters  # one 3×3 convolution


# %% bottleneck_cost | test_bottleneck_cost_tells_the_saving | your saving of 0.059
def bottleneck_cost(channels, reduced, size):
    parameters = 2 * channels * reduced + 9 * reduced**2
    return parameters, parameters * size**2, parameters / (18 * channels**2)


# %% bottleneck_cost | test_bottleneck_cost_tells_the_saving | your saving of 16 is 0.9444 times the right number
def bottleneck_cost(channels, reduced, size):
    parameters = 2 * channels * reduced + 9 * reduced**2
    return parameters, parameters * size**2, 18 * channels**2 // parameters


# %% bottleneck_cost | test_bottleneck_cost_counts_parameters | three numbers, (parameters, multiply-adds, saving), are expected
def bottleneck_cost(channels, reduced, size):
    parameters = 2 * channels * reduced + 9 * reduced**2
    return parameters, parameters * size**2


# %% bottleneck_cost | right
def bottleneck_cost(channels, reduced, size):
    def conv(inputs, outputs, kernel):
        return torch.tensor([1, size**2]) * inputs * outputs * kernel**2

    bottleneck = conv(channels, reduced, 1) + conv(reduced, reduced, 3) + conv(reduced, channels, 1)
    return [*bottleneck, 2 * conv(channels, channels, 3)[1] / bottleneck[1].double()]


# %% bottleneck_cost | right
def count(layers):
    return sum(p.numel() for p in layers.parameters())


def bottleneck_cost(channels, reduced, size):
    down, up = nn.Conv2d(channels, reduced, 1, bias=False), nn.Conv2d(reduced, channels, 1, bias=False)
    p = count(nn.Sequential(down, nn.Conv2d(reduced, reduced, 3, bias=False), up))
    return p, float(p * size * size), 2 * 9 * channels * channels / p


# %% pad_shortcut | test_pad_shortcut_has_the_shape_of_the_branch | your result has shape (1, 7, 3, 4), expected (1, 7, 4, 5)
def pad_shortcut(x, out_channels, stride=1):
    if stride > 1:
        x = x[:, :, stride - 1 :: stride, stride - 1 :: stride]
    return F.pad(x, (0, 0, 0, 0, 0, out_channels - x.shape[1]))


# %% pad_shortcut | test_pad_shortcut_has_the_shape_of_the_branch | your result has shape
def pad_shortcut(x, out_channels, stride=1):
    x = x[:, :, ::stride, ::stride]
    return F.pad(x, (0, out_channels - x.shape[1]))  # the last dimension is the width


# %% pad_shortcut | test_pad_shortcut_has_the_shape_of_the_branch | your result has shape (2, 9, 4, 4), expected (2, 6, 4, 4)
def pad_shortcut(x, out_channels, stride=1):
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, out_channels))


# %% pad_shortcut | test_pad_shortcut_has_the_shape_of_the_branch | expected (2, 6, 4, 4)
def pad_shortcut(x, out_channels, stride=1):
    return F.pad(x, (0, 0, 0, 0, 0, out_channels - x.shape[1]))


# %% pad_shortcut | test_pad_shortcut_has_the_shape_of_the_branch | expected (2, 6, 4, 4)
def pad_shortcut(x, out_channels, stride=1):
    x = x[:, :, ::stride]  # rows only
    return F.pad(x, (0, 0, 0, 0, 0, out_channels - x.shape[1]))


# %% pad_shortcut | test_pad_shortcut_has_the_shape_of_the_branch | x is torch.float64, your result is torch.float32
def pad_shortcut(x, out_channels, stride=1):
    kept = x[:, :, ::stride, ::stride]
    result = torch.zeros(len(x), out_channels, *kept.shape[2:])
    result[:, : x.shape[1]] = kept
    return result


# %% pad_shortcut | test_pad_shortcut_keeps_pixels | the first 3 channels are not every stride-th pixel of x
def pad_shortcut(x, out_channels, stride=1):
    x = F.avg_pool2d(x, stride, ceil_mode=True)
    return F.pad(x, (0, 0, 0, 0, 0, out_channels - x.shape[1]))


# %% pad_shortcut | test_pad_shortcut_keeps_pixels | the first 3 channels are not every stride-th pixel of x
def pad_shortcut(x, out_channels, stride=1):
    x = F.max_pool2d(x, stride, ceil_mode=True)
    return F.pad(x, (0, 0, 0, 0, 0, out_channels - x.shape[1]))


# %% pad_shortcut | test_pad_shortcut_keeps_pixels | the first 3 channels are not every stride-th pixel of x
def pad_shortcut(x, out_channels, stride=1):
    x = x[:, :, ::stride, ::stride]
    return F.pad(x, (0, 0, 0, 0, out_channels - x.shape[1], 0))  # zeros in front


# %% pad_shortcut | test_pad_shortcut_keeps_pixels | no gradient flows back through your shortcut
def pad_shortcut(x, out_channels, stride=1):
    result = x.new_zeros(len(x), out_channels, -(-x.shape[2] // stride), -(-x.shape[3] // stride))
    result[:, : x.shape[1]] = x[:, :, ::stride, ::stride].detach()
    return result


# %% pad_shortcut | test_pad_shortcut_keeps_pixels | the call changes x itself
def pad_shortcut(x, out_channels, stride=1):
    missing = out_channels - x.shape[1]
    kept = x[:, :, ::stride, ::stride].clone()
    zeros = x.mul_(0)[:, :1, ::stride, ::stride]
    return torch.cat([kept, zeros.expand(-1, missing, -1, -1)], dim=1)


# %% pad_shortcut | test_pad_shortcut_appends_zeros | values in the added channels at the end are not 0
def pad_shortcut(x, out_channels, stride=1):
    x = x[:, :, ::stride, ::stride]
    repeats = -(-out_channels // x.shape[1])
    return x.repeat(1, repeats, 1, 1)[:, :out_channels]


# %% pad_shortcut | test_pad_shortcut_appends_zeros | values in the added channels at the end are not 0
def pad_shortcut(x, out_channels, stride=1):
    x = x[:, :, ::stride, ::stride]
    missing = out_channels - x.shape[1]
    return F.pad(x, (0, 0, 0, 0, missing // 2, missing - missing // 2))  # half in front


# %% pad_shortcut | right
def pad_shortcut(x, out_channels, stride=1):
    x = F.max_pool2d(x, kernel_size=1, stride=stride)  # of one pixel: nothing is pooled
    zeros = x.new_zeros(x.shape[0], out_channels - x.shape[1], *x.shape[2:])
    return torch.cat((x, zeros), dim=1)


# %% pad_shortcut | right
def pad_shortcut(x, out_channels, stride=1):
    channels = x.size(1)
    select = torch.eye(out_channels, channels, dtype=x.dtype)[:, :, None, None]
    return F.conv2d(x, select, stride=stride)


# %% ResidualBlock | test_residual_block_adds_then_rectifies | but the output is +0
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))  # one ReLU too many
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_adds_then_rectifies | values of the output are negative
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))  # before the addition instead of after it
        return out + self.shortcut(x)


# %% ResidualBlock | test_residual_block_adds_then_rectifies | values of the output are negative
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return self.bn2(self.conv2(out)) + self.shortcut(x)


# %% ResidualBlock | test_residual_block_computes_the_block | which keeps the shape: the output differs
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = self.bn1(self.conv1(x))  # nothing between the convolutions
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_computes_the_block | which changes the shape: the output differs
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False)  # stride in the second
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_shape | ResidualBlock(4, 6, stride=2) on an input of shape
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False)  # stride in both
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_shape | ResidualBlock(4, 6, stride=2) on an input of shape
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, bias=False)  # without the stride
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_shape | ResidualBlock(5, 5, stride=2) on an input of shape
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if in_channels != out_channels:  # and where only the resolution changes?
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_shape | ResidualBlock(6, 4, stride=1) on an input of shape
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1:  # and where only the channels change?
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_shape | on an input of shape
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, bias=False)  # no padding
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_shape | returned nothing (None; did you forget `return`?)
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_layers | conv1.bias, conv2.bias: a convolution before
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_layers | your shortcut has 1 of them
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_layers | do two layers share theirs?
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn1 = self.bn2 = nn.BatchNorm2d(out_channels)  # one for both
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_layers | keeps the shape and needs no layers besides
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)  # everywhere: option C
        self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_layers | shortcut.0.weight in the shortcut: unexpected name or shape
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)  # 3×3
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_has_the_right_layers | has no weights under the names bn1, bn2
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn(self.conv1(x)))
        out = self.bn(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_trains_like_the_block | differs by up to
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        assert out.shape == self.shortcut(x).shape  # moves the running mean once more
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_trains_like_the_block | after one batch in training mode bn1.running_mean differs
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels, momentum=0.9)  # as in other libraries, where it means the opposite
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels, momentum=0.9)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels, momentum=0.9))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


# %% ResidualBlock | test_residual_block_passes_gradients | the gradient of input differs
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        identity = x.detach().clone()  # "keep a copy of the input"
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(identity))


# %% ResidualBlock | test_residual_block_passes_gradients | changes its input tensor in place
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        identity = self.shortcut(x)
        identity += self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))  # where nothing is projected, identity is x
        return F.relu(identity)


# %% ResidualBlock | right
class Projection(nn.Module):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.norm = nn.BatchNorm2d(out_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=(1, 1), stride=(stride, stride), bias=None)

    def forward(self, x):
        return self.norm(self.conv(x))


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, step=1):
        super().__init__()
        same = inputs == outputs and step == 1
        self.shortcut = None if same else Projection(inputs, outputs, step)  # registered first
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding="same", bias=False)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, step, 1, bias=False)

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu_(self.bn1(self.conv1(x)))))
        y += x if self.shortcut is None else self.shortcut(x)
        return y.clamp_(min=0)


# %% ResidualBlock | right
def conv3x3(in_channels, out_channels, stride=1):
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)


class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.conv1, self.bn1 = conv3x3(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels)
        self.conv2, self.bn2 = conv3x3(out_channels, out_channels), nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.shortcut.append(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(out_channels))
        self.branch = [self.conv1, self.bn1, self.relu, self.conv2, self.bn2]  # a plain list: registers nothing twice

    def forward(self, x):
        branch = x
        for layer in self.branch:
            branch = layer(branch)
        return self.relu(torch.add(self.shortcut(x), branch))


# %% build_stage | test_build_stage_changes_shape_once | block 2 has stride 2; which block changes the resolution?
def build_stage(block, in_channels, out_channels, depth, stride):
    blocks = [block(in_channels, out_channels, stride)]
    for _ in range(depth - 1):
        blocks.append(block(out_channels, out_channels, stride))
    return nn.Sequential(*blocks)


# %% build_stage | test_build_stage_changes_shape_once | block 2 maps 4 channels to 8; what comes in, what goes out?
def build_stage(block, in_channels, out_channels, depth, stride):
    return nn.Sequential(*[block(in_channels, out_channels, stride if i == 0 else 1) for i in range(depth)])


# %% build_stage | test_build_stage_changes_shape_once | block 1 has stride 1; which block changes the resolution?
def build_stage(block, in_channels, out_channels, depth, stride):
    blocks = []
    for i in range(depth):
        blocks.append(block(in_channels, out_channels, 1 if i == 0 else stride))  # the wrong way round
        in_channels = out_channels
    return nn.Sequential(*blocks)


# %% build_stage | test_build_stage_changes_shape_once | block 1 has stride 1; which block changes the resolution?
def build_stage(block, in_channels, out_channels, depth, stride):
    blocks = []
    for i in range(depth):
        blocks.append(block(in_channels, out_channels, stride if i == depth - 1 else 1))  # at the end of the stage
        in_channels = out_channels
    return nn.Sequential(*blocks)


# %% build_stage | test_build_stage_changes_shape_once | which block changes the resolution?
def build_stage(block, in_channels, out_channels, depth, stride):
    first = block(in_channels, out_channels, 2)  # always
    return nn.Sequential(first, *[block(out_channels, out_channels, 1) for _ in range(depth - 1)])


# %% build_stage | test_build_stage_changes_shape_once | block 1 maps 4 channels to 4; what comes in, what goes out?
def build_stage(block, in_channels, out_channels, depth, stride):
    blocks = [block(in_channels, in_channels, stride)]
    blocks += [block(in_channels if i == 1 else out_channels, out_channels, 1) for i in range(1, depth)]
    return nn.Sequential(*blocks)


# %% build_stage | test_build_stage_has_depth_blocks | depth=3, stride=2) has 4 different blocks
def build_stage(block, in_channels, out_channels, depth, stride):
    first = block(in_channels, out_channels, stride)
    return nn.Sequential(first, *[block(out_channels, out_channels, 1) for _ in range(depth)])


# %% build_stage | test_build_stage_has_depth_blocks | depth=3, stride=2) has 2 different blocks
def build_stage(block, in_channels, out_channels, depth, stride):
    same = block(out_channels, out_channels, 1)
    return nn.Sequential(block(in_channels, out_channels, stride), *[same] * (depth - 1))


# %% build_stage | test_build_stage_applies_its_blocks_in_order | your code raised NotImplementedError
def build_stage(block, in_channels, out_channels, depth, stride):
    blocks = [block(in_channels, out_channels, stride)]
    blocks += [block(out_channels, out_channels, 1) for _ in range(depth - 1)]
    return nn.ModuleList(blocks)  # holds the blocks, but does not call them


# %% build_stage | test_build_stage_applies_its_blocks_in_order | from that of the blocks one after the other
class Stage(nn.Sequential):
    def forward(self, x):
        x = self[0](x)
        return x + sum(layer(x) for layer in self[1:])  # side by side


def build_stage(block, in_channels, out_channels, depth, stride):
    first = block(in_channels, out_channels, stride)
    return Stage(first, *[block(out_channels, out_channels, 1) for _ in range(depth - 1)])


# %% build_stage | test_build_stage_has_depth_blocks | yours returned a list of 3 values
def build_stage(block, in_channels, out_channels, depth, stride):
    blocks = [block(in_channels, out_channels, stride)]
    blocks += [block(out_channels, out_channels, 1) for _ in range(depth - 1)]
    return blocks


# %% build_stage | test_build_stage_has_depth_blocks | has 1 different block
def build_stage(block, in_channels, out_channels, depth, stride):
    for i in range(depth):
        layers = []  # starts again for every block
        layers.append(block(in_channels if i == 0 else out_channels, out_channels, stride if i == 0 else 1))
    return nn.Sequential(*layers)


# %% build_stage | test_build_stage_has_depth_blocks | missing 1 required positional argument: 'stride'
def build_stage(block, in_channels, out_channels, depth, stride):
    blocks = [block(in_channels, out_channels, stride)]
    blocks += [block(out_channels, out_channels) for _ in range(depth - 1)]  # without the stride
    return nn.Sequential(*blocks)


# %% build_stage | right
def build_stage(block, in_channels, out_channels, depth, stride):
    stage = nn.Sequential()
    for i in range(depth):
        stage.add_module(f"block{i + 1}", block(in_channels, out_channels, stride))
        in_channels, stride = out_channels, 1
    return stage


# %% build_stage | right
class RecursiveStage(nn.Module):
    def __init__(self, block, channels, depth, stride):
        super().__init__()
        self.first = block(*channels, stride)
        self.rest = RecursiveStage(block, (channels[1], channels[1]), depth - 1, 1) if depth > 1 else nn.Identity()

    def forward(self, x):
        return self.rest(self.first(x))


def build_stage(block, in_channels, out_channels, depth, stride):
    return RecursiveStage(block, (in_channels, out_channels), depth, stride)


# %% start_as_identity | test_start_as_identity_changes_nothing_else | the call also changes
def start_as_identity(model):
    blocks = [m for m in model.modules() if isinstance(m, (BasicBlock, Bottleneck))]
    for block in blocks:
        norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
        nn.init.zeros_(norms[-1].weight)  # where there is a projection, this is its norm
    return len(blocks)


# %% start_as_identity | test_start_as_identity_changes_nothing_else | the call also changes
def start_as_identity(model):
    blocks = [m for m in model.modules() if isinstance(m, (BasicBlock, Bottleneck))]
    for block in blocks:
        for norm in block.branch.modules():
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.zeros_(norm.weight)  # all of them: the branch can never learn
    return len(blocks)


# %% start_as_identity | test_start_as_identity_changes_nothing_else | branch.4.bias
def start_as_identity(model):
    blocks = [m for m in model.modules() if isinstance(m, (BasicBlock, Bottleneck))]
    for block in blocks:
        nn.init.zeros_(block.branch[-1].weight)
        nn.init.zeros_(block.branch[-1].bias)
    return len(blocks)


# %% start_as_identity | test_start_as_identity_zeroes_the_last_scales | has 3 residual blocks; 0 of
def start_as_identity(model):
    blocks = [m for m in model.modules() if isinstance(m, (BasicBlock, Bottleneck))]
    for block in blocks:
        nn.init.zeros_(block.branch[-2].weight)  # the convolution
    return len(blocks)


# %% start_as_identity | test_start_as_identity_zeroes_the_last_scales | 0 of their last batch-norm scales are 0
def start_as_identity(model):
    blocks = [m for m in model.modules() if isinstance(m, (BasicBlock, Bottleneck))]
    for block in blocks:
        nn.init.zeros_(block.branch[1].weight)  # the first
    return len(blocks)


# %% start_as_identity | test_start_as_identity_zeroes_the_last_scales | has 4 residual blocks; 3 of
def start_as_identity(model):
    count = 0
    for block in model.modules():
        if isinstance(block, BasicBlock):
            nn.init.zeros_(block.branch[-1].weight)
            count += 1
    return count


# %% start_as_identity | test_start_as_identity_zeroes_the_last_scales | 0 of their last batch-norm scales are 0
def start_as_identity(model):
    blocks = [m for m in model.children() if isinstance(m, BasicBlock | Bottleneck)]  # one level only
    for block in blocks:
        nn.init.zeros_(block.branch[-1].weight)
    return len(blocks)


# %% start_as_identity | test_start_as_identity_zeroes_the_last_scales | your code raised AttributeError
def start_as_identity(model):
    count = 0
    for stage in model.stages:
        for block in stage:
            nn.init.zeros_(block.branch[-1].weight)
            count += 1
    return count


# %% start_as_identity | test_start_as_identity_zeroes_the_last_scales | your code raised RuntimeError: a leaf Variable
def start_as_identity(model):
    blocks = [m for m in model.modules() if isinstance(m, (BasicBlock, Bottleneck))]
    for block in blocks:
        block.branch[-1].weight[:] = 0
    return len(blocks)


# %% start_as_identity | test_start_as_identity_changes_nothing_else | can no longer be trained
def start_as_identity(model):
    blocks = [m for m in model.modules() if isinstance(m, (BasicBlock, Bottleneck))]
    for block in blocks:
        norm = block.branch[-1]
        norm.weight.requires_grad = False
        norm.weight[:] = 0
    return len(blocks)


# %% start_as_identity | test_start_as_identity_counts_blocks | the number of blocks is expected to be a number; yours is nothing
def start_as_identity(model):
    for block in model.modules():
        if isinstance(block, (BasicBlock, Bottleneck)):
            nn.init.zeros_(block.branch[-1].weight)


# %% start_as_identity | test_start_as_identity_counts_blocks | cifar_resnet(8): you return 9; its residual blocks are 3
def start_as_identity(model):
    count = 0
    for module in model.modules():
        if isinstance(module, (BasicBlock, Bottleneck)):
            nn.init.zeros_(module.branch[-1].weight)
        if isinstance(module, nn.Conv2d):
            count += 1
    return count + 2


# %% start_as_identity | test_start_as_identity_zeroes_the_last_scales | 0 of their last batch-norm scales are 0
def start_as_identity(model):
    copied = [m for m in model.modules() if isinstance(m, (BasicBlock, Bottleneck))]
    for block in copied:
        weight = block.branch[-1].weight.clone()  # a copy is set to zero, the layer is not
        weight = weight.detach().zero_()
    return len(copied)


# %% start_as_identity | right
def start_as_identity(model):
    state = model.state_dict()
    found = 0
    for name, module in model.named_modules():
        if type(module) in (BasicBlock, Bottleneck):
            last = len(module.branch) - 1
            state[f"{name}.branch.{last}.weight"].mul_(0)
            found += 1
    model.load_state_dict(state)
    return found


# %% start_as_identity | right
@torch.no_grad()
def start_as_identity(model):
    def visit(module):
        own = isinstance(module, BasicBlock | Bottleneck)
        if own:
            norm = [m for m in module.branch.modules() if isinstance(m, nn.BatchNorm2d)].pop()
            norm.weight = nn.Parameter(torch.zeros_like(norm.weight))
        return own + sum(map(visit, module.children()))

    return torch.tensor(visit(model))
