"""preprocess.py --task reviews: from labeled files of every kind to the processed pickle, with the model `tiny`."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest
from sentences import WORDS, sentence

import preprocess
from utils.models.base_models import resolve
from utils.models.opening.load import load_tokenizer
from utils.models.tokenization import tokenizer_fingerprint
from utils.process import run
from utils.tasks.tasks import TASKS

SAMPLE = Path(__file__).parent.parent.parent / "data" / "samples" / "reviews.csv"


def rows_of(*labels, each=10):
    """(text, label) of `each` rows of every label, in turn."""
    return [(sentence(number), labels[number % len(labels)]) for number in range(each * len(labels))]


def table(header, rows):
    """The text of a CSV file."""
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows] if header else rows)
    return text.getvalue()


@pytest.fixture
def call(tmp_path, capsys):
    """Run the script on a file of this content: exit code, stdout, stderr."""

    def calling(name, content, *words, task=("--task", "reviews")):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        words = ["--data", path, "--model", "tiny", "--output_path", tmp_path / "out" / "made.pkl", *task, *words]
        code = run(lambda: preprocess.main([str(word) for word in words]))
        return code, *capsys.readouterr()

    return calling


@pytest.fixture
def refused(call, tmp_path):
    """(problem, hint) of a run that fails with this exit code and writes nothing."""

    def failing(expected_code, *arguments):
        code, out, err = call(*arguments)
        assert (code, out) == (expected_code, ""), err
        *_, error, hint = err.splitlines()
        assert not list(tmp_path.glob("out/*"))
        assert "Traceback" not in err
        return error.removeprefix("error: "), hint.removeprefix("hint: ")

    return failing


def labels_of(processed):
    """Text → label of all three splits."""
    return {
        text: label
        for split in processed.splits.values()
        for text, label in zip(split.prompt, split.label, strict=True)
    }


# Output ---------------------------------------------------------------------------------------------------------------


def test_the_sample_reviews(made):
    data = made("reviews.csv", SAMPLE.read_bytes())
    audit = data.audit
    assert audit["rows_read"] == 70
    assert audit["dropped"] == {
        "no text": 1,
        "no label": 1,
        "conflicting labels": 2,
        "exact duplicate": 1,
        "near duplicate": 1,
    }
    assert audit["kept"] == {"train": 46, "validation": 6, "test": 12}
    each = {"train": 23, "validation": 3, "test": 6}
    assert audit["labels"] == {"negative": each, "positive": each}
    assert {name: Counter(split.label) for name, split in data.splits.items()} == {
        name: {"negative": number, "positive": number} for name, number in each.items()
    }

    found = labels_of(data)
    assert len(found) == 64
    assert found["👍👍👍"] == "positive"
    assert found["Best noodles in town, and the owner remembers your name 😊"] == "positive"
    assert found["Photos of the damage: Three cracks on arrival"] == "negative"
    assert found["Thank you for the quick exchange, the new one is perfect"] == "positive"
    assert not [text for text in found if text.startswith("It does what it says")]

    recipe = data.recipe
    assert [recipe[name] for name in ("task", "kind", "labels", "template", "label_map", "keep_conflicts")] == [
        *("reviews", "classify", ["negative", "positive"], TASKS["reviews"].template, None, False)
    ]
    assert (recipe["cleaning"]["emoji"], recipe["filters"]["min_tokens"], recipe["filters"]["max_tokens"]) == (
        *("keep", 1),
        None,
    )
    tokenizer = load_tokenizer(resolve("tiny"))
    assert data.tokenizer == {"name": "tiny", "fingerprint": tokenizer_fingerprint(tokenizer)}
    for split in data.splits.values():
        assert (set(split.completion), set(split.loss_start)) == ({""}, {0})
        assert len(split.metadata["id"]) == len(split)
        for text, ids in zip(split.prompt, split.ids, strict=True):
            assert tokenizer.decode(ids, skip_special_tokens=True) == f"Review: {text}\nSentiment:"


def test_the_report_has_the_labels(call):
    code, out, err = call("reviews.csv", SAMPLE.read_bytes(), "--json")
    assert code == 0
    assert json.loads(out)["labels"]["negative"] == {"train": 23, "validation": 3, "test": 6}
    lines = [" ".join(line.split()) for line in err.splitlines()]
    assert lines[0] == "read 70 rows; the text is in column 'Review', the label in column 'Label'"
    assert "label 32 50.0% positive: train 23, validation 3, test 6" in lines


def test_no_length_limit_by_default(made):
    long = " ".join(WORDS * 3000)
    content = table(["text", "label"], [*rows_of("0", "1"), (long, "1"), ("ok", "0")])
    assert {long, "ok"} < labels_of(made("a.csv", content)).keys()
    data = made("a.csv", content, "--min_words", 2, "--max_words", 100)
    assert data.audit["dropped"] == {"too short": 1, "too long": 1}


def test_every_class_is_in_every_split_however_rare(made):
    data = made("a.csv", table(["text", "label"], rows_of(*"aaaaaaaab", each=4)))
    assert data.audit["labels"] == {
        "a": {"train": 23, "validation": 3, "test": 6},
        "b": {"train": 2, "validation": 1, "test": 1},
    }


# Input ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        ("Review", "Label"),
        ("\ufeff Review ", " LABEL"),
        ("Review", "Liked"),
        ("reviewText", "overall"),
        ("text", "airline_sentiment"),
        ("sentence", "what it is"),
        ("what is said", "Sentiment"),
    ],
)
def test_columns_are_recognized_by_name(made, header):
    rows = rows_of("no", "yes")
    assert labels_of(made("a.csv", table(header, rows))) == dict(rows)


@pytest.mark.parametrize("wanted", [("said", "kind"), ("1", "3"), ("SAID", "3")])
def test_columns_are_chosen_by_name_or_number(made, wanted):
    rows = rows_of("0", "1")
    content = table(["text", "said", "label", "kind"], [("x", text, "y", label) for text, label in rows])
    assert labels_of(made("a.csv", content, "--text_column", wanted[0], "--label_column", wanted[1])) == dict(rows)


@pytest.mark.parametrize("name", ["uci.txt", "uci.tsv"])
@pytest.mark.parametrize("words", [(), ("--no_header",), ("--text_column", "0", "--label_column", "1")])
def test_headerless_text_tab_label(made, name, words):
    rows = rows_of("0", "1")
    rows[3] = ('"half a quote ' + rows[3][0], "1")
    rows[7] = ("before\u0085after " + rows[7][0], "1")
    rows[9] = ('he said "no" ' + rows[9][0], "1")
    data = made(name, "".join(f"{text}  \t{label}\n" for text, label in rows), *words)
    assert data.audit["rows_read"] == 20
    assert labels_of(data) == {text.replace("\u0085", " "): label for text, label in rows}


@pytest.mark.parametrize(
    "words", [(), ("--label_column", "0"), ("--label_column", "0", "--text_column", "1", "--no_header")]
)
def test_headerless_label_first(call, made, words):
    rows = rows_of("mauvais", "bon")
    content = "".join(f"{label}\t{text}\n" for text, label in rows)
    assert labels_of(made("a.tsv", content, *words)) == dict(rows)
    said = "the first line names no known column" in call("a.tsv", content, *words)[2]
    assert said == ("--no_header" not in words)


def test_headerless_csv_with_more_columns(made):
    rows = [(label, f"{number:05}", "NO_QUERY", text) for number, (text, label) in enumerate(rows_of("0", "4"))]
    assert labels_of(made("a.csv", table(None, rows))) == {text: label for label, _, _, text in rows}


def test_unknown_column_names_are_not_data(refused):
    rows = [(text, f"{text} too", label) for text, label in rows_of("0", "1")]
    problem, hint = refused(3, "a.csv", table(["said", "thought", "good"], rows))
    assert problem.startswith("no column looks like the text of reviews more than the others; texts are in 'said'; 'th")
    assert hint == "name it with --text_column"
    content = table(["said", "shop", "town"], [(text, "x", "y") for text, _ in rows_of("0", "1")])
    problem, hint = refused(3, "a.csv", content, "--text_column", "said")
    assert problem == "no column looks like the label of reviews; the columns are: 'said', 'shop', 'town'"
    assert hint == "name it with --label_column"


def test_two_columns_that_could_be_the_label(refused):
    content = table(None, [(*row, "xy"[number // 2 % 2]) for number, row in enumerate(rows_of("0", "1"))])
    problem, hint = refused(3, "a.csv", content)
    assert "columns '1', '2' all look like the label" in problem
    assert hint == "name it with --label_column"


def test_json_lines(made):
    rows = rows_of(1.0, 5.0)
    content = "".join(json.dumps({"review_text": text, "stars": stars}) + "\n" for text, stars in rows)
    data = made("a.jsonl", content)
    assert data.recipe["labels"] == ["1", "5"]
    assert labels_of(data) == {text: str(int(stars)) for text, stars in rows}


def test_tweets_with_sentiments(made):
    rows = [(f"@airline {text}", label, "") for text, label in rows_of("negative", "neutral", "positive")]
    rows[4] = ("RT @airline: " + rows[4][0].removeprefix("@airline "), rows[4][1], "")
    plain = {sentence(number): label for number, (_, label, _) in enumerate(rows)}
    assert labels_of(made("a.csv", table(["text", "airline_sentiment", "x"], rows))) == plain
    rows[5] = (rows[5][0], rows[5][1], "12345")
    content = table(["text", "airline_sentiment", "in_reply_to_status_id"], rows)
    data = made("a.csv", content)
    assert data.audit["dropped"] == {"reply": 1}
    assert labels_of(made("a.csv", content, "--keep_replies")) == plain


# Labels ---------------------------------------------------------------------------------------------------------------


def test_stars_become_classes(made, call):
    rows = rows_of("1.0", "2.0", "3.0", "4.0", "5.0")
    content = table(["reviewText", "overall"], rows)
    data = made("a.csv", content)
    assert data.recipe["labels"] == ["1", "2", "3", "4", "5"]
    data = made("a.csv", content, "--label_map", "1-2=0,4-5=1")
    assert data.audit["dropped"] == {"label not in the map": 10}
    assert (data.recipe["labels"], data.recipe["label_map"]) == (["0", "1"], "1-2=0,4-5=1")
    assert labels_of(data) == {text: str(int(stars > "3")) for text, stars in rows if stars != "3.0"}
    assert "does not name" in call("a.csv", content, "--label_map", "1=0,5=1")[2]


def test_a_class_of_the_map_without_rows_gives_a_warning(call):
    content = table(["text", "label"], rows_of("Good", "bad", "so so"))
    code, _, err = call("a.csv", content, "--label_map", "good=1,bad=0,none=2")
    assert code == 0
    assert "for the class '2'; the labels left out are: 'so so'" in err


def test_conflicting_labels_and_duplicates(made):
    rows = rows_of("0", "1")
    text = sentence(100)
    rows += [(text, "1"), (text.upper() + "!", "0"), (text, "1"), ("tie", "0"), ("tie.", "1")]
    rows += [(sentence(0) + " ok", "0"), (sentence(2) + " ok", "1"), (sentence(4).upper(), "0"), ("", "1"), ("x", "")]
    content = table(["text", "label"], rows)
    dropped = {"no text": 1, "no label": 1, "conflicting labels": 5, "exact duplicate": 1, "near duplicate": 1}
    data = made("a.csv", content)
    assert data.audit["dropped"] == dropped
    # One word can make the difference: a near duplicate with another label is a text of its own.
    assert labels_of(data) == {**dict(rows_of("0", "1")), sentence(2) + " ok": "1"}
    data = made("a.csv", content, "--keep_conflicts")
    assert data.audit["dropped"] == {**dropped, "conflicting labels": 3, "exact duplicate": 2}
    assert labels_of(data)[text] == "1"
    assert "tie" not in labels_of(data)


def test_threads_stay_together_with_labels(made):
    rows = [(text, label, f"thread {number // 3}") for number, (text, label) in enumerate(rows_of("0", "1", each=60))]
    data = made("a.csv", table(["text", "label", "conversation_id"], rows))
    groups = [set(split.group) for split in data.splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 40
    assert all(set(split.label) == {"0", "1"} for split in data.splits.values())


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "words", "problem", "hint"),
    [
        (
            "aaaaaaaaaa",
            (),
            "all 10 rows left have the label 'a': a classifier needs at least two classes",
            "another class",
        ),
        ("aaaabbbbcd", (), "class 'c' has 1 row left; class 'd' has 1 row left: too few", "--label_map a=a,b=b"),
        ("aaaabbbbcc", (), "class 'c' has 2 rows left: too few for train, validation and test", "add more rows"),
        ("1122nnnnnn", (), "mixes numbers and other labels: 'n', but also '1', '2' (first in row 1)", "n=n"),
        ("abcdefghij", (), "10 different values in 10 rows: 'a', 'b', 'c', 'd' and 6 more; is this", "--label_column"),
        ("aaaaabbbbb", ("--label_column", "lable"), "there is no column 'lable'; the columns are: 'text', 'l", "name"),
        ("aaaaabbbbb", ("--label_column", "2"), "there is no column '2'", "--label_column"),
        ("aaaaabbbbb", ("--label_map", "x=0,y=1"), "the labels there are: 'a', 'b'", "write the map for these"),
        (" " * 10, (), "all 10 rows were dropped: 10 no label", "is --label_column the right one?"),
    ],
)
def test_unusable_labels(refused, labels, words, problem, hint):
    content = table(["text", "label"], [(sentence(number), label) for number, label in enumerate(labels)])
    said, suggested = refused(3, "a.csv", content, *words)
    assert problem in said
    assert hint in suggested


def test_scores_are_not_classes_but_ranges_of_them_are(refused, made):
    rows = [(sentence(number), f"{number / 40:.3f}") for number in range(40)]
    problem, hint = refused(3, "a.csv", table(["text", "score"], rows))
    assert "column 'score' holds 40 different values in 40 rows" in problem
    assert "scores, not classes" in problem
    label_map = hint.partition('"')[2].rstrip('"')
    data = made("a.csv", table(["text", "score"], rows), "--label_map", label_map)
    assert labels_of(data) == {
        text: "positive" if float(score) >= 0.5 else "negative" for text, score in rows if not 0.49 < float(score) < 0.5
    }


@pytest.mark.parametrize(
    "rows",
    [
        [("a", 1), ("b", 2), ("a", 1), ("b", 3), ("b", 4), ("a", 5)],
        [("b", 5), ("a", 1), ("a", 4), ("a", 0), ("b", 1), ("a", 4), ("b", 2)],
    ],
)
def test_threads_that_would_leave_a_split_without_a_class_are_divided(made, rows):
    rows = [(sentence(number), label, f"thread {thread}") for number, (label, thread) in enumerate(rows)]
    data = made("a.csv", table(["text", "label", "thread_id"], rows))
    assert all(set(split.label) == {"a", "b"} for split in data.splits.values())
    assert data.audit["cleaned"]["in a group too large for one split, divided"] > 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--label_map", "1-3=0,3-5=1"), "--label_map: '3-5' overlaps with the range 1-3"),
        (("--label_map", "1:0"), "--label_map: '1:0' is not LABEL=CLASS"),
        (("--task", "tweets", "--label_map", "1=0,2=1"), "--label_map is for labeled texts"),
        (("--task", "tweets", "--keep_conflicts"), "--keep_conflicts is for labeled texts"),
        (("--label_column", "text", "--text_column", "text"), "column 'text' cannot be both the text and the label"),
    ],
)
def test_usage_errors(refused, words, problem):
    content = table(["text", "stars"], rows_of("1", "2")) if "--text_column" in words else ""  # empty is an error, too
    assert problem in refused(2, "a.csv", content, *words)[0]


def test_a_csv_that_grows_a_column(refused):
    content = table(["text", "label"], rows_of("0", "1")) + "one,two,three\n"
    assert "a.csv, line 22: 3 cells, but the first line has 2" in refused(3, "a.csv", content)[0]


# Beside tweets --------------------------------------------------------------------------------------------------------

HINT = "columns 'text' and 'sentiment' look like texts and labels; to classify: --task reviews"


def test_labeled_texts_without_a_task_give_a_hint(call):
    content = table(["text", "sentiment"], rows_of("0", "1"))
    code, _, err = call("a.csv", content, task=())
    assert (code, err.splitlines()[0]) == (0, HINT)
    assert HINT not in call("a.csv", content, task=("--task", "tweets"))[2]
    code, _, err = call("a.csv", content.replace("text", "Review"), task=())
    assert (code, err.splitlines()[0]) == (0, HINT.replace("text", "Review", 1))


def test_many_values_give_no_hint_about_labels(call):
    scores = table(["text", "score"], [(sentence(number), number) for number in range(40)])
    code, _, err = call("a.csv", scores, task=())
    assert (code, "to classify" in err) == (0, False)
