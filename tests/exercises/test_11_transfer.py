"""Graded tests of exercises/11_transfer.ipynb."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.grading import Handle, points, values
from course_lib.grading.values import difference, kind, normal, number, telling, times, trainable
from course_lib.models import BasicBlock, ConvNet, build_stages, classifier, convs

# -------------------------------------------------------------- trusted functions, run where the student's objects are

WIDTHS = {1: (6,), 2: (4, 6), 3: (4, 5, 6), 4: (4, 5, 6, 7)}


def drawn(cases: list[tuple]) -> list[tuple]:
    """The same cases, with a seed for each drawn from its number."""
    return [(values.seed(number), *rest) for number, *rest in cases]


def build(seed: int, stages: int = 3, classes: int = 5, dropout: float = 0.0, frozen: bool = False) -> ConvNet:
    """A small network for two input channels, with running averages as after training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        widths = WIDTHS[stages]
        blocks = build_stages(BasicBlock, 3, widths, [1 + (stages + i) % 2 for i in range(stages)])
        net = ConvNet(convs(2, (3, 3)), blocks, classifier(widths[-1], classes, dropout))
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.running_mean, std=0.5)
                nn.init.uniform_(layer.running_var, 0.5, 2.0)
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias, std=0.3)
    net.requires_grad_(not frozen)
    return net


def set_learning(net: nn.Module, learn: bool) -> None:
    net.requires_grad_(learn)


def modes(net: nn.Module) -> dict[str, bool]:
    """Whether each module is in training mode; the network itself is ''."""
    return {name: module.training for name, module in net.named_modules()}


def layers(net: nn.Module) -> dict[str, str]:
    """Kinds of the innermost layers."""
    return {name: type(module).__name__ for name, module in net.named_modules() if not list(module.children())}


def is_same(one: object, other: object) -> bool:
    return one is other


def groups_of(function, net: nn.Module, lr: float, ratio: float | None) -> list:
    """Each group as (names of its parameters, rate); a kind instead where there is no list of groups."""
    groups = function(net, lr) if ratio is None else function(net, lr, ratio)
    if not isinstance(groups, list | tuple) or not all(isinstance(group, dict) and "params" in group for group in groups):
        return [type(groups).__name__]
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    found = []
    for group in groups:
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        rate = group.get("lr")
        found.append(([names.get(id(one), "?") for one in params], None if rate is None else float(rate)))
    return found


def prepare(function, net: nn.Module, names: tuple[str, ...]):
    return function(net, [net.get_submodule(name) for name in names])


def normalise(net: nn.Module, name: str, x: Tensor) -> Tensor:
    return net.get_submodule(name)(x)


def batches_seen(function, net: nn.Module, images: Tensor, *batch_size: int) -> list[int]:
    """How many images go into the stem at a time."""
    seen: list[int] = []
    hook = net.stem.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    try:
        function(net, images, *batch_size)
    finally:
        hook.remove()
    return seen


def records_gradients(function, net: nn.Module, images: Tensor) -> bool:
    found = function(net, images, 4)
    return isinstance(found, Tensor) and found.requires_grad


# ---------------------------------------------------------------------------------------------- 1. replace_head

HEADS = [(11, 3, 5, 0.0, 3), (12, 2, 4, 0.2, 7), (13, 4, 3, 0.0, 1)]  # seed, stages, classes, dropout, new classes


def with_new_head(answers, case: tuple, frozen: bool = False) -> tuple[Handle, str]:
    seed, stages, classes, dropout, wanted = case
    net = answers.inside(build, seed, stages, classes, dropout, frozen)
    called = f"replace_head(net, {wanted}) for a network of {classes} classes"
    found = answers.replace_head(net, wanted)
    assert isinstance(found, Handle), f"{called}: the network is expected; yours returned {kind(found)}"
    assert answers.inside(is_same, found, net), f"{called}: you returned another object than the network that was given"
    return found, called


@points(
    1,
    "replace_head",
    hint="Print net.head: which of its layers is the dense one? An nn.Sequential can be indexed and assigned to like a list.",
)
def test_replace_head_gives_scores_for_the_new_classes(answers):
    """Scores (N, classes), one column for each new class"""
    for case in drawn(HEADS):
        net, called = with_new_head(answers, case)
        x = normal(case[0], 4, 2, 8, 8)
        with telling(f"{called}: the network cannot be used any more"):
            scores = net(x)
        assert isinstance(scores, Tensor), f"{called}: the network gives {kind(scores)} instead of scores"
        assert scores.shape == (4, case[4]), f"{called}: scores have shape {tuple(scores.shape)}, expected {(4, case[4])}"


