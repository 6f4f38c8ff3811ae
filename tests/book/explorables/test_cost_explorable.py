"""Numbers and code of the cost explorable are those of course_lib.cost."""

import pytest
from torch import nn

from course_lib import cost


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"height": "56 px", "width": "28 px", "channels in": "64", "channels out": "128", "kernel": "5×5", "stride": "2"},
        {"height": "7 px", "width": "7 px", "channels in": "96", "channels out": "48", "kernel": "7×7", "stride": "4"},
    ],
)
def test_numbers_and_code_are_those_of_the_package(live, settings):
    names = {"channels in": "from", "channels out": "to"}
    one = live("cost")
    for label, shown in settings.items():
        one.set(names.get(label, label), shown)
    channels, height, width = int(one.shown("from")), int(one.shown("height")[:-3]), int(one.shown("width")[:-3])
    for form in ("standard", "reduced", "factorised", "grouped", "separable"):
        one.set("form", form)
        layers = eval(one.root.locator("pre").text_content(), {"nn": nn})
        counted = cost.count(nn.Sequential(layers), (channels, height, width))
        for what in ("parameters", "macs", "activations"):
            assert one.number(f"{what}.{form}") == getattr(counted, what), (form, what)


def test_groups_and_reduction_divide_and_remember_the_wish(live):
    one = live("cost")
    one.set("groups", "256")
    one.set("from", "48")
    assert 48 % int(one.shown("groups")) == 0
    assert 48 % int(one.shown("reduction").removeprefix("÷ ")) == 0
    one.set("from", "256")
    assert one.shown("groups") == "256", "the wish comes back when it is possible again"
