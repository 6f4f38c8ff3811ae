"""Graded tests of exercises/01_degradation.ipynb."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.grading import Handle, points
from course_lib.grading.values import (
    count_parameters,
    difference,
    integers,
    kind,
    normal,
    number_list,
    numbers,
    random_state,
    times,
    trainable,
)
from course_lib.models import ConvNet, PlainBlock, build_stages, classifier, conv_bn

# -------------------------------------------------------------- trusted functions, run where the student's objects are


def small_net(widths: list[int], depths: list[int], norm: bool) -> ConvNet:
    """A plain ConvNet of few channels, which is none of the families."""
    stem = nn.Sequential(conv_bn(2, widths[0], 3, norm=norm), nn.ReLU())
    stages = build_stages(lambda *args, **kwargs: PlainBlock(*args, norm=norm, **kwargs), widths[0], widths[1:], depths)
    return ConvNet(stem, stages, classifier(widths[-1], 3))


def nested_net() -> nn.Module:
    """Convolutions of several kinds at several levels, beside other layers with weights."""
    inner = nn.Sequential(
        nn.Conv2d(4, 5, 1), nn.Sequential(nn.GroupNorm(1, 5), nn.ReLU(), nn.Conv2d(5, 6, 3, stride=2, groups=1))
    )
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.ReLU(), inner, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
    )


def exact_identity(channels: int) -> nn.Module:
    conv = nn.Conv2d(channels, channels, 3, padding=1)
    nn.init.dirac_(conv.weight)
    nn.init.zeros_(conv.bias)
    return nn.Sequential(conv, nn.ReLU())


def give_identity_layer():
    return exact_identity


def gradients_left(model: nn.Module) -> list[str]:
    """Names of the parameters whose .grad holds something."""
    return [name for name, value in model.named_parameters() if value.grad is not None and bool(value.grad.abs().sum() != 0)]


def leave_gradients(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)


def mode(model: nn.Module) -> bool:
    return model.training


def weight_gradients(model: nn.Module, x: Tensor, upstream: Tensor) -> dict[str, Tensor]:
    """Gradient of sum(output · upstream) for each parameter; zeros where nothing arrives."""
    named = dict(model.named_parameters())
    wanted = {name: parameter for name, parameter in named.items() if parameter.requires_grad}
    loss = (model(x) * upstream).sum()
    if not wanted or not loss.requires_grad:
        return {name: torch.zeros_like(parameter) for name, parameter in named.items()}
    found = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
    arrived = {name: gradient for name, gradient in zip(wanted, found, strict=True) if gradient is not None}
    return {name: arrived.get(name, torch.zeros_like(parameter)) for name, parameter in named.items()}


def train_a_step(model: nn.Module, x: Tensor, labels: Tensor) -> None:
    """One large step in training mode: it changes parameters and batch-norm statistics.

    Without torch.optim, which would load half of torch's compiler in each answer process.
    """
    loss = F.cross_entropy(model.train()(x), labels)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(loss, learning, allow_unused=True) if loss.requires_grad else ()
    with torch.no_grad():
        for parameter, gradient in zip(learning, found, strict=False):
            if gradient is not None:
                parameter -= 0.5 * gradient


# -------------------------------------------------------------------------------------------------- 1. conv_cost


def counted(answers, *args: int, **options: int) -> list[float]:
    """The two numbers of conv_cost."""
    return numbers(answers.conv_cost(*args, **options), ("parameters", "multiply-adds"))


def true_cost(
    in_channels: int, out_channels: int, kernel: int, size: int, stride: int = 1, bias: bool = False
) -> tuple[int, int]:
    """Read off PyTorch's own layer, without computing anything."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=bias, device="meta")
    output = conv(torch.empty(1, in_channels, size, size, device="meta"))
    return sum(parameter.numel() for parameter in conv.parameters()), output.numel() * conv.weight[0].numel()


def layers(seed: int) -> list[tuple[int, int, int]]:
    """Some (in_channels, out_channels, kernel), with odd kernels and different numbers of channels."""
    fixed = [(3, 16, 3), (16, 10, 1), (7, 4, 5)]
    return fixed + [
        (2 * a, 2 * a + 2 * b + 1, k) for a, b, k in zip(*(integers(seed + i, 1, 20, 2) for i in range(2)), (3, 7), strict=True)
    ]


