"""Texts to token ids, exactly and word by word; the model's limit; fingerprints of tokenizers."""

import array
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from utils.compute import word_ids
from utils.compute.word_ids import encodes_word_by_word
from utils.errors import UserError
from utils.models import tokenization
from utils.models.base_models import resolve
from utils.models.opening.load import load_tokenizer
from utils.models.tokenization import (
    encode,
    packed_ids,
    start_and_end,
    token_ids,
    tokenizer_fingerprint,
)

END = 256
# Byte-level BPE: a byte that is a printable character represents itself; the others follow, in order.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
ORDER = PRINTABLE + [byte for byte in range(256) if byte not in PRINTABLE]


def byte_ids(text):
    return [ORDER.index(byte) for byte in text.encode()]


@pytest.fixture
def tokenizer():
    return load_tokenizer(resolve("tiny"))


# Ids ------------------------------------------------------------------------------------------------------------------


def test_ids_of_tiny_are_bytes(tokenizer):
    assert token_ids(tokenizer, ["ab", "!", "é", ""]) == [[64, 65], [0], [127, 102], []]
    texts = ["Œuf à la coque !", " two  blanks\n", "三 🇫🇷", "a\tb\u2028c"]
    assert token_ids(tokenizer, texts) == [byte_ids(text) for text in texts]
    assert token_ids(tokenizer, []) == []


def test_the_name_of_a_special_token_is_text(tokenizer):
    (ids,) = token_ids(tokenizer, ["a <|endoftext|> b"])
    assert ids == byte_ids("a <|endoftext|> b")
    assert END not in ids


def test_encode_puts_start_prompt_completion_end(tokenizer):
    ids, loss_start = encode(tokenizer, ["", "ab", "é"], ["ab", "!", ""])
    assert [list(text) for text in ids] == [[256, 64, 65, 256], [256, 64, 65, 0, 256], [256, 127, 102, 256]]
    assert loss_start == [1, 3, 3]
    assert all(type(text) is array.array and text.typecode == "I" for text in ids)


def test_encode_without_any_prompt_or_any_text(tokenizer):
    assert encode(tokenizer, ["", ""], ["a", "b"]) == (
        [array.array("I", [256, 64, 256]), array.array("I", [256, 65, 256])],
        [1, 1],
    )
    assert encode(tokenizer, [], []) == ([], [])


def test_start_and_end_are_the_tokenizers_own(tokenizer):
    assert start_and_end(tokenizer) == (256, 256)
    tokenizer.bos_token = "!"
    assert start_and_end(tokenizer) == (0, 256)
    tokenizer.bos_token = None
    assert start_and_end(tokenizer) == (256, 256)
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="the tokenizer of tiny has no end-of-text token"):
        start_and_end(tokenizer)


# Fingerprint ----------------------------------------------------------------------------------------------------------


def test_the_fingerprint_is_that_of_the_ids(tokenizer):
    def changed(change):
        other = load_tokenizer(resolve("tiny"))
        change(other, other.backend_tokenizer)
        return tokenizer_fingerprint(other)

    same = tokenizer_fingerprint(tokenizer)
    assert len(same) == 64
    assert changed(lambda front, back: None) == same
    assert changed(lambda front, back: front(["a", "bcd"], padding=True, truncation=True, max_length=2)) == same

    others = {
        changed(lambda front, back: front.add_tokens(["word"])),
        changed(lambda front, back: setattr(back, "normalizer", normalizers.Lowercase())),
        changed(lambda front, back: setattr(back, "pre_tokenizer", pre_tokenizers.ByteLevel(add_prefix_space=True))),
        changed(lambda front, back: setattr(front, "bos_token", "!")),
        changed(lambda front, back: setattr(front, "eos_token", "!")),
    }
    assert len(others | {same}) == 6


# Word by word ---------------------------------------------------------------------------------------------------------

CORPUS = [
    "the cat's hat, the dog's day and the bird that sat on the mat",
    "we're here: they'll be there at 10:30 or 11:45, won't they ?",
    "l'été à l'école, où êtes-vous ? (ici) «là-bas» … et voilà !!!",
    "東京 tower 😀 🇫🇷 a b c d e",
] * 3

TEXTS = [*CORPUS, "", " ", "  ", "a", " a", "a ", "a  b", "a\tb c", "a \n b", "the\u00a0cat sat", "<end> the <end>"]


