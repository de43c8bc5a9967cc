"""Turn the pairs of an emoji table into the rows of each split: encodable targets, filters, splits, token ids."""

import logging
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.models.tokenization import apply_template, encode, token_ids
from utils.preprocessing.emoji.resolve import EmojiPair
from utils.preprocessing.emoji.sources import UNICODE
from utils.preprocessing.emoji.unicode import concept_of, format_code_points
from utils.preprocessing.filters import FilteredRows, Filters, KeptRows, describe_drops
from utils.preprocessing.usable_rows import UsableRows
from utils.processed import SPLITS, Split
from utils.text.emoji_wording import wording_key
from utils.text.splits import split_by_group
from utils.text.words import count_words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)
METADATA = ("emoji", "group", "sub_group", "language")
UNENCODABLE = "emoji that the tokenizer cannot encode in whole"
NAME_OF_UNSEEN = "character's name that validation or test may ask for"
NAME_ALONE = "character's name of an emoji without another description"  # sampled or filtered away


def drop_unencodable(table: UsableRows, tokenizer: "PreTrainedTokenizerBase", target: str) -> UsableRows:
    """Return the table without the emoji that encoding and decoding would change; DataError if that is all of them."""
    emoji = list(dict.fromkeys(pair.emoji for pair in table.kept))
    texts = [target_text(each, target) for each in emoji]
    decoded = [tokenizer.decode(ids, clean_up_tokenization_spaces=False).strip() for ids in token_ids(tokenizer, texts)]
    broken = [each for each, before, after in zip(emoji, texts, decoded, strict=True) if before != after]
    if not broken:
        return table
    example = f"{broken[0]} ({format_code_points(broken[0])})"
    if len(broken) == len(emoji):
        problem = f"the tokenizer of {tokenizer.name_or_path} cannot encode any of the {len(emoji):,} emoji"
        hint = "choose a base model whose tokenizer falls back to bytes, such as gpt2 or smollm2, or "
        hint += "another --emoji_target" if target == "codepoints" else "--emoji_target codepoints"
        raise DataError(f"{problem}, e.g. {example}", hint)
    log.warning("warning: the tokenizer cannot encode %s of the emoji, e.g. %s", f"{len(broken):,}", example)
    unencodable = set(broken)
    pairs = [pair for pair in table.kept if pair.emoji not in unencodable]
    return replace(table, kept=pairs, dropped={**table.dropped, UNENCODABLE: len(table.kept) - len(pairs)})


def target_text(emoji: str, target: str) -> str:
    """Return the text of an emoji that the model writes: the emoji, or its code points."""
    return format_code_points(emoji) if target == "codepoints" else emoji


def list_targets(pairs: Sequence[EmojiPair], target: str) -> list[list]:
    """Return [text, emoji, group, concept] of every emoji, sorted by the text that the model writes."""
    groups = {pair.emoji: pair.group for pair in reversed(pairs)}
    return sorted([target_text(emoji, target), emoji, group, concept_of(emoji)] for emoji, group in groups.items())


def filter_pairs(table: UsableRows, filters: Filters, seed: int) -> FilteredRows:
    """Return the pairs that pass the filters: the texts are the descriptions, the groups the concepts."""
    descriptions = [pair.description for pair in table.kept]
    kept = KeptRows(len(descriptions), table.dropped)
    kept.drop_by_words(list(map(count_words, descriptions)), descriptions, filters)
    kept.sample(filters, seed)
    pairs = kept.take(table.kept)
    return FilteredRows(
        texts=[pair.description for pair in pairs],
        labels=[None] * len(pairs),
        groups=[concept_of(pair.emoji) for pair in pairs],
        parts=[""] * len(pairs),
        metadata={name: [getattr(pair, name) for pair in pairs] for name in METADATA},
        dropped=kept.dropped,
        cleaned=table.changed,
        samples=[],
    )


def encode_pairs(filtered: FilteredRows, tokenizer: "PreTrainedTokenizerBase", template: str, target: str) -> Split:
    """Return the columns of all pairs with their token ids; prompts are descriptions, completions targets."""
    completions = [target_text(emoji, target) for emoji in filtered.metadata["emoji"]]
    prompts = [apply_template(template, description) for description in filtered.texts]
    ids, loss_start = encode(tokenizer, prompts, completions)
    return Split(filtered.texts, completions, filtered.labels, filtered.groups, ids, loss_start, filtered.metadata)