@points(1, "conv_cost", hint="Each output channel has a kernel of its own, and each kernel reads all input channels.")
def test_conv_cost_counts_the_weights(answers):
    """Parameters of a convolution without bias"""
    for layer in layers(11):
        found, (expected, _) = counted(answers, *layer, 8)[0], true_cost(*layer, 8)
        assert found == expected, f"parameters of nn.Conv2d{layer}: you count {found:,}, {times(found, expected)}"


@points(1, "conv_cost", hint="A bias is one number per output channel. It is added to a sum of products; it is no product.")
def test_conv_cost_counts_the_bias(answers):
    """A bias adds parameters, but no multiply-adds"""
    for layer in layers(12):
        without, biased = counted(answers, *layer, 8), counted(answers, *layer, 8, bias=True)
        found, expected = biased[0] - without[0], true_cost(*layer, 8, bias=True)[0] - true_cost(*layer, 8)[0]
        assert found == expected, (
            f"nn.Conv2d{layer}: bias=True adds {found:,} parameters in your count; how many biases are there?"
        )
        found = biased[1] - without[1]
        assert found == 0, (
            f"nn.Conv2d{layer}: bias=True adds {found:,} multiply-adds in your count, although adding multiplies nothing"
        )


@points(1, "conv_cost", hint="Every weight is used once at every position of the output.")
def test_conv_cost_counts_multiply_adds(answers):
    """Multiply-adds at stride 1"""
    for layer, size in zip(layers(13), [8, 32, 5, *integers(14, 7, 40, 2)], strict=True):
        found, (_, expected) = counted(answers, *layer, size)[1], true_cost(*layer, size)
        assert found == expected, (
            f"multiply-adds of nn.Conv2d{layer} at {size}×{size}: you count {found:,}, {times(found, expected)}"
        )


@points(
    1,
    "conv_cost",
    hint="Write the positions 0, 1, 2, … of one row on paper and mark every stride-th. How many are marked if the "
    "size is 7 and the stride 2?",
)
def test_conv_cost_counts_strided_positions(answers):
    """Multiply-adds at stride 2 and 3, for even and odd sizes"""
    for (in_channels, out_channels, kernel), size, stride in zip(layers(15), [8, 7, 9, 11, 10], [2, 2, 3, 2, 3], strict=True):
        layer = (in_channels, out_channels, kernel)
        found, expected = counted(answers, *layer, size, stride=stride), true_cost(*layer, size, stride)
        assert found[0] == expected[0], f"parameters of nn.Conv2d{layer} at stride {stride}: {times(found[0], expected[0])}"
        assert found[1] == expected[1], (
            f"multiply-adds of nn.Conv2d{layer} at {size}×{size} with stride {stride}: you count {found[1]:,}, "
            f"{times(found[1], expected[1])}; at how many positions does the kernel stand?"
        )


# --------------------------------------------------------------------------------------------------- 2. diagnose


def diagnosis(answers, *errors: float, **options: float) -> str:
    """The word that diagnose returns, checked to be one of the three."""
    found = answers.diagnose(*errors, **options)
    words = ("degradation", "overfitting", "neither")
    assert isinstance(found, str) and found in words, (
        f"one of the words {', '.join(words)} is expected; yours returned {kind(found)}"
    )
    return found


def case(errors: tuple[float, ...], margin: float = 1.0) -> str:
    shallow_train, shallow_test, deep_train, deep_test = errors
    return (
        f"training error {shallow_train} % (shallow) and {deep_train} % (deep), "
        f"test error {shallow_test} % and {deep_test} %, margin {margin}"
    )


