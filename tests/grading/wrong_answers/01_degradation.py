# ruff: noqa: E402, F811, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import copy
import math
from collections import OrderedDict

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.models import ConvNet


# %% conv_cost | test_conv_cost_counts_the_weights | 0.3333 times the right number
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    weights = in_channels * out_channels * kernel  # the kernel is square
    positions = math.ceil(size / stride) ** 2
    return weights + bias * out_channels, weights * positions


# %% conv_cost | test_conv_cost_counts_the_weights | 0.3333 times the right number
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    weights = out_channels * kernel**2  # one slice per kernel, as for a grey image
    positions = math.ceil(size / stride) ** 2
    return weights + bias * out_channels, weights * positions


# %% conv_cost | test_conv_cost_counts_the_weights | times the right number
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    weights = in_channels * out_channels * kernel**2
    return weights + out_channels, weights * math.ceil(size / stride) ** 2  # PyTorch's default: with a bias


# %% conv_cost | test_conv_cost_counts_the_bias | bias=True adds 0 parameters
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    weights = in_channels * out_channels * kernel**2
    return weights, weights * math.ceil(size / stride) ** 2


# %% conv_cost | test_conv_cost_counts_the_bias | bias=True adds 3 parameters
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    weights = in_channels * out_channels * kernel**2
    return weights + (in_channels if bias else 0), weights * math.ceil(size / stride) ** 2


# %% conv_cost | test_conv_cost_counts_the_bias | 1,024 multiply-adds in your count, although adding multiplies nothing
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    parameters = in_channels * out_channels * kernel**2 + out_channels * bias
    return parameters, parameters * math.ceil(size / stride) ** 2


# %% conv_cost | test_conv_cost_counts_multiply_adds | 0.125 times the right number
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    weights = in_channels * out_channels * kernel**2
    return weights + bias * out_channels, weights * math.ceil(size / stride)


# %% conv_cost | test_conv_cost_counts_multiply_adds | 0.5625 times the right number
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    weights = in_channels * out_channels * kernel**2
    side = (size - kernel) // stride + 1  # without the padding
    return weights + bias * out_channels, weights * side**2


# %% conv_cost | test_conv_cost_counts_strided_positions | 0.5625 times the right number; at how many positions
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    weights = in_channels * out_channels * kernel**2
    return weights + bias * out_channels, weights * (size // stride) ** 2


# %% conv_cost | test_conv_cost_counts_strided_positions | 4 times the right number
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    weights = in_channels * out_channels * kernel**2
    return weights + bias * out_channels, weights * size**2


# %% conv_cost | test_conv_cost_counts_the_weights | yours returned 432 (int)
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    return in_channels * out_channels * kernel**2 + bias * out_channels


# %% conv_cost | test_conv_cost_counts_the_weights | yours returned nothing (None; did you forget `return`?)
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    weights = in_channels * out_channels * kernel**2
    print(weights + bias * out_channels, weights * math.ceil(size / stride) ** 2)


# %% conv_cost | test_conv_cost_counts_the_bias | expected a signature that fits
def conv_cost(in_channels, out_channels, kernel, size):
    weights = in_channels * out_channels * kernel**2
    return weights, weights * size**2


# %% conv_cost | right
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    layer = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=bias)
    positions = layer(torch.zeros(1, in_channels, size, size))[0, 0].numel()
    return [sum(p.numel() for p in layer.parameters()), layer.weight.numel() * positions]


# %% conv_cost | right
def conv_cost(in_channels, out_channels, kernel, size, stride=1, bias=False):
    shape = np.array([out_channels, in_channels, kernel, kernel])
    positions = np.ceil(size / stride) ** 2
    return np.prod(shape) + np.where(bias, out_channels, 0).sum(), torch.tensor(np.prod(shape) * positions)


# %% diagnose | test_diagnose_degradation | you say overfitting, although the deeper network fits its training images worse
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    if deep_test - shallow_test > margin:  # the usual reflex: worse on test images means overfitting
        return "overfitting"
    if deep_train - shallow_train > margin:
        return "degradation"
    return "neither"


