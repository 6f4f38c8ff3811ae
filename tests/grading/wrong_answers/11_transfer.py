# ruff: noqa: E402, F811, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn


# %% replace_head | test_replace_head_gives_scores_for_the_new_classes | the network cannot be used any more
def replace_head(net, classes):
    net.head = nn.Linear(net.head[-1].in_features, classes)  # the average over space is gone
    return net


# %% replace_head | test_replace_head_gives_scores_for_the_new_classes | the network cannot be used any more
def replace_head(net, classes):
    net.head[-1] = nn.Linear(64, classes)  # as many inputs as in the chapter
    return net


# %% replace_head | test_replace_head_gives_scores_for_the_new_classes | expected (4, 3)
def replace_head(net, classes):
    net.head[-1].out_features = classes  # a note on the layer, not its weights
    return net


# %% replace_head | test_replace_head_gives_scores_for_the_new_classes | yours returned nothing
def replace_head(net, classes):
    net.head[-1] = nn.Linear(net.head[-1].in_features, classes)


# %% replace_head | test_replace_head_gives_scores_for_the_new_classes | another object than the network
def replace_head(net, classes):
    net = copy.deepcopy(net)
    net.head[-1] = nn.Linear(net.head[-1].in_features, classes)
    return net


# %% replace_head | test_replace_head_gives_scores_for_the_new_classes | another object than the network
def replace_head(net, classes):
    net.head[-1] = nn.Linear(net.head[-1].in_features, classes)
    return net.head


# %% replace_head | test_replace_head_leaves_the_rest | there is a layer head.3 more than before
def replace_head(net, classes):
    net.head.append(nn.Linear(net.head[-1].out_features, classes))  # on top of the old classes
    return net


# %% replace_head | test_replace_head_leaves_the_rest | which is gone
def replace_head(net, classes):
    width = net.head[-1].in_features
    net.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))  # dropout forgotten
    return net


# %% replace_head | test_replace_head_leaves_the_rest | is not what it was
def replace_head(net, classes):
    net.head[-1] = nn.Linear(net.head[-1].in_features, classes)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
            layer.reset_parameters()  # what was learned is lost
    return net


# %% replace_head | test_replace_head_has_a_fresh_layer_that_learns | in a frozen network the new layer does not learn
def replace_head(net, classes):
    learns = net.head[-1].weight.requires_grad
    net.head[-1] = nn.Linear(net.head[-1].in_features, classes).requires_grad_(learns)
    return net


# %% replace_head | test_replace_head_has_a_fresh_layer_that_learns | all the new weights are the same number
def replace_head(net, classes):
    net.head[-1] = nn.Linear(net.head[-1].in_features, classes)
    nn.init.zeros_(net.head[-1].weight)
    return net


# %% replace_head | test_replace_head_has_a_fresh_layer_that_learns | has weights of the old one
def replace_head(net, classes):
    old = net.head[-1]
    net.head[-1] = nn.Linear(old.in_features, classes)
    kept = min(classes, old.out_features)
    with torch.no_grad():
        net.head[-1].weight[:kept] = old.weight[:kept]
    return net


# %% replace_head | test_replace_head_has_a_fresh_layer_that_learns | the last layer has no weight, or no bias
def replace_head(net, classes):
    net.head[-1] = nn.Linear(net.head[-1].in_features, classes, bias=False)
    return net


# %% replace_head | right
def replace_head(net, classes):
    *before, last = net.head
    net.head = nn.Sequential(*before, nn.Linear(last.weight.shape[1], classes, bias=True))
    return net


# %% replace_head | right
def replace_head(net, classes):
    for name, layer in list(net.head.named_children()):
        if isinstance(layer, nn.Linear):
            fresh = nn.Linear(layer.in_features, classes)
            nn.init.normal_(fresh.weight, std=0.05)
            setattr(net.head, name, fresh)
    return net


# %% freeze | test_freeze_freezes_the_first_parts | stem.0.weight learns
def freeze(net, stages):
    net.requires_grad_(True)
    for part in net.stages[:stages]:  # the stem forgotten
        part.requires_grad_(False)
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


# %% freeze | test_freeze_freezes_the_first_parts | is frozen
def freeze(net, stages):
    net.requires_grad_(True)
    for part in (net.stem, *net.stages[: stages + 1]):
        part.requires_grad_(False)
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


