"""Graded tests of exercises/10_choosing.ipynb."""

import math
from statistics import median

import torch
from torch import Tensor, nn

from course_lib.grading import points
from course_lib.grading.values import generator, integers, kind, number, numbers, times

# ---------------------------------------------------------------------------------------------- 1. pareto_front


def beaten_by(table: dict[str, tuple[float, ...]], name: str) -> str | None:
    """A network that beats this one."""
    mine = table[name]
    for other, theirs in table.items():
        if theirs != mine and all(a <= b for a, b in zip(theirs, mine, strict=True)):
            return other
    return None


def random_table(seed: int, networks: int, columns: int) -> dict[str, tuple[float, ...]]:
    names = [f"{chr(65 + place)}{seed}" for place in integers(seed, 0, 25, 40)]
    names = list(dict.fromkeys(names))[:networks]
    return {name: tuple(map(float, integers(seed + 100 + i, 1, 9, columns))) for i, name in enumerate(names)}


def front_of(answers, table: dict[str, tuple[float, ...]]) -> list[str]:
    found = answers.pareto_front(table)
    assert isinstance(found, list | tuple) and all(isinstance(name, str) for name in found), (
        f"a list of names is expected; yours returned {kind(found)}"
    )
    unknown = [name for name in found if name not in table]
    assert not unknown, f"your list has {unknown[0]!r}, which is no name of the table"
    return list(found)


def compare_fronts(answers, table: dict[str, tuple[float, ...]]) -> None:
    found = front_of(answers, table)
    for name, row in table.items():
        other = beaten_by(table, name)
        if other is None:
            assert name in found, f"{table}: {name} {row} is missing from your list; which network beats it?"
        else:
            assert name not in found, f"{table}: your list has {name} {row}, but compare it with {other} {table[other]}"
    assert len(found) == len(set(found)), f"{table}: a name is in your list twice"


EXAMPLE = {"A": (23.0, 4.0), "B": (22.0, 5.0), "C": (22.5, 6.0)}


@points(2, "pareto_front", hint="Compare each network with every other one: is there one that is as good in all columns?")
def test_pareto_front_of_error_and_cost(answers):
    """The front of two columns, error and one cost"""
    compare_fronts(answers, EXAMPLE)
    compare_fronts(answers, {"a": (20.0, 9.0), "b": (25.0, 3.0), "c": (24.0, 3.0), "d": (30.0, 1.0), "e": (20.0, 8.0)})
    for seed in range(4):
        table = random_table(seed, 7, 2)
        compare_fronts(answers, {n: row for n, row in table.items() if list(table.values()).count(row) == 1})


@points(1, "pareto_front", hint="Write the comparison for tuples of any length: all(…) and any(…) over the columns.")
def test_pareto_front_of_several_costs(answers):
    """More than one cost, and networks with equal numbers"""
    compare_fronts(answers, {"a": (22.0, 4.0, 9.0), "b": (22.0, 4.0, 8.0), "c": (23.0, 5.0, 1.0), "d": (24.0, 3.0, 9.0)})
    compare_fronts(answers, {"a": (22.0, 4.0), "b": (22.0, 4.0), "c": (23.0, 4.0)})
    for seed in range(10, 13):
        compare_fronts(answers, random_table(seed, 8, 3))


@points(1, "pareto_front", hint="Go through the table as it is; where you sorted, go through it once more at the end.")
def test_pareto_front_keeps_the_order_of_the_table(answers):
    """The order of the table, whatever it is"""
    for table in (
        {"z": (20.0, 9.0), "a": (25.0, 1.0), "m": (22.0, 5.0)},
        {"q": (25.0, 1.0), "b": (20.0, 9.0), "k": (22.0, 5.0)},
    ):
        found = front_of(answers, table)
        assert set(found) == set(table), f"{table}: nothing is beaten here, so all names are expected; yours: {found}"
        assert found == list(table), f"{table}: your order is {found}, expected that of the table"


# ----------------------------------------------------------------------------------------------- 2. best_within

