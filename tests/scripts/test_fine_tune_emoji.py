"""fine_tune_gpt2, the function for notebooks: from a table of emoji to a model that writes them."""

import json

import pytest
from small_models import MODEL_FILES

from fine_tune import fine_tune_gpt2
from generate import generate_emoji
from utils.errors import UserError
from utils.models import checkpoint
from utils.processed import load_processed

OPTIONS = {"max_steps": 6, "save_steps": 3, "lr": 1e-3, "batch_size": 8}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Twelve emoji in the columns of Kaggle's table."""
    rows = [
        *("😀,grinning face,1F600", "😂,face with tears of joy,1F602", "😉,winking face,1F609", "🦊,fox,1F98A"),
        *("🐘,elephant,1F418", "🍎,red apple,1F34E", "🍌,banana,1F34C", "🥕,carrot,1F955", "🏠,house,1F3E0"),
        *("🔑,key,1F511", "🔨,hammer,1F528", "🎺,trumpet,1F3BA"),
    ]
    path = tmp_path_factory.mktemp("table") / "emoji_df.csv"
    path.write_text("\n".join(["emoji,name,codepoints", *rows]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def results(table, tmp_path_factory):
    return fine_tune_gpt2(table, "tiny", tmp_path_factory.mktemp("made") / "results", **OPTIONS)


def test_the_function_goes_from_a_table_to_a_model_with_its_tokenizer(results):
    assert {path.name for path in results.iterdir()} == MODEL_FILES | {"emoji.pkl"}
    run = json.loads((results / "run.json").read_text())
    assert set(run.pop("files")) == MODEL_FILES
    assert (run["task"], run["kind"], run["target"], run["split_by"]) == ("emoji", "emoji", "emoji", "concept")
    assert [target[1] for target in run["targets"]] == sorted("😀😂😉🦊🐘🍎🍌🥕🏠🔑🔨🎺")
    assert run["results"]["steps"] == 6
    log = [json.loads(line) for line in (results / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log if "eval_loss" in entry] == [0, 3, 6]
    data = load_processed(results / "emoji.pkl")
    assert sorted(row for split in data.splits.values() for row in split.completion) == sorted(
        "😀😂😉🦊🐘🍎🍌🥕🏠🔑🔨🎺"
    )
    assert checkpoint.load(str(results)).run == run


def test_the_trained_model_writes_emoji(results):
    assert generate_emoji("a sly red animal", model_path=str(results)) in set("😀😂😉🦊🐘🍎🍌🥕🏠🔑🔨🎺")
    five = generate_emoji("a sly red animal", model_path=str(results), num=5)
    assert len(set(five)) == 5


def test_the_table_of_the_emoji_package_with_code_points(tmp_path):
    options = {**OPTIONS, "max_steps": 1, "aliases": ["fr"], "target": "codepoints", "split_by": "description"}
    results = fine_tune_gpt2("builtin", "tiny", tmp_path / "results", **options)
    run = json.loads((results / "run.json").read_text())
    assert (run["target"], run["split_by"]) == ("codepoints", "description")
    assert ["1F600", "😀"] in [target[:2] for target in run["targets"]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epoch": 3}, "unknown key 'epoch'"),
        ({"epochs": "many"}, "many"),
        ({"hub_model_name": "two/slashes/here"}, "two/slashes/here"),
        ({"target": "pictures"}, "pictures"),
        ({"aliases": ["xx"]}, "xx"),
    ],
)
def test_invalid_options_are_refused_before_any_work(table, tmp_path, options, words):
    with pytest.raises(UserError) as caught:
        fine_tune_gpt2(table, "tiny", tmp_path / "results", **options)
    assert words in caught.value.problem
    assert not (tmp_path / "results").exists()


def test_an_existing_model_is_not_replaced_without_overwrite(table, results):
    before = (results / "run.json").read_bytes()
    with pytest.raises(UserError, match="already contains a trained model"):
        fine_tune_gpt2(table, "tiny", results, **OPTIONS)
    assert (results / "run.json").read_bytes() == before
