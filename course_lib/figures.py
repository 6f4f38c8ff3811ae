"""The figures of the course: one matplotlib style, one colour per kind of network, and drawings in the page's own colours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from course_lib.data import Data
from course_lib.training import Run, Summary

# Okabe and Ito's palette, told apart by colour-blind readers; one colour means one kind of network throughout the course.
COLOURS = {
    "plain": "#D55E00",
    "residual": "#0072B2",
    "inception": "#009E73",
    "separable": "#CC79A7",
    "squeeze-excitation": "#E69F00",
    "neutral": "#555555",
}
# The same, dark enough for text on white (contrast 4.5).
INKS = {colour: tuple(0.6 * part for part in to_rgb(colour)) for colour in COLOURS.values()}
LINES = ("-", "--", ":", "-.")
DRAWINGS = Path(__file__).parent / "drawings"


def use_style() -> None:
    """Set matplotlib's defaults for this session: small figures with large type, for a phone as well as a desk."""
    plt.rcParams.update(
        {
            "figure.figsize": (5, 3.4),
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 12,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#DDDDDD",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "lines.linewidth": 2,
            "legend.frameon": False,
        }
    )


def show_images(data: Data, columns: int | None = None, rows: int = 2) -> Figure:
    """The first training images, each under its class: ten in a row, or five where the classes are words."""
    longest = max(map(len, data.classes))
    columns = columns or (10 if longest < 3 else 5)
    width = max(0.6, 0.12 * longest)  # inches, so that neighbouring names stay apart
    figure, axes = plt.subplots(rows, columns, figsize=(width * columns, (width + 0.15) * rows))
    for ax, image, label in zip(axes.flat, data.x_train, data.y_train, strict=False):
        low, high = image.amin(), image.amax()
        ax.imshow(((image - low) / (high - low)).permute(1, 2, 0), cmap="gray")
        ax.set_title(data.classes[label], fontsize=10)
        ax.axis("off")
    return figure


def training_curves(runs: Mapping[str, Sequence[Run]], kind: str | Mapping[str, str], what: str = "train_error") -> Figure:
    """A run's list over epochs: a thin line per seed, a bold one for the mean, labelled at its end.

    Args:
        runs: the seeds of each network, by the name to write beside its line.
        kind: which colour: one kind for all ("plain"), or a kind for each name; lines of one kind differ by their dashes.
    """
    figure, ax = plt.subplots()
    used: dict[str, int] = {}
    ends = []
    for name, seeds in runs.items():
        colour_name = kind if isinstance(kind, str) else kind[name]
        colour = COLOURS[colour_name]
        dashes = LINES[used.setdefault(colour_name, 0) % len(LINES)]
        used[colour_name] += 1
        curves = [getattr(run, what) for run in seeds]
        epochs = range(1, len(curves[0]) + 1)
        for curve in curves:
            ax.plot(epochs, curve, color=colour, linewidth=0.7, alpha=0.5)
        average = [mean(values) for values in zip(*curves, strict=True)]
        ax.plot(epochs, average, dashes, color=colour)
        ends.append((average[-1], name, colour))
    label_line_ends(ax, len(epochs), ends)
    ax.set(xlabel="epoch", ylabel=what.replace("_", "ing ", 1).replace("testing", "test") + " (%)", ylim=(-3, 100))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    return figure


