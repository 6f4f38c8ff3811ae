"""Figures that react without a kernel, on the site, in JupyterLab and in Colab; each holds a complete static picture.

An explorable NAME is ``static/NAME.js``, a custom element ``<course-NAME>``; what it shows of the course's own runs is
``data/NAME.json``; ``pictures/NAME.html`` is what its script draws at the start, stored for readers without scripts.
``tools/explorables.py`` writes the last two. Nothing here imports torch: the site is built without it.
"""

import json
import re
from html import escape, unescape
from pathlib import Path

HERE = Path(__file__).parent
STATIC = HERE / "static"


def names() -> list[str]:
    """All explorables."""
    return sorted(file.stem for file in (HERE / "pictures").glob("*.html"))


def script(name: str) -> str:
    """The script that defines one explorable, its recorded data before it; ``kit.js`` has to run first."""
    data = HERE / "data" / f"{name}.json"
    stored = json.dumps(json.loads(data.read_text(encoding="utf-8")), separators=(",", ":")) if data.is_file() else "null"
    code = (STATIC / f"{name}.js").read_text(encoding="utf-8")
    return f"(window.courseExplorableData ??= {{}})[{json.dumps(name)}] = {stored};\n{code}"


def live(element: str, name: str) -> str:
    """An element with the style and the scripts that make it react: what a live notebook shows."""
    # Tagged as live, so that stored outputs keep the picture alone: an edit of a script makes no notebook stale.
    style = (STATIC / "explorable.css").read_text(encoding="utf-8")
    kit = (STATIC / "kit.js").read_text(encoding="utf-8")
    code = f"{kit}\n{script(name)}".replace("</script", "<\\/script")
    return f'{element}<style data-live-only="1">{style}</style><script data-live-only="1">{code}</script>'


class Explorable:
    """One figure to play with, as the last line of a cell. Its text form is the sentence under the picture.

    Args:
        name: one of ``names()``.
        own: data of this figure in place of the stored ones, as its script reads them.
        picture: HTML for readers without scripts, if the stored picture does not show ``own``; it has a ``<p class="sentence">``.
    Raises:
        ValueError: if there is no explorable of that name.
    """

    def __init__(self, name: str, own: dict | None = None, picture: str | None = None):
        if name not in names():
            raise ValueError(f"explorable {name!r} is unknown; the course has {', '.join(names())}")
        self.name, self.own = name, own
        self.picture = (HERE / "pictures" / f"{name}.html").read_text(encoding="utf-8") if picture is None else picture

    def __repr__(self) -> str:
        sentence = re.search(r'<p class="sentence">(.*?)</p>', self.picture, re.S)[1]
        return unescape(re.sub("<[^>]*>", "", sentence))

    def element(self) -> str:
        """The element with its picture, without scripts and style: what a page of the site holds."""
        text = json.dumps(self.own, ensure_ascii=False, separators=(",", ":"))
        own = "" if self.own is None else f' data-own="{escape(text)}"'
        return f'<course-{self.name} class="explorable"{own}>{self.picture}</course-{self.name}>'

    def _repr_html_(self) -> str:
        return live(self.element(), self.name)
