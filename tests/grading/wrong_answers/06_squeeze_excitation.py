# ruff: noqa: E402, F811, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.models import SqueezeExcitation


# %% SEBlock | test_se_block_has_the_right_layers | down has weights of shape (4, 8)
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Linear(channels, reduction)  # to r numbers instead of C / r
        self.up = nn.Linear(reduction, channels)

    def forward(self, x):
        gate = torch.sigmoid(self.up(F.relu(self.down(x.mean(dim=(2, 3))))))
        return x * gate[:, :, None, None]


# %% SEBlock | test_se_block_has_the_right_layers | down has no bias
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Linear(channels, channels // reduction, bias=False)
        self.up = nn.Linear(channels // reduction, channels, bias=False)

    def forward(self, x):
        gate = torch.sigmoid(self.up(F.relu(self.down(x.mean(dim=(2, 3))))))
        return x * gate[:, :, None, None]


# %% SEBlock | test_se_block_has_the_right_layers | not asked for: norm.weight
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.norm = nn.BatchNorm2d(channels // reduction)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.relu(self.norm(self.down(x.mean(dim=(2, 3), keepdim=True))))))


# %% SEBlock | test_se_block_keeps_the_shape | on an input of shape
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Linear(channels, channels // reduction)
        self.up = nn.Linear(channels // reduction, channels)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.relu(self.down(x.mean(dim=(2, 3))))))  # (N, C) against (N, C, H, W)


# %% SEBlock | test_se_block_keeps_the_shape | into
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        return torch.sigmoid(self.up(F.relu(self.down(x.mean(dim=(2, 3), keepdim=True)))))  # the gate alone


# %% SEBlock | test_se_block_has_one_gate_per_channel | is not the same at every position
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.relu(self.down(x))))  # no squeeze


# %% SEBlock | test_se_block_has_one_gate_per_channel | outside 0 to 1
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        return x * self.up(F.relu(self.down(x.mean(dim=(2, 3), keepdim=True))))  # the sigmoid forgotten


# %% SEBlock | test_se_block_has_one_gate_per_channel | depends on the other images
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        squeezed = x.mean(dim=(0, 2, 3), keepdim=True)  # over the batch too
        return x * torch.sigmoid(self.up(F.relu(self.down(squeezed))))


# %% SEBlock | test_se_block_has_one_gate_per_channel | outside 0 to 1
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        return x + x * torch.sigmoid(self.up(F.relu(self.down(x.mean(dim=(2, 3), keepdim=True)))))  # with a shortcut


# %% SEBlock | test_se_block_computes_squeeze_and_excitation | the output differs
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(self.down(x.mean(dim=(2, 3), keepdim=True))))  # no ReLU


# %% SEBlock | test_se_block_computes_squeeze_and_excitation | the output differs
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.relu(self.down(x.amax(dim=(2, 3), keepdim=True)))))  # the maximum


# %% SEBlock | test_se_block_computes_squeeze_and_excitation | the output differs
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        return x * torch.softmax(self.up(F.relu(self.down(x.mean(dim=(2, 3), keepdim=True)))), dim=1)


# %% SEBlock | test_se_block_passes_gradients | changes its input tensor in place
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        gate = torch.sigmoid(self.up(F.relu(self.down(x.mean(dim=(2, 3), keepdim=True)))))
        with torch.no_grad():
            x *= gate
        return x


# %% SEBlock | test_se_block_passes_gradients | the gradient of input differs
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        squeezed = x.detach().mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.up(F.relu(self.down(squeezed))))


# %% SEBlock | test_se_block_has_the_right_layers | SEBlock(16): down has weights of shape (2, 16)
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=8):  # another default
        super().__init__()
        self.down = nn.Linear(channels, channels // reduction)
        self.up = nn.Linear(channels // reduction, channels)

    def forward(self, x):
        gate = torch.sigmoid(self.up(F.relu(self.down(x.mean(dim=(2, 3))))))
        return x * gate[:, :, None, None]


# %% SEBlock | right
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Sequential(nn.Linear(channels, channels // reduction), nn.ReLU(inplace=True))
        self.up = nn.Sequential(nn.Linear(channels // reduction, channels), nn.Sigmoid())

    def forward(self, u):
        n, c, h, w = u.shape
        squeezed = u.reshape(n, c, h * w).sum(-1) / (h * w)
        return torch.einsum("nchw,nc->nchw", u, self.up(self.down(squeezed)))


# %% SEBlock | right
class SEBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.down = nn.Conv2d(channels, int(channels / reduction), kernel_size=(1, 1))
        self.up = nn.Linear(int(channels / reduction), channels)

    def forward(self, x):
        hidden = self.down(self.squeeze(x)).clamp(min=0).flatten(1)
        gate = 1 / (1 + torch.exp(-self.up(hidden)))
        return gate.view(*gate.shape, 1, 1).expand_as(x) * x


# %% SEResidualBlock | test_se_residual_block_has_the_right_layers | not asked for: conv1.bias
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.se(y) + x)


# %% SEResidualBlock | test_se_residual_block_has_the_right_layers | se.gate.1.weight has shape
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, channels)  # the ratio is ignored

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.se(y) + x)


# %% SEResidualBlock | test_se_residual_block_keeps_the_shape | on an input of shape
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, bias=False)  # no padding
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.se(y) + x)


# %% SEResidualBlock | test_se_residual_block_computes_the_block | the output differs
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.se(y + x))  # scales the shortcut too


