"""The requirements of every task."""

import string

import pandas as pd
import pytest

from utils.models.chat_templates import TEMPLATES
from utils.models.tokenization import apply_template
from utils.tasks.alpaca import ALPACA
from utils.tasks.emoji import EMOJI
from utils.tasks.kinds import KINDS
from utils.tasks.posts import to_rows
from utils.tasks.tasks import TASKS
from utils.tasks.tweets import TWEETS
from utils.text.cleaning import CHOICES


@pytest.fixture(params=sorted(TASKS))
def task(request):
    return TASKS[request.param]


def test_a_task_is_whole(task):
    assert TASKS[task.name] is task
    assert task.kind in KINDS
    assert task.summary
    assert "\n" not in task.summary
    assert len(task.split) == 3
    assert sum(task.split) == pytest.approx(1)
    assert min(task.split) > 0
    assert 0 <= task.min_words < (task.max_words or 10**9)
    if task.kind == "instruct":
        assert task.template in TEMPLATES
    else:
        assert [field for _, field, _, _ in string.Formatter().parse(task.template) if field is not None] == ["prompt"]
    if task.kind in ("instruct", "emoji"):
        assert task.cleaning is None
    else:
        assert all(getattr(task.cleaning, name) in choices for name, choices in CHOICES.items())
    assert all(name == name.lower().strip() for name in task.text_columns + task.label_columns)
    assert bool(task.label_columns) == (task.kind == "classify")
    assert not set(task.text_columns) & set(task.label_columns)


@pytest.mark.parametrize("infer_from_text", [True, False])
def test_raw_rows_become_rows_of_plain_columns(infer_from_text):
    frame = pd.DataFrame({"said": ["one two", None, "", float("nan")]})
    rows = to_rows(frame, "said", infer_from_text=infer_from_text)
    assert list(rows.columns) == [
        *("text", "group", "language", "is_reply", "is_retweet"),
        *("is_private", "is_cut", "is_completed", "content_warning", "id", "date", "user"),
    ]
    assert rows["text"].tolist() == ["one two", "", "", ""]


@pytest.mark.parametrize(
    ("name", "template", "kind"),
    [
        ("tweets", "{prompt}", "generate"),
        ("reviews", "Review: {prompt}\nSentiment:", "classify"),
        ("alpaca", "stanford", "instruct"),
        ("emoji", "Description: {prompt}\nEmoji:", "emoji"),
    ],
)
def test_golden_templates(name, template, kind):
    assert (TASKS[name].template, TASKS[name].kind) == (template, kind)


def test_every_task_has_its_golden_template():
    (marker,) = test_golden_templates.pytestmark
    assert {name for name, _, _ in marker.args[1]} == TASKS.keys()


def test_braces_in_a_prompt_are_text():
    assert apply_template("Q: {prompt}\nA:", "{x} {prompt}") == "Q: {x} {prompt}\nA:"
    assert apply_template(TWEETS.template, "") == ""


def test_alpaca_is_split_85_10_5_whatever_the_lengths():
    assert ALPACA.split == (0.85, 0.1, 0.05)
    assert (ALPACA.min_words, ALPACA.max_words) == (1, None)


def test_emoji_are_split_80_10_10_whatever_the_lengths():
    assert EMOJI.split == (0.8, 0.1, 0.1)
    assert (EMOJI.min_words, EMOJI.max_words) == (1, None)