def trained(pre_tokenizer=None, normalizer=None, model=None) -> Tokenizer:
    """Return a trained BPE tokenizer; its merges contain spaces if the pre-tokenizer does not split at them."""
    tokenizer = Tokenizer(model or models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer or pre_tokenizers.ByteLevel(add_prefix_space=False)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, special_tokens=["<end>"], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.encode_special_tokens = True
    return tokenizer


def whole_ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def fast_ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [array.array("I", ids).tolist() for ids in packed_ids(tokenizer, texts)]


BYTE_LEVEL = trained()
BLANK_IN_FRONT = trained(pre_tokenizers.ByteLevel(add_prefix_space=True))  # of every text, where there is none


def test_the_tokenizer_has_merges_worth_the_test():
    ids = whole_ids(BYTE_LEVEL, ["the cat"])[0]
    assert len(ids) < len("the cat") - 2
    assert BYTE_LEVEL.token_to_id("Ġthe") is not None


@pytest.mark.parametrize("tokenizer", [BYTE_LEVEL, BLANK_IN_FRONT])
def test_the_ids_are_those_of_the_whole_texts(tokenizer):
    assert encodes_word_by_word(tokenizer)
    assert fast_ids(tokenizer, TEXTS) == whole_ids(tokenizer, TEXTS)
    assert packed_ids(tokenizer, []) == []


PIECES = st.sampled_from(
    ["the", "cat", "'s", "'ll", "'", "10", "é", "…", "!?", "<end>", "東", "😀", "\u200d", "\ufe0f"]
)
BLANKS = st.sampled_from([" "] * 8 + ["", "  ", "\n", "\t ", " \u00a0", "\u2028", "\u3000 "])


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(st.lists(st.tuples(BLANKS, PIECES | st.text(max_size=3).filter(lambda text: text.isprintable()))), BLANKS)
def test_of_any_text(pieces, end):
    text = "".join(blank + piece for blank, piece in pieces) + end
    for tokenizer in (BYTE_LEVEL, BLANK_IN_FRONT):
        assert fast_ids(tokenizer, [text]) == whole_ids(tokenizer, [text])


def test_every_character_beside_a_blank():
    """Python and the tokenizer agree on what whitespace is."""
    characters = [one for one in map(chr, range(sys.maxunicode + 1)) if one.isprintable() and not one.isalnum()]
    texts = [f"a {one} b{one} {one}c" for one in characters]
    ids = [encoding.ids for encoding in BYTE_LEVEL.encode_batch_fast(texts, add_special_tokens=False)]
    assert len(texts) > 9_000
    assert fast_ids(BYTE_LEVEL, texts) == ids


def test_more_words_than_are_kept(monkeypatch):
    monkeypatch.setattr(tokenization, "TEXTS_AT_ONCE", 3)
    monkeypatch.setattr(word_ids, "MAX_CACHED_WORDS", 10)
    assert fast_ids(BYTE_LEVEL, TEXTS * 2) == whole_ids(BYTE_LEVEL, TEXTS * 2)


def with_token(token: AddedToken) -> Tokenizer:
    tokenizer = trained()
    tokenizer.add_tokens([token])
    return tokenizer


OTHERS = {
    "merges over blanks": trained(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)),
    "a normaliser": trained(normalizer=normalizers.Replace(Regex("t s"), "x")),
    "a token with a blank": with_token(AddedToken("cat's hat")),
    "an expression of its own": trained(
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(r"\w+ \w+"), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    ),
    "nothing before": trained(pre_tokenizers.Split("|", "isolated")),
}


@pytest.mark.parametrize("tokenizer", OTHERS.values(), ids=OTHERS.keys())
def test_other_tokenizers_are_given_whole_texts(tokenizer):
    words = [[text.split(" ")[0], *(f" {word}" for word in text.split(" ")[1:])] for text in TEXTS]
    by_words = [[number for word in text for number in whole_ids(tokenizer, [word])[0]] for text in words]
    assert by_words != whole_ids(tokenizer, TEXTS)  # so joining would be wrong
    assert not encodes_word_by_word(tokenizer)
    assert fast_ids(tokenizer, TEXTS) == whole_ids(tokenizer, TEXTS)


def test_dropout_and_other_models_are_given_whole_texts():
    assert not encodes_word_by_word(trained(model=models.BPE(dropout=0.5)))
    assert not encodes_word_by_word(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