def label_line_ends(ax: Axes, x: float, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write names beside the right end of lines on a 0 to 100 axis, pushed apart if they overlap and tied to their lines."""
    y = -100.0
    tie = {"arrowstyle": "-", "linewidth": 0.8, "shrinkA": 2, "shrinkB": 1, "relpos": (0, 0.5)}
    for value, name, colour in sorted(ends):
        y = max(value, y + 8)
        beside = {"xytext": (1.04, y), "textcoords": ax.get_yaxis_transform(), "va": "center", "color": INKS[colour]}
        ax.annotate(name, (x, value), **beside, arrowprops=tie | {"color": INKS[colour]}, annotation_clip=False)


def gradient_profiles(profiles: Mapping[str, Sequence[float]], kinds: Mapping[str, str]) -> Figure:
    """Gradient norm of each convolution, input to output, on a logarithmic axis.

    Args:
        profiles: norms by the name to write in the legend.
        kinds: the kind (colour) of each name; names of one kind differ by their dashes.
    """
    figure, ax = plt.subplots()
    used: dict[str, int] = {}
    for name, norms in profiles.items():
        dashes = LINES[used.setdefault(kinds[name], 0) % len(LINES)]
        used[kinds[name]] += 1
        place = [i / (len(norms) - 1) for i in range(len(norms))]
        ax.plot(place, norms, dashes, color=COLOURS[kinds[name]], label=name)
    ax.set_yscale("log")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set(xlabel="place in the network (0 = first layer, 1 = last)", ylabel="gradient norm")
    ax.legend(fontsize=10)
    return figure


def errors_by_setting(errors: Mapping[str, Summary], kind: str | Mapping[str, str], xlabel: str) -> Figure:
    """Errors of several settings side by side: a dot for each seed, a bar for the mean, the axis from 0.

    Args:
        errors: by the name to write under each.
        kind: which colour, one for all or one for each name.
    """
    figure, ax = plt.subplots()
    for place, (name, summary) in enumerate(errors.items()):
        colour = COLOURS[kind if isinstance(kind, str) else kind[name]]
        ax.plot([place] * len(summary.values), summary.values, "o", color=colour, markersize=5, alpha=0.6)
        ax.plot([place - 0.25, place + 0.25], [summary.mean] * 2, color=colour)
    ax.set_xticks(range(len(errors)), list(errors))
    ax.grid(visible=False, axis="x")
    top = 1.1 * max(max(summary.values) for summary in errors.values())
    ax.set(xlabel=xlabel, ylabel="training error (%)", xlim=(-0.5, len(errors) - 0.5), ylim=(0, top))
    return figure


def errors_along(curves: Mapping[str, Mapping[int, Summary]], kinds: Mapping[str, str], xlabel: str) -> Figure:
    """Test error over a number that is halved from place to place: a thin line for each seed, a bold one for the mean.

    Args:
        curves: errors by number, by the name to write in the legend.
        kinds: the kind (colour) of each name.
    """
    figure, ax = plt.subplots()
    for name, errors in curves.items():
        colour = COLOURS[kinds[name]]
        for seed in zip(*(summary.values for summary in errors.values()), strict=True):
            ax.plot(list(errors), seed, color=colour, linewidth=0.7, alpha=0.5)
        ax.plot(list(errors), [summary.mean for summary in errors.values()], "o-", color=colour, markersize=4, label=name)
    ax.set_xscale("log", base=2)
    ax.set_xticks(list(errors), [str(number) for number in errors])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(xlabel=xlabel, ylabel="test error (%)", ylim=(-3, 100))
    ax.legend(fontsize=10)
    return figure


def roofline(measured: Mapping[str, tuple[float, float]], kinds: Mapping[str, str], peak: float, bandwidth: float) -> Figure:
    """Speed of layers over their arithmetic intensity, under the roof that arithmetic and memory allow; both axes logarithmic.

    Args:
        measured: multiply-adds per byte and billions of multiply-adds per second, by the name to write beside each dot.
        kinds: the kind (colour) of each name.
        peak: billions of multiply-adds per second that the machine can do.
        bandwidth: billions of bytes per second that it can move.
    """
    figure, ax = plt.subplots()
    values = [intensity for intensity, _ in measured.values()]
    low, high = min(values) / 2, max(values) * 3
    ridge = min(max(peak / bandwidth, low), high)
    ax.plot([low, ridge, high], [low * bandwidth, min(peak, ridge * bandwidth), peak], color=COLOURS["neutral"])
    ax.annotate("arithmetic", (ridge, peak), xytext=(2, 4), textcoords="offset points", fontsize=10)
    ax.annotate("memory", (low, low * bandwidth), xytext=(6, -10), textcoords="offset points", fontsize=10)
    for name, (intensity, speed) in measured.items():
        colour = COLOURS[kinds[name]]
        ax.plot(intensity, speed, "o", color=colour, markersize=6)
        right = intensity > (low * high) ** 0.5  # where a label beside the dot would have no room
        place = {"xytext": (0, 8 if speed < peak / 1.5 else -16) if right else (8, -4), "ha": "center" if right else "left"}
        ax.annotate(name, (intensity, speed), textcoords="offset points", color=INKS[colour], fontsize=10, **place)
    ax.set(xscale="log", yscale="log", xlabel="multiply-adds per byte", ylabel="10⁹ multiply-adds per second")
    ax.set_ylim(min(speed for _, speed in measured.values()) / 2, peak * 2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if axis is ax.yaxis else (1,)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    return figure


def channel_gates(gates: Mapping[str, Sequence[Sequence[float]]], kinds: Mapping[str, str]) -> Figure:
    """Gates of squeeze and excitation over channels that come sorted, one thin line for each row of a group.

    Args:
        gates: rows of gates by the name of their group, which is written in the legend.
        kinds: which colour for each group.
    """
    figure, ax = plt.subplots()
    for dashes, (name, rows) in zip(LINES, gates.items(), strict=False):
        for place, row in enumerate(rows):
            label = name if place == 0 else None
            ax.plot(range(1, len(row) + 1), row, dashes, color=COLOURS[kinds[name]], linewidth=1.5, label=label)
    ax.set(xlabel="channel, sorted as the text says", ylabel="mean gate", ylim=(-0.02, 1.02))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.legend(fontsize=10, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return figure


class Drawing:
    """A drawing of the course, in the page's own colours, light or dark; its text form is the description."""

    def __init__(self, name: str):
        path = DRAWINGS / f"{name}.svg"
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in DRAWINGS.glob("*.svg")))
            raise ValueError(f"drawing {name!r} is unknown; the course has {known}")
        self.svg = path.read_text(encoding="utf-8")

    def __repr__(self) -> str:
        return self.svg.split("<title>", 1)[1].split("</title>", 1)[0]

    def _repr_html_(self) -> str:
        return f'<figure class="drawing" style="margin:0;text-align:center">{self.svg}</figure>'
