"""The linear probe: logistic regression on the frozen model's hidden states gives a classifier its first head.

Fine-tuning from there keeps what the model knows, which the gradients of a random head would distort: A. Kumar et al.,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution" (ICLR 2022, arXiv:2202.10054).
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
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


@dataclass(frozen=True)
class LinearProbe:
    """What sets the head of one base model.

    `start(rows, class_weights, bfloat16=…)` sets it, and returns the probabilities (texts, labels) of each text by the
    regression without its fold. `states(rows, bfloat16=…)` returns what the regressions are fitted to, an array (texts,
    width) for each of them.
    """

    start: Callable[..., numpy.ndarray]
    states: Callable[..., list[numpy.ndarray]]


@dataclass(frozen=True)
class Regression:
    """Weights (labels, width) and bias (labels,) that give logits of states; accuracy and log loss of other folds.

    `out_of_fold` (texts, labels) are the probabilities of the texts by the regressions without their fold.
    """

    weights: numpy.ndarray
    bias: numpy.ndarray
    accuracy: float
    loss: float
    out_of_fold: numpy.ndarray


def probe_of_writer(base: Trained, rows: Sequence[dict]) -> LinearProbe | None:
    """Return the probe of a model that reads its last token (GPT-2, Llama, …); None where there can be none."""
    if not supports_probe(base, rows):
        return None

    def states(rows: Sequence[dict], **options) -> list[numpy.ndarray]:
        return [last_states(base, rows, **options)]

    return LinearProbe(partial(start_from_probe, base), states)


def supports_probe(base: Trained, rows: Sequence[dict]) -> bool:
    """Whether the head reads the last token's state, without a bias, and each class has rows for all folds."""
    head = getattr(base.model, "score", None)
    return isinstance(head, torch.nn.Linear) and head.bias is None and has_all_folds(base, rows)


def has_all_folds(base: Trained, rows: Sequence[dict]) -> bool:
    """Whether each class has rows for all folds."""
    counts = Counter(row["label"] for row in rows)
    return all(counts[label] >= FOLDS for label in range(base.model.config.num_labels))


def start_from_probe(
    base: Trained, rows: Sequence[dict], class_weights: Sequence[float] | None, *, bfloat16: bool = False
) -> numpy.ndarray:
    """Set the head of a model that reads its last token (GPT-2, Llama, …) by rows {"input_ids", "label"}.

    Return the probabilities (texts, labels) of each text by the regression without its fold.
    """
    states = last_states(base, rows, bfloat16=bfloat16)
    weights, fitted = fit_head(states, numpy.array([row["label"] for row in rows]), class_weights)
    base.model.score.weight.data = torch.from_numpy(weights).to(base.model.device).float()
    log.info(
        "the head starts from a linear probe: accuracy %.3f in cross-validation on the training split", fitted.accuracy
    )
    return fitted.out_of_fold


def last_states(base: Trained, rows: Sequence[dict], *, bfloat16: bool = False) -> numpy.ndarray:
    """Return the hidden state of the last token of each row {"input_ids"}: (texts, width) float64."""
    model = base.model
    width = model.score.in_features  # of the projected states in OPT-350m, whose blocks are wider
    collate = partial(pad_rows, pad_id=padding_id(base.tokenizer), side=base.tokenizer.padding_side)
    with replaced_forward({model.score: lambda states: states}):
        return last_token_outputs(model, rows, collate, width, bfloat16=bfloat16, progress="linear probe")


def fit_head(
    states: numpy.ndarray, labels: numpy.ndarray, class_weights: Sequence[float] | None
) -> tuple[numpy.ndarray, Regression]:
    """Return (the weights of a head without bias (labels, width), the regression that it stands for)."""
    fitted = fit_regression(states, labels, class_weights)
    # The head has no bias. A direction whose product with every text's state is nearly 1 (ridge regression) carries it.
    gram = states.T @ states
    ridge = 1e-3 * numpy.trace(gram) / len(gram) * numpy.eye(len(gram))
    constant = numpy.linalg.solve(gram + ridge, states.sum(0))
    return fitted.weights + fitted.bias[:, None] * constant, fitted


def fit_regression(states: numpy.ndarray, labels: numpy.ndarray, class_weights: Sequence[float] | None) -> Regression:
    """Return the logistic regression of the labels, regularized as cross-validation finds best, on states as given."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    mean, deviation = states.mean(0), states.std(0) + 1e-6
    standardized = (states - mean) / deviation
    weights = None if class_weights is None else dict(enumerate(class_weights))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)

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
        accuracy=float((probabilities[best].argmax(1) == labels).mean()),
        loss=float(log_loss(labels, probabilities[best])),
        out_of_fold=probabilities[best],
    )
