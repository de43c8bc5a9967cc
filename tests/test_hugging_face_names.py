"""Hugging Face's names of flags: each has the same meaning here, or is refused with a hint."""

from pathlib import Path

import pytest

import classify
import evaluate_model
import fine_tune
import generate
import preprocess
from utils.errors import UsageError
from utils.inference.sampling import sampling_from_flags
from utils.tasks.kinds import GENERATE
from utils.training.flag_checks import complete_flags

SCRIPTS = (preprocess, fine_tune, generate, classify, evaluate_model)


def parsed(script, *words: object):
    needed = ["--data", "x.csv"] if script is preprocess else []
    return script.build_parser().parse_args([*needed, *map(str, words)])


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (["--output_dir", "models/new"], {"output_path": Path("models/new")}),
        (["--output-dir=models/new"], {"output_path": Path("models/new")}),
        (["--overwrite_output_dir"], {"overwrite": True}),
        (["--overwrite_output_dir", "True"], {"overwrite": True}),
        (["--gradient_checkpointing", "false"], {"activation_checkpointing": False}),
        (["--model_name_or_path", "gpt2"], {"model": "gpt2"}),
        (["--warmup_ratio", 0.1], {"warmup_steps": 0.1}),
        (["--warmup_ratio", 0], {"warmup_steps": 0.0}),
        (["--bf16"], {"precision": "bf16"}),
        (["--bf16", "True"], {"precision": "bf16"}),
        (["--bf16=False"], {"precision": "fp32"}),
        (["--fp16"], {"precision": "fp16"}),
        (["--fp16", "--bf16", "False"], {"precision": "fp16"}),
        (["--bf16", "False", "--fp16", "False"], {"precision": "fp32"}),
        (["--use_cpu"], {"device": "cpu"}),
        (["--no_cuda", "False"], {"device": "auto"}),
        (["--eval_steps", 50], {"save_steps": 50}),
        (["--eval_steps", 50, "--save_steps", 50], {"save_steps": 50}),
        (["--eval_strategy", "steps", "--eval_steps", 5], {"save_steps": 5, "eval_strategy": "steps"}),
        (["--evaluation_strategy", "epoch", "--save_strategy", "epoch"], {"save_steps": None}),
        (["--eval_strategy", "no"], {"eval_strategy": "no"}),
        (["--lr_scheduler_type", "constant_with_warmup"], {"lr_scheduler_type": "constant_with_warmup"}),
        (["--max_steps", "-1"], {"max_steps": None}),
        (["--resume_from_checkpoint", "True"], {"resume": True}),
        (["--resume_from_checkpoint", "false"], {"resume": False}),
        (["--resume_from_checkpoint", "m.training/checkpoint-5"], {"resume": "m.training/checkpoint-5"}),
        (["--report_to", "none"], {"report_to": []}),
        (["--per_device_train_batch_size", 4, "--num_train_epochs", 3], {"batch_size": 4, "epochs": 3.0}),
        (["--max_seq_length", 64], {"max_length": 64}),
        (["--do_train", "--do_eval", "True", "--load_best_model_at_end", "True"], {"epochs": 2.0}),
        (["--optim", "adamw_torch", "--logging_strategy", "steps"], {"logging_steps": 10}),
    ],
    ids=lambda value: " ".join(map(str, value)).replace("--", "") if isinstance(value, list) else "",
)
def test_a_flag_of_training_is_translated(words, ours):
    flags = parsed(fine_tune, *words)
    complete_flags(flags, fine_tune.build_parser(), GENERATE)
    assert {name: getattr(flags, name) for name in ours} == ours
    plain = parsed(fine_tune)
    complete_flags(plain, fine_tune.build_parser(), GENERATE)
    assert vars(flags).keys() == vars(plain).keys()  # run.json records our names alone


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bf16", "--fp16"], "--fp16 True contradicts --precision bf16"),
        (["--bf16", "--precision", "fp32"], "--bf16 True contradicts --precision fp32"),
        (["--bf16", "perhaps"], "neither true nor false"),
        (["--warmup_ratio", 1], "below 1"),
        (["--warmup_ratio", 0.1, "--warmup_steps", 20], "--warmup_ratio 0.1 contradicts --warmup_steps 20"),
        (["--eval_steps", 50, "--save_steps", 100], "--eval_steps 50 contradicts --save_steps 100"),
        (["--eval_strategy", "epoch", "--save_strategy", "steps"], "contradicts --eval_strategy epoch"),
        (["--save_strategy", "no"], "'no' is neither epoch nor steps"),
        (["--load_best_model_at_end", "False"], "use --eval_strategy no"),
        (["--do_train", "false"], "fine_tune.py trains"),
        (["--optim", "adafactor"], "'adafactor' is not adamw_torch"),
        (["--report_to", "all"], "'all'"),
        (["--lr_scheduler_type", "cosin"], "'cosin'"),
        (["--use_cpu", "--device", "cuda"], "--use_cpu True contradicts --device cuda"),
        (["--per_device_eval_batch_size", 8], "--per_device_eval_batch_size"),
        (["--do_predict"], "evaluate_model.py"),
        (["--block-size", 128], "--max_length"),
        (["--dataset_name", "imdb"], "preprocess.py --data_path hf://"),
    ],
    ids=lambda value: " ".join(map(str, value)).replace("--", "") if isinstance(value, list) else "",
)
def test_names_with_another_meaning_are_refused(words, said):
    with pytest.raises(UsageError) as raised:
        parsed(fine_tune, *words)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--eval_strategy", "steps"], "add --eval_steps N"),
        (["--eval_strategy", "epoch", "--eval_steps", 5], "contradicts --save_steps 5"),
        (["--eval_strategy", "no", "--search", 3], "--search compares"),
        (["--eval_strategy", "no", "--early_stopping_patience", 3], "counts evaluations"),
        (["--lr_scheduler_type", "constant", "--warmup_ratio", 0.2], "constant has no warmup"),
    ],
    ids=["steps", "epoch", "search", "patience", "constant"],
)
def test_flags_that_do_not_go_together_are_refused(words, said):
    with pytest.raises(UsageError) as raised:
        complete_flags(parsed(fine_tune, *words), fine_tune.build_parser(), GENERATE)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("script", "path", "expected"),
    [
        (preprocess, "data/new", "data/new/processed.pkl"),
        (preprocess, "data/new.pkl", "data/new.pkl"),
        (generate, "out", "out/texts.jsonl"),
        (classify, "out", "out/predictions.csv"),
        (classify, "out/mine.tsv", "out/mine.tsv"),
        (evaluate_model, "out", "out/evaluation.json"),
    ],
)
def test_output_dir_is_the_folder_of_the_output(script, path, expected):
    assert parsed(script, "--output_dir", path).output_path == Path(expected)


