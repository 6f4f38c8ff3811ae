"""Graded tests of exercises/09_at_scale.ipynb."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.grading import Handle, points, values
from course_lib.grading.values import agree, integers, kind, normal, number, number_list, telling, tensor
from course_lib.models import BasicBlock, ConvNet, build_stages, classifier, convs
from course_lib.results import load_record

# -------------------------------------------------------------- trusted functions, run where the student's objects are


def small_net(seed: int) -> ConvNet:
    """A residual network of few channels with batch normalisation, for images of two channels and three classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ConvNet(convs(2, (4, 3)), build_stages(BasicBlock, 4, (4, 6), (1, 1)), classifier(6, 3))


class Reference:
    """The training that the notebook gives, to see whether the student's is still the same."""

    def __init__(self, net: nn.Module, images: Tensor, labels: Tensor, seed: int):
        self.net, self.images, self.labels, self.iteration = net, images, labels, 0
        self.velocity = [torch.zeros_like(weight) for weight in net.parameters()]
        self.random = torch.Generator().manual_seed(seed)

    def step(self) -> None:
        place = self.iteration * 4 % len(self.images)
        if place == 0:
            self.order = torch.randperm(len(self.images), generator=self.random)
        batch = self.order[place : place + 4]
        weights = list(self.net.parameters())
        loss = F.cross_entropy(self.net.train()(self.images[batch]), self.labels[batch])
        with torch.no_grad():
            for weight, velocity, gradient in zip(weights, self.velocity, torch.autograd.grad(loss, weights), strict=True):
                velocity.mul_(0.9).add_(gradient)
                weight.sub_((0.1 if self.iteration < 9 else 0.01) * velocity)
        self.iteration += 1


def make(cls, net_seed: int, images: Tensor, labels: Tensor, seed: int):
    return cls(small_net(net_seed), images, labels, seed)


def advance(training, steps: int) -> dict[str, Tensor]:
    """Parameters and buffers of the network after so many steps more."""
    for _ in range(steps):
        training.step()
    return network(training)


def network(training) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in training.net.state_dict().items()}


def save(training):
    return training.state_dict()


def load(training, state) -> dict[str, Tensor]:
    """Parameters and buffers of the network directly after loading."""
    training.load_state_dict(state)
    return network(training)


def save_and_advance(training, steps: int) -> list:
    """The state, looked at only after steps that came later; and a look at it before them."""
    state = training.state_dict()
    before = flat(state)
    for _ in range(steps):
        training.step()
    return [before, flat(state)]


def load_and_advance(training, state, steps: int) -> list:
    """A look at the state that is loaded, before the steps that follow and after them."""
    before = flat(state)
    training.load_state_dict(state)
    for _ in range(steps):
        training.step()
    return [before, flat(state)]


def flat(value, name: str = "state") -> dict:
    """Every number and tensor of a nested state by its place in it; the tensors are copies."""
    if isinstance(value, dict):
        return {place: one for key, part in value.items() for place, one in flat(part, f"{name}[{key!r}]").items()}
    if isinstance(value, list | tuple):
        return {place: one for i, part in enumerate(value) for place, one in flat(part, f"{name}[{i}]").items()}
    if isinstance(value, Tensor):
        return {name: value.detach().clone()}
    return {name: value} if isinstance(value, int | float | str | None) else {}


# --------------------------------------------------------------------------------------------------- 1. rate_at

HE, XIE = [32_000, 48_000], [150, 225]


def compare_rates(answers, iteration: int, drops: list[int], passed: int, base: float = 0.1, **options) -> None:
    """The rate after so many of the drops; ``base`` is given where it is not the default."""
    given = {**({} if base == 0.1 else {"base": base}), **options}
    called = ", ".join([f"{iteration}", f"{drops}", *(f"{name}={value!r}" for name, value in given.items())])
    found = number(answers.rate_at(iteration, drops, **given), "the rate")
    expected = base / 10**passed
    assert math.isclose(found, expected, rel_tol=1e-9), f"rate_at({called}): your rate is {found:.6g}, expected {expected:.6g}"


