"""Escapes in files, as preprocess.py and classify.py read them."""

import pandas

from utils.tasks.columns import RequestedColumns, read_rows
from utils.tasks.escaped_cells import undo_in_column, without_escapes
from utils.tasks.tasks import TASKS


def test_a_file_full_of_escapes_is_read_without(tmp_path, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "reviews.csv"
    rows = [
        f"Lamp {number} is good.\\nI don\\u2019t regret it,{label}" for number in range(4) for label in ("pos", "neg")
    ]
    path.write_text("\n".join(["review,sentiment", *rows]) + "\n")
    frame, _ = read_rows(TASKS["reviews"], [str(path)], RequestedColumns())
    assert frame["text"][0] == "Lamp 0 is good.\nI don’t regret it"
    assert "column 'review': escapes such as \\n or \\u2019 are undone; 8 cells have them" in caplog.text


def test_missing_cells_stay_missing_and_other_columns_as_they_are():
    texts = pandas.Series([r"a\nb", None, r"c\nd", r"e\nf", ""], dtype="str")
    undone = without_escapes(texts, "text")
    assert undone.isna().tolist() == [False, True, False, False, False]
    assert undone.dropna().tolist() == ["a\nb", "c\nd", "e\nf", ""]
    plain = pandas.Series(["a", None], dtype="str")
    assert without_escapes(plain, "text") is plain
    assert undo_in_column(["C:\\new"], "text")("C:\\new") == "C:\\new"
