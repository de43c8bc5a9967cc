"""Descriptions of emoji, for which a model learns to write the emoji or its code points.

`utils.preprocessing.emoji_sources` reads them; these are the possible names of their columns, best first, in lower
case.
"""

from utils.tasks.base import Task

# Kaggle's emoji_df.csv, Unicode's lists, emojibase, OpenMoji and emoji-data.
EMOJI_COLUMNS = ("emoji", "emojis", "char", "character")
DESCRIPTION_COLUMNS = (
    *("name", "description", "short_name", "shortname", "cldr_short_name", "cldrshortname", "annotation", "names"),
)
CODE_POINT_COLUMNS = (
    *("codepoints", "codepoint", "code_points", "code_point", "code", "codes", "unicode", "unified", "hexcode", "hex"),
)
STATUS_COLUMNS = ("status", "qualification")
GROUP_COLUMNS = ("group", "category")
SUB_GROUP_COLUMNS = ("sub_group", "subgroup", "subgroups", "sub_category", "subcategory")
LANGUAGE_COLUMNS = ("lang", "language")
TARGETS = ("emoji", "codepoints")  # what the model writes
SPLITS_BY = ("concept", "description")

EMOJI = Task(
    name="emoji",
    kind="emoji",
    summary="descriptions of emoji with the emoji (Kaggle's emoji_df.csv, or the table called builtin)",
    text_columns=DESCRIPTION_COLUMNS,
    template="Description: {prompt}\nEmoji:",
    split=(0.8, 0.1, 0.1),
)