DEVICES = {
    "tiny": {"error": 29.4, "macs": 0.6, "ms": 37.0, "megabytes": 25.0},
    "small": {"error": 24.2, "macs": 2.0, "ms": 117.0, "megabytes": 54.0},
    "unknown": {"error": None, "macs": 1.5, "ms": 79.0, "megabytes": 35.0},
    "large": {"error": 21.1, "macs": 4.2, "ms": 245.0, "megabytes": 121.0},
    "huge": {"error": 18.7, "macs": 20.7, "ms": 945.0, "megabytes": 539.0},
    "slow": {"error": 24.0, "macs": 1.9, "ms": 400.0, "megabytes": 130.0},
}


def compare_choices(answers, table: dict, limits: dict, expected: str | None, why: str) -> None:
    found = answers.best_within(table, limits)
    assert found is None or isinstance(found, str), f"a name or None is expected; yours returned {kind(found)}"
    assert found == expected, f"limits {limits}: you choose {found!r}; {why}"


@points(2, "best_within", hint="First keep what is within every limit, then look for the lowest error among what is left.")
def test_best_within_meets_every_limit(answers):
    """The lowest error among the networks within all limits"""
    for limits, expected in (
        ({"ms": 300.0}, "large"),
        ({"macs": 4.0}, "slow"),
        ({"macs": 4.0, "ms": 300.0}, "small"),
        ({"megabytes": 50.0}, "tiny"),
        ({"megabytes": 125.0, "macs": 3.0, "ms": 1000.0}, "small"),
    ):
        compare_choices(answers, DEVICES, limits, expected, "another network is within all limits and has a lower error")


@points(1, "best_within", hint="What may be exactly at a limit? What is left to do where there is no limit, or nothing fits?")
def test_best_within_at_the_edges(answers):
    """A cost exactly at its limit, no limits, and nothing that fits"""
    compare_choices(answers, DEVICES, {"ms": 245.0}, "large", "a cost exactly at its limit is allowed")
    compare_choices(answers, DEVICES, {}, "huge", "without limits every published network may be chosen")
    compare_choices(answers, DEVICES, {"ms": 1.0}, None, "nothing fits, so None is expected")
    compare_choices(answers, {}, {"ms": 1.0}, None, "the table is empty, so None is expected")


@points(1, "best_within", hint="A tuple (error, macs) sorts by the error first. Which networks have no place in the comparison?")
def test_best_within_treats_missing_and_equal_errors(answers):
    """A network without a published error is never chosen; equal errors are decided by the multiply-adds"""
    only = {"a": {"error": None, "macs": 1.0}, "b": {"error": None, "macs": 2.0}}
    compare_choices(answers, only, {"macs": 9.0}, None, "no network here has a published error, so None is expected")
    equal = {
        "first": {"error": 22.0, "macs": 5.0, "ms": 10.0},
        "second": {"error": 22.0, "macs": 3.0, "ms": 30.0},
        "third": {"error": 22.0, "macs": 4.0, "ms": 5.0},
        "last": {"error": 23.0, "macs": 1.0, "ms": 1.0},
    }
    compare_choices(answers, equal, {}, "second", "three errors are equal, and another one has fewer multiply-adds")
    compare_choices(answers, equal, {"ms": 20.0}, "third", "of those within the limit with equal errors, another has fewer macs")


# ---------------------------------------------------------------------------------------------- 3. typical_time


class Stopwatch:
    """A clock that moves only when a step is made, and a little at each reading; it notes what happens."""

    def __init__(self, seconds: list[float]):
        self.now, self.seconds, self.events = 50.0, list(seconds), []

    def step(self) -> None:
        self.events.append("step")
        self.now += self.seconds.pop(0) if self.seconds else 1.0

    def clock(self) -> float:
        self.events.append("clock")
        return self.now


def measured(function, seconds: list[float], warmup: int, repeats: int) -> list:
    """What the answer returns for steps of these lengths, and the order in which it stepped and read the clock."""
    watch = Stopwatch(seconds)
    return [function(watch.step, watch.clock, warmup, repeats), watch.events]


