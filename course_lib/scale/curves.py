"""Error curves of runs by a recipe, in the course's style."""

from collections.abc import Mapping, Sequence
from statistics import mean

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from course_lib.figures import COLOURS, INKS, label_line_ends
from course_lib.scale.run import Result


def error_curves(runs: Mapping[str, Sequence[Result]], kinds: Mapping[str, str]) -> Figure:
    """Training error (dashed) and test error (solid) over iterations, and dotted lines where the recipe lowers its rate.

    Each kind of network has a panel; the second network of a panel is drawn darker. Single seeds are thin, their mean is bold.

    Args:
        runs: the seeds of each network, by the name to write beside its lines; two networks of a kind at most.
        kinds: the kind (colour) of each name.
    Raises:
        ValueError: if the seeds of a network are not equally long, or a kind has three networks or more.
    """
    panels: dict[str, list[str]] = {}
    for name, seeds in runs.items():
        panels.setdefault(kinds[name], []).append(name)
        if any(run.curve.iteration != seeds[0].curve.iteration for run in seeds):
            raise ValueError(f"the runs of {name} are not equally long; draw those of one length")
    crowded = {kind: names for kind, names in panels.items() if len(names) > 2}
    if crowded:
        raise ValueError(f"two networks of a kind can be told apart in a panel, not {crowded}; draw some of them")
    end = max(run.curve.iteration[-1] for seeds in runs.values() for run in seeds)
    figure, axes = plt.subplots(len(panels), squeeze=False, sharex=True, sharey=True, figsize=(5, 0.9 + 2.5 * len(panels)))
    for ax, (kind, names) in zip(axes.flat, panels.items(), strict=True):
        ends = []
        for name, colour in zip(names, (COLOURS[kind], INKS[COLOURS[kind]]), strict=False):
            curves = [run.curve for run in runs[name]]
            places = curves[0].iteration
            for what, dashes in (("train_error", "--"), ("test_error", "-")):
                lines = [getattr(curve, what) for curve in curves]
                for line in lines if len(lines) > 1 else ():
                    ax.plot(places, line, dashes, color=colour, linewidth=0.7, alpha=0.5)
                average = [mean(values) for values in zip(*lines, strict=True)]
                ax.plot(places, average, dashes, color=colour, marker="o" if len(places) < 10 else None, markersize=3)
            ends.append((average[-1], name, COLOURS[kind]))
        last = max(runs[name][0].curve.iteration[-1] for name in names)
        label_line_ends(ax, last, ends)
        for place in drops(runs[names[0]][0]):
            ax.axvline(place, color=COLOURS["neutral"], linewidth=0.8, linestyle=":")
        ax.set(ylabel="error (%)", xlim=(0, 1.02 * end), ylim=(-3, 100))
    ax.set_xlabel("iteration (dashed: training, solid: test)")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return figure


def drops(run: Result) -> list[float]:
    """The iterations at which a recipe lowers its rate by a step."""
    recipe = run.recipe
    if recipe["between"] != "steps":
        return []
    each = 1 if recipe["unit"] == "iterations" else run.training_images / recipe["batch_size"]
    return [each * at for at, _ in recipe["rate"][1:]]