def around(place: int) -> list[tuple[int, int]]:
    """Iterations near a drop, and whether it has passed."""
    return [(place - 1, 0), (place, 1), (place + 1, 1)]


@points(1, "rate_at", hint="How many of the drops have passed? The first step after 32,000 others has the iteration 32000.")
def test_rate_at_iterations(answers):
    """Rates of a recipe that counts iterations, up to the very step at which they fall"""
    for iteration, passed in [(0, 0), (400, 0), *around(32_000), (40_000, 1), (63_999, 2)]:
        compare_rates(answers, iteration, HE, passed)
    for iteration, passed in around(48_000):
        compare_rates(answers, iteration, HE, 1 + passed)


@points(1, "rate_at", hint="Does your code work where there is no drop, or five of them? And at which rate does it begin?")
def test_rate_at_any_number_of_drops(answers):
    """Other first rates; no drop, one, and many"""
    for iteration in (0, 5, 10**6):
        compare_rates(answers, iteration, [], 0)
        compare_rates(answers, iteration, [], 0, base=0.05)
    for seed in range(4):
        places = [100 * (i + 1) + step for i, step in enumerate(integers(seed, 0, 90, 2 + seed))]
        for passed, place in enumerate(places):
            for iteration, more in around(place):
                compare_rates(answers, iteration, places, passed + more, base=(0.4, 0.1, 0.025, 1.0)[seed])
    compare_rates(answers, 7, [7], 1, base=0.3)


@points(1, "rate_at", hint="How many steps has an epoch, if the last batch is not full? An integer division leaves it out.")
def test_rate_at_epochs(answers):
    """Rates of a recipe that counts epochs; a last batch that is not full counts"""
    for i, drop in enumerate(XIE):
        for iteration, passed in around(drop * 391):
            compare_rates(answers, iteration, XIE, i + passed, unit="epochs")
    for images, batch, steps in [(1000, 100, 10), (1001, 100, 11), (1347, 64, 22), (60, 100, 1), (45_000, 128, 352)]:
        for iteration, passed in around(3 * steps):
            compare_rates(answers, iteration, [3, 4000], passed, unit="epochs", images=images, batch=batch)


@points(1, "rate_at", hint="With drop_last=True an epoch has only full batches. And where the unit is iterations?")
def test_rate_at_drops_the_last_batch(answers):
    """Epochs without a last batch that is not full; iterations are iterations in any case"""
    for i, drop in enumerate(XIE):
        for iteration, passed in around(drop * 390):
            compare_rates(answers, iteration, XIE, i + passed, unit="epochs", drop_last=True)
    for images, batch, steps in [(1000, 100, 10), (1001, 100, 10), (1347, 64, 21), (199, 100, 1)]:
        options = {"images": images, "batch": batch, "drop_last": True}
        for iteration, passed in around(3 * steps):
            compare_rates(answers, iteration, [3, 4000], passed, unit="epochs", **options)
        for iteration, passed in around(30):
            compare_rates(answers, iteration, [30], passed, unit="iterations", **options)


# -------------------------------------------------------------------------------------------- 2. warm_up_rates


def compare_warm_up(answers, errors: list[float], first: int, low: float = 0.01, high: float = 0.1, **options) -> None:
    """The rate is high from the step of this number on."""
    given = options if (low, high) == (0.01, 0.1) else {"low": low, "high": high, **options}
    found = number_list(answers.warm_up_rates(errors, **given), "a list of rates")
    shown = ", ".join([f"{errors}", *(f"{name}={value}" for name, value in given.items())])
    called = f"warm_up_rates({shown if len(shown) < 120 else shown[:110] + ' …'})"
    assert len(found) == len(errors), f"{called}: {len(errors)} steps need as many rates; yours are {len(found)}"
    for step, rate in enumerate(found):
        expected = high if step >= first else low
        assert math.isclose(rate, expected, rel_tol=1e-9), f"{called}: the rate of step {step} is {rate:.4g} in your list"


