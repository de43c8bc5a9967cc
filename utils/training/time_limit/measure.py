"""Measurements before training under a time limit: the speed of the model and of the disk."""

import contextlib
import logging
import os
import random
import zlib
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from transformers import PreTrainedModel

from utils import distributed
from utils.compute.blocks import find_blocks, frozen_blocks
from utils.compute.device import autocast
from utils.temporary import folder_for_a_while
from utils.training.adapters.frozen_weights import frozen_weights
from utils.training.flags import settings_from
from utils.training.prepare import TrainingSetup
from utils.training.time_limit.limit import TimeLimit, saving_seconds

log = logging.getLogger(__name__)
MEASURED_ROWS = 32  # 16 look half as fast again, since a batch of them has more padding
LARGEST_SHARE = 0.1  # of the time, for one evaluation or the linear probe: of more texts, they take a random part
FEWEST_VALIDATED = 50  # texts
WRITTEN_BYTES = 2**26
OF_A_STATE = 2.0  # times as long per byte as `WRITTEN_BYTES`: 1.5 to 2.5, measured with 0.9 to 1.6 GB
FORWARD_AND_BACKWARD = 3  # times as long as forward alone


def fit_to_time(
    limit: TimeLimit, setup: TrainingSetup, flags: Namespace, device: str, precision: str, folder: Path
) -> TrainingSetup:
    """Measure the model and the disk, and return the setup with what there is time for of validation and probe.

    The state is to be saved in `folder`. UserError where the limit does not suffice to evaluate and save.
    """
    model, rows = setup.base.model, dict(setup.rows)
    limit.evaluates = bool(rows["validation"]) and flags.eval_strategy != "no"
    limit.evaluations_after = (setup.objective.metric in ("macro_f1", "average_precision")) + flags.model_soup - 1
    limit.evaluations_after += flags.with_baseline != "off"  # to which the mixture is fitted
    limit.runs_left = flags.model_soup
    _estimate_saving(limit, model, folder)
    per_row = _seconds_per_row(limit, setup, flags, device, precision)
    if flags.eval_on_start != "on":
        rows["validation"] = _part(limit, rows["validation"], per_row, flags.seed)
    limit.evaluation = limit.uncached = per_row * len(rows["validation"])
    probe = setup.probe
    limit.epochs = _expected_epochs(limit, model, rows["train"], per_row)
    # Where a prefix cache pays off, the probe's pass through all texts fills it.
    too_long = probe and limit.epochs <= 1 and len(probe.rows) * per_row > LARGEST_SHARE * limit.seconds
    if too_long and not flags.label_errors:
        probe = probe.part(int(LARGEST_SHARE * limit.seconds / per_row), flags.seed)
    if not flags.resume:
        first = limit.evaluates and flags.eval_on_start != "off"
        limit.check("loading", upcoming=first * limit.evaluation + (len(probe.rows) * per_row if probe else 0))
    return replace(setup, rows=rows, probe=probe)


def _seconds_per_row(limit: TimeLimit, setup: TrainingSetup, flags: Namespace, device: str, precision: str) -> float:
    """Return how long the model takes to evaluate a row, measured on a few of them."""
    model, objective, rows = setup.base.model, setup.objective, setup.rows["validation"] or setup.rows["train"]
    sample = random.Random(0).sample(rows, min(len(rows), MEASURED_ROWS))
    with frozen_weights(model, settings_from(flags, precision, device)), autocast(device, precision):
        model.to(device)
        objective.evaluate(model, sample[:1])  # makes its imports and allocations
        began = limit.used()
        objective.evaluate(model, sample)
        seconds = limit.used() - began
    return seconds / len(sample)


def _part(limit: TimeLimit, rows: Sequence[dict], per_row: float, seed: int) -> Sequence[dict]:
    """Return all rows, or a random part of them where evaluating all would take too much of the time."""
    most = max(FEWEST_VALIDATED, int(LARGEST_SHARE * limit.seconds / per_row))
    if len(rows) <= most:
        return rows
    log.info(
        "validating on %s of %s texts, so that each time takes at most a tenth of the time limit; --eval_on_start on "
        "takes all",
        *(f"{number:,}" for number in (most, len(rows))),
    )
    return random.Random(seed).sample(rows, most)


def _expected_epochs(limit: TimeLimit, model: PreTrainedModel, rows: Sequence[dict], per_row: float) -> float:
    """Return about how many epochs there is time for, without a prefix cache."""
    frozen = len(frozen_blocks(model)) / max(1, len(find_blocks(model).blocks))
    forward = per_row * len(rows)
    return max(0.0, limit.left()) / (forward * (frozen + FORWARD_AND_BACKWARD * (1 - frozen)))


def _estimate_saving(limit: TimeLimit, model: PreTrainedModel, folder: Path) -> None:
    """Note how long saving a state and the model may take, from the model's size and the speed of the disk."""
    sizes = [(each.numel() * each.element_size(), each.requires_grad) for each in model.parameters()]
    limit.model_bytes = sum(size for size, _ in sizes)
    limit.state_bytes = 3 * sum(size for size, trains in sizes if trains)  # with AdamW's two moments
    while not folder.is_dir():
        folder = folder.parent
    data = os.urandom(min(WRITTEN_BYTES, limit.model_bytes))
    seconds = min(_seconds_to_write(limit, folder, data) for _ in range(2))  # one may wait for the writes of others
    limit.state = OF_A_STATE * seconds * limit.state_bytes / len(data)
    limit.saving = saving_seconds(limit.state, limit.model_bytes, limit.state_bytes)


def _seconds_to_write(limit: TimeLimit, folder: Path, data: bytes) -> float:
    """Return how long it takes to write the data durably and to read them again."""
    began = limit.used()
    if distributed.is_main_process():
        with contextlib.suppress(OSError), folder_for_a_while(folder, ".speed-") as place:
            with (place / "speed").open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            zlib.crc32((place / "speed").read_bytes())
    return limit.used() - began
