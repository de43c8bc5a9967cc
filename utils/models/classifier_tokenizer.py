"""Classifiers that give our probabilities in any tool: a template in the tokenizer, a temperature in the head.

The template and special tokens are the tokenizer's post-processor and its normalizer, saved with it, so that every tool
encodes a text as we do. The temperature is folded into the weights of the head, the model's last layer.
"""

import array
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from utils.models.tokenization import fast_backend, packed_token_ids, start_and_end, token_ids

if TYPE_CHECKING:
    from tokenizers import normalizers
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BEFORE, AFTER = "<before the text>", "<after the text>"  # the template's parts, in the post-processor
SPECIAL_NAMES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
# Classes with which AutoTokenizer opens some models whatever their folder names; they have a normalizer of their own.
WITHOUT_OUR_NORMALIZER = ("Qwen2Tokenizer", "Qwen3_5Tokenizer")
LARGEST_LENGTH = 10**9


def with_template(
    tokenizer: "PreTrainedTokenizerBase",
    template: str,
    max_length: int | None = None,
    *,
    space_in_template: bool | None = None,
) -> "PreTrainedTokenizerBase":
    """Return a copy of the tokenizer that puts texts into the template, and truncates them to `max_length` tokens.

    For an encoder (BERT), [CLS] and [SEP] surround the text. A language model classifies from its last token, which is
    the template's or the text's: not end-of-text, which many of these models take for padding. The text starts with
    the template or, if the template has nothing before the text, with the start token (docs/results.md compares both).
    The name of a special token in a text is plain text.

    In most vocabularies, the space before a text belongs to the text's first token. With `space_in_template` it is a
    token of its own; None: where the space could not be saved otherwise.
    """
    from transformers import PreTrainedTokenizerFast

    around = [getattr(tokenizer, f"{name}_token") for name in SPECIAL_NAMES]
    special = {f"{name}_token": token for name, token in zip(SPECIAL_NAMES, around, strict=True) if token is not None}
    surrounded = PreTrainedTokenizerFast(
        tokenizer_object=fast_backend(tokenizer),
        **{"pad_token": tokenizer.eos_token or tokenizer.sep_token, **special},
        **({} if max_length is None else {"model_max_length": min(max_length, LARGEST_LENGTH)}),
        model_input_names=["input_ids", "attention_mask"],
        padding_side=tokenizer.padding_side if _ends_with_cls(tokenizer) else "right",
        truncation_side="right",
        split_special_tokens=True,
        chat_template=tokenizer.chat_template,
        name_or_path=tokenizer.name_or_path,
    )
    backend = surrounded.backend_tokenizer
    if has_template(tokenizer):
        backend.normalizer = _without_space(backend.normalizer)
    before, _, after = template.partition("{prompt}")
    if space_in_template is None:
        space_in_template = type(tokenizer).__name__ in WITHOUT_OUR_NORMALIZER
    joins_text = before.endswith(" ") and not space_in_template
    before_ids, after_ids = token_ids(surrounded, [before[:-1] if joins_text else before, after])
    if joins_text:
        backend.normalizer = _with_space(backend.normalizer)
    first, last = _special_tokens(tokenizer, starts_with_text=not before)
    backend.post_processor = _post_processor(surrounded, first, before_ids, after_ids, last)
    return surrounded