@points(1, "diagnose", hint="Overfitting means to fit the training images too well. Which of the four numbers rules that out?")
def test_diagnose_degradation(answers):
    """A higher training error is degradation, whatever the test errors are"""
    cases = [
        (0.1, 2.0, 43.0, 44.0),
        (5.0, 8.0, 9.0, 11.0),
        (5.0, 30.0, 9.0, 20.0),
        (1.0, 8.0, 3.0, 25.0),
        (20.0, 20.0, 30.0, 20.0),
    ]
    cases += [(float(a), 40.0, float(a + b), 50.0) for a, b in zip(integers(21, 0, 20, 4), integers(22, 2, 20, 4), strict=True)]
    for errors in cases:
        found = diagnosis(answers, *errors)
        assert found == "degradation", (
            f"{case(errors)}: you say {found}, although the deeper network fits its training images worse"
        )


@points(1, "diagnose", hint="Rule 2 looks at the test errors only, and only where rule 1 has not spoken.")
def test_diagnose_overfitting(answers):
    """A higher test error without a higher training error is overfitting"""
    cases = [
        (5.0, 8.0, 2.0, 11.0),
        (5.0, 8.0, 5.0, 10.0),
        (5.0, 8.0, 5.5, 12.0),
        (0.0, 20.0, 0.0, 35.0),
        (30.0, 31.0, 28.0, 33.0),
    ]
    cases += [(20.0, float(a), 10.0, float(a + b)) for a, b in zip(integers(23, 20, 40, 4), integers(24, 2, 20, 4), strict=True)]
    for errors in cases:
        found = diagnosis(answers, *errors)
        assert found == "overfitting", (
            f"{case(errors)}: you say {found}, although the deeper network is worse on test images only"
        )


@points(
    1,
    "diagnose",
    hint="The deeper network must be worse by more than the margin: better does not count, equal to the margin neither.",
)
def test_diagnose_neither(answers):
    """Differences up to the margin, and a deeper network that is better, are neither"""
    for errors in [
        (9.0, 11.0, 5.0, 8.0),
        (5.0, 8.0, 5.0, 8.0),
        (0.0, 20.0, 0.0, 20.5),
        (5.0, 8.0, 2.0, 8.0),
        (1.0, 30.0, 0.0, 29.0),
    ]:
        found = diagnosis(answers, *errors)
        assert found == "neither", (
            f"{case(errors)}: you say {found}, although the deeper network is not worse by more than the margin"
        )
    for errors in [(5.0, 8.0, 6.0, 9.0), (5.0, 8.0, 6.0, 8.0), (5.0, 8.0, 5.0, 9.0)]:
        found = diagnosis(answers, *errors)
        assert found == "neither", f"{case(errors)}: you say {found}, although no difference is *more* than the margin"
    for errors, margin, expected in [
        ((5.0, 8.0, 9.0, 11.0), 4.0, "neither"),
        ((5.0, 8.0, 9.0, 13.0), 4.0, "overfitting"),
        ((5.0, 8.0, 5.5, 8.0), 0.25, "degradation"),
    ]:
        found = diagnosis(answers, *errors, margin=margin)
        assert found == expected, f"{case(errors, margin)}: you say {found}; is the margin used in every rule?"


# --------------------------------------------------------------------------------------------- 3. gradient_norms


def measured_nets(answers, count: int = 3) -> list[tuple[str, object, nn.Module]]:
    """(words, the network inside, the same network here), with the same random weights."""
    nets = []
    for seed, (words, build, args) in enumerate(
        [
            ("a plain network", small_net, ([4, 8], [2], True)),
            ("a plain network without batch normalisation", small_net, ([4, 6, 8], [1, 2], False)),
            ("a network with convolutions at several levels", nested_net, ()),
        ][:count]
    ):
        inside, local = answers.inside(build, *args), build(*args)
        state = random_state(local, 30 + seed)
        local.load_state_dict(state)
        inside.load(state)
        nets.append((words, inside, local))
    return nets


def batch(seed: int, count: int = 6) -> tuple[Tensor, Tensor]:
    return normal(seed, count, 2, 8, 8), torch.tensor(integers(seed, 0, 2, count))