# %% diagnose | test_diagnose_degradation | you say neither
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    if deep_train - shallow_train > margin and deep_test - shallow_test > margin:
        return "degradation"
    if deep_test - shallow_test > margin:
        return "overfitting"
    return "neither"


# %% diagnose | test_diagnose_overfitting | you say neither, although the deeper network is worse on test images only
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    if deep_train - shallow_train > margin:
        return "degradation"
    if deep_train < shallow_train and deep_test - shallow_test > margin:  # equal training errors fall through
        return "overfitting"
    return "neither"


# %% diagnose | test_diagnose_neither | you say overfitting, although the deeper network is not worse
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    if deep_train - shallow_train > margin:
        return "degradation"
    if deep_test - deep_train > margin:  # the gap within one network
        return "overfitting"
    return "neither"


# %% diagnose | test_diagnose_neither | you say degradation, although the deeper network is not worse
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    if abs(deep_train - shallow_train) > margin:
        return "degradation"
    if abs(deep_test - shallow_test) > margin:
        return "overfitting"
    return "neither"


# %% diagnose | test_diagnose_neither | although no difference is *more* than the margin
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    if deep_train - shallow_train >= margin:
        return "degradation"
    if deep_test - shallow_test >= margin:
        return "overfitting"
    return "neither"


# %% diagnose | test_diagnose_neither | you say overfitting
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    if deep_train - shallow_train > margin:
        return "degradation"
    return "overfitting" if deep_test > shallow_test else "neither"


# %% diagnose | test_diagnose_neither | is the margin used in every rule?
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    if deep_train > shallow_train + 1:
        return "degradation"
    if deep_test > shallow_test + 1:
        return "overfitting"
    return "neither"


# %% diagnose | test_diagnose_neither | yours returned nothing (None; did you forget `return`?)
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    if deep_train - shallow_train > margin:
        return "degradation"
    if deep_test - shallow_test > margin:
        return "overfitting"


# %% diagnose | test_diagnose_degradation | one of the words degradation, overfitting, neither is expected
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    if deep_train - shallow_train > margin:
        return "Degradation"
    return "Overfitting" if deep_test - shallow_test > margin else "Neither"


# %% diagnose | right
def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    worse = np.array([deep_train, deep_test]) > np.array([shallow_train, shallow_test]) + margin
    return ("degradation" if worse[0] else "overfitting") if worse.any() else "neither"


# %% diagnose | right
VERDICTS = {(True, True): "degradation", (True, False): "degradation", (False, True): "overfitting", (False, False): "neither"}


def is_worse(shallow, deep, margin):
    return deep - shallow > margin


def diagnose(shallow_train, shallow_test, deep_train, deep_test, margin=1.0):
    return VERDICTS[is_worse(shallow_train, deep_train, margin), is_worse(shallow_test, deep_test, margin)]


# %% gradient_norms | test_gradient_norms_do_not_add_up | a second call with the same batch gives 2 times the first norm
def gradient_norms(model, images, labels):
    F.cross_entropy(model(images), labels).backward()
    return [m.weight.grad.norm().item() for m in model.modules() if isinstance(m, nn.Conv2d)]


# %% gradient_norms | test_gradient_norms_leave_the_model_as_it_was | parameters still hold a gradient
def gradient_norms(model, images, labels):
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    return [m.weight.grad.norm().item() for m in model.modules() if isinstance(m, nn.Conv2d)]


# %% gradient_norms | test_gradient_norms_do_not_add_up | if .grad of the parameters holds something before the call
def gradient_norms(model, images, labels):
    F.cross_entropy(model(images), labels).backward()
    norms = [m.weight.grad.norm().item() for m in model.modules() if isinstance(m, nn.Conv2d)]
    model.zero_grad()
    return norms


# %% gradient_norms | test_gradient_norms_are_those_of_the_loss | your norm is 9 times the right number
def gradient_norms(model, images, labels):
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
    loss = F.cross_entropy(model(images), labels, reduction="sum")
    return [g.norm().item() for g in torch.autograd.grad(loss, weights)]


