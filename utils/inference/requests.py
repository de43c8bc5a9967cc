"""Requests: the texts to generate from prompts, and their batches."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy

from utils.errors import DataError
from utils.inference.sampling import Sampling

Item = TypeVar("Item")


@dataclass(frozen=True)
class Request:
    """A text to generate, and its token ids so far."""

    index: tuple[int, int]  # of the prompt, and of the text among those from this prompt
    prompt_ids: list[int]
    max_new_tokens: int
    key: int  # where its stream of random numbers starts
    new_ids: list[int] = field(default_factory=list)


def make_requests(prompts: Sequence[list[int]], sampling: Sampling, context: int) -> list[Request]:
    """Return a request for each text, the longest prompts first; beam search finds all texts of a prompt in one.

    DataError where a prompt fills the context.
    """
    for number, prompt in enumerate(prompts, start=1):
        if len(prompt) >= context:
            raise DataError(
                f"prompt {number} has {len(prompt):,} tokens including the start token, but the model's context of "
                f"{context:,} must hold at least one more",
                "shorten the prompt, or use a model with a longer context",
            )
    requests_per_prompt = sampling.num_return_sequences // sampling.sequences_per_request
    indices = itertools.product(range(len(prompts)), range(requests_per_prompt))
    indices = sorted(indices, key=lambda index: -len(prompts[index[0]]))
    requests = []
    for index, key in zip(indices, random_keys(sampling.seed, indices), strict=True):
        prompt = prompts[index[0]]
        requests.append(Request(index, prompt, min(sampling.max_new_tokens, context - len(prompt)), key))
    return requests


def random_keys(seed: int, indices: Sequence[tuple[int, int]]) -> list[int]:
    """Return an int64 for each (prompt, sequence) index: the start of its stream of random numbers."""
    keys = [numpy.random.SeedSequence((seed, *index)).generate_state(1, numpy.uint64) for index in indices]
    return numpy.concatenate(keys).view(numpy.int64).tolist() if keys else []


def static_batches(items: Iterable[Item], batch_size: int, key: Callable[[Item], object]) -> Iterator[list[Item]]:
    """Yield lists of at most `batch_size` consecutive items (requests, for one) with the same `key`."""
    for _, group in itertools.groupby(items, key):
        while batch := list(itertools.islice(group, batch_size)):
            yield batch
