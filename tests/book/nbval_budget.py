"""A pytest plugin beside nbval: each notebook must have been run by the author's tool and keep its time budget.

    PYTHONPATH=tests/book pytest -p nbval_budget --nbval --nbval-current-env \
        --nbval-sanitize-with tests/book/nbval_sanitize.cfg --nbval-cell-timeout 300 book exercises solutions

nbval runs the cells and compares their outputs. This plugin gives its kernels the environment that `run` of
tools/notebooks.py gives them, and adds two tests to the end of each notebook:

- `stored outputs`: every code cell was stored executed. nbval compares nothing where the execution count is missing.
- `CPU budget`: the kernel has used at most twice the notebook's budget. CPU seconds, because the clock on the wall
  also counts what else the machine is doing.

A chapter of book/ whose stored outputs were computed by the code, data and libraries of now is left out; `--nbval-all` runs
it too.

Pictures are not compared, here or by nbval: their bytes depend on the machine's fonts and floating point. `run` does.
"""

import os
import sys
from collections.abc import Generator, Iterator
from itertools import groupby
from pathlib import Path
from unittest import mock

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import notebooks  # noqa: E402

FRESH = pytest.StashKey[list[str]]()  # chapters that were left out


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "run chapters too whose outputs were computed by the code, data and libraries of now"
    parser.addoption("--nbval-all", action="store_true", help=words)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_chapter = collection_path.suffix == ".ipynb" and collection_path.parent.name == "book"
    if not is_chapter or config.getoption("--nbval-all"):
        return None
    if not notebooks.is_up_to_date(collection_path.parents[1], collection_path):
        return None
    config.stash.setdefault(FRESH, []).append(collection_path.name)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if fresh := config.stash.get(FRESH, []):
        terminalreporter.write_line(f"not run again, as nothing that they compute with has changed: {', '.join(sorted(fresh))}")


class NotebookItem(pytest.Item):
    """A test of a whole notebook, which runs after its cells while its kernel is still alive."""

    def repr_failure(self, excinfo: pytest.ExceptionInfo) -> str:
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}: {self.name}"


class StoredOutputs(NotebookItem):
    def runtest(self) -> None:
        unexecuted = [cell.id for cell in notebooks.code_cells(self.parent.nb) if cell.execution_count is None]
        if unexecuted:
            pytest.fail(f"stored unexecuted, so not compared: cell {', '.join(unexecuted)}; {notebooks.RUN}")


class CpuBudget(NotebookItem):
    def runtest(self) -> None:
        kernel = self.parent.kernel
        if not kernel.is_alive():
            pytest.fail("the kernel is dead; its CPU seconds are unknown")
        course = self.parent.nb.metadata.get("course", {})
        allowed = notebooks.CPU_BUDGET_FACTOR * course.get("budget_seconds", notebooks.DEFAULT_BUDGET)
        used = notebooks.cpu_seconds(kernel.km.provisioner.pid)
        if used > allowed:
            pytest.fail(f"the notebook used {used:.1f} CPU seconds, allowed are {allowed:g}")


def with_notebook_items(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    for parent, group in groupby(items, key=lambda item: item.parent):
        yield from group
        if isinstance(parent, IPyNbFile):
            yield StoredOutputs.from_parent(parent, name="stored outputs")
            yield CpuBudget.from_parent(parent, name="CPU budget")


@pytest.hookimpl(trylast=True)  # after -k has chosen
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = with_notebook_items(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """nbval starts the kernel in the setup of a notebook's first cell; the kernel inherits the environment."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    with mock.patch.dict(os.environ, notebooks.KERNEL_ENVIRONMENT):
        return (yield)
