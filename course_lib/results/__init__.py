"""Recorded runs and measurements that are too long for a page: each file says which command made it, where and with what."""

import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class RecordedRun:
    """One run of a recorded experiment; the lists hold one entry per epoch, errors in percent."""

    network: str
    seed: int
    epochs: int
    lr: float
    batch_size: int
    train_error: list[float]
    test_error: list[float]


@dataclass(frozen=True)
class Record:
    """A recorded experiment: what made it, and its runs by network."""

    command: str
    machine: str
    versions: dict[str, str]
    runs: dict[str, list[RecordedRun]]


def load_record(name: str) -> Record:
    """Read one recorded experiment, for example "shortcuts".

    Raises:
        ValueError: if there is none of that name.
    """
    path = HERE / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in HERE.glob("*.json")))
        raise ValueError(f"no recorded experiment {name!r}; there are: {known}")
    stored = json.loads(path.read_text(encoding="utf-8"))
    runs: dict[str, list[RecordedRun]] = {}
    for run in stored.pop("runs"):
        runs.setdefault(run["network"], []).append(RecordedRun(**run))
    return Record(**stored, runs=runs)


@dataclass(frozen=True)
class NetworkCost:
    """What one network of the catalogue costs for one image of its size.

    Args:
        parameters, macs, activations: counted, without auxiliary classifiers.
        peak_bytes: measured: the weights, and the most that a pass in evaluation holds beyond them.
        median, low, high: measured: milliseconds of such a pass on one core, with the quartiles below and above.
    """

    name: str
    parameters: int
    macs: int
    activations: int
    peak_bytes: int
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class NetworkCosts:
    """The recorded costs of all networks by name, and what made them."""

    command: str
    machine: str
    versions: dict[str, str]
    networks: dict[str, NetworkCost]


def load_networks() -> NetworkCosts:
    """Read the recorded costs of the networks of ``models.names()``."""
    stored = json.loads((HERE / "networks.json").read_text(encoding="utf-8"))
    rows = stored.pop("networks")
    return NetworkCosts(**stored, networks={row["name"]: NetworkCost(**row) for row in rows})