# %% SEResidualBlock | test_se_residual_block_computes_the_block | the output differs
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.se(y))  # no shortcut


# %% SEResidualBlock | test_se_residual_block_computes_the_block | are negative; what comes last
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return self.se(F.relu(y)) + x  # ReLU before the addition


# %% SEResidualBlock | test_se_residual_block_computes_the_block | the output differs
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x):
        y = self.se(F.relu(self.norm1(self.conv1(x))))  # after the first convolution
        return F.relu(self.norm2(self.conv2(y)) + x)


# %% SEResidualBlock | test_se_residual_block_passes_gradients | changes its input tensor in place
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x):
        y = self.se(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))
        result = F.relu(y + x)
        x.data.copy_(result.data)
        return result


# %% SEResidualBlock | test_se_residual_block_passes_gradients | the gradient of input differs
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x):
        shortcut = x.detach()
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.se(y) + shortcut)


# %% SEResidualBlock | test_se_residual_block_trains_like_the_block | after one batch in training mode norm1.running_mean
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x):
        print("mean after the first layer", self.norm1(self.conv1(x)).mean())  # a second call moves the running mean twice
        return F.relu(self.se(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))) + x)


# %% SEResidualBlock | test_se_residual_block_trains_like_the_block | in training mode: the output differs
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)

    def forward(self, x):
        self.norm2.eval()  # never learns the statistics
        return F.relu(self.se(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))) + x)


# %% SEResidualBlock | right
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        for number in (1, 2):
            setattr(self, f"conv{number}", nn.Conv2d(channels, channels, (3, 3), padding="same", bias=False))
            setattr(self, f"norm{number}", nn.BatchNorm2d(channels))
        self.se = SqueezeExcitation(reduction=reduction, channels=channels)

    def forward(self, inputs):
        steps = [self.conv1, self.norm1, torch.relu, self.conv2, self.norm2, self.se]
        out = inputs
        for step in steps:
            out = step(out)
        return (inputs + out).clamp_min(0)


# %% SEResidualBlock | right
class SEResidualBlock(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, 3, 1, 1, bias=False) for _ in range(2))
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.se = SqueezeExcitation(channels, reduction)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.act(self.norm1(self.conv1(x)))
        out = self.se(self.norm2(self.conv2(out)))
        out += x
        return self.act(out)


