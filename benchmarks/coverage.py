"""Measure how often the 95% intervals of evaluate_model.py hold the truth, on simulated test splits with a known truth.

python -m benchmarks.coverage --simulations 400

Each simulation draws a test split from a population and asks whether the interval of each figure holds the figure of
the whole population. 400 simulations estimate a coverage to within 3 points, and take some minutes on one core.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from utils.metrics.answers import answer_intervals, answer_statistics, difference_intervals
from utils.metrics.classification import Classification, classification_difference
from utils.metrics.figures import FIGURES
from utils.metrics.likelihood import Likelihood, bits_per_byte_difference
from utils.metrics.ranking import Ranking
from utils.metrics.shares import share_difference_interval, share_interval
from utils.terminal.tables import markdown_table

SIZES = (50, 200, 1000)
POPULATION = 400_000
ANSWERS = 4000


@dataclass(frozen=True)
class Population:
    """`draw(rows, generator)` returns {figure: interval} of a test split; `truth` has each figure of the population."""

    name: str
    truth: dict[str, float]
    draw: Callable[[int, np.random.Generator], dict]


def main() -> None:
    """Print a Markdown table: a row per population and figure, and the coverage at each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=400, help="of each size (default: %(default)s)")
    parser.add_argument("--only", default="", help="only populations whose names contain this")
    args = parser.parse_args()
    rows = []
    for population in populations(args.only):
        coverage = {size: covered(population, size, args.simulations) for size in SIZES}
        for figure in population.truth:
            shares = [f"{coverage[size][figure]:.1%}" if figure in coverage[size] else "–" for size in SIZES]
            rows.append([population.name, title(figure), f"{population.truth[figure]:.3f}", *shares])
        print(f"{population.name}: done", file=sys.stderr)
    print(markdown_table(["test split", "figure", "truth", *(f"{size:,} rows" for size in SIZES)], rows))


def title(figure: str) -> str:
    """Return a figure's title in the tables; that of a difference is "difference in …"."""
    name = figure.removeprefix("difference_")
    return FIGURES[name].title if name == figure else f"difference in {FIGURES[name].title}"


def covered(population: Population, rows: int, simulations: int) -> dict[str, float]:
    """Return the share of simulated test splits whose interval holds the truth, of each figure that is defined."""
    held: dict[str, list[bool]] = {}
    for seed in range(simulations):
        for figure, interval in population.draw(rows, np.random.default_rng(seed)).items():
            if figure in population.truth and interval is not None:
                truth = population.truth[figure]
                # A truth of 0 or 1 is held by an interval that ends there, whatever rounding says.
                held.setdefault(figure, []).append(interval["low"] - 1e-9 <= truth <= interval["high"] + 1e-9)
    return {figure: float(np.mean(outcomes)) for figure, outcomes in held.items()}


def populations(only: str) -> Iterator[Population]:
    """Yield the populations whose names contain `only`."""
    makers = {
        "classifier, calibrated": lambda name: classifier(name, sharpness=1.0, shift=0.0),
        "classifier, overconfident": lambda name: classifier(name, sharpness=2.5, shift=0.0),
        "classifier, calibrated, 1 in 10 of the second class": lambda name: classifier(name, 1.0, -3.5),
        "classifier, overconfident, 1 in 10 of the second class": lambda name: classifier(name, 2.5, -3.5),
        "classifier, nearly always right": lambda name: classifier(name, 1.0, 0.0, spread=12.0),
        "texts": lambda name: texts(name, rows_of_a_source=1),
        "texts, four of each source": lambda name: texts(name, rows_of_a_source=4),
        "answers": answers,
        "emoji": lambda name: rankings(name, right=0.65),
        "emoji, nearly always right": lambda name: rankings(name, right=0.97),
    }
    for name, make in makers.items():
        if only in name:
            yield make(name)


def classifier(name: str, sharpness: float, shift: float, spread: float = 3.0) -> Population:
    """Two classes: the model's log odds are the true ones times `sharpness`; a worse model is compared with it."""

    def made(rows: int, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        odds = generator.normal(shift, spread, rows)
        second, claimed = 1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(-odds * sharpness))
        worse = (odds + generator.normal(0, spread, rows) > 0).astype(int)
        truth = (generator.random(rows) < second).astype(int)
        return (claimed > 0.5).astype(int), truth, np.column_stack([1 - claimed, claimed]), worse, second

    def measure(predictions, truth, probabilities, worse, _second) -> dict:
        difference = classification_difference(truth, predictions, worse, 2)
        figures = Classification(keep_in_memory=True)._compute(predictions, truth, probabilities)
        figures = {figure: value for figure, value in figures.items() if figure in FIGURES}
        return figures | {f"difference_{figure}": interval for figure, interval in difference.items()}

    everything = made(POPULATION, np.random.default_rng(123))
    truth = values(measure, everything)
    truth["expected_calibration_error"] = true_calibration_error(*everything)
    truth.pop("calibrated_error", None)
    return Population(name, truth, lambda rows, generator: measure(*made(rows, generator)))


def true_calibration_error(predictions, _truth, probabilities, _worse, second) -> float:
    """Return the calibration error from the true probabilities of being right: without the labels' chance."""
    confidence = probabilities[np.arange(len(predictions)), predictions]
    right = np.where(predictions == 1, second, 1 - second)
    bins = np.ceil(confidence * 15).astype(int)
    return float(np.abs(np.bincount(bins, right - confidence)).sum() / len(predictions))


