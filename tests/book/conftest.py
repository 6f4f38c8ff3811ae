"""The built site.

The site is the folder that the variable SITE_HTML names, else ``_build/html``, which is built when it is missing or
older than its sources.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "tools")]

from built_site import ROOT, failures  # noqa: E402
from screenshots import serve, site_pages, site_prefix  # noqa: E402


def newest(paths) -> float:
    return max((path.stat().st_mtime for path in paths if path.is_file()), default=0.0)


def sources():
    yield from (ROOT / "_config.yml", ROOT / "_toc.yml")
    for folder in ("book", "exercises", "solutions", "course_lib"):
        yield from (path for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts)


@pytest.fixture(scope="session")
def site() -> Path:
    if os.environ.get("SITE_HTML"):
        return Path(os.environ["SITE_HTML"]).resolve()
    built = ROOT / "_build/html"
    if newest([built / "index.html"]) < newest(sources()):
        tool = shutil.which("jupyter-book", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        if tool is None:
            pytest.skip("_build/html is missing or out of date and jupyter-book is not installed (extra `site`)")
        command = [tool, "build", ".", "-W", "-n", "--keep-going"]
        built_now = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        if built_now.returncode:
            (built / "index.html").unlink(missing_ok=True)  # else the next run would take this site for a good one
            output = (built_now.stdout + built_now.stderr).splitlines()
            told = [line for line in output if "WARNING" in line or "ERROR" in line]
            pytest.fail("jupyter-book failed:\n" + failures(told or output[-30:]))
    return built


@pytest.fixture(scope="session")
def pages(site) -> dict[str, str]:
    """The text of every page, the redirection at the root included."""
    return {name: (site / name).read_text(encoding="utf-8") for name in ["index.html", *site_pages(site)]}


@pytest.fixture(scope="session")
def address(site):
    with serve(site, site_prefix()) as served:
        yield served
