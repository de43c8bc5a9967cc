"""Generation: exact draws that no batch changes, and texts that end in the right place."""

import pytest
from bigram_model import bigram_model
from generating import chain, plain_generate, texts_of

from utils.errors import DataError
from utils.inference.generation import Generated, generate_texts
from utils.inference.sampling import Sampling

GREEDY = {"do_sample": False}
PROMPTS = ["a", "", "some longer prompt than the others", "Été", "b c", "a", "two words", "x" * 50, "😀"]


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_greedy_text_is_that_of_transformers_alone_whatever_the_batch(random_model, tokenizer, batch_size):
    results = generate_texts(random_model, tokenizer, PROMPTS, Sampling(max_new_tokens=12, **GREEDY), batch_size)
    assert texts_of(results) == [
        plain_generate(random_model, tokenizer, prompt, max_new_tokens=12) for prompt in PROMPTS
    ]
    assert len({text for (text,) in texts_of(results)}) > 5  # the model looks at its prompt


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
    assert trained_mode == [plain_generate(random_model, tokenizer, "a", max_new_tokens=9)]  # without dropout


def test_a_text_ends_at_end_of_text_which_is_not_printed(tokenizer):
    model = chain(tokenizer, None, "s", "t", "o", "p", None)
    assert generate_texts(model, tokenizer, [""], Sampling()) == [[Generated("stop", 4, finished=True)]]
    assert generate_texts(model, tokenizer, ["p"], Sampling()) == [[Generated("", 0, finished=True)]]
    cut = generate_texts(model, tokenizer, ["", "s"], Sampling(max_new_tokens=3))
    assert cut == [[Generated("sto", 3, finished=False)], [Generated("top", 3, finished=False)]]


def test_the_name_of_end_of_text_in_a_prompt_is_text(tokenizer):
    model = chain(tokenizer, ">", "y", None)
    assert generate_texts(model, tokenizer, ["<|endoftext|>"], Sampling(**GREEDY))[0][0].text == "y"


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
