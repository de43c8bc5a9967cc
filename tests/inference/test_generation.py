"""Generation: exact draws that no batch changes, and texts that end where they should."""

import math
from collections import Counter
from itertools import pairwise

import pytest
import torch
from bigram_model import bigram_model
from scipy.stats import chisquare
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from utils.errors import DataError, UsageError
from utils.inference.generation import Generated, generate_texts
from utils.inference.sampler import uniform
from utils.inference.sampling import Sampling
from utils.models.base_models import load_tokenizer, resolve
from utils.models.tokenization import token_ids

GREEDY = {"do_sample": False}
PROMPTS = ["a", "", "some longer prompt than the others", "Été", "b c", "a", "two words", "x" * 50, "😀"]


@pytest.fixture(scope="module")
def tokenizer():
    """A token a byte, and end-of-text, which is the start token too."""
    return load_tokenizer(resolve("tiny"))


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def random_model(request):
    """Two random blocks whose weights are large enough for every position and every token of the prompt to count."""
    shape = {"vocab_size": 257, "initializer_range": 0.3, "eos_token_id": 256, "bos_token_id": 256}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        if request.param == "gpt2":
            return GPT2LMHeadModel(GPT2Config(n_positions=128, n_embd=32, n_layer=2, n_head=2, **shape)).eval()
        blocks = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 64}
        return LlamaForCausalLM(LlamaConfig(max_position_embeddings=128, **blocks, **shape)).eval()


def chain(tokenizer, *tokens):
    """A model that writes these tokens, no two of them the same, one after the other."""
    return bigram_model(tokenizer, {token: {following: 0.0} for token, following in pairwise(tokens)})


def alone(model, tokenizer, prompt, **settings):
    """The texts that transformers' own generate writes from one prompt, without padding."""
    ids = torch.tensor([[tokenizer.eos_token_id, *token_ids(tokenizer, [prompt])[0]]])
    rows = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=256, **settings)
    return [tokenizer.decode(row[ids.shape[1] :], skip_special_tokens=True).rstrip("\ufffd") for row in rows]


def texts_of(results):
    return [[generated.text for generated in texts] for texts in results]


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_greedy_text_is_that_of_transformers_alone_whatever_the_batch(random_model, tokenizer, batch_size):
    results = generate_texts(random_model, tokenizer, PROMPTS, Sampling(max_new_tokens=12, **GREEDY), batch_size)
    assert texts_of(results) == [alone(random_model, tokenizer, prompt, max_new_tokens=12) for prompt in PROMPTS]
    assert len({text for (text,) in texts_of(results)}) > 5  # the model looks at its prompt


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_beam_search_is_that_of_transformers_alone_whatever_the_batch(random_model, tokenizer, batch_size):
    sampling = Sampling(max_new_tokens=6, num_beams=3, num_return_sequences=2)
    results = generate_texts(random_model, tokenizer, PROMPTS[:5], sampling, batch_size)
    settings = {"max_new_tokens": 6, "num_beams": 3, "num_return_sequences": 2}
    assert texts_of(results) == [alone(random_model, tokenizer, prompt, **settings) for prompt in PROMPTS[:5]]


def test_the_same_seed_gives_the_same_texts_whatever_the_batch(random_model, tokenizer):
    sampling = Sampling(max_new_tokens=12, num_return_sequences=3, seed=5, temperature=0.8)
    one, three, eight = (generate_texts(random_model, tokenizer, PROMPTS, sampling, size) for size in (1, 3, 8))
    assert one == three == eight
    assert len({text for texts in texts_of(one) for text in texts}) == 3 * len(PROMPTS)  # "a" is there twice
    other = generate_texts(random_model, tokenizer, PROMPTS, Sampling(max_new_tokens=12, seed=6))
    assert not {texts[0] for texts in texts_of(other)} & {texts[0] for texts in texts_of(one)}


def test_neither_the_other_prompts_nor_more_texts_change_a_text(random_model, tokenizer):
    few = generate_texts(random_model, tokenizer, ["one", "two", "three"], Sampling(max_new_tokens=8))
    prompts = ["something else", "two", "three", "four"]
    many = generate_texts(random_model, tokenizer, prompts, Sampling(max_new_tokens=8, num_return_sequences=4))
    assert [texts[0] for texts in many[1:3]] == [texts[0] for texts in few[1:]]


