"""generate.py on models that write emoji: output and refusals."""

import json
from pathlib import Path

import pytest
from emoji_models import EMOJI, code_points, emoji_data, run_record, save, taught, trained
from running import assert_one_error, json_of
from small_models import random_model, tiny_tokenizer

from utils.inference import emoji_ranking
from utils.inference.emoji_ranking import rank_emoji, rank_unconstrained
from utils.models import checkpoint

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder of models: two that know the table (`emoji`, `codepoints`), `random`, `tweets`, and `base`."""
    folder = tmp_path_factory.mktemp("models")
    base = checkpoint.Trained(random_model("gpt2", max_position_embeddings=128), tiny_tokenizer(), {})
    save(folder / "base", base)
    for target in ("emoji", "codepoints"):
        run = run_record(target, base_model=str(folder / "base"))
        save(folder / target, checkpoint.Trained(taught(emoji_data(target)), tiny_tokenizer(), run))
    save(folder / "random", trained())
    save(folder / "random.pt", trained())
    save(folder / "tweets", trained(kind="gpt2", seed=4, **{"task": "tweets", "template": "{prompt}"}))
    run = json.loads((folder / "tweets" / "run.json").read_text())
    (folder / "tweets" / "run.json").write_text(json.dumps({**run, "kind": "generate"}))
    return folder


def test_emoji_and_nothing_else_are_printed(cli, models):
    arguments = ["--model_path", models / "emoji", "--prompt", "black cat", "--prompt", ":man_farmer:"]
    assert cli(*arguments) == (0, "🐈‍⬛\n\n👨‍🌾\n", "")
    code, out, err = cli(*arguments, "--num_return_sequences", 5)
    assert (code, err) == (0, "")
    blocks = [block.split("\n") for block in out.removesuffix("\n").split("\n\n")]
    assert [len(block) for block in blocks] == [5, 5]
    assert {emoji for block in blocks for emoji in block} <= set(EMOJI)
    ranked = rank_emoji(checkpoint.load(str(models / "emoji")), ["black cat", "man farmer"], 5)
    assert blocks == [[one.emoji for one in row] for row in ranked]


@pytest.mark.parametrize("model", ["emoji", "random"])
def test_batch_size_is_the_number_of_descriptions_at_once(cli, models, model, monkeypatch):
    sizes = []
    search = emoji_ranking.find_best_targets

    def searched(model, inputs, *rest):
        sizes.append(len(inputs["input_ids"]))
        return search(model, inputs, *rest)

    monkeypatch.setattr(emoji_ranking, "find_best_targets", searched)
    prompts = [
        word for text in ("a cat", "flag", "a man who farms the land", "hi", "joy") for word in ("--prompt", text)
    ]
    arguments = ["--model_path", models / model, *prompts, "--num_return_sequences", 4, "--json"]
    usual = json_of(cli(*arguments))
    for batch_size, expected in ((1, [1] * 5), (2, [2, 2, 1]), (500, [5])):
        sizes.clear()
        found = json_of(cli(*arguments, "--batch_size", batch_size))
        assert sizes == expected
        assert [one["emoji"] for one in found] == [one["emoji"] for one in usual]
        assert [one["probability"] for one in found] == pytest.approx([one["probability"] for one in usual], rel=1e-4)


def test_json_has_an_object_an_emoji(cli, models, tmp_path):
    path = tmp_path / "emoji.jsonl"
    arguments = ["--model_path", models / "emoji", "--prompt", " waving hand ", "--num_return_sequences", 12]
    found = json_of(cli(*arguments, "--json"))
    assert found[0] == {
        "prompt": "waving hand", "text": "👋", "emoji": "👋", "codepoints": "1F44B", "rank": 1,
        "probability": found[0]["probability"], "valid": True, "model": "tuned", "prompt_index": 0,
    }  # fmt: skip
    assert [one["rank"] for one in found] == list(range(1, 13))
    shares = [one["probability"] for one in found]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert all(one["codepoints"] == code_points(one["emoji"]) for one in found)
    code, out, err = cli(*arguments, "--json", "--output_path", path)
    assert (code, path.read_text("utf-8"), err) == (0, out, f"wrote 12 texts to {path}\n")


def test_code_points_are_printed_as_the_emoji(cli, models):
    arguments = ["--model_path", models / "codepoints", "--prompt", "flag: France"]
    assert cli(*arguments) == (0, "🇫🇷\n", "")
    [found] = json_of(cli(*arguments, "--json"))
    assert (found["text"], found["emoji"], found["codepoints"]) == ("1F1EB 1F1F7", "🇫🇷", "1F1EB 1F1F7")


def test_prompts_of_a_file(cli, models, tmp_path):
    (tmp_path / "asked.txt").write_text("cat\n\nred heart\n", "utf-8")
    (tmp_path / "asked.jsonl").write_text('{"prompt": "cat"}\n{"prompt": "red heart"}\n', "utf-8")
    for name in ("asked.txt", "asked.jsonl"):
        assert cli("--model_path", models / "emoji", "--prompts_file", tmp_path / name)[:2] == (0, "🐈\n\n❤️\n")


def test_without_the_constraint_texts_come_and_are_marked(cli, models):
    arguments = ["--prompt", "cat", "--num_return_sequences", 3, "--unconstrained"]
    found = json_of(cli("--model_path", models / "random", *arguments, "--json"))
    expected = rank_unconstrained(checkpoint.load(str(models / "random")), ["cat"], 3)[0]
    assert [(one["text"], one["probability"]) for one in found] == [(one.text, one.probability) for one in expected]
    assert all((one["emoji"], one["codepoints"], one["valid"]) == (None, None, False) for one in found)
    code, out, _ = cli("--model_path", models / "random", *arguments)
    assert (code, out) == (0, "".join(" ".join(one.text.split()) + "\n" for one in expected))
    [known] = json_of(cli("--model_path", models / "emoji", "--prompt", "cat", "--unconstrained", "--json"))
    assert (known["emoji"], known["valid"]) == ("🐈", True)


def test_the_base_model_ranks_the_same_emoji(cli, models):
    arguments = ["--model_path", models / "emoji", "--prompt", "cat", "--prompt", "hello", "--compare_base"]
    found = json_of(cli(*arguments, "--num_return_sequences", 2, "--json"))
    assert [(one["prompt"], one["model"], one["rank"]) for one in found] == [
        (prompt, model, place) for prompt in ("cat", "hello") for model in ("base", "tuned") for place in (1, 2)
    ]
    base = checkpoint.Trained(checkpoint.load(str(models / "base")).model, tiny_tokenizer(), run_record())
    expected = [one.emoji for ranked in rank_emoji(base, ["cat", "hello"], 2) for one in ranked]
    assert [one["emoji"] for one in found if one["model"] == "base"] == expected
    named = [one["emoji"] for one in cli_records(cli, arguments)]
    assert cli(*arguments)[1] == "base:\n{}\n\ntuned:\n{}\n\nbase:\n{}\n\ntuned:\n{}\n".format(*named)


def cli_records(cli, arguments) -> list[dict]:
    return json_of(cli(*arguments, "--json"))


@pytest.mark.parametrize(
    "flags",
    [
        ["--temperature", 0.7], ["--temperature", 1.0], ["--temperature", 0, "--greedy"], ["--top_k", 50],
        ["--top_p", 0.95], ["--min_p", 0], ["--repetition_penalty", 1], ["--no_repeat_ngram_size", 0],
        ["--num_beams", 1], ["--max_new_tokens", 60], ["--min_new_tokens", 0], ["--greedy"], ["--stop", "x"],
        ["--system", "Be brief."], ["--length", "short"],
    ],
)  # fmt: skip
def test_flags_that_make_no_sense_are_refused_by_name(cli, models, flags):
    code, out, err = cli("--model_path", models / "random", "--prompt", "cat", *flags)
    assert (code, out) == (1, "")
    assert f"remove {flags[0]};" in assert_one_error(err, "random writes emoji", f"does not support {flags[0]}")


@pytest.mark.parametrize("flags", [["--instruction", "a"], ["--chat"]])
def test_instructions_and_chats_are_refused(cli, models, flags):
    code, out, err = cli("--model_path", models / "random", *flags)
    assert (code, out) == (1, "")
    assert_one_error(err, "random writes emoji", f"does not support {flags[0]}")


def test_instructions_of_a_file_are_refused(cli, models, tmp_path):
    (tmp_path / "asked.jsonl").write_text('{"instruction": "cat"}\n', "utf-8")
    code, out, err = cli("--model_path", models / "random", "--prompts_file", tmp_path / "asked.jsonl")
    assert (code, out) == (1, "")
    assert_one_error(err, "asked.jsonl", "follows no instructions")


@pytest.mark.parametrize("name", ["tweets", "base"])
def test_unconstrained_is_for_emoji_alone(cli, models, name):
    code, out, err = cli("--model_path", models / name, "--prompt", "cat", "--unconstrained")
    assert (code, out) == (1, "")
    assert "--task emoji" in assert_one_error(err, name, "does not write emoji, which --unconstrained is for")
    code, out, err = cli("--model_path", models / name, "--chat", "--unconstrained")
    assert (code, out) == (2, "")
    assert_one_error(err, "does not support --unconstrained")


@pytest.mark.parametrize(
    ("flags", "code", "problem"),
    [
        ([], 1, "there is no description"),
        (["--prompt", "cat", "--prompt", " "], 1, "description 2 is empty"),
        (["--prompt", "cat" * 50], 3, "description 1 has"),
    ],
)
def test_descriptions_that_cannot_be(cli, models, flags, code, problem):
    found, out, err = cli("--model_path", models / "random", *flags)
    assert (found, out) == (code, "")
    assert_one_error(err, problem)
