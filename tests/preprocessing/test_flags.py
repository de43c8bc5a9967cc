"""Flags of preprocess.py: old names, flags without effect on a task, and their values."""

import dataclasses

import pytest

import preprocess
from utils.errors import UsageError
from utils.preprocessing.filters import Filters
from utils.preprocessing.flags import check_flags_suit_task, cleaning_from, filters_from
from utils.tasks.kinds import KINDS
from utils.tasks.tasks import TASKS


def parse(*words):
    return preprocess.build_parser().parse_args(["--data", "x", *words])


def test_old_names_of_flags_still_work(tmp_path, capsys):
    args = parse("--min_tokens", "2", "--max-tokens", "9", "--target", "codepoints")
    assert (args.min_words, args.max_words, args.emoji_target) == (2, 9, "codepoints")
    config = tmp_path / "run.yaml"
    config.write_text("min_tokens: 3\nmax_tokens: 8\ntarget: emoji\n")
    args = parse("--config", str(config), "--min_words", "4")
    assert (args.min_words, args.max_words, args.emoji_target) == (4, 8, "emoji")
    with pytest.raises(SystemExit):
        parse("--help_all")
    shown = capsys.readouterr().out
    assert "--min_words" in shown
    assert not [name for name in ("--min_tokens", "--max_tokens", "--target ") if name in shown]


def test_the_flags_of_every_kind_exist():
    args = parse()
    assert {flag for kind in KINDS.values() for flag in kind.preprocess_flags} <= vars(args).keys()
    for task in TASKS.values():
        check_flags_suit_task(args, task)


@pytest.mark.parametrize(
    ("task", "words", "problem", "tasks"),
    [
        ("tweets", ["--keep_conflicts"], "--keep_conflicts is for labeled texts, not for short texts", "reviews"),
        ("emoji", ["--multi_turn"], "--multi_turn is for instructions, not for tables of emoji", "alpaca"),
        ("reviews", ["--target", "emoji"], "--emoji_target is for tables of emoji, not for labeled texts", "emoji"),
        ("alpaca", ["--case", "lower"], "--case is for short texts and labeled texts, not for", "tweets or reviews"),
        ("emoji", ["--lang", "fr"], "--lang is for short texts and labeled texts and instr", "tweets or reviews or al"),
    ],
)
def test_a_flag_that_does_nothing_for_the_task(task, words, problem, tasks):
    with pytest.raises(UsageError) as caught:
        check_flags_suit_task(parse(*words), TASKS[task])
    assert caught.value.problem.startswith(problem)
    assert caught.value.hint.startswith(f"remove it, or choose --task {tasks}")


def test_filters_are_those_of_the_task_unless_flags_say_otherwise():
    assert filters_from(parse(), TASKS["tweets"]) == Filters(min_words=6, max_words=None)
    words = ["--min_words", "0", "--exclude", "a", "--exclude", "b", "--keep_users", "--lang", "fr", "--sample", "0.5"]
    assert filters_from(parse(*words), TASKS["tweets"]) == Filters(
        min_words=0, exclude=("a", "b"), keep_users=True, language="fr", sample=0.5
    )


def test_the_recipe_of_jeudiconfession_sets_the_lengths_that_flags_do_not():
    recipe = ["--recipe", "jeudiconfession"]
    assert filters_from(parse(*recipe), TASKS["tweets"]) == Filters(min_words=6, max_words=30)
    assert filters_from(parse(*recipe, "--max_words", "40"), TASKS["tweets"]) == Filters(min_words=6, max_words=40)


def test_cleaning_is_that_of_the_task_unless_flags_say_otherwise():
    cleaning = cleaning_from(parse("--case", "lower"), TASKS["reviews"])
    assert cleaning == dataclasses.replace(TASKS["reviews"].cleaning, case="lower")


def test_the_help_shows_the_defaults_of_the_tasks(capsys):
    with pytest.raises(SystemExit):
        parse("--help_all")
    shown = " ".join(capsys.readouterr().out.split())
    assert "--emoji {remove,keep} default: remove for tweets; keep for reviews" in shown
    assert "--case {keep,lower} default: keep --num" in shown
    assert "in words (default: 6 for tweets; 1 for reviews and alpaca and emoji)" in shown
    assert "in words (default: no limit)" in shown
