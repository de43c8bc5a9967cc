"""From a table's pairs to the splits of the processed pickle: filters, targets, sides, token ids.

MERGED: Which rows of a table of emoji are learnt, and which are kept to ask for: unseen concepts, or unseen wordings.

MERGED: What the audit says of a table of emoji beside what it says of every data set."""

import logging
import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.models.tokenization import apply_template, encode, token_ids
from utils.preprocessing.emoji_resolve import EmojiPair
from utils.preprocessing.emoji_table import EmojiTable
from utils.preprocessing.emoji_unicode import concept_of, format_code_points
from utils.preprocessing.filters import HINTS, Filtered, Filters, describe_drops, not_chosen, with_excluded_word
from utils.processed import SPLITS, Split
from utils.tasks.base import Task
from utils.text.splits import split_by_group
from utils.text.words import count_words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)
NOT_WHOLE = "emoji that the tokenizer cannot encode in whole"


def split_emoji_table(
    table: EmojiTable,
    tokenizer: "PreTrainedTokenizerBase",
    task: Task,
    filters: Filters,
    seed: int,
    *,
    target: str,
    split_by: str,
) -> tuple[Filtered, dict[str, Split], list[list]]:
    """The rows that are left, their splits, and every target of the table, whether its rows are left or not."""
    table = encodable(table, tokenizer, target)
    filtered = filter_pairs(table, filters, seed)
    sides = split_pairs(filtered, task, split_by, seed)
    whole = _encoded(filtered, tokenizer, task.template, target)
    splits = {name: whole.take(side) for name, side in sides.items()}
    return filtered, splits, targets_of(table.rows, target)


def target_text(emoji: str, target: str) -> str:
    """What the model writes for an emoji: itself, or its code points."""
    return format_code_points(emoji) if target == "codepoints" else emoji


def encodable(table: EmojiTable, tokenizer: "PreTrainedTokenizerBase", target: str) -> EmojiTable:
    """The table without the emoji that do not survive the tokenizer; DataError where none does."""
    emoji = list(dict.fromkeys(row.emoji for row in table.rows))
    texts = [target_text(each, target) for each in emoji]
    all_ids = token_ids(tokenizer, texts)
    decoded = [tokenizer.decode(ids, clean_up_tokenization_spaces=False).strip() for ids in all_ids]
    broken = {each for each, text, back in zip(emoji, texts, decoded, strict=True) if back != text}
    if not broken:
        return table
    first = next(each for each in emoji if each in broken)
    name = f"{first} ({format_code_points(first)})"
    if len(broken) == len(emoji):
        raise DataError(
            f"the tokenizer of {tokenizer.name_or_path} can encode none of the {len(emoji):,} emoji in whole, "
            f"{name} for one",
            "choose a base model whose tokenizer falls back on bytes, such as gpt2 or smollm2, "
            + ("or another --target" if target == "codepoints" else "or --target codepoints"),
        )
    log.warning("warning: the tokenizer cannot encode %s emoji in whole, the first is %s", f"{len(broken):,}", name)
    left = [row for row in table.rows if row.emoji not in broken]
    return EmojiTable(left, {**table.dropped, NOT_WHOLE: len(table.rows) - len(left)}, table.changed)


def targets_of(rows: Sequence[EmojiPair], target: str) -> list[list]:
    """[text, emoji, group, concept] of every emoji, sorted by the text that the model writes."""
    first = {row.emoji: row for row in reversed(rows)}
    return sorted([target_text(emoji, target), emoji, row.group, concept_of(emoji)] for emoji, row in first.items())


def filter_pairs(table: EmojiTable, filters: Filters, seed: int) -> Filtered:
    """The rows that the filters leave: texts are the descriptions, groups the concepts."""
    dropped, rows = dict(table.dropped), table.rows

    def drop(reason: str, unwanted: Sequence[bool]) -> list[EmojiPair]:
        left = [row for row, mark in zip(rows, unwanted, strict=True) if not mark]
        if len(left) < len(rows):
            dropped[reason] = len(rows) - len(left)
        return left

    rows = drop("too short", [count_words(row.description) < filters.min_tokens for row in rows])
    if filters.max_tokens is not None:
        rows = drop("too long", [count_words(row.description) > filters.max_tokens for row in rows])
    if filters.exclude:
        rows = drop("excluded word", with_excluded_word((row.description for row in rows), filters.exclude))
    if not rows:
        hint = HINTS.get(max(dropped, key=dropped.get), "choose other filters")
        raise DataError(f"no row is left: {describe_drops(dropped)}", hint)
    rows = drop("not sampled", not_chosen(len(rows), filters, seed))
    return Filtered(
        texts=[row.description for row in rows],
        labels=[None] * len(rows),
        groups=[concept_of(row.emoji) for row in rows],
        metadata={
            "emoji": [row.emoji for row in rows],
            "group": [row.group for row in rows],
            "sub_group": [row.sub_group for row in rows],
            "language": [row.language for row in rows],
        },
        dropped=dropped,
        cleaned=table.changed,
        samples=[],
    )


