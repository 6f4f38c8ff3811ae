"""What tests of the built site share: the course's documents, and a watch on what goes wrong in a page."""

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools")]

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
DOCUMENTS = [TOC["root"]] + [chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]]
NOTEBOOKS = [document for document in DOCUMENTS if (ROOT / f"{document}.ipynb").is_file()]
REPOSITORY, BRANCH = CONFIG["repository"]["url"], CONFIG["repository"]["branch"]


def failures(lines) -> str:
    lines = list(lines)
    return "\n".join(lines[:40] + [f"… and {len(lines) - 40} more"] * (len(lines) > 40))


def watch(page, address) -> list[str]:
    """A list that fills with what goes wrong while the page is open. The browser itself finds no other host."""
    problems = []

    def request(asked):
        if not asked.url.startswith((address, "data:")):
            problems.append(f"asks for {asked.url}")

    page.on("request", request)
    page.on("console", lambda message: message.type == "error" and problems.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))
    return problems
