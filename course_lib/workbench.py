"""Controls for a function of the page: choose, run, look. They need a live kernel; a stored page keeps the first picture."""

import inspect
from collections.abc import Callable, Iterable
from io import BytesIO

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Workbench:
    """A control for each choice, a button, and the figure of the last run, as the last line of a cell.

    ::

        Workbench(try_depth, depth=(8, 20, 56), seed=range(10))

    Shown, it runs the function once with the function's own defaults. While it runs, what it prints stands under the button;
    interrupting the kernel (■) ends the run and keeps the controls.

    Args:
        function: gives a matplotlib figure; each choice is one of its arguments, and has a default among the values.
        choices: the values to choose from, by argument.
    Raises:
        ValueError: if a choice has no values, is no argument of the function, or does not hold its default.
    """

    def __init__(self, function: Callable[..., Figure], **choices: Iterable):
        self.function = function
        self.choices = {name: list(values) for name, values in choices.items()}
        defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
        for name, values in self.choices.items():
            if name not in defaults:
                raise ValueError(f"{name} is no argument of {function.__name__}; it takes {', '.join(defaults)}")
            if defaults[name] not in values:
                raise ValueError(f"{name}={defaults[name]!r}, the default of {function.__name__}, is not among {values}")
        self.start = {name: defaults[name] for name in self.choices}

    def __repr__(self) -> str:
        lines = (f"  {name}: {', '.join(map(str, values))}" for name, values in self.choices.items())
        shown = ", ".join(f"{name}={value!r}" for name, value in self.start.items())
        return "\n".join([f"{self.function.__name__}({shown}); in a live kernel choose", *lines])

    def _repr_mimebundle_(self, **_) -> dict:
        """The picture, and where ipywidgets is installed the controls, which a live notebook shows instead."""
        picture = png(self.function(**self.start))
        bundle = {"text/plain": repr(self), "image/png": picture}
        try:
            panel = self.panel(picture)
        except ImportError:
            bundle["text/plain"] += "\n(the controls need ipywidgets: %pip install ipywidgets)"
        else:  # what ipywidgets 7 (Colab's) and 8 both display
            bundle[WIDGET_VIEW] = {"version_major": 2, "version_minor": 0, "model_id": panel.model_id}
        return bundle

    def panel(self, picture: bytes):
        """The controls around a first picture, as one widget.

        Raises:
            ImportError: where ipywidgets is not installed.
        """
        import ipywidgets as widgets

        wrap = widgets.Layout(flex_flow="row wrap", align_items="center")
        controls = {
            name: widgets.Dropdown(
                description=name.replace("_", " "),
                options=[(str(value), value) for value in values],
                value=self.start[name],
                style={"description_width": "initial"},
                layout=widgets.Layout(width="auto", margin="2px 12px 2px 2px"),
            )
            for name, values in self.choices.items()
        }
        button = widgets.Button(description="Run", button_style="primary")
        screen = widgets.Output()
        image = widgets.Image(value=picture, format="png", layout=widgets.Layout(max_width="100%", align_self="flex-start"))

        def run(_) -> None:
            button.disabled, button.description = True, "Running …"
            screen.clear_output()
            try:
                with screen:
                    try:
                        image.value = png(self.function(**{name: control.value for name, control in controls.items()}))
                    except KeyboardInterrupt:
                        print("stopped; the picture is that of the run before")
            finally:
                button.disabled, button.description = False, "Run"

        button.on_click(run)
        return widgets.VBox([widgets.HBox([*controls.values(), button], layout=wrap), screen, image])


def png(figure: Figure) -> bytes:
    """A figure as a picture; it is closed, so that nothing shows it a second time."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=figure.dpi)
    plt.close(figure)
    return file.getvalue()
