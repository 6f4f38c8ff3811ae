"""Measure every network that has a donor side by side with it: ``python benchmarks/models.py``.

The donor is the network of torchvision, timm, facenet-pytorch or pretrainedmodels that ours is proved equal to; both have its
weights. Three networks take turns in one process: ours, channels-last as ``models.create`` makes it; the donor in the same format
("same format"); the donor as its library makes it, contiguous, with contiguous images ("as run").

Throughput: a round times each of the three once, every round in another order. A ratio is ours / donor's images per second, the
median over rounds of the ratio within one. Forward is evaluation without gradients; forward + backward is training with both
networks' auxiliary classifiers, scores summed. Rounds in which other processes used more than 5 % of the machine are repeated, up
to a limit; a row that needs some of them all the same is marked, and the next run measures that network again.

Peak memory: parameters and buffers, and the most that one pass holds beyond them at any moment, gradients included. On a GPU
``torch.cuda.max_memory_allocated`` tells it. On a CPU torch's profiler reports what its allocator gives and takes back, in order
of time; the peak is the largest running sum: exact, whatever the load. What oneDNN takes elsewhere is missing, for both alike.

``benchmarks/results/models-DEVICE.json`` and ``.md`` are written after every network: stop it at any time, the next run goes on.
"""

import argparse
import copy
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.metadata import version
from itertools import accumulate, cycle
from pathlib import Path
from statistics import geometric_mean, median

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # otherwise the profiler prints each start and stop

import psutil
import torch
from torch import Tensor, nn

from course_lib import models
from course_lib.cost import count
from course_lib.weights import load_weights

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "lib"))
from donors import build_donor, scores_of
from parity import carry_in_order

RESULTS = Path(__file__).parent / "results"
THREADS, FOREIGN_LIMIT, MOST_ROUNDS = 2, 0.05, 3  # on the CPU; share of the machine; times the number of pairs
LEAST_SECONDS = 0.15  # of one timing, which repeats short passes
CPU_MACS, GPU_BATCH = 12e9, 64  # of one forward pass, about 0.15 s on two cores; the heavy networks take more, with two images
ORDERS = [line.split() for line in ("ours donor plain", "plain donor ours", "ours plain donor", "donor plain ours",
                                    "donor ours plain", "plain ours donor")]  # fmt: skip
HEADER = (
    "network",
    "donor",
    "batch",
    "pass",
    "ours, images/s",
    "donor",
    "same format",
    "as run",
    "peak, MB",
    "peak ratio",
    "load",
)
CAPTION = "Ratios are ours / donor: median (lowest–highest round). Load is that of other processes: median, highest."


def forward(net: nn.Module, images: Tensor, half: bool) -> None:
    with torch.no_grad(), torch.autocast(images.device.type, torch.float16, enabled=half):
        net(images)


def forward_backward(net: nn.Module, images: Tensor, half: bool) -> None:
    net.zero_grad(set_to_none=True)
    with torch.autocast(images.device.type, torch.float16, enabled=half):
        scores = scores_of(net(images))
    sum(part.float().sum() for part in scores).backward()


def three_networks(entry: models.Entry, device: str) -> dict[str, nn.Module]:
    """Ours, its donor in the same memory format, and the donor as it comes, with the same weights."""
    plain = build_donor(entry)
    with torch.device("meta"):
        ours = models.create(entry.name)
    ours.to_empty(device="cpu")  # initial weights would be overwritten at once
    (carry_in_order if entry.donor.startswith("facenet") else load_weights)(ours, plain.state_dict())
    donor = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    return {"ours": ours.to(device), "donor": donor.to(device), "plain": plain.to(device)}


def clock(device: str) -> tuple[float, float, float]:
    """Seconds on the wall, of the machine's cores at rest, and of this process at work."""
    if device == "cuda":
        torch.cuda.synchronize()
    times = psutil.cpu_times()
    return time.perf_counter(), times.idle + getattr(times, "iowait", 0.0), time.process_time()


