"""Trees of all networks of the course, as ``stage_costs`` counts them; minutes, as each is counted at every depth."""

import torch

from course_lib import models
from course_lib.explorables.architecture import Packed, tree

COLOURS = {
    **dict.fromkeys(("baselines", "plain"), "plain"),
    **dict.fromkeys(("resnet", "preact", "resnext"), "residual"),
    **dict.fromkeys(("separable", "mobilenet"), "separable"),
    "squeeze_excitation": "squeeze-excitation",
}


def data() -> dict:
    packed = Packed()
    for name in models.names():
        entry = models.entry(name)
        with torch.device("meta"):
            network = models.create(name)
        shape = (3, entry.size, entry.size)
        packed.add(name, COLOURS.get(entry.family, "inception"), shape, tree(network, shape))
    return packed.data()
