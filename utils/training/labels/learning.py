"""The parts of training that differ by kind of label: the objective, the linear probe, and the end of the run."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from utils.models.checkpoint import Trained
from utils.processed import Processed
from utils.tasks.kinds import CLASSIFY, MULTILABEL, SCORE
from utils.training.calibration import calibrate_model
from utils.training.labels.label_sets import SET_FITTING, finish_label_sets, multi_label_classification
from utils.training.labels.scores import SCORE_FITTING, finish_scores, regression
from utils.training.linear_probe import CLASS_FITTING, Fitting
from utils.training.objectives import Objective, classification


@dataclass(frozen=True)
class LabelLearning:
    """The steps in which training differs by kind of label.

    `objective(base, class_weights, data)` is that of training, and `fitting` what the linear probe fits.
    `finish(base, data, validation_rows, flags, bfloat16=…)` changes the trained head so that the folder alone gives
    the model's outputs, and returns run.json's "calibration".
    """

    objective: Callable[[Trained, Sequence[float] | None, Processed], Objective]
    fitting: Fitting
    finish: Callable[..., dict]


def _finish_classes(
    base: Trained, data: Processed, validation_rows: Sequence[dict], flags: Namespace, *, bfloat16: bool
) -> dict:
    """Fit the temperature, which the head then carries, and the threshold."""
    return calibrate_model(base, validation_rows, flags.threshold, bfloat16=bfloat16)


LEARNING = {
    CLASSIFY.name: LabelLearning(
        lambda base, class_weights, data: classification(base, class_weights), CLASS_FITTING, _finish_classes
    ),
    MULTILABEL.name: LabelLearning(multi_label_classification, SET_FITTING, finish_label_sets),
    SCORE.name: LabelLearning(regression, SCORE_FITTING, finish_scores),
}
