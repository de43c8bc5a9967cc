"""A small part of the soak: runs that are killed at fixed moments end as an uninterrupted one does."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import soak_training

SOAK = Path(soak_training.__file__)


def test_killed_runs_end_as_whole_ones():
    """In a process of its own, since threads of this one would not be in its forks."""
    command = [sys.executable, str(SOAK), "--kills", "4", "--seed", "1", "--variants", "plain"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("plain: 4 kills in ")
    assert done.stdout.endswith(" runs: 4 survived, 0 lost\n")


WHOLE = {
    "weights": {"head": b"\x00\x01"},
    "log.jsonl": [{"loss": 2.0}],
    "run.json": {"seed": 1},
    "config.json": {},
    "names": ["mine"],
}


@pytest.mark.parametrize(
    "name, found",
    [
        ("weights", {"head": b"\x00\x03"}),
        ("log.jsonl", [{"loss": 2.0000000000000004}]),
        ("run.json", {"seed": 2}),
        ("names", [".mine.training", "mine"]),
    ],
    ids=["weights", "log", "record", "names"],
)
def test_the_soak_sees_differences(name, found):
    assert soak_training.difference(WHOLE, WHOLE) is None
    assert name.partition(".")[0] in soak_training.difference({**WHOLE, name: found}, WHOLE)


def test_kills_come_at_any_time_and_at_any_call():
    kills = [soak_training.draw_kill(random.Random(seed), 2.0, 50) for seed in range(1000)]
    assert {kill.call for kill in kills} - {None} == set(range(1, 51))
    assert all(0 <= kill.seconds <= 2 for kill in kills)
    assert sum(kill.call is None for kill in kills) in range(400, 600)
