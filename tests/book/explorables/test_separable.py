"""What the separable explorable draws and counts is what the layers of the course do; its times are the recorded ones."""

import json

import pytest
import torch

from course_lib.cost import Latency, count
from course_lib.explorables import HERE
from course_lib.models import SeparableConv

STORED = json.loads((HERE / "data" / "separable.json").read_text(encoding="utf-8"))


def reads(layer, channel, channels):
    """Input channels on which one output channel depends."""
    x = torch.randn(1, channels, 8, 8, requires_grad=True)
    layer(x)[0, channel].sum().backward()
    return [i for i in range(channels) if x.grad[0, i].any()]


def texts(one):
    return [text.text_content() for text in one.root.locator("svg text").all()]


@pytest.mark.parametrize(
    "channels, kernel, pointwise, some_groups",
    [(256, 3, False, (1, 32, 256)), (32, 7, True, (1, 8, 32)), (64, 5, True, (64, 2))],
)
def test_every_number_is_that_of_the_layers(live, channels, kernel, pointwise, some_groups):
    one = live("separable")
    one.set("channels", str(channels))
    one.set("kernel", f"{kernel}×{kernel}")
    one.set("pointwise", "on" if pointwise else "off")
    size, standard = (channels, STORED["size"], STORED["size"]), kernel**2 * channels**2
    recorded = STORED["times"][f"{channels}/{kernel}"]
    for groups in some_groups:
        one.set("groups", str(groups))
        pair = SeparableConv(channels, channels, kernel, groups=groups)
        conv, cost = pair[0], count(pair if pointwise else pair[0], size)
        assert one.number("parameters") == cost.parameters
        assert one.number("macs") == cost.macs
        assert one.number("macs.share") == cost.parameters / standard
        median = recorded[pointwise][groups.bit_length() - 1][0]
        assert one.number("time") == median / 1000
        assert one.number("time.share") == pytest.approx(median / recorded[0][0][0], rel=1e-12)

        output = channels * 5 // 8
        found = reads(conv, output, channels)
        assert one.number("reads") == len(found)
        span = f"{found[0]} to {found[-1]}" if len(found) > 1 else f"input {found[0]}"
        assert f"output {output} reads {span}" in texts(one)
        assert one.root.locator("path.blocks").get_attribute("d").count("M") == groups
        assert one.number("weights") == (pair[1] if pointwise else conv).weight[output].numel()
        assert len(reads(pair, output, channels)) == channels, "as the drawing of the 1×1 says"
        assert f"reads {len(found)} of {channels} input channels" in one.text() or groups == 1


def test_groups_stay_within_the_channels_and_remember_the_wish(live):
    one = live("separable")
    one.set("groups", "128")
    one.set("channels", "32")
    assert one.shown("groups") == "32" and "(depthwise)" in one.text()
    one.set("channels", "256")
    assert one.shown("groups") == "128"


def test_the_sentence_follows_the_recorded_times(chromium):
    """Whatever a machine measures, the words are about its own times."""
    from explorables import STATIC, script

    page = chromium.new_page()
    page.set_content("<!DOCTYPE html><title>page</title>")
    page.evaluate((STATIC / "kit.js").read_text(encoding="utf-8"))
    page.evaluate(script("separable"))
    row = "window.courseExplorableData.separable.times['256/3'][0]"
    for factor, words in ((1, "and 32 times less time"), (8, "but only 4 times less time"), (32, "but about the same time"),
                          (64, "but 2 times the time")):  # fmt: skip
        page.evaluate(f"{row} = {row}.map((_, i) => Array(3).fill(320000 / 2 ** i))")
        page.evaluate(f"{row}[5] = {row}[5].map((time) => time * {factor})")
        assert words in page.evaluate("window.courseExplorables.still('separable')")
    page.close()


def test_the_record_has_times_for_every_state():
    assert {"command", "machine", "versions", "size", "rounds", "repeats", "times"} == set(STORED)
    assert set(STORED["times"]) == {f"{channels}/{kernel}" for channels in (32, 64, 128, 256) for kernel in (3, 5, 7)}
    for name, forms in STORED["times"].items():
        channels = int(name.split("/")[0])
        assert len(forms) == 2
        for rows in forms:
            assert len(rows) == channels.bit_length()
            assert all(0 < low <= median <= high for median, low, high in rows)


def test_measured_layers_are_those_of_the_figure(monkeypatch):
    """The command that records them, with a clock that gives each layer's multiply-adds in place of milliseconds."""
    from explorable_data import separable

    def clock(layer, shape, repeats):
        assert torch.get_num_threads() == 1
        return Latency(*[count(layer, shape).macs] * 3, batch=1)

    monkeypatch.setattr(separable, "latency", clock)
    monkeypatch.setattr(separable, "ROUNDS", 1)
    found = separable.data()
    assert found["times"].keys() == STORED["times"].keys() and found["size"] == STORED["size"]
    for name, forms in found["times"].items():
        channels, kernel = map(int, name.split("/"))
        for pointwise, rows in enumerate(forms):
            expected = [kernel**2 * channels**2 // 2**i + pointwise * channels**2 for i in range(channels.bit_length())]
            assert [median // (1000 * 28 * 28) for median, _, _ in rows] == expected
