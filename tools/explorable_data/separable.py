"""Times of grouped convolutions, from standard to depthwise, alone and followed by a 1×1; about a minute on a quiet machine."""

import platform
from pathlib import Path

import torch
from torch import nn

from course_lib.cost import latency
from course_lib.models import SeparableConv

SIZE, CHANNELS, KERNELS = 28, (32, 64, 128, 256), (3, 5, 7)
ROUNDS, REPEATS = 5, 9


def layers() -> dict[tuple[int, int, bool, int], nn.Module]:
    """By channels, kernel, whether a 1×1 follows, and groups; as the chapter builds them."""
    found = {}
    for channels in CHANNELS:
        for kernel in KERNELS:
            for groups in (2**i for i in range(channels.bit_length())):
                pair = SeparableConv(channels, channels, kernel, groups=groups)
                found[channels, kernel, False, groups], found[channels, kernel, True, groups] = pair[0], pair
    return found


def processor() -> str:
    """What Linux calls the processor; elsewhere its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())


def data() -> dict:
    """Median and quartiles in microseconds. Of five rounds the quickest counts: other work on the machine can only add time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        built = layers()
        rounds = [
            {key: latency(layer, (key[0], SIZE, SIZE), repeats=REPEATS) for key, layer in built.items()} for _ in range(ROUNDS)
        ]
    finally:
        torch.set_num_threads(threads)
    times = {}  # "channels/kernel" → without and with the 1×1 → a row for each number of groups
    for key in built:
        channels, kernel, pointwise, _ = key
        best = min((one[key] for one in rounds), key=lambda time: time.median)
        rows = times.setdefault(f"{channels}/{kernel}", [[], []])[pointwise]
        rows.append([round(1000 * value) for value in (best.median, best.low, best.high)])
    return {
        "command": "python tools/explorables.py data separable",
        "machine": f"one core of {processor()}, {platform.machine()}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "size": SIZE,
        "rounds": ROUNDS,
        "repeats": REPEATS,
        "times": times,
    }