def texts(name: str, rows_of_a_source: int) -> Population:
    """Texts of unequal length and difficulty; those of one source share most of their difficulty."""

    def made(rows: int, generator: np.random.Generator) -> dict:
        sources = np.arange(rows) // rows_of_a_source
        difficulty = generator.normal(0, 0.25, rows) + generator.normal(0, 0.3, rows)[sources]
        tokens = np.maximum(1, generator.lognormal(3, 0.6, rows).astype(int))
        nll = tokens * np.exp(1.4 + difficulty) * generator.gamma(tokens * 2, 1 / (tokens * 2))
        gain = tokens * (0.3 + 0.3 * generator.normal(0, 0.3, rows)[sources] + generator.normal(0, 0.3, rows))
        correct = generator.binomial(tokens, np.clip(0.25 * np.exp(-difficulty), 0, 1))
        return {"tokens": tokens, "bytes": tokens * 4 + 1, "correct": correct, "nll": nll, "gain": gain, "of": sources}

    def measure(columns: dict) -> dict:
        tokens, size, correct = (columns[column].tolist() for column in ("tokens", "bytes", "correct"))
        rows = zip(tokens, size, correct, strict=True)
        references = [dict(zip(("tokens", "bytes", "correct"), row, strict=True)) for row in rows]
        clusters = columns["of"].tolist()
        nll, base = columns["nll"], columns["nll"] + columns["gain"]
        figures = Likelihood(keep_in_memory=True)._compute(nll, references, clusters=clusters)
        figures = {figure: value for figure, value in figures.items() if figure in FIGURES}
        return figures | {"difference_bits_per_byte": bits_per_byte_difference(nll, base, size, clusters=clusters)}

    truth = values(measure, (made(POPULATION, np.random.default_rng(123)),))
    return Population(name, truth, lambda rows, generator: measure(made(rows, generator)))


def answers(name: str) -> Population:
    """Answers that share some words with their references; the population is a pool to draw from."""
    generator = np.random.default_rng(123)
    words = np.array([f"{first}{second}" for first in ("ba", "co", "di", "fu", "ge") for second in "lmnrstvx"])
    frequency = 1 / np.arange(1, len(words) + 1)

    def text(length: int) -> list[str]:
        return generator.choice(words, length, p=frequency / frequency.sum()).tolist()

    def changed(reference: list[str], kept: float) -> str:
        return " ".join(word if generator.random() < kept else text(1)[0] for word in reference) or words[0]

    pool = []
    for _ in range(ANSWERS):
        reference = text(int(generator.lognormal(2.6, 0.7)) + 2)
        kept = generator.beta(2, 2)
        length = int(len(reference) * generator.lognormal(-0.1, 0.4)) + 1
        answer = changed(reference, kept)[: 5 * length]
        if generator.random() < 0.1:
            answer = " ".join([answer] * 3)  # a loop
        pool.append((" ".join(reference), answer, changed(reference, kept * 0.8)))
    ended = (generator.random(ANSWERS) < 0.97).tolist()

    references, *both = zip(*pool, strict=True)
    tuned, base = (answer_statistics(texts, references, ended) for texts in both)

    def measure(rows: np.ndarray) -> dict:
        difference = difference_intervals(tuned[rows], base[rows])
        return answer_intervals(tuned[rows]) | {f"difference_{name}": one for name, one in difference.items()}

    truth = values(measure, (np.arange(ANSWERS),))
    return Population(name, truth, lambda rows, generator: measure(generator.integers(ANSWERS, size=rows)))


def rankings(name: str, right: float) -> Population:
    """Descriptions of concepts, one to six of each, which are right or wrong together."""

    def made(rows: int, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        concepts = np.repeat(np.arange(rows), generator.choice([1, 1, 1, 2, 3, 6], rows))[:rows]
        chance = np.clip(generator.beta(2 * right, 2 * (1 - right), rows)[concepts], 0, 1)
        first = generator.random(rows) < chance
        place = np.where(first, 1, generator.geometric(0.3, rows) + 1)
        worse = np.where(generator.random(rows) < 0.15, generator.random(rows) < right, first)
        return place, worse, concepts

    def measure(place, worse, concepts) -> dict:
        names = [str(number) for number in range(51)]
        predictions = [names[1 : one + 1] if one <= 50 else [] for one in place.tolist()]
        references = [[names[min(one, 50)]] if one <= 50 else ["none"] for one in place.tolist()]
        clusters = concepts.tolist()
        figures = Ranking(keep_in_memory=True)._compute(predictions, references, clusters)
        figures = {figure: value for figure, value in figures.items() if figure in FIGURES}
        figures["group_accuracy"] = share_interval((place <= 3).tolist(), clusters)
        difference = share_difference_interval((place == 1).tolist(), worse.tolist(), clusters)
        return figures | {"difference_top_1": difference}

    truth = values(measure, made(40_000, np.random.default_rng(123)))
    return Population(name, truth, lambda rows, generator: measure(*made(rows, generator)))


def values(measure: Callable, everything: tuple) -> dict[str, float]:
    """Return the figures of a population; a few resamples will do, since nobody reads its intervals."""
    from utils.metrics import bootstrap

    resamples, bootstrap.RESAMPLES = bootstrap.RESAMPLES, 2
    try:
        return {figure: interval["value"] for figure, interval in measure(*everything).items()}
    finally:
        bootstrap.RESAMPLES = resamples


if __name__ == "__main__":
    main()