# %% freeze | test_freeze_freezes_the_first_parts | stem.0.weight learns
def freeze(net, stages):
    net.requires_grad_(True)
    for part in (net.stem, *net.stages[:stages]):
        part.requires_grad = False  # an attribute of the module that nobody reads
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


# %% freeze | test_freeze_freezes_the_first_parts | stem.0.weight learns
def freeze(net, stages):
    net.requires_grad_(True)
    for part in (net.stem, *net.stages[:stages]):
        part.eval()  # a mode, not a freezing
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


# %% freeze | test_freeze_freezes_the_first_parts | stem.1.weight learns
def freeze(net, stages):
    net.requires_grad_(True)
    for part in (net.stem, *net.stages[:stages]):
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d):  # scales and shifts forgotten
                layer.requires_grad_(False)
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


# %% freeze | test_freeze_freezes_the_first_parts | stages.0.0
def freeze(net, stages):
    net.requires_grad_(True)
    net.stem.requires_grad_(False)
    if stages:
        net.stages[stages - 1].requires_grad_(False)  # one stage instead of the first ones
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


# %% freeze | test_freeze_lets_the_rest_learn | is frozen
def freeze(net, stages):
    for part in (net.stem, *net.stages[:stages]):
        part.requires_grad_(False)
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


# %% freeze | test_freeze_lets_the_rest_learn | is frozen
def freeze(net, stages):
    net.requires_grad_(False)
    for part in (*net.stages[stages:],):  # and the head
        part.requires_grad_(True)
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


# %% freeze | test_freeze_counts_what_learns | times the right number
def freeze(net, stages):
    net.requires_grad_(True)
    for part in (net.stem, *net.stages[:stages]):
        part.requires_grad_(False)
    return sum(1 for p in net.parameters() if p.requires_grad)  # tensors


# %% freeze | test_freeze_counts_what_learns | times the right number
def freeze(net, stages):
    net.requires_grad_(True)
    for part in (net.stem, *net.stages[:stages]):
        part.requires_grad_(False)
    return sum(p.numel() for p in net.parameters() if not p.requires_grad)  # the frozen ones


# %% freeze | test_freeze_counts_what_learns | times the right number
def freeze(net, stages):
    net.requires_grad_(True)
    count = sum(p.numel() for p in net.parameters() if p.requires_grad)  # too early
    for part in (net.stem, *net.stages[:stages]):
        part.requires_grad_(False)
    return count


# %% freeze | test_freeze_counts_what_learns | is expected to be a number; yours is nothing
def freeze(net, stages):
    net.requires_grad_(True)
    for part in (net.stem, *net.stages[:stages]):
        part.requires_grad_(False)


# %% freeze | right
def freeze(net, stages):
    still = ("stem.",) + tuple(f"stages.{number}." for number in range(stages))
    count = 0
    for name, parameter in net.named_parameters():
        parameter.requires_grad = not name.startswith(still)
        count += parameter.numel() * parameter.requires_grad
    return count


# %% freeze | right
def freeze(net, stages):
    frozen = {id(p) for part in [net.stem, *list(net.stages)[:stages]] for p in part.parameters()}
    for parameter in net.parameters():
        parameter.requires_grad_(id(parameter) not in frozen)
    return torch.tensor([parameter.numel() for parameter in net.parameters() if parameter.requires_grad]).sum()


