"""The output of each script on a terminal of 80 columns, from the first sign of life to the next command."""

import re
from pathlib import Path

import pytest
from running import run_script
from screens import Screen, replay, seen
from terminals import on_terminal

import classify
import evaluate_model
import fine_tune
import generate
import preprocess

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
BAR = re.compile(r"\|([ ▏▎▍▌▋▊▉█]*)\|")
TEXTS = [f"The {noun} is {word} today, and {noun}s are {word} in {place}" for noun in ("bus", "cat", "soup")
         for word in ("late", "warm", "small", "loud") for place in ("May", "Rome", "the park", "winter")]  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, str]:
    """The output of each script on the terminal, one after the other in a new folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("terminal"))
        Path("reviews.csv").write_text(
            "text,label\n" + "".join(f'"{text}",{("good", "bad")["late" in text]}\n' for text in TEXTS)
        )
        Path("tweets.csv").write_text("text\n" + "".join(f'"{text}"\n' for text in TEXTS))
        train = ("--max_steps", 12, "--logging_steps", 2, "--precision", "fp32")
        near = ("--model", "tiny", "--near_duplicates", "off")
        return {
            name: _shown(main, *words)
            for name, main, words in (
                ("preprocess", preprocess.main, ("--data", "tweets.csv", *near, "--output_path", "my tweets.pkl")),
                ("reviews", preprocess.main, ("--task", "reviews", "--data", "reviews.csv", *near,
                                              "--output_path", "reviews.pkl")),
                ("fine_tune", fine_tune.main, ("--data", "my tweets.pkl", "--output_path", "models/mine", *train)),
                ("classifier", fine_tune.main, ("--data", "reviews.pkl", "--output_path", "models/reviews", *train)),
                ("generate", generate.main, ("--model_path", "models/mine", "--prompt", "The", "--max_new_tokens", 5)),
                ("classify", classify.main, ("--model_path", "models/reviews", "--data", "reviews.csv")),
                ("evaluate_model", evaluate_model.main, ("--model_path", "models/reviews", "--data", "reviews.pkl")),
                ("writer", evaluate_model.main, ("--model_path", "models/mine", "--data", "my tweets.pkl",
                                                 "--compare_base", "--num_samples", 2, "--max_new_tokens", 4)),
            )
        }  # fmt: skip


def _shown(main, *words: object) -> str:
    code, written = on_terminal(run_script, main, *words)
    assert code == 0, written
    return written


def lines_of(screen: Screen) -> list[str]:
    """Return the lines of the screen with # for each number, and durations in seconds."""
    return [NUMBER.sub("#", re.sub(r"\d+ min (?=\d+ s)", "", line)) for line in screen.lines if line]


RUNS = ("preprocess", "reviews", "fine_tune", "classifier", "generate", "classify", "evaluate_model", "writer")


@pytest.mark.parametrize("name", RUNS)
def test_only_sentences_and_texts_are_wider_than_the_terminal(written, name):
    tables = [line for line in replay(written[name]).overflows if "  " in line.strip()]
    assert tables == []
    bars = [bar for line in seen(written[name]) for bar in BAR.findall(line)]
    assert all(len(bar) >= 10 for bar in bars)
    assert not re.search("shards|Loading weights|Map", written[name])


FIRST = {
    "preprocess": "preprocess.py: tweets from tweets.csv; libraries load for about # s …",
    "fine_tune": "fine_tune.py: training a model on my tweets.pkl; libraries load for about # s …",
    "generate": "generate.py: # text from models/mine; libraries load for about # s …",
    "classify": "classify.py: reviews.csv with models/reviews; libraries load for about # s …",
    "evaluate_model": "evaluate_model.py: models/reviews on reviews.pkl; libraries load for about # s …",
}
LAST = {
    "preprocess": [
        "my tweets.pkl",
        "written: my tweets.pkl (# kB) in # s",
        "next: python fine_tune.py --data 'my tweets.pkl' \\",
        "    --output_path 'models/my tweets'",
    ],
    "fine_tune": [
        "models/mine",
        "written: models/mine (# kB), models/mine/training.svg (# kB) in # s",
        "next: python generate.py --model_path models/mine --prompt 'I just'",
        "next: python evaluate_model.py --model_path models/mine --data 'my tweets.pkl' \\",
        "    --compare_base",
    ],
    "generate": [
        "# text in # s",
        "next: python evaluate_model.py --model_path models/mine --data 'my tweets.pkl' \\",
        "    --compare_base",
    ],
    "classify": [
        "reviews.predictions.csv",
        "written: reviews.predictions.csv (# kB) in # s",
        "next: python evaluate_model.py --model_path models/reviews --data reviews.pkl",
    ],
    "evaluate_model": [
        "written: models/reviews/evaluation.json",
        "evaluated in # s",
        "next: python classify.py --model_path models/reviews --text 'Works like a charm'",
    ],
}


@pytest.mark.parametrize("name", FIRST)
def test_the_first_line_says_what_begins_and_the_last_ones_what_comes_next(written, name):
    lines = lines_of(replay(written[name]))
    assert lines[0] == FIRST[name]
    assert lines[-len(LAST[name]) :] == LAST[name]


def test_a_training_leaves_its_losses_on_the_screen(written):
    lines = lines_of(replay(written["fine_tune"]))
    shown = [line for line in lines if not line.startswith(("  sample:", "  transformer"))]
    assert shown[1:3] == ["base model tiny (from preprocessing), fp# on cpu", "trainable parameters:"]
    assert "step #: validation bits per byte #, loss #, token accuracy #" in shown
    assert not [line for line in lines if line.startswith("training |")]
    assert [line for line in seen(written["fine_tune"]) if line.startswith("training |")]


def test_figures_of_a_classifier_fit(written):
    lines = lines_of(replay(written["evaluate_model"]))
    assert any(re.fullmatch(r"accuracy( +# \[#, #\]){3}", line) for line in lines)
    assert any(re.fullmatch(r"macro F#( +# \[#, #\]){3}", line) for line in lines)
