# ruff: noqa: E402, F811, F841, RET503
"""Wrong answers that students write, and unusual right ones: `# %% exercise | test that fails | words of its message`.

Each section replaces one answer of the solution. `# %% exercise | right` must pass everything. The imports below go with all.
"""

import time
from statistics import mean, median

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


# %% pareto_front | test_pareto_front_of_error_and_cost | but compare it with
def pareto_front(table):
    def beats(one, other):  # better in every column, where equal in one would do
        return all(a < b for a, b in zip(one, other, strict=True))

    return [n for n, row in table.items() if not any(beats(o, row) for o in table.values())]


# %% pareto_front | test_pareto_front_of_error_and_cost | is missing from your list
def pareto_front(table):
    def beats(one, other):  # every network is as good as itself
        return all(a <= b for a, b in zip(one, other, strict=True))

    return [n for n, row in table.items() if not any(beats(o, row) for o in table.values())]


# %% pareto_front | test_pareto_front_of_error_and_cost | is missing from your list
def pareto_front(table):
    best = min(table, key=lambda name: table[name][0])  # the lowest error alone
    return [best]


# %% pareto_front | test_pareto_front_of_error_and_cost | is missing from your list
def pareto_front(table):
    def beats(one, other):  # more is better
        return one != other and all(a >= b for a, b in zip(one, other, strict=True))

    return [n for n, row in table.items() if not any(beats(o, row) for o in table.values())]


# %% pareto_front | test_pareto_front_of_error_and_cost | a list of names is expected; yours returned
def pareto_front(table):
    def beats(one, other):
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    return {n: row for n, row in table.items() if not any(beats(o, row) for o in table.values())}


# %% pareto_front | test_pareto_front_of_several_costs | but compare it with
def pareto_front(table):
    found, best = [], float("inf")
    for name in sorted(table, key=lambda name: (table[name][1], table[name][0])):  # looks at the first cost only
        if table[name][0] < best:
            best = table[name][0]
            found.append(name)
    return [name for name in table if name in found]


# %% pareto_front | test_pareto_front_of_several_costs | is missing from your list
def pareto_front(table):
    found = []
    for name, row in table.items():
        beaten = any(all(a <= b for a, b in zip(o, row, strict=True)) for n, o in table.items() if n != name)  # equal ones out
        if not beaten:
            found.append(name)
    return found


# %% pareto_front | test_pareto_front_keeps_the_order_of_the_table | expected that of the table
def pareto_front(table):
    def beats(one, other):
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    return sorted(n for n, row in table.items() if not any(beats(o, row) for o in table.values()))


# %% pareto_front | right
def pareto_front(table):
    names, rows = list(table), np.array(list(table.values()), dtype=float)
    as_good = (rows[:, None] <= rows[None]).all(-1)
    better = (rows[:, None] < rows[None]).any(-1)
    return [name for name, out in zip(names, (as_good & better).any(0), strict=True) if not out]


# %% pareto_front | right
def pareto_front(table):
    left = []
    for name in table:
        for other in table:
            signs = [(a > b) - (a < b) for a, b in zip(table[other], table[name], strict=True)]
            if max(signs) <= 0 and min(signs) < 0:
                break
        else:
            left.append(name)
    return tuple(left)


# %% best_within | test_best_within_meets_every_limit | another network is within all limits
def best_within(table, limits):
    fitting = {
        name: row
        for name, row in table.items()
        if row["error"] is not None and any(row[cost] <= most for cost, most in limits.items())  # one limit is enough
    }
    if not limits:
        fitting = {name: row for name, row in table.items() if row["error"] is not None}
    return min(fitting, key=lambda n: (fitting[n]["error"], fitting[n]["macs"])) if fitting else None


# %% best_within | test_best_within_meets_every_limit | another network is within all limits
def best_within(table, limits):
    fitting = [n for n, row in table.items() if row["error"] is not None and all(row[c] <= limits[c] for c in limits)]
    return min(fitting, key=lambda n: (table[n]["macs"], table[n]["error"])) if fitting else None  # the cheapest


# %% best_within | test_best_within_meets_every_limit | another network is within all limits
def best_within(table, limits):
    best = min((n for n in table if table[n]["error"] is not None), key=lambda n: table[n]["error"], default=None)
    if best is None:
        return None
    return best if all(table[best][c] <= limits[c] for c in limits) else None  # looks at the best one only


# %% best_within | test_best_within_at_the_edges | exactly at its limit is allowed
def best_within(table, limits):
    fitting = [n for n, row in table.items() if row["error"] is not None and all(row[c] < limits[c] for c in limits)]
    return min(fitting, key=lambda n: (table[n]["error"], table[n]["macs"])) if fitting else None


