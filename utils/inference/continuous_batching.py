"""Continuous batching: a text that is finished leaves the batch at once, and a waiting request takes its place."""

import inspect
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer
from transformers.generation.streamers import BaseStreamer
from transformers.utils import ModelOutput

from utils.inference.hf_generate import pad_left
from utils.inference.requests import Request
from utils.inference.sampler import choose_tokens
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings

# Requests leave and join several at once: leaving copies the cache of all others, and eight prompts are read in little
# more time than one.
LEAVING_SHARE = 1 / 8
JOINING_SHARE = 1 / 4
SPARE_POSITIONS = 64


@dataclass(frozen=True)
class Batch:
    """Requests at work with their key-value cache, aligned on the right.

    The cache has (requests, heads, width, head size) in each layer. `mask` (requests, width) is 1 where a position
    belongs to the request.
    """

    requests: list[Request]
    cache: DynamicCache
    mask: torch.Tensor


class PreallocatedLayer(DynamicLayer):
    """Keys and values with room for more positions, where DynamicLayer copies all of them at every token."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        """Append these keys and values, and return all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.replace(key_states, value_states)
            return self.keys, self.values
        start, end = self.get_seq_length(), self.get_seq_length() + key_states.shape[-2]
        if end > self.key_buffer.shape[-2]:
            self.replace(self.keys, self.values)
        self.key_buffer[:, :, start:end], self.value_buffer[:, :, start:end] = key_states, value_states
        self.keys, self.values = self.key_buffer[:, :, :end], self.value_buffer[:, :, :end]
        return self.keys, self.values

    def replace(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Hold these keys and values, with room for SPARE_POSITIONS more."""
        self.key_buffer, self.value_buffer = (pad(x, (0, 0, 0, SPARE_POSITIONS)) for x in (keys, values))
        self.keys, self.values = (x[:, :, : keys.shape[-2]] for x in (self.key_buffer, self.value_buffer))


def supports_continuous_batching(model: PreTrainedModel) -> bool:
    """Return whether this model's cache has all positions: not with a sliding window, nor in state-space models."""
    parameters = inspect.signature(type(model).forward).parameters
    if model.config.is_encoder_decoder or not {"past_key_values", "attention_mask"} <= parameters.keys():
        return False
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)


@torch.no_grad()
def generate_continuously(
    model: PreTrainedModel,
    requests: Sequence[Request],
    batch_size: int,
    sampling: Sampling,
    end: int,
    stop: StopStrings,
    streamer: BaseStreamer | None = None,
) -> Iterator[tuple[Request, list[int]]]:
    """Yield (request, its new ids) as each text is finished, with at most `batch_size` requests at once.

    Consecutive requests should have similar lengths. `streamer` gets the tokens of a single request, as transformers'
    `generate` hands them over.
    """
    waiting, batch = deque(requests), None
    finished: set[tuple[int, int]] = set()  # requests that are still in the batch
    while waiting or batch:
        places = batch_size - len(batch.requests) if batch else batch_size
        if waiting and places >= batch_size * JOINING_SHARE:
            advanced = [waiting.popleft() for _ in range(min(places, len(waiting)))]
            if streamer:
                streamer.put(torch.tensor(advanced[0].prompt_ids))
            logits, started = _prefill(model, advanced)
            batch = _merge(batch, started) if batch else started
        else:
            logits, batch = _decode_step(model, batch, finished)
            advanced = batch.requests
        tokens = choose_tokens(logits, sampling, end, advanced)
        for request, token in zip(advanced, tokens.tolist(), strict=True):
            if request.index in finished:
                continue
            new_ids = request.new_ids
            new_ids.append(token)
            if streamer:
                streamer.put(torch.tensor([token]))
            if token == end or len(new_ids) == request.max_new_tokens or stop(request.prompt_ids, new_ids):
                finished.add(request.index)
                yield request, new_ids
        if len(finished) >= LEAVING_SHARE * len(batch.requests):
            batch = _drop(batch, finished)
            finished.clear()
    if streamer:
        streamer.end()


