"""The functions that other programs call: from raw files to processed data, with the defaults of preprocess.py."""

from pathlib import Path

import pytest

import preprocess
from utils.errors import UsageError
from utils.preprocessing.filters import Filters
from utils.preprocessing.pipeline import PipelineSettings, process_emoji, process_instructions, process_texts
from utils.processed import load_processed, save_processed
from utils.tasks.tasks import TASKS

SAMPLES = Path(__file__).parent.parent.parent / "data" / "samples"
FILES = {"tweets": "tweets.csv", "reviews": "reviews.csv", "alpaca": "instructions.jsonl", "emoji": "emoji.csv"}


def settings_for(name):
    return PipelineSettings(TASKS[name], "tiny", Filters.for_task(TASKS[name]))


@pytest.mark.parametrize("name", FILES)
def test_the_defaults_are_those_of_the_script(name, tmp_path):
    paths = [str(SAMPLES / FILES[name])]
    if name == "alpaca":
        processed = process_instructions(settings_for(name), paths)
    elif name == "emoji":
        processed = process_emoji(settings_for(name), paths)
    else:
        processed = process_texts(settings_for(name), paths)
    save_processed(tmp_path / "function.pkl", processed)
    words = ["--task", name, "--data", *paths, "--model", "tiny", "--output_path", str(tmp_path / "script.pkl")]
    assert preprocess.main(words) == 0
    assert (tmp_path / "function.pkl").read_bytes() == (tmp_path / "script.pkl").read_bytes()
    assert load_processed(tmp_path / "script.pkl").recipe == processed.recipe


def test_a_tweet_is_all_completion_and_a_review_all_prompt():
    tweets = process_texts(settings_for("tweets"), [str(SAMPLES / "tweets.csv")]).splits["test"]
    assert (set(tweets.prompt), set(tweets.label)) == ({""}, {None})
    assert all(tweets.completion) and all(tweets.group)
    reviews = process_texts(settings_for("reviews"), [str(SAMPLES / "reviews.csv")]).splits["test"]
    assert (set(reviews.completion), set(reviews.loss_start)) == ({""}, {0})
    assert all(reviews.prompt) and all(reviews.group) and all(reviews.label)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"emoji_target": "pictures"}, "emoji_target is 'pictures'"),
        ({"split_by": "group"}, "split_by is 'group'"),
        ({"aliases": ["xx"]}, "--aliases 'xx'"),
    ],
)
def test_an_option_that_is_not_a_choice(options, problem):
    with pytest.raises(UsageError) as caught:
        process_emoji(settings_for("emoji"), ["no such file"], **options)
    assert caught.value.problem.startswith(problem)