# %% best_within | test_best_within_at_the_edges | ValueError
def best_within(table, limits):
    fitting = [n for n, row in table.items() if row["error"] is not None and all(row[c] <= limits[c] for c in limits)]
    return min(fitting, key=lambda n: (table[n]["error"], table[n]["macs"]))  # of nothing


# %% best_within | test_best_within_treats_missing_and_equal_errors | so None is expected
def best_within(table, limits):
    fitting = [n for n, row in table.items() if all(row[c] <= limits[c] for c in limits)]
    if not fitting:
        return None

    def key(name):
        error = table[name]["error"]
        return (100 if error is None else error, table[name]["macs"])  # chosen where nothing else is left

    return min(fitting, key=key)


# %% best_within | test_best_within_treats_missing_and_equal_errors | fewer multiply-adds
def best_within(table, limits):
    fitting = [n for n, row in table.items() if row["error"] is not None and all(row[c] <= limits[c] for c in limits)]
    return min(fitting, key=lambda n: table[n]["error"]) if fitting else None  # the first of the equal ones


# %% best_within | test_best_within_meets_every_limit | TypeError
def best_within(table, limits):
    fitting = [n for n, row in table.items() if all(row[c] <= limits[c] for c in limits)]  # None among the errors
    return min(fitting, key=lambda n: (table[n]["error"], table[n]["macs"])) if fitting else None


# %% best_within | right
def best_within(table, limits):
    chosen = None
    for name, row in table.items():
        if row["error"] is None or any(row[cost] > most for cost, most in limits.items()):
            continue
        if chosen is None or (row["error"], row["macs"]) < (table[chosen]["error"], table[chosen]["macs"]):
            chosen = name
    return chosen


# %% best_within | right
def best_within(table, limits):
    order = sorted((row["error"], row["macs"], name) for name, row in table.items() if row["error"] is not None)
    return next((name for _, _, name in order if not [c for c in limits if table[name][c] > limits[c]]), None)


# %% typical_time | test_typical_time_makes_the_right_calls | step() was called
def typical_time(step, clock, warmup, repeats):
    times = []
    for _ in range(repeats):  # no warming up
        start = clock()
        step()
        times.append(clock() - start)
    return 1000 * median(times)


# %% typical_time | test_typical_time_makes_the_right_calls | step() was called
def typical_time(step, clock, warmup, repeats):
    times = []
    for _ in range(repeats):  # warming up counts as measuring
        start = clock()
        step()
        times.append(clock() - start)
    return 1000 * median(times[warmup:] or times)


# %% typical_time | test_typical_time_reads_the_clock_around_each_measured_step | its own two readings
def typical_time(step, clock, warmup, repeats):
    for _ in range(warmup):
        step()
    start = clock()
    for _ in range(repeats):  # all together: a mean
        step()
    return 1000 * (clock() - start) / repeats


# %% typical_time | test_typical_time_reads_the_clock_around_each_measured_step | while warming up
def typical_time(step, clock, warmup, repeats):
    times = []
    for _ in range(warmup + repeats):
        start = clock()
        step()
        times.append(clock() - start)
    return 1000 * median(times[warmup:])


# %% typical_time | test_typical_time_reads_the_clock_around_each_measured_step | the clock was never read
def typical_time(step, clock, warmup, repeats):
    for _ in range(warmup):
        step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()  # a clock of its own
        step()
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


# %% typical_time | test_typical_time_returns_the_median_in_milliseconds | 0.001 times the right number
def typical_time(step, clock, warmup, repeats):
    for _ in range(warmup):
        step()
    times = []
    for _ in range(repeats):
        start = clock()
        step()
        times.append(clock() - start)
    return median(times)  # seconds


# %% typical_time | test_typical_time_returns_the_median_in_milliseconds | times the right number
def typical_time(step, clock, warmup, repeats):
    for _ in range(warmup):
        step()
    times = []
    for _ in range(repeats):
        start = clock()
        step()
        times.append(clock() - start)
    return 1000 * mean(times)


