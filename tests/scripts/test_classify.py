"""classify.py as its users meet it: typed texts, pipes and files; columns kept and added, counts and refusals."""

import contextlib
import csv
import io
import json
import os
import resource
import subprocess
import sys
import threading
import time
from _thread import interrupt_main
from pathlib import Path

import pytest
from running import assert_one_error, run_script
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support
from small_classifiers import save_classifier

import classify
from utils.inference.classifier import classify_texts, open_classifier

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

ROOT = Path(classify.__file__).parent


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A classifier that knows the labels 0 and 1."""
    return save_classifier(tmp_path_factory.mktemp("models") / "binary", ["0", "1"])


@pytest.fixture(scope="module")
def topics(tmp_path_factory) -> Path:
    """A classifier that knows three topics."""
    return save_classifier(tmp_path_factory.mktemp("models") / "topics", ["food", "price", "staff"])


@pytest.fixture
def cli(capsys):
    """Run classify.py in this process: (exit code, stdout, stderr)."""

    def call(*words) -> tuple[int, str, str]:
        code = run_script(classify.main, "--precision", "fp32", *words)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def data(tmp_path):
    """Write a file: its path."""

    def write(content: str, name: str = "reviews.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode())
        return path

    return write


@pytest.fixture
def pipe_in(monkeypatch):
    """Let another program write these bytes to stdin."""
    return lambda content: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def expected(model: Path, texts: list[str]):
    return classify_texts(open_classifier(str(model)), texts)


def rows_of(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


# Texts ----------------------------------------------------------------------------------------------------------------


def test_typed_texts_get_a_line_each(cli, model):
    texts = ["I love it", "  so\nbad ", "x" * 60 + " " + "y" * 40]
    code, out, err = cli("--model_path", model, *(word for text in texts for word in ("--text", text)))
    found = expected(model, texts)
    shares = [f"probability of 0: {row[0]:.3f}, of 1: {row[1]:.3f}" for row in found.probabilities]
    shown = ["I love it", "so bad", "x" * 60 + " " + "y" * 18 + "…"]
    assert code == 0
    assert out.splitlines() == [
        f"{label}  {share}  {text}" for label, share, text in zip(found.labels, shares, shown, strict=True)
    ]
    assert "1 of 3 texts were cut to 64 tokens" in err
    assert err.splitlines()[-2].split() == ["0", str(found.labels.count("0")), f"{found.labels.count('0') / 3:.1%}"]


def test_json_has_the_text_as_it_was_given(cli, topics):
    code, out, err = cli("--model_path", topics, "--json", "--text", " Très  bon 😀")
    (row,) = expected(topics, [" Très  bon 😀"]).probabilities.tolist()
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "text": " Très  bon 😀",
        "label": ["food", "price", "staff"][row.index(max(row))],
        "probabilities": dict(zip(["food", "price", "staff"], row, strict=True)),
    }
    assert "😀" in out


def test_stdin_holds_a_text_a_line(cli, model, pipe_in):
    pipe_in("\ufeffun été\r\n\nein Wort\x85 zwei\n".encode() + b"th\xe9\n")
    code, out, err = cli("--model_path", model, "--json")
    records = [json.loads(line) for line in out.split("\n")[:-1]]
    assert code == 0
    assert [record["text"] for record in records] == ["un été", "", "ein Wort\x85 zwei", "thé"]
    assert records[1] == {"text": "", "label": None, "probabilities": None}
    assert records[3]["label"] == expected(model, ["thé"]).labels[0]
    assert "1 of 4 texts are empty" in err


def test_every_line_of_stdin_is_answered_before_the_next_one_is_read(cli, model, monkeypatch, capsys):
    answered = []

    class Lines(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            answered.append(capsys.readouterr().out)
            line = [b"one\n", b"two\n", b""][len(answered) - 1]
            buffer[: len(line)] = line
            return len(line)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Lines())))
    code, *_ = cli("--model_path", model)
    assert code == 0
    assert [output.split()[-1:] for output in answered] == [[], ["one"], ["two"]]


def test_stdin_takes_the_lines_of_generate_json(cli, model, pipe_in):
    pipe_in(b'{"prompt": "so", "text": " bad", "full_text": "so bad"}\n{"text": "good"}\n{so} {}\n{}\n')
    code, out, _ = cli("--model_path", model, "--json")
    assert code == 0
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["so bad", "good", "{so} {}", "{}"]
    pipe_in(b'one\n{"prompt": "so", "answer": 1}\n')
    code, _, err = cli("--model_path", model)
    assert code == 3
    assert_one_error(err, "stdin, line 2", "'prompt', 'answer'")


def test_a_text_that_cleaning_empties_has_no_label_and_emoji_alone_are_a_text(cli, model):
    code, out, err = cli("--model_path", model, "--text", "https://example.com", "--text", "😀")
    lines = out.splitlines()
    assert (code, lines[0]) == (0, "–  no text  https://example.com")
    assert lines[1].split()[0] == expected(model, ["😀"]).labels[0]
    assert "1 of 2 texts are empty, or become empty in cleaning" in err


def test_a_text_of_100_000_characters_is_cut_and_counted(cli, model, data):
    path = data("text\n" + "long " * 20_000 + "\nshort\n")
    code, out, err = cli("--model_path", model, "--data_path", path, "--json")
    assert (code, json.loads(out)["truncated"]) == (0, 1)
    assert "1 of 2 texts were cut to 64 tokens" in err


# Files ----------------------------------------------------------------------------------------------------------------


def test_all_columns_and_rows_are_kept_and_the_answers_added(cli, model, data, tmp_path):
    content = (
        'id, Text ,when\r\n007,"one, ""two""\nthree",2020-01-01\r\n1e5,,NA\r\n,@you,\r\n9007199254740993,four,\r\n'
    )
    path, output = data(content), tmp_path / "new" / "predictions.csv"
    code, out, err = cli("--model_path", model, "--data", path, "--output_path", output)
    found = expected(model, ['one, "two"\nthree', "four"])
    answers = [
        [label, *(f"{p:.6f}" for p in row)] for label, row in zip(found.labels, found.probabilities, strict=True)
    ]
    assert (code, out) == (0, f"{output}\n")
    assert rows_of(output) == [
        ["id", " Text ", "when", "prediction", "probability_0", "probability_1"],
        ["007", 'one, "two"\nthree', "2020-01-01", *answers[0]],
        ["1e5", "", "NA", "", "", ""],
        ["", "@you", "", "", "", ""],
        ["9007199254740993", "four", "", *answers[1]],
    ]
    assert "2 of 4 texts are empty" in err
    assert list(output.parent.iterdir()) == [output]
    assert path.read_bytes() == content.encode()


def test_a_table_that_is_piped_in(cli, model, pipe_in, tmp_path):
    rows = [["id", "text", "label"], ["7", "so good", "1"], ["8", "so, so", "0"]]
    pipe_in("\n".join(map("|".join, rows)).encode())
    output = tmp_path / "predictions.csv"
    assert cli("--model_path", model, "--data_path", "-", "--output_path", output)[0] == 0
    assert [row[:3] for row in rows_of(output, "|")] == [
        ["id", "text", "label"],
        ["7", "so good", "1"],
        ["8", "so, so", "0"],
    ]


def test_the_summary_of_a_file(cli, model, data):
    texts = ["good", "bad", "so so", "never", "a b c"]
    path = data("text\n" + "\n".join(texts) + "\n")
    code, out, err = cli("--model_path", model, "--data_path", path, "--json")
    labels = expected(model, texts).labels
    assert (code, json.loads(out)) == (
        0,
        {
            "output_path": str(path.with_name("reviews.predictions.csv")),
            "rows": 5,
            "without_text": 0,
            "truncated": 0,
            "predicted": {label: labels.count(label) for label in "01"},
            "scores": None,
        },
    )
    zeros = labels.count("0")
    assert ["0", str(zeros), f"{zeros / 5:.1%}"] in [line.split() for line in err.splitlines()]


def test_more_rows_than_are_classified_at_once_keep_their_order(cli, model, data):
    count = 2 * classify.ROWS_AT_ONCE + 10
    path = data("n,text\n" + "".join(f"{number},{'ab' * (number % 9)} {number}\n" for number in range(count)))
    assert cli("--model_path", model, "--data_path", path)[0] == 0
    rows = rows_of(path.with_name("reviews.predictions.csv"))[1:]
    assert [row[0] for row in rows] == [str(number) for number in range(count)]
    picked = [3, classify.ROWS_AT_ONCE - 1, classify.ROWS_AT_ONCE, count - 1]
    assert [rows[number][2] for number in picked] == expected(model, [rows[number][1] for number in picked]).labels


def test_scores_are_those_of_scikit_learn(cli, topics, data):
    texts = [f"text {number} " + "good bad "[number % 9 :] for number in range(60)]
    truth = [["food", "price"][number % 2] for number in range(60)]
    rows = [f"{text},{label}" for text, label in zip(texts, truth, strict=True)]
    path = data("review,label\n" + "\n".join([*rows, "no label,", "unknown,dogs", "unknown,cats", ",food"]) + "\n")
    code, out, err = cli("--model_path", topics, "--data_path", path, "--json")
    labels = expected(topics, texts).labels
    scores = json.loads(out)["scores"]
    present = sorted({*truth, *labels})
    figures = precision_recall_fscore_support(truth, labels, labels=present, zero_division=0)
    assert code == 0
    assert scores["rows"] == 60
    assert scores["accuracy"] == pytest.approx(accuracy_score(truth, labels))
    assert scores["macro_f1"] == pytest.approx(f1_score(truth, labels, average="macro", zero_division=0))
    assert scores["unknown_labels"] == 2
    for label, *values in zip(present, *figures, strict=True):
        assert list(scores["per_label"][label].values()) == pytest.approx(values)
    assert "2 rows have labels that the model does not have ('dogs', 'cats'; it has 'food', 'price', 'staff')" in err
    assert f"accuracy {scores['accuracy']:.3f}, macro F1 {scores['macro_f1']:.3f} on 60 labeled rows" in err


def test_numbers_as_labels_are_compared_as_numbers(cli, model, data):
    path = data("text,stars\na,1.0\nb,0\nc, 1 \nd,nan\n")
    labels = expected(model, ["a", "b", "c"]).labels
    scores = json.loads(cli("--model_path", model, "--data_path", path, "--json")[1])["scores"]
    assert (scores["rows"], scores["accuracy"]) == (3, pytest.approx(accuracy_score(["1", "0", "1"], labels)))


def test_labels_of_another_kind_give_no_scores_and_one_line_says_why(cli, model, data):
    path = data("text,rating\n" + "".join(f"a,{label}\n" for label in "fghijkl"))
    code, out, err = cli("--model_path", model, "--data_path", path, "--json")
    assert (code, json.loads(out)["scores"]) == (0, None)
    assert [line for line in err.splitlines() if "scores" in line] == [
        "warning: no scores for column 'rating': 7 rows have labels that the model does not have "
        "('f', 'g', 'h', 'i', 'j', …; it has '0', '1')"
    ]


def test_stars_are_no_right_answers_for_zero_and_one_unless_asked_for(cli, model, data):
    path = data("text,stars\na,1\nb,5\nc,4\n")
    words = ["--model_path", model, "--data_path", path, "--json"]
    assert json.loads(cli(*words)[1])["scores"] is None
    assert json.loads(cli(*words, "--label_column", "stars")[1])["scores"]["rows"] == 1


def test_the_label_map_of_training_makes_classes_of_stars(cli, tmp_path, data):
    mapped = save_classifier(tmp_path / "mapped", ["0", "1"], label_map="1-2=0,4-5=1")
    path = data("text,stars\na,1\nb,5.0\nc,3\nd,4\ne,\n")
    labels = expected(mapped, ["a", "b", "d"]).labels
    code, out, err = cli("--model_path", mapped, "--data_path", path, "--json")
    scores = json.loads(out)["scores"]
    assert code == 0
    assert (scores["rows"], scores["unknown_labels"]) == (3, 0)
    assert scores["accuracy"] == pytest.approx(accuracy_score(["0", "1", "1"], labels))
    assert "does not have" not in err


def test_columns_that_are_there_already_are_kept_beside_the_new_ones(cli, model, data):
    path = data("text,Prediction,probability_0,prediction_2\na,x,y,z\n")
    code, _, err = cli("--model_path", model, "--data_path", path)
    header, row = rows_of(path.with_name("reviews.predictions.csv"))
    assert code == 0
    assert header[4:] == ["prediction_3", "probability_0_2", "probability_1"]
    assert row[:4] == ["a", "x", "y", "z"]
    assert "there is a column 'probability_0' already; the new one is 'probability_0_2'" in err


def test_files_without_a_header_are_known_by_their_labels(cli, model, data):
    content = '"Good" film\t1\nbad, very bad\t0\nan "open one\t1\nso so\t0\n'
    truth = ["1", "0", "1", "0"]
    texts = ['"Good" film', "bad, very bad", 'an "open one', "so so"]
    labels = expected(model, texts).labels
    path = data(content, "labelled.txt")
    for words in ([], ["--no_header"], ["--no_header", "--text_column", "0", "--label_column", "1"]):
        code, out, _ = cli("--model_path", model, "--data_path", path, "--json", *words)
        assert (code, json.loads(out)["scores"]["accuracy"]) == (0, accuracy_score(truth, labels))
        rows = rows_of(path.with_name("labelled.predictions.csv"))
        assert rows[0] == ["0", "1", "prediction", "probability_0", "probability_1"]
        assert [row[:3] for row in rows[1:]] == [list(row) for row in zip(texts, truth, labels, strict=True)]


def test_tab_separated_text_keeps_its_quotes(cli, model, data, tmp_path):
    path = data('tweet\tid\n"quoted" one\t1\n', "tweets.tsv")
    output = tmp_path / "out.tsv"
    assert cli("--model_path", model, "--data_path", path, "--output_path", output)[0] == 0
    lines = output.read_text("utf-8").splitlines()
    assert lines[0] == "tweet\tid\tprediction\tprobability_0\tprobability_1"
    assert lines[1].startswith('"quoted" one\t1\t')


def test_a_byte_order_mark_and_json_lines(cli, model, data):
    assert cli("--model_path", model, "--data_path", data("\ufefftext;n\né;1\n"))[0] == 0
    written = data("").with_name("reviews.predictions.csv").read_bytes()
    assert written.startswith("\ufefftext;n;prediction;probability_0;probability_1\né;1;".encode())
    path = data('{"content": "a", "n": 1}\n{"content": null, "n": 2}\n', "posts.jsonl")
    assert cli("--model_path", model, "--data_path", path)[0] == 0
    assert rows_of(path.with_name("posts.predictions.csv"))[2] == ["", "2", "", "", ""]


# Errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--text", "a", "--data_path", "a.csv"], "--text and --data_path are both given"),
        (["--text", "a", "--output_path", "a.csv"], "--output_path is for files"),
        (["--text", "a", "--label_column", "a"], "--label_column is for files"),
        (["--text", "caf\udce9"], "is not valid UTF-8"),
        (["--data_path", "a.csv", "--output_path", "a.jsonl"], "neither .csv nor .tsv"),
        (["--data_path", "hf://user/name"], "is not a file"),
        (["--data_path", "-"], "stdin has no name"),
        (["--texts", "a"], "unknown flag --texts"),
    ],
)
def test_usage_errors(cli, words, problem):
    code, out, err = cli("--model_path", "missing.pt", *words)
    assert (code, out) == (2, "")
    assert_one_error(err, problem)


def test_nothing_to_classify(cli, monkeypatch, pipe_in):
    pipe_in(b"")
    code, _, err = cli("--model_path", "missing.pt")
    assert code == 3
    assert_one_error(err, "stdin holds no text")
    main, terminal = os.openpty()
    with os.fdopen(main), os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        code, _, err = cli("--model_path", "missing.pt")
    assert code == 2
    assert "--data_path" in assert_one_error(err, "nothing to classify")


@pytest.mark.parametrize(
    ("content", "words", "problem"),
    [
        ("text,label\na,1\nb,0,new\n", [], "line 3: 3 cells, but the first line has 2"),
        ("text,label\na,1\n", ["--text_column", "review"], "no column 'review'; the columns are: 'text', 'label'"),
        ("text,label\na,1\n", ["--label_column", "stars"], "no column 'stars'; the columns are: 'text', 'label'"),
        ("one,two\na,b\n", [], "no column looks like the text of reviews; the columns are: 'one', 'two'"),
        ("one,two\n" + "a,1\nb,0\n" * 9, [], "no column looks like the text of reviews"),
        ("text,label\n,1\n ,0\n", [], "column 'text' holds no text in any of 2 rows"),
        ("text,label\n", [], "holds no rows"),
        ("", [], "is empty"),
    ],
)
def test_bad_data_is_found_before_the_model_is_loaded_and_nothing_is_written(cli, data, content, words, problem):
    path = data(content)
    code, out, err = cli("--model_path", "missing.pt", "--data_path", path, *words)
    assert (code, out) == (3, "")
    assert_one_error(err, problem)
    assert list(path.parent.iterdir()) == [path]


def test_text_and_label_in_one_column(cli, data):
    code, _, err = cli("--data_path", data("text\na\n"), "--text_column", "text", "--label_column", "text")
    assert code == 2
    assert_one_error(err, "cannot be both the text and the label")


def test_the_input_is_never_the_output(cli, data, tmp_path, monkeypatch):
    path = data("text\na\n")
    (tmp_path / "link.csv").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    for output in (path, "./reviews.csv", f"../{tmp_path.name}/reviews.csv", "link.csv"):
        code, _, err = cli("--model_path", "missing.pt", "--data_path", path, "--output_path", output)
        assert code == 2
        assert_one_error(err, "which is read")
    assert path.read_text() == "text\na\n"


def test_an_unwritable_output_is_found_before_any_work(cli, data):
    path = data("text,label\nnot, even, read\n")
    code, _, err = cli("--data_path", path, "--output_path", path / "out.csv")
    assert code == 1
    assert_one_error(err, "cannot write")


def test_models_that_write_and_models_that_are_missing(cli, data, tmp_path):
    path = data("text\na\n")
    code, _, err = cli("--model_path", "tiny", "--data_path", path)
    assert code == 1
    assert "generate.py --model_path tiny" in assert_one_error(err, "writes texts")
    code, _, err = cli("--model_path", tmp_path / "model.pt", "--text", "a")
    assert code == 1
    assert_one_error(err, f"there is no model at {tmp_path / 'model.pt'}")
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_predictions(cli, model, data, tmp_path):
    path = data("text\n" + "a text\n" * 5000)
    output = tmp_path / "out.csv"
    output.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        code, out, err = cli("--model_path", model, "--data_path", path, "--output_path", output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, out, output.read_text()) == (1, "", "old")
    assert_one_error(err, f"cannot write {output}: File too large")
    assert {file.name for file in tmp_path.iterdir()} == {"reviews.csv", "out.csv"}


def test_an_interruption_leaves_nothing_half_written(cli, model, data):
    path = data("text\n" + "a text that is long enough\n" * 60_000)

    def interrupt_once_rows_are_written():
        size = 0
        while not size:
            time.sleep(0.001)
            with contextlib.suppress(FileNotFoundError):  # check_writable makes one and removes it
                size = sum(part.stat().st_size for part in path.parent.glob(".*.part"))
        interrupt_main()

    threading.Thread(target=interrupt_once_rows_are_written, daemon=True).start()
    code, out, err = cli("--model_path", model, "--data_path", path)
    assert (code, out, err.splitlines()[-1]) == (130, "", "interrupted")
    assert list(path.parent.iterdir()) == [path]


def test_help_and_usage_errors_do_not_wait_for_torch():
    code = (
        "import sys, classify\n"
        "from utils.process import run\n"
        "try:\n"
        "    code = run(lambda: classify.main(sys.argv[1:]))\n"
        "except SystemExit as exit_:\n"
        "    code = exit_.code\n"
        "print(code, sorted({'torch', 'transformers', 'pandas', 'numpy', 'sklearn'} & set(sys.modules)))\n"
    )
    for words, last in (["--help"], "0 []"), (["--text", "a", "--no_header"], "2 []"):
        done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == last
    done = subprocess.run([sys.executable, "classify.py", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.count("python classify.py --model_path models/reviews") == 2
