"""Texts through CTranslate2, in int8 on a CPU; neither PyTorch nor transformers is imported."""

import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

import ctranslate2
import numpy

from utils.compute.workers import processors
from utils.inference.ctranslate2.kept import Converted
from utils.inference.generation import Generated, TextGenerator, decode_texts, group_by_prompt
from utils.inference.requests import Request, make_requests, static_batches
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings
from utils.models.tokenization import start_and_end

if TYPE_CHECKING:
    from utils.inference.streaming import AnswerStreamer

SECONDS_TO_RELEASE = 1.0  # far more than CTranslate2 takes to forget a callback


def open_text_generator(
    converted: Converted, compute_type: str, batch_size: int, progress: str | None
) -> TextGenerator:
    """Return a `generate_from_ids` (see `generation`) for the model; its draws depend on the batches.

    min_p, the repetition penalty and beams are not supported: CTranslate2's penalty ignores the prompt, and its beam
    search ends earlier.
    """
    tokenizer = converted.tokenizer
    # Kept for texts without draws, and because it is dropped only when it has read the prompt, whatever Ctrl-C says.
    generator = None

    def generate(
        prompts: Sequence[list[int]],
        sampling: Sampling,
        end: int | None = None,
        streamer: "AnswerStreamer | None" = None,
    ) -> list[list[Generated]]:
        nonlocal generator
        end = start_and_end(tokenizer)[1] if end is None else end
        requests = make_requests(prompts, sampling, converted.context)
        if generator is None or sampling.draws:
            generator = None  # before another one takes as much memory
            # A generator's threads take the seed when they start, so each call that draws starts new ones.
            ctranslate2.set_random_seed(int(numpy.random.SeedSequence(sampling.seed).generate_state(1)[0]))
            options = {"compute_type": compute_type, "intra_threads": _threads()}
            generator = ctranslate2.Generator(str(converted.folder / compute_type), **options)
        if streamer:
            finished = _stream(generator, tokenizer, requests[0], sampling, end, streamer)
        else:
            finished = _generate(generator, tokenizer, requests, batch_size, sampling, end)
        bar = None if streamer else progress
        return group_by_prompt(decode_texts(tokenizer, finished, end, sampling, len(requests), bar), len(prompts))

    return generate


def _generate(
    generator, tokenizer, requests: list[Request], batch_size: int, sampling: Sampling, end: int
) -> Iterator[tuple[Request, list[int]]]:
    """Yield (request, its new ids)."""
    stop = StopStrings(tokenizer, sampling.stop)

    def alike(request: Request) -> tuple[int, int]:
        # CTranslate2 (4.8) decodes what is longer than a batch's shortest prompt as if it were generated: it returns
        # that where the shortest is the start token alone, and no_repeat_ngram_size counts it as what was written.
        length = len(request.prompt_ids)
        return request.max_new_tokens, length if sampling.no_repeat_ngram_size else length == 1

    for batch in static_batches(requests, batch_size, alike):

        def has_stopped(step: ctranslate2.GenerationStepResult, batch: list[Request] = batch) -> bool:
            request = batch[step.batch_id]
            request.new_ids.append(step.token_id)
            return stop(request.prompt_ids, request.new_ids)

        results = generator.generate_batch(
            [tokenizer.convert_ids_to_tokens(request.prompt_ids) for request in batch],
            include_prompt_in_result=False,
            return_end_token=True,
            callback=has_stopped if sampling.stop else None,
            **_options(sampling, batch[0].max_new_tokens, end),
        )
        for request, result in zip(batch, results, strict=True):
            yield request, result.sequences_ids[0]


def _stream(
    generator, tokenizer, request: Request, sampling: Sampling, end: int, streamer: "AnswerStreamer"
) -> Iterator[tuple[Request, list[int]]]:
    """Yield (request, its new ids) once, after the streamer got each of them, as transformers' `generate` does it."""
    stop, steps, closed = StopStrings(tokenizer, sampling.stop), SimpleQueue(), threading.Event()

    def take(step: ctranslate2.GenerationStepResult) -> bool:
        steps.put(step)
        return closed.is_set()

    released = threading.Event()
    weakref.finalize(take, released.set)
    prompt = tokenizer.convert_ids_to_tokens(request.prompt_ids)
    options = _options(sampling, request.max_new_tokens, end) | {"include_prompt_in_result": False}
    # Another thread calls CTranslate2, so that this one notices Ctrl-C between the tokens. Where that ends the answer,
    # the other one ends at its next token and is waited for, and so is CTranslate2's own thread, which releases `take`
    # after the result is there: Python aborts if it exits while one of its functions is called or released there.
    pool = ThreadPoolExecutor(1)
    try:
        answer = pool.submit(generator.generate_batch, [prompt], callback=take, **options)
        answer.add_done_callback(lambda _: steps.put(None))
        streamer.put(numpy.array(request.prompt_ids))
        for step in iter(steps.get, None):
            request.new_ids.append(step.token_id)
            streamer.put(numpy.array([step.token_id]))
            if stop(request.prompt_ids, request.new_ids):
                break
    finally:
        closed.set()
        pool.shutdown()
        del take
        released.wait(SECONDS_TO_RELEASE)
    answer.result()  # raises what CTranslate2 did
    streamer.end()
    yield request, request.new_ids


def _options(sampling: Sampling, limit: int, end: int) -> dict:
    """Return CTranslate2's names for the settings of texts with at most `limit` tokens."""
    options = {
        "end_token": [end],
        "max_length": limit,
        "min_length": min(sampling.min_new_tokens, limit),
        "no_repeat_ngram_size": sampling.no_repeat_ngram_size,
        "sampling_topk": 1,
    }
    if sampling.draws:
        options |= {"sampling_topk": sampling.top_k, "sampling_topp": sampling.top_p}
        options["sampling_temperature"] = sampling.temperature
    return options


def _threads() -> int:
    """Return the number of threads: OpenMP's setting, or one for each processor (CTranslate2's default is four)."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) else processors()
