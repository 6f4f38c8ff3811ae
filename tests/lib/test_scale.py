"""Training at scale: recipes say what the papers say, the fast way is the plain way, and a run survives being stopped."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from course_lib import cli, models, scale
from course_lib.data import load_data
from course_lib.scale import load_recipe, run, several, train
from course_lib.scale.batches import Batches, centred
from course_lib.scale.curves import error_curves
from course_lib.scale.recipe import recipe_of
from course_lib.scale.several import Team

CPU = torch.device("cpu")
DIGITS = load_data("digits")
SHORT = replace(load_recipe("fast"), length=16, unit="iterations", rate=((0, 0.02), (16, 0.02)), batch_size=32)
SHORT = replace(SHORT, label_smoothing=0.1, flip=True)
ANY = replace(DIGITS, name="any")  # digits under a name whose images may be mirrored
go = partial(train, "resnet20", DIGITS, recipe=SHORT, device="cpu")


# -------------------------------------------------------------------------------------------------------------- recipes


def test_he_2015_is_trained_as_section_4_2_says():
    recipe = load_recipe("he2015-cifar")
    assert recipe.iterations(50_000) == 64_000 and recipe.epochs(50_000) == 163.84
    rates = {at: recipe.rate_at(at, 50_000) for at in (0, 31_999, 32_000, 47_999, 48_000, 63_999)}
    assert rates == {0: 0.1, 31_999: 0.1, 32_000: 0.01, 47_999: 0.01, 48_000: 0.001, 63_999: 0.001}
    assert (recipe.batch_size, recipe.momentum, recipe.weight_decay, recipe.pad, recipe.flip) == (128, 0.9, 1e-4, 4, True)
    assert asdict(recipe.warm_up) == {"rate": 0.01, "until_train_error": 80, "from_depth": 110}
    assert recipe.centre == "pixel" and recipe.label_smoothing == 0 and not recipe.nesterov


def test_resnext_is_trained_300_epochs():
    recipe = load_recipe("resnext-cifar")
    steps = recipe.iterations(50_000)
    assert steps == round(300 * 50_000 / 128) and recipe.weight_decay == 5e-4
    assert [recipe.rate_at(int(part * steps), 50_000) for part in (0.49, 0.51, 0.74, 0.76)] == [0.1, 0.01, 0.01, 0.001]


def test_a_shortened_run_keeps_the_form_of_its_schedule():
    recipe = load_recipe("he2015-cifar").shortened(2, 50_000)
    assert recipe.iterations(50_000) == 781 and recipe.epochs(50_000) == pytest.approx(2)
    assert [recipe.rate_at(at, 50_000) for at in (390, 391, 585, 586)] == [0.1, 0.01, 0.01, 0.001]


def test_lines_between_rates_are_straight():
    recipe = replace(load_recipe("fast"), unit="iterations", length=40, rate=((0, 0.0), (10, 0.2), (40, 0.0)))
    assert [recipe.rate_at(at, 1) for at in (0, 5, 10, 25, 40, 99)] == pytest.approx([0, 0.1, 0.2, 0.1, 0, 0])


def test_the_depth_that_a_warm_up_asks_for_is_the_papers():
    names = {"cifar-resnet-110": 110, "cifar-plain-56": 56, "cifar-se-resnet-56": 56, "cifar-preact-resnet-164": 164}
    assert {name: run.depth(models.create(name)) for name in names} == names
    assert run.depth(models.create("cifar-resnet-20", shortcut="C")) == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": "minutes"}, "unit='minutes'"),
        ({"rate": [[5, 0.1]]}, "the first at 0"),
        ({"rate": []}, "the first at 0"),
        ({"rate": [[0, 0.1], [0, 0.2]]}, "rising"),
        ({"rate": 0.1}, "fast"),
        ({"length": 0}, "length=0"),
        ({"batch_size": 1.5}, "a whole number"),
        ({"batch_size": "many"}, "batch_size='many': expected a number"),
        ({"length": "12"}, "length='12': expected a number"),
        ({"length": float("inf")}, "length=inf: expected a number"),
        ({"flip": "false"}, "flip='false': expected true or false"),
        ({"nesterov": "no"}, "nesterov='no': expected true or false"),
        ({"warm_up": {"rate": "low", "until_train_error": 80, "from_depth": 110}}, "expected null, or three numbers"),
        ({"momentum": 1}, "momentum=1"),
        ({"warm_up": {"rate": 0.1}}, "until_train_error"),
        ({"speed": 1}, "unknown ['speed']"),
    ],
)
def test_a_senseless_recipe_is_refused_with_the_value(change, message):
    stored = json.loads((Path(scale.__file__).parent / "recipes" / "fast.json").read_text())
    with pytest.raises(ValueError) as caught:
        recipe_of("fast", {**stored, **change})
    assert message in str(caught.value)


def test_an_unknown_recipe_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match="fast, he2015-cifar, resnext-cifar, se-cifar"):
        load_recipe("quick")
    (tmp_path / "mine.json").write_text("{")
    with pytest.raises(ValueError, match="mine.json is not JSON"):
        load_recipe(tmp_path / "mine.json")


# -------------------------------------------------------------------------------------------------------------- batches


def by_hand(image, shift, mirrored, pad):
    """Crop and mirror one image (C, H, W), step by step."""
    height, width = image.shape[1:]
    padded = F.pad(image, (pad,) * 4)
    cut = padded[:, shift[0] : shift[0] + height, shift[1] : shift[1] + width]
    return cut.flip(2) if mirrored else cut


def test_crops_and_mirrors_are_those_of_one_image_at_a_time():
    batches = Batches(ANY, SHORT, 3, CPU)
    images, labels = batches(0)
    order, shift, mirror = batches.epoch(0)
    assert batches.pad == 1 and 8 < mirror[:32].sum() < 24 and shift.max() == 2
    for place in range(32):
        expected = by_hand(ANY.x_train[order[place]], shift[place], mirror[place], 1)
        assert torch.equal(images[place], expected) and labels[place] == ANY.y_train[order[place]]


def test_digits_are_not_mirrored():
    assert not Batches(DIGITS, SHORT, 0, CPU).epoch(0)[2].any()


def test_every_pass_takes_every_image_once_and_batches_run_on_over_its_end():
    data = replace(ANY, x_train=torch.arange(50.0)[:, None, None, None].expand(50, 1, 8, 8), y_train=torch.arange(50))
    batches = Batches(data, replace(SHORT, batch_size=20), 0, CPU)
    seen = torch.cat([batches(i)[1] for i in range(5)])
    assert seen[:50].sort().values.tolist() == seen[50:].sort().values.tolist() == list(range(50))
    assert seen[:50].tolist() != seen[50:].tolist()


def test_a_batch_depends_on_its_number_alone_and_shares_make_up_the_whole():
    whole = Batches(ANY, SHORT, 0, CPU)
    images, labels = whole(41)  # its images are of two passes
    again = Batches(ANY, SHORT, 0, CPU)
    assert torch.equal(again(41)[0], images) and torch.equal(whole(41)[0], images)
    assert torch.equal(again(400)[0], Batches(ANY, SHORT, 0, CPU)(400)[0])
    parts = [Batches(ANY, SHORT, 0, CPU, (rank, 2))(41) for rank in range(2)]
    assert torch.equal(torch.cat([part[0] for part in parts]), images)
    assert torch.equal(torch.cat([part[1] for part in parts]), labels)


def test_a_pixel_mean_leaves_every_pixel_with_mean_zero():
    train_images, test_images = (centred(x, DIGITS, replace(SHORT, centre="pixel")) for x in (DIGITS.x_train, DIGITS.x_test))
    assert train_images.mean(0).abs().max() < 1e-5 < test_images.mean(0).abs().max()


# -------------------------------------------------------------------------------------------------------- the plain way


def plain_losses(steps):
    """Losses and mistakes of a loop as a textbook writes it, on the same draws."""
    torch.manual_seed(0)
    net = models.create("cifar-resnet-20", 10, 1)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4, nesterov=True)
    draws = Batches(DIGITS, SHORT, 0, CPU)
    losses, mistakes = [], []
    for step in range(steps):
        places = [divmod(step * 32 + i, 1347) for i in range(32)]
        rows = [(draws.epoch(epoch), place) for epoch, place in places]
        x = torch.stack([by_hand(DIGITS.x_train[o[p]], s[p], m[p], 1) for (o, s, m), p in rows])
        y = torch.stack([DIGITS.y_train[o[p]] for (o, _, _), p in rows])
        scores = net(x)
        loss = F.cross_entropy(scores, y, label_smoothing=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        mistakes.append((scores.argmax(1) != y).sum().item())
    return losses, mistakes


def trainer(tmp_path, compiled=False, precision="float32"):
    identity = {"model": "cifar-resnet-20", "options": {}, "seed": 0}
    found = run.Trainer(identity, DIGITS, SHORT, Team(0, 1, CPU), precision, compiled, tmp_path)
    found.net.train()
    return found


def test_the_first_steps_are_those_of_a_plain_loop(tmp_path):
    losses, mistakes = plain_losses(5)
    fast = trainer(tmp_path)
    steps = [fast.steps(i, i + 1) for i in range(5)]
    assert [loss.item() for loss, _ in steps] == pytest.approx(losses, rel=1e-5)
    assert [wrong.item() for _, wrong in steps] == mistakes


@pytest.mark.slow
def test_a_compiled_step_is_the_same_step(tmp_path):
    losses, _ = plain_losses(4)
    fast = trainer(tmp_path, compiled=True)
    assert [fast.steps(i, i + 1)[0].item() for i in range(4)] == pytest.approx(losses, rel=1e-4)


def test_bf16_starts_with_the_same_loss_to_its_precision(tmp_path):
    losses, _ = plain_losses(1)
    assert trainer(tmp_path, precision="bf16").steps(0, 1)[0].item() == pytest.approx(losses[0], rel=0.02)


# ------------------------------------------------------------------------------------------------- stopped, and going on


def numbers(result):
    """Everything of a curve but the clock."""
    return {name: values for name, values in asdict(result.curve).items() if name != "seconds"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody stops: two passes in 84 steps."""
    return go(epochs=2, folder=tmp_path_factory.mktemp("whole"))


