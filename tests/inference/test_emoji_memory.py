"""A model mixed with its training descriptions: probabilities by hand, and the conditions of its use."""

import json
from pathlib import Path

import numpy
import pytest
from emoji_models import EMOJI, TABLE, emoji_data, run_record, save, taught, trained
from running import json_of, run_script
from sklearn.feature_extraction.text import TfidfVectorizer
from small_models import random_model, tiny_tokenizer

import evaluate_model
import fine_tune
from generate import generate_emoji
from utils.errors import DataError
from utils.inference.emoji_memory import nearest_emoji, open_memory, rank_with_memory
from utils.inference.emoji_ranking import rank_emoji, rank_unconstrained
from utils.models import checkpoint
from utils.processed import save_processed

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

KNOWN = [[description, emoji] for emoji, _, _, descriptions, _ in TABLE for description in descriptions]


def by_hand(alone: dict[str, float], description: str) -> dict[str, float]:
    """Half the model's probability, half that of the nearest training description, of the emoji and of its concept."""
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
    vectors = vectorizer.fit_transform([text for text, _ in KNOWN])
    [cosines] = (vectorizer.transform([description]) @ vectors.T).toarray()
    near = {emoji: max(c for c, (_, one) in zip(cosines, KNOWN, strict=True) if one == emoji) for emoji in EMOJI}
    concept_of = {emoji: concept for emoji, _, concept, *_ in TABLE}
    best = {emoji: max(c for one, c in near.items() if concept_of[one] == concept_of[emoji]) for emoji in EMOJI}
    powers = {
        emoji: numpy.exp((near[emoji] + 2 * best[emoji]) / 3 / 0.05) if best[emoji] > 0 else 0.0 for emoji in EMOJI
    }
    if "medium" not in description:
        powers["👋🏽"] *= 0.001
    total = sum(powers.values())
    return {emoji: 0.5 * alone[emoji] + 0.5 * power / total for emoji, power in powers.items()} if total else alone


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """`mine`, which remembers the table's descriptions, `base`, and `emoji.pkl`."""
    folder = tmp_path_factory.mktemp("models")
    save(folder / "base", checkpoint.Trained(random_model("gpt2", max_position_embeddings=128), tiny_tokenizer(), {}))
    data = emoji_data()
    save_processed(folder / "emoji.pkl", data)
    run = run_record(data_path=folder / "emoji.pkl", base_model=str(folder / "base"), descriptions=KNOWN)
    save(folder / "mine", checkpoint.Trained(taught(data), tiny_tokenizer(), run))
    return folder


@pytest.mark.parametrize("target", ["emoji", "codepoints"])
def test_half_is_the_models_and_half_the_nearest_descriptions(target):
    model = trained(target, descriptions=KNOWN)
    asked = ["black hat", "a flag of France", "xyz", "hello", "a medium wave"]
    found, alone = rank_with_memory(model, open_memory(model.run), asked, 12)
    for description, mixed, own, plain in zip(asked, found, alone, rank_emoji(model, asked, 12), strict=True):
        assert {one.emoji: one.probability for one in own} == pytest.approx(
            {one.emoji: one.probability for one in plain}, rel=1e-4
        )
        expected = by_hand({one.emoji: one.probability for one in own}, description)
        assert {one.emoji: one.probability for one in mixed} == pytest.approx(expected, rel=1e-6)
        assert [one.probability for one in mixed] == sorted((one.probability for one in mixed), reverse=True)
        assert {(one.text, one.emoji) for one in mixed} == {(one.text, one.emoji) for one in own}
        assert sum(one.probability for one in mixed) == pytest.approx(1, abs=1e-4)
    assert found[2] == alone[2]  # no piece in common
    assert [one.emoji for one in rank_with_memory(model, open_memory(model.run), asked[:1], 2)[0][0]] == [
        one.emoji for one in found[0][:2]
    ]


@pytest.mark.parametrize("depth", [1, 3, 50])
def test_a_probability_does_not_depend_on_how_many_are_asked_for(depth, monkeypatch):
    """However few of the model's own emoji count in the mixture; nor on how many descriptions are read at once."""
    monkeypatch.setattr("utils.inference.emoji_memory.DEPTH", depth)
    model = trained("emoji", descriptions=KNOWN)
    memory, asked = open_memory(model.run), ["black hat", "a flag of France", "xyz", "hello", "a cat"]
    everything, _ = rank_with_memory(model, memory, asked, 12)
    for num in (1, 2, 4, 7, 11):
        for batch_size in (1, 2, 16):
            found, _ = rank_with_memory(model, memory, asked, num, batch_size=batch_size)
            for few, every in zip(found, everything, strict=True):
                expected = {one.emoji: one.probability for one in every}
                assert {one.emoji: one.probability for one in few} == pytest.approx(
                    {one.emoji: expected[one.emoji] for one in few}, abs=1e-6
                )


