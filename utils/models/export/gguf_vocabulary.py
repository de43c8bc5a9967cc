"""A tokenizer in the terms of a .gguf file: tokens with their types, merges, and how texts are split before merging."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.models.tokenization import fast_backend

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The types of tokens in llama.cpp (gguf.TokenType): of a text, of the template, in the text but whole, of no text.
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
_BYTES_BY_WORDS = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_BYTES = _BYTES_BY_WORDS | {"use_regex": False}
_DIGITS = {"type": "Digits", "individual_digits": True}
_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA_3_WORDS = {"type": "Split", "pattern": {"Regex": _LLAMA_3}, "behavior": "Isolated", "invert": False}
# llama.cpp's names (src/llama-vocab.cpp) of the ways to split a text, by what tokenizer.json says: the steps, and
# whether a word that is a token is not merged.
SPLITS = {
    "gpt-2": ([_BYTES_BY_WORDS], False),
    "smollm": ([_DIGITS, _BYTES_BY_WORDS], False),
    "llama-bpe": ([_LLAMA_3_WORDS, _BYTES], True),
}


@dataclass(frozen=True)
class Vocabulary:
    """The vocabulary with which llama.cpp encodes texts as the tokenizer does; `split` is one of SPLITS."""

    tokens: list[str]
    types: list[int]
    merges: list[str]
    split: str


def vocabulary_of(tokenizer: "PreTrainedTokenizerBase", rows: int) -> Vocabulary:
    """Return the tokenizer's vocabulary, with an unused token for each of the embedding's `rows` that has none.

    UserError where llama.cpp would encode texts in another way.
    """
    state = json.loads(fast_backend(tokenizer).to_str())
    split = _split_of(tokenizer.name_or_path, state)
    vocabulary = {id_: token for token, id_ in state["model"]["vocab"].items()}
    added = {token["id"]: token for token in state["added_tokens"]}
    tokens, types = [], []
    for id_ in range(rows):
        if id_ in added:
            tokens.append(added[id_]["content"])
            types.append(CONTROL if added[id_]["special"] else USER_DEFINED)
        else:
            tokens.append(vocabulary.get(id_, f"[PAD{id_}]"))
            types.append(NORMAL if id_ in vocabulary else UNUSED)
    return Vocabulary(tokens, types, [" ".join(pair) for pair in state["model"]["merges"]], split)


def _split_of(name: str, state: dict) -> str:
    """Return the name of the way in which a tokenizer.json splits texts. UserError where llama.cpp has no such way."""
    model, steps = state["model"], state["pre_tokenizer"] or {}
    parts = steps["pretokenizers"] if steps.get("type") == "Sequence" else [steps]
    shown = [{key: value for key, value in part.items() if key != "trim_offsets"} for part in parts]
    if state["normalizer"] is not None:
        raise _refused(name, f"changes texts first ({state['normalizer']['type']})")
    if model["type"] != "BPE" or model.get("byte_fallback"):
        kind = "SentencePiece's BPE" if model.get("byte_fallback") else model["type"]
        raise _refused(name, f"is {kind}, not BPE over bytes")
    if not model["merges"]:
        raise _refused(name, "has no merges")
    for split, (expected, whole_words) in SPLITS.items():
        if shown == expected and bool(model.get("ignore_merges")) == whole_words:
            return split
    kinds = ", ".join(str(part.get("type")) for part in parts)
    raise _refused(name, f"splits texts in another way ({kinds}) than {', '.join(SPLITS)}")


def _refused(name: str, reason: str) -> UserError:
    problem = f"--export gguf cannot keep the tokenizer of {name}, since it {reason}"
    return UserError(problem, "remove --export, or choose a base model such as smollm2, gpt2 or Llama 3")
