"""The last SE block of chapter 6's digit network, at several reduction ratios: tensors of one seed, errors of ten."""

import base64
import os
import platform
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cost import count_parameters
from course_lib.data import Data, load_data
from course_lib.models import BasicBlock, ConvNet, SqueezeExcitation, cifar_net, initialise
from course_lib.training import fit_seeds

REDUCTIONS = (None, 2, 4, 8, 16)
CHAPTER = 4  # the reduction ratio of the chapter's network
TRAINING = {"epochs": 4, "lr": 0.02, "batch_size": 64}  # as in the chapter
SEEDS = 10


def digit_net(reduction: int | None) -> ConvNet:
    """The network of chapter 6, (N, 1, 8, 8) → (N, 10): three residual blocks, SE at each branch's end, or nothing."""

    def block(in_channels: int, width: int, stride: int) -> BasicBlock:
        made = BasicBlock(in_channels, width, stride, shortcut="A")
        made.branch.append(nn.Identity() if reduction is None else SqueezeExcitation(width, reduction))
        return made

    return initialise(cifar_net(block, 1, num_classes=10, in_channels=1))


def last_block(net: ConvNet, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Branch before its gates (N, 64, 2, 2), shortcut (N, 64, 2, 2) and gates (N, 64, 1, 1) of the last block."""
    *before, last = net.stages
    x = nn.Sequential(net.stem, *before)(images)
    block = last[0]
    branch = block.branch[:-1](x)
    se = block.branch[-1]
    gates = se.gate(branch) if isinstance(se, SqueezeExcitation) else torch.ones(len(images), branch.shape[1], 1, 1)
    return branch, block.shortcut(x), gates


def scores(net: ConvNet, branch: Tensor, shortcut: Tensor, gates: Tensor) -> Tensor:
    """Class scores (N, 10), from the last block on."""
    return net.head(F.relu(shortcut + gates * branch))


def packed(values: Tensor) -> dict:
    """Whole numbers of 16 bits, little-endian, as base64; times ``scale`` they are the values."""
    scale = values.abs().max().item() / 32767
    numbers = (values.double() / scale).round().to(torch.int16)
    return {"scale": scale, "base64": base64.b64encode(numbers.numpy().astype("<i2").tobytes()).decode()}


def replaced(net: ConvNet, images: Tensor, gates_of_training: Tensor) -> dict[str, Tensor]:
    """Class scores (N, 10) with the last block's own gates, with all at 1, and with their means over the training images."""
    branch, shortcut, gates = last_block(net, images)
    instead = {"own": gates, "ones": torch.ones_like(gates), "mean": gates_of_training.mean(0, keepdim=True)}
    return {name: scores(net, branch, shortcut, new) for name, new in instead.items()}


def chosen_images(net: ConvNet, images: Tensor, labels: Tensor, gates_of_training: Tensor) -> list[int]:
    """One test image of each digit: the first whose answer changes when all gates are 1, or else the first."""
    answers = {name: found.argmax(1) for name, found in replaced(net, images, gates_of_training).items()}
    changed = answers["own"] != answers["ones"]
    of_digit = [[i for i in range(len(labels)) if labels[i] == digit] for digit in range(10)]
    return [next((i for i in few if changed[i]), few[0]) for few in of_digit]


def pixels(image: Tensor) -> str:
    """A standardised digit (1, 8, 8) as 64 characters, "a" for paper (0) to "q" for ink (16)."""
    levels = (16 * (image - image.min()) / (image.max() - image.min())).round().int()
    return "".join(chr(97 + level) for level in levels.flatten().tolist())


def data() -> dict:
    digits = load_data("digits")
    torch.set_num_threads(1)
    runs = fit_seeds({r: partial(digit_net, r) for r in REDUCTIONS}, digits, range(SEEDS), device="cpu", **TRAINING)
    with torch.no_grad():
        nets = {r: [run.model.eval() for run in found] for r, found in runs.items()}
        means = {r: [last_block(net, digits.x_train)[2] for net in found] for r, found in nets.items()}
        chosen = chosen_images(nets[CHAPTER][0], digits.x_test, digits.y_test, means[CHAPTER][0])
        return {
            "command": "python tools/explorables.py data excite",
            "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
            "training": {**TRAINING, "seeds": SEEDS},
            "test_images": len(digits.x_test),
            "images": [{"index": i, "label": digits.y_test[i].item(), "pixels": pixels(digits.x_test[i])} for i in chosen],
            "networks": [network(r, nets[r], means[r], digits, chosen) for r in REDUCTIONS],
        }


def network(reduction: int | None, nets: list[ConvNet], training_gates: list[Tensor], digits: Data, chosen: list[int]) -> dict:
    """The tensors of the first seed for the chosen images, and the wrong answers of every seed on the test images."""
    answers = [
        {name: found.argmax(1) for name, found in replaced(net, digits.x_test, gates).items()}
        for net, gates in zip(nets, training_gates, strict=True)
    ]
    branch, shortcut, gates = last_block(nets[0], digits.x_test[chosen])
    dense = nets[0].head[-1]
    parameters = count_parameters(nets[0])
    return {
        "reduction": reduction,
        "parameters": parameters,
        "gate_parameters": parameters - count_parameters(digit_net(None)),
        "wrong": {name: [(one[name] != digits.y_test).sum().item() for one in answers] for name in answers[0]},
        "changed": (answers[0]["own"] != answers[0]["ones"]).sum().item(),
        "branch": packed(branch),
        "shortcut": packed(shortcut[:, : shortcut.shape[1] // 2]),  # the rest are the zeros of option A
        "gates": None if reduction is None else packed(gates),
        "mean_gates": None if reduction is None else packed(training_gates[0].mean(0)),
        "weight": packed(dense.weight),
        "bias": packed(dense.bias),
        "scores": [[round(score, 3) for score in row] for row in scores(nets[0], branch, shortcut, gates).tolist()],
    }
