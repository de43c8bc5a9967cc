"""Which columns hold the text and the label, by name, by number or by their cells."""

import pytest

from utils.tasks.columns import RequestedColumns, open_table_to_classify, read_rows
from utils.tasks.reviews import REVIEWS


@pytest.mark.parametrize(
    ("content", "text", "label"),
    [
        ("Review,Liked\ngood film,1\nbad film,0\n", "Review", "Liked"),
        ("good film\t1\nbad film\t0\nfine film\t1\nweak film\t0\n", "0", "1"),
        ("2\tgood film\n0\tbad film\n2\tfine film\n0\tweak film\n", "1", "0"),  # "2" is no name of a column here
    ],
)
def test_training_and_classifying_choose_the_same_columns(tmp_path, caplog, content, text, label):
    path = tmp_path / "a.csv"
    path.write_text(content)
    caplog.set_level("INFO")
    rows, _ = read_rows(REVIEWS, [str(path)], RequestedColumns())
    table, (text_at, label_at) = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert (table.columns[text_at], table.columns[label_at]) == (text, label)
    cells = [cells for _, cells in table.rows()]
    assert [row[text_at] for row in cells] == rows["text"].tolist()
    assert [row[label_at] for row in cells] == rows["label"].tolist()
    assert caplog.text.count(f"the text is in column {text!r}, the label in column {label!r}") == 2


def test_a_table_to_classify_may_have_no_label(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,good film\n2,bad film\n")
    _, positions = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert positions == (1, None)
