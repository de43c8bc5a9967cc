"""What is one concept: an emoji in all its skin tones, genders, hair and directions. Such must not be split apart."""

from utils.emoji_tables.code_points import format_code_points
from utils.emoji_tables.sequences import without_selectors

JOINER = "\u200d"
TONES = dict.fromkeys(range(0x1F3FB, 0x1F400))
ADULT, CHILD = "🧑", "🧒"

# Explicitly gendered characters and Unicode's gender-neutral one of the same meaning.
NEUTRAL = {
    **{"👨": ADULT, "👩": ADULT, "👦": CHILD, "👧": CHILD, "👴": "🧓", "👵": "🧓"},
    **{"🤴": "🫅", "👸": "🫅", "🤰": "🫄", "🫃": "🫄", "🚹": "🚻", "🚺": "🚻"},
    **{"🎅": "🧑\u200d🎄", "🤶": "🧑\u200d🎄"},
    "🕺": "💃",  # man and woman dancing, which have no neutral one
}
# What joins an emoji to say how its person looks or moves: woman, man; to the right; red, curly, no and white hair.
LOOKS = {"♀", "♂", "➡", "🦰", "🦱", "🦲", "🦳"}
# Two people with a skin tone each are a sequence, where there is a single character for both together.
TOGETHER = {
    **dict.fromkeys(["👫", "👬", "👭"], "🧑\u200d🤝\u200d🧑"),
    "🧑\u200d❤\u200d🧑": "💑",
    "🧑\u200d❤\u200d💋\u200d🧑": "💏",
    "🧑\u200d🐰\u200d🧑": "👯",
    "🧑\u200d🫯\u200d🧑": "🤼",
    "🫱\u200d🫲": "🤝",
}


def concept_of(emoji: str) -> str:
    """The concept of a fully-qualified emoji, named by the code points of the plain one without U+FE0F.

    Prince and princess are one concept: Unicode's gender-neutral person with crown says that they differ in nothing but
    gender. The same goes for every pair in `NEUTRAL`. All families are one, whoever and how many are in them. Nothing
    else is merged: the rainbow flag is no white flag, and pointing left is not pointing right.
    """
    plain = without_selectors(emoji)
    first, *rest = plain.translate(TONES).split(JOINER)
    parts = [NEUTRAL.get(part, part) for part in (first, *(part for part in rest if part not in LOOKS))]
    if len(parts) > 1 and set(parts) <= {ADULT, CHILD}:
        return format_code_points("👪")
    whole = JOINER.join(parts)
    return format_code_points(TOGETHER.get(whole, whole) or plain)
