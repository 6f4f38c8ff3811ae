"""The one training loop of the course: fit a network, evaluate it, repeat over seeds."""

import os
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from course_lib.data import Data
from course_lib.models import AuxiliaryScores, cross_entropy

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Run:
    """One training run. The lists hold one entry per epoch; errors are in percent.

    ``train_error`` and ``train_loss`` are averages over the batches of an epoch, taken in passing, before each step.
    ``test_error`` is measured in evaluation mode after each epoch.
    """

    model: nn.Module
    seed: int
    train_loss: list[float]
    train_error: list[float]
    test_error: list[float]
    seconds: float


@dataclass(frozen=True)
class Summary:
    """A number over several seeds: mean ± sample standard deviation."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return mean(self.values)

    @property
    def std(self) -> float:
        return stdev(self.values) if len(self.values) > 1 else 0.0

    def clearly_above(self, other: "Summary") -> bool:
        """Whether every seed here is worse than every seed there, and the means are further apart than both spreads together."""
        return min(self.values) > max(other.values) and self.mean - other.mean > self.std + other.std

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {self.std:.1f}"


def fit(
    model: nn.Module,
    data: Data,
    *,
    epochs: int = 8,
    lr: float = 0.02,
    batch_size: int = 64,
    momentum: float = 0.9,
    weight_decay: float = 1e-4,
    label_smoothing: float = 0.0,
    seed: int = 0,
    device: str | torch.device | None = None,
    progress: "Progress | None" = None,
    label: str = "",
) -> Run:
    """Train with stochastic gradient descent and a constant learning rate; the model is changed in place.

    The last incomplete batch of an epoch is left out: batch normalisation over a handful of images harms more than it teaches.

    Args:
        model: from images (N, C, H, W) to class scores (N, K) with K ≥ ``data.num_classes``. Auxiliary classifiers
            (``AuxiliaryScores``) add their weighted losses.
        epochs: passes over the training images.
        label_smoothing: part of each label that is spread over all classes (Szegedy et al. 2016, section 7: 0.1).
        seed: order of the images. The weights are the caller's: seed them before building the model (``fit_seeds`` does both).
        device: "cpu", "cuda", "mps", …; without it the best that this machine has.
        progress: where to show how far the run is; without it a line of its own.
        label: what that line calls this run.
    Raises:
        ValueError: if ``epochs``, ``lr`` or ``batch_size`` is not positive, a batch is larger than the data, or the model gives
            other than (N, K) scores.
        FloatingPointError: if the loss stops being a number.
    """
    check_positive(epochs=epochs, lr=lr, batch_size=batch_size)
    if batch_size > len(data.x_train):
        raise ValueError(f"batch_size={batch_size} is more than the {len(data.x_train)} training images of {data.name}")
    device = pick_device(device)
    progress = progress or Progress(epochs)
    start = time.perf_counter()
    model.to(device, memory_format=torch.channels_last)
    x_train, y_train = data.x_train.to(device), data.y_train.to(device)
    optimiser = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, weight_decay=weight_decay)
    order = torch.Generator().manual_seed(seed)
    losses, train_errors, test_errors = [], [], []
    for epoch in range(epochs):
        model.train()
        shuffled = torch.randperm(len(x_train), generator=order).to(device)
        batches = shuffled.split(batch_size)[: len(x_train) // batch_size]
        loss_sum = wrong = torch.zeros((), device=device)
        for batch in batches:
            output = model(x_train[batch].contiguous(memory_format=torch.channels_last))
            scores = output.scores if isinstance(output, AuxiliaryScores) else output
            check_scores(scores, len(batch), data)
            loss = cross_entropy(output, y_train[batch], label_smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss_sum = loss_sum + loss.detach()
            wrong = wrong + (scores.argmax(1) != y_train[batch]).sum()
        losses.append(loss_sum.item() / len(batches))
        if losses[-1] != losses[-1]:
            raise FloatingPointError(f"the loss became NaN in epoch {epoch + 1}; lower the learning rate (lr={lr})")
        train_errors.append(100 * wrong.item() / (len(batches) * batch_size))
        test_errors.append(evaluate(model, data.x_test, data.y_test))
        progress.step(f"{label} training error {train_errors[-1]:.1f} %".strip())
    return Run(model, seed, losses, train_errors, test_errors, time.perf_counter() - start)


def fit_seeds(
    networks: Mapping[Name, Callable[[], nn.Module]], data: Data, seeds: Sequence[int] = (0, 1, 2), **options
) -> dict[Name, list[Run]]:
    """Train every network once per seed; a seed sets the weights and the order of the images.

    On a CPU the runs go side by side, one core each: small networks gain little from several cores.

    Args:
        networks: by name, what builds a fresh network, for example ``{"plain-20": partial(plain_net, 20)}``.
        options: for ``fit``.
    Returns:
        The runs of each network, in the order of the seeds.
    Raises:
        ValueError: if there is no network or no seed, or as ``fit`` does.
    """
    if not networks or not seeds:
        raise ValueError(f"{'seeds' if networks else 'networks'} is empty; pass one at least, and three seeds for a spread")
    device = pick_device(options.pop("device", None))
    progress = Progress(len(networks) * len(seeds) * options.get("epochs", 8))
    jobs = []
    for name, build in networks.items():
        for seed in seeds:
            torch.manual_seed(seed)
            jobs.append((name, seed, build()))

    def run(job: tuple[Name, int, nn.Module]) -> Run:
        name, seed, model = job
        return fit(model, data, seed=seed, device=device, progress=progress, label=f"{name}, seed {seed}", **options)

    # Dropout draws from the one random stream of the process, which runs side by side would share in no fixed order.
    shared_stream = any(isinstance(layer, _DropoutNd) for _, _, model in jobs for layer in model.modules())
    workers = 1 if device.type != "cpu" or shared_stream else os.cpu_count()
    jobs.sort(key=lambda job: -sum(1 for _ in job[2].modules()))  # the longest first, so that no core waits at the end
    if workers == 1:
        runs = [run(job) for job in jobs]
    else:
        with one_thread_each(), ThreadPoolExecutor(workers) as pool:
            runs = list(pool.map(run, jobs))
    done = {(name, seed): run for (name, seed, _), run in zip(jobs, runs, strict=True)}
    return {name: [done[name, seed] for seed in seeds] for name in networks}


class one_thread_each:
    """Within this block every PyTorch operation uses one core, so that runs side by side do not wait for each other."""

    def __enter__(self):
        self.before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *exception):
        torch.set_num_threads(self.before)


def summarise(runs: Sequence[Run], what: str = "train_error") -> Summary:
    """The last epoch's ``train_error``, ``test_error`` or ``train_loss``, or ``seconds``, over the seeds."""
    values = [getattr(run, what) for run in runs]
    return Summary(tuple(value[-1] if isinstance(value, list) else value for value in values))


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 256) -> float:
    """Error in percent on images (N, C, H, W) with labels (N,), in evaluation mode; the model's mode is restored."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    wrong = 0
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        x = x.to(device, memory_format=torch.channels_last)
        wrong += (model(x).argmax(1) != y.to(device)).sum().item()
    model.train(was_training)
    return 100 * wrong / len(images)


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, or the best of this machine: CUDA, then Apple's MPS, then the CPU.

    Raises:
        ValueError: if the device asked for is unknown, or not on this machine.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device is None:
        return torch.device(next(name for name, here in available.items() if here))
    try:
        chosen = torch.device(device)
        here = available.get(chosen.type, True)
    except RuntimeError:
        here = False
    if not here:
        raise ValueError(
            f"device={str(device)!r} is not on this machine; it has {', '.join(n for n, h in available.items() if h)}"
        )
    return chosen


def check_positive(**values: float) -> None:
    """Raise a ValueError that names the first argument that is not above zero."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name}={value} must be greater than 0")


