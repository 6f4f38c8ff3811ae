"""Numbers of the Inception explorable are those that course_lib.cost counts in the course's own networks."""

import torch
from torch import nn

from course_lib.cost import Cost, layer_costs
from course_lib.models import Branches, Inception, NaiveInception, convs, googlenet, inception_v3, inception_v4
from course_lib.models.inception import MODULES

MEASURES = ("parameters", "macs", "activations")
ROW, COLUMN, SPLIT = (1, 7), (7, 1), [(256, (1, 3)), (256, (3, 1))]
FORMS = {  # (module, form): channels in, size, branches of (width, kernel)
    ("Inception-v3 5b", "whole kernels"): (192, 35, [[(64, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 5)], ["pool", (32, 1)]]),
    ("Inception-v3 6b", "naive form"): (
        768,
        17,
        [[(192, 1)], [(128, ROW), (192, COLUMN)], [(128, COLUMN), (128, ROW), (128, COLUMN), (192, ROW)], ["pool"]],
    ),
    ("Inception-v3 6b", "whole kernels"): (
        768,
        17,
        [[(192, 1)], [(128, 1), (192, 7)], [(128, 1), (128, 7), (192, 7)], ["pool", (192, 1)]],
    ),
    ("Inception-v4 C", "naive form"): (1536, 8, [[(256, 1)], [SPLIT], [(448, (3, 1)), (512, (1, 3)), SPLIT], ["pool"]]),
    ("Inception-v4 C", "whole kernels"): (
        1536,
        8,
        [[(256, 1)], [(384, 1), (512, 3)], [(384, 1), (512, 3), (512, 3)], ["pool", (256, 1)]],
    ),
}


def sums(rows: list[Cost], prefix: str) -> dict[str, int]:
    """Of all layers of a part; as activations what convolutions and poolings write."""
    rows = [row for row in rows if row.name.startswith(prefix)]
    written = sum(row.activations for row in rows if row.kind.startswith(("Conv2d", "MaxPool2d", "AvgPool2d")))
    return {"parameters": sum(row.parameters for row in rows), "macs": sum(row.macs for row in rows), "activations": written}


def per_branch(rows: list[Cost], prefix: str = "") -> list[dict[str, int]]:
    return [sums(rows, f"{prefix}branches.{branch}.") for branch in range(4)]


def shown(one, which: str) -> list[dict[str, float]]:
    """Costs of the branches in the table; their sum has to be the total, and the drawing has to show the same."""
    script = "found => found.map(node => [node.dataset.number, Number(node.dataset.value)])"
    numbers: dict[str, set[float]] = {}
    for name, value in one.root.locator("[data-number]").evaluate_all(script):
        numbers.setdefault(name, set()).add(value)
    assert all(len(values) == 1 for values in numbers.values()), "drawing and table differ"
    names = [*one.control("branch").locator("label").all_text_contents(), "total"]
    *found, total = ({measure: min(numbers[f"{which}.{measure}.{name}"]) for measure in MEASURES} for name in names)
    assert total == {measure: sum(row[measure] for row in found) for measure in MEASURES}
    return found


def built(channels: int, branches: list[list]) -> Branches:
    made = []
    for steps in branches:
        layers, width = [], channels
        for step in steps:
            if step == "pool":
                layers.append(nn.AvgPool2d(3, stride=1, padding=1))
            elif isinstance(step, list):
                layers.append(Branches(width, *(convs(width, part) for part in step)))
            else:
                layers.append(convs(width, step))
                width = step[0]
        made.append(nn.Sequential(*layers))
    return Branches(channels, *made)


