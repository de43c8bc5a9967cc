"""From the paths of raw files to what the processed pickle holds, for each kind of task.

MERGED: From the rows that are left to the splits of the processed pickle."""

import gc
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.models.base_models import load_tokenizer, resolve
from utils.models.tokenization import encode, encode_for_classification, tokenizer_fingerprint
from utils.preprocessing.audit import build_audit
from utils.preprocessing.conversations import read_conversations
from utils.preprocessing.emoji_pairs import count_emoji, split_emoji_table
from utils.preprocessing.emoji_table import read_emoji_table
from utils.preprocessing.filters import Filtered, Filters, describe_drops, filter_rows
from utils.preprocessing.instructions import encode_sides, filter_conversations, open_named_template
from utils.processed import SPLITS, Processed, Split
from utils.tasks.base import Task
from utils.tasks.columns import WantedColumns, read_rows
from utils.tasks.labels import check_are_enough, label_order, parse_label_map
from utils.text.splits import split_by_group

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from utils.reading.read_frame import SourceFile
    from utils.tasks.base import Example
    from utils.text.cleaning import Cleaning

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineSettings:
    """What every kind of task needs. `base_model` names the model whose tokenizer encodes; `reason` is why that one."""

    task: "Task"
    base_model: str
    reason: str
    filters: Filters
    seed: int

    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The base model's; asked for after the files are read, whose errors come sooner."""
        log.info("base model %s: %s", self.base_model, self.reason)
        return load_tokenizer(resolve(self.base_model))


@contextmanager
def without_cyclic_gc() -> Iterator[None]:
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


def process_texts(
    shared: PipelineSettings,
    paths: list[str],
    cleaning: "Cleaning",
    *,
    text_column: str | None,
    label_column: str | None,
    label_map: str | None,
    keep_conflicts: bool,
    processes: int = 1,
    **reading,
) -> Processed:
    """Tweets, or labelled texts. `processes` clean them; `reading` is what `raw_rows.read_rows` takes further."""
    columns = WantedColumns(text_column, label_column)
    classes = None if label_map is None else parse_label_map(label_map)
    rows, sources = read_rows(shared.task, paths, columns, classes, **reading)
    tokenizer = shared.tokenizer()
    filtered = filter_rows(rows, cleaning, shared.filters, shared.seed, keep_conflicts, processes)
    sides = split_examples(filtered, shared.task, shared.seed)
    encoded = encode_filtered(filtered, shared.task, tokenizer)
    about = {"cleaning": asdict(cleaning)}
    if shared.task.kind == "classify":
        about |= {"labels": label_order(filtered.labels), "label_map": label_map, "keep_conflicts": keep_conflicts}
    splits = {name: encoded.take(side) for name, side in sides.items()}
    return _processed(shared, tokenizer, sources, filtered, splits, about)


def process_instructions(
    shared: PipelineSettings, paths: list[str], template: str, *, multi_turn: bool, length_hints: bool, hub_split: str
) -> Processed:
    """Instructions with their answers."""
    rows, sources = read_conversations(paths, multi_turn=multi_turn, hub_split=hub_split)
    tokenizer = shared.tokenizer()
    form = open_named_template(tokenizer, template)
    filtered = filter_conversations(rows, shared.filters, shared.seed, form.has_system)
    sides = split_examples(filtered, shared.task, shared.seed)
    hints_seed = shared.seed if length_hints else None
    splits, lengths = encode_sides(filtered, sides, form, hints_seed)
    about = {"template": template, "multi_turn": multi_turn, "lengths": lengths}
    return _processed(shared, tokenizer, sources, filtered, splits, about)


def process_emoji(
    shared: PipelineSettings,
    paths: list[str],
    aliases: list[str],
    *,
    target: str,
    split_by: str,
    text_column: str | None = None,
    hub_split: str = "train",
) -> Processed:
    """Descriptions of emoji."""
    rows, sources = read_emoji_table(paths, aliases, text_column=text_column, hub_split=hub_split)
    tokenizer = shared.tokenizer()
    filtered, splits, targets = split_emoji_table(
        rows, tokenizer, shared.task, shared.filters, shared.seed, target=target, split_by=split_by
    )
    about = {"target": target, "split_by": split_by, "aliases": aliases, "targets": targets}
    processed = _processed(shared, tokenizer, sources, filtered, splits, about)
    processed.audit["emoji"] = count_emoji(splits, targets)
    return processed


def _processed(
    shared: PipelineSettings,
    tokenizer: "PreTrainedTokenizerBase",
    sources: list["SourceFile"],
    filtered: Filtered,
    splits: dict[str, Split],
    about: dict,
) -> Processed:
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
    found = build_audit(rows_read, filtered, splits, tokenizer.unk_token_id)
    fingerprint = {"name": shared.base_model, "fingerprint": tokenizer_fingerprint(tokenizer)}
    return Processed(recipe, found, [asdict(source) for source in sources], fingerprint, splits)


def split_examples(filtered: Filtered, task: Task, seed: int) -> dict[str, Iterable[int]]:
    """Row numbers of each split; DataError where one would have no row, or none of a class."""
    dropped = describe_drops(filtered.dropped) or "nothing"
    if task.kind == "classify":
        check_are_enough(filtered.labels, filtered.groups, dropped)
    sides = split_by_group(filtered.groups, task.split, seed, filtered.labels)
    groups = len(set(filtered.groups))
    for name, side in zip(SPLITS, sides, strict=True):
        if len(side) == 0:
            raise DataError(
                f"{len(filtered.texts)} rows in {groups} groups are left, too few for three splits",
                f"bring more rows, or filter less (dropped: {dropped})",
            )
        if absent := set(filtered.labels) - {filtered.labels[row] for row in side}:
            raise DataError(
                f"the rows in {groups} groups that stay together leave no row of class {min(absent)!r} for {name}",
                "bring more groups, try another --seed, or drop or merge the class with --label_map",
            )
    return dict(zip(SPLITS, sides, strict=True))


def encode_filtered(filtered: Filtered, task: Task, tokenizer: "PreTrainedTokenizerBase") -> Split:
    """The rows column by column, with their token ids."""
    rows = zip(filtered.texts, filtered.groups, filtered.labels, strict=True)
    examples = [task.to_example(*row) for row in rows]
    if task.kind == "generate":
        return replace(encode_examples(tokenizer, examples), metadata=filtered.metadata)
    prompts = [example.prompt for example in examples]
    ids, _ = encode_for_classification(tokenizer, prompts, task.template)
    return Split(
        prompt=prompts,
        completion=[example.completion for example in examples],
        label=[example.label for example in examples],
        group=[example.group for example in examples],
        ids=ids,
        loss_start=[0] * len(examples),
        metadata=filtered.metadata,
    )


def encode_examples(tokenizer: "PreTrainedTokenizerBase", examples: Sequence["Example"]) -> Split:
    """Examples column by column, with their ids."""
    prompts = [example.prompt for example in examples]
    completions = [example.completion for example in examples]
    ids, loss_start = encode(tokenizer, prompts, completions)
    return Split(
        prompt=prompts,
        completion=completions,
        label=[example.label for example in examples],
        group=[example.group for example in examples],
        ids=ids,
        loss_start=loss_start,
    )