# %% typical_time | test_typical_time_returns_the_median_in_milliseconds | times the right number
def typical_time(step, clock, warmup, repeats):
    for _ in range(warmup):
        step()
    times = []
    for _ in range(repeats):
        start = clock()
        step()
        times.append(clock() - start)
    return 1000 * times[len(times) // 2]  # not sorted


# %% typical_time | test_typical_time_returns_the_median_in_milliseconds | times the right number
def typical_time(step, clock, warmup, repeats):
    for _ in range(warmup):
        step()
    times = []
    for _ in range(repeats):
        start = clock()
        step()
        times.append(clock() - start)
    return 1000 * torch.tensor(times).median().item()  # the lower of the two in the middle


# %% typical_time | right
def typical_time(step, clock, warmup, repeats):
    def one():
        before = clock()
        step()
        return (clock() - before) * 1e3

    [step() for _ in range(warmup)]
    ordered = sorted(one() for _ in range(repeats))
    return (ordered[(repeats - 1) // 2] + ordered[repeats // 2]) / 2


# %% typical_time | right
def typical_time(step, clock, warmup, repeats):
    while warmup:
        step()
        warmup -= 1
    readings = np.empty((repeats, 2))
    for row in readings:
        row[0] = clock()
        step()
        row[1] = clock()
    return np.median(1000 * np.diff(readings, axis=1))


# %% training_memory | test_training_memory_of_the_parameters | 0.3333 times the right number
def training_memory(in_channels, size, layers, batch):
    parameters = activations = 0
    for channels, stride in layers:
        size = -(-size // stride)
        parameters += 9 * in_channels * channels + 2 * channels
        activations += 2 * channels * size**2
        in_channels = channels
    return 4 * parameters, 4 * batch * activations  # no gradients, no momentum


# %% training_memory | test_training_memory_of_the_parameters | bytes for parameters
def training_memory(in_channels, size, layers, batch):
    parameters = activations = 0
    for channels, stride in layers:
        size = -(-size // stride)
        parameters += 9 * in_channels * channels  # batch normalisation forgotten
        activations += 2 * channels * size**2
        in_channels = channels
    return 12 * parameters, 4 * batch * activations


# %% training_memory | test_training_memory_of_the_parameters | bytes for parameters
def training_memory(in_channels, size, layers, batch):
    parameters = activations = 0
    for channels, stride in layers:
        size = -(-size // stride)
        parameters += 9 * in_channels * channels + 2 * channels  # every layer reads the image
        activations += 2 * channels * size**2
    return 12 * parameters, 4 * batch * activations


# %% training_memory | test_training_memory_of_the_parameters | bytes for parameters
def training_memory(in_channels, size, layers, batch):
    parameters = activations = 0
    for channels, stride in layers:
        size = -(-size // stride)
        parameters += 9 * in_channels * channels + 2 * channels
        activations += 2 * channels * size**2
        in_channels = channels
    return 12 * batch * parameters, 4 * batch * activations  # parameters for every image


# %% training_memory | test_training_memory_of_the_activations | 0.5 times the right number
def training_memory(in_channels, size, layers, batch):
    parameters = activations = 0
    for channels, stride in layers:
        size = -(-size // stride)
        parameters += 9 * in_channels * channels + 2 * channels
        activations += channels * size**2  # of the convolution alone
        in_channels = channels
    return 12 * parameters, 4 * batch * activations


# %% training_memory | test_training_memory_of_the_activations | bytes for activations
def training_memory(in_channels, size, layers, batch):
    parameters = activations = 0
    for channels, stride in layers:
        size = size // stride  # rounded down
        parameters += 9 * in_channels * channels + 2 * channels
        activations += 2 * channels * size**2
        in_channels = channels
    return 12 * parameters, 4 * batch * activations


# %% training_memory | test_training_memory_of_the_activations | bytes for activations
def training_memory(in_channels, size, layers, batch):
    parameters = activations = 0
    for channels, stride in layers:
        parameters += 9 * in_channels * channels + 2 * channels
        activations += 2 * channels * size**2  # the size before the stride
        size = -(-size // stride)
        in_channels = channels
    return 12 * parameters, 4 * batch * activations


# %% training_memory | test_training_memory_of_the_activations | 0.125 times the right number
def training_memory(in_channels, size, layers, batch):
    parameters = activations = 0
    for channels, stride in layers:
        size = -(-size // stride)
        parameters += 9 * in_channels * channels + 2 * channels
        activations += 2 * channels * size**2
        in_channels = channels
    return 12 * parameters, 4 * activations  # of one image


# %% training_memory | right
def training_memory(in_channels, size, layers, batch):
    net, x, kept = nn.Sequential(), torch.empty(batch, in_channels, size, size, device="meta"), 0
    for channels, stride in layers:
        conv = nn.Conv2d(x.shape[1], channels, 3, stride, 1, bias=False, device="meta")
        net += nn.Sequential(conv, nn.BatchNorm2d(channels, device="meta"))
        x = conv(x)
        kept += 2 * x.numel() * x.element_size()
    return 3 * sum(p.nbytes for p in net.parameters()), kept


# %% training_memory | right
def training_memory(in_channels, size, layers, batch):
    if not layers:
        return torch.zeros(2, dtype=torch.int64)
    (channels, stride), *rest = layers
    size = (size + stride - 1) // stride
    here = torch.tensor([12 * channels * (9 * in_channels + 2), 8 * batch * channels * size * size])
    return here + torch.as_tensor(training_memory(channels, size, rest, batch))


# %% ensemble_errors | test_ensemble_errors_of_single_networks | your error alone is
def ensemble_errors(scores, labels, k=1):
    def error(values):
        return 100 * (values.argmax(-1) != labels).double().mean().item()  # top-1 whatever k is

    return error(scores), error(scores.softmax(-1).mean(0))


# %% ensemble_errors | test_ensemble_errors_of_single_networks | your error alone is
def ensemble_errors(scores, labels, k=1):
    def right(values):
        return 100 * (values.topk(k).indices == labels[:, None]).any(-1).double().mean().item()  # accuracy

    return right(scores), right(scores.softmax(-1).mean(0))


# %% ensemble_errors | test_ensemble_errors_of_single_networks | your error alone is
def ensemble_errors(scores, labels, k=1):
    def error(values):
        return 100 * (1 - (values.topk(k).indices == labels[:, None]).any(-1).double().mean().item())

    return min(error(one) for one in scores), error(scores.softmax(-1).mean(0))  # the best one's


# %% ensemble_errors | test_ensemble_errors_of_single_networks | your error alone is
def ensemble_errors(scores, labels, k=1):
    def error(values):
        return 1 - (values.topk(k).indices == labels[:, None]).any(-1).double().mean().item()  # a share, not percent

    return error(scores), error(scores.softmax(-1).mean(0))


# %% ensemble_errors | test_ensemble_errors_of_the_mean | not that of the mean probabilities
def ensemble_errors(scores, labels, k=1):
    def error(values):
        return 100 * (1 - (values.topk(k).indices == labels[:, None]).any(-1).double().mean().item())

    return error(scores), error(scores.mean(0))  # scores averaged, not probabilities


# %% ensemble_errors | test_ensemble_errors_of_the_mean | not that of the mean probabilities
def ensemble_errors(scores, labels, k=1):
    def error(values):
        return 100 * (1 - (values.topk(k).indices == labels[:, None]).any(-1).double().mean().item())

    return error(scores), error(scores.softmax(0).mean(0))  # over the networks


# %% ensemble_errors | test_ensemble_errors_of_the_mean | not that of the mean probabilities
def ensemble_errors(scores, labels, k=1):
    hits = (scores.topk(k).indices == labels[:, None]).any(-1)
    together = hits.double().mean(0) > 0.5  # a vote
    return 100 * (1 - hits.double().mean().item()), 100 * (1 - together.double().mean().item())


# %% ensemble_errors | test_ensemble_errors_of_the_mean | not that of the mean probabilities
def ensemble_errors(scores, labels, k=1):
    hits = (scores.topk(k).indices == labels[:, None]).any(-1)
    return 100 * (1 - hits.double().mean().item()), 100 * (1 - hits.any(0).double().mean().item())  # one of them knew it


# %% ensemble_errors | test_ensemble_errors_of_single_networks | k not given: your error alone
def ensemble_errors(scores, labels, k=5):
    def error(values):
        return 100 * (1 - (values.topk(min(k, values.shape[-1])).indices == labels[:, None]).any(-1).double().mean().item())

    return error(scores), error(scores.softmax(-1).mean(0))


# %% ensemble_errors | right
def ensemble_errors(scores, labels, k=1):
    def error(values):
        rank = (values > values.gather(1, labels.unsqueeze(1))).sum(1)
        return (rank >= k).float().mean() * 100

    singles = torch.stack([error(one) for one in scores])
    return singles.mean(), error(torch.exp(F.log_softmax(scores, 2)).sum(0))


# %% ensemble_errors | right
def ensemble_errors(scores, labels, k=1):
    wrong = []
    for values in [*scores, scores.softmax(dim=2).mean(dim=0)]:
        best = values.argsort(dim=1, descending=True)[:, :k].tolist()
        wrong.append(100 * np.mean([label not in five for label, five in zip(labels.tolist(), best, strict=True)]))
    return [np.mean(wrong[:-1]), wrong[-1]]
