"""evaluate_model.py on models that write emoji: figures against plain loops, files, tables, the card, and refusals."""

import csv
import json
from pathlib import Path

import pytest
import torch
import transformers
from emoji_models import EMOJI, TABLE, TEMPLATE, emoji_data, run_record, save, taught
from evaluation_runs import evaluation_caller, refused
from running import run_script
from sklearn.feature_extraction.text import TfidfVectorizer
from small_models import END, processed_data, random_model, tiny_tokenizer

import evaluate_model
from utils.inference.emoji_ranking import rank_emoji
from utils.models import checkpoint
from utils.processed import Split, save_processed

DATA = "emoji.pkl"
GROUP = {emoji: group for emoji, group, *_ in TABLE}
CONCEPT = {emoji: concept for emoji, _, concept, *_ in TABLE}
FIGURES = {"top_1", "top_5", "mean_reciprocal_rank", "concept_accuracy", "group_accuracy"}


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # tests/terminal/test_tables.py has tables on narrow ones


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """emoji.pkl and unseen.pkl (test concepts that training lacks), `base`, and `mine` and `mine.pt` made of it."""
    transformers.utils.logging.disable_progress_bar()
    folder = tmp_path_factory.mktemp("trained")
    data = emoji_data()
    save_processed(folder / DATA, data)
    unseen = emoji_data(split_by="concept")
    for rows in unseen.splits["train"].metadata.values():  # no emoji of the test split has a training description
        rows[:] = ["🦖" if value in EMOJI else value for value in rows]
    save_processed(folder / "unseen.pkl", unseen)
    base = random_model("gpt2", max_position_embeddings=128)
    save(folder / "base", checkpoint.Trained(base, tiny_tokenizer(), {}))
    mine = checkpoint.Trained(taught(data), tiny_tokenizer(), run_record(data_path=folder / DATA))
    for name in ("mine", "mine.pt"):
        save(folder / name, mine)
    yield folder
    transformers.utils.logging.enable_progress_bar()


@pytest.fixture
def call(folder, tmp_path, capsys, monkeypatch):
    return evaluation_caller(folder, tmp_path, capsys, monkeypatch, model="mine", data=DATA)


def read(path: str) -> dict:
    return json.loads(Path(path).read_text("utf-8"))


def right_for(description: str) -> set[str]:
    """The right answers: all emoji of that description, regardless of case."""
    return {emoji for emoji, _, _, *lists in TABLE for texts in lists if description.lower() in map(str.lower, texts)}


def plain_figures(rankings: list[list[str]], test: Split) -> dict[str, float]:
    places = [
        next((place for place, emoji in enumerate(ranked, 1) if emoji in right_for(description)), None)
        for ranked, description in zip(rankings, test.prompt, strict=True)
    ]
    firsts = [ranked[0] if ranked else None for ranked in rankings]
    groups = [
        GROUP.get(first) in {GROUP[emoji] for emoji in right_for(description)}
        for first, description, group in zip(firsts, test.prompt, test.metadata["group"], strict=True)
        if group
    ]
    concepts = [
        CONCEPT.get(first) in {CONCEPT[emoji] for emoji in right_for(description)}
        for first, description in zip(firsts, test.prompt, strict=True)
    ]
    rows = len(places)
    return {
        "top_1": places.count(1) / rows,
        "top_5": sum(place is not None and place <= 5 for place in places) / rows,
        "mean_reciprocal_rank": sum(1 / place for place in places if place) / rows,
        "concept_accuracy": sum(concepts) / rows,
        "group_accuracy": sum(groups) / len(groups),
    }


def values(figures: dict) -> dict[str, float]:
    return {name: figures[name]["value"] for name in FIGURES}


def plain_text(name: str, description: str) -> str:
    """The likeliest token each time."""
    model, new = checkpoint.load(name).model, []
    ids = [END, *tiny_tokenizer()(TEMPLATE.replace("{prompt}", description)).input_ids]
    while END not in new and len(new) < 40:
        with torch.inference_mode():
            new.append(model(torch.tensor([ids + new])).logits[0, -1].argmax().item())
    return tiny_tokenizer().decode(new, skip_special_tokens=True)


