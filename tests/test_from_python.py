"""The scripts' functions for notebooks and programs: the answers of the command line, from models that stay loaded."""

import asyncio
import io
import json
import logging
import pickle
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest
from running import run_script
from small_classifiers import labeled_data, opinions
from small_models import processed_data
from training_runs import TEXTS, VALIDATION

import classify as classify_script
import generate as generate_script
from classify import classify
from evaluate_model import evaluate
from fine_tune import fine_tune
from generate import generate
from preprocess import preprocess
from utils.errors import DataError, UsageError, UserError
from utils.evaluation.report.page import render
from utils.models import checkpoint
from utils.processed import load_processed, save_processed

pytestmark = pytest.mark.usefixtures("_no_progress_bars")
SHORT = {"max_steps": 2, "device": "cpu", "precision": "fp32"}
EXACT = {"device": "cpu", "precision": "fp32"}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with `texts.pkl`, `labels.pkl`, and the models `writer` and `classifier`."""
    folder = tmp_path_factory.mktemp("work")
    save_processed(folder / "texts.pkl", processed_data(train=TEXTS, validation=VALIDATION, test=VALIDATION))
    rows = [(text, "01"[label == "pos"]) for text, label in opinions(32)]
    splits = {"train": rows[:16], "validation": rows[16:24], "test": rows[24:]}
    save_processed(folder / "labels.pkl", labeled_data(splits, ["0", "1"]))
    fine_tune(folder / "texts.pkl", output=folder / "writer", **SHORT)
    fine_tune(folder / "labels.pkl", output=folder / "classifier", **SHORT)
    return folder


def test_fine_tune_says_where_the_model_is_and_how_well_it_does(work, tmp_path, capfd):
    trained = fine_tune(work / "texts.pkl", model="tiny", output=tmp_path / "new", **SHORT)
    assert trained.path == tmp_path / "new"
    run = json.loads((trained.path / "run.json").read_text())
    assert trained.figures == run["results"] and trained.figures["steps"] == 2
    assert trained.log == [json.loads(line) for line in (trained.path / "log.jsonl").read_text().splitlines()]
    assert capfd.readouterr().out == ""
    assert len(repr(trained)) < 500
    shown = [tag for tag, _ in tags_of(trained._repr_html_())]
    assert (shown.count("code"), shown.count("svg")) == (1, 2)  # losses, and bits per byte
    assert generate("A", trained, max_new_tokens=2)[0]["prompt"] == "A"


def test_classify_is_what_the_script_prints(work, capsys):
    texts = ["good thing", "", "so bad"]
    records = classify(texts, work / "classifier", **EXACT)
    words = [word for text in texts for word in ("--text", text)]
    capsys.readouterr()
    assert run_script(classify_script.main, "--model_path", work / "classifier", *words, "--json", *_flags()) == 0
    assert records == [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert classify("good thing", work / "classifier", **EXACT) == classify(
        ["good thing"], work / "classifier", **EXACT
    )
    assert [record["label"] for record in classify([None, float("nan")], work / "classifier")] == [None, None]
    assert classify([], work / "classifier") == []


def test_generate_is_what_the_script_prints(work, capsys):
    flags = {"max_new_tokens": 8, "num_return_sequences": 2, "seed": 5}
    records = generate(["A cat", "Tea"], work / "writer", **EXACT, **flags)
    words = ["--prompt", "A cat", "--prompt", "Tea", "--max_new_tokens", 8, "--num_return_sequences", 2, "--seed", 5]
    capsys.readouterr()
    assert run_script(generate_script.main, "--model_path", work / "writer", *words, "--json", *_flags()) == 0
    assert records == [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert generate({"prompt": "Tea"}, work / "writer", greedy=True) == generate(
        "Tea", work / "writer", do_sample=False
    )


def test_evaluate_is_what_the_script_writes(work, tmp_path, capfd):
    evaluation = evaluate(work / "classifier", work / "labels.pkl", output_path=tmp_path / "figures.json", device="cpu")
    assert evaluation.figures == json.loads((tmp_path / "figures.json").read_text())
    assert evaluation.figures["kind"] == "classify"
    assert "macro F1" in repr(evaluation) and f"written: {tmp_path / 'figures.json'}" in repr(evaluation)
    assert capfd.readouterr().out == ""
    [(tag, attributes)] = tags_of(evaluation._repr_html_())
    assert tag == "iframe" and attributes["srcdoc"] == render(evaluation.figures)
    assert "<svg" in attributes["srcdoc"]


def tags_of(html: str) -> list[tuple[str, dict]]:
    """Return the elements that a browser would find, with their attributes."""
    found, parser = [], HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    parser.feed(html)
    return found


def test_preprocess_shows_its_audit(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "tweets.csv"
    rows = [f"{word} {number} is what the {word} said about weather" for number, word in enumerate(("cat", "dog") * 20)]
    table.write_text("\n".join(["text", *rows]), encoding="utf-8")
    data = preprocess(table, output="new.pkl", model="tiny", near_duplicates="off")
    assert data.path == Path("new.pkl")
    assert data.audit["rows_read"] == 40 and data.audit == load_processed(data.path).audit
    assert "rows read" in repr(data) and "written: new.pkl" in repr(data)
    assert capfd.readouterr() == ("", "")
    trained = fine_tune(data, output="model", **SHORT)
    assert "perplexity" in repr(evaluate(trained, data, num_samples=2, max_new_tokens=4))
    assert preprocess([table], model="tiny", near_duplicates="off").path == Path("data/processed.pkl")


def _flags() -> list[str]:
    return [word for name, value in EXACT.items() for word in (f"--{name}", value)]


def test_a_model_is_loaded_once(work, monkeypatch):
    loads = []
    load = checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda name, *rest: loads.append(name) or load(name, *rest))
    for _ in range(3):
        generate("x", work / "writer", max_new_tokens=2, seed=1, device="cpu", precision="auto")
        classify("x", work / "classifier", device="auto")
    assert len(loads) <= 2


def test_another_precision_does_not_change_the_model_of_the_next_call(work):
    before = generate("A cat", work / "writer", max_new_tokens=8, **EXACT)
    generate("A cat", work / "writer", max_new_tokens=8, device="cpu", precision="bf16")
    assert generate("A cat", work / "writer", max_new_tokens=8, **EXACT) == before


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda work: classify("x", work / "writer"), "python generate.py"),
        (lambda work: generate("x", work / "classifier"), "python classify.py"),
        (lambda work: classify([3], work / "classifier"), "text 1 is 3"),
        (lambda work: classify("x", work / "classifier", text=["y"]), "command line of classify.py"),
        (lambda work: generate("x", work / "writer", chat=True), "command line of generate.py"),
        (lambda work: generate([3], work / "writer"), "prompt 1"),
        (lambda work: generate("x", work / "writer", max_tokens=3), "did you mean 'max_new_tokens'"),
        (lambda work: generate("x", work / "writer", top_p=3), "top_p"),
        (lambda work: generate("x", work / "nothing"), "hint: "),
        (lambda work: evaluate(work / "writer", work / "labels.pkl"), "evaluate it on data of its own task"),
        (
            lambda work: evaluate(work / "writer", work / "texts.pkl", compare=["x"]),
            "command line of evaluate_model.py",
        ),
        (lambda work: preprocess(work / "nothing.csv", model="tiny", output=work / "new.pkl"), "nothing.csv"),
        (lambda work: preprocess(work / "x.csv", task="tweet", output=work / "new.pkl"), "'tweet'"),
        (lambda work: preprocess(work / "x.csv", scrape_only=True), "command line of preprocess.py"),
        (lambda work: fine_tune(work / "texts.pkl", output=work / "writer"), "--overwrite"),
        (lambda work: fine_tune(work / "nothing.pkl", output=work / "new"), "nothing.pkl"),
        (lambda work: fine_tune(work / "texts.pkl", output=work / "new", output_dir="x"), "contradicts"),
        (lambda work: fine_tune(work / "texts.pkl", output=work / "new", help=True), "unknown key 'help'"),
        (lambda work: fine_tune(work / "texts.pkl", output=work / "new", bf16=True, fp16=True), "contradicts"),
    ],
    ids=[
        *(
            "a writer",
            "a classifier",
            "a number",
            "text",
            "chat",
            "no prompt",
            "unknown",
            "value",
            "no model",
            "other data",
            "compare",
            "no file",
            "task",
            "scraping",
        ),
        *("there already", "no data", "twice", "help", "contradiction"),
    ],
)
def test_the_text_of_an_error_has_its_hint(work, call, said):
    with pytest.raises(UserError) as raised:
        call(work)
    assert said in str(raised.value)
    assert "\nhint: " in str(raised.value)


def test_errors_survive_another_process():
    for error in (UserError("a", "b"), UsageError("a", "b"), DataError("a", "b")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.hint) == (type(error), "a\nhint: b", "b")


def test_they_work_in_threads_and_in_a_running_event_loop(work, tmp_path):
    expected = classify(["good", "bad"], work / "classifier", **EXACT), generate("A", work / "writer", **EXACT)
    found = []

    def call(number):
        texts, prompts = ["good", "bad"], "A"
        found.append((classify(texts, work / "classifier", **EXACT), generate(prompts, work / "writer", **EXACT)))
        fine_tune(work / "texts.pkl", output=tmp_path / str(number), **SHORT)

    threads = [threading.Thread(target=call, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3
    assert all((tmp_path / str(number) / "run.json").is_file() for number in range(3))

    async def notebook():
        return classify(["good", "bad"], work / "classifier", **EXACT), generate("A", work / "writer", **EXACT)

    assert asyncio.run(notebook()) == expected


def test_they_log_as_a_library_does(work, tmp_path, capfd):
    logger, stream = logging.getLogger("utils"), io.StringIO()
    classify("good", work / "classifier", **EXACT)
    assert capfd.readouterr() == ("", "")
    handler = logging.StreamHandler(stream)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        fine_tune(work / "texts.pkl", output=tmp_path / "new", **SHORT)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert "base model tiny" in stream.getvalue() and "validation bits per byte" in stream.getvalue()
    assert capfd.readouterr().out == ""
