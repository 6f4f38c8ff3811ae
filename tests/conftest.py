"""What takes long and proves little more than the rest runs with ``--all`` alone (``make test-all``); one browser for all."""

import sys
from pathlib import Path

import pytest


def pytest_addoption(parser):
    words = "also what takes long: every jail level, every wrong answer in a jail, the deepest networks of each family"
    parser.addoption("--all", action="store_true", help=words)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: runs with --all alone")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--all"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture(scope="session")
def chromium():
    """A running browser. There is one, because a process can drive no second."""
    pytest.importorskip("playwright.sync_api", reason="looking at pages needs Playwright (pip install playwright)")
    sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
    from screenshots import browser, find_chromium

    if find_chromium() is None:
        pytest.skip("looking at pages needs a Chromium of the system, and there is none on the PATH")
    with browser() as running:
        yield running