# %% gradient_norms | test_gradient_norms_are_those_of_the_loss | times the right number
def gradient_norms(model, images, labels):
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
    loss = F.cross_entropy(torch.softmax(model(images), dim=1), labels)  # the loss takes scores
    return [g.norm().item() for g in torch.autograd.grad(loss, weights)]


# %% gradient_norms | test_gradient_norms_are_those_of_the_loss | times the right number
def gradient_norms(model, images, labels):
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
    gradients = torch.autograd.grad(F.cross_entropy(model(images), labels), weights)
    return [g.abs().mean().item() for g in gradients]


# %% gradient_norms | test_gradient_norms_are_those_of_the_loss | times the right number
def gradient_norms(model, images, labels):
    return [m.weight.norm().item() for m in model.modules() if isinstance(m, nn.Conv2d)]


# %% gradient_norms | test_gradient_norms_are_those_of_the_loss | convolution 1 of 5
def gradient_norms(model, images, labels):
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
    gradients = torch.autograd.grad(F.cross_entropy(model(images), labels), weights)
    return [g.norm().item() for g in reversed(gradients)]  # the order of the backward pass


# %% gradient_norms | test_gradient_norms_has_one_for_each_convolution | has 5 convolutions; your list has 17 numbers
def gradient_norms(model, images, labels):
    loss = F.cross_entropy(model(images), labels)
    return [g.norm().item() for g in torch.autograd.grad(loss, list(model.parameters()))]


# %% gradient_norms | test_gradient_norms_has_one_for_each_convolution | has 5 convolutions; your list has 0 numbers
def gradient_norms(model, images, labels):
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    norms = [m.weight.grad.norm().item() for m in model.children() if isinstance(m, nn.Conv2d)]
    model.zero_grad()
    return norms


# %% gradient_norms | test_gradient_norms_has_one_for_each_convolution | your code raised AttributeError
def gradient_norms(model, images, labels):
    layers = [*model.stem.modules(), *model.stages.modules()]
    weights = [m.weight for m in layers if isinstance(m, nn.Conv2d)]
    return [g.norm().item() for g in torch.autograd.grad(F.cross_entropy(model(images), labels), weights)]


# %% gradient_norms | test_gradient_norms_leave_the_model_as_it_was | was in training mode before the call, but not after it
def gradient_norms(model, images, labels):
    model.eval()
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
    return [g.norm().item() for g in torch.autograd.grad(F.cross_entropy(model(images), labels), weights)]


# %% gradient_norms | test_gradient_norms_leave_the_model_as_it_was | measure, do not train
def gradient_norms(model, images, labels):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    optimizer.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    norms = [m.weight.grad.norm().item() for m in model.modules() if isinstance(m, nn.Conv2d)]
    optimizer.step()
    optimizer.zero_grad()
    return norms


# %% gradient_norms | test_gradient_norms_leave_the_model_as_it_was | can no longer be trained after the call
def gradient_norms(model, images, labels):
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
    model.requires_grad_(False)  # saves time: only the convolutions are needed
    for weight in weights:
        weight.requires_grad_(True)
    return [g.norm().item() for g in torch.autograd.grad(F.cross_entropy(model(images), labels), weights)]


