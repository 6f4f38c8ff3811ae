"""What graded tests share: draws by seed and number, and words for what an answer gave."""

import math
import re

import pytest
import torch
from test_exercises import CHAPTERS, ROOT
from torch import nn

from course_lib.grading import values
from course_lib.grading.door import fixed_start
from course_lib.grading.results import Raised

# --------------------------------------------------------------------------------------------------------- random inputs


def drawn(seed: int, number: int) -> list:
    net = nn.BatchNorm1d(3)
    with fixed_start(seed):
        state = values.random_state(net, number)
        return [*values.integers(number, 0, 10**6, 3), *values.normal(number, 3).tolist(), state["weight"].tolist()]


def test_a_draw_depends_on_the_seed_of_the_session_and_on_its_number_alone():
    first = drawn(1, 7)
    torch.rand(5)
    assert drawn(1, 7) == first
    for other in (drawn(2, 7), drawn(1, 8)):
        assert not any(mine == theirs for mine, theirs in zip(first, other, strict=True))


def test_without_a_session_the_seed_is_0_and_comes_back():
    outside = values.seed(3)
    with fixed_start(5):
        inside = values.seed(3)
        with fixed_start():
            assert values.seed(3) == outside
        assert values.seed(3) == inside != outside
    assert values.seed(3) == outside


def test_integers_reach_both_ends():
    assert set(values.integers(1, 4, 6, 100)) == {4, 5, 6}


def test_random_weights_fit_the_module():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).double()
    state = values.random_state(net, 1)
    net.load_state_dict(state)
    assert all(state[name].dtype == value.dtype for name, value in net.state_dict().items())
    assert (state["1.running_var"] > 0).all() and state["1.running_mean"].any() and state["1.num_batches_tracked"] == 0


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_graded_tests_draw_nothing_by_themselves(chapter):
    text = (ROOT / "tests" / "exercises" / f"test_{chapter}.py").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines() if re.search(r"manual_seed|Generator\(|torch\.rand", line)]
    assert {line for line in lines if "generator=" not in line} <= RESEEDED


RESEEDED = {
    "with torch.random.fork_rng(devices=[]):",
    "torch.manual_seed(seed)",
    "self.random = torch.Generator().manual_seed(seed)",
}  # in functions that get their seed from the test


# ------------------------------------------------------------------------------------------------- what an answer gave


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing (None; did you forget `return`?)"),
        (torch.ones(2, 3), "a tensor of shape (2, 3)"),
        ((1, 2), "a tuple of 2 values"),
        ([], "a list of 0 values"),
        ("ab", "'ab' (str)"),
        ("a" * 99, f"'{'a' * 44} … (str)"),
    ],
    ids=repr,
)
def test_kinds_in_words(value, words):
    assert values.kind(value) == words


def test_an_object_that_stays_inside_is_called_one(answers):
    assert values.kind(answers("class f: x = 1").f()) == "an object"


def test_numbers_come_in_many_forms():
    assert values.number(torch.tensor([[2.5]]), "x") == 2.5
    assert values.numbers(torch.tensor([1.0, 2.0]), ("a", "b")) == [1, 2]
    assert values.numbers([torch.tensor(3), 4.0], ("a", "b")) == [3, 4]
    assert values.number_list((torch.tensor(3), 4.0, 5), "x") == [3, 4, 5]


@pytest.mark.parametrize(
    ("take", "words"),
    [
        (lambda: values.number("7", "the loss"), r"the loss is expected to be a number; yours is '7' \(str\)"),
        (lambda: values.numbers((1,), ("a", "b")), r"two numbers, \(a, b\), are expected; yours returned a tuple of 1 values"),
        (lambda: values.numbers(7, ("a", "b", "c")), r"three numbers, \(a, b, c\), .* yours returned 7 \(int\)"),
        (lambda: values.numbers((1, None), ("a", "b")), r"b is expected to be a number; yours is None$"),
        (lambda: values.number_list(None, "a list"), "a list is expected; yours returned nothing"),
        (lambda: values.number_list([1, "x"], "a list"), "a list is expected; among yours is 'x'"),
        (lambda: values.number_list([1, None], "a list"), "a list is expected; among yours is None$"),
        (lambda: values.tensor([1], "f(2)", (1,)), r"f\(2\): a tensor is expected; yours returned a list"),
        (lambda: values.tensor(torch.ones(2), "f(2)", [1]), r"f\(2\): your result has shape \(2,\), expected \(1,\)"),
        (lambda: values.agree(torch.ones(2), torch.zeros(2) + 4, "it"), r"^it differs by up to 0.75 of its largest value$"),
        (lambda: values.agree(torch.zeros(2), torch.ones(2), "it"), r"it differs by up to 1 .* \(yours is 0 everywhere\)"),
        (lambda: values.agree(torch.tensor([math.nan]), torch.ones(1), "it"), "it differs by up to inf"),
    ],
)
def test_a_failure_says_what_came_instead(take, words):
    with pytest.raises(AssertionError, match=words):
        take()


def test_what_agrees_passes():
    values.agree(torch.ones(2) * 1.001, torch.ones(2), "it", 0.01)
    values.agree(torch.zeros(2), torch.zeros(2), "it")


def test_a_factor_in_words():
    assert values.times(3, 4) == "0.75 times the right number"
    assert values.times(36, 4) == "9 times the right number"
    assert values.times(4, 36) == "0.1111 times the right number (9 times too small)"
    assert values.times(1, 313600) == "3.189e-06 times the right number (313,600 times too small)"
    assert values.times(-5, 4) == "-5, which is not above 0"
    assert values.times(10**350, 4) == "far more than the right number"


# ------------------------------------------------------------------------------------------ where the objects are

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how, self.one = how, torch.nn.Parameter(torch.ones(3), requires_grad=False)
        self.same = self.one

    def forward(self, x):
        return getattr(self, self.how)(x)

    def twice(self, x): return 2 * x
    def add(self, x): return x.add_(1)
    def resize(self, x): return x.resize_(1)
    def nothing(self, x): pass
    def wrong(self, x): raise KeyError("k")
"""


def test_an_output_or_what_is_wrong_with_it(answers):
    net, x = answers(NET).Net, torch.ones(2, 2)
    assert torch.equal(values.output(net("twice"), "Net()", x, x.shape), 2 * x)
    with pytest.raises(AssertionError, match=r"Net\(\) turns \(2, 2\) into \(2, 2\), expected \(1,\)"):
        values.output(net("twice"), "Net()", x, [1])
    with pytest.raises(AssertionError, match=r"Net\(\) returned nothing \(None; did you forget `return`\?\) instead of a tensor"):
        values.output(net("nothing"), "Net()", x, x.shape)
    with pytest.raises(Raised, match=r"^Net\(\) on an input of shape \(2, 2\): your code raised KeyError: 'k'") as caught:
        values.output(net("wrong"), "Net()", x, x.shape)
    assert (caught.value.outcome, caught.value.kind, caught.value.text) == ("raised", "KeyError", "'k'")


def test_a_changed_input_is_noticed(answers):
    changed = {how: values.changes_input(answers(NET).Net(how), torch.ones(2)) for how in ("twice", "nothing", "add", "resize")}
    assert changed == {"twice": False, "nothing": False, "add": True, "resize": True}


def test_parameters_are_counted_once_and_their_kind_is_told(answers):
    net = answers(NET).Net("twice")
    net.run(values.to_double)
    assert net.run(values.count_parameters) == 3 and net.run(values.trainable) == {"one": False}
    assert net.state()["one"].dtype == torch.float64
