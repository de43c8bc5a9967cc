"""Text files with a label in each line, and those that only look so."""

import pytest
from frames import rows

from utils.reading.table_stream import open_table

TEXTS = ["It rose , we hear .", "We lost it; all", "Ok then", "No, it sank", "Great day", "So what"]
LABELS = ["positive", "negative", "neutral", "negative", "positive", "neutral"]
LINES = {
    "at signs": [f"{text}@{label}" for text, label in zip(TEXTS, LABELS, strict=True)],
    "semicolons": [f"{text};{label}" for text, label in zip(TEXTS, LABELS, strict=True)],
    "bars": [f"{text}|{label}" for text, label in zip(TEXTS, LABELS, strict=True)],
    "commas": [f"{text},{label}" for text, label in zip(TEXTS, LABELS, strict=True)],
    "semicolons, label first": [f"{label};{text}" for text, label in zip(TEXTS, LABELS, strict=True)],
    "fastText": [f"__label__{label} {text}" for text, label in zip(TEXTS, LABELS, strict=True)],
    "fastText with tabs": [f"__label__{label}\t{text}" for text, label in zip(TEXTS, LABELS, strict=True)],
    "names above": ["text;emotion", *(f"{text};{label}" for text, label in zip(TEXTS, LABELS, strict=True))],
    "tabs": ["text\tlabel", *(f"{text}\t{label}" for text, label in zip(TEXTS, LABELS, strict=True))],
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
def test_a_label_in_each_line(read, tmp_path, lines):
    frame = read("a.txt", "\r\n".join(lines) + "\r\n")
    assert frame.to_dict("list") == {"text": TEXTS, "label": LABELS}
    assert [cells for _, cells in open_table(str(tmp_path / "a.txt")).rows()] == rows(frame)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DESC:manner How did it ?\nENTY:animal What is it ?\n", ["How did it ?", "DESC:manner"]),
        ("1 a stirring , funny\n0 bad , dull\n", ["a stirring , funny", "1"]),
        ("-1;so bad\n1;so good\n", ["so bad", "-1"]),
        ('"Great, ""really""",1\nbad,0\n', ['Great, "really"', "1"]),
    ],
)
def test_codes_numbers_and_quotes(read, line, expected):
    assert rows(read("a.txt", line * 4))[0] == expected


def test_a_line_without_label_keeps_its_text(read):
    lines = [f"text {number};{'joy' if number % 2 else 'fear'}" for number in range(30)]
    assert rows(read("a.txt", "\n".join([*lines, "no label here"])))[-1] == ["no label here", ""]


def test_several_labels_of_fasttext_are_refused(fails):
    content = "__label__a one\n__label__b two\n__label__a __label__b three\n"
    assert "line 3 has 2 labels: __label__a, __label__b" in fails("a.txt", content).problem


@pytest.mark.parametrize(
    "lines",
    [
        ["thanks @ann", "see you @bob", "thanks again @ann", "hello @bob"],
        ["1 mention", "2 mentions", "3 mentions", "4 mentions"],
        ["I like it; really", "I don't; really", "I do; so", "They do; so"],
        ["I saw it", "I did not", "The end", "The start"],
        ["mail a@example.org", "mail b@example.org", "mail c@example.com", "mail d@example.com"],
        ["so good :) ,yes", "so bad :( ,no", "well", "no, not that", "what else"],
    ],
)
def test_ordinary_texts_have_no_label(read, lines):
    assert read("a.txt", "\n".join(lines)).to_dict("list") == {"text": lines}
