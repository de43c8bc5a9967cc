"""The true labels that a model does not have: how many, and the first of them."""

import logging
from collections.abc import Sequence

log = logging.getLogger(__name__)
MAX_LISTED = 5


class UnknownLabels:
    """The number of labels that the model does not have, and `first`, those that are listed, and one more."""

    def __init__(self):
        self.count = 0
        self.first: list[str] = []

    def add(self, label: str) -> None:
        self.count += 1
        if label not in self.first and len(self.first) <= MAX_LISTED:
            self.first.append(label)

    def log(
        self, scores: dict | None, column: str, labels: Sequence[str], *, what: tuple[str, str], otherwise: str
    ) -> None:
        """Log them, and why there are no scores where there are none: else, it is as `otherwise` says.

        `labels` are the model's; `what` continues the count, of one and of several: "3 rows have labels …".
        """
        unknown = ", ".join(map(repr, self.first[:MAX_LISTED])) + ", …" * (len(self.first) > MAX_LISTED)
        problem = f"{self.count:,} {what[self.count != 1]} ({unknown}; it has {', '.join(map(repr, labels))})"
        if scores is None:
            log.warning("warning: no scores for column %r: %s", column, problem if self.count else otherwise)
        elif self.count:
            log.warning("warning: column %r: %s, left out of the scores", column, problem)
