"""Raw texts → what filters and the search for duplicates need of them, in one process or in several."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection

from utils.errors import UserError
from utils.text.cleaning import Cleaning, clean_all
from utils.text.words import bare_words, count_words

TEXTS_AT_ONCE = 2_000  # that a process is given, and finishes after Ctrl-C


@dataclass(frozen=True)
class PreparedTexts:
    """Texts in their order, one entry of each list for each."""

    texts: list[str]  # cleaned
    words: list[int]  # how many
    bare: list[str]  # the bare words
    cleaned: dict[str, int]  # kind of noise → texts that had it


def prepare_texts(texts: Sequence[str], cleaning: Cleaning, processes: int = 1) -> PreparedTexts:
    """Clean the texts and take their words. The result is the same for any number of processes."""
    if processes == 1 or len(texts) <= TEXTS_AT_ONCE:
        return _prepared(texts, cleaning)
    chunks = [texts[start : start + TEXTS_AT_ONCE] for start in range(0, len(texts), TEXTS_AT_ONCE)]
    return _joined(_in_processes(chunks, cleaning, min(processes, len(chunks))))


def _prepared(texts: Sequence[str], cleaning: Cleaning) -> PreparedTexts:
    texts, cleaned = clean_all(texts, cleaning)
    return PreparedTexts(texts, list(map(count_words, texts)), list(map(bare_words, texts)), cleaned)


def _joined(parts: Iterator[PreparedTexts]) -> PreparedTexts:
    whole = next(parts)
    cleaned = Counter(whole.cleaned)
    for part in parts:
        whole.texts.extend(part.texts)
        whole.words.extend(part.words)
        whole.bare.extend(part.bare)
        cleaned.update(part.cleaned)
    return PreparedTexts(
        whole.texts, whole.words, whole.bare, {sys.intern(kind): texts for kind, texts in cleaned.items()}
    )


def _in_processes(chunks: list[Sequence[str]], cleaning: Cleaning, processes: int) -> Iterator[PreparedTexts]:
    # Not forked: threads of pyarrow and of the tokenizer may hold locks that a fork would never see released.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _end_with_parent)
    try:
        with _interrupts_held_back():
            parts: list[Future] = [pool.submit(_prepared, chunk, cleaning) for chunk in chunks]
        parts.reverse()
        while parts:
            yield parts.pop().result()
    except BrokenProcessPool as error:
        raise UserError(
            "a process that cleaned texts was ended from outside; was there too little memory?",
            "try again with --num_proc 1",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """In a process of the pool: end when the one that started it is gone, which nothing else would tell it."""

    def end() -> None:
        connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes started here never see Ctrl-C, which a terminal sends to all: the first one ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
