"""Flags as Hugging Face's scripts and TrainingArguments name them, translated into ours.

Only exact equivalents are accepted: the same flag under another name, or a value that translates exactly. Other flags
are refused with a hint. The help shows our names alone, docs/fine_tune.md all of them.
"""

from argparse import SUPPRESS, ArgumentTypeError, Namespace
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from utils.argument_types import TRUTH_VALUES, non_negative_float, positive_int, truth_value
from utils.cli import Parser
from utils.errors import UsageError

SAME = {  # of ours, that which a script has
    "--model_name_or_path": ("--model", "--model_path"),
    "--overwrite_output_dir": ("--overwrite",),
    "--evaluation_strategy": ("--eval_strategy",),
    "--max_seq_length": ("--max_length",),
    "--push_to_hub_model_id": ("--hub_model_id",),
    "--hub_private_repo": ("--hub_private",),
}
OURS = {  # the meaning of each
    "output_dir": "output_path",
    "warmup_ratio": "warmup_steps",
    "eval_steps": "save_steps",
    "save_strategy": "eval_strategy",
    "resume_from_checkpoint": "resume",
    "bf16": "precision",
    "fp16": "precision",
    "use_cpu": "device",
    "no_cuda": "device",
    "do_sample": "greedy",
}
PRECISIONS = ("bf16", "fp16")
TRUTHS = (*PRECISIONS, "use_cpu", "no_cuda", "do_sample")
ALWAYS = {  # fixed behaviour of fine_tune.py: the values that agree with it, and hints for others
    "do_train": (("true",), "remove it: fine_tune.py trains"),
    "do_eval": (("true",), "use --eval_strategy no"),
    "load_best_model_at_end": (("true",), "use --eval_strategy no, with which the last weights are kept"),
    "optim": (("adamw_torch", "adamw_torch_fused"), "remove it: the optimizer is adamw_torch_fused"),
    "logging_strategy": (("steps",), "use --logging_steps"),
}
HINTS = {
    "per_device_eval_batch_size": "remove it: validation takes as many texts at once as fit, which changes no result",
    "block_size": "texts are not joined into blocks; --max_length cuts long ones",
    "group_by_length": "remove it: batches always have texts of similar lengths",
    "train_sampling_strategy": "remove it: batches always have texts of similar lengths",
    "train_file": "use preprocess.py --data_path FILE, and then --data PKL",
    "validation_file": "remove it: preprocess.py splits the data",
    "test_file": "remove it: preprocess.py splits the data",
    "dataset_name": "use preprocess.py --data_path hf://USER/NAME, and then --data PKL",
    "metric_for_best_model": "remove it: bits per byte decide, and for classifiers macro F1",
    "greater_is_better": "remove it: bits per byte decide, and for classifiers macro F1",
    "logging_dir": "set the environment variable TENSORBOARD_LOGGING_DIR",
    "run_name": "remove it: a run is named after its --output_path",
    "hub_token": "use hf auth login, or set the environment variable HF_TOKEN",
    "torch_dtype": "use --precision",
    "dtype": "use --precision",
    "use_peft": "use --lora RANK",
    "load_in_4bit": "fine_tune.py has it, and saves float32 weights; generate.py --engine ctranslate2 takes 8 bits",
    "load_in_8bit": "use --load_in_4bit with --lora RANK, or --lora RANK alone, which keeps weights in bfloat16",
    "do_predict": "use evaluate_model.py, which alone reads the test split",
}
TAKE_TRUTH = (
    *TRUTHS,
    "resume_from_checkpoint",
    "do_train",
    "do_eval",
    "load_best_model_at_end",
)  # the value is optional
FILE_SUFFIXES = (".pkl", ".json", ".jsonl", ".csv", ".tsv")  # of the files that our scripts write


def accept_hugging_face_names(parser: Parser, output_file: str | None = None) -> None:
    """Accept Hugging Face's names for those of our flags that the parser has.

    `output_file` is the name of the output in an --output_dir; without one, it is the new folder itself.
    """
    same = {
        name: [flag for flag in ours if parser.knows(flag)] for name, ours in SAME.items() if not parser.knows(name)
    }
    parser.accept_old_names({name: ours[0] for name, ours in same.items() if ours})
    types = {
        "output_dir": partial(_output_path, output_file),
        "warmup_ratio": _ratio,
        "eval_steps": positive_int,
        "save_strategy": _save_strategy,
        "resume_from_checkpoint": _checkpoint,
        **dict.fromkeys(TRUTHS, truth_value),
        **{name: partial(_always, *always) for name, always in ALWAYS.items()},
    }
    added = [name for name in types if parser.knows(f"--{OURS.get(name, 'epochs')}")]
    for name in added:
        without_value = {"nargs": "?", "const": True} if name in TAKE_TRUTH else {}
        parser.add_argument(f"--{name}", type=types[name], default=SUPPRESS, help=SUPPRESS, **without_value)
    ours = {name: OURS[name] for name in added if name in OURS}
    parser.accept_translated(ours, partial(_translate, parser, added), HINTS)


def _translate(parser: Parser, names: Sequence[str], flags: Namespace) -> None:
    """Replace the flags with these names by ours. UsageError where they contradict ours, or each other."""
    given = {name: vars(flags).pop(name) for name in names if name in flags}
    if given.get("do_sample") and (getattr(flags, "num_beams", None) or 1) > 1:
        raise UsageError("--do_sample, but beam search (--num_beams) draws no tokens", "remove one of them")
    for name, value in _in_our_terms(given):
        ours = OURS[name]
        before = getattr(flags, ours, default := parser.get_default(ours))
        if before not in (default, value):
            hint = f"remove one of them: --{name} means --{ours} here"
            raise UsageError(f"--{name} {given[name]} contradicts --{ours} {before}", hint)
        choices = parser._option_string_actions[f"--{ours}"].choices
        if choices and value not in choices:
            raise UsageError(f"--{name}: --{ours} is one of {', '.join(choices)} here", f"remove --{name}")
        setattr(flags, ours, value)
    if getattr(flags, "report_to", None) == ["none"]:
        flags.report_to = []


def _in_our_terms(given: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield (a name of Hugging Face's, the value of our flag) for all that say something."""
    for name, value in given.items():
        if name in PRECISIONS:
            if value:
                yield name, name
            elif not any(given.get(other) for other in PRECISIONS):
                yield name, "fp32"
        elif name in ("use_cpu", "no_cuda"):
            if value:
                yield name, "cpu"
        elif name == "do_sample":
            yield name, not value
        elif name in OURS:
            yield name, value


def _output_path(output_file: str | None, text: str) -> Path:
    path = Path(text)
    return path if output_file is None or path.suffix in FILE_SUFFIXES else path / output_file


def _ratio(text: str) -> float:
    ratio = non_negative_float(text)
    if ratio >= 1:
        raise ArgumentTypeError(f"{text!r} is not a number of at least 0 and below 1")
    return ratio


def _save_strategy(text: str) -> str:
    if text not in ("epoch", "steps"):
        problem = (
            f"{text!r} is neither epoch nor steps: the best model, and --resume, need what is saved; it is removed "
        )
        raise ArgumentTypeError(problem + "at the end")
    return text


def _checkpoint(text: str) -> bool | str:
    return TRUTH_VALUES.get(text.lower(), text)


def _always(only: Sequence[str], instead: str, text: str) -> None:
    if text.lower() not in only:
        raise ArgumentTypeError(f"{text!r} is not {' or '.join(only)}: {instead}")