def test_skin_tones_come_when_they_are_asked_for_and_concepts_share_their_descriptions():
    pairs = [["raised fist: light skin tone", "✊🏻"], ["raised fist: dark skin tone", "✊🏿"], ["punch", "✊"]]
    pairs += [["light bulb", "💡"], ["a lit light", "💡"], ["raised hand", "✋"], ["fist to the right", "🤜"]]
    run = {"descriptions": pairs, "targets": [[emoji, emoji] for _, emoji in pairs]}
    memory = open_memory(run)
    assert memory.words_for_skin_tones == {"skin", "tone", "dark"}
    plain, dark = memory.probabilities(["raised fist", "dark raised fist"])
    assert plain["✊"] > plain["✊🏻"] and plain["✊"] > plain["🤜"]
    assert max(dark, key=dark.get) == "✊🏿"
    assert sum(plain.values()) == pytest.approx(1)
    assert sum(dark.values()) == pytest.approx(1)
    [alone] = open_memory({**run, "descriptions": pairs[2:]}).probabilities(["raised fist"])
    assert "✊" not in alone  # without "raised fist" of another tone, it has no n-gram in common


def test_models_of_before_remember_nothing():
    assert open_memory(run_record()) is None


def test_generate_mixes_the_tuned_model_alone_and_constrained_alone(cli, models):
    arguments = ["--model_path", models / "mine", "--prompt", "a black hat", "--num_return_sequences", 12]
    mine, base = (checkpoint.load(str(models / name)) for name in ("mine", "base"))
    mixed, own = rank_with_memory(mine, open_memory(mine.run), ["a black hat"], 12)
    assert mixed != own
    both = json_of(cli(*arguments, "--compare_base", "--json"))
    of_tuned = [(one["emoji"], one["probability"]) for one in both if one["model"] == "tuned"]
    assert of_tuned == [(one.emoji, pytest.approx(one.probability)) for one in mixed[0]]
    base = checkpoint.Trained(base.model, base.tokenizer, mine.run)
    of_base = [(one["emoji"], one["probability"]) for one in both if one["model"] == "base"]
    assert of_base == [(one.emoji, pytest.approx(one.probability)) for one in rank_emoji(base, ["a black hat"], 12)[0]]
    free = json_of(cli(*arguments[:-1], 2, "--unconstrained", "--json"))
    expected = rank_unconstrained(mine, ["a black hat"], 2)[0]
    assert [one["probability"] for one in free] == pytest.approx([one.probability for one in expected])
    assert generate_emoji("a black hat", str(models / "mine"), num=12) == [one.emoji for one in mixed[0]]


def test_evaluation_shows_the_model_with_and_without(models, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    path = tmp_path / "evaluation.json"
    words = ["--model_path", models / "mine", "--data", models / "emoji.pkl", "--output_path", path]
    assert run_script(evaluate_model.main, *words) == 0
    assert "tuned, without memory" in capsys.readouterr().out
    evaluation = json.loads(path.read_text(encoding="utf-8"))
    mine, test = checkpoint.load(str(models / "mine")), emoji_data().splits["test"]
    mixed, own = rank_with_memory(mine, open_memory(mine.run), test.prompt, 12)
    right = {description: {e for e, *_, texts in TABLE if description in texts} for description in test.prompt}
    for name, lists in {"tuned": mixed, "tuned_alone": own}.items():
        hits = [ranked[0].emoji in right[description] for description, ranked in zip(test.prompt, lists, strict=True)]
        assert evaluation[name]["top_1"]["value"] == pytest.approx(sum(hits) / len(hits)), name
    assert evaluation["tuned"]["mean_reciprocal_rank"] != evaluation["tuned_alone"]["mean_reciprocal_rank"]


def test_training_keeps_its_own_descriptions_and_no_others(models, tmp_path):
    words = ["--data", models / "emoji.pkl", "--model", models / "base", "--max_steps", 1, "--device", "cpu"]
    assert run_script(fine_tune.main, *words, "--output_path", tmp_path / "new") == 0
    run = json.loads((tmp_path / "new" / "run.json").read_text(encoding="utf-8"))
    assert run["descriptions"] == KNOWN
    card = (tmp_path / "new" / "README.md").read_text(encoding="utf-8")
    assert f"also holds its {len(KNOWN)} training descriptions" in card
    assert card.count("big grin") == 0


def test_the_nearest_descriptions():
    known, emoji = ["red heart", "black cat", "cat", "cat face"], ["❤️", "🐈‍⬛", "🐈", "🐈"]
    assert nearest_emoji(known, emoji, ["Black cat!", "head", "xyz"], 50) == [["🐈‍⬛", "🐈"], ["❤️"], []]
    assert nearest_emoji(known, emoji, ["a black cat"], 1) == [["🐈‍⬛"]]
    assert nearest_emoji(known, emoji, ["cat"] * 600, 1) == [["🐈"]] * 600
    with pytest.raises(DataError, match="no descriptions to compare"):
        nearest_emoji([" "], ["❤️"], ["heart"], 1)