def true_norms(model: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    weights = [layer.weight for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    return [gradient.norm().item() for gradient in torch.autograd.grad(F.cross_entropy(model(images), labels), weights)]


def norms(answers, model: object, images: Tensor, labels: Tensor) -> list[float]:
    return number_list(answers.gradient_norms(model, images, labels), "a list of numbers, one for each convolution,")


def assert_norms(found: list[float], expected: list[float], words: str) -> None:
    for place, (mine, right) in enumerate(zip(found, expected, strict=True), start=1):
        assert abs(mine - right) <= 1e-3 * right, (
            f"{words}, convolution {place} of {len(expected)}: your norm is {times(mine, right)}"
        )


@points(
    1,
    "gradient_norms",
    hint="children() sees one level, modules() sees all. Which of them are convolutions, and which parameter of "
    "a convolution is asked for?",
)
def test_gradient_norms_has_one_for_each_convolution(answers):
    """One norm for each convolution"""
    for words, inside, local in measured_nets(answers):
        images, labels = batch(31)
        found, expected = norms(answers, inside, images, labels), true_norms(local, images, labels)
        assert len(found) == len(expected), f"{words} has {len(expected)} convolutions; your list has {len(found)} numbers"


@points(
    1,
    "gradient_norms",
    hint="The loss is F.cross_entropy with its default reduction, on the scores as they come out of the model. "
    "The norm is the square root of the sum of squares.",
)
def test_gradient_norms_are_those_of_the_loss(answers):
    """The norms are those of the mean cross-entropy, in order"""
    for words, inside, local in measured_nets(answers):
        for train in (True, False):
            images, labels = batch(32 + train, count=6 + 3 * train)
            if train:
                inside.train(), local.train()
            else:
                inside.eval(), local.eval()
            found, expected = norms(answers, inside, images, labels), true_norms(local, images, labels)
            assert len(found) == len(expected), f"{words} has {len(expected)} convolutions; your list has {len(found)} numbers"
            assert_norms(found, expected, f"{words} in {'training' if train else 'evaluation'} mode, {len(images)} images")


@points(
    1,
    "gradient_norms",
    hint="backward() adds to what .grad holds. Either empty it before and after, or ask torch.autograd.grad, "
    "which writes nothing there.",
)
def test_gradient_norms_do_not_add_up(answers):
    """A second measurement gives the same, whatever .grad held before"""
    words, inside, _ = measured_nets(answers, 1)[0]
    images, labels = batch(33)
    inside.train()
    first, second = norms(answers, inside, images, labels), norms(answers, inside, images, labels)
    assert len(first) == len(second) > 0, f"{words}: two calls return {len(first)} and {len(second)} numbers"
    for place, (one, two) in enumerate(zip(first, second, strict=True), start=1):
        assert abs(two - one) <= 1e-3 * abs(one), (
            f"{words}: a second call with the same batch gives {two / one if one else two:.3g} times the first norm of "
            f"convolution {place}"
        )
    inside.run(leave_gradients)
    third = norms(answers, inside, images, labels)
    for place, (one, three) in enumerate(zip(first, third, strict=True), start=1):
        assert abs(three - one) <= 1e-3 * abs(one), (
            f"{words}: the norm of convolution {place} is {three / one if one else three:.3g} times as large if .grad of the "
            "parameters holds something before the call"
        )


@points(1, "gradient_norms", hint="After the call, look at the .grad of each parameter, at model.training and at the weights.")
def test_gradient_norms_leave_the_model_as_it_was(answers):
    """No gradients are left behind; weights and mode stay"""
    words, inside, local = measured_nets(answers, 1)[0]
    parameters = [name for name, _ in local.named_parameters()]
    for train in (True, False):
        if train:
            inside.train()
        else:
            inside.eval()
        before = inside.state()
        norms(answers, inside, *batch(34))
        left = inside.run(gradients_left)
        assert not left, f"{words}: {len(left)} of {len(parameters)} parameters still hold a gradient after the call"
        after = inside.state()
        changed = [name for name in parameters if not torch.equal(before[name], after[name])]
        assert not changed, f"{words}: the call changed {len(changed)} of {len(parameters)} parameters; measure, do not train"
        assert inside.run(mode) == train, (
            f"{words} was in {'training' if train else 'evaluation'} mode before the call, but not after it"
        )
        frozen = [name for name, is_trainable in inside.run(trainable).items() if not is_trainable]
        assert not frozen, f"{words}: {len(frozen)} of {len(parameters)} parameters can no longer be trained after the call"


# ----------------------------------------------------------------------------------------------- 4. identity_conv


def identity(answers, channels: int):
    layer = answers.identity_conv(channels)
    assert isinstance(layer, Handle), f"identity_conv returns a module that can be called; yours returned {kind(layer)}"
    return layer


@points(
    2,
    "identity_conv",
    hint="The output channel c is a weighted sum over all input channels and the nine positions of the kernel. "
    "Exactly one of these weights is needed.",
)
def test_identity_conv_returns_non_negative_input(answers):
    """Non-negative input comes back unchanged"""
    for channels, height, width in [(1, 5, 5), (4, 8, 8), (7, 6, 9)]:
        layer, x = identity(answers, channels), normal(41 + channels, 3, channels, height, width).abs()
        for train in (True, False):
            if train:
                layer.train()
            else:
                layer.eval()
            found = layer(x)
            assert isinstance(found, Tensor), f"the layer returned {kind(found)} instead of a tensor"
            assert found.shape == x.shape, (
                f"input of shape {tuple(x.shape)} became {tuple(found.shape)}; what does a 3×3 kernel need at the border?"
            )
            error = difference(found, x)
            assert error < 1e-5, (
                f"channels={channels}, {'training' if train else 'evaluation'} mode: output and input differ by up to "
                f"{error:.2g} of the largest input; the output's mean is {found.mean() / x.mean():.3g} times the input's"
            )


@points(1, "identity_conv", hint="What follows every convolution of a plain network?")
def test_identity_conv_ends_with_relu(answers):
    """Negative input becomes 0"""
    for channels in (2, 5):
        layer, x = identity(answers, channels), normal(45 + channels, 2, channels, 6, 6)
        found = layer(x)
        assert isinstance(found, Tensor) and found.shape == x.shape, f"input of shape {tuple(x.shape)} became {kind(found)}"
        assert (found >= 0).all(), f"the output has {(found < 0).sum()} negative values; which function follows the convolution?"
        assert difference(found[x < 0], torch.zeros(1)) == 0, "where the input is negative, the output is not 0"
        layer.load({name: -value for name, value in layer.state().items()})
        below = (layer(x) < 0).sum()
        assert not below, (
            f"with the signs of all its weights turned, the layer gives {below} negative values; what comes last in it?"
        )


@points(1, "identity_conv", hint="Look at the shapes in layer.state_dict(), and at requires_grad of layer.parameters().")
def test_identity_conv_is_an_ordinary_layer(answers):
    """A full 3×3 convolution whose weights can all be trained"""
    for channels in (3, 6):
        layer, full = identity(answers, channels), (channels, channels, 3, 3)
        shapes = {name: tuple(value.shape) for name, value in layer.state().items()}
        assert full in shapes.values(), (
            f"{channels} channels: no weight has the shape {full} of a full 3×3 convolution; "
            f"yours are {list(shapes.values()) or 'none'}"
        )
        assert list(shapes.values()).count(full) == 1, f"{channels} channels: one convolution is enough, yours has several"
        name = next(name for name, shape in shapes.items() if shape == full)
        assert layer.run(trainable).get(name), f"the weight {name} cannot be trained: it is no parameter with requires_grad"
        x = normal(48, 2, channels, 6, 6).abs() + 0.1
        found = layer(x)
        assert isinstance(found, Tensor) and found.shape == x.shape, f"input of shape {tuple(x.shape)} became {kind(found)}"
        gradient = layer.run(weight_gradients, x, normal(49, 2, channels, 6, 6))[name]
        idle = (gradient == 0).sum().item()
        assert idle == 0, f"{idle} of {gradient.numel()} weights receive no gradient, so training could never change them"
        layer.load({name: torch.zeros_like(value) for name, value in layer.state().items()})
        assert not layer(x).any(), (
            "with all weights at 0 the layer still lets its input through: it is not the weights that do the work"
        )


# ------------------------------------------------------------------------------------------------ 5. embed_deeper


def shallow_nets(answers) -> list[tuple[object, nn.Module, int]]:
    """(the network inside, the same network here, channels before its head), with the same random weights."""
    nets = []
    for seed, (build, args, channels) in enumerate(
        [(small_net, ([4, 6, 10], [1, 2], True), 10), (small_net, ([3, 7], [1], False), 7)]
    ):
        inside, local = answers.inside(build, *args), build(*args)
        state = random_state(local, 50 + seed)
        local.load_state_dict(state)
        inside.load(state)
        nets.append((inside, local, channels))
    return nets


def embed(answers, shallow: object, extra: int):
    deeper = answers.embed_deeper(shallow, extra, answers.inside(give_identity_layer))
    assert isinstance(deeper, Handle), f"embed_deeper returns a network that can be called; yours returned {kind(deeper)}"
    return deeper


@points(
    2,
    "embed_deeper",
    hint="Copy the shallow network with its weights. Where in it is a tensor of the right shape never negative?",
)
def test_embed_deeper_computes_the_same_function(answers):
    """The deeper network gives the scores of the shallow one"""
    for extra, train in [(2, False), (2, True), (5, False), (0, False)]:
        for shallow, local, _ in shallow_nets(answers):
            deeper, images = embed(answers, shallow, extra), normal(51, 4, 2, 8, 8)
            if train:
                deeper.train(), local.train()
            else:
                deeper.eval(), local.eval()
            found, expected = deeper(images), local(images).detach()
            assert isinstance(found, Tensor) and found.shape == expected.shape, (
                f"4 images give {kind(found)} instead of scores of shape {tuple(expected.shape)}"
            )
            error = difference(found, expected)
            assert error < 1e-4, (
                f"with extra={extra} in {'training' if train else 'evaluation'} mode the deeper network computes a different "
                f"function: its scores differ by up to {error:.2g} of the largest score"
            )


@points(
    1,
    "embed_deeper",
    hint="Compare the number of parameters before and after. A list that repeats one layer holds one set of weights.",
)
def test_embed_deeper_adds_layers(answers):
    """As many layers as asked for are added, each with weights of its own"""
    for extra in (0, 1, 3):
        for shallow, local, channels in shallow_nets(answers):
            found = embed(answers, shallow, extra).run(count_parameters) - count_parameters(local)
            per_layer = count_parameters(exact_identity(channels))
            assert found == extra * per_layer, (
                f"extra={extra} at {channels} channels: the deeper network has the parameters "
                f"of {found / per_layer:.3g} more layers"
            )


@points(
    1, "embed_deeper", hint="A module that is put into two networks is one object: whatever trains one network trains the other."
)
def test_embed_deeper_shares_nothing(answers):
    """Neither the call nor training the deeper network changes the shallow one"""
    for shallow, _, _ in shallow_nets(answers):
        before = shallow.state()
        deeper = embed(answers, shallow, 2)
        assert list(shallow.state()) == list(before), "after the call the shallow network has other layers than before"
        deeper.run(train_a_step, *batch(52))
        after = shallow.state()
        assert list(after) == list(before), "after the call the shallow network has other layers than before"
        changed = [name for name in before if not torch.equal(before[name], after[name])]
        assert not changed, (
            f"one training step of the deeper network changed {len(changed)} of {len(before)} tensors of the shallow one"
        )


@points(
    1, "embed_deeper", hint="Look at requires_grad of the deeper network's parameters, old and new, and at what forward does."
)
def test_embed_deeper_can_be_trained(answers):
    """The gradient reaches every layer, old and new"""
    for shallow, _, _ in shallow_nets(answers):
        deeper = embed(answers, shallow, 2)
        deeper.train()
        frozen = [name for name, is_trainable in deeper.run(trainable).items() if not is_trainable]
        assert not frozen, f"{len(frozen)} parameters of the deeper network cannot be trained (requires_grad is False)"
        scores = deeper(normal(53, 6, 2, 8, 8))
        assert isinstance(scores, Tensor) and scores.shape == (6, 3), (
            f"6 images give {kind(scores)} instead of scores of shape (6, 3)"
        )
        gradients = deeper.run(weight_gradients, normal(53, 6, 2, 8, 8), normal(54, 6, 3))
        idle = [name for name, gradient in gradients.items() if gradient.ndim > 1 and not gradient.any()]
        assert not idle, f"the gradient does not reach {len(idle)} of the deeper network's weights"