def stop_after(steps, lines):
    """What to pass as ``say``: asks for a stop as Ctrl+C does, once."""

    def say(line, ends):
        lines.append(line)
        if len(lines) == steps:
            signal.raise_signal(signal.SIGINT)

    return say


def test_a_stopped_run_goes_on_to_the_same_result(whole, tmp_path):
    lines = []
    with pytest.raises(scale.Stopped, match="stopped after iteration 31 of 84"):
        go(epochs=2, folder=tmp_path, say=stop_after(30, lines))
    result = go(epochs=2, folder=tmp_path, say=lambda line, ends: lines.append(line))
    assert numbers(result) == numbers(whole) and result.test_error == whole.test_error
    assert len(lines) == 30 + 1 + 84 - 31  # the step in which the stop was asked for was the last of the first call


@pytest.fixture
def with_dropout(monkeypatch):
    """In place of every network one that is quick and draws random numbers."""

    def build(*_):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 10))

    monkeypatch.setattr(run, "build", build)


@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_dropout_and_the_scale_of_half_precision_go_on_after_a_stop(precision, with_dropout, tmp_path):
    again = partial(go, precision=precision)
    first = again(folder=tmp_path / "whole")
    with pytest.raises(scale.Stopped):
        again(folder=tmp_path / "parts", say=stop_after(5, []))
    assert numbers(again(folder=tmp_path / "parts")) == numbers(first)
    one, two = (torch.load(path)["scaler"] for path in tmp_path.glob("*/*/checkpoint.pt"))
    assert one == two