# %% gradient_norms | test_gradient_norms_has_one_for_each_convolution | yours returned {
def gradient_norms(model, images, labels):
    convs = {name: m.weight for name, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    gradients = torch.autograd.grad(F.cross_entropy(model(images), labels), list(convs.values()))
    return {name: g.norm().item() for name, g in zip(convs, gradients, strict=True)}


# %% gradient_norms | test_gradient_norms_has_one_for_each_convolution | your code raised RuntimeError: element 0
@torch.no_grad()
def gradient_norms(model, images, labels):
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
    return [g.norm().item() for g in torch.autograd.grad(F.cross_entropy(model(images), labels), weights)]


# %% gradient_norms | right
def gradient_norms(model, images, labels):
    model.zero_grad()
    nn.CrossEntropyLoss()(model(images), labels).backward()
    norms = [torch.sqrt((m.weight.grad**2).sum()) for m in model.modules() if type(m) is nn.Conv2d]
    model.zero_grad(set_to_none=False)
    return tuple(norms)


# %% gradient_norms | right
def gradient_norms(model, images, labels):
    held = [p.grad for p in model.parameters()]
    for p in model.parameters():
        p.grad = None
    loss = -torch.log_softmax(model(images), 1)[torch.arange(len(labels)), labels].mean()
    loss.backward()
    # all weights with four dimensions belong to convolutions
    norms = torch.stack([torch.linalg.vector_norm(p.grad) for p in model.parameters() if p.ndim == 4])
    for p, old in zip(model.parameters(), held, strict=True):
        p.grad = old
    return norms


# %% identity_conv | test_identity_conv_returns_non_negative_input | the output's mean is
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[:, :, 1, 1] = 1.0  # every output channel sums all input channels
    return nn.Sequential(conv, nn.ReLU())


# %% identity_conv | test_identity_conv_returns_non_negative_input | output and input differ by up to
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1)  # its bias stays random
    nn.init.dirac_(conv.weight)
    return nn.Sequential(conv, nn.ReLU())


# %% identity_conv | test_identity_conv_returns_non_negative_input | what does a 3×3 kernel need at the border?
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, bias=False)
    nn.init.dirac_(conv.weight)
    return nn.Sequential(conv, nn.ReLU())


# %% identity_conv | test_identity_conv_returns_non_negative_input | output and input differ by up to
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[:, :, 0, 0] = torch.eye(channels)  # the corner of the kernel: shifts the image
    return nn.Sequential(conv, nn.ReLU())


# %% identity_conv | test_identity_conv_returns_non_negative_input | output and input differ by up to
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    nn.init.ones_(conv.weight)
    return nn.Sequential(conv, nn.ReLU())


# %% identity_conv | test_identity_conv_returns_non_negative_input | training mode: output and input differ
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    nn.init.dirac_(conv.weight)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


# %% identity_conv | test_identity_conv_returns_non_negative_input | your code raised TypeError: cannot assign
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    weight = torch.zeros(channels, channels, 3, 3)
    weight[range(channels), range(channels), 1, 1] = 1.0
    conv.weight = weight
    return nn.Sequential(conv, nn.ReLU())


# %% identity_conv | test_identity_conv_returns_non_negative_input | expected a torch.nn.Module
def identity_conv(channels):
    weight = torch.zeros(channels, channels, 3, 3)
    weight[range(channels), range(channels), 1, 1] = 1.0
    return lambda x: F.relu(F.conv2d(x, weight, padding=1))


# %% identity_conv | test_identity_conv_returns_non_negative_input | yours returned nothing (None; did you forget `return`?)
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    nn.init.dirac_(conv.weight)
    layer = nn.Sequential(conv, nn.ReLU())


# %% identity_conv | test_identity_conv_ends_with_relu | which function follows the convolution?
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    nn.init.dirac_(conv.weight)
    return conv


# %% identity_conv | test_identity_conv_is_an_ordinary_layer | yours are none
def identity_conv(channels):
    return nn.Sequential(nn.Identity(), nn.ReLU())


# %% identity_conv | test_identity_conv_is_an_ordinary_layer | of a full 3×3 convolution; yours are [(3, 1, 3, 3)]
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    nn.init.dirac_(conv.weight, groups=channels)
    return nn.Sequential(conv, nn.ReLU())


# %% identity_conv | test_identity_conv_is_an_ordinary_layer | of a full 3×3 convolution; yours are [(3, 3, 1, 1)]
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 1, bias=False)
    nn.init.dirac_(conv.weight)
    return nn.Sequential(conv, nn.ReLU())


# %% identity_conv | test_identity_conv_is_an_ordinary_layer | cannot be trained
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    conv.weight.requires_grad = False  # allows the assignments below
    conv.weight.zero_()
    conv.weight[range(channels), range(channels), 1, 1] = 1.0
    return nn.Sequential(conv, nn.ReLU())