@points(1, "warm_up_rates", hint="When step 5 begins, which errors are known? A step's own error is known when it is done.")
def test_warm_up_rates_end_with_the_next_step(answers):
    """Low up to the step whose error is below the bound, high from the next one on"""
    compare_warm_up(answers, [88.0, 79.0, 75.0], 2)
    compare_warm_up(answers, [79.0, 78.0], 1)
    compare_warm_up(answers, [90.0, 89.0, 88.0], 3)
    compare_warm_up(answers, [90.0, 85.0, 79.0], 3)
    compare_warm_up(answers, [], 0)
    for seed, steps in enumerate(integers(21, 3, 30, 4)):
        falling = [90.0 - 9.0 * step / steps for step in range(steps)]  # all above 81
        compare_warm_up(answers, [*falling, *(60.0 - seed - step for step in range(4))], steps + 1)


@points(1, "warm_up_rates", hint="Remember that the bound was passed: which variable says so in the steps that come later?")
def test_warm_up_rates_never_return(answers):
    """High for good, also when the error rises again"""
    compare_warm_up(answers, [88.0, 79.0, 85.0, 95.0], 2)
    compare_warm_up(answers, [70.0, 90.0, 79.0, 90.0, 90.0], 1)
    for seed in range(3):
        above = [81.0 + part for part in integers(30 + seed, 0, 15, 6)]
        compare_warm_up(answers, [*above, 79.5, *above, 20.0, *above], 7)


@points(1, "warm_up_rates", hint="Below means less than: is 80.0 below 80.0? And are low, high and below used, or written out?")
def test_warm_up_rates_with_other_numbers(answers):
    """An error equal to the bound is not below it; other rates and another bound"""
    compare_warm_up(answers, [90.0, 80.0, 80.0, 79.99, 80.0], 4)
    compare_warm_up(answers, [85.0, 60.0, 50.0, 49.0, 50.0, 70.0], 4, below=50.0)
    compare_warm_up(answers, [90.0, 88.0, 70.0], 1, below=90.5)
    compare_warm_up(answers, [90.0, 78.0, 90.0, 90.0], 2, low=0.002, high=0.3)
    compare_warm_up(answers, [90.0, 29.0, 90.0], 2, low=0.2, high=0.05, below=30.0)


# ----------------------------------------------------------------------------------------- 3. large_batch_step


def batch_step(answers, gradients: Tensor, sizes: Tensor, iteration: int = 0, per_epoch: int = 50) -> tuple[object, float, str]:
    """The gradient as it came, the rate, and the case in words."""
    shown = ", ".join(f"device {device}: {row}" for device, row in enumerate(sizes.tolist()))
    found = answers.large_batch_step(gradients, sizes, iteration, per_epoch)
    case = (
        f"portions of {shown} images" if sizes.numel() <= 6 else f"{len(sizes)} × {sizes.shape[1]} portions, {sizes.sum()} images"
    )
    assert isinstance(found, tuple | list) and len(found) == 2, (
        f"two results, the gradient and the rate, are expected; yours returned {kind(found)}"
    )
    return found[0], number(found[1], "the rate"), f"{case}, iteration {iteration} at {per_epoch} to the epoch"


def portions(seed: int, sizes: Tensor, weights: int) -> tuple[Tensor, Tensor]:
    """A gradient for every image, averaged over each portion; and over all."""
    single = normal(seed, int(sizes.sum()), weights, dtype=torch.float64) + torch.arange(weights, dtype=torch.float64)
    parts = single.split(sizes.flatten().tolist())
    means = torch.stack([part.mean(0) for part in parts])
    return means.reshape(*sizes.shape, weights), single.mean(0)


