"""Checks of an open model: tokens without an embedding, weights that are not numbers, attention to the future."""

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.models.folder_checks import MERGE, check_numbers
from utils.models.load_errors import COPY_AGAIN, open_with
from utils.models.tokenization import context_length

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PROBE_LENGTH, PROBE_VOCABULARY = 3, 1000  # more tokens take longer and show no more
# How far logits of a causal model may move, relative to the largest: by rounding, where a mixture of experts sorts its
# tokens otherwise. 25 causal architectures moved them by 0, and 14 random encoders of 16 dimensions by 7e-4 or more.
ROUNDING = 1e-5
SHORT_TEXT = "a short text"
MANY_SCRIPTS = "a A 1 . é ж 文 あ ع"
NAMES_OF_OTHER_SENSES = ("image", "boi", "eoi", "audio", "boa", "eoa", "video")


def check_open_model(name: str, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", writes: bool) -> None:
    """Raise UserError where the tokenizer doesn't fit the model, or its weights or logits are no numbers.

    A model that `writes` must also be causal: no token may see the tokens that follow it.
    """
    import torch

    check_tokenizer_fits(name, model, tokenizer)
    for weight_name, weight in model.named_parameters():
        # The sum is one pass over the weights, and not finite if any weight is not.
        if weight.is_floating_point() and not torch.isfinite(weight.sum()) and not torch.isfinite(weight).all():
            raise UserError(f"{name} has weights that are not finite numbers, in {weight_name}", COPY_AGAIN)
    if writes:
        _check_causal(name, model, tokenizer)
    else:
        _check_classifies(name, model, tokenizer)


def check_pickled_numbers(name: str, folder: Path) -> None:
    """Raise UserError for weights in a folder's pickles that are whole numbers. Only their names and types are read."""
    import torch

    if any(folder.glob("*.safetensors")):  # which are used instead
        return
    for path in sorted(folder.glob("pytorch_model*.bin")):
        found = open_with(
            f"{name} cannot be loaded", COPY_AGAIN, torch.load, path, map_location="meta", weights_only=True
        )
        if isinstance(found, dict):
            check_numbers(str(path), {str(key): str(getattr(value, "dtype", "")) for key, value in found.items()})


def check_loading_report(name: str, model: "PreTrainedModel", report: dict, hint: str, new_head: bool = False) -> None:
    """Raise UserError where the weights on disk are not those of the model, according to transformers' loading report.

    It draws random numbers for weights that are missing or have another size, which is right only for those of a
    `new_head`; what it does not know, it leaves out.
    """
    kind = type(model).__name__

    def is_new(key: str) -> bool:
        """The pooler is a part of the model in name only: most encoders are trained and saved without it."""
        return new_head and (not key.startswith(f"{model.base_model_prefix}.") or ".pooler." in key)

    if missing := sorted(key for key in report["missing_keys"] if not is_new(key)):
        few = 2 * len(missing) < len(model.state_dict())
        raise UserError(f"{name} lacks weights of a {kind}: {_some(missing)}", COPY_AGAIN if few else hint)
    for key, found, expected in sorted(report["mismatched_keys"]):
        if not is_new(key):
            sizes = f"{list(found)} instead of {list(expected)}, the size in its config.json"
            raise UserError(f"{name} has weights of another size: {key} is {sizes}", COPY_AGAIN)
    extra = sorted(report["unexpected_keys"])
    if adapters := [key for key in extra if ".lora_" in key or ".ia3_" in key]:
        raise UserError(f"{name} has an adapter in its weights ({_some(adapters)}), which is not applied here", MERGE)
    known = {_without_numbers(key) for key in model.state_dict()}
    if blocks := [key for key in extra if _without_numbers(key) in known]:
        raise UserError(f"{name} has weights of more blocks than its config.json says: {_some(blocks)}", COPY_AGAIN)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _without_numbers(key: str) -> str:
    return re.sub(r"\d+", "#", key)


def check_tokenizer_fits(name: str, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raise UserError where the tokenizer has a token whose id has no row in the embedding, or no tokens at all.

    Padded embeddings, with more rows than there are tokens, are usual. Tokens for pictures and sounds may lack a row,
    as Gemma 3's does: no text has them. Any other token is in some text, in a chat template, or pads a batch.
    """
    embedding = _embedding(model)
    if embedding is None:
        return
    rows, tokens, beyond = embedding.shape[0], len(tokenizer), []
    # Asking for each id takes half as long as the vocabulary, which is only needed where ids are missing.
    if tokens > rows or not tokenizer.is_fast or None in map(tokenizer.backend_tokenizer.id_to_token, range(tokens)):
        beyond = sorted((id, token) for token, id in tokenizer.get_vocab().items() if id >= rows)
        unused = {getattr(tokenizer, f"{sense}_token", None) for sense in NAMES_OF_OTHER_SENSES}
        beyond = [(id, token) for id, token in beyond if token not in unused]
    if beyond:
        id, token = beyond[0]
        raise UserError(
            f"the tokenizer of {name} is larger than its embedding, which has {rows:,} rows: "
            f"{len(beyond):,} of its tokens without a row, from {token!r} with the id {id} on",
            "enlarge the model with model.resize_token_embeddings(len(tokenizer)) and save it, or restore the "
            "tokenizer that it was trained with",
        )
    if not tokenizer.is_fast:
        return
    encode = partial(tokenizer.backend_tokenizer.encode, MANY_SCRIPTS, add_special_tokens=False)
    if not open_with(f"the tokenizer of {name} fails on a text", COPY_AGAIN, encode).ids:
        raise UserError(f"the tokenizer of {name} has no tokens for any text", COPY_AGAIN)


def _check_causal(name: str, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raise UserError where logits depend on later tokens, or where the model fails on a few tokens."""
    import torch

    ids = _probe_ids(model, tokenizer)
    if ids is None:
        return
    with torch.no_grad():  # not inference_mode: what a model keeps of its first call must be usable in training
        logits = open_with(f"{name} fails on a short text", COPY_AGAIN, model, ids.to(model.device)).logits.float()
    if logits.isnan().any():
        raise UserError(f"{name} computes logits that are not numbers", COPY_AGAIN)
    first, other_end, other_rest = logits
    scale = (first - first.mean(-1, keepdim=True)).abs().max()
    moved = max((first - other_end)[:-1].abs().max(), (first - other_rest)[:1].abs().max())
    if moved > ROUNDING * scale:
        raise UserError(
            f"{name} ({type(model).__name__}) sees the tokens that follow, so it would learn to copy and not to write",
            "use it to classify (preprocess.py --task reviews), or choose a causal base model such as gpt2 or smollm2; "
            'if it was trained as a decoder, say "is_decoder": true in its config.json',
        )


def _check_classifies(name: str, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raise UserError where a classifier fails on a short text, or gives it logits that are not numbers."""
    import torch

    failure = f"{name} fails on a short text"
    encoded = open_with(failure, COPY_AGAIN, tokenizer, [SHORT_TEXT], verbose=False)
    ids = open_with(failure, COPY_AGAIN, tokenizer.pad, encoded, padding=False, return_tensors="pt")["input_ids"]
    if ids.shape[1] > context_length(model):
        return
    with torch.no_grad():
        logits = open_with(failure, COPY_AGAIN, model, ids.to(model.device)).logits
    if logits.isnan().any():
        raise UserError(f"{name} computes logits that are not numbers", COPY_AGAIN)


def _embedding(model: "PreTrainedModel") -> "torch.Tensor | None":
    """Return the weights of the input embedding, a row per token; None where the architecture has none."""
    try:
        return model.get_input_embeddings().weight
    except (NotImplementedError, AttributeError):
        return None


def _probe_ids(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> "torch.Tensor | None":
    """Return three texts of plain tokens: the second has another last token, the third is another but for its first.

    The third finds a model that sees what follows only at the start. None where model or vocabulary are too small.
    """
    import torch

    embedding = _embedding(model)
    rows = len(tokenizer) if embedding is None else embedding.shape[0]
    special = {*tokenizer.all_special_ids, getattr(model.config.get_text_config(), "pad_token_id", None)}
    plain = [id for id in range(min(len(tokenizer), rows, PROBE_VOCABULARY)) if id not in special]
    context = context_length(model)
    length = min(PROBE_LENGTH, context if context > 0 else PROBE_LENGTH, len(plain) // 2)  # XLNet says -1
    if length < 2:
        return None
    text, other = plain[-length:], plain[-2 * length : -length]
    return torch.tensor([text, [*text[:-1], other[-1]], [text[0], *other[1:]]])
