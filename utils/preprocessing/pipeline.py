"""The pipelines from raw files to the content of a processed pickle: one function per kind of task, and shared steps.

Every function reads rows, filters them, assigns them to the splits and encodes them. Options are plain Python values
whose defaults are those of preprocess.py, so other programs can call these functions directly.
"""

import gc
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from utils.compute.ahead import Ahead
from utils.compute.workers import Workers
from utils.errors import UsageError
from utils.models.base_models import resolve
from utils.models.chat_templates import keeps_system, open_chat_template, set_chat_template
from utils.models.classifier_tokenizer import encode_for_classification, with_template
from utils.models.opening.load import load_tokenizer
from utils.models.tokenization import encode, packed_token_ids, tokenizer_fingerprint
from utils.preprocessing.audit import build_audit, count_emoji
from utils.preprocessing.conversations import read_conversations
from utils.preprocessing.emoji.pairs import (
    drop_unencodable,
    encode_pairs,
    filter_pairs,
    list_targets,
    split_pairs,
    with_names_of_characters,
)
from utils.preprocessing.emoji.sources import check_languages
from utils.preprocessing.emoji.table import read_emoji_table
from utils.preprocessing.filter_rows import filter_rows
from utils.preprocessing.filters import FilteredRows, Filters
from utils.preprocessing.instructions import (
    SYSTEM_LEFT_OUT,
    add_length_hints,
    encode_conversations,
    filter_conversations,
)
from utils.preprocessing.splitting import assign_splits, warn_if_uneven
from utils.processed import Processed, Split
from utils.tasks.base import Task
from utils.tasks.columns import RequestedColumns, read_rows
from utils.tasks.emoji import SPLITS_BY, TARGETS
from utils.tasks.label_kinds.label_kinds import LABEL_KINDS
from utils.tasks.labels import parse_label_map

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from utils.reading.read_frame import SourceFile
    from utils.text.cleaning import Cleaning

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineSettings:
    """Settings that every kind of task needs. `base_model` names the model whose tokenizer encodes the rows."""

    task: Task
    base_model: str
    filters: Filters
    seed: int = 42
    reason: str = "requested"  # why this base model, for the log
    hub_split: str = "train"  # to read of a dataset on the Hub

    def load_tokenizer(self) -> "PreTrainedTokenizerBase":
        """Load the base model's tokenizer; called after reading, because errors in the files show up sooner."""
        log.info("base model %s: %s", self.base_model, self.reason)
        return load_tokenizer(resolve(self.base_model))


def process_texts(
    settings: PipelineSettings,
    paths: Sequence[str],
    *,
    cleaning: "Cleaning | None" = None,
    text_column: str | None = None,
    label_column: str | None = None,
    label_map: str | None = None,
    keep_conflicts: bool = False,
    header: bool = True,
    suggest_task: bool = False,
    processes: int = 1,
) -> Processed:
    """Process short texts, or labeled texts, with `cleaning` (default: the task's).

    Cleaning, hashing and encoding are done in that many processes, with the same result. `suggest_task` logs a hint if
    the columns look made for another task.
    """
    task, seed = settings.task, settings.seed
    cleaning = cleaning or task.cleaning
    columns = RequestedColumns(text_column, label_column)
    classes = None if label_map is None else parse_label_map(label_map)
    options = {"header": header, "hub_split": settings.hub_split, "suggest_task": suggest_task}
    with Workers(processes) as workers:
        workers.start(paths)
        rows, sources = read_rows(task, paths, columns, classes, **options)
        tokenizer = settings.load_tokenizer()
        labeled = task.kind in LABEL_KINDS
        encoder = with_template(tokenizer, task.template) if labeled else tokenizer
        ahead = Ahead(workers, "encoding")
        filter_options = {"label_kind": LABEL_KINDS[task.kind]} if labeled else {}
        if settings.filters.sample is settings.filters.max_rows is None:
            filter_options["meanwhile"] = partial(packed_token_ids, encoder, each=ahead.start)
        filtered = filter_rows(rows, cleaning, settings.filters, seed, keep_conflicts, workers, **filter_options)
        del rows
        filtered, split_rows = assign_splits(filtered, task, seed)
        encoded = encode_texts(filtered, encoder, labeled, ahead.map)
    recipe = {"cleaning": asdict(cleaning)}
    if labeled:
        names = LABEL_KINDS[task.kind].names(filtered.labels)
        recipe |= {"labels": names, "label_map": label_map, "keep_conflicts": keep_conflicts}
    return _processed(settings, tokenizer, sources, filtered, encoded, split_rows, recipe)


