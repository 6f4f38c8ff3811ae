"""The notebooks in a real JupyterLab: run, operate a widget and a figure, fill in an exercise and see its feedback."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="looking at JupyterLab needs Playwright (pip install playwright)")
pytest.importorskip("jupyterlab", reason="JupyterLab is not installed (extra `lab`)")

ROOT = Path(__file__).parents[2]
CHAPTER = "02_residuals"
NEEDED = ("setup", "imports", "block", "gradients", "depth", "own-net", "quiz")  # what reacts, and the cells that it takes
EXERCISE = "04_one_by_one"
LONG = 120_000  # ms, for a kernel on a loaded machine
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # else cells out of sight are not in the page
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of notebooks as a student has it, all outputs cleared."""
    folder = tmp_path_factory.mktemp("notebooks")
    chapter = nbformat.read(ROOT / f"book/{CHAPTER}.ipynb", 4)
    light = nbformat.from_dict({**chapter, "cells": [cell for cell in chapter.cells if cell.id in NEEDED]})
    exercise = nbformat.read(ROOT / f"exercises/{EXERCISE}.ipynb", 4)
    for name, notebook in (("light", light), ("chapter", chapter), ("exercise", exercise)):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory):
    """The address of a JupyterLab of its own, with nothing of the user's in it."""
    home = tmp_path_factory.mktemp("home")
    for name, settings in SETTINGS.items():
        file = home / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run"}
    own |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}
    environment = {**os.environ, **{name: str(home / place) for name, place in own.items()}}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--port-retries=0"]
    command += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={folder}"]
    log = home / "log"
    with log.open("w") as screen, subprocess.Popen(command, cwd=folder, env=environment, stdout=screen, stderr=screen) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 60
            while not answers(f"{address}/api"):
                assert server.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield address
        finally:
            server.terminate()  # it ends its kernels
            server.wait(timeout=30)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


@pytest.fixture
def open_notebook(lab, chromium):
    pages = []

    def opened(name: str):
        page = chromium.new_page(viewport={"width": 1280, "height": 1000})
        pages.append(page)
        page.set_default_timeout(LONG)
        page.goto(f"{lab}/lab/tree/{name}.ipynb?reset")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
        return page

    yield opened
    for page in pages:
        page.close()


def run_all(page, cells: int) -> None:
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(  # every code cell has its number, and none is running
        "count => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"
        ".filter(one => /\\[\\d+\\]/.test(one.textContent)).length === count",
        arg=cells,
    )
    errors = page.locator('.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"], .jp-OutputArea-output .ansi-red-fg')
    assert errors.count() == 0, errors.all_text_contents()


def code_cells(file: Path) -> list:
    return [cell for cell in nbformat.read(file, 4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", ["light", pytest.param("chapter", marks=pytest.mark.slow)])
def test_a_chapter_runs_and_what_reacts_in_it_reacts(folder, open_notebook, name):
    page = open_notebook(name)
    run_all(page, len(code_cells(folder / f"{name}.ipynb")))

    figure = page.locator("course-depth.live")
    before = figure.locator(".sentence").text_content()
    figure.locator("input[type=range]").first.press("ArrowLeft")
    playwright.expect(figure.locator(".sentence")).not_to_have_text(before)

    choices = page.locator("course-quiz.live fieldset").first.locator("input[type=radio]")
    choices.first.press("Space")
    choices.first.press("ArrowDown")
    playwright.expect(choices.nth(1)).to_be_checked()

    bench = page.locator(".jp-OutputArea-output:has(.widget-dropdown)")
    image = bench.locator("img.widget-image")
    source = image.get_attribute("src")
    bench.get_by_label("blocks").select_option("2")
    bench.get_by_label("epochs").select_option("1")
    bench.get_by_role("button", name="Run").click()
    bench.get_by_text(re.compile(r"14 layers, 1·x: training error \d")).wait_for()
    playwright.expect(image).not_to_have_attribute("src", source)
    assert image.bounding_box()["height"] > 200
    assert bench.get_by_role("button", name="Run", exact=True).is_enabled()


def test_an_exercise_is_filled_in_and_checked(folder, open_notebook):
    answer = next(cell for cell in code_cells(ROOT / f"solutions/{EXERCISE}.ipynb") if cell.id == "pointwise")
    page = open_notebook("exercise")
    cells = page.locator(".jp-Notebook .jp-Cell")
    place = [cell.id for cell in nbformat.read(folder / "exercise.ipynb", 4).cells].index("pointwise")
    run_all(page, len(code_cells(folder / "exercise.ipynb")))
    feedback = cells.nth(place + 1).locator(".course-check")
    assert "not attempted" in feedback.text_content()

    cells.nth(place).locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(answer.source)
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    playwright.expect(feedback).to_contain_text("4 of 4 points")
    page.keyboard.press("ControlOrMeta+s")
    for _ in range(50):
        saved = (folder / "exercise.ipynb").read_text(encoding="utf-8")
        if "4 of 4 points" in saved:
            break
        time.sleep(0.2)
    assert "4 of 4 points" in saved
