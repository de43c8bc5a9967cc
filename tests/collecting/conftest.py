"""Fixtures that the tests of collecting share."""

from functools import partial
from pathlib import Path

import pytest
from loopback import proxied
from running import run_script

import preprocess


@pytest.fixture
def raw(tmp_path) -> Path:
    return tmp_path / "raw" / "posts.jsonl"


@pytest.fixture
def behind_proxy(monkeypatch):
    """Sites at their real https addresses, for libraries that have these built in."""
    return partial(proxied, monkeypatch)


@pytest.fixture
def scrape(raw, capsys):
    """Run preprocess.py --scrape_only: (exit code, stdout, stderr)."""

    def run(source, target, *words):
        words = ("--scrape", source, target, "--scrape_only", "--data_path", raw, "--retries", 0, *words)
        code = run_script(preprocess.main, *words)
        return code, *capsys.readouterr()

    return run
