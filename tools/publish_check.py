"""Prove here what can be proved of publishing: ``make publish-check``.

The workflows, the Read the Docs file and the citation fit their schemas, and zizmor finds nothing to steal in the workflows.
Then the commands of both are run, as they stand there, in a copy of the files and an environment without torch. What remains for
the real thing: that the pages are switched on, and the runners of those two.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SCHEMAS = {
    "vendor.github-workflows": sorted((ROOT / ".github/workflows").glob("*.yml")),
    "vendor.readthedocs": [ROOT / ".readthedocs.yaml"],
    "vendor.citation-file-format": [ROOT / "CITATION.cff"],
}


def say(command: list[str] | str, **options) -> None:
    """Run a command, and show it; what it says, only if it fails."""
    print("·", command if isinstance(command, str) else " ".join(command), flush=True)
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{done.stdout[-6000:]}{done.stderr[-6000:]}\npublish-check: this command failed: {command}")


def main() -> None:
    own = Path(sys.executable).parent
    for schema, files in SCHEMAS.items():
        say([str(own / "check-jsonschema"), "--builtin-schema", schema, *map(str, files)])
    say([str(own / "zizmor"), "--offline", "--quiet", str(ROOT / ".github")])
    site = yaml.safe_load((ROOT / ".github/workflows/site.yml").read_text(encoding="utf-8"))
    docs = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text(encoding="utf-8"))["build"]["jobs"]
    jobs = {
        "site.yml": [step["run"] for step in site["jobs"]["build"]["steps"] if "run" in step],
        ".readthedocs.yaml": [*docs["install"], *docs["build"]["html"]],
    }
    for file, commands in jobs.items():
        with tempfile.TemporaryDirectory() as folder:
            print(f"{file}, in a new copy and a new environment", flush=True)
            copy, machine, output = (Path(folder, name) for name in ("copy", "machine", "output"))
            say(["git", "clone", "-q", str(ROOT), str(copy)])
            say([sys.executable, "-m", "venv", str(machine)])
            path = f"{machine / 'bin'}{os.pathsep}{os.environ['PATH']}"
            environment = {**os.environ, "PATH": path, "RUNNER_TEMP": folder, "READTHEDOCS_OUTPUT": str(output)}
            for command in commands:
                say(command, shell=True, executable="/bin/bash", cwd=copy, env=environment)
            html = copy / "_build/html" if file == "site.yml" else output / "html"
            if not (html / "book/intro.html").is_file() or list(machine.rglob("site-packages/torch")):
                sys.exit(f"publish-check: {file} built no site, or needs torch for it")
    print("all that can be proved here is right")


if __name__ == "__main__":
    main()
