"""Run notebooks as Colab would: its Python and libraries, no course_lib, another folder, the first cell unchanged.

    python tools/colab.py [--python python3.13] [NOTEBOOKS]   (without NOTEBOOKS: all chapters, exercises and solutions)

The first cell installs the course from a copy of this checkout in place of its published address. The environment with
Colab's versions (a few minutes, 6 GB) is kept in build/colab. What only Colab has, its page and its GPU, is not tried.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

sys.path.insert(0, str(Path(__file__).parent))
import notebooks  # noqa: E402

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "build/colab"
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
# googlecolab/backend-info, 19 August 2026: Python 3.13.15
VERSIONS = (
    "torch==2.11.0 torchvision==0.26.0 numpy==2.1.3 matplotlib==3.10.0 scikit-learn==1.6.1 ipywidgets==7.7.1 "
    "ipython==7.34.0 ipykernel==6.17.1 traitlets==5.7.1 timm==1.0.28 pytest==8.4.2 setuptools==75.2.0"
)
ROOMS = ("book", "exercises", "solutions")


def build(python: str) -> Path:
    """The environment with Colab's versions: its interpreter. It is made once for the versions above."""
    base, stamp = PLACE / "base", PLACE / "versions"
    if not stamp.is_file() or stamp.read_text() != VERSIONS:
        shutil.rmtree(PLACE, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(base)], check=True)
        subprocess.run([str(base / "bin/python"), "-m", "pip", "install", "-q", *VERSIONS.split()], check=True)
        stamp.write_text(VERSIONS)
    return base / "bin/python"


def copy_of_the_repository(folder: Path) -> Path:
    """The files of this checkout, changes included, as the branch that the first cell installs."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    who = ["-c", "user.name=course", "-c", "user.email=course@localhost"]
    branch = REPOSITORY["branch"]
    for command in (["init", "-q", "-b", branch], ["add", "-A", "-f"], [*who, "commit", "-q", "-m", "copy"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def packages_of(python: Path) -> Path:
    """Where an interpreter keeps its packages."""
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    return Path(subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip())


def run(notebook_file: Path, python: Path, repository: Path) -> float:
    """Run one notebook in a new environment on top of the interpreter's; the seconds that took.

    Raises:
        CellExecutionError: if a cell fails.
    """
    notebook = notebooks.read(notebook_file)
    with tempfile.TemporaryDirectory() as name:
        machine, content = Path(name, "machine"), Path(name, "content")
        content.mkdir()
        subprocess.run([str(python), "-m", "venv", "--without-pip", str(machine)], check=True)
        own = machine / "bin/python"
        libraries = Path(name, "libraries")
        libraries.mkdir()
        for path in packages_of(python).iterdir():
            if "course_lib" not in path.name:
                (libraries / path.name).symlink_to(path)
        (packages_of(own) / "libraries.pth").write_text(str(libraries))  # there pip finds them, and changes nothing

        class Kernel(AsyncKernelManager):
            @property
            def kernel_spec(self):
                return KernelSpec(argv=[str(own), "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python")

        git = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": REPOSITORY["url"],
        }
        environment = {**os.environ, **git, "COURSE_LIB_PROGRESS": "0", "PYTHONPATH": ""}
        client = NotebookClient(notebook, kernel_manager_class=Kernel, timeout=900)
        started = time.monotonic()
        asyncio.run(client.async_execute(cwd=str(content), env=environment))
        return time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="python3.13", help="an interpreter of Colab's version (default: python3.13)")
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOKS")
    options = parser.parse_args()
    chosen = options.notebooks or [file for room in ROOMS for file in sorted((ROOT / room).glob("*.ipynb"))]
    failed = 0
    python = build(options.python)
    with tempfile.TemporaryDirectory() as folder:
        repository = copy_of_the_repository(Path(folder, "course"))
        for number, file in enumerate(chosen, start=1):
            print(f"{number} of {len(chosen)}: {file.resolve().relative_to(ROOT)}", end="  ", flush=True)
            try:
                print(f"{run(file, python, repository):.0f} s", flush=True)
            except CellExecutionError as problem:
                failed += 1
                print(f"failed\n{problem}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
