"""Texts through CTranslate2: int8 arithmetic on a CPU, the same stop rules, draws of its own."""

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import ctranslate2
import numpy
import torch
from tqdm import tqdm

from utils.ctranslate2_conversion import converted
from utils.encoding import context_length, start_and_end
from utils.generation import Generated, generated, in_order, rows_to_write
from utils.sampling import Sampling
from utils.stopping import StopStrings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from utils.checkpoint import Trained
    from utils.decoding import Row
    from utils.engines import Writer


def open_writer(path: str, trained: "Trained", compute_type: str, batch_size: int, progress: str | None) -> "Writer":
    """What writes the texts of the model that `path` names. UserError where CTranslate2 cannot take it."""
    options = {"compute_type": compute_type, "batch_size": batch_size, "progress": progress}
    return functools.partial(
        write, str(converted(path, trained)), trained.tokenizer, context_length(trained.model), **options
    )


def write(
    folder: str,
    tokenizer: "PreTrainedTokenizerBase",
    context: int,
    ids: Sequence[list[int]],
    sampling: Sampling,
    compute_type: str,
    batch_size: int,
    progress: str | None = None,
    end: int | None = None,
) -> list[list[Generated]]:
    """As `generation.generate_from_ids`, but that draws depend on the batches, too; `folder`: of a converted model.

    Of the sampling's settings, min_p, the repetition penalty and beams are for transformers alone: CTranslate2's
    penalty leaves out the prompt, and its beam search ends sooner.
    """
    end = start_and_end(tokenizer)[1] if end is None else end
    rows = rows_to_write(ids, sampling, context)
    stop = StopStrings(tokenizer, sampling.stop)
    # A generator's threads take the seed as they start, so each call starts them anew.
    seed = numpy.random.SeedSequence(sampling.seed).generate_state(1)[0]
    ctranslate2.set_random_seed(int(seed))
    generator = ctranslate2.Generator(folder, compute_type=compute_type, intra_threads=torch.get_num_threads())
    results = {row.number: [] for row in rows}
    with tqdm(total=len(rows), desc=progress, unit=" texts", disable=None if progress else True) as bar:
        for batch in _batches(rows, batch_size):
            for row, new in zip(batch, _generate(generator, tokenizer, batch, sampling, end, stop), strict=True):
                text = generated(tokenizer, row.prompt, new, end, sampling.stop)
                results[row.number].append(text)
            bar.update(len(batch))
    return in_order(results, len(ids))


def _batches(rows: Sequence["Row"], size: int) -> Iterator[list["Row"]]:
    """Rows with one limit on new tokens. A prompt that is the start token alone stands with its like: beside it,
    CTranslate2 (4.8) gives the rest of longer prompts back as if it were written."""

    def kind(row: "Row") -> tuple[int, bool]:
        return row.max_new_tokens, len(row.prompt) == 1

    batch = []
    for row in rows:
        if batch and (len(batch) == size or kind(row) != kind(batch[0])):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _generate(generator, tokenizer, rows: list["Row"], sampling: Sampling, end: int, stop) -> list[list[int]]:
    """The new ids of each row."""
    written = [[] for _ in rows]

    def has_stopped(step: ctranslate2.GenerationStepResult) -> bool:
        written[step.batch_id].append(step.token_id)
        return stop(rows[step.batch_id].prompt, written[step.batch_id])

    options = {"sampling_topk": 1}
    if sampling.draws:
        options = {
            "sampling_topk": sampling.top_k,
            "sampling_topp": sampling.top_p,
            "sampling_temperature": sampling.temperature,
        }
    if sampling.stop:
        options["callback"] = has_stopped
    limit = rows[0].max_new_tokens
    found = generator.generate_batch(
        [tokenizer.convert_ids_to_tokens(row.prompt) for row in rows],
        include_prompt_in_result=False,
        end_token=[end],
        return_end_token=True,
        max_length=limit,
        min_length=min(sampling.min_new_tokens, limit),
        no_repeat_ngram_size=sampling.no_repeat_ngram_size,
        **options,
    )
    return [result.sequences_ids[0] for result in found]
