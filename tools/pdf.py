"""The whole book as one PDF with bookmarks: ``python tools/pdf.py`` prints the built site into _build/course.pdf.

Needs Playwright, pypdf and a Chromium of the system (`make pdf` installs the first two).
"""

import io
import sys
from pathlib import Path

import yaml
from pypdf import PdfReader, PdfWriter

sys.path.insert(0, str(Path(__file__).parent))

from screenshots import ROOT, browser, find_chromium, serve, settle, site_prefix  # noqa: E402

MARGIN = {"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"}
FOOT = (
    '<div style="font-size:8px;width:100%;text-align:center"><span class="title"></span> · <span class="pageNumber"></span></div>'
)


def documents() -> list[tuple[str, list[str]]]:
    """The pages of the book by the heading that they stand under in the contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = [(part["caption"], [chapter["file"] for chapter in part["chapters"]]) for part in toc["parts"]]
    return [("", [toc["root"]]), *parts]


def printed(page, address: str) -> PdfReader:
    page.goto(address)
    settle(page)
    data = page.pdf(format="A4", margin=MARGIN, print_background=True, display_header_footer=True,
                    header_template="<div></div>", footer_template=FOOT)  # fmt: skip
    return PdfReader(io.BytesIO(data))


def main() -> None:
    site, target = ROOT / "_build/html", ROOT / "_build/course.pdf"
    if not (site / "index.html").is_file():
        raise SystemExit("_build/html is missing: make book")
    if find_chromium() is None:
        raise SystemExit("no Chromium found on this system")
    book = PdfWriter()
    with serve(site, site_prefix()) as address, browser() as chromium:
        page = chromium.new_page(color_scheme="light")
        for caption, files in documents():
            heading = None
            for file in files:
                first = len(book.pages)
                for sheet in printed(page, f"{address}{file}.html").pages:
                    book.add_page(sheet)
                if caption and heading is None:
                    heading = book.add_outline_item(caption, first)
                book.add_outline_item(page.title().partition(" — ")[0], first, parent=heading)
                print(f"{file}: {len(book.pages) - first} pages", flush=True)
    book.compress_identical_objects()
    beside = target.with_suffix(".part")
    book.write(beside)
    beside.replace(target)
    print(f"{len(book.pages)} pages in {target.relative_to(ROOT)}, {target.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
