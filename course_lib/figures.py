"""The figures of the course: one matplotlib style, one colour per kind of network, and drawings in the page's own colours."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from math import ceil, log
from pathlib import Path
from statistics import mean

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
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
    ax.annotate("arithmetic", (high, peak), xytext=(0, 4), textcoords="offset points", ha="right", fontsize=10)
    ax.annotate("memory", (low, low * bandwidth), xytext=(6, -10), textcoords="offset points", fontsize=10)
    for name, (intensity, speed) in measured.items():
        colour = COLOURS[kinds[name]]
        ax.plot(intensity, speed, "o", color=colour, markersize=6)
        below = intensity > (low * high) ** 0.5
        place = {"xytext": (0, -16) if below else (8, -4), "ha": "center" if below else "left"}
        ax.annotate(name, (intensity, speed), textcoords="offset points", color=colour, fontsize=10, **place)
    ax.set(xscale="log", yscale="log", xlabel="multiply-adds per byte", ylabel="10⁹ multiply-adds per second")
    ax.set_ylim(min(speed for _, speed in measured.values()) / 2, peak * 2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if axis is ax.yaxis else (1,)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    return figure


def channel_gates(gates: Mapping[str, Sequence[Sequence[float]]], kinds: Mapping[str, str]) -> Figure:
    """Gates of squeeze and excitation over the channels, one thin line for each row of a group.

    Args:
        gates: rows of gates by the name of their group, which is written in the legend.
        kinds: which colour for each group.
    """
    figure, ax = plt.subplots()
    for dashes, (name, rows) in zip(LINES, gates.items(), strict=False):
        for place, row in enumerate(rows):
            label = name if place == 0 else None
            ax.plot(range(1, len(row) + 1), row, dashes, color=COLOURS[kinds[name]], linewidth=1.5, label=label)
    ax.set(xlabel="channel", ylabel="mean gate", ylim=(-0.02, 1.02))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
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


class NetworkMap:
    """Error against cost, a point for each network: choose the cost, point at a network to read its numbers.

    It needs neither a kernel nor a script: radio buttons and CSS move the points. Its text form names the networks on each front.

    Args:
        networks: by name, the kind (colour) and the top-1 error in percent.
        costs: by label ("multiply-adds (G)"), a number above 0 for each network.
        hollow: names to draw as rings, because their error was measured in another way; they do not count for the front.
        limits: lowest and highest error of the axis; what lies above is drawn at the top as a triangle.
    """

    LEFT, RIGHT, TOP, BOTTOM = 34, 362, 62, 300

    def __init__(
        self,
        networks: Mapping[str, tuple[str, float]],
        costs: Mapping[str, Mapping[str, float]],
        hollow: Collection[str] = (),
        limits: tuple[float, float] = (18, 31),
    ):
        self.networks, self.costs, self.hollow, self.limits = networks, costs, hollow, limits
        self.fronts = {label: self.front(values) for label, values in costs.items()}

    def front(self, values: Mapping[str, float]) -> list[str]:
        """Networks than which no other is both cheaper and better, cheapest first."""
        best, found = float("inf"), []
        for name in sorted(self.networks, key=lambda name: (values[name], self.networks[name][1])):
            if name not in self.hollow and self.networks[name][1] < best:
                best = self.networks[name][1]
                found.append(name)
        return found

    def x(self, label: str, value: float) -> float:
        low, high = min(self.costs[label].values()), max(self.costs[label].values())
        return round(self.LEFT + 14 + (self.RIGHT - self.LEFT - 28) * log(value / low) / log(high / low), 1)

    def y(self, error: float) -> float:
        low, high = self.limits
        return round(self.BOTTOM - (self.BOTTOM - self.TOP) * (min(error, high) - low) / (high - low), 1)

    def __repr__(self) -> str:
        parts = [f"{len(self.networks)} networks, top-1 error against cost. Not beaten in both, cheapest first:"]
        parts += [f"{label}: {', '.join(front)}." for label, front in self.fronts.items()]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        rules, buttons = [self.STYLE], []
        for i, label in enumerate(self.costs):
            shown = f".network-map:has(.by{i}:checked) "
            rules.append(f"{shown}.on{i}{{display:inline}}{shown}.at{{transform:translateX(var(--x{i}))}}")
            rules += [f"{shown}.on{j}{{display:none}}" for j in range(len(self.costs)) if j != i]
            checked = " checked" * (i == 0)
            button = f'<input type="radio" name="network-map" id="network-map-{i}" class="by{i}"{checked}>'
            buttons.append(f'<span>{button}<label for="network-map-{i}">{label}</label></span>')
        points = (self.point(*item) for item in sorted(self.networks.items(), key=lambda item: item[1][1]))
        svg = "\n".join([*self.frame(), *points])
        about = escape(repr(self).replace("\n", " "))
        return (
            f'<figure class="drawing network-map" style="margin:0;text-align:center"><style>{"".join(rules)}</style>\n'
            f'<div role="radiogroup" aria-label="cost on the horizontal axis">Cost: {" ".join(buttons)}</div>\n'
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 370 372" width="560" role="group" '
            'style="display:block;margin:0 auto;max-width:100%;height:auto;color:inherit" font-family="sans-serif" '
            f'font-size="12" fill="currentColor" aria-label="{about}">\n{svg}\n</svg></figure>'
        )

    STYLE = (
        ".network-map span{white-space:nowrap}.network-map label{margin:0 .7em 0 .25em}"
        ".network-map .network{cursor:default;outline:none}"
        ".network-map .network:hover .numbers,.network-map .network:focus .numbers{opacity:1}"
        ".network-map .network:hover .at,.network-map .network:focus .at{stroke:currentColor;stroke-width:3}"
        "@supports selector(:has(a)){.network-map .advice{opacity:.8}}"
        ".network-map:has(.network:hover) .network:focus:not(:hover) .numbers,"
        ".network-map:has(.network:hover,.network:focus) .advice{opacity:0}"
        "@media(prefers-reduced-motion:no-preference){.network-map .at{transition:transform .4s}}"
    )

    def frame(self) -> Iterator[str]:
        """Axes, and for each cost its ticks and its front."""
        line = 'fill="none" stroke="currentColor"'
        yield f'<path d="M{self.LEFT} {self.TOP - 8}V{self.BOTTOM}H{self.RIGHT}" {line}/>'
        yield f'<text x="{self.LEFT - 28}" y="{self.TOP - 16}">top-1 error (%)</text>'
        yield '<text class="advice" x="4" y="14" opacity="0">Point at a network, tap it or tab to it for its numbers.</text>'
        for error in range(ceil(self.limits[0] / 2) * 2, int(self.limits[1]) + 1, 2):
            height = self.y(error)
            yield f'<path d="M{self.LEFT} {height}H{self.RIGHT}" {line} stroke-opacity=".15"/>'
            yield f'<text x="{self.LEFT - 5}" y="{height + 4}" text-anchor="end">{error}</text>'
        for i, (label, values) in enumerate(self.costs.items()):
            yield f'<g class="on{i}"{" display=" + chr(34) + "none" + chr(34) if i else ""}>'
            for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
                if min(values.values()) <= tick <= max(values.values()):
                    yield f'<path d="M{self.x(label, tick)} {self.BOTTOM}v5" {line}/>'
                    yield f'<text x="{self.x(label, tick)}" y="{self.BOTTOM + 18}" text-anchor="middle">{tick}</text>'
            yield f'<text x="{(self.LEFT + self.RIGHT) / 2}" y="{self.BOTTOM + 37}" text-anchor="middle">{label}</text>'
            corners = [(self.x(label, values[name]), self.y(self.networks[name][1])) for name in self.fronts[label]]
            path = f"M{corners[0][0]} {corners[0][1]}" + "".join(f"H{x}V{y}" for x, y in corners[1:])
            yield f'<path d="{path}" {line} stroke-opacity=".6" stroke-dasharray="4 3"/>'
            free = float("inf")
            for name, (x, y) in sorted(zip(self.fronts[label], corners, strict=True), key=lambda one: -one[1][1]):
                near = any(0 < x - other < 120 and 0 < y - above < 10 for other, above in corners)
                cramped = x - 8 - 6.2 * len(name) < self.LEFT
                below = y + 15 if cramped or near else y + 4  # beside its point, or under it where there is no room
                if below <= free - 12:
                    place, anchor = (x - 4, "start") if cramped else (x - 8, "end")
                    yield f'<text x="{place:.1f}" y="{below:.1f}" text-anchor="{anchor}">{name}</text>'
                    free = below
            yield "</g>"
        place = 8.0
        for kind in dict.fromkeys(kind for kind, _ in self.networks.values()):
            yield f'<circle cx="{place:.1f}" cy="360" r="4.5" fill="{self.colour(kind)}"/>'
            yield f'<text x="{place + 7:.1f}" y="364" font-size="11.5">{kind}</text>'
            place += 18 + 5.5 * len(kind)

    def point(self, name: str, about: tuple[str, float]) -> str:
        """One network, at the first cost until a button moves it, and its two lines of numbers."""
        error, colour = about[1], self.colour(about[0])
        places = [self.x(label, values[name]) for label, values in self.costs.items()]
        moves = ";".join(f"--x{i}:{place}px" for i, place in enumerate(places))
        numbers = " · ".join(f"{values[name]:.3g} {label}" for label, values in self.costs.items())
        method = " (10 crops)" if name in self.hollow else ""
        fill = f'fill="none" stroke="{colour}" stroke-width="2"' if name in self.hollow else f'fill="{colour}"'
        y, above = self.y(error), error > self.limits[1]
        shape = f'<path d="M-6 {y + 3}h12l-6 -10z"' if above else f'<circle cx="0" cy="{y}" r="5"'
        lines = f'<text x="4" y="14" font-weight="700">{name}: {error:.2f} %{method}</text>'
        lines += f'<text x="4" y="31" font-size="10.2">{numbers}</text>'
        return (
            f'<g class="network" tabindex="0" role="img" aria-label="{name}: {error:.2f} % top-1 error{method}, {numbers}" '
            f'style="{moves}"><title>{name}: {error:.2f} %{method}, {numbers}</title>'
            f'<circle class="at" transform="translate({places[0]} 0)" cy="{y}" r="9" opacity="0"/>'
            f'{shape} class="at" transform="translate({places[0]} 0)" {fill}/><g class="numbers" opacity="0">{lines}</g></g>'
        )

    @staticmethod
    def colour(kind: str) -> str:
        return f"var(--{kind},{COLOURS[kind]})"
