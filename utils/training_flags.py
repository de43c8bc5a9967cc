"""The flags of fine_tune.py that depend on the kind of task: what they default to, and which of them it has."""

from argparse import ArgumentParser, Namespace

from utils.errors import UsageError

# By measurement (docs/results.md). The parser itself has no defaults for these, so that --search sees what is given.
SHARED = {"batch_size": 16, "weight_decay": 0.01, "unfreeze_last": None}
DEFAULTS = {
    "generate": SHARED | {"epochs": 2.0, "learning_rate": 1e-4},
    "instruct": SHARED | {"epochs": 2.0, "learning_rate": 1e-4},
    "classify": SHARED | {"epochs": 2.0, "learning_rate": 4e-5, "batch_size": 32, "unfreeze_last": 16},
}

WRITES, ANSWERS = (("generate", "instruct"), "write"), (("instruct",), "answer")
CLASSIFIES = (("classify",), "classify")
KINDS_OF = {
    "train_head": WRITES,
    "packing": WRITES,
    "loss_on": ANSWERS,
    "class_weights": CLASSIFIES,
    "oversample": CLASSIFIES,
    "augment": CLASSIFIES,
    "threshold": CLASSIFIES,
}


def check_kind(flags: Namespace, parser: ArgumentParser, kind: str) -> None:
    """Refuse flags of other kinds of task."""
    for name, (kinds, what) in KINDS_OF.items():
        if kind not in kinds and getattr(flags, name) != parser.get_default(name):
            raise UsageError(f"--{name} is for models that {what}, which is not what the data is for", "leave it away")


def fill_in(flags: Namespace, kind: str) -> list[str]:
    """Give the flags that nobody gave their defaults; the names of those that --search may vary."""
    missing = {name: value for name, value in DEFAULTS[kind].items() if name not in flags}
    vars(flags).update(missing)
    return [name for name in missing if name != "epochs" or not flags.max_steps]
