"""Fields, jumps, maps and costs of the field explorable are those of the networks and stacks that it names."""

import pytest
import torch
from torch import nn

from course_lib.cost import count, layer_costs, stage_costs
from course_lib.models import create
from course_lib.receptive_field import ReceptiveFields

NETWORKS = {
    "VGG-16": "vgg-16",
    "ResNet-18": "resnet-18",
    "ResNet-50": "resnet-50",
    "GoogLeNet (paper)": "googlenet",
    "GoogLeNet (weights: 3×3 for 5×5)": "googlenet-3",
    "Inception-v3": "inception-v3",
}


def choose(one, label: str) -> str:
    """Choose a network and keep all its layers; gives the name of the slider of its layers."""
    one.set("network", label)
    slider = one.root.locator('[data-control^="depth."]')
    if slider.locator("input").is_enabled():  # it is not with a single layer
        slider.locator("input").press("End")
    return slider.get_attribute("data-control")


def press(one, label: str) -> None:
    one.control("stack").get_by_role("button", name=label, exact=True).press("Enter")


def code(one) -> str:
    return one.root.locator("pre").text_content()


def built(line: str) -> tuple:
    """The network that a line of code costs, its image size, and the costs."""
    given = []

    def costs(net, shape):
        given.extend((net, shape[-1]))
        return stage_costs(net, shape)

    with torch.device("meta"):  # no weights are needed
        rows = eval(line, {"create": create, "stage_costs": costs})
    return *given, rows


def ends(one) -> dict[str, tuple]:
    """Height, width, jump and map of the last layer in each part of the network."""
    parts = one.root.locator("tbody tr td:nth-child(2)").all_text_contents()
    last = {part: i for i, part in enumerate(parts, 1)}
    return {part: tuple(one.number(f"{what}.{i}") for what in ("height", "width", "jump", "map")) for part, i in last.items()}


def true_ends(net: nn.Module, size: int) -> dict[str, tuple]:
    net.eval()
    x = torch.empty(1, 3, size, size, device="meta")
    found = {}
    with torch.no_grad(), ReceptiveFields(x) as fields:
        parts = {"stem": net.stem} | {f"stage {i}": stage for i, stage in enumerate(net.stages, 1)}
        for name, part in parts.items():
            if len(part):  # VGG has no stem
                x = part(x)
                rows, columns = fields.fields[id(x)]
                assert rows.jump == columns.jump
                found[name] = (*fields.size(x), rows.jump, x.shape[-1])
    return found


def test_stages_of_the_networks_see_what_the_real_ones_see(live):
    one = live("field")
    for label, name in NETWORKS.items():
        assert choose(one, label) == f"depth.{name}"
        net, size, rows = built(code(one))
        stages = [row.receptive_field for row in rows if row.name.startswith("stages.")]
        shown = ends(one)
        assert shown == true_ends(net, size), label
        assert stages == [shown[f"stage {i + 1}"][:2] for i in range(len(stages))], label
        assert ("more than the image" in one.text()) == (stages[-1][0] > size), label


def test_every_layer_of_vgg_sees_what_it_shows_and_the_slider_stops_there(live):
    one = live("field")
    choose(one, "VGG-16")
    with torch.device("meta"):
        rows = layer_costs(create("vgg-16"), (3, 224, 224))
    rows = [row for row in rows if row.kind.startswith(("Conv2d", "MaxPool2d"))]
    for i, row in enumerate(rows, 1):
        assert (one.number(f"height.{i}"), one.number(f"map.{i}")) == (row.receptive_field[0], row.output_shape[1]), row.name
    one.set("depth.vgg-16", "5 of 18")
    assert (one.number("height"), one.number("sees.5")) == (rows[4].receptive_field[0],) * 2
    assert one.root.locator("tbody tr").count() == 5


STACKS = {
    "one 7×7": (),
    "three 3×3": (),
    "1×7, then 7×1": (),
    "3×3 dilated 1, 2, 4": (),
    "3×3 dilated 2, 2, 2": (),
    "your own stack": ("5×5", "7×7", "1×1", "3×3 /2", "pool 2×2 /2", "3×3 dilated 2", "1×7", "7×1", "pool 2×2 /2"),
}


@pytest.mark.parametrize("image", ["8 px", "224 px"])
def test_stacks_cost_and_see_what_their_code_does(live, image):
    one = live("field")
    press(one, "build your own")
    one.set("image", image)
    size = int(image[:-3])
    for label, added in STACKS.items():
        choose(one, label)
        for layer in added:
            press(one, f"+ {layer}")
        stack = eval(code(one), {"nn": nn, "C": 1})
        layers = layer_costs(stack, (1, size, size))[:-1]
        for i, row in enumerate(layers, 1):
            shown = [one.number(f"{what}.{i}") for what in ("height", "width", "map", "weights", "macs")]
            assert shown == [*row.receptive_field, row.output_shape[-1], row.parameters, row.macs], (label, row.name)
        whole = count(stack, (1, size, size))
        assert (one.number("weights"), one.number("macs")) == (whole.parameters, whole.macs), label
        assert (one.number("height"), one.number("width")) == whole.receptive_field, label


def test_pixels_in_the_holes_of_dilation_are_not_counted(live):
    one = live("field")
    choose(one, "3×3 dilated 2, 2, 2")
    stack = eval(code(one), {"nn": nn, "C": 1})
    for weight in stack.parameters():
        nn.init.ones_(weight)
    image = torch.zeros(1, 1, 33, 33, requires_grad=True)
    stack(image)[0, 0, 16, 16].backward()
    assert one.number("read") == image.grad.count_nonzero() < one.number("height") * one.number("width")
    choose(one, "3×3 dilated 1, 2, 4")
    assert "holes" not in one.text()


def test_buttons_work_by_keyboard_keep_the_focus_and_know_their_limits(live):
    one = live("field")
    press(one, "build your own")
    assert one.page.evaluate("document.activeElement.textContent") == "+ 3×3"
    press(one, "remove last")
    press(one, "remove last")
    assert one.page.evaluate("document.activeElement.textContent") == "remove last"
    assert one.root.locator("tbody tr").count() == 2, "one layer and the total"
    for _ in range(20):
        press(one, "+ 3×3")
    assert one.root.locator("tbody tr").count() == 17
    assert "full" in one.text()