def test_no_prompt_gives_no_text_and_the_mode_of_the_model_is_kept(random_model, tokenizer):
    random_model.train()
    assert generate_texts(random_model, tokenizer, [], Sampling()) == []
    trained_mode = texts_of(generate_texts(random_model, tokenizer, ["a"], Sampling(max_new_tokens=9, **GREEDY)))
    assert random_model.training
    random_model.eval()
    assert trained_mode == [alone(random_model, tokenizer, "a", max_new_tokens=9)]  # without dropout


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # Worked out by hand from the probabilities 8/16, 4/16, 2/16, 1/16, 1/16.
        ({"top_k": 0, "top_p": 1.0}, {"a": 8 / 16, "b": 4 / 16, "c": 2 / 16, "d": 1 / 16, "": 1 / 16}),
        ({"top_k": 3, "top_p": 1.0}, {"a": 4 / 7, "b": 2 / 7, "c": 1 / 7}),
        ({"top_k": 0, "top_p": 0.7}, {"a": 2 / 3, "b": 1 / 3}),
        # Of the three most likely, a and b together have 6/7 = 0.857: c is needed for 0.9, but not for 0.85.
        ({"top_k": 3, "top_p": 0.9}, {"a": 4 / 7, "b": 2 / 7, "c": 1 / 7}),
        ({"top_k": 3, "top_p": 0.85}, {"a": 2 / 3, "b": 1 / 3}),
        # A temperature of 0.5 squares the probabilities: 64, 16, 4, 1, 1 of 86.
        (
            {"top_k": 0, "top_p": 1.0, "temperature": 0.5},
            {"a": 64 / 86, "b": 16 / 86, "c": 4 / 86, "d": 1 / 86, "": 1 / 86},
        ),
    ],
)
def test_draws_follow_the_probabilities(tokenizer, settings, expected):
    logits = {token: math.log(share) for token, share in zip("abcd", (8, 4, 2, 1), strict=True)} | {None: 0.0}
    model = bigram_model(tokenizer, {None: logits})
    sampling = Sampling(max_new_tokens=1, num_return_sequences=3000, **settings)
    counts = Counter(generated.text for generated in generate_texts(model, tokenizer, [""], sampling, 1000)[0])
    assert counts.keys() <= expected.keys()
    assert chisquare([counts[text] for text in expected], [3000 * p for p in expected.values()]).pvalue > 0.001


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"top_k": 0, "top_p": 1e-6}, {"temperature": 1e-4}])
def test_settings_that_leave_one_token_are_greedy(random_model, tokenizer, settings):
    greedy = generate_texts(random_model, tokenizer, PROMPTS, Sampling(max_new_tokens=5, **GREEDY))
    assert generate_texts(random_model, tokenizer, PROMPTS, Sampling(max_new_tokens=5, **settings)) == greedy


def test_draws_of_following_steps_and_of_other_prompts_are_independent(tokenizer):
    probabilities = {"a": 0.5, "b": 0.3, "c": 0.2}
    logits = {token: math.log(probability) for token, probability in probabilities.items()}
    model = bigram_model(tokenizer, dict.fromkeys((None, *probabilities), logits))
    results = generate_texts(model, tokenizer, [""] * 2000, Sampling(max_new_tokens=2, top_k=0, top_p=1), 1000)
    first_and_second = Counter(texts[0].text for texts in results)
    first_of_neighbours = Counter(results[n][0].text[0] + results[n + 1][0].text[0] for n in range(0, 2000, 2))
    for counts in (first_and_second, first_of_neighbours):
        expected = {x + y: probabilities[x] * probabilities[y] * counts.total() for x in "abc" for y in "abc"}
        assert chisquare([counts[pair] for pair in expected], list(expected.values())).pvalue > 0.001


def test_the_noise_is_splitmix64():
    # The published first outputs of the stream that starts at 1234567.
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    numbers = uniform(torch.tensor([1234567]), torch.arange(4))
    assert numbers.tolist() == [((number >> 11) + 0.5) / 2**53 for number in published]


def test_a_text_ends_at_end_of_text_which_is_not_printed(tokenizer):
    model = chain(tokenizer, None, "s", "t", "o", "p", None)
    assert generate_texts(model, tokenizer, [""], Sampling()) == [[Generated("stop", 4, finished=True)]]
    assert generate_texts(model, tokenizer, ["p"], Sampling()) == [[Generated("", 0, finished=True)]]
    cut = generate_texts(model, tokenizer, ["", "s"], Sampling(max_new_tokens=3))
    assert cut == [[Generated("sto", 3, finished=False)], [Generated("top", 3, finished=False)]]


def test_the_name_of_end_of_text_in_a_prompt_is_text(tokenizer):
    model = chain(tokenizer, ">", "y", None)
    assert generate_texts(model, tokenizer, ["<|endoftext|>"], Sampling(**GREEDY))[0][0].text == "y"


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


