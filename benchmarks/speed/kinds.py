"""The three kinds of rows: two sides in turn, one command on more and more data, and quality within a time."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.measure import Side


@dataclass(frozen=True)
class Training:
    """What our side trains, and its opponents with it, for `arithmetic`: the last `trained` blocks, None for all."""

    base: Path
    data: Path
    epochs: int
    trained: int | None
    classifies: bool = False


@dataclass(frozen=True)
class Against:
    """An opponent, and how many times faster than it we are to be.

    `tied_head`: it also trains the head, and the embedding with it. `bfloat16`: what its matrices are multiplied in.
    """

    side: Side
    target: float
    tied_head: bool = False
    bfloat16: bool = True


@dataclass(frozen=True)
class Comparison:
    """Ours and its opponents in turn. `judged`: the pickle whose validation split judges the trained models."""

    title: str
    ours: Side
    against: tuple[Against, ...]
    judged: Path | None = None
    training: Training | None = None


@dataclass(frozen=True)
class Growth:
    """One command on more and more data: (count, side) each."""

    title: str
    unit: str
    steps: tuple[tuple[int, Side], ...]


@dataclass(frozen=True)
class Quality:
    """The lowest bits per byte on the test split within the time of the fastest opponent, lower by `target`."""

    title: str
    ours: Side
    theirs: tuple[Side, ...]
    judged: Path
    target: float


Row = Comparison | Growth | Quality
