"""Token ids of texts to classify: the template around a text, and the result of a cut."""

import pytest
from small_classifiers import ENCODERS, encoder_tokenizer
from small_models import END, tiny_tokenizer

from utils.models.classifier_tokenizer import encode_for_classification, truncate, with_template
from utils.models.tokenization import tokenizer_fingerprint


def test_ids_of_a_model_that_writes():
    ids, tail = encode_for_classification(with_template(tiny_tokenizer(), "<{prompt}> "), ["ab", ""])
    by_letter = {letter: tiny_tokenizer()(letter)["input_ids"][0] for letter in "ab<> "}
    assert [list(text) for text in ids] == [
        [by_letter["<"], by_letter["a"], by_letter["b"], by_letter[">"], by_letter[" "]],
        [by_letter["<"], by_letter[">"], by_letter[" "]],
    ]
    assert tail == 2
    bare, none = encode_for_classification(with_template(tiny_tokenizer(), "{prompt}"), ["ab"])
    assert (list(bare[0]), none) == ([END, by_letter["a"], by_letter["b"]], 0)


def test_the_blank_before_a_text_belongs_to_the_text(tmp_path):
    """As in most vocabularies: " good" is a token, which "good" after a blank of its own is not."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {
        token: number for number, token in enumerate(["<end>", "Ġ", *"Text:god", "Ġg", "Ġgo", "Ġgoo", "Ġgood"])
    }
    merges = [("Ġ", "g"), ("Ġg", "o"), ("Ġgo", "o"), ("Ġgoo", "d")]
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>", bos_token="<end>")
    ids, tail = encode_for_classification(with_template(tokenizer, "Text: {prompt}"), ["good"])
    assert tokenizer.convert_ids_to_tokens(ids[0]) == [*"Text:", "Ġgood"]
    assert tail == 0


def test_ids_of_an_encoder():
    tokenizer = encoder_tokenizer()
    ids, tail = encode_for_classification(with_template(tokenizer, "{prompt}"), ["ab", "[SEP]"])
    assert list(ids[0]) == tokenizer("[CLS]ab[SEP]", add_special_tokens=False)["input_ids"]
    assert tail == 1
    assert ids[1][0] == tokenizer.cls_token_id
    assert list(ids[1]).count(tokenizer.sep_token_id) == 1  # the name of a special token is text
    assert len(ids[1]) == 1 + len("[SEP]") + 1


def test_a_cut():
    ids = encode_for_classification(with_template(tiny_tokenizer(), "{prompt}!?"), ["abcdef"])[0][0]
    assert list(truncate(ids, 6, 2)) == list(ids[:4]) + list(ids[-2:])
    assert list(truncate(ids, 9, 2)) == list(ids)
    assert list(truncate(ids, 5, 0)) == list(ids[:5])


@pytest.mark.parametrize("family", ENCODERS)
def test_a_tokenizer_without_end_of_text_has_a_fingerprint(family):
    assert (
        tokenizer_fingerprint(encoder_tokenizer())
        == tokenizer_fingerprint(encoder_tokenizer())
        != tokenizer_fingerprint(tiny_tokenizer())
    )
