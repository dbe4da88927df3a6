# One word a deed. `make setup` once; the rest runs in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m

.PHONY: setup setup-browser setup-servers demo check format test coverage fuzz soak kernel kernels browser notebooks wheel bench all

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

setup: $(BIN)/python  ## everything that demo, check and the tests need
	$(RUN) pip install --quiet --upgrade 'pip>=25.1'
	$(RUN) pip install --quiet --editable '.[demo]' --group dev

setup-browser:  ## Chromium from Debian's packages, where there is none
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu)

setup-servers:  ## a Redis server from Debian's packages, where there is none; tests start their own
	@command -v redis-server >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server)

demo: setup
	$(BIN)/nbgemini demo --headless

check:
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(BIN)/lint-imports

format:
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

test:  ## fast: no kernel, no browser
	$(RUN) pytest -q -n auto --dist loadfile -m "not kernel and not browser and not wheel and not soak"

soak:  ## 1,000 streams at once, 10,000 cancelled, 100,000 frames through one kernel, 40 kills, and other large figures
	$(RUN) pytest -q -m soak
	$(RUN) tests.soak 100000
	NBGEMINI_THOROUGH=20 $(RUN) pytest -q -s --timeout 600 tests/journal

kernel:
	$(RUN) pytest -q -m kernel

KERNELS := 6.29.5-8 6.31.0-8 7.3.0-9

kernels:  ## the same on older kernels (ipykernel-IPython), each in an environment of its own
	for pair in $(KERNELS); do \
	  test -d .kernels/$$pair || { $(PYTHON) -m venv .kernels/$$pair && .kernels/$$pair/bin/pip install --quiet \
	    "ipykernel==$${pair%-*}" "ipython==$${pair#*-}.*" --editable . ; } || exit 1; done
	NBGEMINI_KERNELS=$$(for pair in $(KERNELS); do printf '%s:' "$(CURDIR)/.kernels/$$pair/bin/python"; done) \
	  $(RUN) pytest -q -m kernel

browser:
	$(RUN) pytest -q -m browser

notebooks:
	$(RUN) pytest -q --nbval notebooks

wheel:  ## a wheel in a clean venv loads the extension
	$(RUN) pytest -q -m wheel

CORE := wire providers render fuzz test_chat.py test_corners.py test_embedding.py test_endings.py test_error_reason.py test_error_words.py test_recalled_calls.py test_recalled_kinds.py \
  test_retry.py test_segments.py test_small.py test_too_long.py test_tool_args.py test_toolbox.py test_transcript.py
BY_CHANCE := split or prefix or test_any_ or anywhere or junk or linear or takes_long

coverage:  ## every branch of the core, without the tests that try everything
	$(RUN) pytest -q -n auto --dist loadfile $(addprefix tests/,$(CORE)) --cov -k "not ($(BY_CHANCE))"

SECONDS := 60

fuzz:  ## SECONDS for each reader of what others wrote; HARNESS=name: one of them
	-$(RUN) pip install --quiet --group fuzz
	$(RUN) tests.fuzz $(SECONDS) $(HARNESS)

bench:
	$(RUN) pip install --quiet --group bench
	$(RUN) benchmarks

all: setup  ## sets up and runs everything but the benchmarks
	$(MAKE) check
	$(MAKE) test
	$(MAKE) coverage
	$(MAKE) kernel
	$(MAKE) notebooks
	$(MAKE) browser
	$(MAKE) wheel
