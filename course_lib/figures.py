"""The figures of the course: one matplotlib style, one colour per kind of network, and drawings in the page's own colours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from course_lib.data import Data
from course_lib.training import Run

# Okabe and Ito's palette, told apart by colour-blind readers; one colour means one kind of network throughout the course.
COLOURS = {
    "plain": "#D55E00",
    "residual": "#0072B2",
    "inception": "#009E73",
    "separable": "#CC79A7",
    "squeeze-excitation": "#E69F00",
    "neutral": "#555555",
}
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


def show_images(data: Data, columns: int = 10, rows: int = 2) -> Figure:
    """The first training images, each under its class."""
    figure, axes = plt.subplots(rows, columns, figsize=(0.6 * columns, 0.75 * rows))
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
    """Write names at the right end of lines on a 0 to 100 axis, pushed apart where they would overlap."""
    y = -100.0
    for value, name, colour in sorted(ends):
        y = max(value, y + 8)
        ax.annotate(name, (x, value), xytext=(x + 0.03 * x, y), color=colour, va="center", annotation_clip=False)


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
