"""Ends of texts: at stop strings, never inside a character, and with the blank that SentencePiece drops."""

import pytest
from bigram_model import bigram_model
from generating import chain
from small_models import END, tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from utils.inference.generation import Generated, generate_texts
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings, decode_continuation
from utils.models.tokenization import token_ids


def ids_of(texts):
    return [[END, *ids] for ids in token_ids(tiny_tokenizer(), texts)]


@pytest.mark.parametrize(
    ("text", "stop"),
    [("one.\n\ntwo", "\n\n"), ("é and ö: étété", "été"), ("….…!", "…!"), ("no", "thing"), ("ab" * 30 + "c", "abc")],
)  # fmt: skip
def test_a_stop_string_is_found_at_the_token_that_completes_it(text, stop):
    tokenizer, prompt, ids = tiny_tokenizer(), *ids_of(["the prompt é", text])
    found, lengths = StopStrings(tokenizer, (stop,)), range(2, len(ids) + 1)
    expected = [stop in decode_continuation(tokenizer, prompt, ids[1:length]) for length in lengths]
    first = expected.index(True) if any(expected) else len(ids)  # afterwards, it need not be found again
    assert [found(prompt, ids[1:length]) for length in lengths][: first + 1] == expected[: first + 1]


def test_a_stop_string_may_begin_with_the_blank_that_sentencepiece_drops():
    words = {"<s>": 0, "</s>": 1, "▁hello": 2, "▁world": 3}
    core = Tokenizer(models.WordLevel(words, unk_token="<s>"))
    core.pre_tokenizer, core.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>")
    found = StopStrings(tokenizer, (" world",))
    assert found([0, 2], [3])
    assert not found([0], [3])  # a text that begins with a word begins without a blank
    assert found([0], [2, 3])
    assert not found([0, 2, 3], [2])  # it stands in the prompt


@pytest.mark.parametrize(
    ("max_new_tokens", "text"),
    [(1, "x"), (2, "x"), (3, "xé"), (4, "xé"), (5, "xé"), (6, "xé"), (7, "xé🎉"), (8, "xé🎉!")],
)
def test_a_text_never_ends_in_a_broken_character(tokenizer, max_new_tokens, text):
    model = chain(tokenizer, None, *token_ids(tokenizer, ["xé🎉!"])[0], None)
    ((generated,),) = generate_texts(model, tokenizer, [""], Sampling(max_new_tokens=max_new_tokens))
    assert generated == Generated(text, max_new_tokens, finished=False)


def test_a_broken_character_before_end_of_text_or_a_stop_string_goes_too(tokenizer):
    half = token_ids(tokenizer, ["é"])[0][0]
    model = chain(tokenizer, None, "a", half, "!", None)
    whole = generate_texts(model, tokenizer, [""], Sampling())[0][0]
    assert whole == Generated("a\ufffd!", 3, finished=True)
    assert generate_texts(model, tokenizer, [""], Sampling(stop=("!",)))[0][0] == Generated("a", 3, finished=True)
    model = chain(tokenizer, None, "a", half, None)
    assert generate_texts(model, tokenizer, [""], Sampling())[0][0] == Generated("a", 2, finished=True)


def test_a_text_ends_before_the_first_stop_string(tokenizer):
    model = chain(tokenizer, None, *"abcdefgh", None)
    (stopped,), (whole,) = generate_texts(model, tokenizer, ["", "f"], Sampling(stop=("ef", "cd", "zz")))
    assert stopped == Generated("ab", 4, finished=True)
    assert whole == Generated("gh", 2, finished=True)


def test_a_stop_string_at_the_length_limit_counts_and_one_that_begins_in_the_prompt_does_not(tokenizer):
    model = chain(tokenizer, None, *"abcdefgh", None)
    at_limit = generate_texts(model, tokenizer, [""], Sampling(stop=("cd",), max_new_tokens=4))
    assert at_limit == [[Generated("ab", 4, finished=True)]]
    assert generate_texts(model, tokenizer, ["c"], Sampling(stop=("cd",)))[0][0].text == "defgh"


def test_the_blank_before_the_first_word_survives_sentencepiece():
    words = {"<s>": 0, "</s>": 1, "▁hello": 2, "▁world": 3}
    backend = Tokenizer(models.WordLevel(words, unk_token="</s>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    model = bigram_model(tokenizer, {"hello": {"world": 0.0}, "world": {None: 0.0}})
    assert generate_texts(model, tokenizer, ["hello"], Sampling()) == [[Generated(" world", 1, finished=True)]]