# %% parameter_groups | test_parameter_groups_have_every_parameter_once | stem.0.weight is in 0 groups
def parameter_groups(net, lr, ratio=2.6):
    groups = []
    for distance, part in enumerate((net.head, *reversed(net.stages))):
        learning = [p for p in part.parameters() if p.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": lr / ratio**distance})
    return groups


# %% parameter_groups | test_parameter_groups_have_every_parameter_once | is in 2 groups
def parameter_groups(net, lr, ratio=2.6):
    groups = [{"params": [p for p in net.parameters() if p.requires_grad], "lr": lr}]  # all, and then again
    for distance, part in enumerate((*reversed(net.stages), net.stem), 1):
        learning = [p for p in part.parameters() if p.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": lr / ratio**distance})
    return groups


# %% parameter_groups | test_parameter_groups_have_every_parameter_once | stem.1.weight is in 0 groups
def parameter_groups(net, lr, ratio=2.6):
    groups = []
    for distance, part in enumerate((net.head, *reversed(net.stages), net.stem)):
        learning = [p for p in part.parameters() if p.requires_grad and p.ndim > 1]  # only matrices and kernels
        if learning:
            groups.append({"params": learning, "lr": lr / ratio**distance})
    return groups


# %% parameter_groups | test_parameter_groups_have_every_parameter_once | yours is a dict
def parameter_groups(net, lr, ratio=2.6):
    parts = (net.head, *reversed(net.stages), net.stem)
    return {lr / ratio**distance: list(part.parameters()) for distance, part in enumerate(parts)}


# %% parameter_groups | test_parameter_groups_have_the_right_rates | times the right one
def parameter_groups(net, lr, ratio=2.6):
    groups = []
    for distance, part in enumerate((net.stem, *net.stages, net.head)):  # the wrong way round
        learning = [p for p in part.parameters() if p.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": lr / ratio**distance})
    return groups


# %% parameter_groups | test_parameter_groups_have_the_right_rates | times the right one
def parameter_groups(net, lr, ratio=2.6):
    groups = []
    for distance, part in enumerate((net.head, *reversed(net.stages), net.stem)):
        learning = [p for p in part.parameters() if p.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": lr * ratio**distance})  # faster and faster
    return groups


# %% parameter_groups | test_parameter_groups_have_the_right_rates | times the right one
def parameter_groups(net, lr, ratio=2.6):
    groups = []
    for distance, part in enumerate((net.head, *reversed(net.stages), net.stem)):
        learning = [p for p in part.parameters() if p.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": lr / ratio if distance else lr})  # one rate for all before the head
    return groups


# %% parameter_groups | test_parameter_groups_have_the_right_rates | times the right one
def parameter_groups(net, lr, ratio=2.6):
    groups = []
    for distance, part in enumerate((net.head, *reversed(net.stages), net.stem)):
        learning = [p for p in part.parameters() if p.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": lr / (1 + ratio * distance)})
    return groups


# %% parameter_groups | test_parameter_groups_have_the_right_rates | has no lr
def parameter_groups(net, lr, ratio=2.6):
    groups = []
    for part in (net.head, *reversed(net.stages), net.stem):
        learning = [p for p in part.parameters() if p.requires_grad]
        if learning:
            groups.append({"params": learning, "rate": lr})
            lr = lr / ratio
    return groups


# %% parameter_groups | test_parameter_groups_leave_out_what_is_frozen | is in a group
def parameter_groups(net, lr, ratio=2.6):
    parts = (net.head, *reversed(net.stages), net.stem)
    return [{"params": list(part.parameters()), "lr": lr / ratio**distance} for distance, part in enumerate(parts)]


# %% parameter_groups | test_parameter_groups_leave_out_what_is_frozen | which it would not have if nothing were frozen
def parameter_groups(net, lr, ratio=2.6):
    groups = []
    for part in (net.head, *reversed(net.stages), net.stem):
        learning = [p for p in part.parameters() if p.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": lr})
            lr = lr / ratio  # only after a part that learns
    return groups


# %% parameter_groups | test_parameter_groups_leave_out_what_is_frozen | there is a group with no parameters
def parameter_groups(net, lr, ratio=2.6):
    groups = []
    for distance, part in enumerate((net.head, *reversed(net.stages), net.stem)):
        groups.append({"params": [p for p in part.parameters() if p.requires_grad], "lr": lr / ratio**distance})
    return groups


# %% parameter_groups | test_parameter_groups_leave_out_what_is_frozen | learns, and is in no group
def parameter_groups(net, lr, ratio=2.6):
    groups = []
    for distance, part in enumerate((net.head, *reversed(net.stages), net.stem)):
        if all(p.requires_grad for p in part.parameters()):  # a part that is frozen in part is left out
            groups.append({"params": list(part.parameters()), "lr": lr / ratio**distance})
    return groups


# %% parameter_groups | right
def parameter_groups(net, lr, ratio=2.6):
    # a group for each tensor, in the order of the network
    last = len(net.stages)
    groups = []
    for name, parameter in net.named_parameters():
        first, second, *_ = name.split(".")
        away = {"head": 0, "stem": last + 1}.get(first)
        away = last - int(second) if away is None else away
        if parameter.requires_grad:
            groups.append({"params": parameter, "lr": lr * ratio**-away, "name": name})
    return groups


# %% parameter_groups | right
def parameter_groups(net, lr, ratio=2.6):
    chain = [net.stem] + list(net.stages) + [net.head]
    groups = ()
    while chain:
        part = chain.pop()
        if any(p.requires_grad for p in part.parameters()):
            groups += ({"params": filter(lambda p: p.requires_grad, part.parameters()), "lr": lr},)
        lr /= ratio
    return groups


# %% train_mode | test_train_mode_keeps_the_statistics | a forward pass in training changes
def train_mode(net, fixed):
    for part in fixed:
        for layer in part.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
    return net.train()  # undoes it


# %% train_mode | test_train_mode_keeps_the_statistics | a forward pass in training changes
def train_mode(net, fixed):
    net.train()
    for part in fixed:
        for layer in part.children():  # one level deep
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
    return net


# %% train_mode | test_train_mode_keeps_the_statistics | does not normalise by its running averages
def train_mode(net, fixed):
    net.train()
    for part in fixed:
        for layer in part.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 0.0  # the averages stay, but are not used
    return net


# %% train_mode | test_train_mode_keeps_the_statistics | a forward pass in training changes
def train_mode(net, fixed):
    net.train()
    for part in fixed:
        part.requires_grad_(False)  # freezes parameters; running averages are none
    return net


# %% train_mode | test_train_mode_keeps_the_statistics | running_mean is gone
def train_mode(net, fixed):
    net.train()
    for part in fixed:
        for layer in part.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.track_running_stats = False
                layer.running_mean = layer.running_var = None
    return net


# %% train_mode | test_train_mode_keeps_the_statistics | yours returned nothing
def train_mode(net, fixed):
    net.train()
    for part in fixed:
        for layer in part.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()


# %% train_mode | test_train_mode_trains_the_rest | is in evaluation mode
def train_mode(net, fixed):
    net.train()
    for part in fixed:
        part.eval()  # dropout and all
    return net


# %% train_mode | test_train_mode_trains_the_rest | is in evaluation mode
def train_mode(net, fixed):
    net.train()
    for layer in net.modules():  # all of the network
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    return net


# %% train_mode | test_train_mode_trains_the_rest | is in evaluation mode
def train_mode(net, fixed):
    net.eval()
    return net


# %% train_mode | test_train_mode_leaves_parameters_alone | no longer learns after the call
def train_mode(net, fixed):
    net.train()
    for part in fixed:
        for layer in part.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
                layer.requires_grad_(False)  # scale and shift too
    return net


# %% train_mode | test_train_mode_leaves_parameters_alone | learns after the call
def train_mode(net, fixed):
    net.train().requires_grad_(True)
    for part in fixed:
        for layer in part.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
    return net


# %% train_mode | test_train_mode_leaves_parameters_alone | the call itself changes
def train_mode(net, fixed):
    net.train()
    for part in fixed:
        for layer in part.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
                layer.eval()
    return net


# %% train_mode | test_train_mode_trains_the_rest | is in evaluation mode
def train_mode(net, fixed):
    for part in fixed:  # without net.train() first
        for layer in part.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
    return net


# %% train_mode | right
def train_mode(net, fixed):
    still = {layer for part in fixed for layer in part.modules() if type(layer) is nn.BatchNorm2d}
    for layer in net.modules():
        layer.training = layer not in still
    return net


# %% train_mode | right
def train_mode(net, fixed):
    def hold(layer):
        if hasattr(layer, "running_mean"):
            layer.train(False)

    net.train(True)
    for part in fixed:
        part.apply(hold)
    return net


# %% features | test_features_are_averaged_maps | shape
def features(net, images, batch_size=64):
    training = net.training
    net.eval()
    with torch.no_grad():
        maps = [net.stages(net.stem(part)) for part in images.split(batch_size)]
    net.train(training)
    return torch.cat(maps).flatten(1)  # not averaged


# %% features | test_features_are_averaged_maps | shape (10, 5), expected (10, 6)
def features(net, images, batch_size=64):
    training = net.training
    net.eval()
    with torch.no_grad():
        scores = [net(part) for part in images.split(batch_size)]  # through the head
    net.train(training)
    return torch.cat(scores)


# %% features | test_features_are_averaged_maps | shape (8, 6), expected (10, 6)
def features(net, images, batch_size=64):
    training = net.training
    net.eval()
    with torch.no_grad():
        full = len(images) // batch_size if len(images) >= batch_size else 1
        parts = [images[i * batch_size : (i + 1) * batch_size] for i in range(full)]  # the last batch is lost
        maps = [net.stages(net.stem(part)) for part in parts]
    net.train(training)
    return torch.cat(maps).mean(dim=(2, 3))


# %% features | test_features_are_averaged_maps | is not what the stages give
def features(net, images, batch_size=64):
    training = net.training
    net.eval()
    with torch.no_grad():
        maps = [net.stages(net.stem(part)) for part in images.split(batch_size)]
    net.train(training)
    return torch.cat(maps).amax(dim=(2, 3))


# %% features | test_features_are_averaged_maps | is not what the stages give
def features(net, images, batch_size=64):
    training = net.training
    net.eval()
    shuffled = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(3))]
    with torch.no_grad():
        maps = [net.stages(net.stem(part)) for part in shuffled.split(batch_size)]
    net.train(training)
    return torch.cat(maps).mean(dim=(2, 3))


# %% features | test_features_come_from_evaluation_mode | in training mode, and
def features(net, images, batch_size=64):
    with torch.no_grad():
        maps = [net.stages(net.stem(part)) for part in images.split(batch_size)]
    return torch.cat(maps).mean(dim=(2, 3))


# %% features | test_features_come_from_evaluation_mode | is in another one afterwards
def features(net, images, batch_size=64):
    net.eval()
    with torch.no_grad():
        maps = [net.stages(net.stem(part)) for part in images.split(batch_size)]
    return torch.cat(maps).mean(dim=(2, 3))


# %% features | test_features_come_from_evaluation_mode | is in another one afterwards
def features(net, images, batch_size=64):
    net.eval()
    with torch.no_grad():
        maps = [net.stages(net.stem(part)) for part in images.split(batch_size)]
    net.train()  # whatever it was
    return torch.cat(maps).mean(dim=(2, 3))


# %% features | test_features_come_from_evaluation_mode | the result carries gradients
def features(net, images, batch_size=64):
    training = net.training
    net.eval()
    maps = [net.stages(net.stem(part)) for part in images.split(batch_size)]
    net.train(training)
    return torch.cat(maps).mean(dim=(2, 3))


# %% features | test_features_are_computed_in_batches | go through the network at once
def features(net, images, batch_size=64):
    training = net.training
    net.eval()
    with torch.no_grad():
        maps = net.stages(net.stem(images))
    net.train(training)
    return maps.mean(dim=(2, 3))


# %% features | test_features_are_computed_in_batches | go through the network at once
def features(net, images, batch_size=64):
    training = net.training
    net.eval()
    with torch.no_grad():
        maps = [net.stages(net.stem(part)) for part in images.chunk(batch_size)]  # so many parts, not parts of this size
        maps = [net.stages(net.stem(images))] if len(maps) > 1 else maps
    net.train(training)
    return torch.cat(maps).mean(dim=(2, 3))


# %% features | test_features_are_computed_in_batches | batch_size not given: 150 images go through the network at once
def features(net, images, batch_size=1000):
    training = net.training
    net.eval()
    with torch.no_grad():
        maps = [net.stages(net.stem(part)) for part in images.split(batch_size)]
    net.train(training)
    return torch.cat(maps).mean(dim=(2, 3))


# %% features | right
@torch.no_grad()
def features(net, images, batch_size=64):
    before = net.training
    net.train(False)
    rows = []
    for start in range(0, len(images), batch_size):
        x = net.stem(images[start : start + batch_size])
        for stage in net.stages:
            x = stage(x)
        rows.append(F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0])
    if before:
        net.train()
    return torch.cat(rows, dim=0)


# %% features | right
def features(net, images, batch_size=64):
    other = copy.deepcopy(net).eval().requires_grad_(False)
    other.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return torch.cat([other(images[i : i + batch_size]) for i in range(0, len(images), batch_size)])
