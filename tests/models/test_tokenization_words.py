"""The ids of texts by their words: those of the whole texts, whatever the tokenizer."""

import array
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from utils.models import tokenization
from utils.models.tokenization import encodes_word_by_word, packed_ids

CORPUS = [
    "the cat's hat, the dog's day and the bird that sat on the mat",
    "we're here: they'll be there at 10:30 or 11:45, won't they ?",
    "l'été à l'école, où êtes-vous ? (ici) «là-bas» … et voilà !!!",
    "東京 tower 😀 🇫🇷 a b c d e",
] * 3

TEXTS = [*CORPUS, "", " ", "  ", "a", " a", "a ", "a  b", "a\tb c", "a \n b", "the\u00a0cat sat", "<end> the <end>"]


def trained(pre_tokenizer=None, normalizer=None, model=None) -> Tokenizer:
    """A byte-level BPE tokenizer with merges, those over blanks too where nothing parts the texts before."""
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


def listed(packed: list[bytes]) -> list[list[int]]:
    return [array.array("I", ids).tolist() for ids in packed]


BYTE_LEVEL = trained()
BLANK_IN_FRONT = trained(pre_tokenizers.ByteLevel(add_prefix_space=True))  # of every text, where there is none


def test_the_tokenizer_has_merges_worth_the_test():
    ids = whole_ids(BYTE_LEVEL, ["the cat"])[0]
    assert len(ids) < len("the cat") - 2
    assert BYTE_LEVEL.token_to_id("Ġthe") is not None


@pytest.mark.parametrize("tokenizer", [BYTE_LEVEL, BLANK_IN_FRONT])
def test_the_ids_are_those_of_the_whole_texts(tokenizer):
    assert encodes_word_by_word(tokenizer)
    assert listed(packed_ids(tokenizer, TEXTS)) == whole_ids(tokenizer, TEXTS)
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
        assert listed(packed_ids(tokenizer, [text])) == whole_ids(tokenizer, [text])


def test_every_character_beside_a_blank():
    """Python and the tokenizer agree on what is a blank."""
    characters = [one for one in map(chr, range(sys.maxunicode + 1)) if one.isprintable() and not one.isalnum()]
    texts = [f"a {one} b{one} {one}c" for one in characters]
    ids = [encoding.ids for encoding in BYTE_LEVEL.encode_batch_fast(texts, add_special_tokens=False)]
    assert len(texts) > 9_000
    assert listed(packed_ids(BYTE_LEVEL, texts)) == ids


def test_more_words_than_are_kept(monkeypatch):
    monkeypatch.setattr(tokenization, "TEXTS_AT_ONCE", 3)
    monkeypatch.setattr(tokenization, "WORDS_KEPT", 10)
    assert listed(packed_ids(BYTE_LEVEL, TEXTS * 2)) == whole_ids(BYTE_LEVEL, TEXTS * 2)


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
    assert listed(packed_ids(tokenizer, TEXTS)) == whole_ids(tokenizer, TEXTS)


def test_dropout_and_other_models_are_given_whole_texts():
    assert not encodes_word_by_word(trained(model=models.BPE(dropout=0.5)))
    assert not encodes_word_by_word(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