def compare_gradients(answers, seed: int, sizes: list[list[int]]) -> None:
    sizes = torch.tensor(sizes)
    gradients, expected = portions(seed, sizes, 5)
    found, _, case = batch_step(answers, gradients, sizes)
    agree(tensor(found, case, (5,)), expected, f"{case}: the gradient of the whole batch")


@points(1, "large_batch_step", hint="Which mean of D · A means is the mean over all images, if all of them have equally many?")
def test_large_batch_step_of_equal_portions(answers):
    """The gradient of the whole batch, from portions of one size"""
    for seed, sizes in enumerate([[[256]], [[128, 128]], [[128], [128], [128]], [[64] * 4] * 3]):
        compare_gradients(answers, 40 + seed, sizes)


@points(1, "large_batch_step", hint="Of two portions, of 200 and of 56 images, whose mean should count more, and how much more?")
def test_large_batch_step_of_unequal_portions(answers):
    """The gradient of the whole batch, from portions of several sizes"""
    compare_gradients(answers, 50, [[200, 56]])
    compare_gradients(answers, 51, [[300], [20]])
    compare_gradients(answers, 52, [[128, 128], [128, 40]])
    for seed in range(3):
        sizes = [
            [size + 300 * (place == 0) for place, size in enumerate(integers(60 + 9 * seed + d, 1, 99, 3))] for d in range(2)
        ]
        compare_gradients(answers, 53 + seed, sizes)


@points(1, "large_batch_step", hint="All images of all portions together are one batch. How many times 256 is it?")
def test_large_batch_step_scales_the_rate(answers):
    """The full rate, in proportion to all images of the batch"""
    cases = [[[256]], [[512]], [[64, 64]] * 8, [[32]] * 256, [[100, 28], [128, 100]]]
    cases += [[[size + 200 for size in integers(70 + seed, 1, 99, 2)]] * (1 + seed) for seed in range(3)]
    for sizes in map(torch.tensor, cases):
        gradients = torch.ones(*sizes.shape, 2, dtype=torch.float64)
        for iteration in (250, 251, 10**5):
            _, found, case = batch_step(answers, gradients, sizes, iteration)
            expected = sizes.sum().item() / 2560
            assert math.isclose(found, expected, rel_tol=1e-6), f"{case}: your rate is {found:.6g}, expected {expected:.6g}"


@points(
    1,
    "large_batch_step",
    hint="Which part of five epochs is over? Where is the rate at their start, half-way, at their end?",
)
def test_large_batch_step_warms_up(answers):
    """From 0.1 to the full rate within five epochs, by the same amount at each step"""
    for images, per_epoch in [(1024, 50), (8192, 157), (512, 1), (300, 10), (256, 10)]:
        gradients, sizes = torch.ones(1, 1, 2, dtype=torch.float64), torch.tensor([[images]])
        for iteration in sorted({0, 1, 2, per_epoch, 3 * per_epoch + 1, 5 * per_epoch - 1}):
            _, found, case = batch_step(answers, gradients, sizes, iteration, per_epoch)
            part = min(iteration, 5 * per_epoch) / (5 * per_epoch)
            expected = (1 - part) * 0.1 + part * images / 2560
            assert math.isclose(found, expected, rel_tol=1e-6), f"{case}: your rate is {found:.6g}, expected {expected:.6g}"


# --------------------------------------------------------------------------------------------- 4. diagnose_run

FAULTS = {  # as they are called in the record: what diagnose_run is to return
    "healthy": "healthy",
    "rate too low": "rate too low",
    "rate too high": "rate too high",
    "gradients not zeroed": "gradients not zeroed",
    "step forgotten": "step forgotten",
    "labels shuffled": "labels shuffled",
    "images not standardised": "test differs",
    "statistics not updated": "test differs",
    "classes renumbered": "classes renumbered",
}
SHOWN = 2  # seeds in the notebook's figure; the others are for the tests


