"""The three kinds of rows: contenders in turn, one command on growing data, and quality within a time budget."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.measure import Side


@dataclass(frozen=True)
class Training:
    """What all contenders of a row train, for `flops`: the last `trained` blocks, None for all."""

    base: Path
    data: Path
    epochs: int
    trained: int | None
    classifies: bool = False


@dataclass(frozen=True)
class Against:
    """An opponent and the speed-up over it that we aim for.

    `tied_head`: it also trains the head, and the embedding with it. `bfloat16`: the format of its matrix products.
    """

    side: Side
    target: float
    tied_head: bool = False
    bfloat16: bool = True


@dataclass(frozen=True)
class Comparison:
    """Ours and the opponents in turn. `heldout`: the pickle whose validation split compares the models."""

    title: str
    ours: Side
    against: tuple[Against, ...]
    heldout: Path | None = None
    training: Training | None = None


@dataclass(frozen=True)
class Growth:
    """One command on growing data: a (count, side) per step."""

    title: str
    unit: str
    steps: tuple[tuple[int, Side], ...]


@dataclass(frozen=True)
class Quality:
    """Bits per byte on the test split within the time of the fastest opponent, to be lower than theirs by `target`."""

    title: str
    ours: Side
    theirs: tuple[Side, ...]
    heldout: Path
    target: float


Row = Comparison | Growth | Quality
