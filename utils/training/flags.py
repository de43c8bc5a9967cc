"""The flags of fine_tune.py, with their defaults by kind of task, and the settings that they make."""

from argparse import SUPPRESS, ArgumentTypeError, Namespace
from dataclasses import dataclass, fields
from pathlib import Path

from utils.argument_types import (
    duration,
    fraction,
    non_negative_float,
    non_negative_int,
    output_path,
    positive_float,
    positive_int,
    seed_number,
    several,
)
from utils.cli import Parser
from utils.models.export.export import NUMBERS, SUFFIXES
from utils.tasks.kinds import CLASSIFY, KINDS
from utils.training.adapters.flags import add_lora_flags

DEFAULT_OUTPUT = Path("models/fine_tuned_model.pt")
SCHEDULERS = (  # of transformers, those that need no other setting
    *("linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"),
)
OLD_NAMES = {"--average_runs": "--model_soup", "--push_only": "--push_trained"}


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of a training run: the values of the flags with these names."""

    epochs: float | None  # None: as many as there is time for
    max_steps: int | None
    batch_size: int
    gradient_accumulation_steps: int
    learning_rate: float
    weight_decay: float
    lr_scheduler_type: str
    warmup_steps: float  # below 1: a fraction of all steps
    max_grad_norm: float
    early_stopping_patience: int  # evaluations without improvement; 0: never stop early
    activation_checkpointing: bool
    model_soup: int
    seed: int
    precision: str  # fp32, bf16 or fp16
    device: str  # cpu or cuda
    save_steps: int | None  # None: evaluate and save after every epoch
    save_total_limit: int
    logging_steps: int
    report_to: list[str]
    output_path: Path
    time_limit: float | None = None  # seconds, of the whole command
    eval_on_start: str | None = None  # off: the model before training is not validated
    folds: int | None = None  # trainings on parts of the texts, before that of the model
    load_in_4bit: bool = False  # frozen matrices, while adapters train


def settings_from(flags: Namespace, precision: str, device: str) -> TrainingSettings:
    """Return the settings that the flags ask for; `precision` and `device` replace "auto"."""
    values = vars(flags) | {"precision": precision, "device": device}
    return TrainingSettings(**{field.name: values[field.name] for field in fields(TrainingSettings)})


# ---- the command line


def add_fine_tuning_flags(parser: Parser) -> None:
    """Add all flags of fine_tune.py about training and pushing."""
    _add_training_flags(parser)
    add_lora_flags(parser)
    _add_kind_flags(parser)
    _add_running_flags(parser)
    _add_export_flags(parser)
    _add_hub_flags(parser)
    parser.accept_old_names(OLD_NAMES)


def _add_training_flags(parser: Parser) -> None:
    """Flags whose default depends on the kind of task have none here, see `complete_flags`."""
    add, add_rare = parser.group("training"), parser.group("training", rare=True)
    search = (
        "They vary epochs, batch size, learning rate, weight decay and unfrozen blocks (those that are not given); the "
        "validation split decides"
    )
    add("--search", type=positive_int, metavar="N", help="first try N settings, and train with the best", more=search)
    add("--epochs", "--num_train_epochs", type=positive_float, default=SUPPRESS, help=_defaults("epochs"))
    add("--max_steps", type=_steps, metavar="N", help="stop after N steps, regardless of --epochs")
    ends = (
        "The learning rate falls to zero as the time runs out, and evaluation and saving are done by then. It is for "
        "the whole command, and a plain number is in seconds. Without --epochs, texts repeat until it is over; "
        "--search tries N settings at most"
    )
    limit = "train the best model that the time allows: 90s, 10m or 1h30m"
    add("--time_limit", type=duration, metavar="TIME", help=limit, more=ends)
    soup = "train N times from the base, each time in another order, and average the weights (default: %(default)s)"
    add_rare("--model_soup", type=positive_int, default=1, metavar="N", help=soup)
    judged = (
        "The table on stdout has the figures of each fold, their mean and their standard deviation. Groups stay "
        "together, and the model that is saved is trained on all training texts afterwards"
    )
    folds = "also train K times, each without another part of the training texts, and evaluate on that part"
    add_rare("--folds", type=several, metavar="K", help=folds, more=judged)
    batch = f"for each process ({_defaults('batch_size')})"
    add("--batch_size", "--per_device_train_batch_size", type=positive_int, default=SUPPRESS, help=batch)
    accumulation = "batches accumulated per optimizer step (default: %(default)s)"
    add_rare("--gradient_accumulation_steps", type=positive_int, default=1, help=accumulation)
    rate, few = _defaults("learning_rate"), "a few blocks take 5e-4"
    add("--learning_rate", "--lr", type=positive_float, default=SUPPRESS, help=rate, more=few)
    add_rare("--weight_decay", type=non_negative_float, default=SUPPRESS, help=_defaults("weight_decay"))
    warmup = "number of steps, or below 1 a fraction of all steps (default: %(default)s)"
    add_rare("--warmup_steps", type=non_negative_float, default=0.06, help=warmup)
    scheduler = f"learning rate after the warmup: {', '.join(SCHEDULERS)} (default: %(default)s)"
    add_rare("--lr_scheduler_type", choices=SCHEDULERS, default="linear", metavar="NAME", help=scheduler)
    add_rare("--max_grad_norm", type=positive_float, default=1.0, help="gradient clipping (default: %(default)s)")
    add_rare(
        "--max_length", type=positive_int, help="maximum length of a text in tokens (default: the model's context)"
    )
    unfreeze = f"train the last N blocks and the final norm, or all ({_defaults('unfreeze_last')})"
    add("--unfreeze_last", type=blocks, default=SUPPRESS, metavar="N", help=unfreeze)
    checkpointing = "save memory: recompute activations in the backward pass"
    add_rare("--activation_checkpointing", "--gradient_checkpointing", action="store_true", help=checkpointing)
    patience = "stop after this number of evaluations without improvement; 0: never (default: %(default)s)"
    add_rare("--early_stopping_patience", type=non_negative_int, default=2, help=patience)
    add("--seed", type=seed_number, default=42, help="default: %(default)s")


def _add_kind_flags(parser: Parser) -> None:
    add, add_rare = parser.group("for some tasks only"), parser.group("for some tasks only", rare=True)
    add_rare("--packing", action="store_true", help=SUPPRESS)  # no longer has an effect
    loss_on = f"to {verb_phrases('loss_on')}: learn the response only, or the instruction too (default: %(default)s)"
    add_rare("--loss_on", choices=("response", "all"), default="response", help=loss_on)
    head = f"to {verb_phrases('train_head')}: also train the head, untied from the embedding"
    add_rare("--train_head", action="store_true", help=head)
    weights = f"to {verb_phrases('class_weights')}: balanced, none or W0,W1"
    weights_more = "weight of each class in the loss (default: %(default)s)"
    add("--class_weights", default="none", metavar="WEIGHTS", help=weights, more=weights_more)
    oversample = f"to {verb_phrases('oversample')}: repeat the smaller classes"
    add("--oversample", action="store_true", help=oversample)
    augment = f"to {verb_phrases('augment')}: also train on varied copies"
    add("--augment", action="store_true", help=augment)
    mixed = (
        f"to {verb_phrases('with_baseline')}: mix the model's probabilities with those of TF-IDF + logistic regression"
    )
    when = "auto: where that lowers the loss on the validation split. Only these scripts mix (default: %(default)s)"
    add_rare("--with_baseline", choices=("auto", "on", "off"), default="off", help=mixed, more=when)
    errors = f"to {verb_phrases('label_errors')}: write the training texts whose label is probably wrong to this file"
    add_rare("--label_errors", type=output_path, metavar="FILE.csv", help=errors)
    cut = (
        f"to {verb_phrases('threshold')}: lowest probability at which the second of two classes is predicted, or auto: "
        "fitted on the validation split (default: %(default)s)"
    )
    add_rare("--threshold", type=threshold, default="auto", help=cut)


def _add_running_flags(parser: Parser) -> None:
    add, add_rare = parser.group("running"), parser.group("running", rare=True)
    add_rare("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="default: %(default)s")
    add_rare("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    strategy = "validate and save after every epoch or every --save_steps, or validate nothing: no"
    add_rare("--eval_strategy", choices=("epoch", "steps", "no"), help=f"{strategy} (default: steps if they are given)")
    start = "off: don't validate before training; on: validate on the whole split, even with few --max_steps"
    add_rare("--eval_on_start", type=on_or_off, metavar="on|off", help=f"{start} (default: then on part of it)")
    add("--save_steps", type=positive_int, metavar="N", help="validate and save every N steps (default: every epoch)")
    add_rare("--save_total_limit", type=positive_int, default=2, help="checkpoints to keep (default: %(default)s)")
    add_rare("--logging_steps", type=positive_int, default=10, help="default: %(default)s")
    tools = ("wandb", "tensorboard", "none")
    also = "also log to wandb or tensorboard, or to both"
    add("--report_to", nargs="+", choices=tools, default=[], metavar="TOOL", help=also)
    add("--resume", action="store_true", help="continue an interrupted run")
    cache = (
        "run the frozen blocks once, and keep their output in a file for all epochs; auto: if that saves time and the "
        "file fits (default: %(default)s)"
    )
    add_rare("--prefix_cache", choices=("auto", "on", "off"), default="auto", help=cache)
    add_rare(
        "--prefix_cache_gb", type=positive_float, default=8.0, help="maximum size of the file (default: %(default)g)"
    )
    add_rare(
        "--keep_prefix_cache", action="store_true", help="keep the file for later runs on the same data and base model"
    )


def _add_export_flags(parser: Parser) -> None:
    add_rare = parser.group("files for other programs", rare=True)
    export = "gguf: also write NAME.gguf and NAME.Modelfile, for llama.cpp and Ollama; onnx: NAME.onnx, of a classifier"
    trained = "with --model_path instead of --data, that model is exported, and none is trained"
    add_rare("--export", choices=tuple(SUFFIXES), help=export, more=trained)
    numbers = "number format of the .gguf file: 16 bits, or 8 for half the size (default: %(default)s)"
    add_rare("--export_type", choices=NUMBERS, default=NUMBERS[0], help=numbers)


def _add_hub_flags(parser: Parser) -> None:
    add, add_rare = (
        parser.group("pushing to the Hugging Face Hub"),
        parser.group("pushing to the Hugging Face Hub", rare=True),
    )
    add("--push_to_hub", action="store_true", help="push the model after training")
    add_rare("--push_trained", action="store_true", help="don't train: push the model at --model_path")
    add_rare("--model_path", type=Path, metavar="MODEL", help=f"a folder or file.pt (default: {DEFAULT_OUTPUT})")
    add("--hub_model_id", metavar="USER/NAME", help="the repository; NAME alone is one of your own")
    add_rare("--hub_private", action="store_true", help="create a private repository")


def blocks(text: str) -> int | None:
    """An argument type: a number of blocks, or None for all."""
    return None if text == "all" else non_negative_int(text)


def _steps(text: str) -> int | None:
    """An argument type: a number of steps, or -1 for no limit, as transformers has it."""
    return None if text == "-1" else positive_int(text)


def on_or_off(text: str) -> str:
    """An argument type: on or off, or Hugging Face's true or false."""
    value = {"true": "on", "false": "off"}.get(text.lower(), text.lower())
    if value not in ("on", "off"):
        raise ArgumentTypeError(f"{text!r} is not on or off")
    return value


def threshold(text: str) -> str:
    """An argument type: auto, or a probability."""
    return text if text == "auto" else str(fraction(text))


def _defaults(flag: str) -> str:
    """Return, for example, "default: 16; 32 to classify texts or write emoji"."""
    # Scores and several labels have the defaults of classes.
    kinds = [kind for kind in KINDS.values() if kind.labels in (None, CLASSIFY.labels)]
    defaults = {kind.verb_phrase: kind.training_defaults[flag] for kind in kinds}
    verbs = {}
    for verb, value in defaults.items():
        verbs.setdefault("all" if value is None else f"{value:g}", []).append(verb)
    usual, *others = sorted(verbs, key=lambda value: -len(verbs[value]))
    return "; ".join([f"default: {usual}", *(f"{value} to {_join(verbs[value])}" for value in others)])


def verb_phrases(flag: str) -> str:
    """Return, for example, "write texts, answer instructions or write emoji"."""
    return _join([kind.verb_phrase for kind in KINDS.values() if flag in kind.training_flags])


def _join(phrases: list[str]) -> str:
    return ", ".join([*phrases[:-2], " or ".join(phrases[-2:])])
