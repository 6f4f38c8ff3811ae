"""The excite explorable: its scores are those of the network whose tensors it stores, its counts those of course_lib."""

import base64
import json

import pytest
import torch
import torch.nn.functional as F
from explorable_data.excite import CHAPTER, REDUCTIONS, SEEDS, digit_net, pixels

from course_lib.cost import count_parameters
from course_lib.data import load_data
from course_lib.explorables import HERE
from course_lib.training import Summary

DATA = json.loads((HERE / "data" / "excite.json").read_text(encoding="utf-8"))
NETWORKS = {one["reduction"]: one for one in DATA["networks"]}


def tensor(stored: dict, *shape: int) -> torch.Tensor:
    """Stored 16-bit numbers as float64."""
    numbers = torch.frombuffer(bytearray(base64.b64decode(stored["base64"])), dtype=torch.int16)
    return numbers.double().reshape(shape) * stored["scale"]


def own_gates(reduction: int | None) -> torch.Tensor:
    return tensor(NETWORKS[reduction]["gates"], 10, 64, 1, 1)


def scores(reduction: int | None, gates: torch.Tensor) -> torch.Tensor:
    """Class scores (10, 10) of the ten images: the last block and the head in torch, with these gates."""
    net = NETWORKS[reduction]
    branch, half = tensor(net["branch"], 10, 64, 2, 2), tensor(net["shortcut"], 10, 32, 2, 2)
    head = digit_net(reduction).head.double()
    head[-1].load_state_dict({"weight": tensor(net["weight"], 10, 64), "bias": tensor(net["bias"], 10)})
    with torch.no_grad():
        return head(F.relu(F.pad(half, (0, 0, 0, 0, 0, 32)) + gates * branch))


def shown(one) -> list[float]:
    return [one.number(f"score.{k}") for k in range(10)]


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_stored_tensors_give_the_scores_of_the_trained_network(reduction):
    gates = torch.ones(10, 64, 1, 1) if reduction is None else own_gates(reduction)
    trained = torch.tensor(NETWORKS[reduction]["scores"], dtype=torch.float64)
    assert (scores(reduction, gates) - trained).abs().max() < 0.001  # 0.0005 of it from the rounding of the stored scores


def test_data_are_those_of_the_course():
    digits = load_data("digits")
    assert DATA["test_images"] == len(digits.x_test)
    for image in DATA["images"]:
        assert digits.y_test[image["index"]] == image["label"]
        assert pixels(digits.x_test[image["index"]]) == image["pixels"]
    bare = count_parameters(digit_net(None))
    for reduction, net in NETWORKS.items():
        assert net["parameters"] == count_parameters(digit_net(reduction))
        assert net["gate_parameters"] == net["parameters"] - bare
        assert all(len(wrong) == SEEDS for wrong in net["wrong"].values())


@pytest.mark.slow  # single gates and the channels that matter are compared in every run
def test_scores_follow_gates_images_and_networks(live):
    one = live("excite")
    for reduction in REDUCTIONS[1:]:
        one.set("reduction", f"r = {reduction}")
        net, own = NETWORKS[reduction], own_gates(reduction)
        kinds = {"its own gates": own, "all gates 1": torch.ones_like(own), "mean gates": tensor(net["mean_gates"], 64, 1, 1)}
        for kind, gates in kinds.items():
            one.set("gates", kind)
            for digit in (2, 6, 7):
                one.set("image", str(digit))
                assert shown(one) == pytest.approx(scores(reduction, gates)[digit].tolist(), abs=1e-12)
    one.set("reduction", "no gate")
    assert one.control("gates").count() == one.control("gate").count() == 0
    assert shown(one) == pytest.approx(scores(None, torch.ones(1))[7].tolist(), abs=1e-12)


def test_single_gates_are_set_by_slider_and_by_pressing(live):
    one = live("excite")
    gates = own_gates(CHAPTER)
    one.set("channel", "41")
    one.set("gate", "0.30")
    gates[:, 40] = 0.3
    assert shown(one) == pytest.approx(scores(CHAPTER, gates)[6].tolist(), abs=1e-12)
    tile = one.root.locator('[data-key="channel"]')
    tile.focus()
    tile.press("ArrowLeft")
    tile.press("ArrowUp")
    assert one.shown("channel") == "32"
    tile.press("Enter")
    gates[:, 31] = 0
    assert one.number("gate") == 0
    assert shown(one) == pytest.approx(scores(CHAPTER, gates)[6].tolist(), abs=1e-12)
    one.set("gates", "all gates 1")
    assert shown(one) == pytest.approx(scores(CHAPTER, torch.ones(1))[6].tolist(), abs=1e-12), (
        "single gates belong to one setting"
    )
    one.set("gates", "its own gates")
    one.root.locator('[data-key="back"]').click()
    assert shown(one) == pytest.approx(scores(CHAPTER, own_gates(CHAPTER))[6].tolist(), abs=1e-12)
    assert one.root.locator('[data-key="channel"]').evaluate("node => node === document.activeElement")


def test_channels_that_change_the_answer_are_named(live):
    one = live("excite")
    one.set("image", "7")
    own = scores(CHAPTER, own_gates(CHAPTER))[7].argmax()
    turning = []
    for channel in range(64):
        gates = own_gates(CHAPTER)
        gates[:, channel] = 0
        if scores(CHAPTER, gates)[7].argmax() != own:
            turning.append(str(channel + 1))
    assert turning, "the image is there to show one"
    assert one.root.locator("svg").nth(1).get_attribute("aria-label").endswith(f"changes the answer: {', '.join(turning)}.")


def test_parameters_and_errors_are_those_recorded(live):
    one = live("excite")
    for reduction, net in NETWORKS.items():
        name = "null" if reduction is None else reduction
        error = Summary(tuple(100 * wrong / DATA["test_images"] for wrong in net["wrong"]["own"]))
        assert one.number(f"parameters.{name}") == net["gate_parameters"]
        assert one.number(f"error.{name}") == pytest.approx(error.mean, abs=1e-12)
        assert one.root.locator(f'[data-number="error.{name}"]').text_content() == str(error)
    own = {reduction: sum(net["wrong"]["own"]) for reduction, net in NETWORKS.items()}
    assert min(own, key=own.get) is None, "the sentence of the network without gates says so"
