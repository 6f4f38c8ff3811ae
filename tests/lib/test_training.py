"""Training: it learns, it repeats, seeds matter, several at once give what one by one gives, and trouble is named."""

import io
import sys

import pytest
import torch
from torch import nn

from course_lib.data import load_data
from course_lib.models import AuxiliaryNet, cifar_resnet, classifier, convs, plain_net
from course_lib.training import Progress, Summary, evaluate, fit, fit_seeds, pick_device, summarise

DIGITS = load_data("digits")


def small():
    return plain_net(8, in_channels=1)


def deeper():
    return cifar_resnet(14, in_channels=1)


def test_a_small_network_learns_the_digits():
    torch.manual_seed(0)
    run = fit(small(), DIGITS, epochs=2)
    assert run.train_error[-1] < 20 and run.train_error[-1] < run.train_error[0]
    assert run.train_loss[-1] < run.train_loss[0]
    assert run.test_error[-1] == pytest.approx(evaluate(run.model, DIGITS.x_test, DIGITS.y_test))
    assert len(run.train_loss) == len(run.train_error) == len(run.test_error) == 2 and run.seconds > 0


def test_auxiliary_classifiers_are_trained_with_the_network():
    torch.manual_seed(0)
    stages = nn.Sequential(nn.Sequential(convs(8, (8, 3)), convs(8, (8, 3))))
    net = AuxiliaryNet(convs(1, (8, 3)), stages, classifier(8, 10), {"0": classifier(8, 10)}, weight=0.3)
    before = net.auxiliary["0"][-1].weight.clone()
    run = fit(net, DIGITS, epochs=1, lr=0.1)
    assert not torch.equal(net.auxiliary["0"][-1].weight, before)
    assert run.train_loss[0] > 1.3 * 0.5 and 0 < run.train_error[0] < 90


def test_label_smoothing_keeps_the_loss_from_falling_to_nothing():
    """At smoothing ε over K classes no network gets below the entropy of the targets: 0.5 nats at ε = 0.1 and K = 10."""
    losses = []
    for smoothing in (0.0, 0.1):
        torch.manual_seed(0)
        losses.append(fit(small(), DIGITS, epochs=2, lr=0.05, label_smoothing=smoothing).train_loss[-1])
    assert losses[0] < 0.4 < 0.5 < losses[1]


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    first, second = (fit_seeds({"small": small}, DIGITS, seeds=(0, 1), epochs=1)["small"] for _ in range(2))
    assert [run.train_loss for run in first] == [run.train_loss for run in second]
    assert first[0].train_loss != first[1].train_loss


def test_runs_side_by_side_give_what_one_by_one_gives():
    threads = torch.get_num_threads()
    together = fit_seeds({"plain": small, "deeper": deeper}, DIGITS, seeds=(3, 4), epochs=1)
    assert torch.get_num_threads() == threads
    torch.set_num_threads(1)
    try:
        for name, build in (("plain", small), ("deeper", deeper)):
            for seed, run in zip((3, 4), together[name], strict=True):
                torch.manual_seed(seed)
                assert run.seed == seed and run.train_loss == fit(build(), DIGITS, epochs=1, seed=seed).train_loss
    finally:
        torch.set_num_threads(threads)


def test_dropout_repeats_too():
    def build():
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))

    first, second = (fit_seeds({"net": build}, DIGITS, seeds=(0, 1), epochs=1)["net"] for _ in range(2))
    assert [run.train_loss for run in first] == [run.train_loss for run in second]


def test_evaluation_changes_nothing():
    net = small().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    error = evaluate(net, DIGITS.x_test, DIGITS.y_test)
    assert 0 <= error <= 100 and net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_evaluation_counts_wrong_answers_in_percent():
    class Says3(nn.Module):
        def __init__(self):
            super().__init__()
            self.scores = nn.Parameter(torch.eye(10)[3])

        def forward(self, x):
            return self.scores.expand(len(x), 10)

    share = (DIGITS.y_test != 3).float().mean().item()
    assert evaluate(Says3(), DIGITS.x_test, DIGITS.y_test) == pytest.approx(100 * share)


def test_a_loss_that_is_no_number_stops_with_the_remedy():
    with pytest.raises(FloatingPointError, match=r"epoch 1; lower the learning rate \(lr=1e\+20\)"):
        fit(plain_net(8, in_channels=1, norm=False), DIGITS, epochs=3, lr=1e20)


def test_summary_is_mean_and_sample_deviation():
    summary = Summary((1.0, 2.0, 3.0))
    assert (summary.mean, summary.std, str(summary)) == (2.0, 1.0, "2.0 ± 1.0")
    assert Summary((4.0,)).std == 0


def test_clearly_above_needs_every_seed_and_both_spreads():
    low = Summary((1.0, 2.0, 3.0))
    assert Summary((5.0, 6.0, 7.0)).clearly_above(low)
    assert not Summary((2.5, 6.0, 7.0)).clearly_above(low)  # a seed is inside the other's range
    assert not Summary((3.1, 3.2, 5.0)).clearly_above(low)  # the means are closer than the spreads
    assert not low.clearly_above(Summary((5.0, 6.0, 7.0)))


def test_summarise_takes_the_last_epoch():
    runs = fit_seeds({"small": small}, DIGITS, seeds=(0, 1), epochs=2)["small"]
    assert summarise(runs).values == tuple(run.train_error[-1] for run in runs)
    assert summarise(runs, "seconds").values == tuple(run.seconds for run in runs)


def test_the_best_device_is_chosen_and_the_cpu_is_always_there():
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick_device().type == best and pick_device("cpu").type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(ValueError, match="device='cuda' is not on this machine; it has cpu"):
        fit(small(), DIGITS, device="cuda")


def test_progress_shows_time_left_in_a_terminal_and_nothing_elsewhere(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("COURSE_LIB_PROGRESS", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    progress = Progress(2)
    progress.step("plain-8 training error 12.3 %")
    assert "epoch 1 of 2, 0 s left; plain-8 training error 12.3 %" in sys.stdout.getvalue()
    progress.step("plain-8 training error 1.2 %")
    assert sys.stdout.getvalue().endswith("\r")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    if "ipykernel" not in sys.modules:
        Progress(1).step("x")
        assert sys.stdout.getvalue() == ""


def test_residual_networks_train_in_the_same_loop():
    run = fit(cifar_resnet(8, in_channels=1), DIGITS, epochs=1)
    assert run.train_error[0] < 80
