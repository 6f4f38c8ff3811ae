# ruff: noqa: B905, E402, F811, F821, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import bisect
import copy
import io
import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


# %% rate_at | test_rate_at_iterations | expected 0.01
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    steps = 1 if unit == "iterations" else images // batch if drop_last else -(-images // batch)
    return base / 10 ** sum(iteration > drop * steps for drop in drops)  # a step too late


# %% rate_at | test_rate_at_iterations | expected 0.1
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    steps = 1 if unit == "iterations" else images // batch if drop_last else -(-images // batch)
    return base / 10 ** sum(iteration + 1 >= drop * steps for drop in drops)  # counts from 1


# %% rate_at | test_rate_at_iterations | expected 0.001
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    steps = 1 if unit == "iterations" else images // batch if drop_last else -(-images // batch)
    rate = base
    for drop in drops:
        if iteration >= drop * steps:
            rate = base / 10  # always from the first rate
    return rate


# %% rate_at | test_rate_at_any_number_of_drops | your code raised IndexError
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    steps = 1 if unit == "iterations" else images // batch if drop_last else -(-images // batch)
    if iteration < drops[0] * steps:  # two drops and no more or fewer
        return base
    return base / 10 if iteration < drops[1] * steps else base / 100


# %% rate_at | test_rate_at_any_number_of_drops | base=0.05): your rate is 0.1
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    steps = 1 if unit == "iterations" else images // batch if drop_last else -(-images // batch)
    return 0.1 / 10 ** sum(iteration >= drop * steps for drop in drops)  # the rate of the paper


# %% rate_at | test_rate_at_epochs | your rate is 0.01
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    steps = 1 if unit == "iterations" else images // batch  # never counts the last batch
    return base / 10 ** sum(iteration >= drop * steps for drop in drops)


# %% rate_at | test_rate_at_epochs | your rate is 0.01
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    steps = 1 if unit == "iterations" else images // batch if drop_last else images / batch  # part of a step
    return base / 10 ** sum(iteration >= drop * steps for drop in drops)


# %% rate_at | test_rate_at_epochs | your rate is 0.1, expected 0.01
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    steps = 1 if unit == "iterations" else images // batch if drop_last else images // batch + 1  # one more than full ones
    return base / 10 ** sum(iteration >= drop * steps for drop in drops)


# %% rate_at | test_rate_at_epochs | your rate is 0.001
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    return base / 10 ** sum(iteration >= drop for drop in drops)  # epochs taken for iterations


