"""A head to start from: logistic regression on what the frozen model already says of the training texts.

Fine-tuning from there keeps what the model knows, where a random head would first pull it about: A. Kumar et al.,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution" (ICLR 2022, arXiv:2202.10054).
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils import distributed
from utils.compute.batching import batches_by_length, pad_rows
from utils.models.tokenization import padding_id

if TYPE_CHECKING:
    import numpy

    from utils.models.checkpoint import Trained

log = logging.getLogger(__name__)
STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # inverse regularisation, chosen by cross-validation
FOLDS = 5


def supports_probe(base: "Trained", rows: Sequence[dict]) -> bool:
    """Whether there is something to regress on: an encoder's head stands behind a pooler that is as new as it.

    Nor is there where a class has fewer rows {"label"} than the cross-validation has folds.
    """
    counts = Counter(row["label"] for row in rows)
    enough = all(counts[label] >= FOLDS for label in range(base.model.config.num_labels))
    return hasattr(base.model, "score") and enough


def start_from_probe(
    base: "Trained", rows: Sequence[dict], class_weights: Sequence[float] | None, *, bfloat16: bool = False
) -> None:
    """Set the head of a model that reads off its last token (GPT-2, Llama, …) by rows {"input_ids", "label"}.

    Its head has no bias: the regression's is carried by a direction that all texts share.
    """
    import numpy
    import torch

    features = last_states(base, rows, bfloat16=bfloat16)
    weights, accuracy = _regression(features, numpy.array([row["label"] for row in rows]), class_weights)
    base.model.score.weight.data = torch.from_numpy(weights).to(base.model.device).float()
    log.info("the head starts from a linear probe: accuracy %.3f in cross-validation on the training split", accuracy)


def last_states(base: "Trained", rows: Sequence[dict], *, bfloat16: bool = False) -> "numpy.ndarray":
    """What the head gets to see of each row {"input_ids"}, the last token's state: (texts, width) float64."""
    import numpy
    import torch
    from tqdm import tqdm

    from utils.compute.bf16_weights import weights_in_bf16
    from utils.compute.last_block import compute_only, last_token_mask, skippable_modules

    states = numpy.zeros((len(rows), base.model.config.get_text_config().hidden_size))
    device = base.model.device
    batches = distributed.shard(batches_by_length([len(row["input_ids"]) for row in rows], device.type))
    pad_id, seen = padding_id(base.tokenizer), []
    skippable_modules(base.model)
    handle = base.model.score.register_forward_pre_hook(lambda head, inputs: seen.append(inputs[0]))
    bar = tqdm(total=sum(map(len, batches)), desc="reading for the probe", unit=" texts", leave=False, disable=None)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)
    with torch.inference_mode(), autocast, weights_in_bf16(base.model, bfloat16), bar:
        for batch in batches:
            inputs = pad_rows([rows[number] for number in batch], pad_id)
            inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
            last = last_token_mask(base.model, inputs)
            with compute_only(base.model, last):
                base.model(**inputs, use_cache=False)
            states[batch] = seen.pop()[last].double().cpu().numpy()
            bar.update(len(batch))
    handle.remove()
    return distributed.sum_over_processes(states)


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