def measure_time(steps: dict[str, Callable[[], None]], pairs: int, device: str) -> dict:
    """Seconds of one step of each network in the quietest rounds, and how quiet they were."""

    def seconds(who: str, times: int) -> float:
        start = clock(device)[0]
        for _ in range(times):
            steps[who]()
        return (clock(device)[0] - start) / times

    warm = [seconds(who, 1) for who in (*steps, "ours")]
    times = math.ceil(LEAST_SECONDS / warm[-1])
    rounds: list[tuple[float, dict[str, float]]] = []  # foreign load, seconds
    for order in cycle(ORDERS):
        start = clock(device)
        taken = {who: seconds(who, times) for who in order}
        wall, idle, own = (after - before for before, after in zip(start, clock(device), strict=True))
        rounds.append((max(0.0, 1 - (idle + own) / (wall * (os.cpu_count() or 1))), taken))
        if sum(load <= FOREIGN_LIMIT for load, _ in rounds) == pairs or len(rounds) == MOST_ROUNDS * pairs:
            break
    kept = sorted(rounds, key=lambda one: one[0])[:pairs]
    loads = [load for load, _ in kept]
    return {
        "seconds": {who: [taken[who] for _, taken in kept] for who in steps},
        "foreign_load": loads,
        "rounds_discarded": len(rounds) - pairs,
        "disturbed": loads[-1] > FOREIGN_LIMIT,
    }


def peak_bytes(net: nn.Module, step: Callable[[], None], device: str) -> int:
    """Bytes of parameters and buffers, and the most that ``step`` holds beyond them."""
    net.zero_grad(set_to_none=True)
    own = sum(value.nbytes for value in net.state_dict().values())
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return own + torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    return own + max(accumulate(change for _, change in sorted((event.start_ns(), event.nbytes()) for event in events)))


def measure(name: str, batch: int, pairs: int, device: str) -> dict:
    """Everything about one network, a row for each kind of pass."""
    entry, rows = models.entry(name), []
    nets = three_networks(entry, device)
    plain = torch.randn(batch, 3, entry.size, entry.size, device=device)
    ordered = plain.to(memory_format=torch.channels_last)
    images = {"ours": ordered, "donor": ordered, "plain": plain}
    for half in (False, True) if device == "cuda" else (False,):
        for run in (forward, forward_backward):
            steps = {who: partial(run, net.train(run is forward_backward), images[who], half) for who, net in nets.items()}
            measured = measure_time(steps, pairs, device)
            row = {"pass": run.__name__.replace("_", " + "), "precision": "float16" if half else "float32", **measured}
            row["images_per_second"] = {who: batch / median(measured["seconds"][who]) for who in nets}
            for column, other in (("same_format", "donor"), ("as_run", "plain")):
                both = zip(measured["seconds"][other], measured["seconds"]["ours"], strict=True)
                ratios = sorted(theirs / ours for theirs, ours in both)
                row[column] = {"median": median(ratios), "lowest": ratios[0], "highest": ratios[-1]}
            peak = {who: peak_bytes(nets[who], steps[who], device) for who in ("ours", "donor")}
            row["peak_bytes"] = {**peak, "ratio": peak["ours"] / peak["donor"]}
            rows.append(row)
    return {"donor": entry.donor, "size": entry.size, "batch": batch, "rows": rows}


def gates(rows: list[dict]) -> list[dict]:
    """The project's bounds for all rows together."""
    same = [row["same_format"]["median"] for row in rows]
    bounds = [
        ("throughput, same format, geometric mean", geometric_mean(same), 0.98),
        ("throughput, same format, lowest", min(same), 0.92),
        ("throughput, as run, geometric mean", geometric_mean(row["as_run"]["median"] for row in rows), 1.15),
    ]
    checked = [{"gate": f"{what} (>= {least})", "value": value, "holds": value >= least} for what, value, least in bounds]
    peak = max(row["peak_bytes"]["ratio"] for row in rows)
    return [*checked, {"gate": "peak memory, highest (<= 1.02)", "value": peak, "holds": peak <= 1.02}]