@points(
    2,
    "replace_head",
    hint="Only the last layer is new. The head has other layers before it, and stem and stages keep what they have learned.",
)
def test_replace_head_leaves_the_rest(answers):
    """All other layers are still there, with their weights"""
    for case in drawn(HEADS):
        net, called = with_new_head(answers, case)
        before = build(*case[:4])
        expected, found = layers(before), net.run(layers)
        missing = [name for name in expected if name not in found or found[name] != expected[name]]
        assert not missing, f"{called}: {missing[0]} was a layer of type {expected[missing[0]]}, which is gone"
        extra = [name for name in found if name not in expected]
        assert not extra, f"{called}: there is a layer {extra[0]} more than before ({found[extra[0]]})"
        state = net.state()
        last = list(expected)[-1]
        for name, value in before.state_dict().items():
            if not name.startswith(last):
                assert torch.equal(state[name], value), f"{called}: {name} is not what it was"


@points(
    1,
    "replace_head",
    hint="A new nn.Linear(inputs, outputs) draws its own weights, and its parameters have requires_grad=True: is anything set "
    "after it was made?",
)
def test_replace_head_has_a_fresh_layer_that_learns(answers):
    """The new layer has its own weights, and learns in a frozen network too"""
    for case in drawn(HEADS):
        for frozen in (False, True):
            net, called = with_new_head(answers, case, frozen)
            before, state, learns = build(*case[:4]), net.state(), net.run(trainable)
            last = list(layers(before))[-1]
            weight, bias, old = state.get(f"{last}.weight"), state.get(f"{last}.bias"), before.state_dict()[f"{last}.weight"]
            assert weight is not None and bias is not None, f"{called}: the last layer has no weight, or no bias"
            shape = (case[4], old.shape[1])
            assert weight.shape == shape, f"{called}: the new weights have shape {tuple(weight.shape)}, expected {shape}"
            assert weight.std() > 0.01, f"{called}: all the new weights are the same number"
            kept = any(torch.equal(mine, row) for mine in weight for row in old)
            assert not kept, f"{called}: the new layer has weights of the old one, which belong to other classes"
            where = "in a frozen network " if frozen else ""
            assert learns[f"{last}.weight"] and learns[f"{last}.bias"], f"{called}: {where}the new layer does not learn"


# ---------------------------------------------------------------------------------------------------- 2. freeze

FREEZES = [(21, 3, 0), (22, 3, 2), (23, 3, 3), (24, 4, 1), (25, 1, 1)]  # seed, stages of the network, stages to freeze


def expected_learning(net: ConvNet, stages: int) -> dict[str, bool]:
    still = {"stem", *(f"stages.{i}" for i in range(stages))}
    return {name: not any(name.startswith(f"{part}.") for part in still) for name in trainable(net)}


def compare_learning(called: str, found: dict[str, bool], expected: dict[str, bool]) -> None:
    for name, learns in expected.items():
        what = "learns" if found[name] else "is frozen"
        assert found[name] == learns, f"{called}: {name} {what}"


@points(
    2,
    "freeze",
    hint="A module has no requires_grad of its own: its method requires_grad_(False), or a loop over its parameters, sets it. "
    "stages=1 freezes the stem and one stage.",
)
def test_freeze_freezes_the_first_parts(answers):
    """Stem and first stages are frozen, the rest learns"""
    for seed, count, stages in drawn(FREEZES):
        net = answers.inside(build, seed, count)
        answers.freeze(net, stages)
        called = f"freeze(net, {stages}) with {count} stages"
        compare_learning(called, net.run(trainable), expected_learning(build(seed, count), stages))


@points(1, "freeze", hint="What does freeze(net, 1) have to do after freeze(net, 3)?")
def test_freeze_lets_the_rest_learn(answers):
    """What was frozen before the call learns, unless it is in the first parts"""
    for seed, count, stages in drawn(FREEZES):
        net = answers.inside(build, seed, count, frozen=True)
        answers.freeze(net, stages)
        called = f"freeze(net, {stages}) for a network of {count} stages that was frozen as a whole"
        compare_learning(called, net.run(trainable), expected_learning(build(seed, count), stages))


