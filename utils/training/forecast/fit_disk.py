"""Refuse a run that cannot fit on the disk, before it starts, and suggest a setting that fits."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from utils.compute.prefix_cache import MAX_SHARE_OF_DISK, PrefixCache
from utils.errors import UserError
from utils.training.forecast.disk import DiskNeed, disk_need, place_of_model
from utils.training.forecast.limits import free_disk
from utils.training.forecast.memory import BFLOAT16, FLOAT32, count
from utils.training.forecast.planned import GB, Run, epochs_of, fewer_blocks, frozen_as, gigabytes
from utils.training.forecast.schedule import plan_steps


def check_disk(run: Run, cache: int, free: Callable[[Path], tuple[int, int]] = free_disk) -> None:
    """Raise UserError where the run cannot fit on the disks that it writes to, with the setting that fits.

    `cache` are the bytes of its prefix cache.
    """
    need = disk_of(run, cache)
    place = run.settings.output_path.absolute().parent
    device, left = free(place)
    model_device, left_for_model = free(place_of_model(run.settings.output_path))
    if device != model_device and need.model > left_for_model:
        where = place_of_model(run.settings.output_path)
        problem = f"the model takes {gigabytes(need.model)}, and {gigabytes(left_for_model)} are free in {where}"
        raise UserError(problem, "free some space there, or choose another --output_path")
    if need.peak > left:
        states = f"{need.number} states" if need.number > 1 else "a state"
        problem = (
            f"training writes {states} ({gigabytes(need.states)}) and a model ({gigabytes(need.model)}), "
            f"{gigabytes(need.peak)} at the most"
        )
        raise UserError(f"{problem}, and {gigabytes(left)} are free in {place}", _advice(run, cache, left))


def cache_size(run: Run, cache: PrefixCache, free: int) -> int:
    """Return the bytes that the prefix cache is going to take, without trying whether the model can use it."""
    model, settings = run.setup.base.model, run.settings
    if not cache.may_cache(model, epochs_of(run)):
        return 0
    tokens = sum(len(row["input_ids"]) for row in (*run.rows, *run.validation))
    width = model.config.get_text_config().hidden_size
    size = tokens * width * (FLOAT32 if settings.precision == "fp32" else BFLOAT16)
    fits = size <= min(cache.gigabytes * GB, MAX_SHARE_OF_DISK * free)
    return size if fits or cache.mode == "on" else 0


def disk_of(run: Run, cache: int) -> DiskNeed:
    """Return the space that the run takes."""
    saves = len(plan_steps(run.rows, run.settings, validates=bool(run.validation)).saved)
    parameters = count(run.setup.base.model)
    return disk_need(parameters, run.settings, saves=saves, validates=bool(run.validation), cache=cache)


def _advice(run: Run, cache: int, left: int) -> str:
    elsewhere = (
        f"free some space, or choose an --output_path on another disk: {gigabytes(disk_of(run, cache).peak)} are safe"
    )
    folder = replace(run.settings, output_path=run.settings.output_path.with_suffix(""))
    fewer = replace(run.settings, save_total_limit=1)
    changes = [
        *([("--prefix_cache off", run, 0)] if cache else []),
        ("--save_total_limit 1", replace(run, settings=fewer), cache),
        ("--save_total_limit 1 --prefix_cache off", replace(run, settings=fewer), 0),
    ]
    if run.settings.output_path.suffix == ".pt":
        both = replace(fewer, output_path=folder.output_path)
        name = f"--output_path {folder.output_path} (a folder)"
        changes += [(name, replace(run, settings=folder), cache)]
        changes += [(f"--save_total_limit 1 --prefix_cache off {name}", replace(run, settings=both), 0)]
    for number in fewer_blocks(run):
        changed = replace(run, settings=fewer, unfreeze_last=number)
        changes.append((f"--save_total_limit 1 --prefix_cache off --unfreeze_last {number}", changed, 0))
    for flags, changed, cached in changes:
        with frozen_as(run, changed.unfreeze_last):
            if disk_of(changed, cached).peak <= left:
                return f"use {flags}, or free some space"
    return elsewhere
