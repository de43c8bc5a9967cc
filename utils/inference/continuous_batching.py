"""Texts written together, a row each: one that is finished leaves at once, and one that waits takes its place."""

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.generation.streamers import BaseStreamer

# Rows leave and join several at once: leaving copies what the model keeps of all others, and eight prompts are read in
# little more time than one.
LEAVING = 1 / 8
JOINING = 1 / 4
ROOM = 64  # positions


@dataclass(frozen=True)
class GenerationRow:
    """A text that is being written. `number`: (prompt, sequence); `key`: of its draws; `new`: what is written."""

    number: tuple[int, int]
    prompt: list[int]
    max_new_tokens: int
    key: int
    new: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """Rows in work, and what the model keeps of them: keys and values (rows, heads, width, head size), in which each
    row stands on the right, and `mask` (rows, width), 1 where they are its own."""

    rows: list[GenerationRow]
    cache: DynamicCache
    mask: torch.Tensor


class RoomyLayer(DynamicLayer):
    """Keys and values with room for those to come, where DynamicLayer copies all that it holds at every token."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        """The keys and values with these behind them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.hold(key_states, value_states)
            return self.keys, self.values
        before, now = self.get_seq_length(), self.get_seq_length() + key_states.shape[-2]
        if now > self.key_room.shape[-2]:
            self.hold(self.keys, self.values)
        self.key_room[:, :, before:now], self.value_room[:, :, before:now] = key_states, value_states
        self.keys, self.values = self.key_room[:, :, :now], self.value_room[:, :, :now]
        return self.keys, self.values

    def hold(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Hold these from now on, and have room for ROOM positions more."""
        self.key_room, self.value_room = (torch.nn.functional.pad(x, (0, 0, 0, ROOM)) for x in (keys, values))
        self.keys, self.values = (x[:, :, : keys.shape[-2]] for x in (self.key_room, self.value_room))


def supports_continuous_batching(model: "PreTrainedModel") -> bool:
    """Whether rows can leave and join a batch of this model: what it keeps is keys and values of every position.

    State-space models, and those that see a window of the last positions alone, keep something else.
    """
    parameters = inspect.signature(type(model).forward).parameters
    if model.config.is_encoder_decoder or not {"past_key_values", "attention_mask"} <= parameters.keys():
        return False
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)


@torch.no_grad()
def write_continuously(
    model: "PreTrainedModel",
    rows: Iterable[GenerationRow],
    batch_size: int,
    choose: Callable[[torch.Tensor, Sequence[GenerationRow]], torch.Tensor],
    is_finished: Callable[[GenerationRow], bool],
    done: Callable[[GenerationRow], None],
    streamer: "BaseStreamer | None" = None,
) -> None:
    """Write every row to its end, at most `batch_size` at once, and hand it to `done` then.

    `choose` gets (rows, vocabulary) float32 logits and the rows they belong to, and gives (rows,) ids. Similar
    lengths should stand together in `rows`. `streamer` gets the tokens of the only row, as `generate` hands them out.
    """
    waiting, batch = deque(rows), None
    over: set[tuple[int, int]] = set()  # rows in the batch
    while waiting or batch:
        places = batch_size - len(batch.rows) if batch else batch_size
        if waiting and places >= batch_size * JOINING:
            new_rows = [waiting.popleft() for _ in range(min(places, len(waiting)))]
            if streamer:
                streamer.put(torch.tensor(new_rows[0].prompt))
            logits, started = _start(model, new_rows)
            advanced, batch = new_rows, _together(batch, started) if batch else started
        else:
            logits, batch = _step(model, batch, over)
            advanced = batch.rows
        for row, token in zip(advanced, choose(logits, advanced).tolist(), strict=True):
            if row.number in over:
                continue
            row.new.append(token)
            if streamer:
                streamer.put(torch.tensor([token]))
            if len(row.new) == row.max_new_tokens or is_finished(row):
                over.add(row.number)
                done(row)
        if len(over) >= LEAVING * len(batch.rows):
            batch = _without(batch, over)
            over.clear()
    if streamer:
        streamer.end()


def _start(model, rows: list[GenerationRow]) -> tuple[torch.Tensor, Batch]:
    """(the logits after each prompt, the batch) of rows that have nothing written yet; a prompt is read once."""
    prompts = {row.number[0]: row.prompt for row in rows}
    width = max(map(len, prompts.values()))
    padding = [width - len(prompt) for prompt in prompts.values()]
    ids = [[0] * blank + prompt for blank, prompt in zip(padding, prompts.values(), strict=True)]
    mask = (torch.arange(width) >= torch.tensor(padding)[:, None]).long().to(model.device)
    cache = DynamicCache(config=model.config)
    cache.layers = [RoomyLayer() for _ in cache.layers]
    logits = _logits(model, ids, mask, (mask.cumsum(1) - 1).clamp(min=0), cache)
    if len(prompts) < len(rows):
        places = {number: place for place, number in enumerate(prompts)}
        of_rows = torch.tensor([places[row.number[0]] for row in rows], device=model.device)
        for layer in cache.layers:
            layer.hold(layer.keys[of_rows], layer.values[of_rows])
        logits, mask = logits[of_rows], mask[of_rows]
    return logits, Batch(rows, cache, mask)


def _step(model, batch: Batch, over: set[tuple[int, int]]) -> tuple[torch.Tensor, Batch]:
    """(the logits after the last token of each row, the batch with it). Those that are over stay where they are, since
    the context may have no position for one more token."""
    goes_on = torch.tensor([[row.number not in over] for row in batch.rows], device=batch.mask.device)
    mask = torch.cat([batch.mask, goes_on.long()], dim=1)
    logits = _logits(model, [row.new[-1:] for row in batch.rows], mask, mask.sum(1, keepdim=True) - 1, batch.cache)
    return logits, Batch(batch.rows, batch.cache, mask)


def _logits(model, ids: list[list[int]], mask: torch.Tensor, positions: torch.Tensor, cache: DynamicCache):
    """(rows, vocabulary) float32 logits of the last position; the cache grows by the ids."""
    optional = {"position_ids": positions, "logits_to_keep": 1}
    known = inspect.signature(type(model).forward).parameters
    output = model(
        input_ids=torch.tensor(ids, device=model.device),
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
        **{name: value for name, value in optional.items() if name in known},
    )
    return output.logits[:, -1].float()


def _together(first: Batch, second: Batch) -> Batch:
    """One batch of both, as wide as the wider one; the first one's cache becomes that of all."""
    width = max(first.mask.shape[1], second.mask.shape[1])
    for layer, other in zip(first.cache.layers, second.cache.layers, strict=True):
        keys = torch.cat([_widened(layer.keys, width), _widened(other.keys, width)])
        values = torch.cat([_widened(layer.values, width), _widened(other.values, width)])
        layer.hold(keys, values)
    mask = torch.cat([torch.nn.functional.pad(each.mask, (width - each.mask.shape[1], 0)) for each in (first, second)])
    return Batch(first.rows + second.rows, first.cache, mask)


def _widened(states: torch.Tensor, width: int) -> torch.Tensor:
    return torch.nn.functional.pad(states, (0, 0, width - states.shape[-2], 0))


def _without(batch: Batch, over: set[tuple[int, int]]) -> Batch | None:
    """The batch without the rows of these numbers, as wide as what is left; None where nothing is."""
    kept = [place for place, row in enumerate(batch.rows) if row.number not in over]
    if not kept:
        return None
    width = int(batch.mask[kept].sum(1).max())
    places = torch.tensor(kept, device=batch.mask.device)
    for layer in batch.cache.layers:
        layer.hold(*(states[:, :, -width:].index_select(0, places) for states in (layer.keys, layer.values)))
    return Batch([batch.rows[place] for place in kept], batch.cache, batch.mask[kept, -width:])