@pytest.mark.parametrize("script", [generate, classify, evaluate_model])
def test_model_name_or_path_and_bf16_are_known_elsewhere_too(script):
    flags = parsed(script, "--model_name_or_path", "models/mine", "--bf16")
    assert (flags.model_path, flags.precision) == ("models/mine", "bf16")
    with pytest.raises(UsageError, match="--precision is one of auto, fp32, bf16 here"):
        parsed(script, "--fp16")


@pytest.mark.parametrize(
    ("words", "draws"),
    [
        (["--do_sample"], True),
        (["--do_sample", "True", "--temperature", 0.7], True),
        (["--do_sample", "False"], False),
        (["--do_sample=false", "--num_beams", 4], False),
        (["--do_sample", "False", "--greedy"], False),
    ],
)
def test_do_sample_is_the_opposite_of_greedy(words, draws):
    assert sampling_from_flags(parsed(generate, *words), answers=False).draws is draws


@pytest.mark.parametrize("other", [["--greedy"], ["--num_beams", 4]], ids=["greedy", "beams"])
def test_do_sample_contradicts_what_draws_nothing(other):
    with pytest.raises(UsageError, match="do_sample"):
        parsed(generate, "--do_sample", *other)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_help_shows_our_names_alone(script):
    shown = script.build_parser().format_help(everything=True)
    assert "--output_dir" not in shown and "bf16 [" not in shown and "--warmup_ratio" not in shown


def test_a_config_and_python_take_them_too(tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("output_dir: models/new\nbf16: true\nwarmup_ratio: 0.1\neval_strategy: 'no'\noverwrite: true\n")
    flags = parsed(fine_tune, "--config", config)
    assert (flags.output_path, flags.precision, flags.warmup_steps) == (Path("models/new"), "bf16", 0.1)
    options = {"output_dir": Path("models/new"), "bf16": True, "warmup_ratio": 0.1, "overwrite": True}
    from_python = fine_tune.build_parser().parse_options({**options, "eval_strategy": "no", "config": None})
    assert vars(from_python) == {**vars(flags), "config": None}
    parser = fine_tune.build_parser()
    parser.parse_args(["--config", str(config)])
    assert parser.given == {"config", "output_path", "precision", "warmup_steps", "eval_strategy", "overwrite"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--precision", "fp32"], {"precision": "fp32", "warmup_steps": 0.1, "overwrite": True}),
        (["--bf16", "False", "--warmup_steps", 7], {"precision": "fp32", "warmup_steps": 7.0}),
        (["--overwrite", "False"], {"overwrite": False}),
    ],
    ids=["ours", "theirs", "false"],
)
def test_the_command_line_wins_over_their_names_in_a_config(words, expected, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("bf16: true\nwarmup_ratio: 0.1\noverwrite: true\n")
    flags = parsed(fine_tune, "--config", config, *words)
    assert {name: getattr(flags, name) for name in expected} == expected


def test_the_same_flag_twice_in_a_config_is_an_error():
    with pytest.raises(UsageError, match="'lr' and 'learning_rate' are the same flag"):
        fine_tune.build_parser().parse_options({"lr": 0.1, "learning_rate": 0.2})
