"""A head to start from: logistic regression on what the frozen model already says of the training texts.

Fine-tuning from there keeps what the model knows, where a random head would first pull it about: A. Kumar et al.,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution" (ICLR 2022, arXiv:2202.10054).
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils import processes
from utils.encoding import pad, padding_of
from utils.scoring import batches_by_length

if TYPE_CHECKING:
    import numpy

    from utils.checkpoint import Trained

log = logging.getLogger(__name__)

STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # inverse regularisation, chosen by cross-validation
FOLDS = 5


def start_from_probe(
    base: "Trained",
    rows: Sequence[dict],
    class_weights: Sequence[float] | None,
    *,
    device: str = "cpu",
    bfloat16: bool = False,
) -> bool:
    """Set the head of a model that reads off its last token (GPT-2, Llama, …) by rows {"input_ids", "label"}.

    Its head has no bias: the regression's is carried by a direction that all texts share. Returns whether it did;
    an encoder's head stands behind a pooler that is as new as it, so there is nothing to regress on. Nor is there
    where a class has fewer rows than the cross-validation has folds.
    """
    import numpy
    import torch

    labels = numpy.array([row["label"] for row in rows])
    counts = numpy.bincount(labels, minlength=base.model.config.num_labels)
    if not hasattr(base.model, "score") or counts.min() < FOLDS:
        return False
    base.model.to(device)
    features = last_states(base, rows, bfloat16=bfloat16)
    base.model.to("cpu")
    weights, accuracy = _regression(features, labels, class_weights)
    base.model.score.weight.data = torch.from_numpy(weights).float()
    log.info("the head starts from a linear probe: accuracy %.3f in cross-validation on the training split", accuracy)
    return True


def last_states(base: "Trained", rows: Sequence[dict], *, bfloat16: bool = False) -> "numpy.ndarray":
    """What the head gets to see of each row {"input_ids"}, the last token's state: (texts, width) float64."""
    import numpy
    import torch
    from tqdm import tqdm

    states = numpy.zeros((len(rows), base.model.config.get_text_config().hidden_size))
    batches = processes.share(batches_by_length([len(row["input_ids"]) for row in rows]))
    pad_id, body = padding_of(base.tokenizer), getattr(base.model, base.model.base_model_prefix)
    bar = tqdm(total=sum(map(len, batches)), desc="reading for the probe", unit=" texts", leave=False, disable=None)
    device = base.model.device
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16), bar:
        for batch in batches:
            inputs = pad([rows[number] for number in batch], pad_id)
            inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
            hidden = body(**inputs, use_cache=False).last_hidden_state
            last = inputs["attention_mask"].sum(1) - 1
            states[batch] = hidden[torch.arange(len(batch)), last].double().cpu().numpy()
            bar.update(len(batch))
    return processes.summed(states)


def _regression(
    features: "numpy.ndarray", labels: "numpy.ndarray", class_weights: Sequence[float] | None
) -> tuple["numpy.ndarray", float]:
    """(weights of a head without bias (labels, width), cross-validated accuracy)."""
    import numpy
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    mean, spread = features.mean(0), features.std(0) + 1e-6
    standard = (features - mean) / spread
    weights = None if class_weights is None else dict(enumerate(class_weights))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)

    def model(strength: float) -> LogisticRegression:
        return LogisticRegression(C=strength, max_iter=1000, class_weight=weights)

    guesses = {
        strength: cross_val_predict(model(strength), standard, labels, cv=folds, method="predict_proba")
        for strength in STRENGTHS
    }
    best = min(STRENGTHS, key=lambda strength: log_loss(labels, guesses[strength]))
    fitted = model(best).fit(standard, labels)
    head = fitted.coef_ / spread
    bias = fitted.intercept_ - (fitted.coef_ * (mean / spread)).sum(1)
    if len(head) == 1:  # two classes: one row for the second, which the head states as a difference of two
        head, bias = numpy.concatenate([-head, head]) / 2, numpy.concatenate([-bias, bias]) / 2
    # The direction whose product with every text's state is 1, as nearly as a little ridge leaves it.
    gram = features.T @ features
    ridge = 1e-3 * numpy.trace(gram) / len(gram) * numpy.eye(len(gram))
    shared = numpy.linalg.solve(gram + ridge, features.sum(0))
    return head + bias[:, None] * shared, float((guesses[best].argmax(1) == labels).mean())
