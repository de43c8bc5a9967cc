"""From the paths of raw files to what the processed pickle holds, for each kind of task."""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from utils import audit, base_models, conversations, encoding, examples, filtering, instructions, raw_rows, store
from utils.emoji_tables import counts, pairs, table
from utils.labels import in_order, parse_label_map

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from utils.cleaning import Cleaning
    from utils.reading import Source
    from utils.tasks.base import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shared:
    """What every kind of task needs. `base_model` names the model whose tokenizer encodes; `reason` is why that one."""

    task: "Task"
    base_model: str
    reason: str
    filters: filtering.Filters
    seed: int

    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The base model's; asked for after the files are read, whose errors come sooner."""
        log.info("base model %s: %s", self.base_model, self.reason)
        return base_models.load_tokenizer(base_models.resolve(self.base_model))


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Without Python's search for objects that refer to one another in circles.

    It looks at all rows again and again, an eighth of the whole time, and finds nothing: rows refer to no rows.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def of_texts(
    shared: Shared,
    paths: list[str],
    cleaning: "Cleaning",
    *,
    text_column: str | None,
    label_column: str | None,
    label_map: str | None,
    keep_conflicts: bool,
    processes: int = 1,
    **reading,
) -> store.Processed:
    """Tweets, or labelled texts. `processes` clean them; `reading` is what `raw_rows.read_rows` takes further."""
    columns = raw_rows.Columns(text_column, label_column)
    classes = None if label_map is None else parse_label_map(label_map)
    rows, sources = raw_rows.read_rows(shared.task, paths, columns, classes, **reading)
    tokenizer = shared.tokenizer()
    filtered = filtering.filter_rows(rows, cleaning, shared.filters, shared.seed, keep_conflicts, processes)
    sides = examples.split_rows(filtered, shared.task, shared.seed)
    encoded = examples.encode_rows(filtered, shared.task, tokenizer)
    about = {"cleaning": asdict(cleaning)}
    if shared.task.kind == "classify":
        about |= {"labels": in_order(filtered.labels), "label_map": label_map, "keep_conflicts": keep_conflicts}
    splits = {name: encoded.take(side) for name, side in sides.items()}
    return _processed(shared, tokenizer, sources, filtered, splits, about)


def of_instructions(
    shared: Shared, paths: list[str], template: str, *, multi_turn: bool, length_hints: bool, hub_split: str
) -> store.Processed:
    """Instructions with their answers."""
    rows, sources = conversations.read(paths, multi_turn=multi_turn, hub_split=hub_split)
    tokenizer = shared.tokenizer()
    form = instructions.open_format(tokenizer, template)
    filtered = instructions.filter_conversations(rows, shared.filters, shared.seed, form.has_system)
    sides = examples.split_rows(filtered, shared.task, shared.seed)
    hints_seed = shared.seed if length_hints else None
    splits, lengths = instructions.encode_sides(filtered, sides, form, hints_seed)
    about = {"template": template, "multi_turn": multi_turn, "lengths": lengths}
    return _processed(shared, tokenizer, sources, filtered, splits, about)


def of_emoji(
    shared: Shared,
    paths: list[str],
    aliases: list[str],
    *,
    target: str,
    split_by: str,
    text_column: str | None = None,
    hub_split: str = "train",
) -> store.Processed:
    """Descriptions of emoji."""
    rows, sources = table.read(paths, aliases, text_column=text_column, hub_split=hub_split)
    tokenizer = shared.tokenizer()
    filtered, splits, targets = pairs.to_splits(
        rows, tokenizer, shared.task, shared.filters, shared.seed, target=target, split_by=split_by
    )
    about = {"target": target, "split_by": split_by, "aliases": aliases, "targets": targets}
    processed = _processed(shared, tokenizer, sources, filtered, splits, about)
    processed.audit["emoji"] = counts.count(splits, targets)
    return processed


def _processed(
    shared: Shared,
    tokenizer: "PreTrainedTokenizerBase",
    sources: list["Source"],
    filtered: filtering.Filtered,
    splits: dict[str, store.Split],
    about: dict,
) -> store.Processed:
    rows_read = sum(source.rows for source in sources)
    recipe = {
        "task": shared.task.name,
        "kind": shared.task.kind,
        "labels": None,
        "template": shared.task.template,
        "cleaning": None,
        "filters": asdict(shared.filters),
        "base_model": shared.base_model,
        "seed": shared.seed,
        **about,
    }
    found = audit.audit(rows_read, filtered, splits, tokenizer.unk_token_id)
    fingerprint = {"name": shared.base_model, "fingerprint": encoding.fingerprint(tokenizer)}
    return store.Processed(recipe, found, [asdict(source) for source in sources], fingerprint, splits)