def _encoded(filtered: Filtered, tokenizer: "PreTrainedTokenizerBase", template: str, target: str) -> Split:
    completions = [target_text(emoji, target) for emoji in filtered.metadata["emoji"]]
    prompts = [apply_template(template, description) for description in filtered.texts]
    ids, loss_start = encode(tokenizer, prompts, completions)
    return Split(filtered.texts, completions, filtered.labels, filtered.groups, ids, loss_start, filtered.metadata)


def split_pairs(filtered: Filtered, task: Task, split_by: str, seed: int) -> dict[str, Sequence[int]]:
    """Row numbers of each split; DataError where one would have no row.

    By "concept", no concept stands on two sides. By "description", no description does, whatever the case and the order
    of its words, and every emoji of validation and test has another description in train.
    """
    if split_by == "concept":
        sides = _split_concepts(filtered.groups, task.split, seed)
        if not all(sides):
            raise DataError(
                f"{len(filtered.texts):,} rows of {len(set(filtered.groups)):,} concepts are left, too few for three "
                "splits",
                f"bring more rows, or filter less (dropped: {describe_drops(filtered.dropped) or 'nothing'})",
            )
    else:
        sides = split_wordings(
            [_wording(text) for text in filtered.texts], filtered.metadata["emoji"], task.split, seed
        )
        if not all(sides):
            raise DataError(
                f"of {len(set(filtered.metadata['emoji'])):,} emoji, too few have two descriptions of their own to learn "
                "one and be asked for the other",
                "add further names: --aliases en (or more: en,fr), or split by concept",
            )
    return dict(zip(SPLITS, sides, strict=True))


def _split_concepts(concepts: Sequence[str], shares: Sequence[float], seed: int) -> list[list[int]]:
    """Row numbers of each split, which gets its share of the concepts, not of the rows.

    Else the few concepts with a hundred rows, all tones of two people kissing, would be a whole split.
    """
    names = list(dict.fromkeys(concepts))
    side_of = {}
    for side, places in enumerate(split_by_group(names, shares, seed)):
        side_of.update((names[place], side) for place in places)
    return [[row for row, name in enumerate(concepts) if side_of[name] == side] for side in range(len(shares))]


def split_wordings(keys: Sequence[str], emoji: Sequence[str], shares: Sequence[float], seed: int) -> list[list[int]]:
    """Row numbers of train and the other splits, sorted; rows of one key stay together.

    Keys go in an order drawn with `seed` to the split that lacks the most rows, as long as each emoji of theirs keeps a
    row in train; what cannot go stays there.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        members[key].append(row)
    order = list(members.values())
    random.Random(seed).shuffle(order)
    in_train = Counter(emoji)
    sides: list[list[int]] = [[] for _ in shares]
    lacking = [share / sum(shares) * len(keys) for share in shares]
    for rows in order:
        taken = Counter(emoji[row] for row in rows)
        side = max(range(1, len(shares)), key=lambda side: lacking[side])
        if lacking[side] > 0 and all(in_train[each] > number for each, number in taken.items()):
            in_train -= taken
            lacking[side] -= len(rows)
        else:
            side = 0
        sides[side] += rows
    return [sorted(rows) for rows in sides]


def _wording(description: str) -> str:
    """The same for "man running" and "Running, man"."""
    words = re.findall(r"\w+", description.casefold())
    return " ".join(sorted(words)) or description


SHOWN = 3


def count_emoji(splits: Mapping[str, Split], targets: Sequence[Sequence]) -> dict:
    """Emoji and concepts of the whole table; of each split its concepts, emoji and descriptions; languages.

    "shared" are the descriptions that several emoji have, with an example of up to three emoji.
    """
    emoji_of: dict[str, list[str]] = defaultdict(list)
    languages: dict[str, int] = defaultdict(int)
    for split in splits.values():
        facts = (split.metadata["emoji"], split.metadata["language"])
        for description, emoji, language in zip(split.prompt, *facts, strict=True):
            emoji_of[" ".join(description.casefold().split())].append(emoji)
            languages[language or "unknown"] += 1
    shared = {description: emoji for description, emoji in emoji_of.items() if len(set(emoji)) > 1}
    example = min(shared, default=None)
    return {
        "emoji": len(targets),
        "concepts": len({concept for _, _, _, concept in targets}),
        "splits": {
            name: {
                "concepts": len(set(split.group)),
                "emoji": len(set(split.metadata["emoji"])),
                "descriptions": len(split),
            }
            for name, split in splits.items()
        },
        "languages": dict(sorted(languages.items())),
        "shared_descriptions": len(shared),
        "shared_example": None if example is None else [example, sorted(set(shared[example]))[:SHOWN]],
    }


def format_emoji_counts(found: Mapping) -> str:
    """The counts as text for a terminal."""
    lines = [f"emoji          {found['emoji']:>9,}  of {found['concepts']:,} concepts, all that the model can write"]
    for name, numbers in found["splits"].items():
        lines += [f"  {name:<11}  {numbers['emoji']:>9,}  of {numbers['concepts']:,} concepts"]
    if set(found["languages"]) != {"unknown"}:
        lines += [f"  language     {number:>9,}  {language}" for language, number in found["languages"].items()]
    if found["shared_descriptions"]:
        description, emoji = found["shared_example"]
        lines += [
            f"descriptions   {found['shared_descriptions']:>9,}  of several emoji, such as {description!r}: "
            + ", ".join(emoji)
        ]
    return "\n".join(lines)
