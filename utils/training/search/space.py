"""The search space: the range or the choices of each flag."""

from collections.abc import Sequence

from optuna import Trial
from transformers import PreTrainedModel

from utils.compute.blocks import find_blocks

SEARCHED = ("learning_rate", "batch_size", "epochs", "weight_decay", "unfreeze_last")
BATCH_SIZES = (8, 16, 32)
WEIGHT_DECAYS = (0.0, 0.01, 0.1)
LAST_BLOCKS = (1, 2, 4, 8)
ALL_BLOCKS = "all"


def search_space(defaults: dict, model: PreTrainedModel) -> dict[str, Sequence]:
    """Return the values to try for each flag: the ends of a range (learning rate, epochs) or all choices."""
    space = {}
    for name, default in sorted(defaults.items(), key=lambda item: SEARCHED.index(item[0])):
        if name == "learning_rate":
            space[name] = [default / 5, default * 10]  # few blocks take higher rates than a whole model
        elif name == "epochs":
            space[name] = [max(1, round(default / 2)), round(default * 2)]
        elif name == "unfreeze_last":
            blocks = len(find_blocks(model).blocks)
            fewer = [number for number in LAST_BLOCKS if number < blocks][-3:]
            space[name] = [*sorted({*fewer, *({default} - {None})}), ALL_BLOCKS]
        else:
            choices = {"batch_size": BATCH_SIZES, "weight_decay": WEIGHT_DECAYS}[name]
            space[name] = sorted({*choices, default})
    return space


def suggest(trial: Trial, space: dict[str, Sequence]) -> dict:
    """Return the trial's values by flag."""
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
    """Return the ranges and choices in one line."""
    return "; ".join(
        f"{name} {('–' if name in ('learning_rate', 'epochs') else ', ').join(map(three_digits, values))}"
        for name, values in space.items()
    )


def three_digits(value: object) -> str:
    """Return a value with at most three significant digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