def test_figures_are_those_of_plain_loops(call):
    code, _, err = call("--compare_base")
    assert code == 0, err
    evaluation, test = read("mine/evaluation.json"), emoji_data().splits["test"]
    for side, name in (("tuned", "mine"), ("base", "base")):
        model = checkpoint.load(name)
        model = checkpoint.Trained(model.model, model.tokenizer, run_record())
        rankings = [[one.emoji for one in ranked] for ranked in rank_emoji(model, test.prompt, len(EMOJI))]
        assert values(evaluation[side]) == pytest.approx(plain_figures(rankings, test)), side
        free = [plain_text(name, description) in EMOJI for description in test.prompt]
        assert evaluation[side]["valid_unconstrained"]["value"] == pytest.approx(sum(free) / len(free))
        assert evaluation[side]["valid_constrained"]["value"] == evaluation[side]["valid_constrained"]["high"] == 1
        assert all(one["low"] <= one["value"] <= one["high"] for one in evaluation[side].values())
    assert evaluation["tuned"]["valid_unconstrained"]["value"] > 0 == evaluation["base"]["valid_unconstrained"]["value"]
    expected = evaluation["tuned"]["top_1"]["value"] - evaluation["base"]["top_1"]["value"]
    assert evaluation["difference"]["base"]["top_1"]["value"] == pytest.approx(expected)
    facts = {
        "kind": "emoji", "target": "emoji", "split_by": "description", "split": "test", "limit": None, "rows": 12,
        "measured_on": "unseen wording of known emoji", "concepts": 10, "targets": 12, "depth": 50,
        "rows_of_trained_emoji": 12,
    }  # fmt: skip
    assert {name: evaluation[name] for name in facts} == facts

    by_rank = evaluation["right_by_rank"]
    assert by_rank.keys() == {"base", "tuned", "nearest_description"}
    assert all(len(shares) == 12 for shares in by_rank.values())
    for side in ("tuned", "base"):
        assert (by_rank[side][0], by_rank[side][4]) == (evaluation[side]["top_1"], evaluation[side]["top_5"])
    assert evaluation["per_text"]["place"].count(1) == evaluation["tuned"]["top_1"]["value"] * 12
    named = rank_emoji(checkpoint.load("mine"), test.prompt, 5)
    examples = [one for some in evaluation["examples"].values() for one in some]
    assert len(examples) >= 5
    for one in examples:
        assert [each["emoji"] for each in one["ranked"]] == [each.emoji for each in named[one["row"]]]
        assert [each["probability"] for each in one["ranked"]] == pytest.approx(
            [each.probability for each in named[one["row"]]], rel=1e-4
        )


def test_the_baseline_is_the_nearest_training_description(call):
    call()
    evaluation, data = read("mine/evaluation.json"), emoji_data()
    train, test = data.splits["train"], data.splits["test"]
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
    known = vectorizer.fit_transform(train.prompt).toarray()
    rankings = []
    for asked in vectorizer.transform(test.prompt).toarray():
        cosines = sorted(((-float(vector @ asked), row) for row, vector in enumerate(known)))
        rankings.append(list(dict.fromkeys(train.metadata["emoji"][row] for cosine, row in cosines if cosine < 0)))
    found = evaluation["baselines"]["nearest_description"]
    assert values(found) == pytest.approx(plain_figures(rankings, test))
    assert 0 < found["top_1"]["value"] < 1
    difference = evaluation["difference"]["nearest_description"]["top_1"]
    assert difference["value"] == pytest.approx(evaluation["tuned"]["top_1"]["value"] - found["top_1"]["value"])


@pytest.mark.parametrize("own", ["❤️", "💘"])
def test_every_emoji_of_the_same_description_is_right(call, own):
    # "cat" is another emoji's name in the train split: that one is right in a row of the other, too.
    test = [("CAT", "🐈‍⬛", "Animals & Nature", CONCEPT["🐈‍⬛"]), ("red heart", own, GROUP[own], CONCEPT[own])]
    data = emoji_data(test=test)
    save_processed(Path("shared.pkl"), data)
    assert call(data="shared.pkl")[0] == 0
    found = read("mine/evaluation.json")
    named = [ranked[0].emoji for ranked in rank_emoji(checkpoint.load("mine"), ["CAT", "red heart"], 1)]
    assert named[1] == "❤️"
    assert found["tuned"]["top_1"]["value"] == (named[0] in ("🐈", "🐈‍⬛")) / 2 + 1 / 2
    assert found["tuned"]["concept_accuracy"]["value"] >= found["tuned"]["top_1"]["value"]
    assert found["baselines"]["nearest_description"]["top_1"]["value"] == 1


