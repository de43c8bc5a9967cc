"""classify.py --escape_formulas: no cell of strangers runs in a spreadsheet, and nothing changes without it."""

import csv
import json

import pytest
from running import run_script
from small_classifiers import save_classifier

import classify
from utils.errors import UsageError

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", '"=1"', "＝1", "\u200b@x", "'=1"]
PLAIN = ["fine, really", "a = b", "x@y.org", "it's -5 degrees"]
LABELS = ["=cmd()", "@pos"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_classifier(tmp_path_factory.mktemp("models") / "hostile", LABELS)


@pytest.fixture
def cli(capsys):
    """Run classify.py in this process: (exit code, stderr)."""

    def call(*words) -> tuple[int, str]:
        return run_script(classify.main, "--precision", "fp32", *words), capsys.readouterr().err

    return call


@pytest.fixture
def data(tmp_path):
    """Write a file: its path."""

    def write(content: str, name: str = "in.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode())
        return path

    return write


def cells_of(path, delimiter=","):
    """The header and the rows as a spreadsheet splits them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file, delimiter=delimiter, strict=True)
    assert {len(row) for row in rows} == {len(header)}
    return header, rows


def assert_none_runs(header, rows, columns):
    assert all(cell.lstrip(' \u200b"“')[:1] not in set("=+-@＝＋－＠\t\r\n\0") for cell in header if cell)
    for row in rows:
        assert all(cell.lstrip(' \u200b"“')[:1] not in set("=+-@＝＋－＠\t\r\n\0") for cell in row[:columns] if cell)
        assert row[columns] in ["", *("'" + label for label in LABELS)]
        assert all(0 <= float(cell) <= 1 for cell in row[columns + 1 :] if cell)


@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), ("tsv", "\t"), ("csv", ";")])
def test_tables(cli, model, data, tmp_path, ending, delimiter):
    source = data("", f"in.{ending}")
    with source.open("w", encoding="utf-8", newline="") as file:
        rows = [[f"@{number}", text] for number, text in enumerate([*HOSTILE, *PLAIN])]
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["=id", "text"], *rows])
    out = tmp_path / f"out.{ending}"
    words = ("--model_path", model, "--data_path", source, "--text_column", "text", "--output_path", out)
    assert cli(*words, "--escape_formulas")[0] == 0
    header, found = cells_of(out, delimiter)
    assert header == ["'=id", "text", "prediction", "probability_=cmd()", "probability_@pos"]
    assert_none_runs(header, found, 2)
    assert [row[1] for row in found] == [*("'" + text for text in HOSTILE), *PLAIN]
    assert cli(*words)[0] == 0  # by default every column stays what it was
    header, plain = cells_of(out, delimiter)
    assert header[0] == "=id"
    assert [row[:2] for row in plain] == rows
    assert {row[2] for row in plain} <= {"", *LABELS}  # "@x" is cleaned away
    assert [row[3:] for row in plain] == [row[3:] for row in found]


def test_text_whose_quotes_are_text(cli, model, data, tmp_path):
    """A spreadsheet would take the quotes away, and begin another row at the lone line end."""
    source = data('id\ttext\n1\t"=1+1"\n2\twait\r=2\n3\tplain\n', "in.tsv")
    out = tmp_path / "out.tsv"
    assert cli("--model_path", model, "--data_path", source, "--output_path", out, "--escape_formulas")[0] == 0
    header, rows = cells_of(out, "\t")
    assert_none_runs(header, rows, 2)
    assert [row[1] for row in rows] == ['\'"=1+1"', "wait\r=2", "plain"]


def test_json_lines_with_control_characters(cli, model, data, tmp_path):
    texts = ["\0=1", "\t=1", "\r=1", "\n=1", "\0", "plain"]
    source = data(
        "".join(json.dumps({"text": text, "=n": number}) + "\n" for number, text in enumerate(texts)), "in.jsonl"
    )
    out = tmp_path / "out.csv"
    assert cli("--model_path", model, "--data_path", source, "--output_path", out, "--escape_formulas")[0] == 0
    header, rows = cells_of(out)
    assert header[1] == "'=n"
    assert_none_runs(header, rows, 2)


def test_scores_below_zero_stay_numbers(cli, data, tmp_path):
    regression = save_classifier(tmp_path / "scores", ["a", "b"])
    config = json.loads((regression / "config.json").read_text())
    (regression / "config.json").write_text(json.dumps(config | {"problem_type": "regression"}))
    (regression / "run.json").unlink()
    out = tmp_path / "out.csv"
    words = ("--data_path", data("text\n-1\nfine\n"), "--output_path", out, "--escape_formulas")
    assert cli("--model_path", regression, *words)[0] == 0
    header, rows = cells_of(out)
    assert header[2:] == ["score_a", "score_b"]
    numbers = [cell for row in rows for cell in row[2:]]
    assert min(map(float, numbers)) < 0
    assert rows[0][0] == "'-1"


def test_it_is_for_files(cli):
    code, err = cli("--text", "x", "--escape_formulas")
    assert code == 2
    assert "--escape_formulas is for files" in err
    with pytest.raises(UsageError, match="escape_formulas"):
        classify.classify("x", escape_formulas=True)