def check_scores(scores: Tensor, images: int, data: Data) -> None:
    """Raise a ValueError unless the scores are (images, K) with a column for every class."""
    if scores.ndim != 2 or scores.shape[0] != images or scores.shape[1] < data.num_classes:
        raise ValueError(
            f"the model gave scores of shape {tuple(scores.shape)}, expected ({images}, {data.num_classes}) for "
            f"{data.name}; build it with num_classes={data.num_classes}"
        )


class Progress:
    """One line that rewrites itself: epochs done, the latest number, time left. Silent where nobody watches.

    It shows in a terminal and in a live notebook; ``COURSE_LIB_PROGRESS=0`` in the environment turns it off.
    """

    def __init__(self, total: int):
        self.total, self.done, self.start = total, 0, time.perf_counter()
        watched = sys.stdout.isatty() or "ipykernel" in sys.modules
        self.shown = watched and os.environ.get("COURSE_LIB_PROGRESS", "1") != "0"

    def step(self, latest: str) -> None:
        self.done += 1
        if not self.shown:
            return
        left = (time.perf_counter() - self.start) / self.done * (self.total - self.done)
        line = f"epoch {self.done} of {self.total}, {left:.0f} s left; {latest}"
        print("\r" + (line.ljust(78) if self.done < self.total else 78 * " " + "\r"), end="", flush=True)
