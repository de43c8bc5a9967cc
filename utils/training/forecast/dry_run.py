"""--dry_run: measure a few steps and a part of a validation, and add up what the whole run will take.

Nothing is written but into a temporary folder, which is removed.
"""

import math
import os
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from transformers import PreTrainedModel

from utils.compute.cache_plan import CachePlan
from utils.compute.prefix_cache import PrefixCache, format_size
from utils.errors import UserError
from utils.models import base_models
from utils.processed import Processed
from utils.training.forecast.arithmetic import Arithmetic
from utils.training.forecast.examples import example
from utils.training.forecast.fit_disk import disk_of
from utils.training.forecast.fit_memory import activations_of, kept_by, need_of
from utils.training.forecast.forecast import Forecast
from utils.training.forecast.limits import available_memory, free_disk, resident_memory
from utils.training.forecast.measure import (
    evaluation_of,
    measure_steps,
    operations,
    seconds_of_cache,
    seconds_of_validation,
)
from utils.training.forecast.memory import count
from utils.training.forecast.planned import Run, epochs_of
from utils.training.forecast.probing import seconds_of_probe
from utils.training.forecast.samples import seconds_of_samples
from utils.training.forecast.schedule import plan_steps, supervised_tokens

SPREAD = 0.15  # of times: other work on the machine, and what cannot be measured before
DISK_SPEED = 4e8  # bytes per second, to write, to check and to make durable, where none could be measured
MEAN_EPOCHS = 1.25  # of a trial, in those of a run: between half and twice as many
TRIED_BYTES = 64 * 10**6


def plan_cache(run: Run, cache: PrefixCache) -> tuple[CachePlan | None, str]:
    """Return what the prefix cache would write, and the decision in words. UserError with --prefix_cache on."""
    settings = run.settings
    rows = [*run.rows, *run.validation]
    objective = run.setup.objective
    if cache.mode == "off":
        return None, "off"
    try:
        plan = cache.plan(
            run.setup.base.model,
            objective.collate,
            rows,
            precision=settings.precision,
            epochs=epochs_of(run),
        )
    except UserError as error:
        if cache.mode == "on":
            raise
        return None, f"none: {error.problem}"
    if plan is None:
        return None, "none: all blocks train"
    there = ", from a past run" if plan.is_there else ""
    return plan, f"{format_size(plan.size)} for {len(plan.blocks)} frozen blocks{there}"


