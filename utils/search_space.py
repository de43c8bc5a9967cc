"""Which settings a hyper-parameter search tries."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils.freezing import find_parts

if TYPE_CHECKING:
    from optuna import Trial
    from transformers import PreTrainedModel

ARGUMENT_OF = {  # by flag; how many blocks train is no argument of Trainer's
    "learning_rate": "learning_rate",
    "batch_size": "per_device_train_batch_size",
    "epochs": "num_train_epochs",
    "weight_decay": "weight_decay",
}
SEARCHED = (*ARGUMENT_OF, "unfreeze_last")
BATCH_SIZES = (8, 16, 32)
WEIGHT_DECAYS = (0.0, 0.01, 0.1)
LAST_BLOCKS = (1, 2, 4, 8)
ALL = "all"


def space_of(defaults: dict, model: "PreTrainedModel") -> dict[str, Sequence]:
    """What is tried by flag: the ends of a range for learning rate and epochs, choices for the others."""
    space = {}
    for name, default in sorted(defaults.items(), key=lambda item: SEARCHED.index(item[0])):
        if name == "learning_rate":
            space[name] = [default / 5, default * 10]  # few blocks take higher rates than a whole model
        elif name == "epochs":
            space[name] = [max(1, round(default / 2)), round(default * 2)]
        elif name == "unfreeze_last":
            blocks = len(find_parts(model).blocks)
            some = [number for number in LAST_BLOCKS if number < blocks][-3:]
            space[name] = [*sorted({*some, *({default} - {None})}), ALL]
        else:
            choices = {"batch_size": BATCH_SIZES, "weight_decay": WEIGHT_DECAYS}[name]
            space[name] = sorted({*choices, default})
    return space


def suggest(trial: "Trial", space: dict[str, Sequence]) -> dict:
    """The trial's values by flag; the same ones at every call."""
    values = {}
    for name, choices in space.items():
        if name == "learning_rate":
            values[name] = trial.suggest_float(name, *choices, log=True)
        elif name == "epochs":
            values[name] = trial.suggest_int(name, *choices)
        else:
            values[name] = trial.suggest_categorical(name, choices)
    return values


def describe_space(space: dict[str, Sequence]) -> str:
    """What a log says of what is tried."""
    joints = {"learning_rate": "–", "epochs": "–"}
    return "; ".join(
        f"{name} {joints.get(name, ', ').join(str(short(value)) for value in values)}" for name, values in space.items()
    )


def short(value: object) -> object:
    """A number in three digits."""
    return f"{value:.3g}" if isinstance(value, float) else value
