"""Compute a metric in memory, even where the home folder is not writable."""

from typing import TYPE_CHECKING

from utils.temporary import temporary_folder

if TYPE_CHECKING:
    import evaluate


def compute_metric(metric: "type[evaluate.Metric]", **inputs) -> dict:
    """Return `metric(...).compute(**inputs)`. `evaluate` requires a cache folder: a temporary one, removed at once."""
    with temporary_folder() as folder:
        return metric(keep_in_memory=True, cache_dir=str(folder)).compute(**inputs)