def test_published_modules_cost_what_they_cost_in_their_networks(live):
    with torch.device("meta"):
        google = layer_costs(googlenet(aux=False, paper=True), (3, 224, 224))
        third = layer_costs(inception_v3(aux=False), (3, 299, 299))
        fourth = layer_costs(inception_v4(), (3, 299, 299))
    places = {f"GoogLeNet {name}": (google, f"stages.{'345'.index(name[0])}.{name}.") for name in MODULES}
    places |= {f"Inception-v3 {name}": (third, f"stages.{'567'.index(name[0])}.{name}.") for name in ("5b", "6b", "7b")}
    places |= {f"Inception-v4 {'ABC'[stage]}": (fourth, f"stages.{stage}.1.") for stage in range(3)}
    one = live("inception")
    assert one.control("module").locator("option").all_text_contents() == list(places)
    for name, (rows, prefix) in places.items():
        one.set("module", name)
        assert shown(one, "own") == per_branch(rows, prefix), name
        assert "as published" not in one.root.text_content(), name


def test_other_forms_are_the_modules_without_reductions_or_with_whole_kernels(live):
    one = live("inception")
    channels = 192
    for name, (c1, reduce3, c3, reduce5, c5, pool) in MODULES.items():
        one.set("module", f"GoogLeNet {name}")
        size = {"3": 28, "4": 14, "5": 7}[name[0]]
        naive = NaiveInception(channels, c1, c3, c5, norm=False)
        assert (one.number("in"), one.number("out.other")) == (channels, naive.out_channels)
        rows = layer_costs(naive, (channels, size, size))
        # the pool is a branch without a number below it
        expected = [sums(rows, f"branches.{branch}") for branch in range(4)]
        assert shown(one, "other") == expected, name
        channels = Inception(channels, c1, reduce3, c3, reduce5, c5, pool).out_channels
        assert one.number("out") == channels
    for (name, form), (channels, size, branches) in FORMS.items():
        one.set("module", name)
        one.set("against", form)
        assert shown(one, "other") == per_branch(layer_costs(built(channels, branches), (channels, size, size))), (name, form)


def test_a_branch_is_chosen_in_the_drawing_and_its_widths_change(live):
    one = live("inception")
    one.root.locator('[data-key="branch-1"]').click()
    one.set("GoogLeNet 3a.1.0", "160")
    one.set("GoogLeNet 3a.1.1", "24")
    one.root.locator('[data-key="branch-3"]').press("Enter")
    one.set("GoogLeNet 3a.3.0", "512")
    module = Inception(192, 64, 160, 24, 16, 32, 512, kernel5=5, norm=False)
    assert shown(one, "own") == per_branch(layer_costs(module, (192, 28, 28)))
    assert one.number("out") == module.out_channels
    assert "reductions save nothing" not in one.text()
    one.set("branch", "5×5")
    one.set("GoogLeNet 3a.2.0", "512")
    assert one.number("own.macs.total") > one.number("other.macs.total")
    assert "reductions save nothing" in one.text()
    one.set("module", "GoogLeNet 3b")
    one.set("module", "GoogLeNet 3a")
    one.root.get_by_role("button", name="as published").click()
    assert one.number("out") == 256, "each module kept its widths until here"
    assert one.page.evaluate("document.activeElement.dataset.key") == "branch-2"
    assert "2.37 times as many" in one.text()


def test_sliders_stand_where_the_published_widths_are(live):
    one = live("inception")
    wrong = one.page.evaluate("""() => {
        const control = name => document.querySelector(`[data-control="${name}"]`), wrong = [];
        const fire = (node, kind) => node.dispatchEvent(new Event(kind, { bubbles: true }));
        for (const module of control("module").querySelectorAll("option")) {
            module.selected = true;
            fire(module.parentElement, "change");
            for (let branch = 0; branch < 4; branch += 1) {
                control("branch").querySelectorAll("input")[branch].click();
                for (const slider of document.querySelectorAll("input[type=range]")) {
                    const width = slider.nextSibling.textContent;
                    fire(slider, "input"); // the reader touches it and does not move it
                    if (slider.nextSibling.textContent !== width) wrong.push([module.textContent, branch, width]);
                }
            }
        }
        return wrong;
    }""")
    assert not wrong
