"""The seconds of a classifier's linear probe."""

import time

import numpy

from utils.compute.cache_plan import CachePlan
from utils.training.forecast.measure import seconds_of_validation
from utils.training.forecast.planned import Run

FITTED = 300  # rows: the time of the regressions grows with them


def seconds_of_probe(run: Run, plan: CachePlan | None) -> float:
    """Return the seconds: the hidden states of all rows that it takes, and the regressions on them."""
    base, rows = run.setup.base, run.setup.probe.rows
    bfloat16 = run.settings.precision == "bf16"
    cached = plan if len(rows) == len(run.rows) else None
    states = []

    def evaluate(part):
        states.append(run.setup.probe.states(part, bfloat16=bfloat16))

    seconds = seconds_of_validation(run, cached, rows, evaluate)
    texts = len(states[-1][0])
    some = numpy.resize(numpy.arange(texts), min(FITTED, max(texts, 5 * base.model.config.num_labels)))
    fitting = run.setup.probe.fitting
    labels = fitting.spread(len(some), base.model.config.num_labels)
    started = time.perf_counter()
    for found in states[-1]:
        fitting.fit(found[some], labels, None)
    return seconds + (time.perf_counter() - started) * len(rows) / len(some)
