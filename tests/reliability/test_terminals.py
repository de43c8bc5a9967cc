"""Texts, labels and names of strangers on a terminal: no script writes a control character there that they hold."""

import csv
import itertools
import json
import random
import re
import sys
from pathlib import Path

import pytest
from running import run_script
from terminals import on_terminal

import classify
import evaluate_model
import fine_tune
import generate
import preprocess
from utils.process import run

CASES = {
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "color": "\x1b[31m",
    "report": "\x1b[6n\x05",
    "c1": "\x9b31m\x90q\x9c\x85",
    "delete": "\x7f\x08\x08",
    "return": "good\rbad",
    "shift": "\x0e\x0f\x0b\x0c",
    "override": "\u202egnp.exe\u202c",
    "isolate": "\u2066x\u2069\u2028\u2029",
    "up": "\x1b[A\x1b[2K",
}
EVIL = "x" + "".join(CASES.values()) + "y"
NAME = EVIL.replace("/", "")[:80]
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
BARS = re.compile(
    r"\r(?= *(?:\r|\n|\x1b\[A|$)|[a-z, ]*:? *\d+%\||training \||[a-z]*:? *\d+ (?:rows|texts|steps|trials) ?\[)"
    r"|(?<= {70})\r|\n+(?:\x1b\[A)+|\x1b\[A"
)


def on_hostile_terminal(main, *words: object, code: int = 0, typed: str = "") -> str:
    """Run a script on a terminal; assert that only its bars move the cursor; return what it wrote."""
    found, written = on_terminal(run_script, main, *words, typed=typed)
    assert found == code, written
    for piece in FORBIDDEN.finditer(BARS.sub("", written)):
        raise AssertionError(ascii(piece.string[max(0, piece.start() - 200) : piece.end()]))
    return written


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Labeled texts, instructions, pickles and models, all with hostile names, labels and texts."""
    folder = tmp_path_factory.mktemp("hostile")
    words, rows = ["".join(letters) for letters in itertools.product("abcdefghij", repeat=3)], random.Random(0)
    texts = [" ".join(rows.sample(words, 60)) + EVIL for _ in range(90)]
    with (folder / f"{NAME}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow([f"text {EVIL}", f"label {EVIL}", f"other {EVIL}"])
        writer.writerows([text, f"{'pos' if place % 2 else 'neg'} {EVIL}", EVIL] for place, text in enumerate(texts))
    lines = [json.dumps({"instruction": text[:40] + EVIL, "output": text[40:]}) for text in texts]
    (folder / f"{NAME}.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture
def here(folder, monkeypatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


TEXTS = ("--data_path", f"{NAME}.csv", "--text_column", f"text {EVIL}", "--special_characters", "keep")
REVIEWS = ("--task", "reviews", "--label_column", f"label {EVIL}")
TRAIN = ("--model", "tiny", "--max_steps", 2, "--precision", "fp32")


def test_from_the_files_to_the_figures(here):
    made = ("--output_path", f"{NAME}.pkl", "--model", "tiny")
    assert "pos" in on_hostile_terminal(preprocess.main, *TEXTS, *REVIEWS, *made, "--json")
    out = on_hostile_terminal(fine_tune.main, "--data", f"{NAME}.pkl", *TRAIN, "--output_path", NAME)
    assert r"\x1b]0;owned\x07" in out
    model = ("--model_path", NAME)
    on_hostile_terminal(classify.main, *model, "--text", EVIL, "--text", "y")
    on_hostile_terminal(classify.main, *model, "--text", EVIL, "--json")
    out = on_hostile_terminal(classify.main, *model, *TEXTS[:4], "--label_column", f"other {EVIL}")
    assert "labels that the model does not have" in out
    evaluation = ("--data", f"{NAME}.pkl", "--errors_path", f"{NAME}.csv2")
    assert "mistakes" in on_hostile_terminal(evaluate_model.main, *model, *evaluation)
    on_hostile_terminal(evaluate_model.main, "--compare", f"{NAME}/evaluation.json", f"{NAME}/evaluation.json")


def test_models_that_write(here):
    on_hostile_terminal(preprocess.main, *TEXTS, "--output_path", f"{NAME}.texts.pkl", "--model", "tiny")
    on_hostile_terminal(fine_tune.main, "--data", f"{NAME}.texts.pkl", *TRAIN, "--output_path", f"{NAME}.pt")
    words = ("--max_new_tokens", 30, "--prompt", EVIL, "--num_return_sequences", 3)
    for further in (["--compare_base"], ["--json", "--output_path", f"{NAME}.out.jsonl"]):
        assert "owned" in on_hostile_terminal(generate.main, "--model_path", f"{NAME}.pt", *words, *further)


def test_a_chat(here):
    made = ("--task", "alpaca", "--output_path", f"{NAME}.chat.pkl", "--model", "tiny", "--data_path", f"{NAME}.jsonl")
    on_hostile_terminal(preprocess.main, *made)
    on_hostile_terminal(fine_tune.main, "--data", f"{NAME}.chat.pkl", *TRAIN, "--output_path", f"{NAME}.chat")
    typed = f"hello\n/save {here}/nowhere\u202e/chat.jsonl\n/x\x9b31m\n/save saved\n/quit\n"
    words = ("--model_path", f"{NAME}.chat", "--chat", "--max_new_tokens", 60)
    out = on_hostile_terminal(generate.main, *words, typed=typed)
    assert r"nowhere\u202e" in out
    assert r"no command /x\x9b31m" in out


ERRORS = {
    "missing": (preprocess.main, ["--data_path", f"{NAME}x.csv"], 3),
    "column": (preprocess.main, ["--data_path", f"{NAME}.csv", "--text_column", EVIL], 3),
    "flag": (preprocess.main, [f"--data{EVIL}", "x"], 2),
    "choice": (preprocess.main, ["--data_path", "x", "--task", EVIL], 2),
    "number": (preprocess.main, ["--data_path", "x", "--max_rows", EVIL], 2),
    "stray": (classify.main, [EVIL], 2),
    "key": (preprocess.main, ["--config", "hostile.yaml"], 2),
    "model": (generate.main, ["--model_path", NAME + "!"], 1),
    "prompts": (generate.main, ["--prompts_file", NAME + "!"], 3),
    "pickle": (fine_tune.main, ["--data", f"{NAME}.csv"], 3),
    "source": (preprocess.main, ["--data_path", "x.jsonl", "--scrape", EVIL, EVIL], 2),
    "output": (classify.main, ["--data_path", f"{NAME}.csv", "--output_path", NAME], 2),
}


@pytest.mark.parametrize(("main", "words", "code"), ERRORS.values(), ids=ERRORS)
def test_errors(here, main, words, code):
    Path("hostile.yaml").write_text(json.dumps({EVIL: 1}))
    written = on_hostile_terminal(main, *words, code=code)
    assert [line.split(":")[0] for line in written.splitlines()[-2:]] == ["error", "hint"]


def print_and_fail() -> int:
    print(EVIL, file=sys.stderr)
    print(EVIL[:5], end="", flush=True)
    print(EVIL[5:])
    raise ValueError(EVIL)


def test_output_of_python_and_libraries_is_recognized(here):
    code, written = on_terminal(run, print_and_fail)
    assert code == 1
    assert not FORBIDDEN.search(written)
    assert written.count(r"\x1b]52;c;cm0gLXJm\x07") == 3
    assert r"ValueError: x\x1b]0;owned" in written
