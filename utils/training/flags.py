"""The flags of fine_tune.py, their defaults by kind of task, which go together, and the settings that they make."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Set
from dataclasses import dataclass, fields
from pathlib import Path

from utils.argument_types import (
    duration,
    fraction,
    non_negative_float,
    non_negative_int,
    positive_float,
    positive_int,
    seed_number,
)
from utils.cli import Parser
from utils.errors import UsageError
from utils.tasks.kinds import KINDS, Kind

DEFAULT_OUTPUT = Path("models/fine_tuned_model.pt")
SCHEDULERS = (  # of transformers, those that need no other setting
    *("linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"),
)
OLD_NAMES = {"--average_runs": "--model_soup", "--push_only": "--push_trained"}
HUB_FLAGS = ("push_to_hub", "push_trained", "model_path", "hub_model_id", "hub_private")


@dataclass(frozen=True)
class TrainingSettings:
    """What decides a training run: the values of the flags with these names."""

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


def settings_from(flags: Namespace, precision: str, device: str) -> TrainingSettings:
    """Return the settings that the flags ask for; `precision` and `device` replace "auto"."""
    values = vars(flags) | {"precision": precision, "device": device}
    return TrainingSettings(**{field.name: values[field.name] for field in fields(TrainingSettings)})


# ---- the command line


def add_fine_tuning_flags(parser: Parser) -> None:
    """Add all flags of fine_tune.py about training and pushing."""
    _add_training_flags(parser)
    _add_kind_flags(parser)
    _add_running_flags(parser)
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
    add("--max_steps", type=_steps, metavar="N", help="stop after so many steps, whatever --epochs says")
    ends = (
        "The learning rate falls to zero as the time runs out, and evaluation and saving are done by then. It is for "
        "the whole command, and a plain number is in seconds. Without --epochs, texts repeat until it is over; "
        "--search tries N settings at most"
    )
    limit = "the best model that so much time allows: 90s, 10m or 1h30m"
    add("--time_limit", type=duration, metavar="TIME", help=limit, more=ends)
    soup = "train N times from the base, each time in another order, and average the weights (default: %(default)s)"
    add_rare("--model_soup", type=positive_int, default=1, metavar="N", help=soup)
    batch = f"for each process ({_defaults('batch_size')})"
    add("--batch_size", "--per_device_train_batch_size", type=positive_int, default=SUPPRESS, help=batch)
    accumulation = "batches accumulated per optimizer step (default: %(default)s)"
    add_rare("--gradient_accumulation_steps", type=positive_int, default=1, help=accumulation)
    rate, few = _defaults("learning_rate"), "a few blocks take 5e-4"
    add("--learning_rate", "--lr", type=positive_float, default=SUPPRESS, help=rate, more=few)
    add_rare("--weight_decay", type=non_negative_float, default=SUPPRESS, help=_defaults("weight_decay"))
    warmup = "number of steps, or below 1 a fraction of all steps (default: %(default)s)"
    add_rare("--warmup_steps", type=non_negative_float, default=0.06, help=warmup)
    scheduler = f"how the learning rate goes on after the warmup: {', '.join(SCHEDULERS)} (default: %(default)s)"
    add_rare("--lr_scheduler_type", choices=SCHEDULERS, default="linear", metavar="NAME", help=scheduler)
    add_rare("--max_grad_norm", type=positive_float, default=1.0, help="gradient clipping (default: %(default)s)")
    add_rare("--max_length", type=positive_int, help="cut texts to so many tokens (default: the model's context)")
    unfreeze = f"train the last N blocks and the final norm, or all ({_defaults('unfreeze_last')})"
    add("--unfreeze_last", type=blocks, default=SUPPRESS, metavar="N", help=unfreeze)
    checkpointing = "save memory: recompute activations in the backward pass"
    add_rare("--activation_checkpointing", "--gradient_checkpointing", action="store_true", help=checkpointing)
    patience = "stop after so many evaluations without improvement; 0: never (default: %(default)s)"
    add_rare("--early_stopping_patience", type=non_negative_int, default=2, help=patience)
    add("--seed", type=seed_number, default=42, help="default: %(default)s")


def _add_kind_flags(parser: Parser) -> None:
    add, add_rare = parser.group("for some tasks only"), parser.group("for some tasks only", rare=True)
    add_rare("--packing", action="store_true", help=SUPPRESS)  # has no effect any more
    loss_on = f"to {_verb_phrases('loss_on')}: learn the response only, or the instruction too (default: %(default)s)"
    add_rare("--loss_on", choices=("response", "all"), default="response", help=loss_on)
    head = f"to {_verb_phrases('train_head')}: also train the head, untied from the embedding"
    add_rare("--train_head", action="store_true", help=head)
    weights = f"to {_verb_phrases('class_weights')}: balanced, none or W0,W1"
    weights_more = "weight of each class in the loss (default: %(default)s)"
    add("--class_weights", default="none", metavar="WEIGHTS", help=weights, more=weights_more)
    oversample = f"to {_verb_phrases('oversample')}: repeat the smaller classes"
    add("--oversample", action="store_true", help=oversample)
    augment = f"to {_verb_phrases('augment')}: also train on varied copies"
    add("--augment", action="store_true", help=augment)
    cut = (
        f"to {_verb_phrases('threshold')}: probability from which on the second of two classes is predicted, or auto: "
        "fitted on the validation split (default: %(default)s)"
    )
    add_rare("--threshold", type=threshold, default="auto", help=cut)


def _add_running_flags(parser: Parser) -> None:
    add, add_rare = parser.group("running"), parser.group("running", rare=True)
    add_rare("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="default: %(default)s")
    add_rare("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    strategy = "validate and save after every epoch or every --save_steps, or validate nothing: no"
    add_rare("--eval_strategy", choices=("epoch", "steps", "no"), help=f"{strategy} (default: steps if they are given)")
    start = "off: don't validate before training; on: do, and with few --max_steps too on the whole split"
    add_rare("--eval_on_start", type=on_or_off, metavar="on|off", help=f"{start} (default: on part of it)")
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
    defaults = {kind.verb_phrase: kind.training_defaults[flag] for kind in KINDS.values()}
    verbs = {}
    for verb, value in defaults.items():
        verbs.setdefault("all" if value is None else f"{value:g}", []).append(verb)
    usual, *others = sorted(verbs, key=lambda value: -len(verbs[value]))
    return "; ".join([f"default: {usual}", *(f"{value} to {_join(verbs[value])}" for value in others)])


def _verb_phrases(flag: str) -> str:
    """Return, for example, "write texts, answer instructions or write emoji"."""
    return _join([kind.verb_phrase for kind in KINDS.values() if flag in kind.training_flags])


def _join(phrases: list[str]) -> str:
    return ", ".join([*phrases[:-2], " or ".join(phrases[-2:])])


# ---- which flags go together


def complete_flags(flags: Namespace, parser: ArgumentParser, kind: Kind) -> list[str]:
    """Set the missing flags to the defaults of the kind of task; return the names of those that --search may vary.

    UsageError for a flag of other kinds of task, or for flags of the prefix cache that contradict each other.
    """
    foreign = {flag for other in KINDS.values() for flag in other.training_flags} - set(kind.training_flags)
    for flag in sorted(foreign):
        if getattr(flags, flag) != parser.get_default(flag):
            raise UsageError(
                f"--{flag} is for models that {_verb_phrases(flag)}, but the data is for {kind.models}",
                f"remove --{flag}",
            )
    missing = {name: value for name, value in kind.training_defaults.items() if name not in flags}
    vars(flags).update(missing)
    if flags.time_limit and "epochs" in missing and not flags.search:
        flags.epochs = None
    _check_validation(flags, parser)
    if flags.time_limit and flags.warmup_steps >= 1:
        problem = (
            f"--warmup_steps {flags.warmup_steps:g} is a number of steps, and with --time_limit nobody knows how many"
        )
        raise UsageError(problem, "give a share of the time, such as --warmup_steps 0.06")
    if flags.lr_scheduler_type == "constant" and flags.warmup_steps != parser.get_default("warmup_steps"):
        hint = "use --lr_scheduler_type constant_with_warmup, or remove --warmup_steps"
        raise UsageError("--lr_scheduler_type constant has no warmup, but there is --warmup_steps", hint)
    if flags.prefix_cache == "on" and flags.unfreeze_last is None and not flags.search:
        raise UsageError("--prefix_cache on, but all blocks train", "train only the last ones with --unfreeze_last N")
    if flags.prefix_cache == "off" and flags.keep_prefix_cache:
        raise UsageError("--keep_prefix_cache, but --prefix_cache off makes none", "remove one of them")
    return [name for name in missing if name != "epochs" or not flags.max_steps]


def _check_validation(flags: Namespace, parser: ArgumentParser) -> None:
    """Raise UsageError where --eval_strategy contradicts other flags."""
    strategy = flags.eval_strategy
    if strategy == "steps" and flags.save_steps is None:
        raise UsageError("--eval_strategy steps, but of how many steps?", "add --eval_steps N")
    if strategy == "epoch" and flags.save_steps is not None:
        problem = f"--eval_strategy epoch contradicts --save_steps {flags.save_steps}"
        raise UsageError(problem, "remove one of them: models are validated where they are saved")
    if strategy == "no" and flags.search:
        raise UsageError("--search compares settings on the validation split", "remove --eval_strategy no")
    patience = flags.early_stopping_patience
    if strategy == "no" and patience not in (0, parser.get_default("early_stopping_patience")):
        raise UsageError(f"--early_stopping_patience {patience} counts evaluations", "remove --eval_strategy no")


def take_hub_flags(flags: Namespace, given: Set[str]) -> Namespace:
    """Move the Hub's flags out of `flags`, since training does not depend on them.

    UsageError if they do not go together with each other or with the other flags that are `given`.
    """
    hub = Namespace(**{name: vars(flags).pop(name) for name in HUB_FLAGS})
    if hub.push_trained and (useless := sorted(given - {*HUB_FLAGS, "config"} | given & {"push_to_hub"})):
        names = ", ".join(f"--{name}" for name in useless)
        raise UsageError(f"--push_trained does not train, so {names} makes no sense", f"remove {names}")
    if "model_path" in given and not hub.push_trained:
        raise UsageError("--model_path is for --push_trained", "name the base model with --model")
    pushes = hub.push_to_hub or hub.push_trained
    if pushes and hub.hub_model_id is None:
        raise UsageError("there is no name for the model on the Hub", "add --hub_model_id USER/NAME")
    if not pushes and given & {"hub_model_id", "hub_private"}:
        raise UsageError("--hub_model_id and --hub_private are for a model that is pushed", "add --push_to_hub")
    return hub