def table(record: dict) -> str:
    """The results as Markdown."""
    lines = [HEADER, ["---"] * len(HEADER)]
    for name, found in record["models"].items():
        for row in found["rows"]:
            ratios = [f"{r['median']:.2f} ({r['lowest']:.2f}–{r['highest']:.2f})" for r in (row["same_format"], row["as_run"])]
            speeds = [f"{row['images_per_second'][who]:.1f}" for who in ("ours", "donor")]
            peak = [f"{row['peak_bytes']['ours'] / 1e6:.0f}", f"{row['peak_bytes']['ratio']:.3f}"]
            load = f"{median(row['foreign_load']):.0%}, {row['foreign_load'][-1]:.0%}" + " disturbed" * row["disturbed"]
            kind = row["pass"] + ", half" * (row["precision"] == "float16")
            lines.append([name, found["donor"], str(found["batch"]), kind, *speeds, *ratios, *peak, load])
    about = ", ".join(f"{key} {value}" for key, value in record["settings"].items())
    held = [f"- {gate['gate']}: {gate['value']:.3f}, {'holds' if gate['holds'] else 'FAILS'}" for gate in record["gates"]]
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([f"`{record['command']}`, {record['date']}: {about}.", "", CAPTION, "", *rows, "", *held, ""])


def store(record: dict, target: Path) -> None:
    """Write the JSON and the table beside their places, then move them there."""
    record["gates"] = gates([row for found in record["models"].values() for row in found["rows"]])
    RESULTS.mkdir(exist_ok=True)
    for path, text in ((target, json.dumps(record, indent=1) + "\n"), (target.with_suffix(".md"), table(record))):
        beside = path.with_suffix(path.suffix + ".part")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)


def main() -> None:
    known = [name for name in models.names() if models.entry(name).donor]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", nargs="+", metavar="NAME", choices=known, default=known, help="default: all with a donor")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--pairs", type=int, default=7, help="rounds that count")
    parser.add_argument("--quick", action="store_true", help="two pairs, written to files of their own")
    parser.add_argument("--fresh", action="store_true", help="measure again what is already measured")
    options = parser.parse_args()
    device, pairs = options.device, 2 if options.quick else options.pairs
    torch.set_num_threads(THREADS)
    gpu = f", {torch.cuda.get_device_name()}" if device == "cuda" else ""
    machine = f"{os.cpu_count()} CPU cores, {platform.machine()}{gpu}"
    settings = {"machine": machine, "python": platform.python_version(), "threads": THREADS, "pairs": pairs}
    settings |= {library: version(library) for library in ("torch", "torchvision", "timm")}
    target = RESULTS / f"models-{device}{'-quick' if options.quick else ''}.json"
    record = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"models": {}}
    if record.get("settings", settings) != settings:
        print(f"{target.name} was measured otherwise and is replaced")
        record = {"models": {}}
    record |= {"settings": settings, "date": date.today().isoformat(), "command": " ".join(("python", *sys.argv))}
    done = {name for name, found in record["models"].items() if not any(row["disturbed"] for row in found["rows"])}
    todo = [name for name in options.models if options.fresh or name not in done]
    batches, work = {}, {}
    for name in todo:
        with torch.device("meta"):
            macs = count(models.create(name), (3, models.entry(name).size, models.entry(name).size)).macs
        batches[name] = GPU_BATCH if device == "cuda" else min(16, max(2, 2 ** round(math.log2(CPU_MACS / macs))))
        work[name] = macs * batches[name] + CPU_MACS / 4  # a quarter for building it
    start = time.perf_counter()
    for i, name in enumerate(todo, 1):
        try:
            record["models"][name] = measure(name, batches[name], pairs, device)
        except ImportError as error:
            print(f"{name} is left out: {error}")
            continue
        record["models"] = {other: record["models"][other] for other in known if other in record["models"]}
        store(record, target)
        for row in record["models"][name]["rows"]:
            ratios = f"same format {row['same_format']['median']:.2f}, as run {row['as_run']['median']:.2f}"
            more = f"peak {row['peak_bytes']['ratio']:.3f}" + ", disturbed" * row["disturbed"]
            print(f"{name}, {row['pass']}, {row['precision']}: {ratios}, {more}")
        left = (time.perf_counter() - start) * (sum(work.values()) / sum(work[other] for other in todo[:i]) - 1)
        print(f"{i} of {len(todo)}, about {left / 60:.1f} min left", flush=True)
    print(f"{len(record['models'])} of {len(known)} networks in {target.with_suffix('.md')}; of all of them:")
    for gate in record.get("gates", []):
        print(f"{'holds' if gate['holds'] else 'FAILS'}: {gate['gate']}: {gate['value']:.3f}")


if __name__ == "__main__":
    main()
