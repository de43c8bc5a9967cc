"""Compute a metric in memory, even where the home folder is not writable."""

import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import evaluate


def compute_metric(metric: "type[evaluate.Metric]", **inputs) -> dict:
    """Return `metric(...).compute(**inputs)`. `evaluate` requires a cache folder: a temporary one, removed at once."""
    with tempfile.TemporaryDirectory(prefix="metrics-") as folder:
        return metric(keep_in_memory=True, cache_dir=folder).compute(**inputs)