def compare_diagnoses(answers, *faults: str) -> None:
    runs = load_record("bugs").runs
    words = list(dict.fromkeys(FAULTS.values()))
    for fault in faults:
        for run in runs[fault][SHOWN:]:
            found = answers.diagnose_run(run.train_error, run.test_error)
            assert isinstance(found, str), f"one of eight answers is expected; yours returned {kind(found)}"
            assert found in words, f"one of the words {', '.join(words)} is expected; yours returned {found!r}"
            curves = [", ".join(f"{error:.0f}" for error in errors) for errors in (run.train_error, run.test_error)]
            assert found == FAULTS[fault], (
                f"a run with the training errors {curves[0]} % and the test errors {curves[1]} %: you call it {found!r}"
            )


@points(1, "diagnose_run", hint="Both kinds of runs learn, and err alike on both sets. Where is each of them after ten epochs?")
def test_diagnose_run_that_learns(answers):
    """A run without a fault, and one that goes too slowly"""
    compare_diagnoses(answers, "healthy", "rate too low")


@points(
    1,
    "diagnose_run",
    hint="None of the three learns. How far does the training error move in ten epochs, and what would move it?",
)
def test_diagnose_run_that_does_not_learn(answers):
    """Steps that are too large, steps that pile up, and no steps at all"""
    compare_diagnoses(answers, "rate too high", "gradients not zeroed", "step forgotten")


@points(1, "diagnose_run", hint="What can a network do about labels that have nothing to do with the images? What can it not?")
def test_diagnose_run_with_shuffled_labels(answers):
    """Labels of the training images that were shuffled"""
    compare_diagnoses(answers, "labels shuffled")


@points(1, "diagnose_run", hint="The training is in order. How often would somebody be wrong who guesses one of ten classes?")
def test_diagnose_run_with_a_wrong_test(answers):
    """A test that sees other images or another network, and one with other numbers for the classes"""
    compare_diagnoses(answers, "images not standardised", "statistics not updated", "classes renumbered")


# ---------------------------------------------------------------------------------------- 5. ResumableTraining

STEPS = 5  # to an epoch of 20 images


def pictures(number: int, count: int = 4 * STEPS) -> tuple[Tensor, Tensor]:
    labels = torch.randint(3, (count,), generator=values.generator(number + 1))
    return normal(number, count, 2, 6, 6), labels


def training(answers, net_seed: int, data: tuple[Tensor, Tensor], seed: int) -> Handle:
    found = answers.ResumableTraining.run(make, net_seed, *data, seed)
    assert isinstance(found, Handle), f"ResumableTraining(…) is expected to be a training; yours is {kind(found)}"
    return found


def interrupted(answers, number: int, before: int, after: int, images: int = 4 * STEPS):
    """(network at the stop, network loaded, network at the end without a stop, network at the end of the resumed run).

    The resumed run begins with other weights, another order of the images and some steps done.
    """
    data = pictures(number, images)
    first = training(answers, number, data, 10 + number)
    with telling(f"after {count(before)}"):
        stopped = first.run(advance, before)
    local = Reference(small_net(number), *data, 10 + number)
    for _ in range(before):
        local.step()
    for name, value in local.net.state_dict().items():
        right = torch.allclose(stopped[name].double(), value.double(), rtol=1e-3, atol=1e-3)
        assert right, f"after {count(before)} without a stop {name} is not what Training gives: leave Training as it is"
    with telling(f"state_dict() after {count(before)}"):
        state = first.run(save)
    assert isinstance(state, dict), f"state_dict(): a dictionary is expected; yours returned {kind(state)}"
    assert not contains_handle(state), "state_dict(): the dictionary holds something that is no plain value, such as a generator"
    second = training(answers, number + 50, data, 60 + number)
    second.run(advance, 2)
    with telling(f"load_state_dict(state) of a state after {count(before)}"):
        loaded = second.run(load, state)
    with telling(f"{count(after)} after loading a state"):
        return stopped, loaded, first.run(advance, after), second.run(advance, after)