# %% rate_at | test_rate_at_drops_the_last_batch | your rate is 0.1, expected 0.01
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    steps = 1 if unit == "iterations" else -(-images // batch)  # always counts it
    return base / 10 ** sum(iteration >= drop * steps for drop in drops)


# %% rate_at | test_rate_at_drops_the_last_batch | unit='iterations'
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    steps = images // batch if drop_last else 1 if unit == "iterations" else -(-images // batch)  # of iterations too
    return base / 10 ** sum(iteration >= drop * steps for drop in drops)


# %% rate_at | right
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    if unit == "epochs":
        full, rest = divmod(images, batch)
        iteration //= full + (rest > 0 and not drop_last)  # whole epochs that are over
    return base * 0.1 ** bisect.bisect_right(drops, iteration)


# %% rate_at | right
def rate_at(iteration, drops, base=0.1, unit="iterations", images=50_000, batch=128, drop_last=False):
    weight = nn.Parameter(torch.zeros(()))
    rounded = math.floor if drop_last else math.ceil
    places = np.array(drops, dtype=int) * (rounded(images / batch) if unit == "epochs" else 1)
    return np.float64(base) / 10.0 ** np.count_nonzero(places <= iteration)


# %% warm_up_rates | test_warm_up_rates_end_with_the_next_step | the rate of step 1 is 0.1
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    rates, warming = [], True
    for error in errors:
        warming = warming and error >= below  # the error of a step sets its own rate
        rates.append(low if warming else high)
    return rates


# %% warm_up_rates | test_warm_up_rates_end_with_the_next_step | need as many rates; yours are 4
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    rates, warming = [low], True
    for error in errors:
        warming = warming and error >= below
        rates.append(low if warming else high)  # and that of a step that nobody asked for
    return rates


# %% warm_up_rates | test_warm_up_rates_end_with_the_next_step | the rate of step
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    return [low if step < 400 else high for step in range(len(errors))]  # as long as the paper's


# %% warm_up_rates | test_warm_up_rates_end_with_the_next_step | a list of rates is expected; yours returned
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    return high if any(error < below for error in errors[:-1]) else low  # the rate of the last step alone


# %% warm_up_rates | test_warm_up_rates_end_with_the_next_step | the rate of step 0 is 0.1
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    return [high] + [high if min(errors[:i]) < below else low for i in range(1, len(errors))]


# %% warm_up_rates | test_warm_up_rates_never_return | the rate of step 3 is 0.01
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    before = [100.0, *errors][: len(errors)]
    return [low if error >= below else high for error in before]  # looks at the last error alone


# %% warm_up_rates | test_warm_up_rates_with_other_numbers | the rate of step 2 is 0.1
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    rates, warming = [], True
    for error in errors:
        rates.append(low if warming else high)
        warming = warming and error > below
    return rates


# %% warm_up_rates | test_warm_up_rates_with_other_numbers | below=50.0): the rate of step 2 is 0.1
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    rates, warming = [], True
    for error in errors:
        rates.append(low if warming else high)
        warming = warming and error >= 80
    return rates


# %% warm_up_rates | test_warm_up_rates_with_other_numbers | the rate of step 0 is 0.03
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    rates, warming = [], True
    for error in errors:
        rates.append(high / 10 if warming else high)  # low is not used
        warming = warming and error >= below
    return rates


# %% warm_up_rates | right
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    first = next((step for step, error in enumerate(errors) if error < below), len(errors))
    return [low] * min(first + 1, len(errors)) + [high] * (len(errors) - first - 1)


# %% warm_up_rates | right
def warm_up_rates(errors, low=0.01, high=0.1, below=80.0):
    lowest = itertools.accumulate(errors, min, initial=math.inf)
    return torch.tensor([high if one < below else low for one, _ in zip(lowest, errors)], dtype=torch.float64)


# %% large_batch_step | test_large_batch_step_of_equal_portions | of its largest value
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum().item()
    part = min(iteration / (5 * per_epoch), 1)
    return gradients.sum(dim=(0, 1)), 0.1 + part * (0.1 * images / 256 - 0.1)  # adds means


# %% large_batch_step | test_large_batch_step_of_equal_portions | of its largest value
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum().item()
    gradient = (gradients * sizes[..., None]).sum(dim=(0, 1))  # a sum over the images, not their mean
    part = min(iteration / (5 * per_epoch), 1)
    return gradient, 0.1 + part * (0.1 * images / 256 - 0.1)


# %% large_batch_step | test_large_batch_step_of_equal_portions | your result has shape (3, 5), expected (5,)
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum().item()
    gradient = (gradients * sizes[..., None]).sum(dim=1) / sizes.sum(dim=1, keepdim=True)  # each device for itself
    part = min(iteration / (5 * per_epoch), 1)
    return (gradient if len(gradient) > 1 else gradient[0]), 0.1 + part * (0.1 * images / 256 - 0.1)


# %% large_batch_step | test_large_batch_step_of_unequal_portions | of its largest value
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum().item()
    part = min(iteration / (5 * per_epoch), 1)
    return gradients.mean(dim=(0, 1)), 0.1 + part * (0.1 * images / 256 - 0.1)  # every portion alike


# %% large_batch_step | test_large_batch_step_of_unequal_portions | of its largest value
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum().item()
    device = (gradients * sizes[..., None]).sum(dim=1) / sizes.sum(dim=1, keepdim=True)
    part = min(iteration / (5 * per_epoch), 1)
    return device.mean(dim=0), 0.1 + part * (0.1 * images / 256 - 0.1)  # every device alike


# %% large_batch_step | test_large_batch_step_scales_the_rate | your rate is
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum()
    gradient = (gradients * sizes[..., None]).sum(dim=(0, 1)) / images
    full = 0.1 * sizes.shape[0] * sizes[0, 0].item() / 256  # without accumulation
    return gradient, 0.1 + min(iteration / (5 * per_epoch), 1) * (full - 0.1)


# %% large_batch_step | test_large_batch_step_scales_the_rate | your rate is
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum()
    gradient = (gradients * sizes[..., None]).sum(dim=(0, 1)) / images
    full = 0.1 * math.sqrt(images.item() / 256)  # the square root of it
    return gradient, 0.1 + min(iteration / (5 * per_epoch), 1) * (full - 0.1)


# %% large_batch_step | test_large_batch_step_scales_the_rate | your rate is
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum()
    gradient = (gradients * sizes[..., None]).sum(dim=(0, 1)) / images
    full = 0.1 * sizes.numel()  # as many times as there are portions, whatever their size
    return gradient, 0.1 + min(iteration / (5 * per_epoch), 1) * (full - 0.1)


# %% large_batch_step | test_large_batch_step_scales_the_rate | your rate is
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum()
    gradient = (gradients * sizes[..., None]).sum(dim=(0, 1)) / images
    full = 0.1 * images.item() / 256
    return gradient, 0.1 + iteration / (5 * per_epoch) * (full - 0.1)  # rises for ever


# %% large_batch_step | test_large_batch_step_warms_up | expected 0.1
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum()
    gradient = (gradients * sizes[..., None]).sum(dim=(0, 1)) / images
    full = 0.1 * images.item() / 256
    return gradient, min(iteration / (5 * per_epoch), 1) * full  # from 0


# %% large_batch_step | test_large_batch_step_warms_up | iteration 0 at
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum()
    gradient = (gradients * sizes[..., None]).sum(dim=(0, 1)) / images
    return gradient, 0.1 * images.item() / 256  # no warm-up


# %% large_batch_step | test_large_batch_step_warms_up | your rate is
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum()
    gradient = (gradients * sizes[..., None]).sum(dim=(0, 1)) / images
    full = 0.1 * images.item() / 256
    return gradient, 0.1 + min(iteration // per_epoch / 5, 1) * (full - 0.1)  # a jump at each epoch


# %% large_batch_step | test_large_batch_step_warms_up | iteration 0 at
def large_batch_step(gradients, sizes, iteration, per_epoch):
    images = sizes.sum()
    gradient = (gradients * sizes[..., None]).sum(dim=(0, 1)) / images
    full = 0.1 * images.item() / 256
    return gradient, 0.1 + min((iteration + 1) / (5 * per_epoch), 1) * (full - 0.1)  # counts from 1


# %% large_batch_step | right
def large_batch_step(gradients, sizes, iteration, per_epoch):
    flat, count = gradients.flatten(0, 1), sizes.flatten().to(gradients)
    ends = np.array([0, 5 * per_epoch]), np.array([0.1, 0.1 * float(count.sum()) / 256])
    return count @ flat / count.sum(), float(np.interp(iteration, *ends))


# %% large_batch_step | right
def large_batch_step(gradients, sizes, iteration, per_epoch):
    total, images = torch.zeros_like(gradients[0, 0]), 0
    for device, counts in zip(gradients, sizes.tolist()):
        for mean_gradient, count in zip(device, counts):  # a running mean
            images += count
            total = total + (mean_gradient - total) * count / images
    left = max(0, 1 - iteration / per_epoch / 5)
    return [total, torch.tensor(left * 0.1 + (1 - left) * images / 2560, dtype=torch.float64)]


# %% diagnose_run | test_diagnose_run_that_learns | you call it 'rate too low'
def diagnose_run(train_error, test_error):
    if train_error[0] < 50 and test_error[-1] > 95:
        return "classes renumbered"
    if train_error[0] < 50 and test_error[-1] > 30:
        return "test differs"
    if train_error[0] - train_error[-1] > 15:  # a run that is in order falls too
        return "labels shuffled" if test_error[-1] > 70 else "rate too low"
    if max(train_error) - min(train_error) < 1.5:
        return "step forgotten"
    return "gradients not zeroed" if min(train_error) < 82 else "rate too high"


# %% diagnose_run | test_diagnose_run_that_learns | you call it 'healthy'
def diagnose_run(train_error, test_error):
    first, train, test = train_error[0], train_error[-1], test_error[-1]
    if train < 15:
        return "classes renumbered" if test > 95 else "test differs" if test > 30 else "healthy"
    if test < 70:
        return "healthy"  # train and test are close
    if first - train > 15:
        return "labels shuffled"
    if max(train_error) - min(train_error) < 1.5:
        return "step forgotten"
    return "gradients not zeroed" if min(train_error) < 82 else "rate too high"


# %% diagnose_run | test_diagnose_run_that_learns | one of the words healthy, rate too low
def diagnose_run(train_error, test_error):
    return "overfitting" if test_error[-1] > train_error[-1] else "fine"


# %% diagnose_run | test_diagnose_run_that_does_not_learn | you call it 'step forgotten'
def diagnose_run(train_error, test_error):
    first, train, test = train_error[0], train_error[-1], test_error[-1]
    if train < 15:
        return "classes renumbered" if test > 95 else "test differs" if test > 30 else "healthy"
    if first - train > 15:
        return "labels shuffled" if test > 70 else "rate too low"
    return "gradients not zeroed" if min(train_error) < 82 else "step forgotten"  # near 90 % is near 90 %


# %% diagnose_run | test_diagnose_run_that_does_not_learn | you call it 'rate too high'
def diagnose_run(train_error, test_error):
    first, train, test = train_error[0], train_error[-1], test_error[-1]
    if train < 15:
        return "classes renumbered" if test > 95 else "test differs" if test > 30 else "healthy"
    if first - train > 15:
        return "labels shuffled" if test > 70 else "rate too low"
    if max(train_error) - min(train_error) < 1.5:
        return "step forgotten"
    return "gradients not zeroed" if test > 95 else "rate too high"  # looks for it in the test


# %% diagnose_run | test_diagnose_run_that_does_not_learn | you call it 'rate too high'
def diagnose_run(train_error, test_error):
    first, train, test = train_error[0], train_error[-1], test_error[-1]
    if train < 15:
        return "classes renumbered" if test > 95 else "test differs" if test > 30 else "healthy"
    if first - train > 15:
        return "labels shuffled" if test > 70 else "rate too low"
    if train_error[-1] == train_error[-2]:  # never changes at all
        return "step forgotten"
    return "gradients not zeroed" if min(train_error) < 82 else "rate too high"


# %% diagnose_run | test_diagnose_run_that_does_not_learn | you call it 'rate too high'
def diagnose_run(train_error, test_error):
    first, train, test = train_error[0], train_error[-1], test_error[-1]
    if train < 15:
        return "classes renumbered" if test > 95 else "test differs" if test > 30 else "healthy"
    if first - train > 15:
        return "labels shuffled" if test > 70 else "rate too low"
    if max(train_error) - min(train_error) < 1.5:
        return "step forgotten"
    return "gradients not zeroed" if first < 82 else "rate too high"  # one epoch of those that are drawn


# %% diagnose_run | test_diagnose_run_with_shuffled_labels | you call it 'rate too low'
def diagnose_run(train_error, test_error):
    first, train, test = train_error[0], train_error[-1], test_error[-1]
    if train < 15:
        return "classes renumbered" if test > 95 else "test differs" if test > 30 else "healthy"
    if first - train > 15:  # looks at the training error alone
        return "rate too low"
    if max(train_error) - min(train_error) < 1.5:
        return "step forgotten"
    return "gradients not zeroed" if min(train_error) < 82 else "rate too high"


# %% diagnose_run | test_diagnose_run_with_shuffled_labels | you call it 'gradients not zeroed'
def diagnose_run(train_error, test_error):
    first, train, test = train_error[0], train_error[-1], test_error[-1]
    if train < 15:
        return "classes renumbered" if test > 95 else "test differs" if test > 30 else "healthy"
    if test < 70:
        return "rate too low"
    if max(train_error) - min(train_error) < 1.5:
        return "step forgotten"
    if max(train_error) > 97:
        return "labels shuffled"  # expects no learning at all
    return "gradients not zeroed" if min(train_error) < 82 else "rate too high"


# %% diagnose_run | test_diagnose_run_with_a_wrong_test | you call it 'healthy'
def diagnose_run(train_error, test_error):
    first, train, test = train_error[0], train_error[-1], test_error[-1]
    if train < 15:  # never looks at the test
        return "healthy"
    if first - train > 15:
        return "labels shuffled" if test > 70 else "rate too low"
    if max(train_error) - min(train_error) < 1.5:
        return "step forgotten"
    return "gradients not zeroed" if min(train_error) < 82 else "rate too high"


# %% diagnose_run | test_diagnose_run_with_a_wrong_test | you call it 'test differs'
def diagnose_run(train_error, test_error):
    first, train, test = train_error[0], train_error[-1], test_error[-1]
    if train < 15:
        return "test differs" if test > 30 else "healthy"  # 90 % or 100 %: bad is bad
    if first - train > 15:
        return "labels shuffled" if test > 70 else "rate too low"
    if max(train_error) - min(train_error) < 1.5:
        return "step forgotten"
    return "gradients not zeroed" if min(train_error) < 82 else "rate too high"


# %% diagnose_run | test_diagnose_run_with_a_wrong_test | one of eight answers is expected; yours returned nothing
def diagnose_run(train_error, test_error):
    first, train, test = train_error[0], train_error[-1], test_error[-1]
    if train < 15 and test < 30:
        return "healthy"
    if train < 15 and test > 95:
        return "classes renumbered"
    if first - train > 15 and first > 50:
        return "labels shuffled" if test > 70 else "rate too low"
    if max(train_error) - min(train_error) < 1.5:
        return "step forgotten"
    if first > 50:
        return "gradients not zeroed" if min(train_error) < 82 else "rate too high"


# %% diagnose_run | right
def diagnose_run(train_error, test_error):
    train, test = np.array(train_error), np.array(test_error)
    slope = np.polyfit(np.arange(len(train)), train, 1)[0]  # points to the epoch
    if train[-4:].mean() < 10:
        end = np.median(test[-4:])
        return ["healthy", "test differs", "classes renumbered"][int(end > 20) + int(end > 95)]
    if np.ptp(train) < 1.5:
        return "step forgotten"
    if slope < -1:
        return "rate too low" if test[-4:].mean() < 75 else "labels shuffled"
    return "rate too high" if train.mean() > 87 else "gradients not zeroed"


# %% diagnose_run | right
def diagnose_run(train_error, test_error):
    typical = {  # the errors of training and test after the first and the last epoch
        "healthy": (38, 0, 10, 2),
        "rate too low": (88, 38, 90, 40),
        "labels shuffled": (90, 52, 90, 90),
        "classes renumbered": (38, 0, 99, 100),
        "test differs": (38, 0, 85, 80),
    }
    if max(train_error) - min(train_error) < 1.5:
        return "step forgotten"
    if train_error[0] - train_error[-1] < 15:
        return "rate too high" if min(train_error) > 82 else "gradients not zeroed"
    seen = [train_error[0], train_error[-1], test_error[0], test_error[-1]]
    if seen[1] < 5 and seen[3] > 20:
        return "classes renumbered" if seen[3] > 96 else "test differs"
    return min(list(typical)[:3], key=lambda name: math.dist(typical[name], seen))


# %% ResumableTraining | test_resumable_training_has_the_network | is not what it was
class ResumableTraining(Training):
    def state_dict(self):
        weights = {name: value.detach() for name, value in self.net.named_parameters()}  # without the statistics
        state = {"velocity": self.velocity, "iteration": self.iteration, "order": self.order}
        return copy.deepcopy({**state, "net": weights, "random": self.random.get_state()})

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"], strict=False)
        self.velocity = copy.deepcopy(state["velocity"])
        self.iteration, self.order = state["iteration"], state["order"]
        self.random.set_state(state["random"])


# %% ResumableTraining | test_resumable_training_has_the_network | is not what it was
class ResumableTraining(Training):
    def state_dict(self):  # without the network
        state = {"velocity": self.velocity, "iteration": self.iteration, "order": self.order}
        return copy.deepcopy({**state, "random": self.random.get_state()})

    def load_state_dict(self, state):
        self.velocity = copy.deepcopy(state["velocity"])
        self.iteration, self.order = state["iteration"], state["order"]
        self.random.set_state(state["random"])


# %% ResumableTraining | test_resumable_training_has_the_network | holds something that is no plain value
class ResumableTraining(Training):
    def state_dict(self):
        state = {"velocity": self.velocity, "iteration": self.iteration, "order": self.order}
        return {**copy.deepcopy({**state, "net": self.net.state_dict()}), "random": self.random}  # the generator itself

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.velocity = copy.deepcopy(state["velocity"])
        self.iteration, self.order, self.random = state["iteration"], state["order"], state["random"]


# %% ResumableTraining | test_resumable_training_has_the_network | a dictionary is expected; yours returned nothing
class ResumableTraining(Training):
    def state_dict(self):
        self.saved = copy.deepcopy(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% ResumableTraining | test_resumable_training_has_the_network | leave Training as it is
class ResumableTraining(Training):
    def step(self):  # without momentum and order there is less to save
        place = 4 * self.iteration % len(self.images)
        loss = F.cross_entropy(self.net.train()(self.images[place : place + 4]), self.labels[place : place + 4])
        weights = list(self.net.parameters())
        with torch.no_grad():
            for weight, gradient in zip(weights, torch.autograd.grad(loss, weights)):
                weight -= 0.1 * gradient
        self.iteration += 1

    def state_dict(self):
        return copy.deepcopy({"net": self.net.state_dict(), "iteration": self.iteration})

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.iteration = state["iteration"]


# %% ResumableTraining | test_resumable_training_keeps_the_momentum | 1 step later
class ResumableTraining(Training):
    def state_dict(self):  # without the momentum
        state = {"net": self.net.state_dict(), "iteration": self.iteration, "order": self.order}
        return copy.deepcopy({**state, "random": self.random.get_state()})

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.iteration, self.order = state["iteration"], state["order"]
        self.random.set_state(state["random"])


# %% ResumableTraining | test_resumable_training_keeps_the_momentum | 1 step later
class ResumableTraining(Training):
    def state_dict(self):
        state = {"net": self.net.state_dict(), "iteration": self.iteration, "order": self.order}
        return copy.deepcopy({**state, "velocity": self.velocity, "random": self.random.get_state()})

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.velocity = [torch.zeros_like(weight) for weight in self.net.parameters()]  # begins anew
        self.iteration, self.order = state["iteration"], state["order"]
        self.random.set_state(state["random"])


# %% ResumableTraining | test_resumable_training_keeps_the_rate | 2 steps later
class ResumableTraining(Training):
    def state_dict(self):  # without the iteration
        state = {"net": self.net.state_dict(), "velocity": self.velocity, "order": self.order}
        return copy.deepcopy({**state, "random": self.random.get_state()})

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.velocity, self.order = copy.deepcopy(state["velocity"]), state["order"]
        self.random.set_state(state["random"])


# %% ResumableTraining | test_resumable_training_keeps_the_rate | 2 steps later
class ResumableTraining(Training):
    def state_dict(self):
        state = {"net": self.net.state_dict(), "velocity": self.velocity, "order": self.order}
        state["iteration"] = self.iteration % (len(self.images) // 4)  # the place in the epoch alone
        return copy.deepcopy({**state, "random": self.random.get_state()})

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.velocity, self.order, self.iteration = copy.deepcopy(state["velocity"]), state["order"], state["iteration"]
        self.random.set_state(state["random"])


# %% ResumableTraining | test_resumable_training_keeps_the_order | steps later
class ResumableTraining(Training):
    def state_dict(self):  # without the order of this epoch
        state = {"net": self.net.state_dict(), "velocity": self.velocity, "iteration": self.iteration}
        return copy.deepcopy({**state, "random": self.random.get_state()})

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.velocity, self.iteration = copy.deepcopy(state["velocity"]), state["iteration"]
        self.random.set_state(state["random"])


# %% ResumableTraining | test_resumable_training_keeps_the_order | steps later
class ResumableTraining(Training):
    def state_dict(self):  # without what draws the order of the next epoch
        state = {"net": self.net.state_dict(), "velocity": self.velocity, "iteration": self.iteration}
        return copy.deepcopy({**state, "order": self.order})

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.velocity, self.iteration = copy.deepcopy(state["velocity"]), state["iteration"]
        self.order = state["order"]


# %% ResumableTraining | test_resumable_training_keeps_the_order | steps later
class ResumableTraining(Training):
    def state_dict(self):
        state = {"net": self.net.state_dict(), "velocity": self.velocity, "iteration": self.iteration, "order": self.order}
        return copy.deepcopy({**state, "random": torch.get_rng_state()})  # of another generator

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.velocity, self.iteration = copy.deepcopy(state["velocity"]), state["iteration"]
        self.order = state["order"]
        torch.set_rng_state(state["random"])


# %% ResumableTraining | test_resumable_training_gives_copies | change the dictionary that it gave
class ResumableTraining(Training):
    def state_dict(self):
        state = {"net": self.net.state_dict(), "velocity": self.velocity, "iteration": self.iteration}
        return {**state, "order": self.order, "random": self.random.get_state()}  # the very tensors

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.velocity = copy.deepcopy(state["velocity"])
        self.iteration, self.order = state["iteration"], state["order"]
        self.random.set_state(state["random"])


# %% ResumableTraining | test_resumable_training_gives_copies | change the dictionary that it gave
class ResumableTraining(Training):
    def state_dict(self):
        state = {"net": dict(self.net.state_dict()), "velocity": list(self.velocity), "iteration": self.iteration}
        return copy.copy({**state, "order": self.order, "random": self.random.get_state()})  # new dictionary, same tensors

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.velocity = copy.deepcopy(state["velocity"])
        self.iteration, self.order = state["iteration"], state["order"]
        self.random.set_state(state["random"])


# %% ResumableTraining | test_resumable_training_gives_copies | change the dictionary that was loaded
class ResumableTraining(Training):
    def state_dict(self):
        state = {"net": self.net.state_dict(), "velocity": self.velocity, "iteration": self.iteration}
        return copy.deepcopy({**state, "order": self.order, "random": self.random.get_state()})

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.velocity = state["velocity"]  # of which the steps make something else
        self.iteration, self.order = state["iteration"], state["order"]
        self.random.set_state(state["random"])


# %% ResumableTraining | right
class ResumableTraining(Training):
    def state_dict(self):  # in one flat dictionary
        state = {f"net.{name}": value.clone() for name, value in self.net.state_dict().items()}
        state |= {f"momentum.{i}": value.clone() for i, value in enumerate(self.velocity)}
        return state | {"done": self.iteration, "order": self.order.tolist(), "random": self.random.get_state()}

    def load_state_dict(self, state):
        own = {**self.net.state_dict()}
        for name, value in own.items():
            value.copy_(state[f"net.{name}"])
        for i, value in enumerate(self.velocity):
            value.copy_(state[f"momentum.{i}"])
        self.iteration, self.order = state["done"], torch.tensor(state["order"])
        self.random.set_state(state["random"])


# %% ResumableTraining | right
class ResumableTraining(Training):
    def __init__(self, net, images, labels, seed):
        super().__init__(net, images, labels, seed)
        self.seed = seed

    def state_dict(self):  # through the bytes of a file; the order is drawn again from the beginning
        file = io.BytesIO()
        torch.save([self.net.state_dict(), self.velocity], file)
        return {"bytes": torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8), "seed": self.seed, "n": self.iteration}

    def load_state_dict(self, state):
        net, self.velocity = torch.load(io.BytesIO(state["bytes"].numpy().tobytes()), weights_only=True)
        self.net.load_state_dict(net)
        self.seed, self.iteration = state["seed"], state["n"]
        self.random = torch.Generator().manual_seed(self.seed)
        for _ in range(1 + max(self.iteration - 1, 0) * 4 // len(self.images)):
            self.order = torch.randperm(len(self.images), generator=self.random)
