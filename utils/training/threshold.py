"""The decision threshold of a class or of a label: from which probability on a text gets it."""

from collections.abc import Callable, Sequence

import numpy

CERTAIN = 1e-5  # a probability this close to 0 or 1 counts as this one


def expected_f1(below: numpy.ndarray, cuts: numpy.ndarray, total: float, texts: int) -> numpy.ndarray:
    """Return the F1 to be expected if all texts but the `cuts` least likely ones get the class.

    The probabilities of these add up to `below`, those of all texts to `total`. Counts of texts are expected ones.
    """
    return 2 * (total - below) / (total + texts - cuts)


def expected_macro_f1(below: numpy.ndarray, cuts: numpy.ndarray, total: float, texts: int) -> numpy.ndarray:
    """Return the mean of `expected_f1` and of that of the other class, which the `cuts` least likely texts get."""
    of_others = 2 * (cuts - below) / (texts - total + cuts)
    return (expected_f1(below, cuts, total, texts) + of_others) / 2


def fit_threshold(probabilities: numpy.ndarray, labels: Sequence[int], metric: Callable = expected_macro_f1) -> float:
    """Return the probability of a class from which on predicting it gives the best metric to be expected.

    `probabilities` are (texts,), and the labels 1 for texts of the class and 0 for others. The threshold that is best
    for the labels themselves is luck if they are few (docs/results.md). So two numbers are fitted to them, and the
    threshold is the best one for the probabilities that these give.
    """
    from scipy.special import expit, logit

    log_odds = logit(_uncertain(numpy.asarray(probabilities, dtype=float)))
    scale, shift = _fit_odds(log_odds, numpy.asarray(labels))
    best = _best_threshold(_uncertain(expit(scale * log_odds + shift)), metric)
    return float(_uncertain(expit((logit(best) - shift) / scale)))


def _uncertain(probabilities: numpy.ndarray) -> numpy.ndarray:
    return numpy.clip(probabilities, CERTAIN, 1 - CERTAIN)


def _fit_odds(log_odds: numpy.ndarray, labels: numpy.ndarray) -> tuple[float, float]:
    """Return the scale and the shift of the log odds of a class for the highest likelihood of the labels.

    J. Platt, "Probabilistic Outputs for Support Vector Machines" (Advances in Large Margin Classifiers, 1999), with
    standard normal priors on the logarithm of the scale and on the shift.
    """
    from scipy.optimize import minimize

    signs = numpy.where(labels == 1, 1.0, -1.0)

    def loss(parameters: numpy.ndarray) -> float:
        log_scale, shift = parameters
        fitted = numpy.exp(log_scale) * log_odds + shift
        return float(numpy.logaddexp(0, -signs * fitted).sum() + (parameters**2).sum() / 2)

    log_scale, shift = minimize(loss, [0.0, 0.0]).x
    return float(numpy.exp(log_scale)), float(shift)


def _best_threshold(probabilities: numpy.ndarray, metric: Callable) -> float:
    probabilities = numpy.sort(probabilities)
    # Texts of equal probability stay together.
    cuts = numpy.concatenate([[0], numpy.flatnonzero(numpy.diff(probabilities)) + 1, [len(probabilities)]])
    edges = numpy.concatenate([[0.0], probabilities, [1.0]])
    below = numpy.concatenate([[0.0], numpy.cumsum(probabilities)])[cuts]
    best = cuts[metric(below, cuts, probabilities.sum(), len(probabilities)).argmax()]
    return float((edges[best] + edges[best + 1]) / 2)
