"""The last layer of a classifier, whose weights carry the temperature, so that every tool gives our probabilities."""

from typing import TYPE_CHECKING

from utils.models.classifier_tokenizer import encode_for_classification

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def fold_temperature(head: "torch.nn.Module | None", temperature: float) -> None:
    """Divide a model's logits by the temperature: the weights and the bias of its `find_head` (None only for 1)."""
    if temperature != 1.0:
        _multiply(head, 1 / temperature)


def find_head(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> "torch.nn.Module | None":
    """Return the layer whose output is the logits; None if no layer scales them.

    The last layer with a row of weights for each label is tried out: with half the weights, the logits are halved.
    `tokenizer` is one of `classifier_tokenizer.with_template`.
    """
    import torch

    from utils.compute.patching import eval_mode

    ids = torch.tensor(encode_for_classification(tokenizer, ["text"])[0], device=model.device)
    with eval_mode(model), torch.inference_mode():
        logits = model(ids).logits
        for layer in reversed(list(model.modules())):
            weight = getattr(layer, "weight", None)
            if not isinstance(weight, torch.nn.Parameter) or weight.dim() != 2 or len(weight) != logits.shape[-1]:
                continue
            _multiply(layer, 0.5)
            halved = model(ids).logits
            _multiply(layer, 2.0)
            if torch.allclose(2 * halved, logits, rtol=1e-6, atol=0):
                return layer
    return None


def _multiply(layer: "torch.nn.Module", factor: float) -> None:
    layer.weight.data *= factor
    if getattr(layer, "bias", None) is not None:
        layer.bias.data *= factor
