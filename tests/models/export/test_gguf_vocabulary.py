"""The way of llama.cpp's to split texts that a tokenizer has, and tokenizers that are refused."""

import pytest
from exported_models import merging_tokenizer
from running import user_error
from tokenizers import Regex, normalizers, pre_tokenizers
from tokenizers.models import WordPiece

from utils.models.base_models import resolve
from utils.models.export.gguf_vocabulary import CONTROL, NORMAL, UNUSED, USER_DEFINED, vocabulary_of
from utils.models.opening.load import load_tokenizer

BY_WORDS = pre_tokenizers.ByteLevel(add_prefix_space=False)
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
# The pattern in Llama 3's tokenizer.json.
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split(pattern: str):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), BYTES])


DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BY_WORDS])
KNOWN = {
    "gpt-2": (BY_WORDS, {}),
    "smollm": (DIGITS, {}),
    "llama-bpe": (split(LLAMA_3), {"ignore_merges": True}),
}
UNKNOWN = {
    "a space before a text": (pre_tokenizers.ByteLevel(add_prefix_space=True), {}, "ByteLevel"),
    "another pattern": (split(LLAMA_3.replace("{1,3}", "{1,2}")), {"ignore_merges": True}, "Split, ByteLevel"),
    "words that are merged": (split(LLAMA_3), {}, "Split, ByteLevel"),
    "SentencePiece": (pre_tokenizers.Metaspace(), {"byte_fallback": True}, "SentencePiece's BPE"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_name_of_the_split(name):
    pre_tokenizer, options = KNOWN[name]
    assert vocabulary_of(merging_tokenizer(pre_tokenizer, **options), 310).split == name


@pytest.mark.parametrize("pre_tokenizer, options, reason", UNKNOWN.values(), ids=UNKNOWN)
def test_a_split_that_llama_cpp_lacks(pre_tokenizer, options, reason):
    error = user_error(vocabulary_of, merging_tokenizer(pre_tokenizer, **options), 310)
    assert "tokenizer of merging" in error.problem
    assert reason in error.problem


def test_texts_that_are_changed_first():
    tokenizer = merging_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.NFC()
    assert "changes texts first (NFC)" in user_error(vocabulary_of, tokenizer, 310).problem


def test_other_kinds_of_tokenizers():
    tokenizer = merging_tokenizer()
    tokenizer.backend_tokenizer.model = WordPiece({"a": 0}, unk_token="a")
    assert "is WordPiece, not BPE over bytes" in user_error(vocabulary_of, tokenizer, 310).problem
    assert "has no merges" in user_error(vocabulary_of, load_tokenizer(resolve("tiny")), 257).problem


def test_tokens_types_and_merges():
    tokenizer = merging_tokenizer()
    tokenizer.add_tokens(["<think>"])
    found = vocabulary_of(tokenizer, 303)
    ids = tokenizer.get_vocab()
    assert len(found.tokens) == len(found.types) == 303
    assert {found.tokens[id_]: id_ for id_ in range(301)} == ids
    types = {token: found.types[ids[token]] for token in ("<|im_end|>", "<think>", "a")}
    assert types == {"<|im_end|>": CONTROL, "<think>": USER_DEFINED, "a": NORMAL}
    assert (found.tokens[302], found.types[301:]) == ("[PAD302]", [UNUSED, UNUSED])
    assert all("".join(merge.split(" ")) in ids for merge in found.merges)
    assert len(found.merges) == 300 - 256 - 3