def has_template(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Return whether the tokenizer is one of `with_template`."""
    return BEFORE in _post_processor_state(tokenizer).get("special_tokens", {})


def encode_for_classification(
    tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], each: Callable = map
) -> tuple[list[array.array], int]:
    """Return the ids of each text in its template, and the number of ids after the text, never truncated.

    `tokenizer` is one of `with_template`. `each` maps the encoder to chunks of texts, perhaps in other processes.
    """
    head, tail = surroundings(tokenizer)
    first, last = (array.array("I", ids).tobytes() for ids in (head, tail))
    return [array.array("I", first + ids + last) for ids in packed_token_ids(tokenizer, texts, each)], len(tail)


def truncate(ids: array.array, length: int, tail: int) -> array.array:
    """Return at most `length` ids, removing those before the last `tail` ones."""
    return ids if len(ids) <= length else ids[: length - tail] + ids[len(ids) - tail :]


def surroundings(tokenizer: "PreTrainedTokenizerBase") -> tuple[list[int], list[int]]:
    """Return the ids before and after a text that a tokenizer of `with_template` adds."""
    state = _post_processor_state(tokenizer)
    parts, place = ([], []), 0
    for piece in state["single"]:
        if "Sequence" in piece:
            place = 1
        else:
            parts[place].extend(state["special_tokens"][piece["SpecialToken"]["id"]]["ids"])
    return parts


def _special_tokens(tokenizer: "PreTrainedTokenizerBase", *, starts_with_text: bool) -> tuple[list[int], list[int]]:
    """Return the ids of the special tokens before and after a text with its template."""
    if tokenizer.cls_token_id is None:
        return [start_and_end(tokenizer)[0]] if starts_with_text else [], []
    first, last = [tokenizer.cls_token_id], [] if tokenizer.sep_token_id is None else [tokenizer.sep_token_id]
    return ([], last + first) if _ends_with_cls(tokenizer) else (first, last)


def _ends_with_cls(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Return whether the tokenizer puts [CLS], where XLNet reads the label, after the text, and pads on the left."""
    state = _post_processor_state(tokenizer)
    if tokenizer.cls_token_id is None or not state.get("single"):
        return False
    last = state["single"][-1].get("SpecialToken", {}).get("id")
    return last is not None and state["special_tokens"][last]["ids"][-1] == tokenizer.cls_token_id


def _post_processor(tokenizer: "PreTrainedTokenizerBase", first, before, after, last):
    from tokenizers import processors

    pieces = {
        **{f"<special {number} first>": [id] for number, id in enumerate(first)},
        BEFORE: before,
        "$A": None,
        AFTER: after,
        **{f"<special {number} last>": [id] for number, id in enumerate(last)},
    }
    special = {name: ids for name, ids in pieces.items() if ids is not None}
    tokens = [{"id": name, "ids": ids, "tokens": tokenizer.convert_ids_to_tokens(ids)} for name, ids in special.items()]
    single = list(pieces)
    return processors.TemplateProcessing(single=single, pair=[*single, "$B:1"], special_tokens=tokens)


def _post_processor_state(tokenizer: "PreTrainedTokenizerBase") -> dict:
    post_processor = fast_backend(tokenizer).post_processor
    return {} if post_processor is None else json.loads(post_processor.__getstate__())


def _with_space(normalizer: "normalizers.Normalizer | None") -> "normalizers.Normalizer":
    """Return the normalizer, after one that puts a space before the text."""
    from tokenizers import normalizers

    space = normalizers.Prepend(" ")
    return space if normalizer is None else normalizers.Sequence([space, normalizer])


def _without_space(normalizer: "normalizers.Normalizer | None") -> "normalizers.Normalizer | None":
    """Return the normalizer that `_with_space` was given, or the same one if it has no space to put."""
    from tokenizers import normalizers

    steps = json.loads(normalizer.__getstate__()).get("normalizers", [normalizer]) if normalizer is not None else []
    first = normalizer[0] if isinstance(normalizer, normalizers.Sequence) and steps else normalizer
    if not isinstance(first, normalizers.Prepend) or first.prepend != " ":
        return normalizer
    return normalizers.Sequence([normalizer[number] for number in range(1, len(steps))]) if len(steps) > 1 else None


def fold_temperature(head: "nn.Module | None", temperature: float) -> None:
    """Divide a model's logits by the temperature: the weights and the bias of its `find_head` (None only for 1)."""
    if temperature != 1.0:
        _multiply(head, 1 / temperature)


def find_head(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> "nn.Module | None":
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


def _multiply(layer: "nn.Module", factor: float) -> None:
    layer.weight.data *= factor
    if getattr(layer, "bias", None) is not None:
        layer.bias.data *= factor
