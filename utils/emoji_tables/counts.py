"""What the audit says of a table of emoji beside what it says of every data set."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from utils.store import Split

SHOWN = 3


def count(splits: Mapping[str, Split], targets: Sequence[Sequence]) -> dict:
    """Emoji and concepts of the whole table; of each split its concepts, emoji and descriptions; languages.

    "shared" are the descriptions that several emoji have, with an example of up to three emoji.
    """
    emoji_of: dict[str, list[str]] = defaultdict(list)
    languages: dict[str, int] = defaultdict(int)
    for split in splits.values():
        facts = (split.facts["emoji"], split.facts["language"])
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
                "emoji": len(set(split.facts["emoji"])),
                "descriptions": len(split),
            }
            for name, split in splits.items()
        },
        "languages": dict(sorted(languages.items())),
        "shared_descriptions": len(shared),
        "shared_example": None if example is None else [example, sorted(set(shared[example]))[:SHOWN]],
    }


def report(found: Mapping) -> str:
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
