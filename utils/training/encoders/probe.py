"""The linear probe of an encoder: logistic regression on its frozen states, pooled in whichever way predicts better.

As in `utils.training.linear_probe`, fine-tuning starts from there. The head's own layers are part of the probe: the
regression is fitted to what the last one reads, so that the model's logits are those of the probe but for rounding.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial

import numpy
import torch

from utils.compute.batching import pad_rows
from utils.compute.forward import last_token_outputs
from utils.compute.patching import replaced_forward
from utils.models.checkpoint import Trained
from utils.models.tokenization import padding_id
from utils.training.encoders.embedder import Embedder
from utils.training.encoders.head import find_encoder_head
from utils.training.encoders.pooling import FIRST, MEAN, add_mean_pooling, pooling_block, use_first_token
from utils.training.linear_probe import Fitting, LinearProbe, Regression, has_all_folds

log = logging.getLogger(__name__)


def probe_of_encoder(
    base: Trained, rows: Sequence[dict], embedder: Embedder | None, fitting: Fitting
) -> LinearProbe | None:
    """Return the probe of a model like BERT, which tries both poolings or has that of its `embedder`.

    The model pools the mean from now on, if it can and that is among them. None where there can be no probe: then
    the head stays random, and pools as the embedder says.
    """
    head = find_encoder_head(base.model, rows[0]["input_ids"])
    probes = head is not None and has_all_folds(base, rows, fitting)
    asked = embedder.pooling if embedder else None
    poolings = (FIRST,)
    if head is not None and (asked == MEAN or (asked is None and probes)):
        if add_mean_pooling(base.model):
            poolings = (MEAN,) if asked else (MEAN, FIRST)
        elif asked:
            log.warning(
                "warning: the head of %s cannot read a mean: it reads the first token", type(base.model).__name__
            )
    if not probes:
        return None

    def states(rows: Sequence[dict], **options) -> list[numpy.ndarray]:
        return list(encoder_states(base, rows, poolings=poolings, **options).values())

    return LinearProbe(partial(start_encoder_from_probe, base, poolings=poolings, fit=fitting.fit), states)


def start_encoder_from_probe(
    base: Trained,
    rows: Sequence[dict],
    class_weights: Sequence[float] | None,
    *,
    poolings: Sequence[str],
    fit: Callable[..., Regression],
    bfloat16: bool = False,
) -> numpy.ndarray:
    """Set the head of an encoder by rows {"input_ids", "label"}, and its pooling: of `poolings`, the better one.

    The model reads the mean where MEAN is among them (`pooling.add_mean_pooling`). Return `Regression.out_of_fold`
    of the better one.
    """
    head = find_encoder_head(base.model, rows[0]["input_ids"])
    labels, groups = numpy.array([row["label"] for row in rows]), [row["group"] for row in rows]
    fitted = {}
    for pooling, states in encoder_states(base, rows, poolings=poolings, bfloat16=bfloat16).items():
        dense = head.standardizing(states)
        fitted[pooling] = dense, fit(head.features(states, dense), labels, class_weights, groups)
    best = min(fitted, key=lambda pooling: fitted[pooling][1].loss)
    if best == FIRST and MEAN in poolings:
        use_first_token(base.model)
    dense, regression = fitted[best]
    head.set(dense, regression.weights, regression.bias)
    tried = ", ".join(f"{found.measured} with the {pooling}" for pooling, (_, found) in fitted.items())
    read = f"the {best}: {tried}" if len(poolings) > 1 else f"its states: {regression.measured}"
    log.info("the head starts from a linear probe of %s in cross-validation on the training split", read)
    return regression.out_of_fold


def encoder_states(
    base: Trained, rows: Sequence[dict], *, poolings: Sequence[str], bfloat16: bool = False
) -> dict[str, numpy.ndarray]:
    """Return, by pooling, the states (texts, width) that the head would read of each row {"input_ids"}."""
    model = base.model
    head = find_encoder_head(model, rows[0]["input_ids"])
    width = head.reads.in_features
    collate = partial(pad_rows, pad_id=padding_id(base.tokenizer), side=base.tokenizer.padding_side)
    found: dict[str, torch.Tensor] = {}
    handles = [head.reads.register_forward_pre_hook(_note(found, poolings[0]))] if head.dense is not None else []
    if len(poolings) > 1:
        handles.append(_note_first_token(model, found))

    def answer(states: torch.Tensor) -> torch.Tensor:
        found.setdefault(poolings[0], states)
        answered = torch.cat([found[pooling].float() for pooling in poolings], dim=1)
        found.clear()
        return answered

    try:
        with replaced_forward({head.classifier: answer}):
            states = last_token_outputs(
                model, rows, collate, width * len(poolings), bfloat16=bfloat16, progress="linear probe"
            )
    finally:
        for handle in handles:
            handle.remove()
    return dict(zip(poolings, numpy.split(states, len(poolings), axis=1), strict=True))


def _note(found: dict[str, torch.Tensor], pooling: str) -> Callable:
    def note(module, arguments):
        found[pooling] = arguments[0]

    return note


def _note_first_token(model: torch.nn.Module, found: dict[str, torch.Tensor]):
    """Note the first token's state before the mean is taken; return the hook's handle."""

    def before_block(module, arguments, options):
        found[FIRST] = (arguments[0] if arguments else options["hidden_states"])[:, 0]

    def after_model(module, arguments, output):
        found[FIRST] = output[0][:, 0]

    if (block := pooling_block(model)) is not None:
        return block.register_forward_pre_hook(before_block, with_kwargs=True)
    return model.base_model.register_forward_hook(after_model)
