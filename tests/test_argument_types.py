"""Numbers of flags: those that no run can use are refused with the flag's name, in two lines, by every script."""

import argparse
import json

import pytest
from running import assert_one_error, run_script

import classify
import evaluate_model
import fine_tune
import generate
import preprocess
from utils.argument_types import as_duration, duration
from utils.errors import EXIT_USAGE

SCRIPTS = (preprocess, fine_tune, generate, classify, evaluate_model)
NO_NUMBERS = ("", "x", "nan", "-nan", "inf", "-inf", "1e999", "0x10", "1" * 5000, "\udcff", "1_0_")
TOO_LARGE = (2**32, 2**63, 2**64, 10**30)
NUMBERS = [
    pytest.param(script, action.option_strings[0], id=f"{script.__name__} {action.option_strings[0]}")
    for script in SCRIPTS
    for action in script.build_parser()._actions
    if isinstance(action.type, type(lambda: 0)) and action.metavar != "YYYY-MM-DD" and not action.choices
    if "parse" in action.type.__name__ or action.dest in ("max_steps", "near_duplicates")
]


@pytest.mark.parametrize(("script", "flag"), NUMBERS)
def test_numbers_that_are_too_large_or_none_are_refused(script, flag, capsys):
    parser = script.build_parser()
    action = parser._option_string_actions[flag]
    for value in (*NO_NUMBERS, *TOO_LARGE):
        try:
            parsed = action.type(str(value))
        except argparse.ArgumentTypeError:
            continue
        assert isinstance(parsed, float), f"{flag} {value} is {parsed!r}"
        assert value in TOO_LARGE, f"{flag} {value} is {parsed!r}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_a_seed_beyond_the_largest_is_a_usage_error(script, capsys):
    if not script.build_parser().knows("--seed"):
        return
    assert run_script(script.main, *(("--data", "a") if script is preprocess else ()), "--seed", 2**32) == EXIT_USAGE
    assert_one_error(capsys.readouterr().err, "--seed", "4294967295")


@pytest.mark.parametrize(
    "script", [preprocess, fine_tune, generate, evaluate_model], ids=lambda script: script.__name__
)
def test_the_largest_seed_is_taken(script):
    assert script.build_parser().parse_args(
        ["--seed", str(2**32 - 1), *(["--data", "a"] if script is preprocess else [])]
    )


LONG = "x" * 300
PATHS = {
    "data": (preprocess, "--data", f"{LONG}.csv"),
    "a folder of data": (preprocess, "--data", f"hf://./{LONG}"),
    "a base model": (preprocess, "--data", "a.csv", "--model", LONG),
    "a processed pickle": (fine_tune, "--data", LONG),
    "an output": (fine_tune, "--data", "a.pkl", "--output_path", LONG),
    "a model": (generate, "--model_path", LONG, "--prompt", "x"),
    "a model in one file": (generate, "--model_path", f"{LONG}.pt", "--prompt", "x"),
    "a quantized model": (generate, "--model_path", f"{LONG}.gguf", "--prompt", "x"),
    "prompts": (generate, "--model_path", "tiny", "--prompts_file", LONG),
    "settings": (generate, "--config", LONG),
    "a classifier": (classify, "--model_path", LONG, "--text", "x"),
    "texts": (classify, "--model_path", "tiny", "--data", f"{LONG}.csv"),
    "an evaluation": (evaluate_model, "--compare", LONG),
}


@pytest.mark.parametrize(("script", "words"), [(script, words) for script, *words in PATHS.values()], ids=PATHS)
def test_a_name_that_no_system_takes_is_an_error_of_two_lines(script, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("text\nthe sea is blue\nthe rain is wet\n")
    assert run_script(script.main, *words) in (1, 2, 3)
    assert_one_error(capsys.readouterr().err)


def test_a_value_with_a_nul_is_a_usage_error(capsys, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"data": "a\0b"}))
    assert run_script(preprocess.main, "--config", tmp_path / "a.json") == EXIT_USAGE
    assert_one_error(capsys.readouterr().err, "NUL")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("600", 600), ("600.5", 600.5)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds
    assert duration(as_duration(seconds)) == round(seconds)


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-5", "1h30", "30m1h", "10min", "inf", "nan", "1e3", "ten", "9" * 11, "٣m"]
)
def test_no_durations(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a duration, such as 90s"):
        duration(text)