def test_a_run_may_go_on_in_another_precision(with_dropout, tmp_path):
    for precision, before in (("fp16", "float32"), ("float32", "fp16")):
        with pytest.raises(scale.Stopped):
            go(precision=before, folder=tmp_path / before, say=stop_after(5, []))
        result = go(precision=precision, folder=tmp_path / before)
        assert result.precision == precision and result.curve.iteration == [16]


def test_a_finished_run_is_not_run_again(tmp_path):
    lines = []
    first = go(folder=tmp_path)
    assert go(folder=tmp_path, say=lambda line, ends: lines.append(line)) == first and not lines
    (checkpoint,) = tmp_path.glob("*/checkpoint.pt")
    checkpoint.unlink()  # as the error about a broken one says
    again = train("resnet20", DIGITS, replace(SHORT, momentum=0.8), device="cpu", folder=tmp_path)
    assert again.recipe["momentum"] == 0.8 and again.curve.train_loss != first.curve.train_loss


def test_a_result_says_what_made_it(whole):
    assert (whole.model, whole.data, whole.seed, whole.recipe["name"]) == ("cifar-resnet-20", "digits", 0, "fast")
    assert whole.parameters == 269_434 and whole.training_images == 1347 and whole.processes == 1
    assert whole.epochs == pytest.approx(2) and whole.full_epochs == pytest.approx(16 * 32 / 1347)
    assert whole.curve.iteration == [43, 84] and whole.test_error == whole.curve.test_error[-1]
    assert whole.curve.train_loss[-1] < whole.curve.train_loss[0] and whole.images_per_second > 0
    assert set(whole.versions) == {"python", "torch", "torchvision"} and whole.device.endswith(os.uname().machine)