# %% identity_conv | test_identity_conv_is_an_ordinary_layer | with all weights at 0 the layer still lets its input through
class ZeroBranch(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        nn.init.zeros_(self.conv.weight)

    def forward(self, x):
        return F.relu(x + self.conv(x))  # the next chapter's idea, but not a convolution that is the identity


def identity_conv(channels):
    return ZeroBranch(channels)


# %% identity_conv | test_identity_conv_ends_with_relu | with the signs of all its weights turned
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    nn.init.dirac_(conv.weight)
    return nn.Sequential(nn.ReLU(), conv)  # ReLU comes first


# %% identity_conv | right
def identity_conv(channels):
    conv = nn.Conv2d(channels, channels, kernel_size=3, padding="same")
    nn.init.dirac_(conv.weight)
    nn.init.zeros_(conv.bias)
    return nn.Sequential(OrderedDict(conv=conv, activation=nn.ReLU(inplace=True)))


# %% identity_conv | right
class IdentityConv(nn.Module):
    def __init__(self, channels):
        super().__init__()
        kernel = torch.zeros(3, 3)
        kernel[1, 1] = 1
        self.weight = nn.Parameter(torch.einsum("oi,hw->oihw", torch.eye(channels), kernel))

    def forward(self, x):
        return F.conv2d(x, self.weight, padding=1).clamp(min=0)


def identity_conv(channels: int):
    return IdentityConv(channels)


# %% embed_deeper | test_embed_deeper_shares_nothing | the shallow network has other layers than before
def embed_deeper(shallow, extra, identity_layer):
    channels = shallow.stages[-1][-1].out_channels
    shallow.stages.append(nn.Sequential(*[identity_layer(channels) for _ in range(extra)]))
    return shallow


# %% embed_deeper | test_embed_deeper_shares_nothing | the shallow network has other layers than before
def embed_deeper(shallow, extra, identity_layer):
    deeper = copy.copy(shallow)  # a new shell around the same layers
    channels = shallow.stages[-1][-1].out_channels
    deeper.stages.append(nn.Sequential(*[identity_layer(channels) for _ in range(extra)]))
    return deeper


# %% embed_deeper | test_embed_deeper_shares_nothing | one training step of the deeper network changed
def embed_deeper(shallow, extra, identity_layer):
    channels = shallow.stages[-1][-1].out_channels
    layers = nn.Sequential(*[identity_layer(channels) for _ in range(extra)])
    return ConvNet(shallow.stem, nn.Sequential(*shallow.stages, layers), shallow.head)


# %% embed_deeper | test_embed_deeper_adds_layers | the parameters of 1 more layers
def embed_deeper(shallow, extra, identity_layer):
    deeper = copy.deepcopy(shallow)
    layer = identity_layer(shallow.stages[-1][-1].out_channels)
    deeper.stages.append(nn.Sequential(*[layer] * extra))
    return deeper


# %% embed_deeper | test_embed_deeper_adds_layers | extra=1 at 10 channels: the deeper network has the parameters of 0 more layers
def embed_deeper(shallow, extra, identity_layer):
    deeper = copy.deepcopy(shallow)
    for _ in range(1, extra):
        deeper.stages.append(identity_layer(shallow.stages[-1][-1].out_channels))
    return deeper


# %% embed_deeper | test_embed_deeper_adds_layers | more layers
def embed_deeper(shallow, extra, identity_layer):
    deeper = copy.deepcopy(shallow)
    for _ in range(extra):
        deeper.stages.append(nn.Identity())
    return deeper


# %% embed_deeper | test_embed_deeper_adds_layers | more layers
def embed_deeper(shallow, extra, identity_layer):
    deeper = copy.deepcopy(shallow)
    channels = shallow.stem[0][0].out_channels
    deeper.stem.extend([identity_layer(channels) for _ in range(extra)])  # behind the stem, not before the head
    return deeper


# %% embed_deeper | test_embed_deeper_computes_the_same_function | computes a different function
def embed_deeper(shallow, extra, identity_layer):
    deeper = copy.deepcopy(shallow)
    for layer in deeper.modules():  # a fresh start, as after plain_net(…)
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    deeper.stages.append(nn.Sequential(*[identity_layer(shallow.stages[-1][-1].out_channels) for _ in range(extra)]))
    return deeper


# %% embed_deeper | test_embed_deeper_computes_the_same_function | computes a different function
def embed_deeper(shallow, extra, identity_layer):
    layers = [identity_layer(shallow.in_channels) for _ in range(extra)]  # images have negative values
    return nn.Sequential(*layers, copy.deepcopy(shallow))


# %% embed_deeper | test_embed_deeper_computes_the_same_function | your code raised RuntimeError
def embed_deeper(shallow, extra, identity_layer):
    channels = shallow.stages[-1][-1].out_channels
    return nn.Sequential(copy.deepcopy(shallow), *[identity_layer(channels) for _ in range(extra)])


# %% embed_deeper | test_embed_deeper_computes_the_same_function | your code raised RuntimeError
def embed_deeper(shallow, extra, identity_layer):
    deeper = copy.deepcopy(shallow)
    deeper.stages.append(nn.Sequential(*[identity_layer(64) for _ in range(extra)]))
    return deeper


# %% embed_deeper | test_embed_deeper_can_be_trained | parameters of the deeper network cannot be trained
def embed_deeper(shallow, extra, identity_layer):
    deeper = copy.deepcopy(shallow).requires_grad_(False)
    deeper.stages.append(nn.Sequential(*[identity_layer(shallow.stages[-1][-1].out_channels) for _ in range(extra)]))
    return deeper


# %% embed_deeper | test_embed_deeper_can_be_trained | the gradient does not reach
class Deeper(nn.Module):
    def __init__(self, shallow, layers):
        super().__init__()
        self.shallow, self.layers = copy.deepcopy(shallow), nn.Sequential(*layers)

    def forward(self, x):
        with torch.no_grad():
            x = self.shallow.stages(self.shallow.stem(x))
        return self.shallow.head(self.layers(x))


def embed_deeper(shallow, extra, identity_layer):
    return Deeper(shallow, [identity_layer(shallow.stages[-1][-1].out_channels) for _ in range(extra)])


# %% embed_deeper | test_embed_deeper_computes_the_same_function | yours returned nothing (None; did you forget `return`?)
def embed_deeper(shallow, extra, identity_layer):
    deeper = copy.deepcopy(shallow)
    deeper.stages.append(nn.Sequential(*[identity_layer(shallow.stages[-1][-1].out_channels) for _ in range(extra)]))


# %% embed_deeper | test_embed_deeper_computes_the_same_function | expected a signature that fits
def embed_deeper(shallow, extra):
    deeper = copy.deepcopy(shallow)
    channels = shallow.stages[-1][-1].out_channels
    deeper.stages.append(nn.Sequential(*[identity_conv(channels) for _ in range(extra)]))  # noqa: F821
    return deeper


# %% embed_deeper | right
def embed_deeper(shallow, extra, identity_layer):
    own = copy.deepcopy(shallow)
    channels = own.head[-1].in_features
    return nn.Sequential(own.stem, own.stages, *(identity_layer(channels) for _ in range(extra)), own.head)


# %% embed_deeper | right
class Embedded(nn.Module):
    def __init__(self, shallow, layers):
        super().__init__()
        self.body = nn.ModuleList([shallow.stem, *shallow.stages])
        self.layers = nn.ModuleList(layers)
        self.head = shallow.head

    def forward(self, x):
        for part in [*self.body, *self.layers]:
            x = part(x)
        return self.head(x)


def embed_deeper(shallow, extra, identity_layer):
    channels = shallow.stages[-1][-1].out_channels
    return Embedded(copy.deepcopy(shallow), [identity_layer(channels) for _ in range(extra)])
