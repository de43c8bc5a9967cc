"""Descriptions of emoji, for which a model learns to write the emoji or its code points (preprocessing/emoji/)."""

from utils.tasks.base import Task

# Possible names of the columns, best first: of Kaggle's emoji_df.csv, Unicode's lists, emojibase, OpenMoji, emoji-data.
COLUMNS = {
    "emoji": ("emoji", "emojis", "char", "character"),
    "description": (
        *("name", "description", "short_name", "shortname", "cldr_short_name", "cldrshortname", "annotation", "names"),
    ),
    "code_points": (
        *("codepoints", "codepoint", "code_points", "code_point", "code", "codes"),
        *("unicode", "unified", "hexcode", "hex"),
    ),
    "status": ("status", "qualification"),
    "group": ("group", "category"),
    "sub_group": ("sub_group", "subgroup", "subgroups", "sub_category", "subcategory"),
    "language": ("lang", "language"),
}
TARGETS = ("emoji", "codepoints")  # what the model writes
SPLITS_BY = ("concept", "description")

EMOJI = Task(
    name="emoji",
    kind="emoji",
    summary="descriptions of emoji with the emoji (Kaggle's emoji_df.csv, or the table called builtin)",
    text_columns=COLUMNS["description"],
    template="Description: {prompt}\nEmoji:",
    split=(0.8, 0.1, 0.1),
)