def test_recorded_runs_are_found_by_network_and_options(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "RECORDED", tmp_path)
    for seed, options, epochs in ((1, {}, 2), (0, {}, 2), (0, {}, 1), (0, {"shortcut": "C"}, 1)):
        result = replace(whole, seed=seed, options=options, epochs=epochs)
        (tmp_path / f"{seed}{len(options)}{epochs}.json").write_text(run.json_of(result), encoding="utf-8")
    other = replace(whole, recipe={**whole.recipe, "name": "mine"}, epochs=3)  # a longer run by another recipe
    (tmp_path / "mine.json").write_text(run.json_of(other), encoding="utf-8")
    assert [len(found) for found in scale.recorded("digits", "mine").values()] == [1]
    runs = scale.recorded("digits", "fast")  # of each network the longest
    assert runs["cifar-resnet-20"][0].epochs == 2
    assert {name: [one.seed for one in found] for name, found in runs.items()} == {
        "cifar-resnet-20": [0, 1],
        "cifar-resnet-20 shortcut=C": [0],
    }
    assert runs["cifar-resnet-20"][0].curve.train_loss == pytest.approx(whole.curve.train_loss, rel=1e-5)
    with pytest.raises(ValueError, match="no recorded run by .* .fast. on .mnist.; there are runs by: fast on digits, mine"):
        scale.recorded("mnist", "fast")