def run_watch(answers, seconds: list[float], warmup: int, repeats: int) -> tuple[float, list[str]]:
    found, events = answers.typical_time.run(measured, seconds, warmup, repeats)
    return number(found, "the time"), events


SCHEDULES = [
    ([0.5, 0.3, 0.02, 0.09, 0.022], 2, 3),
    ([0.9, 0.011, 0.013, 0.012, 0.4, 0.014], 1, 5),
    ([0.004], 0, 1),
    ([0.7, 0.6, 0.8, 0.03, 0.05, 0.04, 0.9], 3, 4),
]


@points(1, "typical_time", hint="Count the calls of step(): some without the clock, then each one with it.")
def test_typical_time_makes_the_right_calls(answers):
    """As many calls as asked for, warming up included"""
    for seconds, warmup, repeats in SCHEDULES:
        _, events = run_watch(answers, seconds, warmup, repeats)
        calls = events.count("step")
        assert calls == warmup + repeats, (
            f"warmup={warmup}, repeats={repeats}: step() was called {calls} times, expected {warmup + repeats}"
        )


@points(1, "typical_time", hint="clock(), step(), clock(), for each measured call by itself.")
def test_typical_time_reads_the_clock_around_each_measured_step(answers):
    """The clock is read directly before and after each measured call"""
    for seconds, warmup, repeats in SCHEDULES:
        _, events = run_watch(answers, seconds, warmup, repeats)
        text = " ".join(events)
        assert "clock" in events, f"warmup={warmup}, repeats={repeats}: the clock was never read"
        last = events[max(0, len(events) - 3 * repeats) :]
        assert last == ["clock", "step", "clock"] * repeats, (
            f"warmup={warmup}, repeats={repeats}: every measured step needs its own two readings; what happened: {text}"
        )
        assert "clock" not in events[: -3 * repeats], (
            f"warmup={warmup}, repeats={repeats}: the clock is read while warming up; what happened: {text}"
        )


@points(2, "typical_time", hint="Which number of a sorted list is its median, if it has an odd or an even length? In which unit?")
def test_typical_time_returns_the_median_in_milliseconds(answers):
    """The median of the measured times alone, in milliseconds"""
    for seconds, warmup, repeats in SCHEDULES:
        found, _ = run_watch(answers, seconds, warmup, repeats)
        taken = [1000 * time for time in seconds[warmup : warmup + repeats]]
        expected = median(taken)
        shown = ", ".join(f"{time:.0f}" for time in taken)
        assert math.isclose(found, expected, rel_tol=1e-6), (
            f"measured steps of {shown} ms after {warmup} others: yours is {found:.6g}, {times(found, expected)}"
        )


# ------------------------------------------------------------------------------------------- 4. training_memory

MEMORY = ("parameters", "activations")


def nets(seed: int) -> list[tuple[int, int, list[tuple[int, int]], int]]:
    fixed = [
        (3, 32, [(16, 1), (32, 2)], 8),
        (1, 7, [(4, 2), (6, 2), (5, 1)], 3),
        (2, 9, [(3, 1)], 1),
        (2, 13, [(3, 2), (4, 2)], 2),
    ]
    for i in range(3):
        channels, size, batch, *widths = integers(seed + i, 2, 20, 6)
        strides = [1 + s % 2 for s in integers(seed + 50 + i, 0, 9, 3)]
        fixed.append((channels, size, list(zip(widths, strides, strict=True)), batch))
    return fixed


def reference(in_channels: int, size: int, layers: list[tuple[int, int]], batch: int) -> tuple[int, int]:
    """Read off PyTorch's own layers."""
    x, parameters, written = torch.empty(batch, in_channels, size, size, device="meta"), 0, 0
    for channels, stride in layers:
        conv = nn.Conv2d(x.shape[1], channels, 3, stride, padding=1, bias=False, device="meta")
        norm = nn.BatchNorm2d(channels, device="meta")
        parameters += sum(p.numel() for layer in (conv, norm) for p in layer.parameters())
        x = conv(x)
        written += x.numel() + norm(x).numel()
    return 12 * parameters, 4 * written


