"""Measure ``course train`` side by side with a plain PyTorch loop: ``python benchmarks/training.py --model resnet20``.

The plain loop is a textbook's: a ``DataLoader`` that crops and mirrors image by image with torchvision's transforms, batches
moved to the device, an eager step on contiguous images. Both train the same network by recipe he2015-cifar on images of CIFAR's
size, drawn at random (what a pixel shows costs nothing), and take turns in one process, so that a change of the machine's speed
meets both.

The share of the device's limit is what the network's own arithmetic (6 operations for each multiply-add of a forward pass) comes
to a second, over what a large matrix product does on the same device in the same precision.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from course_lib import cost, models
from course_lib.data import Data
from course_lib.models import cross_entropy
from course_lib.scale import load_recipe
from course_lib.scale.run import PRECISIONS, Trainer, device_name
from course_lib.scale.several import Team
from course_lib.training import one_thread_each, pick_device

RECIPE = load_recipe("he2015-cifar")


class Images(Dataset):
    """Byte images, transformed one at a time."""

    def __init__(self, data: Data):
        self.images, self.labels = (data.x_train * 64 + 128).clamp(0, 255).byte(), data.y_train
        mean = (data.x_train * 64 + 128).mean(0) / 255
        crop, mirror = transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()
        self.change = transforms.Compose([transforms.ToPILImage(), transforms.ToTensor(), lambda x: x - mean, crop, mirror])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int):
        return self.change(self.images[place]), self.labels[place]


def plain_steps(model: str, data: Data, device: torch.device, workers: int) -> Callable[[int], None]:
    """A textbook's loop, so many steps at a call."""
    net = models.create(model, data.num_classes).to(device, memory_format=torch.contiguous_format)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=RECIPE.momentum, weight_decay=RECIPE.weight_decay)

    def batches() -> Iterator:
        while True:
            yield from DataLoader(Images(data), RECIPE.batch_size, shuffle=True, drop_last=True, num_workers=workers)

    source = batches()

    def steps(count: int) -> None:
        for _ in range(count):
            images, labels = (part.to(device) for part in next(source))
            loss = cross_entropy(net(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        loss.item()

    return steps


def our_steps(
    model: str, data: Data, device: torch.device, precision: str, compiled: bool, folder: Path
) -> Callable[[int], None]:
    identity = {"model": model, "options": {}, "seed": 0}
    trainer = Trainer(identity, data, RECIPE, Team(0, 1, device), precision, compiled, folder)
    trainer.net.train()
    places = cycle(range(0, 10**6, 1000))

    def steps(count: int) -> None:
        first = next(places)
        trainer.steps(first, first + count)[0].item()

    return steps


def seconds(steps: Callable[[int], None], count: int) -> float:
    start = time.perf_counter()
    steps(count)
    return (time.perf_counter() - start) / count


def product_rate(device: torch.device, precision: str) -> float:
    """Operations a second of a large matrix product: the limit that this device shows."""
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(size, size, device=device, dtype=PRECISIONS[precision]) for _ in range(2))
    rates = []
    for _ in range(7):
        start = time.perf_counter()
        (a @ b)[0, 0].item()
        rates.append(2 * size**3 / (time.perf_counter() - start))
    return median(rates[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="resnet20", metavar="NAME", help="a network for CIFAR (%(default)s)")
    parser.add_argument("--device", metavar="DEVICE", help="cpu, cuda or mps (default: the best of this machine)")
    parser.add_argument("--precision", default="float32", choices=PRECISIONS, help="of ours (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="(%(default)s)")
    parser.add_argument("--steps", type=int, metavar="N", help="of each in a round (default: 100 on a GPU, 4 on a CPU)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results here")
    options = parser.parse_args()
    device, model = pick_device(options.device), models.entry(options.model).name
    on_gpu = device.type == "cuda"
    count = options.steps or (100 if on_gpu else 4)
    torch.manual_seed(0)
    images, labels = torch.randn(5000, 3, 32, 32), torch.arange(5000) % 10
    data = Data("random images", images, labels, images[:100], labels[:100], tuple("0123456789"))
    with TemporaryDirectory() as folder, one_thread_each():
        both = {
            "plain": plain_steps(model, data, device, min(4, os.cpu_count() or 1) if on_gpu else 0),
            "ours": our_steps(model, data, device, options.precision, on_gpu, Path(folder)),
        }
        for steps in both.values():
            steps(3 if not on_gpu else 30)
        rounds = [{name: seconds(steps, count) for name, steps in both.items()} for _ in range(options.rounds)]
        limit = product_rate(device, options.precision)
    macs = cost.count(models.create(model), (3, 32, 32)).macs
    speed = {name: RECIPE.batch_size / median(one[name] for one in rounds) for name in both}
    record = {
        "model": model,
        "device": device_name(device),
        "precision": options.precision,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "images_per_second": {name: round(value, 1) for name, value in speed.items()},
        "ratio": round(median(one["plain"] / one["ours"] for one in rounds), 3),
        "share_of_matrix_product": round(6 * macs * speed["ours"] / limit, 3),
    }
    print(json.dumps(record, indent=1))
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
