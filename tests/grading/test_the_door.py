"""What passes between a graded test and an answer: values, and nothing else."""

import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.grading.door import Fault, fixed_start
from course_lib.grading.results import NotAttempted, Raised, Refused

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.fc = nn.Linear(2, width)
        self.unused = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.fc(x)
"""


def mode_and_type(module, extra=0):
    """A probe: trusted, importable, returns data."""
    return module.training, type(module).__name__, extra


def pair(width):
    return nn.Linear(width, width), width


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("None", None),
        ("True", True),
        ("2", 2),
        ("2.5", 2.5),
        ("'a'", "a"),
        ("[1, (2, {'a': 3.0})]", [1, (2, {"a": 3.0})]),
        ("np.float64(2.5)", 2.5),
        ("np.int64(2)", 2),
        ("np.bool_(True)", True),
        ("np.float32(0.1)", 0.10000000149011612),
        ("torch.ones(2, 3).shape", (2, 3)),
        ("collections.OrderedDict(a=1)", {"a": 1}),
    ],
)
def test_plain_values_come_out_with_their_exact_types(answers, expression, value):
    result = answers(f"import collections, torch\nimport numpy as np\ndef f():\n    return {expression}").f()
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("torch.tensor(3)", torch.tensor(3)),
        ("torch.nn.Parameter(torch.ones(2))", torch.ones(2)),
        ("torch.ones(2, requires_grad=True) * 2", torch.full((2,), 2.0)),
        ("np.arange(3)[::-1]", torch.tensor([2, 1, 0])),
        ("torch.ones(2, dtype=torch.float64)", torch.ones(2, dtype=torch.float64)),
        ("torch.ones(2, 2, dtype=torch.complex64).mul(1j).mH", torch.full((2, 2), -1j)),
        ("torch.ones(3, 0)", torch.ones(3, 0)),
        ("torch.ones(2, 3).T", torch.ones(3, 2)),
    ],
)
def test_tensors_come_out_detached_and_plain(answers, expression, value):
    result = answers(f"import torch\nimport numpy as np\ndef f():\n    return {expression}").f()
    assert (type(result), result.dtype, result.shape, result.requires_grad) == (
        torch.Tensor,
        value.dtype,
        value.shape,
        False,
    )
    assert torch.equal(result, value)


def test_nan_stays_nan(answers):
    result = answers("def f(x):\n    return [x, float('nan')]").f(torch.tensor(float("nan")))
    assert result[0].isnan() and result[1] != result[1]


def test_neither_side_can_change_the_others_values(answers):
    mine = {"x": [torch.zeros(2)]}
    door = answers("kept = []\ndef f(d):\n    d['x'][0] += 1\n    kept.append(d)\n    return d\ndef g():\n    return kept")
    result = door.f(mine)
    assert mine["x"][0].tolist() == [0, 0] and result["x"][0].tolist() == [1, 1]
    result["x"][0] += 1
    assert door.f(mine)["x"][0].tolist() == [1, 1]


def test_a_list_that_holds_itself_is_refused(answers):
    with pytest.raises(Refused, match="nested more than 12 deep"):
        answers("def f():\n    x = []\n    x.append(x)\n    return x").f()


@pytest.mark.parametrize("value", [nn.Linear(1, 1), {1, 2}, torch.relu, object()])
def test_only_values_and_handles_go_in(answers, value):
    with pytest.raises(TypeError, match="cannot be handed to an answer"):
        answers("def f(x):\n    return x").f(value)


def test_a_handle_of_another_test_is_refused(answers):
    with pytest.raises(TypeError, match="Handles of the same test"):
        answers("def f(x):\n    return x").f(answers(NET).Net())


@pytest.mark.parametrize(
    "use",
    [
        bool,
        len,
        iter,
        hash,
        list,
        lambda h: h == 1,
        lambda h: h != 1,
        lambda h: h < 1,
        lambda h: 1 in h,
        lambda h: h[0],
        lambda h: h + 1,
    ],
)
def test_a_handle_refuses_to_be_taken_for_a_value(answers, use):
    with pytest.raises(TypeError, match="is not a value: the object stays with the answer"):
        use(answers().inside(pair, 1)[0])
    with pytest.raises(Refused, match="your answer gave Net where a plain value is expected"):
        use(answers(NET).Net())


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("type('Always', (int,), {'__eq__': lambda s, o: True})(4)", r"Always \(a subclass of int\)"),
        ("type('Mine', (torch.Tensor,), {})(torch.ones(2))", r"Mine \(a subclass of Tensor\)"),
        ("torch.ones(2).to_sparse()", "a sparse tensor"),
        ("torch.ones(2, device='meta')", "a tensor on the meta device"),
        ("torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8)", "a tensor of torch.quint8"),
        ("(n for n in range(3))", "generator"),
        ("type('Fake', (), {'shape': (2,), 'numel': lambda s: 2})()", "Fake"),
    ],
)
def test_what_is_no_plain_value_is_refused_when_a_test_uses_it(answers, expression, what):
    found = answers(f"import torch\ndef f():\n    return {expression}").f()
    for use in (
        lambda: found == 4,
        lambda: torch.equal(found, torch.ones(2)),
        lambda: torch.stack([found]),
        lambda: float(found),
        lambda: found.shape,
        lambda: abs(found - 1),
    ):
        with pytest.raises(Refused, match=f"your answer gave {what}"):
            use()


def test_a_module_stays_inside_and_is_called_there(answers):
    net = answers(NET).Net(width=3)
    assert repr(net) == "<Handle of Net>"
    assert net(torch.ones(5, 2)).shape == (5, 3)


def test_chosen_weights_go_in_and_come_back(answers):
    net = answers(NET).Net()
    state = net.state()
    assert set(state) == {"fc.weight", "fc.bias", "unused"}
    net.load({name: torch.ones_like(value) for name, value in state.items()})
    assert net(torch.ones(1, 2)).tolist() == [[3, 3]]
    with pytest.raises(Raised, match="the parameters of Net are not the expected ones(?s:.*)size mismatch"):
        net.load({**state, "unused": torch.ones(2)})


def test_gradients_equal_those_of_a_reference(answers):
    net, reference = answers(NET).Net(), nn.Linear(2, 2)
    net.load({"fc.weight": reference.weight, "fc.bias": reference.bias, "unused": torch.ones(1)})
    x, upstream = torch.randn(4, 2), torch.randn(4, 2)
    leaf = x.clone().requires_grad_()
    reference(leaf).backward(upstream)
    for _ in range(2):  # nothing accumulates
        found = net.gradients(x, upstream)
        assert torch.equal(found["input"], leaf.grad) and torch.equal(found["fc.weight"], reference.weight.grad)
        assert found["unused"].tolist() == [0]
    assert net.gradients(x)["fc.bias"].tolist() == [4, 4]
    with pytest.raises(Raised, match=r"shape \(4, 2\), expected \(4, 3\)"):
        net.gradients(x, torch.ones(4, 3))


def test_gradients_of_a_function_and_of_what_depends_on_nothing(answers):
    door = answers("def square(x):\n    return x ** 2\ndef cut(x):\n    return x.detach()")
    assert door.square.gradients(torch.tensor([3.0]))["input"].tolist() == [6]
    assert door.cut.gradients(torch.ones(2))["input"].tolist() == [0, 0]


def test_a_probe_runs_on_the_object_and_returns_data(answers):
    net = answers(NET).Net()
    assert net.run(mode_and_type, extra=4) == (True, "Net", 4)
    assert net.eval().run(mode_and_type)[0] is False and net.train().run(mode_and_type)[0] is True
    assert answers("def count():\n    yield from (1, 2)").count().run(list) == [1, 2]


def test_a_trusted_function_makes_a_model_inside(answers):
    door = answers("def widen(net, by):\n    return net.in_features + by")
    net, width = door.inside(pair, 3)
    assert width == 3 and door.widen(net, 2) == 5


def test_what_an_answer_breaks_is_the_answers_fault(answers):
    door = answers("def spoil(net):\n    net.weight = None")
    net, _ = door.inside(pair, 3)
    door.spoil(net)
    with pytest.raises(Raised, match="your code raised"):
        net(torch.ones(1, 3))


def test_only_importable_functions_run_inside(answers):
    with pytest.raises(TypeError, match="top level of an importable module"):
        answers().inside(lambda: 1)


def test_the_testers_own_error_is_not_the_students(answers):
    with pytest.raises(Fault, match="TypeError: pair.. missing 1 required positional argument"):
        answers().inside(pair)
    with pytest.raises(Fault, match="RuntimeError: .*shapes cannot be multiplied"):
        answers().inside(pair, 3)[0](torch.ones(1, 2))


def test_a_stub_is_not_attempted(answers):
    door = answers(
        'def f(x):\n    raise NotImplementedError("write f")',
        "def g(x):\n    return f(x)",
        'class Net:\n    def go(self):\n        raise NotImplementedError("write Net.go")',
        "def run():\n    return Net().go()",
        "def bare():\n    raise NotImplementedError",
        "import torch\ndef within():\n    with torch.no_grad():\n        raise NotImplementedError",
    )
    stubs = (("f", "f"), ("g", "f"), ("missing", "missing"), ("run", r"Net\.go"), ("bare", "bare"), ("within", "within"))
    for call, name in stubs:
        with pytest.raises(NotAttempted, match=f"^not attempted: {name}$"):
            getattr(door, call)(*([1] if call in "fg" else []))


def test_what_torch_does_not_implement_is_no_stub(answers):
    with pytest.raises(Raised, match="your code raised NotImplementedError: .* not implemented for 'Long'"):
        answers("def f(x):\n    return x.softmax(0)").f(torch.ones(3, dtype=torch.int64))


def test_a_module_without_forward_is_wrong_and_not_a_stub(answers):
    with pytest.raises(Raised, match="your code raised NotImplementedError"):
        answers(NET.split("    def forward")[0]).Net()(torch.ones(1, 2))


def test_an_error_shows_type_message_and_line(answers):
    with pytest.raises(Raised) as caught:
        answers("import math", "# roots\ndef f(x):\n    return math.sqrt(x)").f(-1)
    line = "(in f, line 3: return math.sqrt(x))"
    assert str(caught.value) == f"your code raised ValueError: math domain error  {line}"
    assert (caught.value.kind, caught.value.text) == ("ValueError", "math domain error")


def test_a_missing_package_fails_only_what_needs_it(answers):
    door = answers("import nowhere", "def f():\n    return nowhere", "def g():\n    return 1")
    assert door.g() == 1
    with pytest.raises(Raised, match=r"ModuleNotFoundError: No module named 'nowhere'  \(line 1: import nowhere\)"):
        door.f()


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "__import__('pytest').skip.Exception"])
def test_no_exception_of_the_answer_ends_the_test_run(answers, error):
    with pytest.raises(Raised, match="your code raised"):
        answers(f"def f():\n    raise {error}()").f()


def test_an_exception_that_cannot_be_read_is_still_reported(answers):
    bad = "class Bad(Exception):\n    def __str__(self):\n        raise SystemExit\n    __repr__ = __str__"
    with pytest.raises(Raised, match=r"your code raised Bad: \(its message cannot be read\)"):
        answers(bad, "def f():\n    raise Bad").f()


def test_parameters_may_have_any_name(answers):
    names = "label, function, args, kwargs, value, name"
    door = answers(f"def f({names}):\n    return [{names}]")
    assert door.f(**{name: i for i, name in enumerate(names.split(", "))}) == list(range(6))


def test_messages_hold_no_addresses(answers):
    with pytest.raises(Raised, match="<object object>"):
        answers("def f():\n    raise ValueError(object())").f()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "def f(x):\n    pass",
            "expected a signature that fits f(int, stride=…), found f(x): got an unexpected keyword argument 'stride'",
        ),
        (
            "def f(*, stride=object()):\n    pass",
            "expected a signature that fits f(int, stride=…), found f(*, stride=…): too many positional arguments",
        ),
        (
            "class f:\n    def __init__(self, a, b, stride):\n        pass",
            "found f(a, b, stride): missing a required argument: 'b'",
        ),
        ("f = 3.0\nf = [object(), f]", None),
    ],
)
def test_a_wrong_signature_names_both_sides(answers, code, message):
    with pytest.raises((Raised, TypeError)) as caught:
        answers(code).f(2, stride=1)
    assert message is None or message in str(caught.value)


def test_a_wrong_signature_of_forward_names_both_sides(answers):
    with pytest.raises(Raised, match=r"fits Net.forward\(Tensor, int\), found Net.forward\(x\): too many positional arguments"):
        answers(NET).Net()(torch.ones(2), 3)


def test_a_type_error_inside_the_answer_is_no_signature(answers):
    with pytest.raises(Raised, match="your code raised TypeError: .*in f, line 2"):
        answers("def f(x):\n    return x + 'a'").f(1)


def test_warnings_are_harmless_even_where_they_are_errors(answers):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert answers("import warnings\ndef f():\n    warnings.warn('old')\n    return '\\d' and 1").f() == 1


def test_every_test_starts_from_the_same_seed_and_the_notebook_keeps_its_own():
    def draw():
        return torch.rand(1).item(), random.random(), float(np.random.rand())

    torch.manual_seed(5)
    with fixed_start():
        first = draw()
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
    after = torch.rand(1)
    with fixed_start():
        assert draw() == first
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1)) and torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