@points(1, "freeze", hint="A tensor's numel() is how many numbers it has. Count after freezing, and only what learns.")
def test_freeze_counts_what_learns(answers):
    """The number of parameters that learn"""
    for seed, count, stages in drawn(FREEZES):
        net, same = answers.inside(build, seed, count), build(seed, count)
        learns = expected_learning(same, stages)
        expected = sum(parameter.numel() for name, parameter in same.named_parameters() if learns[name])
        called = f"freeze(net, {stages}) with {count} stages"
        found = number(answers.freeze(net, stages), f"the result of {called}")
        assert found == expected, f"{called}: you count {found:,}, {times(found, expected)}"


# ------------------------------------------------------------------------------------------ 3. parameter_groups

RATES = [(31, 3, 0.1, 2.0), (32, 2, 0.03, 2.6), (33, 4, 0.5, 10.0), (34, 1, 0.1, 3.0)]  # seed, stages, lr, ratio


def part_of(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "stages" else parts[0]


def expected_rates(stages: int, lr: float, ratio: float) -> dict[str, float]:
    parts = ["head", *(f"stages.{i}" for i in reversed(range(stages))), "stem"]
    return {part: lr / ratio**distance for distance, part in enumerate(parts)}


def groups(answers, net: Handle, lr: float, ratio: float | None) -> tuple[list, str]:
    found = answers.parameter_groups.run(groups_of, net, lr, ratio)
    called = f"parameter_groups(net, {lr}{'' if ratio is None else f', {ratio}'})"
    assert not any(isinstance(group, str) for group in found), (
        f'{called}: a list of dictionaries with "params" and "lr" is expected; yours is a {found[0]}'
    )
    for names, rate in found:
        assert rate is not None, f"{called}: the group of {names[0] if names else 'no parameters'} has no lr"
        assert "?" not in names, f"{called}: a group holds a tensor that is no parameter of the network"
    return found, called


@points(
    2,
    "parameter_groups",
    hint="Stem, each of the stages, head: does each part's parameters() go into a group, and into one only?",
)
def test_parameter_groups_have_every_parameter_once(answers):
    """Every parameter that learns is in exactly one group"""
    for seed, stages, lr, ratio in drawn(RATES):
        net = answers.inside(build, seed, stages)
        found, called = groups(answers, net, lr, ratio)
        names = [name for group, _ in found for name in group]
        for name in trainable(build(seed, stages)):
            count = names.count(name)
            assert count == 1, f"{called}, a network of {stages} stages: {name} is in {count} groups"


@points(
    2,
    "parameter_groups",
    hint="Count the steps from the head: the head is 0 away, the last stage 1. With two stages the stem is 3 away.",
)
def test_parameter_groups_have_the_right_rates(answers):
    """The head has the rate lr, each part before it the next one’s rate divided by ratio"""
    for seed, stages, lr, ratio in drawn([*RATES, (35, 3, 0.2, None)]):
        net = answers.inside(build, seed, stages)
        found, called = groups(answers, net, lr, ratio)
        expected = expected_rates(stages, lr, ratio or 2.6)
        assert any(names for names, _ in found), f"{called}: there is no group with parameters"
        for names, rate in found:
            for name in names:
                right = expected[part_of(name)]
                assert math.isclose(rate, right, rel_tol=1e-9), (
                    f"{called}, a network of {stages} stages: {name} has the rate {rate:.4g}, "
                    f"{rate / right:.4g} times the right one"
                )


@points(
    1,
    "parameter_groups",
    hint="Look at requires_grad before you put a parameter into a group. Does a part that is skipped still count as a step?",
)
def test_parameter_groups_leave_out_what_is_frozen(answers):
    """Frozen parameters are in no group, and the other rates stay"""
    for frozen in (("stem", "stages.0"), ("stages.2", "stages.1.0"), ("head",), ("stem.0", "stages.0")):
        net = answers.inside(build, values.seed(36), 3)
        for part in frozen:
            net.run(submodule, part).run(set_learning, False)
        found, called = groups(answers, net, 0.1, 2.0)
        called = f"{called} with {' and '.join(frozen)} frozen"
        names = [name for group, _ in found for name in group]
        learns, right = net.run(trainable), expected_rates(3, 0.1, 2.0)
        idle = [name for name in names if not learns[name]]
        assert not idle, f"{called}: {idle[0]} is in a group"
        missing = [name for name in learns if learns[name] and name not in names]
        assert not missing, f"{called}: {missing[0]} learns, and is in no group"
        assert all(group for group, _ in found), f"{called}: there is a group with no parameters"
        for group, rate in found:
            wrong = [name for name in group if not math.isclose(rate, right[part_of(name)], rel_tol=1e-9)]
            assert not wrong, f"{called}: {wrong[0]} has the rate {rate:.4g}, which it would not have if nothing were frozen"


def submodule(net: nn.Module, name: str) -> nn.Module:
    return net.get_submodule(name)


# ------------------------------------------------------------------------------------------------ 4. train_mode

# seed, stages, names of the modules whose statistics stay, mode before the call, which makes no difference
FIXED = [
    (41, 3, ("stem", "stages.0"), False),
    (42, 2, ("stages",), True),
    (43, 3, ("stages.1.0.branch", "stem.1"), False),
    (44, 2, (), True),
]


def norms(net: nn.Module) -> list[str]:
    return [name for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)]


