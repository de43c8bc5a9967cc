"""Ranking emoji: against a full enumeration with plain forward passes; nothing but targets is ever written."""

import math

import pytest
import torch
from emoji_models import EMOJI, TEMPLATE, emoji_data, targets, taught, trained, with_run
from small_models import END, tiny_tokenizer
from transformers import MambaConfig, MambaForCausalLM

from utils.errors import DataError, UserError
from utils.inference.emoji_ranking import generate_unconstrained, rank_emoji, rank_unconstrained
from utils.models import checkpoint
from utils.preprocessing.emoji.resolve import normalize_description

DESCRIPTIONS = ["a cat crying with joy", "man", "flag of a country far away, seen in the rain", "hello there"]


@pytest.fixture(scope="module")
def known() -> checkpoint.Trained:
    """A model that knows the table."""
    return checkpoint.Trained(taught(emoji_data()), tiny_tokenizer(), trained().run)


def ids_of(text: str) -> list[int]:
    return tiny_tokenizer()(text).input_ids


def plain_ranking(model: checkpoint.Trained, description: str) -> list[tuple[str, float]]:
    """(emoji, probability), the likeliest first: the share, at each step, among the tokens that some target has there.

    One forward pass a target, without a cache, padding or trie, in float64.
    """
    network = model.model.double()
    prompt = [END, *ids_of(TEMPLATE.replace("{prompt}", description))]
    sequences = {emoji: [*ids_of(text), END] for text, emoji, *_ in model.run["targets"]}
    found = []
    for emoji, ids in sequences.items():
        with torch.inference_mode():
            logits = network(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        score = 0.0
        for step, token in enumerate(ids):
            possible = sorted({other[step] for other in sequences.values() if other[:step] == ids[:step]})
            score += logits[step, possible].log_softmax(0)[possible.index(token)].item()
        found.append((emoji, math.exp(score)))
    network.float()
    return sorted(found, key=lambda pair: -pair[1])


def assert_same(found, expected) -> None:
    assert [one.emoji for one in found] == [emoji for emoji, _ in expected]
    assert [one.probability for one in found] == pytest.approx([share for _, share in expected], rel=1e-3)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt", "gpt_neox"])
@pytest.mark.parametrize("target", ["emoji", "codepoints"])
def test_the_ranking_of_all_targets_is_that_of_an_enumeration(kind, target):
    model = trained(target, kind)
    texts = {emoji: text for text, emoji, *_ in model.run["targets"]}
    for description, found in zip(DESCRIPTIONS, rank_emoji(model, DESCRIPTIONS, len(EMOJI)), strict=True):
        expected = plain_ranking(model, description)
        assert sum(share for _, share in expected) == pytest.approx(1)
        assert sum(one.probability for one in found) == pytest.approx(1, abs=1e-5)
        assert_same(found, expected)
        assert all(one.text == texts[one.emoji] and one.valid for one in found)


@pytest.mark.parametrize("num", [1, 3, 5])
def test_the_first_few_are_the_first_of_all(num):
    model = trained(seed=1)
    for description, found in zip(DESCRIPTIONS, rank_emoji(model, DESCRIPTIONS, num), strict=True):
        assert_same(found, plain_ranking(model, description)[:num])


def test_more_than_there_are_gives_all():
    [found] = rank_emoji(trained(), ["cat"], 1000)
    assert sorted(one.emoji for one in found) == sorted(EMOJI)


def test_one_target_alone_is_certain():
    model = with_run(trained(), targets=[["😀", "😀", None, "1F600"]])
    [[found]] = rank_emoji(model, ["anything"], 3)
    assert (found.emoji, found.probability) == ("😀", pytest.approx(1))


def test_neither_the_batch_nor_the_other_descriptions_change_a_ranking():
    model = trained("codepoints")
    one_by_one = [rank_emoji(model, [description], 4)[0] for description in DESCRIPTIONS]
    for found, expected in zip(rank_emoji(model, DESCRIPTIONS * 9, 4), one_by_one * 9, strict=True):
        assert_same(found, [(one.emoji, one.probability) for one in expected])
    one_by_one = [rank_unconstrained(model, [description], 4)[0] for description in DESCRIPTIONS]
    for batch_size in (1, 500):
        ranked = rank_unconstrained(model, DESCRIPTIONS, 4, batch_size=batch_size)
        for found, expected in zip(ranked, one_by_one, strict=True):
            assert [one.text for one in found] == [one.text for one in expected]
            assert [one.probability for one in found] == pytest.approx([one.probability for one in expected], rel=1e-3)


def test_a_search_may_end_with_the_emoji_that_was_asked_for():
    model = trained(seed=3)
    whole = rank_emoji(model, DESCRIPTIONS, len(EMOJI))
    wanted = [{whole[0][4].emoji, whole[0][6].emoji}, {whole[1][0].emoji}, {"🦖"}, set()]
    found = rank_emoji(model, DESCRIPTIONS, len(EMOJI), until=wanted)
    assert [len(ranked) for ranked in found] == [5, 1, len(EMOJI), len(EMOJI)]
    for some, all_of_them in zip(found, whole, strict=True):
        assert_same(some, [(one.emoji, one.probability) for one in all_of_them[: len(some)]])
    # One that is not among the first `num` does not come in.
    assert [one.emoji for one in rank_emoji(model, DESCRIPTIONS[:1], 3, until=[{whole[0][4].emoji}])[0]] == [
        one.emoji for one in whole[0][:3]
    ]


def test_a_model_without_a_cache_of_keys_is_ranked_too():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MambaForCausalLM(
            MambaConfig(hidden_size=16, num_hidden_layers=2, state_size=4, vocab_size=END + 1, bos_token_id=END,
                        eos_token_id=END, pad_token_id=END)
        )  # fmt: skip
    model = checkpoint.Trained(model.eval(), tiny_tokenizer(), trained().run)
    for description, found in zip(DESCRIPTIONS, rank_emoji(model, DESCRIPTIONS, len(EMOJI)), strict=True):
        assert_same(found, plain_ranking(model, description))


def test_a_model_that_knows_the_table_ranks_the_right_one_first(known):
    train = emoji_data().splits["train"]
    found = [ranked[0] for ranked in rank_emoji(known, train.prompt, 1)]
    assert [one.emoji for one in found] == train.metadata["emoji"]
    assert min(one.probability for one in found) > 0.5
    # It has learnt to write whole emoji, so its free output is one, too.
    free = [ranked[0] for ranked in rank_unconstrained(known, train.prompt, 1)]
    assert [(one.emoji, one.text, one.valid) for one in free] == [(one.emoji, one.text, True) for one in found]
    assert all(one.probability <= other.probability + 1e-4 for one, other in zip(free, found, strict=True))


def test_freely_written_answers_are_checked(known):
    model = trained()
    [ranked] = rank_unconstrained(model, ["cat"], 5)
    assert len(ranked) == 5
    assert [one.probability for one in ranked] == sorted((one.probability for one in ranked), reverse=True)
    assert all((one.emoji, one.valid) == (None, False) and one.text not in EMOJI for one in ranked)
    # The score of a known text is its likelihood among all texts.
    [[found, *_]] = rank_unconstrained(known, ["black cat"], 2)
    prompt, ids = [END, *ids_of(TEMPLATE.replace("{prompt}", "black cat"))], [*ids_of("🐈‍⬛"), END]
    with torch.inference_mode():
        logits = known.model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
    score = logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None]).sum().item()
    assert (found.text, found.probability) == ("🐈‍⬛", pytest.approx(math.exp(score), rel=1e-3))


