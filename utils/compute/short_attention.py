"""Attention in bfloat16 on a CPU, over texts that are short.

There PyTorch's own kernel, made for long texts, takes twice as long as plain matrix products, and its gradient eight
times as long (docs/results.md).
"""

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import AttentionInterface

LARGEST = 2**22  # weights that a layer may keep for its gradient: 25 MB
RARE = ("position_bias", "cache", "softcap")


def use_for_short_texts() -> None:
    """From now on, models whose attention is "sdpa" (the default) compute with `attention`."""
    AttentionInterface.register("sdpa", attention)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **named: object,
) -> tuple[torch.Tensor, None]:
    """What transformers' `sdpa_attention_forward` gives, and what it computes itself where texts are long or float32.

    `query` is (texts, heads, length, size), `key` and `value` are (texts, groups of heads, length of both, size).
    Weights are computed in float32, their product with the values in bfloat16, as in PyTorch's kernel.
    """
    texts, heads, length, size = query.shape
    causal = length > 1 and attention_mask is None and _causal(module, is_causal)
    if (
        query.device.type != "cpu"
        or not _in_bfloat16(query)
        or texts * heads * length * key.shape[2] > LARGEST
        or (causal and key.shape[2] != length)
        or any(named.get(name) is not None for name in RARE)
    ):
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, is_causal, **named)
    with torch.autocast("cpu", enabled=False):
        scaled = query.float() * (size**-0.5 if scaling is None else scaling)
        products = scaled.reshape(texts, key.shape[1], -1, size) @ key.float().transpose(2, 3)
        products = products.view(texts, heads, length, -1)
        if causal:
            attention_mask = torch.ones(length, length, dtype=torch.bool).tril()
        if attention_mask is not None:
            products = products + _bias(attention_mask)
        weights = torch.nn.functional.dropout(products.softmax(-1), dropout).to(torch.bfloat16)
        mixed = weights.view(texts, key.shape[1], -1, key.shape[2]) @ value.to(torch.bfloat16)
    return mixed.view(texts, heads, length, -1).transpose(1, 2).contiguous(), None


def _causal(module: torch.nn.Module, given: bool | None) -> bool:
    return getattr(module, "is_causal", True) if given is None else given


def _in_bfloat16(query: torch.Tensor) -> bool:
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return query.dtype == torch.bfloat16


def _bias(mask: torch.Tensor) -> torch.Tensor:
    """The mask as numbers to add: never −∞, of which a row that sees nothing would make nan."""
    lowest = torch.finfo(torch.float32).min
    if mask.dtype != torch.bool:
        return mask.float().clamp(min=lowest)
    return torch.zeros(mask.shape).masked_fill_(~mask, lowest)
