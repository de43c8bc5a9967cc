"""Attention in bfloat16 on a CPU for short texts, registered with transformers under its own name, "short_sdpa".

PyTorch's own kernel is made for long texts: on short ones it takes twice as long as plain matrix products, and its
gradient takes eight times as long (docs/results.md).

Without it: leave `model.config._attn_implementation` at "sdpa", which is `sdpa_attention_forward`. In bfloat16 both
round: the mean squared error of the attention output is at most twice that of PyTorch's kernel. In other number
formats, for longer texts and on other devices the result is the plain one, bit for bit.
"""

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "short_sdpa"
MAX_WEIGHTS = 2**22  # attention weights that a layer keeps for its gradient: 25 MB
UNSUPPORTED = ("position_bias", "cache", "softcap")


def use_short_attention(model: PreTrainedModel) -> None:
    """Let this model compute its attention with `short_attention` if it uses "sdpa", the default.

    Other models of the process, and the saved configuration of this one, keep "sdpa". Models that do not dispatch
    through transformers' AttentionInterface stay as they are.
    """
    if model.config._attn_implementation == "sdpa" and model._can_set_attn_implementation():
        AttentionInterface.register(NAME, short_attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)


def short_attention(
    module, query, key, value, attention_mask, dropout=0.0, scaling=None, is_causal=None, **options
) -> tuple[torch.Tensor, None]:
    """Return the attention output (texts, length, heads, size), as `sdpa_attention_forward` does.

    `query` is (texts, heads, length, size), `key` and `value` are (texts, key heads, length of both, size). Weights
    are computed in float32, their product with the values in bfloat16, as in PyTorch's kernel.
    """
    texts, heads, length, size = query.shape
    if is_causal is None:
        is_causal = getattr(module, "is_causal", True)
    causal = length > 1 and attention_mask is None and is_causal
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else query.dtype
    if (
        query.device.type != "cpu"
        or dtype != torch.bfloat16
        or texts * heads * length * key.shape[2] > MAX_WEIGHTS
        or (causal and key.shape[2] != length)
        or any(options.get(name) is not None for name in UNSUPPORTED)
    ):
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, is_causal, **options)
    with torch.autocast("cpu", enabled=False):
        scaled = query.float() * (size**-0.5 if scaling is None else scaling)
        scores = scaled.reshape(texts, key.shape[1], -1, size) @ key.float().transpose(2, 3)
        scores = scores.view(texts, heads, length, -1)
        if causal:
            attention_mask = torch.ones(length, length, dtype=torch.bool).tril()
        if attention_mask is not None:
            scores = scores + _additive(attention_mask)
        weights = torch.nn.functional.dropout(scores.softmax(-1), dropout).to(torch.bfloat16)
        output = weights.view(texts, key.shape[1], -1, key.shape[2]) @ value.to(torch.bfloat16)
    return output.view(texts, heads, length, -1).transpose(1, 2).contiguous(), None


def _additive(mask: torch.Tensor) -> torch.Tensor:
    """Return the mask as numbers to add. None is −∞, of which the softmax of a fully masked row would make nan."""
    lowest = torch.finfo(torch.float32).min
    if mask.dtype != torch.bool:
        return mask.float().clamp(min=lowest)
    return torch.zeros(mask.shape).masked_fill_(~mask, lowest)