def split_pairs(filtered: FilteredRows, shares: Sequence[float], split_by: str, seed: int) -> dict[str, Sequence[int]]:
    """Return the row numbers of each split; DataError if a split would have no row.

    By "concept", every concept is in one split alone. By "description", every description is, however it is spelled
    (see `wording_key`), and the training split has another description of every emoji in the other splits. Names of
    characters are in no split yet (see `with_names_of_characters`).
    """
    rows = [row for row, language in enumerate(filtered.metadata["language"]) if language != UNICODE]
    emoji = [filtered.metadata["emoji"][row] for row in rows]
    if split_by == "concept":
        groups = [filtered.groups[row] for row in rows]
        splits = _split_concepts(groups, shares, seed)
        problem = f"{len(rows):,} rows of {len(set(groups)):,} concepts are left, too few for three splits"
        hint = f"add more rows, or filter less (dropped: {describe_drops(filtered.dropped) or 'nothing'})"
    else:
        splits = split_wordings([wording_key(filtered.texts[row]) for row in rows], emoji, shares, seed)
        number = len(set(emoji))
        problem = f"too few of the {number:,} emoji have two descriptions, one to train on and one to test with"
        hint = "add more descriptions: --aliases en (or more languages: en,fr), or use --split_by concept"
    if not all(splits):
        raise DataError(problem, hint)
    return {name: [rows[place] for place in split] for name, split in zip(SPLITS, splits, strict=True)}


def with_names_of_characters(
    filtered: FilteredRows, split_rows: Mapping[str, Sequence[int]]
) -> tuple[dict[str, Sequence[int]], dict[str, int]]:
    """Return the splits with the names of characters in train alone, since nobody types them, and why others are not.

    Left out are those of emoji that train lacks, and those that say the same as a row of the other splits does.
    """
    emoji_of = filtered.metadata["emoji"]
    known = {emoji_of[row] for row in split_rows["train"]}
    unseen = [row for name in SPLITS[1:] for row in split_rows[name]]
    unseen_emoji, unseen_wordings = (
        {emoji_of[row] for row in unseen},
        {wording_key(filtered.texts[row]) for row in unseen},
    )
    names, left_out = [], Counter()
    for row, (emoji, language) in enumerate(zip(emoji_of, filtered.metadata["language"], strict=True)):
        if language != UNICODE:
            continue
        if wording_key(filtered.texts[row]) in unseen_wordings or (emoji in unseen_emoji and emoji not in known):
            left_out[NAME_OF_UNSEEN] += 1
        elif emoji not in known:
            left_out[NAME_ALONE] += 1
        else:
            names.append(row)
    return {**split_rows, "train": sorted([*split_rows["train"], *names])}, dict(left_out)


def _split_concepts(concepts: Sequence[str], shares: Sequence[float], seed: int) -> list[list[int]]:
    """Return the row numbers of each split, which gets its share of the concepts instead of the rows.

    Otherwise a few concepts with a hundred rows each, such as all skin tones of a kissing couple, would fill a split.
    """
    names = list(dict.fromkeys(concepts))
    splits = ({names[place] for place in places} for places in split_by_group(names, shares, seed))
    return [[row for row, concept in enumerate(concepts) if concept in split] for split in splits]


def split_wordings(keys: Sequence[str], emoji: Sequence[str], shares: Sequence[float], seed: int) -> list[list[int]]:
    """Return the sorted row numbers of train and the other splits; rows with the same key stay together.

    In an order drawn with `seed`, the rows of each key go to the split that lacks the most rows if each of their emoji
    keeps a row in train, and otherwise to train.
    """
    rows_of_key: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        rows_of_key[key].append(row)
    order = list(rows_of_key.values())
    random.Random(seed).shuffle(order)
    in_train = Counter(emoji)
    splits: list[list[int]] = [[] for _ in shares]
    lacking = [share / sum(shares) * len(keys) for share in shares]
    for rows in order:
        moved = Counter(emoji[row] for row in rows)
        split = max(range(1, len(shares)), key=lambda split: lacking[split])
        if lacking[split] > 0 and all(in_train[each] > number for each, number in moved.items()):
            in_train -= moved
            lacking[split] -= len(rows)
        else:
            split = 0
        splits[split] += rows
    return [sorted(rows) for rows in splits]
