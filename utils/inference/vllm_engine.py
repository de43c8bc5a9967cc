"""Texts through vLLM on a CUDA GPU: the same stop rules, draws of its own. Written from its documentation: no test here
has a GPU to run it on."""

import functools
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vllm import LLM, SamplingParams

from utils.inference.generation import Generated, generated, in_order, rows_to_write
from utils.inference.sampling import Sampling
from utils.models.tokenization import context_length, start_and_end

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from utils.inference.generation import Writer
    from utils.models.checkpoint import Trained


def open_writer(trained: "Trained", data_type: str) -> "Writer":
    """What writes the model's texts."""
    with tempfile.TemporaryDirectory() as folder:  # vLLM opens folders alone, and has read all of it once it is open
        trained.model.save_pretrained(folder)
        trained.tokenizer.save_pretrained(folder)
        engine = LLM(model=folder, dtype=data_type, generation_config="vllm")  # not the model's own settings
    return functools.partial(write, engine, trained.tokenizer, context_length(trained.model))


def write(
    engine: LLM,
    tokenizer: "PreTrainedTokenizerBase",
    context: int,
    ids: Sequence[list[int]],
    sampling: Sampling,
    end: int | None = None,
) -> list[list[Generated]]:
    """As `generation.generate_from_ids`, but that draws are vLLM's own: a seed for each text, made of ours."""
    end = start_and_end(tokenizer)[1] if end is None else end
    rows = rows_to_write(ids, sampling, context)
    asked = [
        SamplingParams(
            max_tokens=row.max_new_tokens,
            min_tokens=min(sampling.min_new_tokens, row.max_new_tokens),
            temperature=sampling.temperature if sampling.draws else 0.0,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            repetition_penalty=sampling.repetition_penalty,
            stop=list(sampling.stop),
            stop_token_ids=[end],
            seed=row.key % 2**31,
        )
        for row in rows
    ]
    results = {row.number: [] for row in rows}
    for row, answer in zip(
        rows, engine.generate([{"prompt_token_ids": row.prompt} for row in rows], asked), strict=True
    ):
        new = list(answer.outputs[0].token_ids)
        text = generated(tokenizer, row.prompt, new, end, sampling.stop)
        results[row.number].append(text)
    return in_order(results, len(ids))
