"""Static batches through transformers' generate: beam search gives the texts of transformers, whatever the batch."""

import logging

import pytest
import small_models
from generating import chain, plain_generate, texts_of
from transformers.utils.logging import warning_once

from utils.inference.generation import generate_texts
from utils.inference.sampling import Sampling

PROMPTS = ["a", "", "some longer prompt than the others", "Été", "b c"]


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_beam_search_is_that_of_transformers_alone_whatever_the_batch(random_model, tokenizer, batch_size):
    sampling = Sampling(max_new_tokens=6, num_beams=3, num_return_sequences=2)
    results = generate_texts(random_model, tokenizer, PROMPTS, sampling, batch_size)
    settings = {"max_new_tokens": 6, "num_beams": 3, "num_return_sequences": 2}
    assert texts_of(results) == [plain_generate(random_model, tokenizer, prompt, **settings) for prompt in PROMPTS]


def test_beam_search_stops_at_stop_strings(tokenizer):
    model = chain(tokenizer, None, *"abcdefgh", None)
    assert generate_texts(model, tokenizer, [""], Sampling(stop=("cd",), num_beams=2))[0][0].text == "ab"


def test_a_prompt_that_begins_with_the_token_for_padding_gives_no_warning(tokenizer, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)  # to caplog
    warning_once.cache_clear()  # another test may have had it already
    model = small_models.random_model("gpt2", vocab_size=257, bos_token_id=256, eos_token_id=256, pad_token_id=256)
    generate_texts(model, tokenizer, ["a"], Sampling(max_new_tokens=2, num_beams=2))
    assert caplog.messages == []
