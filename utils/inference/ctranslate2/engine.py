"""Texts through CTranslate2, in int8 on a CPU; neither PyTorch nor transformers is imported."""

import os
from collections.abc import Iterator, Sequence

import ctranslate2
import numpy

from utils.compute.workers import processors
from utils.inference.ctranslate2.kept import Converted
from utils.inference.generation import Generated, TextGenerator, decode_texts, group_by_prompt
from utils.inference.requests import Request, make_requests, static_batches
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings
from utils.models.tokenization import start_and_end


def open_text_generator(
    converted: Converted, compute_type: str, batch_size: int, progress: str | None
) -> TextGenerator:
    """Return a `generate_from_ids` (see `generation`) for the model; its draws depend on the batches.

    min_p, the repetition penalty and beams are not supported: CTranslate2's penalty ignores the prompt, and its beam
    search ends earlier.
    """
    tokenizer = converted.tokenizer

    def generate(prompts: Sequence[list[int]], sampling: Sampling, end: int | None = None) -> list[list[Generated]]:
        end = start_and_end(tokenizer)[1] if end is None else end
        requests = make_requests(prompts, sampling, converted.context)
        # A generator's threads take the seed when they start, so each call starts new ones.
        ctranslate2.set_random_seed(int(numpy.random.SeedSequence(sampling.seed).generate_state(1)[0]))
        options = {"compute_type": compute_type, "intra_threads": _threads()}
        generator = ctranslate2.Generator(str(converted.folder / compute_type), **options)
        finished = _generate(generator, tokenizer, requests, batch_size, sampling, end)
        return group_by_prompt(decode_texts(tokenizer, finished, end, sampling, len(requests), progress), len(prompts))

    return generate


def _generate(
    generator, tokenizer, requests: list[Request], batch_size: int, sampling: Sampling, end: int
) -> Iterator[tuple[Request, list[int]]]:
    """Yield (request, its new ids)."""
    stop = StopStrings(tokenizer, sampling.stop)
    options = {"sampling_topk": 1}
    if sampling.draws:
        options = {"sampling_topk": sampling.top_k, "sampling_topp": sampling.top_p}
        options["sampling_temperature"] = sampling.temperature

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

        limit = batch[0].max_new_tokens
        results = generator.generate_batch(
            [tokenizer.convert_ids_to_tokens(request.prompt_ids) for request in batch],
            include_prompt_in_result=False,
            end_token=[end],
            return_end_token=True,
            max_length=limit,
            min_length=min(sampling.min_new_tokens, limit),
            no_repeat_ngram_size=sampling.no_repeat_ngram_size,
            callback=has_stopped if sampling.stop else None,
            **options,
        )
        for request, result in zip(batch, results, strict=True):
            yield request, result.sequences_ids[0]


def _threads() -> int:
    """Return the number of threads: OpenMP's setting, or one for each processor (CTranslate2's default is four)."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) else processors()
