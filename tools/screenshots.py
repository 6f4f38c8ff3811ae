"""Save a picture of every page of the built site, wide and narrow, light and dark, to look at before a release.

    python tools/screenshots.py OUTDIR [--site _build/html] [--only book/01]

Needs Playwright (``pip install playwright``) and a Chromium of the system. ``tests/book/test_site.py`` uses the same
server and the same browser.
"""

import argparse
import contextlib
import functools
import http.server
import itertools
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[1]
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
# No sandbox: containers run as root. The rest keeps the browser from talking to its maker, and finds it no other host.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def site_prefix() -> str:
    """The path under which the site is published, from the one address in ``_config.yml``."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return urlsplit(config["html"]["baseurl"]).path or "/"


def site_pages(site: Path) -> list[str]:
    """Addresses of all pages below the site's root, without the redirection at the root itself."""
    pages = (page.relative_to(site) for page in sorted(site.rglob("*.html")))
    return [page.as_posix() for page in pages if page.parts[0] != "_static" and page.as_posix() != "index.html"]


@contextlib.contextmanager
def serve(site: Path, prefix: str):
    """The site on a free port of this machine, under the path that it has when published; gives the address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def translate_path(self, path):
            inside = path.startswith(prefix)
            return super().translate_path("/" + path.removeprefix(prefix) if inside else "/outside the site")

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def find_chromium() -> str | None:
    """The browser of the system, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@contextlib.contextmanager
def browser():
    """A headless Chromium of the system under Playwright's control."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        try:
            yield chromium
        finally:
            chromium.close()


def settle(page, seconds: int = 20) -> None:
    """Load all pictures, wait until they are there and equations and fonts are set, or raise Playwright's error after a while."""
    page.evaluate(
        """async () => {
          for (const image of document.images) image.loading = "eager";
          await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
        }"""
    )
    typeset(page, seconds)


def typeset(page, seconds: int = 20) -> None:
    """Wait until equations and fonts are set, or raise Playwright's error after some seconds."""
    page.evaluate(
        """async (limit) => {
          const ready = (async () => { await window.MathJax?.startup?.promise; await document.fonts.ready; })();
          const fault = new Error("equations or fonts are not ready");
          const late = new Promise((_, reject) => setTimeout(reject, limit, fault));
          await Promise.race([ready, late]);
        }""",
        1000 * seconds,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--site", type=Path, default=ROOT / "_build/html", help="the built site (default: _build/html)")
    parser.add_argument("--only", default="", help="only pages whose address contains this")
    options = parser.parse_args()
    pages = [page for page in site_pages(options.site) if options.only in page]
    if not pages:
        parser.error(f"no page to take in {options.site}; build the site first, or check --only")
    if find_chromium() is None:
        parser.error("no Chromium found on this system")
    options.outdir.mkdir(parents=True, exist_ok=True)
    with serve(options.site.resolve(), site_prefix()) as address, browser() as chromium:
        for scheme, width in itertools.product(SCHEMES, WIDTHS):
            page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            for name in pages:
                page.goto(address + name)
                settle(page)
                # For the whole page Chromium lays it out one pixel wide for a moment, from which the sidebar would slide back.
                page.add_style_tag(content="* { transition: none !important }")
                picture = f"{name.removesuffix('.html').replace('/', '-')}-{width}-{scheme}.png"
                page.screenshot(path=options.outdir / picture, full_page=True)
            page.close()
    print(f"{len(pages) * len(WIDTHS) * len(SCHEMES)} pictures in {options.outdir}")


if __name__ == "__main__":
    main()