def count(steps: int) -> str:
    return f"{steps} step{'s' if steps != 1 else ''}"


def contains_handle(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(contains_handle, value.values()))
    return any(map(contains_handle, value)) if isinstance(value, list | tuple) else isinstance(value, Handle)


WEIGHTS = [name for name, _ in small_net(0).named_parameters()]


def compare_weights(answers, number: int, before: int, after: int, **options) -> None:
    """Weights alone: statistics that were forgotten have a test of their own. To the bit, but for runs of one batch."""
    _, _, expected, found = interrupted(answers, number, before, after, **options)
    for name in WEIGHTS:
        one, other = found[name], expected[name]
        equal = torch.allclose(one.double(), other.double(), rtol=1e-3, atol=1e-4) if options else torch.equal(one, other)
        assert equal, f"stopped after {count(before)}: {count(after)} later {name} differs from a run without a stop"


@points(1, "ResumableTraining", hint="Batch normalisation keeps running averages, which are no parameters. Who lists them too?")
def test_resumable_training_has_the_network(answers):
    """The network is what it was: its weights, and the statistics of its batch normalisations"""
    for place, before in enumerate((0, 3, 7)):
        stopped, loaded, _, _ = interrupted(answers, 81 + place, before, 0)
        for name, value in stopped.items():
            equal = torch.equal(loaded[name], value)
            assert equal, f"stopped after {count(before)} and loaded: {name} is not what it was"


# With one batch of all images their order changes nothing but roundings.


@points(1, "ResumableTraining", hint="A step follows the momentum. What does Training keep for each weight?")
def test_resumable_training_keeps_the_momentum(answers):
    """The next step goes on with the momentum of the steps before"""
    for place, before in enumerate((1, 3)):
        compare_weights(answers, 86 + place, before, 1, images=4)


@points(1, "ResumableTraining", hint="The rate falls after step 9. What would tell a new training that nine steps are done?")
def test_resumable_training_keeps_the_rate(answers):
    """The rate goes on where it was, before and after it falls"""
    for place, before in enumerate((8, 12)):
        compare_weights(answers, 91 + place, before, 2, images=4)


@points(
    1,
    "ResumableTraining",
    hint="Which images come next is decided by the order of this epoch and the place in it. Who draws the order of the next?",
)
def test_resumable_training_keeps_the_order(answers):
    """The same images in the same order, in this epoch and in later ones, to the last bit"""
    for place, (before, after) in enumerate([(2, 2), (3, STEPS), (STEPS, 4), (7, 9), (11, 8)]):
        compare_weights(answers, 96 + place, before, after)


@points(1, "ResumableTraining", hint="v.mul_(0.9) and p.sub_(…) change tensors in place. Whose tensors are in the dictionary?")
def test_resumable_training_gives_copies(answers):
    """A state is a copy: later steps do not change it, neither where it was saved nor where it was loaded"""
    data = pictures(120)
    first = training(answers, 120, data, 7)
    first.run(advance, 3)
    state = first.run(save)
    assert isinstance(state, dict), f"state_dict(): a dictionary is expected; yours returned {kind(state)}"
    second = training(answers, 121, data, 8)
    for (before, after), when in (
        (first.run(save_and_advance, 4), "state_dict() change the dictionary that it gave"),
        (second.run(load_and_advance, state, 4), "load_state_dict(state) change the dictionary that was loaded"),
    ):
        moved = [place for place, value in before.items() if not same(value, after.get(place))]
        assert not moved, f"steps after {when}: {moved[0]} is another"


def same(one: object, other: object) -> bool:
    return isinstance(other, Tensor) and torch.equal(one, other) if isinstance(one, Tensor) else one == other
