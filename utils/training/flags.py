"""What decides a training run, as the flags of fine_tune.py give it.

MERGED: The flags of fine_tune.py: what they are, what they default to by the kind of task, and which go together."""

import importlib.util
from argparse import SUPPRESS, ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from utils.cli import Parser, fraction, non_negative_float, non_negative_int, positive_float, positive_int
from utils.errors import UsageError


@dataclass(frozen=True)
class TrainingSettings:
    """The names are TrainingArguments' own where it has them."""

    num_train_epochs: float
    max_steps: int  # -1: as many as the epochs take
    per_device_train_batch_size: int
    gradient_accumulation_steps: int
    learning_rate: float
    weight_decay: float
    warmup_steps: float  # below 1: a share of all steps
    max_grad_norm: float
    early_stopping_patience: int  # evaluations without improvement; 0: never stop early
    activation_checkpointing: bool
    save_steps: int  # 0: evaluate and save after every epoch
    save_total_limit: int
    logging_steps: int
    precision: str  # fp32, bf16 or fp16
    device: str  # cpu or cuda
    seed: int
    average_runs: int
    report_to: list[str]
    tensorboard_folder: Path  # unless TENSORBOARD_LOGGING_DIR names another
    run_name: str


def settings_from(flags: Namespace, precision: str, device: str) -> TrainingSettings:
    """The settings that the flags ask for."""
    return TrainingSettings(
        num_train_epochs=flags.epochs,
        max_steps=flags.max_steps or -1,
        per_device_train_batch_size=flags.batch_size,
        gradient_accumulation_steps=flags.gradient_accumulation_steps,
        learning_rate=flags.learning_rate,
        weight_decay=flags.weight_decay,
        warmup_steps=flags.warmup_steps,
        max_grad_norm=flags.max_grad_norm,
        early_stopping_patience=flags.early_stopping_patience,
        activation_checkpointing=flags.activation_checkpointing,
        save_steps=flags.save_steps or 0,
        save_total_limit=flags.save_total_limit,
        logging_steps=flags.logging_steps,
        precision=precision,
        device=device,
        seed=flags.seed,
        average_runs=flags.average_runs,
        report_to=flags.report_to,
        tensorboard_folder=flags.output_path.parent / f"{flags.output_path.name.removesuffix('.pt')}.tensorboard",
        run_name=flags.output_path.stem,
    )


