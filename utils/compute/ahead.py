"""Background encoding: worker processes tokenize texts while the main process still compares them for duplicates."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from utils.compute.workers import Workers


class Ahead:
    """The results of a function for texts, in order; only some of them will be needed."""

    def __init__(self, workers: Workers, work: str):
        self._workers, self._work = workers, work
        self._results: Iterator | None = None

    def start(self, function: Callable, chunks: Sequence[Sequence[str]]) -> tuple:
        """Start the work, if other processes can do it meanwhile; the work must not request results yet."""
        if self._workers.processes > 1:
            parts = self._workers.map(function, chunks, self._work)
            self._results = zip(chain.from_iterable(chunks), chain.from_iterable(parts), strict=True)
        return ()

    def map(self, function: Callable, chunks: Sequence[Sequence[str]]) -> Iterator[list]:
        """Yield the function's results for each chunk, from the work that has started, if any."""
        if self._results is None:
            yield from self._workers.map(function, chunks, self._work)
            return
        for chunk in chunks:
            yield [next(result for started, result in self._results if started == text) for text in chunk]
