"""The result of --dry_run: a run's rows, tokens, steps, memory, disk space and time, as text and as JSON."""

from dataclasses import asdict, dataclass, field

from utils.terminal.times import duration
from utils.training.forecast.examples import Example

GB, MB = 10**9, 10**6


@dataclass(frozen=True, repr=False)
class Forecast:
    """The cost of a run. Sizes are in bytes, times in seconds from its start; ranges are (least, most)."""

    base_model: str
    precision: str
    device: str
    rows: dict[str, int]  # by split
    cut: int  # rows of both splits
    left_out: int
    tokens_per_epoch: int
    supervised_per_epoch: int
    steps: int
    steps_per_epoch: int
    epochs: float
    trained_parameters: int
    parameters: int
    trained_blocks: int
    prefix_cache: str  # the decision
    example: Example
    memory: float  # of the process, or of the GPU, as is all of memory
    memory_range: tuple[float, float]
    memory_free: int | None
    disk: int
    disk_parts: dict[str, int]
    disk_free: int
    seconds: float
    seconds_range: tuple[float, float]
    first_evaluation: float | None
    first_evaluation_range: tuple[float, float] | None
    seconds_parts: dict[str, float]
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict:
        """Return the forecast as plain JSON values."""
        return asdict(self)

    def __repr__(self) -> str:
        return self.describe()

    def describe(self) -> str:
        """Return the forecast as lines of text."""
        lines = [
            ("base model", f"{self.base_model}, {self.precision} on {self.device}"),
            ("rows", self._rows()),
            ("tokens per epoch", f"{self.tokens_per_epoch:,}, {self.supervised_per_epoch:,} with a loss"),
            ("steps", f"{self.steps:,}, {self.steps_per_epoch:,} per epoch, {self.epochs:.2f} epochs"),
            ("trains", self._trains()),
            ("prefix cache", self.prefix_cache),
            ("memory at its peak" if self.device == "cpu" else "GPU memory at its peak", self._memory()),
            ("disk at its peak", self._disk()),
            ("first evaluation", self._first()),
            ("end", _time(self.seconds, self.seconds_range)),
            ("  of which", ", ".join(f"{name} {duration(each)}" for name, each in self.seconds_parts.items())),
            *(("note", each) for each in self.notes),
        ]
        width = max(len(name) for name, _ in lines)
        table = "\n".join(f"{name:<{width}}  {text}" for name, text in lines)
        shown = "\n".join(f"  | {line}" for line in str(self.example).split("\n"))
        return f"{table}\nan example, with the tokens that count in the loss in ⟦ ⟧:\n{shown}\nnothing was written"

    def _rows(self) -> str:
        counted = ", ".join(f"{name} {number:,}" for name, number in self.rows.items())
        return f"{counted}; {self.cut:,} are cut, {self.left_out:,} left out"

    def _trains(self) -> str:
        share = 100 * self.trained_parameters / self.parameters
        blocks = f"{self.trained_blocks} blocks, " if self.trained_blocks else ""
        return f"{blocks}{self.trained_parameters:,} of {self.parameters:,} parameters ({share:.1f}%)"

    def _memory(self) -> str:
        free = "" if self.memory_free is None else f"; another {_size(self.memory_free)} are free"
        return f"{_size(self.memory)} ({' to '.join(map(_size, self.memory_range))}){free}"

    def _disk(self) -> str:
        parts = ", ".join(f"{name} {_size(each)}" for name, each in self.disk_parts.items() if each)
        return f"{_size(self.disk)} ({parts}); {_size(self.disk_free)} are free"

    def _first(self) -> str:
        if self.first_evaluation is None:
            return "none"
        return _time(self.first_evaluation, self.first_evaluation_range)


def _size(size: float) -> str:
    return f"{size / GB:.2f} GB" if size >= GB / 10 else f"{size / MB:.1f} MB"


def _time(seconds: float, between: tuple[float, float]) -> str:
    return f"after {duration(seconds)} ({duration(between[0])} to {duration(between[1])})"
