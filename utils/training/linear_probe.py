"""The linear probe: logistic regression on the frozen model's hidden states gives a classifier its first head.

Fine-tuning from there keeps what the model knows, which the gradients of a random head would distort: A. Kumar et al.,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution" (ICLR 2022, arXiv:2202.10054).
"""

import logging
import math
import random
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy
import torch

from utils.compute.batching import pad_rows
from utils.compute.forward import last_token_outputs
from utils.compute.patching import replaced_forward
from utils.models.checkpoint import Trained
from utils.models.tokenization import padding_id

log = logging.getLogger(__name__)
INVERSE_REGULARIZATION = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # chosen by cross-validation
FOLDS = 5
FEWEST_PROBED = 500  # texts


@dataclass(frozen=True)
class LinearProbe:
    """The linear probe of one base model, which sets its head.

    `start(rows, class_weights, bfloat16=…)` sets it, and returns the probabilities (texts, labels) of each text by the
    regression without its fold. `states(rows, bfloat16=…)` returns the inputs of the regressions, an array (texts,
    width) for each of them.
    """

    start: Callable[..., numpy.ndarray]
    states: Callable[..., list[numpy.ndarray]]


@dataclass(frozen=True)
class Regression:
    """Weights (labels, width) and bias (labels,) that give logits of states; the loss on other folds.

    `out_of_fold` (texts, labels) are the probabilities of the texts by the regressions without their fold, or the
    scores. `measured` is how good these are, for the log: "accuracy 0.912".
    """

    weights: numpy.ndarray
    bias: numpy.ndarray
    loss: float
    measured: str
    out_of_fold: numpy.ndarray


@dataclass(frozen=True)
class Fitting:
    """The regression that a probe fits to states: `fit(states, labels, class_weights, groups)` returns a `Regression`.

    A text whose "label" is `label` is one of each class in `classes_of(label)`, and all of `classes(labels)`, with so
    many labels, need texts for all folds. `spread(texts, labels)` are labels of so many texts, to try the time of it.
    `constant(states)` is a direction (width,) whose product with every text's state is nearly 1: it carries the bias
    where the head has none.
    """

    fit: Callable[..., Regression]
    classes_of: Callable[[object], Sequence[int]]
    classes: Callable[[int], Sequence[int]]
    spread: Callable[[int, int], numpy.ndarray]
    constant: Callable[[numpy.ndarray], numpy.ndarray]


def probe_of_writer(base: Trained, rows: Sequence[dict], fitting: Fitting) -> LinearProbe | None:
    """Return the probe of a model that reads its last token (GPT-2, Llama, …); None where there can be none."""
    if not supports_probe(base, rows, fitting):
        return None

    def states(rows: Sequence[dict], **options) -> list[numpy.ndarray]:
        return [last_states(base, rows, **options)]

    return LinearProbe(partial(start_from_probe, base, fitting=fitting), states)


def supports_probe(base: Trained, rows: Sequence[dict], fitting: Fitting) -> bool:
    """Return whether the head reads the last token's state, without a bias, and each class has rows for all folds."""
    head = getattr(base.model, "score", None)
    return isinstance(head, torch.nn.Linear) and head.bias is None and has_all_folds(base, rows, fitting)


def has_all_folds(base: Trained, rows: Sequence[dict], fitting: Fitting) -> bool:
    """Return whether each class has rows for all folds."""
    counts = Counter(each for row in rows for each in fitting.classes_of(row["label"]))
    return all(counts[each] >= FOLDS for each in fitting.classes(base.model.config.num_labels))


def groups_suffice(labels: Iterable[int], groups: Iterable[str]) -> bool:
    """Return whether each class that there is has groups for all folds."""
    pairs = set(zip(labels, groups, strict=True))
    return min(Counter(label for label, _ in pairs).values()) >= FOLDS


def rows_for_probe(rows: Sequence[dict], flags: Namespace, fitting: Fitting) -> Sequence[dict]:
    """Return all rows, or a random part of them where --max_steps takes less time than a probe of all of them."""
    if flags.search or flags.label_errors:
        return rows
    trained = (flags.max_steps or math.inf) * flags.batch_size * flags.gradient_accumulation_steps
    return part_for_probe(rows, max(FEWEST_PROBED, 2 * trained), flags.seed, fitting)


