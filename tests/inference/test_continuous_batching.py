"""Rows that leave and join a batch: the texts of transformers one at a time, and no more work than they need."""

import pytest
import torch
from small_models import END, random_model, tiny_tokenizer
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from utils.inference.continuous_batching import supports_continuous_batching
from utils.inference.generation import generate_from_ids, generate_texts
from utils.inference.sampling import Sampling
from utils.inference.stopping import cut_at_stop, decode_continuation
from utils.models.tokenization import context_length, token_ids

TEXTS = ["a", "b c", "some longer prompt", "Été", "x" * 120, "", "a", "one two three", "zz", "the end", "y" * 20, "q"]
SIZES = {"vocab_size": END + 1, "initializer_range": 0.2, "bos_token_id": END, "eos_token_id": END, "pad_token_id": END}
BLOCKS = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def other_model(kind):
    """Models whose positions or whose memory are of another kind than GPT-2's and Llama's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "bloom":  # no positions but distances
            return BloomForCausalLM(BloomConfig(hidden_size=16, n_layer=2, n_head=2, **SIZES)).eval()
        if kind == "mamba":  # a state
            shape = {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4}
            return MambaForCausalLM(MambaConfig(**shape, **SIZES)).eval()
        config = MistralConfig(num_key_value_heads=2, intermediate_size=32, sliding_window=8, **BLOCKS, **SIZES)
        return MistralForCausalLM(config).eval()


def ids_of(texts):
    return [[END, *ids] for ids in token_ids(tiny_tokenizer(), texts)]


def plain_generate(model, ids, max_new_tokens):
    """The output of transformers' own generate after these ids alone, where nothing ends."""
    ids = torch.tensor([ids])
    options = {"do_sample": False, "pad_token_id": END, "eos_token_id": None, "max_new_tokens": max_new_tokens}
    return model.generate(ids, attention_mask=torch.ones_like(ids), **options)[0, ids.shape[1] :].tolist()


def shapes_seen_by(model):
    """A list that gets the (rows, tokens) of everything that the model is given from now on."""
    shapes = []
    model.register_forward_pre_hook(lambda _, __, given: shapes.append(given["input_ids"].shape), with_kwargs=True)
    return shapes


@pytest.mark.parametrize(
    ("kind", "rows_are_apart"),
    [("gpt2", True), ("llama", True), ("opt", True), ("gpt_neox", True), ("bloom", True), ("mamba", False),
     ("sliding", False)],
)  # fmt: skip
def test_texts_that_end_at_any_length_are_those_of_transformers_alone(kind, rows_are_apart):
    model = random_model(kind) if kind in ("gpt2", "llama", "opt", "gpt_neox") else other_model(kind)
    assert supports_continuous_batching(model) == rows_are_apart
    ids = ids_of(TEXTS)
    if kind == "mamba":
        ids = [one for one in ids if len(one) < 100]  # its batches take 128 steps of Python to read that one
    room = [min(80, context_length(model) - len(one)) for one in ids]
    whole = [plain_generate(model, one, length) for one, length in zip(ids, room, strict=True)]
    # As the end serves the token that ends these texts at the most different places.
    end = max(range(END), key=lambda token: len({text.index(token) for text in whole if token in text}))
    expected = [text[: text.index(end)] if end in text else text for text in whole]
    assert len({len(text) for text in expected}) > 1
    sampling = Sampling(max_new_tokens=80, do_sample=False)
    for batch_size in (4, 50):
        texts = generate_from_ids(model, tiny_tokenizer(), ids, sampling, batch_size, end=end)
        assert [text.tokens for (text,) in texts] == [len(text) for text in expected]
        assert [text.finished for (text,) in texts] == [end in text for text in whole]
        decoded = [cut_at_stop(decode_continuation(tiny_tokenizer(), [END], text), ())[0] for text in expected]
        assert [text.text for (text,) in texts] == decoded


def test_rows_that_are_finished_cost_nothing_more_and_others_take_their_places():
    model, ids = random_model("llama"), [[END, number] for number in range(40)]
    whole = [plain_generate(model, one, 40) for one in ids]
    end = max(range(END), key=lambda token: sum(token in text for text in whole))
    sampling = Sampling(max_new_tokens=40, do_sample=False)
    shapes = shapes_seen_by(model)
    generate_from_ids(model, tiny_tokenizer(), ids, sampling, batch_size=8, end=end)
    lengths = [text.index(end) + 1 if end in text else 40 for text in whole]
    assert max(rows for rows, _ in shapes) == 8
    assert [columns for rows, columns in shapes if columns > 1] == [2] * sum(columns > 1 for _, columns in shapes)
    read = sum(rows for rows, columns in shapes if columns > 1)
    written = sum(rows for rows, columns in shapes if columns == 1)
    assert read == 40
    assert written == sum(lengths) - 40  # reading a prompt gives its first token; with 8 rows, each leaves at once
    in_whole_batches = sum(max(lengths[first : first + 8]) for first in range(0, 40, 8))
    assert len(shapes) < 0.9 * in_whole_batches


def test_a_row_at_the_end_of_the_context_stays_there_while_others_go_on():
    model, tokenizer = random_model("gpt2"), tiny_tokenizer()
    texts = ["x" * 123, *["short"] * 19]  # the context is 128: the first text has 4 tokens, and cannot leave alone
    results = generate_texts(model, tokenizer, texts, Sampling(max_new_tokens=30, do_sample=False))
    assert [text.tokens for (text,) in results] == [4] + [30] * 19
    assert results[1:] == generate_texts(model, tokenizer, texts[1:], Sampling(max_new_tokens=30, do_sample=False))


def test_a_prompt_is_read_once_for_all_its_texts():
    model = random_model("gpt2")
    shapes = shapes_seen_by(model)
    sampling = Sampling(max_new_tokens=5, num_return_sequences=6)
    texts = generate_texts(model, tiny_tokenizer(), ["once upon", "a time"], sampling)
    assert shapes == [(2, 10), *[(12, 1)] * 4]
    assert texts == generate_texts(random_model("gpt2"), tiny_tokenizer(), ["once upon", "a time"], sampling, 1)