# %% se_parameters | test_se_parameters_counts_one_block | times the right number
def se_parameters(channels, blocks, reduction):
    # no biases
    return sum(n * 2 * c * (c // reduction) for c, n in zip(channels, blocks, strict=True))


# %% se_parameters | test_se_parameters_counts_one_block | times the right number
def se_parameters(channels, blocks, reduction):
    return sum(n * (c * (c // reduction) + c // reduction) for c, n in zip(channels, blocks, strict=True))  # the way down only


# %% se_parameters | test_se_parameters_counts_one_block | times the right number
def se_parameters(channels, blocks, reduction):
    return sum(n * (2 * c * reduction + reduction + c) for c, n in zip(channels, blocks, strict=True))  # r hidden numbers


# %% se_parameters | test_se_parameters_counts_one_block | is expected to be a number; yours is a list
def se_parameters(channels, blocks, reduction):
    return [n * (2 * c * (c // reduction) + c // reduction + c) for c, n in zip(channels, blocks, strict=True)]


# %% se_parameters | test_se_parameters_counts_all_stages | times the right number
def se_parameters(channels, blocks, reduction):
    return sum(2 * c * (c // reduction) + c // reduction + c for c in channels)  # one block for each stage


# %% se_parameters | test_se_parameters_counts_all_stages | times the right number
def se_parameters(channels, blocks, reduction):
    for c, n in zip(channels, blocks, strict=True):
        total = n * (2 * c * (c // reduction) + c // reduction + c)  # forgets the stages before
    return total


# %% se_parameters | test_se_parameters_rounds_down | times the right number
def se_parameters(channels, blocks, reduction):
    return sum(n * (2 * c * c / reduction + c / reduction + c) for c, n in zip(channels, blocks, strict=True))


# %% se_parameters | test_se_parameters_rounds_down | times the right number
def se_parameters(channels, blocks, reduction):
    return sum(n * (2 * c * -(-c // reduction) - (-c // reduction) + c) for c, n in zip(channels, blocks, strict=True))


# %% se_parameters | right
def se_parameters(channels, blocks, reduction):
    c, n = torch.tensor(channels), torch.tensor(blocks)
    hidden = c // reduction
    return (n * ((c + 1) * hidden + (hidden + 1) * c)).sum()


# %% se_parameters | right
def se_parameters(channels, blocks, reduction):
    def one(width):
        return sum(p.numel() for p in SqueezeExcitation(width, reduction).parameters())

    return float(sum(one(width) for width, number in zip(channels, blocks, strict=True) for _ in range(number)))


# %% residual_unit | test_residual_unit_standard | the output differs
def residual_unit(x, branch, se, place):
    if place == "pre":
        return F.relu(branch(se(x)) + x)
    if place == "identity":
        return F.relu(branch(x) + se(x))
    return se(F.relu(branch(x) + x))  # the same for standard and post


# %% residual_unit | test_residual_unit_standard | the output differs
def residual_unit(x, branch, se, place):
    if place == "standard":
        return se(branch(x)) + x  # no ReLU
    if place == "pre":
        return branch(se(x)) + x
    if place == "post":
        return se(branch(x) + x)
    return branch(x) + se(x)


# %% residual_unit | test_residual_unit_standard | the gradient of the input differs
def residual_unit(x, branch, se, place):
    if place == "standard":
        return F.relu(se(branch(x)) + x.detach())
    if place == "pre":
        return F.relu(branch(se(x)) + x)
    if place == "post":
        return se(F.relu(branch(x) + x))
    return F.relu(branch(x) + se(x))


# %% residual_unit | test_residual_unit_standard | branch is called 4 times
def residual_unit(x, branch, se, place):
    units = {
        "standard": F.relu(se(branch(x)) + x),
        "pre": F.relu(branch(se(x)) + x),
        "post": se(F.relu(branch(x) + x)),
        "identity": F.relu(branch(x) + se(x)),
    }
    return units[place]  # all four computed, one taken


# %% residual_unit | test_residual_unit_pre | the output differs
def residual_unit(x, branch, se, place):
    if place == "pre":
        x = se(x)  # before the fork: the shortcut is scaled too
        return F.relu(branch(x) + x)
    if place == "standard":
        return F.relu(se(branch(x)) + x)
    if place == "post":
        return se(F.relu(branch(x) + x))
    return F.relu(branch(x) + se(x))


# %% residual_unit | test_residual_unit_post | the output differs
def residual_unit(x, branch, se, place):
    if place == "standard":
        return F.relu(se(branch(x)) + x)
    if place == "pre":
        return F.relu(branch(se(x)) + x)
    if place == "post":
        return F.relu(se(branch(x) + x))  # before the last ReLU
    return F.relu(branch(x) + se(x))


# %% residual_unit | test_residual_unit_identity | the output differs
def residual_unit(x, branch, se, place):
    if place == "standard":
        return F.relu(se(branch(x)) + x)
    if place == "pre":
        return F.relu(branch(se(x)) + x)
    if place == "post":
        return se(F.relu(branch(x) + x))
    return F.relu(branch(se(x)) + se(x))  # the branch reads the scaled x


# %% residual_unit | test_residual_unit_identity | a tensor is expected; yours returned nothing
def residual_unit(x, branch, se, place):
    if place == "standard":
        return F.relu(se(branch(x)) + x)
    if place == "pre":
        return F.relu(branch(se(x)) + x)
    if place == "post":
        return se(F.relu(branch(x) + x))


# %% residual_unit | right
def residual_unit(x, branch, se, place):
    shortcut = se(x) if place == "identity" else x
    inner = branch(se(x)) if place == "pre" else branch(x)
    if place == "standard":
        inner = se(inner)
    total = torch.relu(inner + shortcut)
    return se(total) if place == "post" else total


# %% residual_unit | right
def residual_unit(x, branch, se, place):
    match place:
        case "pre":
            y = branch(se(x)).add_(x)
        case "identity":
            y = branch(x) + se(x)
        case "standard":
            y = x.clone()
            y += se(branch(x))
        case _:
            return se((branch(x) + x).clamp(min=0))
    return torch.where(y > 0, y, torch.zeros_like(y))