def test_error_curves_show_every_seed_the_means_and_where_the_rate_falls(whole):
    recipe = {**whole.recipe, "between": "steps", "rate": [[0, 0.1], [8, 0.01]]}
    seeds = [replace(whole, recipe=recipe, curve=replace(whole.curve, test_error=[60.0, last])) for last in (20.0, 30.0)]
    kinds = {"plain-20": "plain", "ResNet-20": "residual", "ResNet-56": "residual"}
    figure = error_curves({"plain-20": seeds[:1], "ResNet-20": seeds, "ResNet-56": seeds[1:]}, kinds)
    plain, residual = figure.axes
    assert [len(ax.lines) for ax in (plain, residual)] == [2 + 1, 2 * 3 + 2 + 1]
    assert [text.get_text() for text in residual.texts] == ["ResNet-20", "ResNet-56"]
    (mean,) = (line for line in residual.lines if list(line.get_ydata()) == [60, 25])
    assert list(mean.get_xdata()) == [43, 84] and residual.lines[-1].get_xdata()[0] == 8
    plt.close(figure)
    short = replace(whole, curve=replace(whole.curve, iteration=[4, 8]))
    figure = error_curves({"ResNet-20": [whole], "plain-20": [short]}, kinds)
    assert all(ax.get_xlim()[1] > 84 for ax in figure.axes)
    assert [len(ax.lines) for ax in figure.axes] == [2, 2]  # a rate that changes all the time falls nowhere
    plt.close(figure)


def test_error_curves_of_different_lengths_or_too_many_are_refused(whole):
    longer = replace(whole, curve=replace(whole.curve, iteration=[43, 90]))
    with pytest.raises(ValueError, match="the runs of ResNet-20 are not equally long"):
        error_curves({"ResNet-20": [whole, longer]}, {"ResNet-20": "residual"})
    with pytest.raises(ValueError, match="two networks of a kind"):
        error_curves(dict.fromkeys("abc", [whole]), dict.fromkeys("abc", "plain"))


def test_a_run_of_another_recipe_in_its_place_is_refused(tmp_path):
    go(folder=tmp_path)
    with pytest.raises(ValueError, match="another recipe; choose another folder"):
        train("resnet20", DIGITS, replace(SHORT, momentum=0.8), device="cpu", folder=tmp_path)


def test_other_labels_in_its_place_are_refused_and_the_number_of_threads_is_no_other_data(with_dropout, tmp_path):
    go(folder=tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if threads == 1 else 1)
    try:
        go(folder=tmp_path)
    finally:
        torch.set_num_threads(threads)
    with pytest.raises(ValueError, match="holds a run with another data"):
        train("resnet20", replace(DIGITS, y_train=DIGITS.y_train.flip(0)), SHORT, device="cpu", folder=tmp_path)
    with pytest.raises(ValueError, match="holds a run with another data"):
        train("resnet20", replace(DIGITS, x_test=DIGITS.x_test.flip(3) + 1), SHORT, device="cpu", folder=tmp_path)


def test_a_broken_checkpoint_is_named(tmp_path):
    go(folder=tmp_path)
    (checkpoint,) = tmp_path.glob("*/checkpoint.pt")
    checkpoint.write_bytes(b"half")
    with pytest.raises(ValueError, match="checkpoint.pt cannot be read.*remove it"):
        go(folder=tmp_path)


# -------------------------------------------------------------------------------------------------------------- trouble


def test_a_warm_up_ends_once_the_training_error_is_low_enough_and_stays_ended(tmp_path):
    warm = scale.WarmUp(rate=0.01, until_train_error=80, from_depth=20)
    recipe = replace(SHORT, length=126, rate=((0, 0.05),), warm_up=warm)
    rates = train("resnet20", DIGITS, recipe, device="cpu", folder=tmp_path).curve
    assert rates.rate[-1] == 0.05
    shallow = replace(recipe, length=2, warm_up=replace(warm, from_depth=110))
    assert train("resnet20", DIGITS, shallow, device="cpu", folder=tmp_path / "shallow").curve.rate == [0.05]
    never = replace(recipe, length=45, warm_up=replace(warm, until_train_error=0))
    assert set(train("resnet20", DIGITS, never, device="cpu", folder=tmp_path / "never").curve.rate) == {0.01}


