"""A training run by a recipe, from the first batch to the recorded result. It can be stopped at any moment, and goes on."""

import json
import math
import os
import platform
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from course_lib import models, results
from course_lib.data import Data
from course_lib.models import AuxiliaryScores, SqueezeExcitation, cross_entropy
from course_lib.scale.batches import Batches, centred
from course_lib.scale.recipe import Recipe
from course_lib.scale.several import Team, join
from course_lib.training import check_scores, evaluate, one_thread_each

RECORDED = Path(results.__file__).parent / "runs"
PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LOOK = 20  # steps between two looks at the loss on a GPU, which each look makes wait; a CPU is looked at after every step
WARM_UP_WINDOW = 20  # steps whose training error ends a warm-up
SAVE_EVERY = 60  # seconds


class Stopped(KeyboardInterrupt):
    """The run was stopped from outside, after a checkpoint; the same call goes on."""


@dataclass
class Curve:
    """What was seen after each pass over the training images, and at the end. Errors are in percent.

    ``train_loss`` and ``train_error`` are means over the batches since the entry before, taken in passing, on cropped and
    mirrored images; ``test_error`` is measured in evaluation mode; ``seconds`` count from the start, evaluation included.
    """

    iteration: list[int] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    train_error: list[float] = field(default_factory=list)
    test_error: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """A finished run, as its JSON file holds it.

    Args:
        epochs, full_epochs: passes over the data, and those of the recipe at its full length.
        threads: of the CPU, for each process.
        test_error: percent, of the last iterate.
        device, processes, threads, precision, compiled, versions, command: of the last call, if the run was stopped and went on.
        commit: of the last call too, at its start.
        images_per_second: of all processes in training, compiling included, evaluation and checkpoints aside.
    """

    model: str
    options: dict[str, Any]
    parameters: int
    data: str
    training_images: int
    recipe: dict[str, Any]
    epochs: float
    full_epochs: float
    seed: int
    device: str
    processes: int
    threads: int
    precision: str
    compiled: bool
    versions: dict[str, str]
    commit: str
    command: str
    test_error: float
    seconds: float
    images_per_second: float
    curve: Curve


@dataclass
class State:
    """Where a run is, beside its weights: with them all that it needs to go on."""

    iteration: int = 0
    warm: bool = False  # whether the warm-up is over
    window: tuple[float, int] = (0.0, 0)  # mistakes and steps since the warm-up was last looked at
    since: tuple[float, float, int] = (0.0, 0.0, 0)  # loss, mistakes and steps since the curve's last entry
    seconds: float = 0.0
    training_seconds: float = 0.0
    curve: Curve = field(default_factory=Curve)


