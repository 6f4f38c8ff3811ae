"""What the landscape shows: published errors of the catalogue's networks, and their recorded costs (course_lib/results)."""

from course_lib import models
from course_lib.results import load_networks

# One colour means one kind of network; what is not here has Inception's branches.
KINDS = {"baselines": "plain", "plain": "plain", "resnet": "residual", "preact": "residual", "resnext": "residual"}
KINDS |= {"separable": "separable", "mobilenet": "separable", "squeeze_excitation": "squeeze-excitation"}


def data() -> dict:
    record = load_networks()
    rows = []
    for name in models.names():
        entry, cost = models.entry(name), record.networks[name]
        rows.append(
            {
                "name": name,
                "kind": KINDS.get(entry.family, "inception"),
                "images": "CIFAR-10" if entry.num_classes == 10 else "ImageNet",
                "size": entry.size,
                "top1": entry.top1,
                "top5": entry.top5,
                "crops": 10 if "10 crops" in entry.source else 1,
                "source": entry.source,
                "macs": cost.macs,
                "parameters": cost.parameters,
                "activations": cost.activations,
                "memory": cost.peak_bytes,
                "latency": cost.median,
            }
        )
    made = {"command": record.command, "machine": f"{record.machine}, one core used", "versions": record.versions}
    return {**made, "networks": rows}
