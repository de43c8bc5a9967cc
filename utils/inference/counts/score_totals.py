"""Running totals of predicted scores: their spread, and their errors for rows with true scores."""

import logging
import math
from array import array
from collections.abc import Sequence

from utils.tasks.labels import MISSING, as_number
from utils.terminal.numbers import rounded

log = logging.getLogger(__name__)


class ScoreTotals:
    """Totals of the predictions, and both scores of each row that has a true one, in 16 bytes."""

    def __init__(self):
        self.rows = self.without_text = self.truncated = 0
        self.strange = 0  # cells that are no number
        self._sum, self._lowest, self._highest = 0.0, math.inf, -math.inf
        self._true, self._predicted = array("d"), array("d")

    def add(self, predictions: Sequence[float | None], cells: Sequence[str] | None = None, truncated: int = 0) -> None:
        """Count some rows: their predictions (None without text) and, where there is one, their score column."""
        self.rows += len(predictions)
        self.truncated += truncated
        present = [prediction for prediction in predictions if prediction is not None]
        self.without_text += len(predictions) - len(present)
        self._sum += math.fsum(present)
        self._lowest, self._highest = min([self._lowest, *present]), max([self._highest, *present])
        for prediction, cell in zip(predictions, cells or (), strict=bool(cells)):
            number = as_number(cell.strip())
            if number is not None and math.isinf(number):
                number = None
            if number is None and cell.strip().casefold() not in MISSING:
                self.strange += 1
            if None not in (number, prediction):
                self._true.append(number)
                self._predicted.append(prediction)

    def summary(self) -> dict:
        """Return the numbers of rows, and the mean, lowest and highest prediction (None without any)."""
        numbers = {"rows": self.rows, "without_text": self.without_text, "truncated": self.truncated}
        scored = self.rows - self.without_text
        spread = (self._sum / scored, self._lowest, self._highest) if scored else (None,) * 3
        return {**numbers, "predicted": dict(zip(("mean", "lowest", "highest"), spread, strict=True))}

    def scores(self, mostly_unknown: bool = True) -> dict | None:
        """Return MAE, RMSE and Spearman's ρ (None where undefined); None where no row has a true score.

        Without `mostly_unknown`, None also where more cells are no numbers.
        """
        rows = len(self._true)
        if not rows or (self.strange > rows and not mostly_unknown):
            return None
        import numpy

        from utils.metrics.scores import score_figures

        figures = score_figures(numpy.array(self._true), numpy.array(self._predicted))
        defined = {name: None if math.isnan(value) else value for name, value in figures.items()}
        return {"rows": rows, **defined, "not_numbers": self.strange}

    def table(self, scores: dict | None) -> str:
        """Return the spread of the predictions as text, and how far they are off where that is known."""
        spread = self.summary()["predicted"]
        if spread["mean"] is None:
            return "no text has a score"
        mean, lowest, highest = (rounded(spread[name], 3) for name in ("mean", "lowest", "highest"))
        text = f"predicted scores: mean {mean}, from {lowest} to {highest}"
        if scores:
            text += f"\nMAE {rounded(scores['mae'], 3)}, RMSE {rounded(scores['rmse'], 3)}"
            text += "" if scores["spearman"] is None else f", Spearman {scores['spearman']:.3f}"
            text += f" on {scores['rows']:,} rows with a score"
        return text

    def log_labels(self, scores: dict | None, column: str) -> None:
        """Log which cells are no scores, and why there are no figures where there are none."""
        problem = f"{self.strange:,} cells are not numbers"
        if scores is None:
            reason = problem if self.strange else "no row with text has a score"
            log.warning("warning: no figures for column %r: %s", column, reason)
        elif self.strange:
            log.warning("warning: column %r: %s and are left out of the figures", column, problem)