def part_for_probe(rows: Sequence[dict], limit: float, seed: int, fitting: Fitting) -> Sequence[dict]:
    """Return all rows, or at least `limit` random ones of more; they have rows of each class for all folds."""
    if len(rows) <= limit:
        return rows
    part, counts = [], Counter()
    for row in random.Random(seed).sample(rows, len(rows)):
        classes = fitting.classes_of(row["label"])
        if len(part) < limit or any(counts[each] < FOLDS for each in classes):
            part.append(row)
            counts.update(classes)
    log.info("the linear probe takes %s of %s texts", *(f"{len(each):,}" for each in (part, rows)))
    return part


def start_from_probe(
    base: Trained,
    rows: Sequence[dict],
    class_weights: Sequence[float] | None,
    *,
    fitting: Fitting,
    bfloat16: bool = False,
) -> numpy.ndarray:
    """Set the head of a model that reads its last token (GPT-2, Llama, …) by rows {"input_ids", "label"}.

    Return `Regression.out_of_fold`.
    """
    states = last_states(base, rows, bfloat16=bfloat16)
    labels, groups = numpy.array([row["label"] for row in rows]), [row["group"] for row in rows]
    fitted = fitting.fit(states, labels, class_weights, groups)
    weights = fitted.weights + fitted.bias[:, None] * fitting.constant(states)
    base.model.score.weight.data = torch.from_numpy(weights).to(base.model.device).float()
    log.info("the head starts from a linear probe: %s in cross-validation on the training split", fitted.measured)
    return fitted.out_of_fold


def last_states(base: Trained, rows: Sequence[dict], *, bfloat16: bool = False) -> numpy.ndarray:
    """Return the hidden state of the last token of each row {"input_ids"}: (texts, width) float64."""
    model = base.model
    width = model.score.in_features  # of the projected states in OPT-350m, whose blocks are wider
    collate = partial(pad_rows, pad_id=padding_id(base.tokenizer), side=base.tokenizer.padding_side)
    with replaced_forward({model.score: lambda states: states}):
        return last_token_outputs(model, rows, collate, width, bfloat16=bfloat16, progress="linear probe")


def constant_direction(states: numpy.ndarray) -> numpy.ndarray:
    """Return the direction (width,) whose product with every text's state is nearly 1, by ridge regression."""
    gram = states.T @ states
    ridge = 1e-3 * numpy.trace(gram) / len(gram) * numpy.eye(len(gram))
    return numpy.linalg.solve(gram + ridge, states.sum(0))


def fit_regression(
    states: numpy.ndarray,
    labels: numpy.ndarray,
    class_weights: Sequence[float] | None,
    groups: Sequence[str] | None = None,
) -> Regression:
    """Return the logistic regression of the labels, regularized as cross-validation finds best, on states as given.

    Texts of one group are in one fold, unless a label has too few `groups`: two texts may be repeated many times.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict

    mean, deviation = states.mean(0), states.std(0) + 1e-6
    standardized = (states - mean) / deviation
    weights = None if class_weights is None else dict(enumerate(class_weights))
    shared = groups if groups and len(set(groups)) < len(groups) and groups_suffice(labels, groups) else None
    splitter = StratifiedGroupKFold if shared else StratifiedKFold
    folds = list(splitter(FOLDS, shuffle=True, random_state=0).split(states, labels, shared))

    def regression(inverse_regularization: float) -> LogisticRegression:
        return LogisticRegression(C=inverse_regularization, max_iter=1000, class_weight=weights)

    probabilities = {
        strength: cross_val_predict(regression(strength), standardized, labels, cv=folds, method="predict_proba")
        for strength in INVERSE_REGULARIZATION
    }
    best = min(probabilities, key=lambda strength: log_loss(labels, probabilities[strength]))
    fitted = regression(best).fit(standardized, labels)
    head = fitted.coef_ / deviation
    bias = fitted.intercept_ - (fitted.coef_ * (mean / deviation)).sum(1)
    if len(head) == 1:  # two classes: the regression has one row, for the second
        head, bias = numpy.concatenate([-head, head]) / 2, numpy.concatenate([-bias, bias]) / 2
    return Regression(
        weights=head,
        bias=bias,
        loss=float(log_loss(labels, probabilities[best])),
        measured=f"accuracy {(probabilities[best].argmax(1) == labels).mean():.3f}",
        out_of_fold=probabilities[best],
    )


CLASS_FITTING = Fitting(
    fit_regression,
    classes_of=lambda number: (number,),
    classes=range,
    spread=lambda texts, labels: numpy.arange(texts) % labels,
    constant=constant_direction,
)
