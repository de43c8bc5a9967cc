"""Several labels per text: the forms of cells, rare labels, the strata of the splits, and the targets of the model."""

import json
import logging

import pandas as pd
import pytest

from utils.errors import DataError, UserError
from utils.tasks.base import Task
from utils.tasks.columns import RequestedColumns, read_rows
from utils.tasks.kinds import MULTILABEL
from utils.tasks.label_kinds.label_sets import LABEL_SETS
from utils.tasks.reviews import REVIEWS

TASK: Task = REVIEWS.__class__(**{**vars(REVIEWS), "kind": MULTILABEL.name})
TEXTS = [f"a text with several words, number {number}" for number in range(4)]


def labels_of(path, label_column=None):
    rows, _ = read_rows(TASK, [str(path)], RequestedColumns(None, label_column))
    return rows["label"].tolist()


def test_cells_with_semicolons(tmp_path):
    cells = ["food;service", " Food ", "", ";"]
    pd.DataFrame({"text": TEXTS, "labels": cells}).to_csv(tmp_path / "a.csv", index=False)
    assert labels_of(tmp_path / "a.csv") == [("food", "service"), ("food",), "", ()]


@pytest.mark.parametrize("label_column", [None, "labels"])
def test_lists_of_a_json_file_and_as_python_writes_them(tmp_path, label_column):
    lists = [["food", "service"], ["price"], [], None]
    lines = [json.dumps({"text": text, "labels": each}) for text, each in zip(TEXTS, lists, strict=True)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    expected = [("food", "service"), ("price",), (), ""]
    assert labels_of(tmp_path / "a.jsonl", label_column) == expected
    pd.DataFrame({"text": TEXTS, "labels": lists}).to_csv(tmp_path / "a.csv", index=False)
    assert labels_of(tmp_path / "a.csv", label_column) == expected


def test_columns_of_yes_and_no(tmp_path):
    columns = {"text": TEXTS, "food": [1, 1, 0, 0], "service": ["yes", "no", "", "FALSE"], "price": [1.0, 0.0, 1.0, 0]}
    pd.DataFrame(columns).to_csv(tmp_path / "a.csv", index=False)
    expected = [("food", "price", "service"), ("food",), ("price",), ()]
    assert labels_of(tmp_path / "a.csv", "food, service,price") == expected
    assert labels_of(tmp_path / "a.csv", "1,2,3") == expected


@pytest.mark.parametrize(
    ("label_column", "problem"),
    [
        ("food,servise", "there is no column 'servise'; the columns are: 'text', 'food', 'service'"),
        ("food,service", "column 'service' holds 'maybe' in row 2, expected 0 or 1"),
        ("food,", "--label_column 'food,' has a comma without a column before or after it"),
    ],
)
def test_columns_that_are_not_there_or_say_neither_yes_nor_no(tmp_path, label_column, problem):
    pd.DataFrame({"text": TEXTS, "food": [1, 0, 1, 0], "service": ["1", "maybe", "0", "1"]}).to_csv(
        tmp_path / "a.csv", index=False
    )
    with pytest.raises(UserError) as raised:
        labels_of(tmp_path / "a.csv", label_column)
    assert raised.value.problem == problem


def test_a_label_in_a_list_must_not_have_the_separator(tmp_path):
    pd.DataFrame({"text": TEXTS, "labels": [["a;b"], ["c"], ["a"], []]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match="holds 'a;b' in row 1, expected a list of labels without ;"):
        labels_of(tmp_path / "a.csv", "labels")


def test_rare_labels_are_left_out_with_a_warning(caplog):
    labels = [("a", "rare"), ("a",), ("a", "b"), ("b",), ("b", "rare")]
    groups = [str(row) for row in range(5)]
    with caplog.at_level(logging.WARNING, logger="utils"):
        assert LABEL_SETS.prune(labels, groups) == [("a",), ("a",), ("a", "b"), ("b",), ("b",)]
    assert "labels of fewer than 3 texts are left out: 'rare'" in caplog.text
    assert LABEL_SETS.prune(labels, ["same"] * 5) == [()] * 5


def test_the_rarest_label_decides_the_split():
    assert LABEL_SETS.strata([("a", "b"), ("a",), ("a", "b"), ("a", "c"), ()]) == ["b", "a", "b", "c", ""]


def test_labels_that_teach_nothing_are_refused_and_single_ones_warned_of(caplog):
    with pytest.raises(DataError, match="all 2 rows left have the label 'a': no row shows"):
        LABEL_SETS.check([("a", "b"), ("a",)], ["1", "2"], "nothing")
    with pytest.raises(DataError, match="only the label 'a' is left: --labels multi needs two"):
        LABEL_SETS.check([("a",), ()], ["1", "2"], "nothing")
    with pytest.raises(DataError, match="no label is left"):
        LABEL_SETS.check([(), ()], ["1", "2"], "nothing")
    with caplog.at_level(logging.WARNING, logger="utils"):
        LABEL_SETS.check([("a",), ("b",)], ["1", "2"], "nothing")
    assert "every text has exactly one label" in caplog.text


def test_targets_say_which_labels_a_text_has():
    targets = LABEL_SETS.targets([("b", "c"), ()], ["a", "b", "c"], ())
    assert targets == [[0, 1, 1], [0, 0, 0]]
    assert [LABEL_SETS.text(target, ["a", "b", "c"], ()) for target in targets] == ["b; c", "no label"]


def test_an_audit_counts_each_label_and_the_texts_without_one():
    splits = {"train": [("a", "b"), ("b",), ()], "test": [("a",)]}
    assert LABEL_SETS.audit(splits) == {
        "labels": {"a": {"train": 1, "test": 1}, "b": {"train": 2, "test": 0}},
        "without_label": {"train": 1, "test": 0},
    }
