"""Batches through transformers' own `generate`, from the first token to the last: beam search, and models whose rows
cannot leave a batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from transformers import GenerationConfig

from utils.inference.continuous_batching import GenerationRow
from utils.inference.sampler import adjust_scores, sample_tokens
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.generation.streamers import BaseStreamer


def write_in_whole_batches(
    model: "PreTrainedModel",
    rows: Sequence[GenerationRow],
    batch_size: int,
    sampling: Sampling,
    end: int,
    stop: StopStrings,
    done: Callable[[GenerationRow, list[int]], None],
    streamer: "BaseStreamer | None" = None,
) -> None:
    """Hand each row and the ids of each of its texts to `done`: with beams, a row gives num_return_sequences texts.

    The rows are to come with similar lengths together.
    """
    texts_a_row = sampling.num_return_sequences if sampling.num_beams > 1 else 1
    for batch in _batches(rows, max(1, batch_size // sampling.num_beams)):
        texts = _generate(model, batch, sampling, end, stop, streamer)
        for number, new in enumerate(texts):
            done(batch[number // texts_a_row], new)


def _batches(rows: Sequence[GenerationRow], size: int) -> Iterator[list[GenerationRow]]:
    """The rows in batches, each with one limit on new tokens."""
    batch = []
    for row in rows:
        if batch and (len(batch) == size or row.max_new_tokens != batch[0].max_new_tokens):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _generate(
    model, rows: list[GenerationRow], sampling: Sampling, end: int, stop: StopStrings, streamer
) -> list[list[int]]:
    """The new ids of each text."""
    width = max(len(row.prompt) for row in rows)
    padding = torch.tensor([width - len(row.prompt) for row in rows])
    input_ids = torch.tensor([[end] * (width - len(row.prompt)) + row.prompt for row in rows])
    max_new_tokens = rows[0].max_new_tokens
    config = GenerationConfig(
        do_sample=False,  # _Scores leaves one token to choose
        num_beams=sampling.num_beams,
        num_return_sequences=sampling.num_return_sequences if sampling.num_beams > 1 else 1,
        max_new_tokens=max_new_tokens,
        eos_token_id=end,
        pad_token_id=end,
        use_cache=True,
        # What is not said here is taken from the model's own generation_config.json.
        min_new_tokens=0,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
    )
    prompts = [row.prompt for row in rows]
    output = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=(torch.arange(width) >= padding[:, None]).long().to(model.device),
        generation_config=config,
        logits_processor=[_ScoreAdjuster(sampling, end, prompts, [row.key for row in rows], width)],
        stopping_criteria=[_Stops(stop, prompts, width)] if sampling.stop else [],
        streamer=streamer,
    )
    return output[:, width:].tolist()


@dataclass(frozen=True)
class _ScoreAdjuster:
    """A logits processor: `choosing` in the words of `generate`."""

    sampling: Sampling
    end: int
    prompts: list[list[int]]
    keys: list[int]
    width: int

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        written = input_ids[:, self.width :].tolist()
        adjust_scores(scores, self.sampling, self.end, _of_beams(self.prompts, written), written)
        if not self.sampling.draws:
            return scores
        drawn = sample_tokens(scores, self.sampling, self.keys, [len(new) for new in written])
        return torch.full_like(scores, -torch.inf).scatter_(1, drawn[:, None], 0.0)


@dataclass(frozen=True)
class _Stops:
    """A stopping criterion of `generate`. transformers' own one also counts a string that begins in the prompt."""

    stop: StopStrings
    prompts: list[list[int]]
    width: int

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        written = input_ids[:, self.width :].tolist()
        found = [self.stop(prompt, new) for prompt, new in zip(_of_beams(self.prompts, written), written, strict=True)]
        return torch.tensor(found, device=input_ids.device)


def _of_beams(prompts: list[list[int]], written: list[list[int]]) -> list[list[int]]:
    """The prompt of each of the rows that beam search makes of them."""
    return [prompt for prompt in prompts for _ in range(len(written) // len(prompts))]
