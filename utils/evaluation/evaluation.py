"""What an evaluation gives."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The `figures` of evaluation.json, the tables of them, which it shows itself as, and the files written."""

    figures: dict
    tables: str
    files: tuple[Path, ...]

    def __repr__(self) -> str:
        return f"{self.tables}\n\nwritten: {' and '.join(map(str, self.files))}"