def test_unseen_concepts_are_named(call):
    code, out, err = call(data="unseen.pkl")
    assert code == 0
    evaluation = read("mine/evaluation.json")
    assert (evaluation["measured_on"], evaluation["rows_of_trained_emoji"]) == ("unseen concepts", 0)
    assert evaluation["baselines"]["nearest_description"]["top_1"]["value"] == 0
    assert "test split, unseen concepts: 12 descriptions of 10 concepts, 12 emoji to choose from" in out
    assert "It can only predict emoji that have one, and none of these have" in out
    assert "warning: mine was trained on a processed pickle other than unseen.pkl" in err


def test_data_without_groups(call):
    data = emoji_data()
    data.splits["test"].metadata["group"][:] = [None] * 12
    save_processed(Path("bare.pkl"), data)
    code, out, _ = call(data="bare.pkl")
    assert code == 0
    assert read("mine/evaluation.json")["tuned"]["group_accuracy"] is None
    [line] = [line for line in out.splitlines() if line.startswith("top-1, right group")]
    assert line.split()[-2:] == ["–", "–"]


def test_mistakes_are_shown_and_written(call):
    code, out, _ = call("--errors_path", "mistakes.csv", model="base")
    assert code == 0
    test, evaluation = emoji_data().splits["test"], read("base/evaluation.json")
    with Path("mistakes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    model = checkpoint.load("base")
    ranked = rank_emoji(checkpoint.Trained(model.model, model.tokenizer, run_record()), test.prompt, len(EMOJI))
    wrong = {
        description: ([one.emoji for one in found], found[0].probability)
        for description, found in zip(test.prompt, ranked, strict=True)
        if found[0].emoji not in right_for(description)
    }
    assert len(rows) == evaluation["mistakes"] >= len(wrong) > 8  # one description is that of two rows
    for row in rows:
        named, probability = wrong[row["description"]]
        assert (row["prediction"], row["prediction_group"]) == (named[0], GROUP[named[0]] or "")
        assert float(row["probability"]) == pytest.approx(probability, abs=1e-4)
        assert row["codepoints"] == " ".join(f"{ord(character):04X}" for character in row["emoji"])
        assert int(row["place"]) == min(named.index(one) + 1 for one in right_for(row["description"]))
        assert (row["right_concept"] == "yes") == (
            CONCEPT[named[0]] in {CONCEPT[one] for one in right_for(row["description"])}
        )
    assert [float(row["probability"]) for row in rows] == sorted(
        (float(row["probability"]) for row in rows), reverse=True
    )
    shown = evaluation["most_confident_mistakes"]
    assert [one["description"] for one in shown] == [row["description"] for row in rows][:10]
    assert f"the 10 most confident of {len(rows)} mistakes:" in out
    assert f"{rows[0]['description']}  " in out
    assert out.endswith("written: base/evaluation.json and mistakes.csv\n")


def test_no_mistake_runs_in_a_spreadsheet(call):
    data = emoji_data()
    data.splits["test"].prompt[:] = [f"={prompt}" for prompt in data.splits["test"].prompt]
    save_processed(Path("hostile.pkl"), data)
    for words in ([], ["--escape_formulas"]):
        assert call("--errors_path", f"{len(words)}.csv", *words, model="base", data="hostile.pkl")[0] == 0
    plain, escaped = (list(csv.DictReader(Path(name).read_text("utf-8").splitlines())) for name in ("0.csv", "1.csv"))
    assert all(row["description"].startswith("=") for row in plain)
    assert escaped == [row | {"description": "'" + row["description"]} for row in plain]


def test_a_limit_draws_rows_with_the_seed(call):
    drawn = set()
    for seed in range(4):
        assert call("--limit", 5, "--seed", seed, "--errors_path", "m.csv", model="base")[0] == 0
        evaluation = read("base/evaluation.json")
        assert (evaluation["rows"], evaluation["limit"]) == (5, 5)
        drawn.add(Path("m.csv").read_text("utf-8"))
    assert len(drawn) > 1
    call("--limit", 5, "--seed", 3, "--errors_path", "m.csv", model="base")
    assert Path("m.csv").read_text("utf-8") in drawn
    call("--limit", 500, model="base")
    assert read("base/evaluation.json")["rows"] == 12


def test_the_tables_show_the_figures(call):
    code, out, _ = call("--compare_base")
    assert code == 0
    evaluation = read("mine/evaluation.json")
    lines = out.splitlines()
    assert [title for title in ("base", "tuned", "nearest training description") if title in lines[2]] == [
        "base", "tuned", "nearest training description",
    ]  # fmt: skip
    columns = [evaluation["base"], evaluation["tuned"], evaluation["baselines"]["nearest_description"]]
    for name, title in {
        "top_1": "top-1 ",
        "mean_reciprocal_rank": "mean reciprocal",
        "group_accuracy": "top-1, right g",
    }.items():
        [line] = [line for line in lines if line.startswith(title)]
        assert [cell.split()[0] for cell in line.split("  ") if "[" in cell] == [
            f"{column[name]['value']:.3f}" for column in columns
        ]
    assert "test split, unseen wording of known emoji: 12 descriptions" in lines[0]
    assert "Ranks count among the first 50." in out
    assert f"tuned on the same descriptions: {evaluation['verdict']}" in lines
    difference = evaluation["difference"]["base"]["top_1"]["value"]
    assert f"top-1, tuned minus base on the same descriptions: {difference:+.3f} [" in out


def test_json_and_places(call):
    code, out, _ = call("--json", model="mine.pt")
    assert (code, out) == (0, Path("mine.evaluation.json").read_text("utf-8"))
    call()
    first = Path("mine/evaluation.json").read_bytes()
    call()
    assert Path("mine/evaluation.json").read_bytes() == first
    same = {"model_path": "", "training": {}}  # the commands that repeat it name the model
    assert {**json.loads(first), **same} == {**json.loads(out), **same}


def test_the_card_shows_use_and_figures(call):
    assert call("--compare_base")[0] == 0
    card, tuned = Path("mine/README.md").read_text("utf-8"), read("mine/evaluation.json")["tuned"]
    assert '--model_path models/mine --prompt "a cat crying with joy" --num_return_sequences 5' in card
    assert "generate_emoji(\"a cat crying with joy\", model_path='models/mine', num=5)" in card
    assert f"| Top-1 | {read('mine/evaluation.json')['base']['top_1']['value']:.3f} [" in card
    assert f"| {tuned['mean_reciprocal_rank']['value']:.3f} [" in card
    assert "Test split, unseen wording of known emoji: 12 descriptions of 10 concepts" in card
    assert "constrained to the 12 emoji" in card
    assert str(Path.cwd()) not in card


def test_evaluations_are_compared(call, capsys):
    call()
    call("--output_path", "base.json", model="base")
    call("--output_path", "few.json", "--limit", 2)
    files = {"base": "base.json", "mine": "mine/evaluation.json"}
    capsys.readouterr()
    assert run_script(evaluate_model.main, "--compare", "base.json", "mine/evaluation.json") == 0
    out, err = capsys.readouterr()
    scores = {name: read(f)["tuned"]["top_1"]["value"] for name, f in files.items()}
    assert scores["mine"] != scores["base"]
    assert [line.split()[0] for line in out.splitlines()[4:]] == sorted(scores, key=lambda name: -scores[name])
    assert "the best top-1 first" in out
    assert all(title in out for title in ("top-5", "mean reciprocal rank", "nearest description, top-1"))
    assert err == ""
    run_script(evaluate_model.main, "--compare", "few.json", "mine/evaluation.json", "--json")
    out, err = capsys.readouterr()
    assert "warning: few.json and mine/evaluation.json were measured on different test rows" in err
    expected = read("mine/evaluation.json")["baselines"]["nearest_description"]["top_1"]
    assert expected in [model["baseline_top_1"] for model in json.loads(out)["models"]]


# ---- bad input


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--num_samples", 3], ["--num_samples is for models that write texts;", "models that write emoji"]),
        (["--max_new_tokens", 3], ["--max_new_tokens is for", "emoji.pkl is for models that write emoji"]),
        (["--answers_path", "a.jsonl"], ["--answers_path is for models that answer instructions"]),
        (["--repetition_penalty", 2], ["--repetition_penalty is for models that answer instructions"]),
        (["--errors_path", DATA], ["which is read"]),
        (["--limit", 0], ["--limit"]),
    ],
)
def test_flags_that_make_no_sense(call, words, expected):
    refused(call(*words), 2, *expected)


def test_models_and_data_of_other_kinds(call):
    save_processed(Path("tweets.pkl"), processed_data(train=["a"], validation=["b"], test=["c"]))
    hint = refused(call(data="tweets.pkl"), 3, "tweets.pkl was made to write texts (task tweets)", "mine writes emoji")
    assert "trained on tweets.pkl" in hint
    run = read("mine/run.json")
    Path("mine/run.json").write_text(json.dumps({**run, "kind": "generate", "task": "tweets"}))
    refused(call(), 3, "emoji.pkl was made to write emoji (task emoji)", "mine writes texts")
    refused(call("--compare_base", model="base"), 1, "base does not name its base model")
