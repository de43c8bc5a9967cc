"""Worker processes for steps that treat each row alone: cleaning, hashing, encoding. They work chunk by chunk.

They are spawned, because threads of pyarrow and of the tokenizer may hold locks that would stay locked after a fork.
"""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from itertools import chain, repeat
from multiprocessing import connection
from pathlib import Path
from typing import Self

from utils.errors import UserError
from utils.temporary import explain_temporary_errors, temporary_folder
from utils.text.credentials import environment_of_workers

# Processes take half a second each for their start, and exchange texts. On two free cores, two of them save a sixth of
# the time of 10 MB and a fourth of that of 20 MB, for a fifth and an eighth more processor time (docs/results.md).
MANY_BYTES = 10_000_000  # of files: some 100,000 tweets
EARLY_BYTES = 4_000_000  # of files: reading them takes as long as starting the requested processes
MOST = 4  # by default: the rest, which this process does, takes as long as the work of four together


def default_processes(paths: Iterable[str | Path]) -> int:
    """Return the number of processes that suits the size of these files, or of those in these folders."""
    return min(MOST, processors()) if _size(paths) >= MANY_BYTES else 1


class Workers:
    """So many processes, which start with the first work for several; with one, this process does all work itself."""

    def __init__(self, processes: int = 1):
        self.processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._stack = ExitStack()
        self._functions = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._stack.close()

    def start(self, paths: Iterable[str | Path]) -> None:
        """Start the processes now, so that they are ready when this one has read these files, unless they are small."""
        if self.processes > 1 and _size(paths) >= EARLY_BYTES:
            self._submit(_import_libraries, range(self.processes))

    def map(self, function: Callable, chunks: Sequence, work: str) -> Iterator:
        """Return the function's results for the chunks, in their order; `work` names the work in an error.

        Several processes start at once, and this one when the first result is requested. UserError if one was killed.
        """
        if self.processes == 1 or len(chunks) < 2:
            return map(function, chunks)
        with _explained(work):
            return _each(self._submit(_call, repeat(self._saved(function)), chunks), work)

    def _submit(self, function: Callable, *arguments: Iterable) -> Iterator:
        with environment_of_workers():
            if self._pool is None:
                # This starts multiprocessing's process that removes semaphores, which then unblocks interrupts.
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(self.processes, context, _end_with_parent)
            with _interrupts_blocked():
                return self._pool.map(function, *arguments)

    def _saved(self, function: Callable) -> Path:
        """Write the function to a file, which each process reads once: one with a tokenizer takes megabytes."""
        if not self._functions:
            self._folder = self._stack.enter_context(temporary_folder())
        self._functions += 1
        path = self._folder / f"{self._functions}.pkl"
        with explain_temporary_errors():
            path.write_bytes(pickle.dumps(function))
        return path


@contextmanager
def _explained(work: str) -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        problem = f"a process was killed while {work} texts, perhaps because memory ran out"
        raise UserError(problem, "try again with --num_proc 1") from error


def _each(results: Iterator, work: str) -> Iterator:
    with _explained(work):
        yield from results


def _call(path: Path, chunk: Sequence):
    return _read(path)(chunk)


@lru_cache(maxsize=1)
def _read(path: Path) -> Callable:
    return pickle.loads(path.read_bytes())


def _import_libraries(_number: int) -> None:
    import tokenizers  # noqa: F401

    from utils.text import duplicates  # noqa: F401


def _size(paths: Iterable[str | Path]) -> int:
    """Return the bytes of these files, and of those in these folders."""
    files = chain.from_iterable(path.iterdir() if path.is_dir() else [path] for path in map(Path, paths))
    return sum(path.stat().st_size for path in files if path.is_file())


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_with_parent() -> None:
    """End this worker process as soon as its parent process is gone, even if that was killed."""

    def end() -> None:
        connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start processes that ignore Ctrl-C, which a terminal sends to all of them: the parent process ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
