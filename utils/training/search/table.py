"""The results of a search: a table of all trials, and a line about the last one."""

import csv
from collections.abc import Sequence
from pathlib import Path

from optuna.trial import FrozenTrial

from utils.files import atomic_write
from utils.training.search.space import three_digits

PROBLEM = "problem"  # the attribute of a trial that could not train: why


def write_table(file: Path, trials: Sequence[FrozenTrial], flags: Sequence[str], metric: str) -> None:
    """Write a CSV file with a row for each trial: number, state, the searched flags, the metric, seconds."""
    with atomic_write(file, "w") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(["number", "state", *flags, metric, "seconds"])
        for number, trial in enumerate(trials, 1):
            state, value = ("failed", "") if PROBLEM in trial.user_attrs else ("finished", trial.value)
            seconds = round(trial.duration.total_seconds(), 1)
            writer.writerow([number, state, *(trial.params[name] for name in flags), value, seconds])


def describe_last(trials: Sequence[FrozenTrial], best: FrozenTrial, total: int, metric: str) -> str:
    """Return a log line about the last trial, with the `best` one so far."""
    last, name = trials[-1], metric.replace("_", " ")
    if PROBLEM in last.user_attrs:
        result = f"failed, {last.user_attrs[PROBLEM]}"
    else:
        result = f"{name} {last.value:.4f} (best {best.value:.4f} of trial {trials.index(best) + 1})"
    settings = ", ".join(f"{name} {three_digits(value)}" for name, value in last.params.items())
    return f"trial {len(trials)}/{total}: {result}: {settings}"