def process_instructions(
    settings: PipelineSettings,
    paths: Sequence[str],
    *,
    template: str | None = None,
    multi_turn: bool = False,
    length_hints: bool = False,
    columns: Mapping[str, str] = MappingProxyType({}),
) -> Processed:
    """Process instructions with their answers; `template` is a name of TEMPLATES (default: the task's).

    `columns` names columns for keys of `utils.tasks.alpaca.COLUMNS`; the others are recognized.
    """
    template = template or settings.task.template
    options = {"multi_turn": multi_turn, "hub_split": settings.hub_split, "columns": columns}
    conversations, sources = read_conversations(paths, **options)
    tokenizer = settings.load_tokenizer()
    own_template_keeps_system = keeps_system(tokenizer)
    set_chat_template(tokenizer, template)
    chat_template = open_chat_template(tokenizer)
    filtered = filter_conversations(conversations, settings.filters, settings.seed, chat_template.has_system)
    if left_out := filtered.cleaned.get(SYSTEM_LEFT_OUT):
        problem = f"the template has no place for a system message: {left_out:,} are left out"
        model = "" if own_template_keeps_system else "a --model whose own chat template has one, and "
        log.warning("warning: %s; to keep them, use %s--template chat", problem, model)
    filtered, split_rows = assign_splits(filtered, settings.task, settings.seed)
    lengths = add_length_hints(filtered, split_rows["train"], settings.seed) if length_hints else None
    encoded = encode_conversations(filtered, chat_template)
    recipe = {"template": template, "multi_turn": multi_turn, "lengths": lengths}
    return _processed(settings, tokenizer, sources, filtered, encoded, split_rows, recipe)


def process_emoji(
    settings: PipelineSettings,
    paths: Sequence[str],
    *,
    aliases: Sequence[str] = (),
    emoji_target: str = TARGETS[0],
    split_by: str = SPLITS_BY[0],
    text_column: str | None = None,
) -> Processed:
    """Process tables of emoji; the path "builtin" is the table of the `emoji` package.

    `aliases` are the codes of the languages in which the package adds names. UsageError for an option that is not one
    of its choices.
    """
    for name, value, choices in (("emoji_target", emoji_target, TARGETS), ("split_by", split_by, SPLITS_BY)):
        if value not in choices:
            raise UsageError(f"{name} is {value!r}", f"choose {' or '.join(choices)}")
    languages = check_languages(aliases)
    table, sources = read_emoji_table(paths, languages, text_column=text_column, hub_split=settings.hub_split)
    tokenizer = settings.load_tokenizer()
    table = drop_unencodable(table, tokenizer, emoji_target)
    filtered = filter_pairs(table, settings.filters, settings.seed)
    split_rows = split_pairs(filtered, settings.task.split, split_by, settings.seed)
    warn_if_uneven(split_rows, settings.task.split, "the emoji are split instead of the rows, see --split_by")
    split_rows, left_out = with_names_of_characters(filtered, split_rows)
    filtered = replace(filtered, dropped={**filtered.dropped, **left_out})
    encoded = encode_pairs(filtered, tokenizer, settings.task.template, emoji_target)
    targets = list_targets(table.kept, emoji_target)
    recipe = {"target": emoji_target, "split_by": split_by, "aliases": languages, "targets": targets}
    processed = _processed(settings, tokenizer, sources, filtered, encoded, split_rows, recipe)
    processed.audit["emoji"] = count_emoji(processed.splits, targets)
    return processed


def encode_texts(
    filtered: FilteredRows, tokenizer: "PreTrainedTokenizerBase", labeled: bool, each: Callable = map
) -> Split:
    """Return the columns of all rows with their token ids; a text to classify is a prompt, any other a completion."""
    texts, nothing = filtered.texts, [""] * len(filtered.texts)
    if labeled:
        prompts, completions = texts, nothing
        ids, _ = encode_for_classification(tokenizer, texts, each)
        loss_start = [0] * len(ids)
    else:
        prompts, completions = nothing, texts
        ids, loss_start = encode(tokenizer, prompts, completions, each)
    return Split(prompts, completions, filtered.labels, filtered.groups, ids, loss_start, filtered.metadata)


def _processed(
    settings: PipelineSettings,
    tokenizer: "PreTrainedTokenizerBase",
    sources: list["SourceFile"],
    filtered: FilteredRows,
    encoded: Split,
    split_rows: dict[str, Sequence[int]],
    recipe: dict,
) -> Processed:
    """Put the parts together; `recipe` adds to, or replaces, the fields that every kind has."""
    task = settings.task
    shared_recipe = {
        "task": task.name,
        "kind": task.kind,
        "labels": None,
        "template": task.template,
        "cleaning": None,
        "filters": settings.filters.to_recipe(),
        "base_model": settings.base_model,
        "seed": settings.seed,
    }
    rows_read = sum(source.rows for source in sources)
    splits = {name: encoded.take(numbers) for name, numbers in split_rows.items()}
    return Processed(
        recipe=shared_recipe | recipe,
        audit=build_audit(rows_read, filtered, splits, tokenizer.unk_token_id, LABEL_KINDS.get(task.kind)),
        sources=[asdict(source) for source in sources],
        tokenizer={"name": settings.base_model, "fingerprint": tokenizer_fingerprint(tokenizer)},
        splits=splits,
    )


@contextmanager
def without_cyclic_gc() -> Iterator[None]:
    """Pause Python's cyclic garbage collector, which takes an eighth of the time and finds nothing to free in rows."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
