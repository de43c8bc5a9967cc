"""Checks that flags of fine_tune.py fit each other and the kind of task of the data."""

from argparse import ArgumentParser, Namespace
from collections.abc import Set

from utils.errors import UsageError
from utils.tasks.kinds import KINDS, Kind
from utils.training.adapters.flags import check_lora_flags
from utils.training.flags import verb_phrases

EXPORT_FLAGS = ("export", "export_type")
LORA_RATE = 10  # times the rate without adapters; at 20 times, the loss of some seeds rises early (docs/results.md)
HUB_FLAGS = ("push_to_hub", "push_trained", "model_path", "hub_model_id", "hub_private")


def complete_flags(flags: Namespace, parser: ArgumentParser, kind: Kind) -> list[str]:
    """Set the missing flags to the defaults of the kind of task; return the names of those that --search may vary.

    UsageError for a flag of other kinds of task, or for flags that contradict each other.
    """
    foreign = {flag for other in KINDS.values() for flag in other.training_flags} - set(kind.training_flags)
    for flag in sorted(foreign):
        if getattr(flags, flag) != parser.get_default(flag):
            raise UsageError(
                f"--{flag} is for models that {verb_phrases(flag)}, but the data is for {kind.models}",
                f"remove --{flag}",
            )
    missing = {name: value for name, value in kind.training_defaults.items() if name not in flags}
    if flags.lora and "learning_rate" in missing:
        missing["learning_rate"] *= LORA_RATE
    vars(flags).update(missing)
    if flags.time_limit and "epochs" in missing and not flags.search:
        flags.epochs = None
    if flags.export and flags.with_baseline != "off":
        problem = "--export writes the model alone, and --with_baseline mixes it with TF-IDF"
        raise UsageError(problem, "remove one of them")
    _check_validation(flags, parser)
    _check_schedule(flags, parser)
    check_lora_flags(flags, parser)
    _check_prefix_cache(flags)
    _check_folds(flags)
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


def _check_schedule(flags: Namespace, parser: ArgumentParser) -> None:
    """Raise UsageError where the requested warmup is impossible."""
    if flags.time_limit and flags.warmup_steps >= 1:
        problem = (
            f"--warmup_steps {flags.warmup_steps:g} is a number of steps, and with --time_limit nobody knows how many"
        )
        raise UsageError(problem, "give a share of the time, such as --warmup_steps 0.06")
    if flags.lr_scheduler_type == "constant" and flags.warmup_steps != parser.get_default("warmup_steps"):
        hint = "use --lr_scheduler_type constant_with_warmup, or remove --warmup_steps"
        raise UsageError("--lr_scheduler_type constant has no warmup, but there is --warmup_steps", hint)


def _check_prefix_cache(flags: Namespace) -> None:
    """Raise UsageError where flags of the prefix cache contradict each other or the trained blocks."""
    if flags.prefix_cache == "on" and flags.unfreeze_last is None and not flags.search:
        raise UsageError("--prefix_cache on, but all blocks train", "train only the last ones with --unfreeze_last N")
    if flags.prefix_cache == "off" and flags.keep_prefix_cache:
        raise UsageError("--keep_prefix_cache, but --prefix_cache off makes none", "remove one of them")


def _refuse_useless(flag: str, useless: Set[str]) -> None:
    if useless:
        names = ", ".join(f"--{name}" for name in sorted(useless))
        raise UsageError(f"{flag} does not train, and takes no {names}", f"remove {names}")


def _check_folds(flags: Namespace) -> None:
    """Raise UsageError where --folds would judge other trainings than that of the model."""
    if flags.folds is None:
        return
    others = {"search": flags.search, "model_soup": flags.model_soup > 1, "time_limit": flags.time_limit}
    for name in [name for name, given in others.items() if given]:
        problem = f"--folds evaluates a training without --{name}, so its figures are not this model's"
        raise UsageError(problem, f"remove --folds or --{name}")


def take_hub_flags(flags: Namespace, given: Set[str]) -> Namespace:
    """Move the Hub's flags out of `flags`, since training does not depend on them.

    UsageError if they do not go together with each other or with the other flags that are `given`.
    """
    hub = Namespace(**{name: vars(flags).pop(name) for name in HUB_FLAGS})
    if hub.push_trained:
        _refuse_useless("--push_trained", given - {*HUB_FLAGS, "config"} | given & {"push_to_hub"})
    elif flags.export and "model_path" in given:
        _refuse_useless("--export with --model_path", given - {*EXPORT_FLAGS, "model_path", "overwrite", "config"})
    elif "model_path" in given:
        raise UsageError("--model_path is for --push_trained and --export", "name the base model with --model")
    if "export_type" in given and flags.export != "gguf":
        raise UsageError("--export_type is for --export gguf", "remove it, or add --export gguf")
    pushes = hub.push_to_hub or hub.push_trained
    if pushes and hub.hub_model_id is None:
        raise UsageError("there is no name for the model on the Hub", "add --hub_model_id USER/NAME")
    if not pushes and given & {"hub_model_id", "hub_private"}:
        raise UsageError("--hub_model_id and --hub_private are for a model that is pushed", "add --push_to_hub")
    return hub
