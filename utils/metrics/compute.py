"""Computing a metric in memory, also where the home folder cannot be written."""

import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import evaluate


def compute_metric(metric: "type[evaluate.Metric]", **inputs) -> dict:
    """What `metric(...).compute(**inputs)` returns; `evaluate` insists on a cache folder, which is removed again."""
    with tempfile.TemporaryDirectory(prefix="metrics-") as folder:
        return metric(keep_in_memory=True, cache_dir=folder).compute(**inputs)