def forward_last(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    past_key_values: DynamicCache | None = None,
) -> ModelOutput:
    """Run the model on (rows, length) ids and compute logits of the last position only, where the model can do that.

    The mask also covers the positions in the cache, which grows by the ids. A token's position is the number of
    unmasked tokens before it.
    """
    positions = (attention_mask.cumsum(1) - 1).clamp(min=0)[:, -input_ids.shape[1] :]
    optional = {"position_ids": positions, "past_key_values": past_key_values, "logits_to_keep": 1}
    parameters = inspect.signature(type(model).forward).parameters
    return model(
        input_ids=input_ids,
        attention_mask=attention_mask,
        use_cache=True,
        **{name: value for name, value in optional.items() if name in parameters},
    )


def _prefill(model, requests: list[Request]) -> tuple[torch.Tensor, Batch]:
    """Return (the logits after each prompt, the batch) of new requests. A prompt with several texts is read once."""
    prompts = {request.index[0]: request.prompt_ids for request in requests}
    inputs = pad_left(list(prompts.values()), 0, model.device)
    cache, mask = DynamicCache(config=model.config), inputs["attention_mask"]
    cache.layers = [PreallocatedLayer() for _ in cache.layers]
    logits = forward_last(model, **inputs, past_key_values=cache).logits[:, -1].float()
    if len(prompts) < len(requests):
        rows = {prompt: row for row, prompt in enumerate(prompts)}
        rows = torch.tensor([rows[request.index[0]] for request in requests], device=model.device)
        for layer in cache.layers:
            layer.replace(layer.keys[rows], layer.values[rows])
        logits, mask = logits[rows], mask[rows]
    return logits, Batch(requests, cache, mask)


def _decode_step(model, batch: Batch, finished: set[tuple[int, int]]) -> tuple[torch.Tensor, Batch]:
    """Return (the logits after the last token of each request, the batch with that token).

    The new token of a finished request is masked: the context may have no position left for it.
    """
    running = torch.tensor([[request.index not in finished] for request in batch.requests], device=batch.mask.device)
    mask = torch.cat([batch.mask, running.long()], dim=1)
    last_ids = torch.tensor([request.new_ids[-1:] for request in batch.requests], device=model.device)
    logits = forward_last(model, last_ids, mask, batch.cache).logits[:, -1].float()
    return logits, Batch(batch.requests, batch.cache, mask)


def _merge(first: Batch, second: Batch) -> Batch:
    """Return one batch of both, as wide as the wider one; it takes over the cache of the first."""
    width = max(first.mask.shape[1], second.mask.shape[1])

    def concatenate(*states: torch.Tensor) -> torch.Tensor:
        return torch.cat([pad(each, (0, 0, width - each.shape[-2], 0)) for each in states])

    for layer, other in zip(first.cache.layers, second.cache.layers, strict=True):
        layer.replace(concatenate(layer.keys, other.keys), concatenate(layer.values, other.values))
    mask = torch.cat([pad(each.mask, (width - each.mask.shape[1], 0)) for each in (first, second)])
    return Batch(first.requests + second.requests, first.cache, mask)


def _drop(batch: Batch, finished: set[tuple[int, int]]) -> Batch | None:
    """Return the batch without the finished requests, as narrow as the rest allows; None where nothing is left."""
    kept = [row for row, request in enumerate(batch.requests) if request.index not in finished]
    if not kept:
        return None
    width = int(batch.mask[kept].sum(1).max())
    rows = torch.tensor(kept, device=batch.mask.device)
    for layer in batch.cache.layers:
        layer.replace(*(states[:, :, -width:].index_select(0, rows) for states in (layer.keys, layer.values)))
    return Batch([batch.requests[row] for row in kept], batch.cache, batch.mask[kept, -width:])
