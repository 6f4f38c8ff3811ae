# The course's commands. Each one installs what it needs into .venv on first use and does only what is stale after that.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NBVAL = PYTHONPATH=tests/book $(BIN)/python -m pytest -p nbval_budget --nbval --nbval-current-env \
  --nbval-sanitize-with tests/book/nbval_sanitize.cfg --nbval-cell-timeout 300
ALL :=
SITE_SOURCES := _config.yml _toc.yml $(shell find book exercises solutions course_lib -type f \
  ! -path '*/__pycache__/*' ! -path '*/.ipynb_checkpoints/*')

.DEFAULT_GOAL := help
.PHONY: help book install test test-all pdf publish-check colab lab grade notebooks clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-13s %s\n", $$1, $$2}'

book: _build/html/index.html ## build the site and say where to open it
	@echo "Open file://$(CURDIR)/_build/html/index.html"

_build/html/index.html: $(VENV)/.site $(SITE_SOURCES)
	rm -rf _build
	$(BIN)/jupyter-book build . -W -n --keep-going

test: ## run everything that CI checks
test-all: ## run also what takes long: every chapter, every jail level, the deepest networks
test-all: ALL := --all
# Chapters one at a time: where one measures, a neighbour on the other core would show. Status 5 is pytest's for: none had to run.
test test-all: $(VENV)/.site $(VENV)/.tests _build/html/index.html
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/notebooks.py check
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ALL) tests/lib tests/grading tests/book
	$(NBVAL) $(ALL:--all=--nbval-all) book || [ $$? -eq 5 ]
	$(NBVAL) -n 2 --dist loadfile exercises solutions

pdf: $(VENV)/.site $(VENV)/.pdf _build/html/index.html ## the whole book as _build/course.pdf; needs a Chromium
	$(BIN)/python tools/pdf.py

publish-check: $(VENV)/.publish ## prove what can be proved here of the site's publishing; works on what is committed
	$(BIN)/python tools/publish_check.py

colab: $(VENV)/.tests ## run every notebook with Colab's versions; needs a Python 3.13, the first time 6 GB
	$(BIN)/python tools/colab.py

install: $(VENV)/.lab ## install the course and JupyterLab into .venv: enough to run, practise and grade

lab: $(VENV)/.lab ## open the course in JupyterLab
	$(BIN)/jupyter lab book/01_degradation.ipynb

grade: $(VENV)/.tests ## grade the solutions, as a demonstration
	for notebook in solutions/*.ipynb; do $(BIN)/python -m pytest -q tests/exercises --submission $$notebook || exit 1; done

notebooks: $(VENV)/.tests ## authors: run every notebook and store its outputs
	$(BIN)/python tools/notebooks.py run

clean: ## remove the built site and the environment
	rm -rf _build $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# .site, .pdf, .publish, .tests and .lab are stamps: the extra of that name in pyproject.toml is installed.
# Site, PDF and publish-check work from stored outputs and need neither the package nor torch, so a reader need not wait for them.
PACKAGES = $(BIN)/python -c 'import sys, tomllib; \
  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]])'

$(VENV)/.site $(VENV)/.pdf $(VENV)/.publish: $(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the packages for '$*' into $(VENV)"
	packages=$$($(PACKAGES) $*) && $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt $$packages
	@touch $@

# Two donors of the model tests ask for more packages than they need here, old ones that would replace ours; six is needed.
$(VENV)/.tests: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the packages for 'tests' into $(VENV) (a few minutes the first time)"
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[tests]"
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-deps facenet-pytorch pretrainedmodels six
	@touch $@

$(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the packages for '$*' into $(VENV) (a few minutes the first time)"
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[$*]"
	@touch $@
