"""Cleaning raw texts, and counting and normalizing their words, in one process or in several."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from multiprocessing import connection

from utils.errors import UserError
from utils.terminal.progress import progress_bar
from utils.text.cleaning import Cleaning, clean_all
from utils.text.credentials import environment_of_workers
from utils.text.words import bare_words, count_words

TEXTS_AT_ONCE = 2_000  # per task of a worker process, which finishes its task after Ctrl-C


@dataclass(frozen=True)
class CleanedTexts:
    """Cleaned texts in their order, with what filters and the search for duplicates need of each."""

    texts: list[str]
    word_counts: list[int]
    bare_words: list[str]
    noise_counts: dict[str, int]  # kind of noise → number of texts that had it


def clean_texts(texts: Sequence[str], cleaning: Cleaning, processes: int = 1) -> CleanedTexts:
    """Clean the texts in that many processes; the result does not depend on the number."""
    if len(texts) <= TEXTS_AT_ONCE:
        return _clean_chunk(texts, cleaning)
    chunks = [texts[start : start + TEXTS_AT_ONCE] for start in range(0, len(texts), TEXTS_AT_ONCE)]
    processes = min(processes, len(chunks))
    in_one = (_clean_chunk(chunk, cleaning) for chunk in chunks)
    joined = CleanedTexts([], [], [], Counter())
    with progress_bar("cleaning", len(texts)) as bar:
        for part in in_one if processes == 1 else _in_processes(chunks, cleaning, processes):
            joined.texts.extend(part.texts)
            joined.word_counts.extend(part.word_counts)
            joined.bare_words.extend(part.bare_words)
            joined.noise_counts.update(part.noise_counts)
            bar.update(len(part.texts))
    # Interned like the constants that a single process returns, so that the pickle has the same bytes.
    return replace(joined, noise_counts={sys.intern(kind): count for kind, count in joined.noise_counts.items()})


def _clean_chunk(texts: Sequence[str], cleaning: Cleaning) -> CleanedTexts:
    texts, noise_counts = clean_all(texts, cleaning)
    return CleanedTexts(texts, list(map(count_words, texts)), list(map(bare_words, texts)), noise_counts)


def _in_processes(chunks: list[Sequence[str]], cleaning: Cleaning, processes: int) -> Iterator[CleanedTexts]:
    # Spawned, because threads of pyarrow and of the tokenizer may hold locks that would stay locked after a fork.
    # The pool itself starts multiprocessing's process that removes its semaphores.
    with environment_of_workers():
        pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _end_with_parent)
    try:
        with _interrupts_blocked(), environment_of_workers():
            parts = pool.map(_clean_chunk, chunks, repeat(cleaning))
        yield from parts
    except BrokenProcessPool as error:
        problem = "a process that was cleaning texts was killed, perhaps because memory ran out"
        raise UserError(problem, "try again with --num_proc 1") from error
    finally:
        pool.shutdown(cancel_futures=True)


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
