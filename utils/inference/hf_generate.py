"""Static batches through transformers' own `generate`: for beam search, and for models without continuous batching."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import GenerationConfig

from utils.inference.requests import Request, static_batches
from utils.inference.sampler import adjust_logits, sample_tokens
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.generation.streamers import BaseStreamer


def generate_in_static_batches(
    model: "PreTrainedModel",
    requests: Sequence[Request],
    batch_size: int,
    sampling: Sampling,
    end: int,
    stop: StopStrings,
    streamer: "BaseStreamer | None" = None,
) -> Iterator[tuple[Request, list[int]]]:
    """Yield (request, its new ids) for each text: with beams, a request gives num_return_sequences of them.

    Consecutive requests should have similar lengths. The ids may continue after `end`, with padding.
    """
    batches = static_batches(requests, max(1, batch_size // sampling.num_beams), lambda request: request.max_new_tokens)
    for batch in batches:
        for number, new_ids in enumerate(_generate(model, batch, sampling, end, stop, streamer)):
            yield batch[number // sampling.sequences_per_request], new_ids


def pad_left(prompts: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Return input_ids and attention_mask, padded on the left to the longest prompt: (prompts, length) int64."""
    ids = [torch.tensor(prompt) for prompt in prompts]
    options = {"batch_first": True, "padding_side": "left"}
    input_ids = pad_sequence(ids, padding_value=pad_id, **options)
    attention_mask = pad_sequence([torch.ones_like(each) for each in ids], **options)
    return {"input_ids": input_ids.to(device), "attention_mask": attention_mask.to(device)}


def _generate(
    model, batch: list[Request], sampling: Sampling, end: int, stop: StopStrings, streamer: "BaseStreamer | None"
) -> list[list[int]]:
    """Return the new ids of each text."""
    prompts = [request.prompt_ids for request in batch]
    inputs = pad_left(prompts, end, model.device)
    width = inputs["input_ids"].shape[1]
    config = GenerationConfig(
        do_sample=False,  # _LogitsAdjuster leaves one token to choose
        num_beams=sampling.num_beams,
        num_return_sequences=sampling.sequences_per_request,
        max_new_tokens=batch[0].max_new_tokens,
        eos_token_id=end,
        pad_token_id=end,
        use_cache=True,
        # What is not set here comes from the model's own generation_config.json.
        min_new_tokens=0,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
    )
    output = model.generate(
        **inputs,
        generation_config=config,
        logits_processor=[_LogitsAdjuster(sampling, end, prompts, [request.key for request in batch], width)],
        stopping_criteria=[_StopCriterion(stop, prompts, width)] if sampling.stop else [],
        streamer=streamer,
    )
    return output[:, width:].tolist()


@dataclass(frozen=True)
class _LogitsAdjuster:
    """A logits processor of `generate` that does what `sampler.choose_tokens` does."""

    sampling: Sampling
    end: int
    prompts: list[list[int]]
    keys: list[int]
    width: int

    def __call__(self, input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        generated = input_ids[:, self.width :].tolist()
        adjust_logits(logits, self.sampling, self.end, _repeat_for_beams(self.prompts, generated), generated)
        if not self.sampling.draws:
            return logits
        drawn = sample_tokens(logits, self.sampling, self.keys, [len(ids) for ids in generated])
        return torch.full_like(logits, -torch.inf).scatter_(1, drawn[:, None], 0.0)


@dataclass(frozen=True)
class _StopCriterion:
    """A stopping criterion of `generate`. transformers' own one also counts a string that begins in the prompt."""

    stop: StopStrings
    prompts: list[list[int]]
    width: int

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        generated = input_ids[:, self.width :].tolist()
        pairs = zip(_repeat_for_beams(self.prompts, generated), generated, strict=True)
        return torch.tensor([self.stop(prompt, ids) for prompt, ids in pairs], device=input_ids.device)


def _repeat_for_beams(prompts: list[list[int]], generated: list[list[int]]) -> list[list[int]]:
    """Return the prompt of each row; beam search has several rows for each prompt."""
    return [prompt for prompt in prompts for _ in range(len(generated) // len(prompts))]