def test_the_rate_of_an_entry_is_that_of_the_step_before_it(with_dropout, tmp_path):
    """Also where the warm-up ends in that step: 20 steps of 32 are one pass through 640 images."""
    data = replace(DIGITS, x_train=DIGITS.x_train[:640], y_train=DIGITS.y_train[:640])
    warm = scale.WarmUp(rate=0.01, until_train_error=101, from_depth=2)
    recipe = replace(SHORT, length=40, rate=((0, 0.05),), warm_up=warm)
    assert train("resnet20", data, recipe, device="cpu", folder=tmp_path).curve.rate == [0.01, 0.05]


def test_a_loss_that_is_no_number_is_named(tmp_path):
    recipe = replace(SHORT, rate=((0, 1e6),))
    with pytest.raises(
        FloatingPointError, match=r"the loss stopped being a number by iteration \d+ at rate 1e\+06; .* lower rate"
    ):
        train("plain20", DIGITS, recipe, device="cpu", options={"norm": False}, folder=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "resnet21"}, "no network is called 'resnet21'"),
        ({"precision": "int8"}, "precision='int8'"),
        ({"device": "abacus"}, "device='abacus'"),
        ({"epochs": 0}, "epochs=0"),
        ({"seed": -1}, "seed=-1"),
        ({"recipe": replace(SHORT, batch_size=4096)}, "more than the 1347 images"),
        ({"options": {"shortcut": "Z"}}, "shortcut='Z'"),
        ({"options": {"colour": 1}}, "colour"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_value(arguments, message, tmp_path):
    with pytest.raises(ValueError) as caught:
        train(**{"model": "resnet20", "data": DIGITS, "recipe": SHORT, "device": "cpu", "folder": tmp_path, **arguments})
    assert message in str(caught.value)


def test_a_process_without_a_gpu_of_its_own_is_told_how_many_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(several, "pick_device", lambda device: torch.device("cuda"))
    for name, value in {"WORLD_SIZE": 4, "RANK": 3, "LOCAL_RANK": 3}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(ValueError, match="process 3 has no GPU of its own: this machine has 2"), several.join(None):
        pass


def test_one_process_fetches_data(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit):
        cli.main(["train", "resnet20", "--data", "cifar10", "--download"])
    assert "--download is for one process" in capsys.readouterr().err


def test_too_little_memory_is_named_with_what_to_do():
    with pytest.raises(MemoryError, match="32 images at a time.*torchrun"), run.memory_named(SHORT, Team(0, 1, CPU)):
        torch.empty(2**60)


# ------------------------------------------------------------------------------------------------- command and torchrun

COMMAND = [sys.executable, "-m", "course_lib.cli", "train", "resnet20", "--device", "cpu", "--data", "digits"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "0"]
TWO = [*TORCHRUN, "-m", *COMMAND[2:]]


def written(recipe, folder):
    """A recipe as a reader's own file."""
    stored = asdict(recipe)
    path = folder / f"{stored.pop('name')}.json"
    path.write_text(json.dumps(stored))
    return path


@pytest.fixture
def recipe_file(tmp_path):
    return written(replace(SHORT, name="short"), tmp_path)


def call(command, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, **options)


def test_the_command_is_stopped_and_goes_on(tmp_path, recipe_file, whole):
    command = [*COMMAND, "--recipe", str(recipe_file), "--epochs", "2", "--out", str(tmp_path / "runs")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = process.stdout.readline()  # of the first pass
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=120)
    assert first.startswith("epoch 1.0 of 2.0, training error ")
    assert process.returncode == 130 and "the same command goes on from there" in errors, errors + rest
    done = call(command)
    assert done.returncode == 0 and "cifar-resnet-20 on digits, short, seed 0: test error" in done.stdout, done.stderr
    assert done.stdout.endswith(f"recorded in {tmp_path / 'runs'}\n")
    (found,) = (tmp_path / "runs").glob("*/result.json")
    stored = json.loads(found.read_text())
    assert stored["command"].startswith("course train resnet20 --device cpu") and stored["epochs"] == pytest.approx(2)
    assert stored["curve"]["train_loss"] == pytest.approx(whole.curve.train_loss, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--data", "cifar10", "--root", "nowhere"], 1, "CIFAR10 is not in 'nowhere'; pass root="),
        (["--data", "nowhere"], 2, "data set 'nowhere' is unknown"),
        (["--recipe", "slow"], 2, "no recipe 'slow'"),
        (["--set", "shortcut"], 2, "expected NAME=VALUE"),
        (["--out", "/dev/null/runs"], 1, "/dev/null/runs"),
    ],
)
def test_trouble_is_one_line(arguments, status, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        ended = cli.main(["train", "resnet20", "--device", "cpu", *arguments])
    except SystemExit as stopped:
        ended = stopped.code
    assert ended == status and message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


IN_DOUBLE = """
import sys
from dataclasses import replace
import torch
from course_lib import cli
from course_lib.data import load_data
from course_lib.scale import command

torch.set_default_dtype(torch.float64)
data = load_data("digits")
command.load_data = lambda *_, **__: replace(data, x_train=data.x_train.double(), x_test=data.x_test.double())
sys.exit(cli.main())
"""


def test_two_processes_give_the_curve_of_one(tmp_path):
    """In float64: the rounding of float32 alone, a ten-millionth, may grow to thousandths within ten steps."""
    script, recipe = tmp_path / "in_double.py", written(replace(SHORT, name="short"), tmp_path)
    script.write_text(IN_DOUBLE)
    found = []
    for processes, start in enumerate(([sys.executable], TORCHRUN), 1):
        folder = tmp_path / str(processes)
        done = call([*start, str(script), *COMMAND[3:], "--recipe", str(recipe), "--out", str(folder)])
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("test error") == 2, done.stdout  # after the only pass, and in the end
        (result,) = folder.glob("*/result.json")
        found.append(run.result_of(json.loads(result.read_text())))
    one, two = found
    assert (one.processes, two.processes) == (1, 2)
    assert numbers(one) == numbers(two) and one.test_error == two.test_error


def test_statistics_over_all_are_the_built_in_layers_also_in_half_precision(tmp_path):
    """With one process in the group there is nothing to add up, and the two layers must agree."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        for kind, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 0.03), (torch.float16, 0.004)):
            torch.manual_seed(0)
            x, upstream = (3 + 2 * torch.randn(8, 4, 5, 5)).to(kind), torch.randn(8, 4, 5, 5).to(kind)
            found = []
            for layer in (nn.BatchNorm2d(4), several.BatchNormOverAll(4)):
                given = x.clone().requires_grad_()
                output = layer(given)
                output.backward(upstream)
                found.append((output.detach(), given.grad, layer.running_mean, layer.running_var, layer.weight.grad))
                assert output.dtype == kind
            for one, two in zip(*found, strict=True):
                assert torch.allclose(one.float(), two.float(), atol=tolerance * float(one.abs().max()))
    finally:
        dist.destroy_process_group()


def test_when_one_of_two_processes_dies_the_other_says_so_and_the_run_goes_on(tmp_path, recipe_file, whole):
    """Begun by one process, taken over by two, lost by one of them, finished by one."""
    short = load_recipe(recipe_file)
    begun = partial(train, "resnet20", DIGITS, short, device="cpu", epochs=2, folder=tmp_path / "runs")
    with pytest.raises(scale.Stopped):
        begun(say=stop_after(30, []))
    command = [*TWO, "--recipe", str(recipe_file), "--epochs", "2", "--out", str(tmp_path / "runs")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout.readline().startswith("epoch 1.0")
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(workers[-1]), signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0 and "course train: another of the 2 processes has ended" in errors, errors
    assert numbers(begun()) == numbers(whole)