def train(
    model: str,
    data: Data,
    recipe: Recipe,
    *,
    epochs: float | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    precision: str = "float32",
    compiled: bool | None = None,
    folder: str | Path = "runs",
    command: str = "",
    say: Callable[[str, bool], None] = lambda line, ends: None,
) -> Result:
    """Train a network of the course by a recipe; in processes that ``torchrun`` started, as one of several.

    The run lives in a folder of its own within ``folder``: a checkpoint every minute and when it is stopped (Ctrl+C, SIGTERM),
    and ``result.json`` at the end. The same call goes on where the run was stopped and gives what it would have
    given without; for a finished run it gives the recorded result. On a CPU a process takes one core, unless OMP_NUM_THREADS says
    otherwise: small networks gain little from several, and lose much where others are at work.

    Args:
        model: a name that ``models.entry`` knows: "cifar-resnet-20", or "resnet20" for short.
        epochs: for a shortened run: the recipe's schedule in so many passes over the data.
        options: for the network's function, such as ``{"shortcut": "C"}``.
        seed: of the weights, and of order, crops and mirroring.
        device: as for ``pick_device``; with several processes each takes the GPU of its number.
        precision: "float32", or "bf16" or "fp16" for the layers that bear it (autocast); weights and losses stay float32.
        compiled: one compiled step (``torch.compile``; on a GPU a CUDA graph). Without a value: where one GPU trains.
        command: kept in the result as what made it.
        say: gets a line of progress, and whether it is the last one of a pass.
    Raises:
        ValueError: if a name or value is unknown or does not fit, or the run's folder holds another run.
        OSError: if the folder cannot be written.
        FloatingPointError: if the loss stops being a number.
        MemoryError: if the device has not enough memory.
        ConnectionError: if one of several processes has ended.
        Stopped: when stopped from outside.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r} is unknown; use {', '.join(PRECISIONS)}")
    if seed < 0:
        raise ValueError(f"seed={seed} must be 0 or more")
    name, options, full = models.entry(model).name, dict(options or {}), recipe.epochs(len(data.x_train))
    if epochs is not None:
        recipe = recipe.shortened(epochs, len(data.x_train))
    # What a run that goes on must agree in. Device, precision and processes may change: a run may move to another machine.
    identity = {
        "model": name,
        "options": options,
        "data": f"{data!r}: {fingerprint(data.x_train, data.y_train)}; {fingerprint(data.x_test, data.y_test)}",
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "seed": seed,
    }
    label = "-".join([name, *(f"{option}={value}" for option, value in options.items()), recipe.name, data.name, f"seed{seed}"])
    place = Path(folder) / (label if epochs is None else f"{label}-{epochs:g}-epochs")
    with join(device) as team, memory_named(recipe, team), cores_of(team):
        one_gpu = team.device.type == "cuda" and team.processes == 1
        trainer = Trainer(identity, data, recipe, team, precision, one_gpu if compiled is None else compiled, place)
        trained = trainer.run(say)
        found = place / "result.json"
        if team.leads and (trained or not found.exists()):
            write_beside(found, lambda path: path.write_text(json_of(trainer.result(full, command)), encoding="utf-8"))
        return result_of(json.loads(team.from_leader(team.leads and found.read_text(encoding="utf-8"))))


class Trainer:
    """The network, its optimiser and its batches on this process's device, and the folder of the run."""

    def __init__(self, identity: dict, data: Data, recipe: Recipe, team: Team, precision: str, compiled: bool, folder: Path):
        if compiled and team.processes > 1:
            raise ValueError(f"a compiled step works with one process, and this run has {team.processes}; leave it out")
        self.identity, self.data, self.recipe, self.team, self.folder = identity, data, recipe, team, folder
        self.precision, self.compiled, self.commit = precision, compiled, commit()
        torch.manual_seed(identity["seed"])
        self.net = build(identity["model"], data, identity["options"]).to(team.device)
        self.optimiser = torch.optim.SGD(
            self.net.parameters(),
            lr=recipe.rate[0][1],
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
            # Where the scaler of fp16 skips the first step, PyTorch's fused SGD goes on with a momentum that it never wrote.
            fused=team.device.type == "cuda" and precision != "fp16",
        )
        self.scaler = torch.amp.GradScaler(team.device.type, enabled=precision == "fp16")
        self.state = self.load()
        self.batches = Batches(data, recipe, identity["seed"], team.device, (team.rank, team.processes))
        self.x_test = centred(data.x_test, data, recipe).to(team.device)
        self.spread = team.spread(self.net)
        self.losses = (
            torch.compile(self.judged, mode="reduce-overhead" if team.device.type == "cuda" else None)
            if compiled
            else self.judged
        )
        self.draws = any(isinstance(layer, _DropoutNd) for layer in self.net.modules())
        warm_up = recipe.warm_up
        self.warm_up = warm_up if warm_up and depth(self.net) >= warm_up.from_depth else None

    # ----------------------------------------------------------------------------------------------------------- the steps

    def judged(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss of a batch, and the number of its images that got a wrong class."""
        with torch.autocast(self.team.device.type, PRECISIONS[self.precision], enabled=self.precision != "float32"):
            output = self.spread(images)
            loss = cross_entropy(output, labels, self.recipe.label_smoothing)
        scores = output.scores if isinstance(output, AuxiliaryScores) else output
        check_scores(scores, len(images), self.data)
        return loss, (scores.argmax(1) != labels).sum()

    def steps(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Steps ``first`` to ``last`` - 1; the sums of their losses and of their mistakes, of this process alone."""
        losses = mistakes = torch.zeros((), device=self.team.device)
        for iteration in range(first, last):
            rate = self.rate(iteration)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            if self.draws:  # dropout draws by the place in the run alone, so that a run can go on anywhere
                torch.manual_seed(hash((self.identity["seed"], iteration, self.team.rank)) % 2**32)
            if self.compiled:
                torch.compiler.cudagraph_mark_step_begin()
            loss, wrong = self.losses(*self.batches(iteration))
            self.optimiser.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimiser)
            self.scaler.update()
            losses, mistakes = losses + loss.detach(), mistakes + wrong
        return losses, mistakes

    def rate(self, iteration: int) -> float:
        if self.warm_up and not self.state.warm:
            return self.warm_up.rate
        return self.recipe.rate_at(iteration, len(self.data.x_train))

    # ------------------------------------------------------------------------------------------------------------- the run

    def run(self, say: Callable[[str, bool], None]) -> bool:
        """From where the run is to its end; whether any step was left. Every look adds up what all processes saw."""
        state, size, count = self.state, self.recipe.batch_size, len(self.data.x_train)
        total = self.recipe.iterations(count)
        every = LOOK if self.team.device.type == "cuda" else 1
        start, saved = time.perf_counter() - state.seconds, time.perf_counter()
        begun = state.iteration
        if self.team.leads:
            self.folder.mkdir(parents=True, exist_ok=True)  # if it cannot be made, better now than after a minute
        self.net.train()
        with stop_asked() as asked:
            while state.iteration < total:
                first, before = state.iteration, time.perf_counter()
                pass_ends = math.ceil((first * size // count + 1) * count / size)  # the step that completes this pass
                last = min(first + every, pass_ends, total)
                losses, mistakes = self.steps(first, last)
                loss, wrong, stop = self.team.total(losses / self.team.processes, mistakes, asked.is_set())
                if not math.isfinite(loss):
                    raise FloatingPointError(
                        f"the loss stopped being a number by iteration {last} at rate {self.rate(first):g}; a copy of recipe "
                        f"{self.recipe.name} with a lower rate or a warm-up may train this network"
                    )
                state.iteration = last
                state.training_seconds += time.perf_counter() - before
                state.since = (state.since[0] + loss, state.since[1] + wrong, state.since[2] + last - first)
                rate = self.rate(last - 1)
                self.look_at_warm_up(wrong, last - first)
                ends = last in (pass_ends, total)
                if ends:
                    self.record(rate, start)
                state.seconds = time.perf_counter() - start
                if self.team.leads:
                    say(self.line(total), ends)
                if stop or last == total or time.perf_counter() - saved > SAVE_EVERY:
                    self.save()
                    saved = time.perf_counter()
                if stop and last < total:
                    raise Stopped(f"stopped after iteration {last} of {total}; the same command goes on from there")
        return begun < total

    def look_at_warm_up(self, wrong: float, steps: int) -> None:
        state = self.state
        state.window = (state.window[0] + wrong, state.window[1] + steps)
        if self.warm_up and not state.warm and state.window[1] >= WARM_UP_WINDOW:
            error = 100 * state.window[0] / (state.window[1] * self.recipe.batch_size)
            state.warm, state.window = error < self.warm_up.until_train_error, (0.0, 0)

    def record(self, rate: float, start: float) -> None:
        """An entry of the curve, with the last step's rate and the test error: each process judges its share of the images."""
        state, team = self.state, self.team
        mine = slice(team.rank, None, team.processes)
        labels = self.data.y_test[mine]
        wrong = evaluate(self.net, self.x_test[mine], labels, batch_size=1000) * len(labels) / 100
        wrong, images = team.total(wrong, len(labels))
        loss, mistakes, steps = state.since
        entry = {
            "iteration": state.iteration,
            "rate": rate,
            "train_loss": loss / steps,
            "train_error": 100 * mistakes / (steps * self.recipe.batch_size),
            "test_error": 100 * wrong / images,
            "seconds": time.perf_counter() - start,
        }
        for name, value in entry.items():
            getattr(state.curve, name).append(value)
        state.since = (0.0, 0.0, 0)

    def line(self, total: int) -> str:
        """Progress in one line: how far, the training error of this pass, how fast, how long it will take."""
        state, size = self.state, self.recipe.batch_size
        passes, all_passes = (steps * size / len(self.data.x_train) for steps in (state.iteration, total))
        error = 100 * state.since[1] / (state.since[2] * size) if state.since[2] else state.curve.train_error[-1]
        tested = f", test error {state.curve.test_error[-1]:.2f} %" if not state.since[2] else ""
        left = state.seconds / state.iteration * (total - state.iteration)
        speed = state.iteration * size / state.training_seconds
        done = f"epoch {passes:.1f} of {all_passes:.1f}, training error {error:.1f} %{tested}"
        return f"{done}; {speed:,.0f} images/s, {minutes(left)} left"

    # ------------------------------------------------------------------------------------------------------ what is written

    def load(self) -> State:
        """The state of the run's checkpoint, its weights put in place; a fresh state if there is none."""
        path, stored = self.folder / "checkpoint.pt", None
        if self.team.leads and path.is_file():
            try:
                stored = torch.load(path, map_location="cpu", weights_only=True)
            except Exception as error:
                raise ValueError(f"{path} cannot be read ({error}); remove it to begin the run again") from error
        stored = self.team.from_leader(stored)
        if stored is None:
            return State()
        differs = [what for what, value in self.identity.items() if stored["identity"].get(what) != value]
        if differs:
            raise ValueError(
                f"{self.folder} holds a run with another {' and '.join(differs)}; choose another folder, or remove this one"
            )
        self.net.load_state_dict(stored["net"])
        fused = self.optimiser.defaults["fused"]
        self.optimiser.load_state_dict(stored["optimiser"])
        for group in self.optimiser.param_groups:
            group["fused"] = fused  # as this device and precision want it, and not those of the run before
        if stored["scaler"]:  # empty, if the run before was none of fp16
            self.scaler.load_state_dict(stored["scaler"])
        return State(**{**stored["state"], "curve": Curve(**stored["state"]["curve"])})

    def save(self) -> None:
        """Write the checkpoint beside the old one, then put it in its place."""
        if not self.team.leads:
            return
        stored = {
            "identity": self.identity,
            "state": asdict(self.state),
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        write_beside(self.folder / "checkpoint.pt", lambda path: torch.save(stored, path))

    def result(self, full_epochs: float, command: str) -> Result:
        state, count = self.state, len(self.data.x_train)
        return Result(
            model=self.identity["model"],
            options=self.identity["options"],
            parameters=sum(weight.numel() for weight in self.net.parameters()),
            data=self.data.name,
            training_images=count,
            recipe=self.identity["recipe"],
            epochs=self.recipe.epochs(count),
            full_epochs=full_epochs,
            seed=self.identity["seed"],
            device=device_name(self.team.device),
            processes=self.team.processes,
            threads=torch.get_num_threads(),
            precision=self.precision,
            compiled=self.compiled,
            versions={"python": platform.python_version(), "torch": torch.__version__, "torchvision": torchvision.__version__},
            commit=self.commit,
            command=command,
            test_error=state.curve.test_error[-1],
            seconds=state.seconds,
            images_per_second=state.iteration * self.recipe.batch_size / state.training_seconds,
            curve=state.curve,
        )


def json_of(result: Result) -> str:
    """A result as JSON, a line for each value, numbers to six digits."""
    rounded = json.loads(json.dumps(asdict(result)), parse_float=lambda digits: float(f"{float(digits):.6g}"))
    curve = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in rounded.pop("curve").items())
    lines = [f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in rounded.items()]
    return "{\n" + ",\n".join(lines) + ',\n "curve": {\n' + curve + "\n }\n}\n"


def recorded(data: str, recipe: str) -> dict[str, list[Result]]:
    """The runs by a recipe that come with the package: network and options, "cifar-resnet-56 shortcut=C" → a run for each seed.

    Of a network that was trained for several lengths only the longest runs are given.

    Raises:
        ValueError: if there is none by that recipe on that data set.
    """
    stored = [result_of(json.loads(file.read_text(encoding="utf-8"))) for file in sorted(RECORDED.glob("*.json"))]
    runs: dict[str, list[Result]] = {}
    for result in sorted(stored, key=lambda result: result.seed):
        if (result.data, result.recipe["name"]) == (data, recipe):
            name = " ".join([result.model, *(f"{option}={value}" for option, value in result.options.items())])
            runs.setdefault(name, []).append(result)
    for name, seeds in runs.items():
        longest = max(run.epochs for run in seeds)
        runs[name] = [run for run in seeds if run.epochs == longest]
    if not runs:
        known = ", ".join(sorted({f"{one.recipe['name']} on {one.data}" for one in stored})) or "none"
        raise ValueError(f"no recorded run by the recipe {recipe!r} on {data!r}; there are runs by: {known}")
    return runs


def result_of(stored: Mapping[str, Any]) -> Result:
    """A result from what its JSON file holds."""
    return Result(**{**stored, "curve": Curve(**stored["curve"])})


def fingerprint(images: Tensor, labels: Tensor) -> str:
    """What tells this data from other data of its name and shape, and is the same with any number of threads."""
    places = torch.arange(1, len(labels) + 1)
    some = images[:: 1 + len(images) // 1000]
    return f"pixels {some.double().abs().sum():.3e}, labels {int((labels * places).sum())}"


def write_beside(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file under another name and rename it: whoever reads it finds the old one or the new one, and never a half."""
    beside = path.with_name(path.name + ".part")
    write(beside)
    os.replace(beside, path)


def build(model: str, data: Data, options: Mapping[str, Any]) -> nn.Module:
    """The network for this data; an option that it does not have is a ValueError."""
    try:
        return models.create(model, data.num_classes, data.in_channels, **options)
    except TypeError as error:
        raise ValueError(f"{model} cannot be built with {', '.join(options)}: {error}") from error


def depth(net: nn.Module) -> int:
    """Layers with weights between image and scores, but for projections of shortcuts and gates, which stand beside the way.

    This is the depth of a network without parallel branches; of those (inception) it counts the layers of all.
    """
    aside = tuple(name for name, layer in net.named_modules() if isinstance(layer, SqueezeExcitation))
    weighted = (name for name, layer in net.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear)))
    return sum(1 for name in weighted if "shortcut" not in name.split(".") and not name.startswith(aside))


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} CPU cores, {platform.machine()}" if device.type == "cpu" else str(device)


def commit() -> str:
    """The commit of this package's checkout, and whether files have changed since; empty where it is no checkout."""
    git = ["git", "-C", str(Path(__file__).parents[1])]  # of the whole package: networks and data decide a run too
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", "__init__.py"], check=True, capture_output=True)
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "."], capture_output=True).returncode
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + (" with changes" if changed else "")


def minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """An event that the first Ctrl+C or SIGTERM sets; a second one stops at once."""
    asked, before = threading.Event(), {}

    def handle(number, frame):
        signal.signal(number, before[number])
        asked.set()

    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def cores_of(team: Team):
    """What limits this process to one core while it trains on a CPU, if nobody has chosen."""
    return one_thread_each() if team.device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ else nullcontext()


@contextmanager
def memory_named(recipe: Recipe, team: Team) -> Iterator[None]:
    """Within this block, too little memory is an error with a remedy."""
    try:
        yield
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        share = recipe.batch_size // team.processes
        raise MemoryError(
            f"{device_name(team.device)} has not enough memory for {share} images at a time; spread the batch over more devices "
            "(torchrun --nproc-per-node=N), take precision bf16, or a smaller batch in a copy of the recipe"
        ) from error