def test_a_text_that_only_begins_as_a_target_is_none(known):
    shorter = with_run(known, targets=[target for target in targets() if target[1] != "🐈‍⬛"])
    [[found, *_]] = rank_unconstrained(shorter, ["black cat"], 2)
    assert (found.text, found.emoji, found.valid) == ("🐈‍⬛", None, False)
    longest = with_run(known, targets=[["🇫", "🇫", None, "1F1EB"]])  # half a flag: the model is cut off behind it
    [[found, *_]] = rank_unconstrained(longest, ["flag: France"], 2)
    assert (found.emoji, found.valid) == (None, False)


def test_the_likeliest_token_each_time(known):
    descriptions = ["black cat", "cat", "flag: France"]
    assert generate_unconstrained(known, descriptions, batch_size=2) == ["🐈‍⬛", "🐈", "🇫🇷"]
    fewer = with_run(known, targets=[target for target in targets() if target[1] != "🐈"])
    assert generate_unconstrained(fewer, descriptions) == ["🐈‍⬛", None, "🇫🇷"]
    assert generate_unconstrained(trained(), descriptions) == [None] * 3


def test_targets_that_the_tokenizer_writes_alike():
    alike = with_run(trained(), targets=[["a", "😀", None, "1F600"], ["a", "😂", None, "1F602"]])
    for rank in (rank_emoji, rank_unconstrained):
        with pytest.raises(UserError, match="has the same tokens for 'a' and 'a'"):
            rank(alike, ["anything"], 1)


def test_a_description_without_room():
    for rank in (rank_emoji, rank_unconstrained):
        with pytest.raises(DataError, match=r"description 2 has 12\d tokens .* context of 128 must hold \d+ more"):
            rank(trained(), ["cat", "x" * 100], 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" :man_farmer:\n", "man farmer"),
        ("flag: France", "flag: France"),
        (":-)", ":-)"),
        ("cafÃ© au lait", "café au lait"),
        ("snake_case", "snake_case"),
        (" \t", ""),
    ],
)
def test_descriptions_are_as_in_training(text, expected):
    assert normalize_description(text) == expected
