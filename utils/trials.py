"""The finished trials of a hyper-parameter search: which is the best, their table, a line for a log."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.files import atomic_write
from utils.search_space import short

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

PROBLEM = "problem"  # the attribute of a trial whose settings cannot train: why
METRIC_NAMES = {"macro_f1": "macro F1", "bits_per_byte": "bits per byte"}


def finished(study: "Study") -> list["FrozenTrial"]:
    """In the order in which they were begun. A trial that was interrupted is none; one that cannot train is."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def best_of(trials: Sequence["FrozenTrial"], greater_is_better: bool) -> "FrozenTrial | None":
    """The first of equally good ones; None where none could train."""
    trained = [trial for trial in trials if PROBLEM not in trial.user_attrs]
    return (max if greater_is_better else min)(trained, key=lambda trial: trial.value, default=None)


def write_table(path: Path, trials: Sequence["FrozenTrial"], searched: Sequence[str], metric: str) -> None:
    """A CSV file with a row a trial: number, state, what was searched, the metric on validation, seconds."""
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", "state", *searched, metric, "seconds"])
        for number, trial in enumerate(trials, 1):
            state, value = ("failed", "") if PROBLEM in trial.user_attrs else ("finished", trial.value)
            seconds = round(trial.duration.total_seconds(), 1)
            writer.writerow([number, state, *(trial.params[name] for name in searched), value, seconds])


def describe_last(trials: Sequence["FrozenTrial"], total: int, metric: str, greater_is_better: bool) -> str:
    """What a log says of the last trial."""
    last, best = trials[-1], best_of(trials, greater_is_better)
    settings = ", ".join(f"{name} {short(value)}" for name, value in last.params.items())
    head = f"trial {len(trials)}/{total}"
    if PROBLEM in last.user_attrs:
        return f"{head}: failed, {last.user_attrs[PROBLEM]}: {settings}"
    value = f"{METRIC_NAMES[metric]} {last.value:.4f}"
    return f"{head}: {value} (best {best.value:.4f} of trial {trials.index(best) + 1}): {settings}"