@points(
    2, "training_memory", hint="9·C·C′ weights and 2·C′ of the batch normalisation; then how many numbers, and bytes, for each?"
)
def test_training_memory_of_the_parameters(answers):
    """Bytes of the parameters, their gradients and their momentum"""
    for args in nets(21):
        found, expected = numbers(answers.training_memory(*args), MEMORY)[0], reference(*args)[0]
        assert found == expected, f"training_memory{args}: you have {found:,} bytes for parameters, {times(found, expected)}"


@points(
    2,
    "training_memory",
    hint="Follow the size from layer to layer, rounded up. Who writes how many numbers, and for how many images?",
)
def test_training_memory_of_the_activations(answers):
    """Bytes of the activations of the batch, with sizes that are odd too"""
    for args in nets(22):
        found, expected = numbers(answers.training_memory(*args), MEMORY)[1], reference(*args)[1]
        assert found == expected, f"training_memory{args}: you have {found:,} bytes for activations, {times(found, expected)}"


# ------------------------------------------------------------------------------------------- 5. ensemble_errors

ERRORS = ("alone", "together")


def score_sets() -> list[tuple[Tensor, Tensor, int]]:
    """Scores of weak networks that are sure of themselves to a different degree, with labels and k."""
    found = []
    for seed, (m, n, classes, k) in enumerate([(3, 40, 6, 1), (2, 30, 9, 3), (5, 50, 8, 2), (1, 20, 5, 1), (4, 25, 4, 1)]):
        source = generator(70 + seed)
        labels = torch.randint(classes, (n,), generator=source)
        scores = torch.randn(m, n, classes, generator=source, dtype=torch.float64)
        scores = scores + 0.8 * torch.nn.functional.one_hot(labels, classes)
        sure = torch.logspace(0.6, -0.3, m, dtype=torch.float64)[:, None, None]
        shift = 3 * torch.randn(m, n, 1, generator=source, dtype=torch.float64)  # changes no probability
        found.append((scores * sure + shift, labels, k))
    return found


def top_error(values: Tensor, labels: Tensor, k: int) -> float:
    """Percent of the rows whose label has k or more values above its own."""
    own = values.gather(-1, labels[:, None])
    return 100 * ((values > own).sum(-1) >= k).double().mean().item()


def errors(answers, scores: Tensor, labels: Tensor, k: int) -> tuple[list[float], str]:
    """Both errors, and the case in words; k has its default where it is 1."""
    found = answers.ensemble_errors(scores, labels) if k == 1 else answers.ensemble_errors(scores, labels, k)
    return numbers(found, ERRORS), f"{len(scores)} networks, {len(labels)} images, {'k not given' if k == 1 else f'k={k}'}"


@points(
    2, "ensemble_errors", hint="topk(k) gives the k highest classes; is the label among them? Average over the networks last."
)
def test_ensemble_errors_of_single_networks(answers):
    """The mean of the networks’ own top-k errors, in percent"""
    for scores, labels, k in score_sets():
        (found, _), what = errors(answers, scores, labels, k)
        expected = sum(top_error(one, labels, k) for one in scores) / len(scores)
        assert math.isclose(found, expected, abs_tol=1e-3), (
            f"{what}: your error alone is {found:.2f} %, expected {expected:.2f} %"
        )


@points(2, "ensemble_errors", hint="What is averaged, scores or probabilities? Over which dimension is the softmax?")
def test_ensemble_errors_of_the_mean(answers):
    """The top-k error of the mean probabilities, in percent"""
    for scores, labels, k in score_sets():
        (_, found), what = errors(answers, scores, labels, k)
        expected = top_error(scores.softmax(-1).mean(0), labels, k)
        assert math.isclose(found, expected, abs_tol=1e-3), (
            f"{what}: your error together is {found:.2f} %, not that of the mean probabilities"
        )
