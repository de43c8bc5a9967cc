"""The kinds of rows: contenders in turn, one command on growing data or beside other work, and models' quality."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.measure import Side


@dataclass(frozen=True)
class Training:
    """The training that all contenders of a row do, for `flops`: of the last `trained` blocks, None for all."""

    base: Path
    data: Path
    epochs: int
    trained: int | None
    classifies: bool = False


@dataclass(frozen=True)
class Against:
    """An opponent.

    `naive`: a common first version; the others are as fast as their users can make them. `target`: the speed-up that
    we aim for. `tied_head`: it also trains the head, and the embedding with it. `bfloat16`: the format of its matrix
    products.
    """

    side: Side
    naive: bool = False
    target: float | None = None
    tied_head: bool = False
    bfloat16: bool = True


@dataclass(frozen=True)
class Comparison:
    """Ours and the opponents in turn. `judged_on`: the pickle whose test split compares the models.

    `start`: it is about the time until a command's first result, with files that have just been read.
    """

    title: str
    ours: Side
    against: tuple[Against, ...]
    judged_on: Path | None = None
    training: Training | None = None
    start: bool = False


@dataclass(frozen=True)
class Growth:
    """One command on growing data: a (count, side) per step."""

    title: str
    unit: str
    steps: tuple[tuple[int, Side], ...]


@dataclass(frozen=True)
class Crowd:
    """One command on a free machine, and beside processes that never wait: so many `per_core`, in turn."""

    title: str
    side: Side
    per_core: tuple[int, ...] = (0, 1, 4)


@dataclass(frozen=True)
class Quality:
    """Bits per byte on the test split, of a model for each seed; ours is to be lower by `target`."""

    title: str
    ours: tuple[Side, ...]
    theirs: tuple[tuple[Side, ...], ...]
    judged_on: Path
    target: float


Row = Comparison | Growth | Crowd | Quality
