"""Every internal address of a built site leads to a file and, if it names one, to an anchor that exists.

    python tests/book/check_links.py _build/html /course/

The second argument is the path under which the site is published; addresses that start with "/" are read from there.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ADDRESSES = {"a": "href", "link": "href"} | dict.fromkeys(("script", "img", "source", "iframe", "video"), "src")


class Page(HTMLParser):
    """The addresses and ids of one page."""

    def __init__(self, path: Path):
        super().__init__()
        self.addresses: list[tuple[str, str, str]] = []  # tag, rel, address
        self.ids: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        address = attributes.get(ADDRESSES.get(tag))
        if address is not None:
            self.addresses.append((tag, attributes.get("rel", ""), address))


def read_pages(site: Path) -> dict[Path, Page]:
    """All pages of the site; macros that the theme leaves in ``_static`` are none."""
    return {path: Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.relative_to(site).parts}


def broken_links(site: Path, prefix: str) -> tuple[int, list[str]]:
    """How many internal addresses there are, and a line for each that leads nowhere."""
    site = site.resolve()
    pages, count, broken = read_pages(site), 0, []
    for path, page in pages.items():
        for name in sorted({name for name in page.ids if page.ids.count(name) > 1}):
            broken.append(f"{path.relative_to(site)}: the id {name!r} occurs twice")
        for _, _, address in page.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            target = unquote(parts.path)
            if target.startswith("/") and not target.startswith(prefix):
                broken.append(f"{path.relative_to(site)}: {address} is outside {prefix}")
                continue
            file = site / target.removeprefix(prefix) if target.startswith("/") else path.parent / (target or path.name)
            file = (file / "index.html" if file.is_dir() else file).resolve()
            if not file.is_file():
                broken.append(f"{path.relative_to(site)}: {address} leads nowhere")
            elif parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].ids:
                broken.append(f"{path.relative_to(site)}: {address} names an anchor that does not exist")
    return count, broken


if __name__ == "__main__":
    number, problems = broken_links(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "/")
    print(*problems, f"{number} internal addresses, {len(problems)} broken", sep="\n")
    sys.exit(bool(problems))
