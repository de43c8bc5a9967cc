"""The bootstrap: the draws of a seed, intervals of totals, and figures that are undefined."""

import numpy as np
import pytest

from utils.metrics.bootstrap import bootstrap, bootstrap_lines, bootstrap_totals, ratio, resampled_counts


@pytest.mark.parametrize("rows", [1, 7, 2500])
def test_the_draws_are_those_of_the_seed(rows):
    generator = np.random.default_rng(3)
    counts = np.concatenate(list(resampled_counts(rows, 3)))
    assert counts.shape == (1000, rows)
    assert (counts.sum(axis=1) == rows).all()
    for draw in counts[:20]:
        assert draw.tolist() == np.bincount(generator.integers(rows, size=rows), minlength=rows).tolist()


def test_totals_are_sums_of_drawn_rows():
    columns = np.random.default_rng(1).random((30, 2))
    generator = np.random.default_rng(5)
    expected = [columns[generator.integers(30, size=30)].sum(axis=0) for _ in range(1000)]
    totals = np.concatenate([counts @ columns for counts in resampled_counts(30, 5)])
    assert totals == pytest.approx(np.array(expected))


def test_a_figure_of_totals_has_the_interval_of_its_resamples():
    columns = np.column_stack([np.arange(40.0), np.ones(40)])
    found = bootstrap_totals(lambda totals: {"mean": totals[:, 0] / totals[:, 1]}, columns, seed=2)
    means = np.concatenate([counts @ columns[:, 0] for counts in resampled_counts(40, 2)]) / 40
    low, high = np.percentile(means, (2.5, 97.5))
    assert found == {"mean": {"value": 19.5, "low": low, "high": high}}


def test_undefined_figures_and_resamples():
    def figures(counts):
        if len(counts) == 1:  # the rows themselves
            return {name: np.array([value]) for name, value in values.items()}
        return {name: np.resize(resampled[name], len(counts)) for name in values}

    values = {"undefined": np.nan, "sometimes": 2.0, "never": 5.0}
    resampled = {"undefined": [1.0, 2.0], "sometimes": [1.0, np.nan, 3.0, np.nan], "never": [np.nan]}
    assert bootstrap(figures, 5, seed=0) == {
        "undefined": None,
        "sometimes": {"value": 2.0, "low": 1.0, "high": 3.0},
        "never": {"value": 5.0, "low": 5.0, "high": 5.0},
    }


def test_a_ratio_without_a_divisor():
    parts, wholes = np.array([1.0, 2.0]), np.array([4.0, 0.0])
    assert ratio(parts, wholes, otherwise=0.0).tolist() == [0.25, 0.0]
    assert np.isnan(ratio(parts, wholes)[1])


def test_the_points_of_a_line_have_the_intervals_of_figures():
    """A point that only some resamples define, and one that none does, are as for `bootstrap`."""
    values = np.arange(12.0)

    def scalars(counts):
        mean = counts @ values / 12
        return {
            "mean": mean,
            "sometimes": np.where(counts[:, 0] > 0, mean, np.nan),
            "never": np.full(len(counts), np.nan),
        }

    def lines(counts):
        return {"line": np.column_stack(list(scalars(counts).values()))}

    clusters = [number // 2 for number in range(12)]
    expected = bootstrap(scalars, 12, 7, clusters)
    found = bootstrap_lines(lines, 12, 7, clusters)["line"]
    for point, name in enumerate(("mean", "sometimes")):
        assert {end: found[end][point] for end in found} == expected[name]
    assert np.isnan([found[end][2] for end in found]).all()