def is_inside(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def prepared(answers, case: tuple, frozen: bool = False) -> tuple[Handle, str]:
    seed, stages, names, training = case
    net = answers.inside(build, seed, stages, dropout=0.5, frozen=frozen)
    net = net.train() if training else net.eval()
    found = answers.train_mode.run(prepare, net, names)
    called = f"train_mode(net, [{', '.join(f'net.{name}' for name in names)}])"
    assert isinstance(found, Handle), f"{called}: the network is expected; yours returned {kind(found)}"
    assert answers.inside(is_same, found, net), f"{called}: you returned another object than the network that was given"
    return found, called


@points(
    2,
    "train_mode",
    hint="net.train() switches everything inside: what has to come after it? modules() finds layers at every depth, and the "
    "module itself.",
)
def test_train_mode_keeps_the_statistics(answers):
    """Inside fixed, batch normalisation uses its running averages and keeps them"""
    for case in drawn(FIXED):
        net, called = prepared(answers, case)
        before = net.state()
        net(normal(case[0], 6, 2, 8, 8) * 3 + 1)
        after = net.state()
        for name in norms(build(*case[:2])):
            if is_inside(name, case[2]):
                for leaf in ("running_mean", "running_var"):
                    here = f"{name}.{leaf}"
                    assert here in after, f"{called}: {here} is gone"
                    same = torch.equal(after[here], before[here])
                    assert same, f"{called}: a forward pass in training changes {here}"
                weight = before[f"{name}.weight"]
                x = normal(7, 4, len(weight), 3, 3) * 2 + 1
                statistics = before[f"{name}.running_mean"], before[f"{name}.running_var"]
                right = F.batch_norm(x, *statistics, weight, before[f"{name}.bias"])
                error = difference(net.run(normalise, name, x), right)
                assert error < 1e-5, f"{called}: {name} does not normalise by its running averages"


@points(
    1,
    "train_mode",
    hint="Only batch normalisations, and only those inside fixed, leave the training mode. Which layers does part.eval() switch?",
)
def test_train_mode_trains_the_rest(answers):
    """All other layers are in training mode, dropout and the other batch normalisations too"""
    for case in drawn([*FIXED, (45, 2, ("head", "stem"), False)]):
        net, called = prepared(answers, case)
        found, same = net.run(modes), build(*case[:2], dropout=0.5)
        inner = layers(same)
        for name in inner:
            if not (inner[name] == "BatchNorm2d" and is_inside(name, case[2])):
                assert found[name], f"{called}: {name} ({inner[name]}) is in evaluation mode"
        assert found[""], f"{called}: the network itself is in evaluation mode"
        before = net.state()
        net(normal(case[0], 6, 2, 8, 8) * 3 + 1)
        after = net.state()
        for name in norms(same):
            if not is_inside(name, case[2]):
                moved = not torch.equal(after[f"{name}.running_mean"], before[f"{name}.running_mean"])
                assert moved, f"{called}: the running averages of {name} do not follow the batches"


@points(1, "train_mode", hint="A mode is one thing, requires_grad another, and the values of scales and shifts a third.")
def test_train_mode_leaves_parameters_alone(answers):
    """What could learn can still learn, what was frozen stays frozen, and no value changes"""
    for case in drawn(FIXED):
        for frozen in (False, True):
            net, called = prepared(answers, case, frozen)
            same = build(*case[:2], dropout=0.5, frozen=frozen)
            for name, learns in net.run(trainable).items():
                assert learns == (not frozen), f"{called}: {name} {'learns' if learns else 'no longer learns'} after the call"
            state = net.state()
            for name, value in same.state_dict().items():
                assert name in state and torch.equal(state[name], value), f"{called}: the call itself changes {name}"


# -------------------------------------------------------------------------------------------------- 5. features

SETS = [(51, 3, 10, 4), (52, 2, 7, 3), (53, 1, 5, 8), (54, 3, 6, 3)]  # seed, stages, images, batch size


def expected_features(seed: int, stages: int, images: Tensor) -> Tensor:
    net = build(seed, stages).eval()
    with torch.no_grad():
        return net.stages(net.stem(images)).mean(dim=(2, 3))


def features_of(answers, net: Handle, images: Tensor, batch_size: int, called: str) -> Tensor:
    found = answers.features(net, images, batch_size)
    assert isinstance(found, Tensor), f"{called}: a tensor is expected; yours returned {kind(found)}"
    return found


def described(images: int, batch_size: int) -> str:
    return f"features of {images} images in batches of {batch_size}"


@points(
    1,
    "features",
    hint="Follow the shapes: (N, C, H, W), after the stages (N, K, H′, W′), after the average (N, K). Is the last batch there?",
)
def test_features_are_averaged_maps(answers):
    """(N, K): for each image, in order, the average of what the stages give out"""
    for seed, stages, count, batch_size in drawn(SETS):
        images = normal(seed, count, 2, 8, 8)
        net, called = answers.inside(build, seed, stages).eval(), described(count, batch_size)
        found, expected = features_of(answers, net, images, batch_size, called), expected_features(seed, stages, images)
        assert found.shape == expected.shape, f"{called}: shape {tuple(found.shape)}, expected {tuple(expected.shape)}"
        rows = [row for row in range(count) if difference(found[row], expected[row]) > 1e-4]
        assert not rows, f"{called}: row {rows[0]} is not what the stages give for image {rows[0]}, averaged over space"


@points(
    1,
    "features",
    hint="Two switches: net.eval() for the layers, torch.no_grad() for the gradients. net.training says which mode it was.",
)
def test_features_come_from_evaluation_mode(answers):
    """Evaluation mode without gradients, and the network’s mode afterwards as before"""
    for seed, stages, count, batch_size in drawn(SETS):
        images, called = normal(seed, count, 2, 8, 8), described(count, batch_size)
        for training in (True, False):
            net = answers.inside(build, seed, stages)
            net = net.train() if training else net.eval()
            before = net.state()
            found, expected = features_of(answers, net, images, batch_size, called), expected_features(seed, stages, images)
            mode = "training" if training else "evaluation"
            moved = [name for name, value in net.state().items() if not torch.equal(value, before[name])]
            assert not moved, f"{called}: the network was in {mode} mode, and {moved[0]} has changed"
            right = found.shape == expected.shape and difference(found, expected) < 1e-4
            assert right or not training, f"{called}: from a network in training mode come other features than in evaluation"
            now = net.run(modes)
            assert all(value == training for value in now.values()), (
                f"{called}: the network was in {mode} mode, and is in another one afterwards"
            )
            recorded = answers.features.run(records_gradients, net, images)
            assert not recorded, f"{called}: the result carries gradients, so every activation is kept"


@points(1, "features", hint="Tensor.split(batch_size) cuts along the first dimension; its last part may be smaller.")
def test_features_are_computed_in_batches(answers):
    """Every image goes through once, at most batch_size at a time"""
    for seed, stages, count, batch_size in drawn(SETS):
        net, called = answers.inside(build, seed, stages).eval(), described(count, batch_size)
        seen = answers.features.run(batches_seen, net, normal(seed, count, 2, 8, 8), batch_size)
        assert seen, f"{called}: no image goes through the stem"
        assert max(seen) <= batch_size, f"{called}: {max(seen)} images go through the network at once"
        assert sum(seen) == count, f"{called}: {sum(seen)} images go through the stem, expected {count}"
    seen = answers.features.run(batches_seen, answers.inside(build, values.seed(55), 1).eval(), normal(55, 150, 2, 8, 8))
    most = max(seen, default=0)
    assert 0 < most <= 64, f"features of 150 images, batch_size not given: {most} images go through the network at once"
