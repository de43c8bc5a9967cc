"""Check that a run fits into memory and on the disk, before it starts."""

from argparse import Namespace

from utils.compute.prefix_cache import PrefixCache
from utils.training.flags import settings_from
from utils.training.forecast.fit_disk import cache_size, check_disk
from utils.training.forecast.fit_memory import check_memory
from utils.training.forecast.limits import free_disk
from utils.training.forecast.planned import Run
from utils.training.prepare import TrainingSetup


def plan_run(setup: TrainingSetup, flags: Namespace, precision: str, device: str, cache: PrefixCache) -> Run:
    """Return the run that the flags ask for."""
    validation = [] if flags.eval_strategy == "no" else setup.rows["validation"]
    settings = settings_from(flags, precision, device)
    return Run(setup, settings, setup.rows["train"], flags.unfreeze_last, validation, cache)


def check_fit(run: Run) -> None:
    """Raise UserError, with the setting that fits, where the run cannot fit; warn where it may not."""
    check_memory(run)
    check_disk(run, cache_size(run, run.cache, free_disk(run.settings.output_path.absolute().parent)[1]))