def test_beam_search_stops_at_stop_strings(tokenizer):
    model = chain(tokenizer, None, *"abcdefgh", None)
    assert generate_texts(model, tokenizer, [""], Sampling(stop=("cd",), num_beams=2))[0][0].text == "ab"


def test_min_new_tokens_keeps_a_text_going(tokenizer):
    model = bigram_model(tokenizer, {None: {None: 5.0, "a": 0.0}, "a": {None: 5.0, "a": 0.0}})
    for settings in ({}, GREEDY, {"num_beams": 2}):
        sampling = Sampling(min_new_tokens=4, max_new_tokens=9, top_k=2, **settings)
        (from_start,), (from_a,) = generate_texts(model, tokenizer, ["", "aaa"], sampling)
        assert from_start == from_a == Generated("aaaa", 4, finished=True)


def test_the_repetition_penalty_counts_the_prompt_but_neither_start_token_nor_padding(tokenizer):
    model = bigram_model(tokenizer, {"a": {"a": 2.0, None: 1.9, "b": 1.5}, "b": {None: 2.0, "b": 0.1, "c": 1.5}})
    sampling = Sampling(repetition_penalty=2.0, **GREEDY)
    texts = texts_of(generate_texts(model, tokenizer, ["a", "a" * 9], sampling))
    assert texts == [[""], [""]]  # a is penalised down to 1.0, end-of-text is not
    beams = Sampling(repetition_penalty=2.0, num_beams=2, max_new_tokens=1)
    assert texts_of(generate_texts(model, tokenizer, ["b", "b" * 9], beams)) == [[""], [""]]
    model = bigram_model(tokenizer, {"a": {"a": 2.0, "b": 1.5}, "b": {None: 0.0}})
    assert texts_of(generate_texts(model, tokenizer, ["a"], sampling)) == [["b"]]


def test_the_settings_of_the_models_own_generation_config_do_not_count(random_model, tokenizer):
    sampling = Sampling(max_new_tokens=12, **GREEDY)
    expected = generate_texts(random_model, tokenizer, PROMPTS, sampling)
    config = random_model.generation_config
    own = {"repetition_penalty": 9.0, "no_repeat_ngram_size": 1, "do_sample": True, "num_beams": 2, "max_length": 3}
    before = {name: getattr(config, name) for name in own}
    config.update(**own)
    found = generate_texts(random_model, tokenizer, PROMPTS, sampling)
    config.update(**before)
    assert found == expected


def test_a_prompt_gets_what_is_left_of_the_context(tokenizer):
    model = bigram_model(tokenizer, {"a": {"a": 0.0}})
    prompts = ["a" * 10, "a" * 62, "a" * 58, "a"]  # the context is 64, and the start token comes before
    results = generate_texts(model, tokenizer, prompts, Sampling(max_new_tokens=20))
    assert [texts[0].tokens for texts in results] == [20, 1, 5, 20]
    assert not any(texts[0].finished for texts in results)


def test_a_prompt_that_fills_the_context_is_an_error_that_names_it(tokenizer):
    model = bigram_model(tokenizer, {"a": {"a": 0.0}})
    with pytest.raises(DataError, match=r"prompt 2 has 64 tokens .* context of 64") as caught:
        generate_texts(model, tokenizer, ["a", "a" * 63], Sampling())
    assert caught.value.hint


def test_the_blank_before_the_first_word_survives_sentencepiece():
    words = {"<s>": 0, "</s>": 1, "▁hello": 2, "▁world": 3}
    backend = Tokenizer(models.WordLevel(words, unk_token="</s>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    model = bigram_model(tokenizer, {"hello": {"world": 0.0}, "world": {None: 0.0}})
    assert generate_texts(model, tokenizer, ["hello"], Sampling()) == [[Generated(" world", 1, finished=True)]]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"temperature": 0.0}, "temperature 0 is not above 0"),
        ({"min_new_tokens": 9, "max_new_tokens": 8}, "min_new_tokens 9 is above max_new_tokens 8"),
        ({"stop": ("x", "")}, "an empty stop string"),
        ({"num_beams": 2, "num_return_sequences": 3}, "2 beams cannot give 3 texts"),
        ({"do_sample": False, "num_return_sequences": 3}, "greedy decoding gives one text a prompt, not 3"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, problem):
    with pytest.raises(UsageError, match=problem) as caught:
        Sampling(**settings)
    assert "--" in caught.value.hint