def check_reporters(names: list[str]) -> None:
    """Refuse a --report_to whose package is not installed, before any work."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"--report_to {name}, but {name} is not installed", f"install it: pip install {name}")


# By measurement (docs/results.md). The parser itself has no defaults for these, so that --search sees what is given.
SHARED = {"batch_size": 16, "weight_decay": 0.01, "unfreeze_last": None}
DEFAULTS = {
    "generate": SHARED | {"epochs": 2.0, "learning_rate": 1e-4},
    "instruct": SHARED | {"epochs": 1.0, "learning_rate": 1e-4, "unfreeze_last": 16},
    "emoji": SHARED | {"epochs": 5.0, "learning_rate": 4e-4, "batch_size": 32, "unfreeze_last": 12},
    "classify": SHARED | {"epochs": 2.0, "learning_rate": 4e-5, "batch_size": 32, "unfreeze_last": 16},
}
DEFAULT_OUTPUT = Path("models/fine_tuned_model.pt")
HUB_FLAGS = ("push_to_hub", "push_only", "model_path", "hub_model_id", "hub_private")
WRITES, ANSWERS = (("generate", "instruct", "emoji"), "write"), (("instruct",), "answer")
CLASSIFIES = (("classify",), "classify")
KINDS_OF = {
    "train_head": WRITES,
    "packing": WRITES,
    "loss_on": ANSWERS,
    "class_weights": CLASSIFIES,
    "oversample": CLASSIFIES,
    "augment": (("classify", "emoji"), "classify, or write emoji"),
    "threshold": CLASSIFIES,
}


def add_training_flags(parser: Parser) -> None:
    """How the model is trained."""
    add = parser.add_argument
    add(
        "--search",
        type=positive_int,
        metavar="N",
        help="first try N settings of epochs, batch size, learning rate, weight decay and unfrozen blocks, as far as "
        "they are not given, and train with those that are best on the validation split",
    )
    add(
        "--epochs",
        "--num_train_epochs",
        type=positive_float,
        default=SUPPRESS,
        help="default: 2 (to answer 1, for emoji 5)",
    )
    add("--max_steps", type=positive_int, help="stop after so many steps, whatever --epochs says")
    add(
        "--average_runs",
        type=positive_int,
        default=1,
        metavar="N",
        help="train N times from the base, each time in another order, and average the weights (default: %(default)s)",
    )
    add(
        "--batch_size",
        "--per_device_train_batch_size",
        type=positive_int,
        default=SUPPRESS,
        help="of each process (default: 16; to classify, and for emoji, 32)",
    )
    add("--gradient_accumulation_steps", type=positive_int, default=1, help="batches a step (default: %(default)s)")
    add(
        "--learning_rate",
        "--lr",
        type=positive_float,
        default=SUPPRESS,
        help="default: 1e-4 (to classify 4e-5, for emoji 2e-4); 5e-4 for few blocks",
    )
    add("--weight_decay", type=non_negative_float, default=SUPPRESS, help="default: 0.01")
    add(
        "--warmup_steps",
        type=non_negative_float,
        default=0.06,
        help="steps, or a share of all where below 1 (default: %(default)s)",
    )
    add("--max_grad_norm", type=positive_float, default=1.0, help="gradient clipping (default: %(default)s)")
    add("--max_length", type=positive_int, help="cut texts to so many tokens (default: the model's context)")
    add(
        "--unfreeze_last",
        type=blocks,
        default=SUPPRESS,
        metavar="N",
        help="train the last N blocks and the final norm, or all (default: all; to classify or answer 16)",
    )
    add(
        "--activation_checkpointing",
        "--gradient_checkpointing",
        action="store_true",
        help="compute activations twice, to hold fewer of them",
    )


def add_kind_flags(parser: Parser) -> None:
    """What only some kinds of task have, see `check_kind`."""
    add = parser.add_argument
    add("--packing", action="store_true", help=SUPPRESS)  # has no effect any more
    add(
        "--loss_on",
        choices=("response", "all"),
        default="response",
        help="learn to write the response alone, or the instruction, too (default: %(default)s)",
    )
    add("--train_head", action="store_true", help="train the language modelling head too, untied from the embedding")
    add(
        "--class_weights",
        default="none",
        metavar="balanced|none|W0,W1",
        help="how much a row of each class counts (default: %(default)s)",
    )
    add("--oversample", action="store_true", help="repeat texts of the smaller classes")
    add("--augment", action="store_true", help="train on varied copies of each text, too")
    add("--threshold", type=threshold, default="auto", help="of the second of two classes: auto (fitted), or a number")


def add_running_flags(parser: Parser) -> None:
    """Where the training runs, how often it looks up, and what it goes on from."""
    add = parser.add_argument
    add("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="default: %(default)s")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add(
        "--early_stopping_patience",
        type=non_negative_int,
        default=2,
        help="evaluations without progress; 0: never stop (default: %(default)s)",
    )
    add("--save_steps", type=positive_int, help="evaluate and save every so many steps (default: every epoch)")
    add("--save_total_limit", type=positive_int, default=2, help="training states kept (default: %(default)s)")
    add("--logging_steps", type=positive_int, default=10, help="default: %(default)s")
    add("--report_to", nargs="+", choices=("wandb", "tensorboard"), default=[], help="also log there")
    add("--resume", action="store_true", help="continue an interrupted run")
    add(
        "--prefix_cache",
        choices=("auto", "on", "off"),
        default="auto",
        help="run the blocks that don't train once, and keep what they hand on in a file for all epochs; auto: where "
        "that pays and fits (default: %(default)s)",
    )
    add("--prefix_cache_gb", type=positive_float, default=8.0, help="at most so large (default: %(default)g)")
    add("--keep_prefix_cache", action="store_true", help="leave the file for later runs on the same data and base")
    add("--seed", type=non_negative_int, default=42, help="default: %(default)s")


def add_hub_flags(parser: Parser) -> None:
    """Pushing to the Hugging Face Hub."""
    add = parser.add_argument_group("pushing to the Hugging Face Hub").add_argument
    add("--push_to_hub", action="store_true", help="at the end of the training, too")
    add("--push_only", action="store_true", help="train nothing: push the model of --model_path")
    add("--model_path", type=Path, metavar="MODEL", help=f"a folder or file.pt (default: {DEFAULT_OUTPUT})")
    add("--hub_model_id", metavar="USER/NAME", help="what to call it there; NAME alone for one of your own")
    add("--hub_private", action="store_true", help="let nobody else see it")


def blocks(text: str) -> int | None:
    """An argument type: a number of blocks, or None for all."""
    return None if text == "all" else non_negative_int(text)


def threshold(text: str) -> str:
    """An argument type: auto, or a probability."""
    return text if text == "auto" else str(fraction(text))


def check_prefix_cache(flags: Namespace) -> None:
    """Refuse a prefix cache that cannot be, as far as the flags tell."""
    if flags.prefix_cache == "on" and flags.unfreeze_last is None and not flags.search:
        raise UsageError("--prefix_cache on, but all blocks train", "train the last ones alone with --unfreeze_last N")
    if flags.prefix_cache == "off" and flags.keep_prefix_cache:
        raise UsageError("--keep_prefix_cache, but with --prefix_cache off there is none", "leave one of them away")


def check_kind(flags: Namespace, parser: ArgumentParser, kind: str) -> None:
    """Refuse flags of other kinds of task."""
    for name, (kinds, what) in KINDS_OF.items():
        if kind not in kinds and getattr(flags, name) != parser.get_default(name):
            raise UsageError(f"--{name} is for models that {what}, which is not what the data is for", "leave it away")


def given_flags(parser: ArgumentParser, argv: list[str] | None) -> set[str]:
    """The names of the flags that are on the command line or in its --config, whatever their values."""
    for action in parser._actions:
        action.default = SUPPRESS
    return set(vars(parser.parse_args(argv)))


def take_hub_flags(flags: Namespace, given: set[str]) -> Namespace:
    """Move the flags of the Hub out of `flags`, since training does not depend on them; refuse what makes no sense."""
    hub = Namespace(**{name: vars(flags).pop(name) for name in HUB_FLAGS})
    if hub.push_only and (others := sorted(given - {*HUB_FLAGS, "config"} | given & {"push_to_hub"})):
        names = ", ".join(f"--{name}" for name in others)
        raise UsageError(f"--push_only trains nothing, so {names} makes no sense", f"leave away {names}")
    if "model_path" in given and not hub.push_only:
        raise UsageError("--model_path is for --push_only", "name the base model with --model")
    pushes = hub.push_to_hub or hub.push_only
    if pushes and hub.hub_model_id is None:
        raise UsageError("there is no name for the model on the Hub", "add --hub_model_id USER/NAME")
    if not pushes and given & {"hub_model_id", "hub_private"}:
        raise UsageError("--hub_model_id and --hub_private are for a model that is pushed", "add --push_to_hub")
    return hub


def fill_in(flags: Namespace, kind: str) -> list[str]:
    """Give the flags that nobody gave their defaults; the names of those that --search may vary."""
    missing = {name: value for name, value in DEFAULTS[kind].items() if name not in flags}
    vars(flags).update(missing)
    return [name for name in missing if name != "epochs" or not flags.max_steps]
