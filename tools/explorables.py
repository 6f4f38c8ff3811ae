"""Write what the explorables store: their data, computed or measured here, and the pictures for readers without scripts.

    python tools/explorables.py data [NAMES]   compute and measure course_lib/explorables/data (minutes, quiet machine)
    python tools/explorables.py draw [NAMES]   draw course_lib/explorables/pictures in a browser, from the scripts

Without NAMES: all. A test draws every picture again and compares it.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from screenshots import browser  # noqa: E402

from course_lib.explorables import HERE, STATIC, script  # noqa: E402


def write(path: Path, text: str) -> None:
    """Write beside, then rename."""
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def still_picture(page, name: str) -> str:
    """What the script of an explorable draws at its start, as HTML."""
    page.set_content("<!DOCTYPE html><title>picture</title>")
    page.evaluate((STATIC / "kit.js").read_text(encoding="utf-8"))
    page.evaluate(script(name))
    return page.evaluate("name => window.courseExplorables.still(name)", name)


def draw(names: list[str]) -> None:
    with browser() as chromium:
        for name in names:
            page = chromium.new_page()
            write(HERE / "pictures" / f"{name}.html", still_picture(page, name) + "\n")
            page.close()
            print(f"drew {name}")


def compute(names: list[str]) -> None:
    """Store what ``tools/explorable_data/NAME.py`` gives, for the explorables that have such a file."""
    for name in names:
        if (Path(__file__).parent / "explorable_data" / f"{name}.py").is_file():
            data = importlib.import_module(f"explorable_data.{name}").data()
            write(HERE / "data" / f"{name}.json", json.dumps(data, separators=(",", ":")) + "\n")
            print(f"wrote the data of {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("data", "draw"))
    known = sorted(file.stem for file in STATIC.glob("*.js") if file.stem not in ("kit", "quiz"))
    parser.add_argument("names", nargs="*", metavar="NAMES", help=f"of {', '.join(known)}")
    options = parser.parse_args()
    names = options.names or known
    if unknown := set(names) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    {"data": compute, "draw": draw}[options.command](names)


if __name__ == "__main__":
    main()