def forecast_run(run: Run, data: Processed, flags: Namespace, cache: PrefixCache, name: str, began: float) -> Forecast:
    """Return what the run will take. `began` is of time.monotonic()."""
    setup, settings, model, validation = run.setup, run.settings, run.setup.base.model, run.validation
    preparation = time.monotonic() - began
    parameters = count(model)
    kept = kept_by(run, parameters, activations_of(run))
    need = need_of(run, parameters, kept)
    resident, peak = resident_memory()
    memory_free = available_memory()
    before_plan = time.perf_counter()
    plan, decision = plan_cache(run, cache)
    planning = time.perf_counter() - before_plan
    schedule = plan_steps(run.rows, settings, validates=bool(validation))
    disk = disk_of(run, plan.size if plan and not plan.is_there else 0)

    model.to(settings.device)
    full_pass = seconds_of_validation(run, None, validation, evaluation_of(run)) if validation else 0.0
    evaluation = seconds_of_validation(run, plan, validation, evaluation_of(run)) if validation and plan else full_pass
    first_samples, samples = seconds_of_samples(setup, validation, settings.seed)
    filling = planning + seconds_of_cache(run, plan, [*run.rows, *validation]) if plan and not plan.is_there else 0.0
    filling = planning if plan and plan.is_there else filling
    probe = seconds_of_probe(run, plan) if setup.probe else 0.0
    times = measure_steps(run, plan, schedule)
    arithmetic = Arithmetic.of(model)
    model.to("cpu")
    loading = _seconds_of(lambda: _load_again(name, model))
    speed = _speed_of_disk(settings.output_path)

    steps = [
        times.optimizer + sum(times.seconds(operations(arithmetic, batch, cached=plan is not None)) for batch in step)
        for step in schedule
    ]
    starts = bool(validation) and settings.eval_on_start != "off"
    before = preparation + probe + filling
    training = times.first + sum(steps)
    validations = (evaluation + samples) * len(schedule.validated) + (evaluation + first_samples) * starts
    saving = disk.state / speed * len(schedule.saved)
    calibration = full_pass if data.recipe["kind"] == "classify" else 0.0
    copies = 2 if settings.output_path.suffix == ".pt" else 1
    end = copies * disk.model / speed + loading * copies + calibration
    soup, notes = settings.model_soup, []
    parts = {
        "start": preparation,
        "linear probe": probe,
        "prefix cache": filling,
        "training": training * soup,
        "validation": validations * soup,
        "saving": saving * soup + end,
    }
    if flags.search:
        parts["search"] = flags.search * MEAN_EPOCHS * (training + (evaluation + samples) * len(schedule.validated))
        notes.append(f"--search: {flags.search} trials of other lengths and numbers of blocks, so that times are rough")
    total = sum(parts.values())
    if settings.time_limit:
        share = max(0.0, settings.time_limit - total + parts["training"]) / max(1e-9, parts["training"])
        notes.append(f"--time_limit: there is time for about {round(share * schedule.steps):,} steps")
        total = settings.time_limit
    first = None
    if starts:
        first = before + evaluation
    elif validation:
        first = before + training * schedule.validated[0] / schedule.steps + evaluation
    spread = min(0.6, SPREAD + times.spread / 2 + 0.3 * bool(flags.search))
    end_spread = 0.05 if settings.time_limit else spread  # the schedule reads the clock
    least = total
    patience = settings.early_stopping_patience
    if validation and patience and len(schedule.validated) > patience:
        stop = schedule.validated[patience]
        rest = (schedule.steps - stop) / schedule.steps
        least = total - rest * (parts["training"] + parts["validation"] + saving * soup)
        notes.append(f"without improvement, training stops early, at step {stop:,} at the earliest (in the range)")
    if soup > 1:
        notes.append(f"--model_soup: {soup} runs of {schedule.steps:,} steps each")
    if not validation:
        notes.append("nothing is validated, and the last weights are kept")
    splits = {"train": run.rows, "validation": validation}
    return Forecast(
        base_model=name,
        precision=settings.precision,
        device=settings.device,
        rows={split: len(rows) for split, rows in splits.items()},
        cut=sum("cut" in row for rows in splits.values() for row in rows),
        left_out=max(0, len(data.splits["train"]) - len(setup.rows["train"])),
        tokens_per_epoch=sum(len(row["input_ids"]) for row in run.rows),
        supervised_per_epoch=sum(map(supervised_tokens, run.rows)),
        steps=schedule.steps * soup,
        steps_per_epoch=schedule.steps_per_epoch,
        epochs=round(schedule.steps / schedule.steps_per_epoch, 2),
        trained_parameters=parameters.trained,
        parameters=parameters.total,
        trained_blocks=parameters.trained_blocks,
        prefix_cache=decision,
        example=example(run.rows, setup.base.tokenizer, data.recipe["labels"]),
        memory=max(peak, resident + need.likely),
        memory_range=(max(peak, resident + need.low), max(peak, resident + need.high)),
        memory_free=memory_free,
        disk=disk.peak,
        disk_parts={
            f"{disk.states} saved state{'s' * (disk.states != 1)}": disk.states * disk.state,
            "prefix cache": disk.cache,
            "runs of the soup": disk.soup,
            "the model": disk.model * copies,
        },
        disk_free=free_disk(settings.output_path.parent)[1],
        seconds=total,
        seconds_range=(least * (1 - end_spread), total * (1 + end_spread)),
        first_evaluation=first,
        first_evaluation_range=None if first is None else (first * (1 - spread), first * (1 + spread)),
        seconds_parts={part: seconds for part, seconds in parts.items() if seconds},
        notes=tuple(notes),
    )


def _seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _load_again(name: str, model: PreTrainedModel) -> None:
    """Load the base model once more, and compare, as is done with the trained one at the end."""
    loaded = base_models.load_causal_lm(base_models.resolve(name)) if model.can_generate() else None
    if loaded is not None:
        sum(float(parameter.detach().sum()) for parameter in loaded.parameters())


def _speed_of_disk(output_path: Path) -> float:
    """Return the bytes per second that are written durably: into a file without a name, which nobody ever sees."""
    folder = output_path.absolute().parent
    folder = next(each for each in (folder, *folder.parents) if each.exists())
    content = bytes(TRIED_BYTES)
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except (OSError, AttributeError):
        return DISK_SPEED
    try:
        started = time.perf_counter()
        os.write(descriptor, content)
        os.fsync(descriptor)
        seconds = time.perf_counter() - started
    except OSError:
        return DISK_SPEED
    finally:
        os.close(descriptor)
    return 1 / (seconds / len(content) + 1 / (math.pi * 1e9 / 3))  # and about a second per GB for its checksum
