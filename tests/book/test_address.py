"""The address of repository and site is written in _config.yml; whoever repeats it says the same."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
REPOSITORY, SITE = CONFIG["repository"]["url"], CONFIG["html"]["baseurl"]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("book/*.md"), *ROOT.glob("*/*.ipynb"), ROOT / "CITATION.cff", ROOT / "pyproject.toml"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_other_address_of_the_course_is_given(page):
    text = page.read_text(encoding="utf-8")
    for address in re.findall(r"https://github\.com/[\w.-]+/[\w-]+", text):
        assert address == REPOSITORY, f"{address} is not {REPOSITORY}"
    for address in re.findall(r"https://[\w.-]+\.github\.io/[\w./-]*", text):
        assert address.startswith(SITE), f"{address} is not on {SITE}"


def test_the_readme_and_the_citation_give_it():
    assert SITE in (ROOT / "README.md").read_text(encoding="utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["repository-code"], citation["url"]) == (REPOSITORY, SITE)
