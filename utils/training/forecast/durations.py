"""The time of a whole run from measured rates: its parts, their sum, the first evaluation, and the ranges."""

from dataclasses import dataclass

from utils.training.flags import TrainingSettings
from utils.training.forecast.schedule import Schedule

SPREAD = 0.15  # of times: for other work on the machine, and for parts that cannot be measured before
SPREAD_OF_A_TIME_LIMIT = 0.05  # its schedule reads the clock
SPREAD_OF_A_SEARCH = 0.3  # its trials have other lengths and numbers of blocks
MEAN_EPOCHS = 1.25  # of a trial, in those of a run: between half and twice as many


@dataclass(frozen=True)
class Measured:
    """Seconds of this machine with this run: each of them once, and `spread`, the relative difference of repeats."""

    preparation: float
    probe: float
    filling: float  # of the prefix cache
    first_step: float  # beyond its later time
    steps: float  # all of a run
    spread: float
    evaluation: float
    first_samples: float  # before the first step, which are short
    samples: float
    state: float  # to save one before the last step
    last_state: float
    end: float  # to save the model, to load it again and to calibrate it
    judging: float = 0.0  # of all folds together, on all training texts


@dataclass(frozen=True)
class Durations:
    """Seconds from the start of the command; ranges are (least, most). `steps` are those there is time for."""

    steps: int
    parts: dict[str, float]
    total: float
    total_range: tuple[float, float]
    first_evaluation: float | None
    first_evaluation_range: tuple[float, float] | None
    notes: tuple[str, ...]


def add_up(
    measured: Measured, schedule: Schedule, settings: TrainingSettings, *, validates: bool, trials: int
) -> Durations:
    """Return the times of a run that validates its model or doesn't, after a search of so many `trials`."""
    soup, notes = settings.model_soup, []
    starts = validates and settings.eval_on_start != "off"
    training = measured.first_step + measured.steps
    validation = (measured.evaluation + measured.samples) * len(schedule.validated)
    at_the_start = (measured.evaluation + measured.first_samples) * starts
    saving = measured.state * (len(schedule.saved) - 1) + measured.last_state
    without_samples = measured.evaluation * len(schedule.validated)
    parts = {
        "start": measured.preparation,
        "linear probe": measured.probe,
        "prefix cache": measured.filling,
        "training": training * soup,
        "validation": (validation + at_the_start) * soup,
        "saving": saving * soup + measured.end,
    }
    if folds := settings.folds:
        training_of_a_fold = measured.first_step + measured.steps * (folds - 1) / folds
        probe = measured.probe * (folds - 1) / folds
        each = probe + training_of_a_fold + without_samples + measured.evaluation * starts + saving
        parts["folds"] = folds * each + measured.judging
        notes.append(f"--folds: {folds} further trainings, each on {1 - 1 / folds:.0%} of the training texts")
    if trials:
        parts["search"] = trials * MEAN_EPOCHS * (training + without_samples)
        notes.append(f"--search: {trials} trials of other lengths and numbers of blocks, so that times are rough")
    total, steps = sum(parts.values()), schedule.steps
    if settings.time_limit:
        share = max(0.0, settings.time_limit - total + parts["training"]) / max(1e-9, parts["training"])
        steps, total = round(share * steps), settings.time_limit
        notes.append("--time_limit: as many steps as there is time for")
    spread = min(0.6, SPREAD + measured.spread / 2 + SPREAD_OF_A_SEARCH * bool(trials))
    spread_of_total = SPREAD_OF_A_TIME_LIMIT if settings.time_limit else spread
    least, patience = total, settings.early_stopping_patience
    if validates and patience and len(schedule.validated) > patience:
        stop = schedule.validated[patience]
        rest = (schedule.steps - stop) / schedule.steps
        least = total - rest * (parts["training"] + parts["validation"] + saving * soup)
        notes.append(f"without improvement, training stops early, at step {stop:,} at the earliest (in the range)")
    if soup > 1:
        notes.append(f"--model_soup: {soup} runs of {steps:,} steps each")
    if not validates:
        notes.append("nothing is validated, and the last weights are kept")
    first = None
    if validates:
        first = measured.preparation + measured.probe + measured.filling + measured.evaluation
        first += 0 if starts else training * schedule.validated[0] / schedule.steps
    return Durations(
        steps=steps * soup,
        parts={part: seconds for part, seconds in parts.items() if seconds},
        total=total,
        total_range=(least * (1 - spread_of_total), total * (1 + spread_of_total)),
        first_evaluation=first,
        first_evaluation_range=None if first is None else (first * (1 - spread), first * (1 + spread)),
        notes=tuple(notes),
    )
