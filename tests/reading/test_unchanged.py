"""Files that another program changes while they are read: an error, and never fewer rows."""

import os

import pytest
from running import assert_one_error, run_script
from small_classifiers import save_classifier

import classify
import preprocess
from utils.errors import DataError
from utils.reading import read_frame
from utils.reading.table_stream import open_table

ROWS = 4_000  # more than are read ahead, and than are classified at once
CONTENT = "text,n\n" + "".join(f"text number {number} is here,{number}\n" for number in range(ROWS))


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def cut_a_row(path):
    os.truncate(path, len(CONTENT[: CONTENT.rindex("text number")]))


def empty(path):
    path.write_text("")


def grow(path):
    with path.open("a") as file:
        file.write("one more,1\n")


def replace(path):
    path.with_suffix(".new").write_text(CONTENT[: len(CONTENT) // 2])
    path.with_suffix(".new").replace(path)


def rewrite(path):
    path.write_text(CONTENT.replace("here", "gone"))


def remove(path):
    path.unlink()


CHANGES = (cut, cut_a_row, empty, grow, replace, rewrite, remove)
changes = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(CONTENT)
    os.utime(path, ns=(0, 0))  # so that every change shows in the time, too
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_classifier(tmp_path_factory.mktemp("models") / "binary", ["0", "1"])


@changes
def test_between_and_within_the_readings_of_a_stream(path, change):
    rows = open_table(str(path)).rows()
    next(rows)
    change(path)
    with pytest.raises(DataError):
        list(rows)


@pytest.mark.usefixtures("_no_progress_bars")
@changes
def test_classify_writes_nothing(path, change, model, monkeypatch, capsys):
    calls, before = [], classify.classify_texts

    def classify_texts(*arguments, **options):
        calls.append(len(calls))
        if len(calls) == 1:
            change(path)
        return before(*arguments, **options)

    monkeypatch.setattr(classify, "classify_texts", classify_texts)
    words = ("--model_path", model, "--data_path", path, "--output_path", path.with_name("out.csv"))
    assert run_script(classify.main, *words) == 3
    assert_one_error(capsys.readouterr().err, "in.csv")
    assert {file.name for file in path.parent.iterdir()} <= {"in.csv"}


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@changes
def test_preprocess_writes_nothing(path, change, ending, monkeypatch, capsys):
    source = path
    if ending == "jsonl":
        source = path.with_suffix(".jsonl")
        source.write_text("".join(f'{{"text": "{line}"}}\n' for line in CONTENT.splitlines()))
        path.unlink()
        os.utime(source, ns=(0, 0))
    before = read_frame._decode_bytes_literals

    def decode(*arguments):  # after the rows, before the checksum
        change(source)
        return before(*arguments)

    monkeypatch.setattr(read_frame, "_decode_bytes_literals", decode)
    output = path.with_name("out.pkl")
    assert run_script(preprocess.main, "--data_path", source, "--model", "tiny", "--output_path", output) == 3
    assert_one_error(capsys.readouterr().err, "in.")
    assert not output.exists()
