"""The same command in another folder, at another time and in other surroundings writes the same bytes."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from running import run_script
from small_classifiers import save_classifier

import classify
import evaluate_model
import fine_tune
import generate
import preprocess

TEXTS = [
    f"{word} thing {'and so on ' * (place % 5)}of day {word[::-1]}" for place, word in enumerate(map(str, range(5000)))
]


@pytest.fixture
def time_zone():
    """Set the time zone of this process until the test ends."""
    before = os.environ.get("TZ")

    def set_zone(zone: str | None) -> None:
        if zone is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = zone
        time.tzset()

    yield set_zone
    set_zone(before)


@pytest.mark.usefixtures("_no_progress_bars")
@pytest.mark.parametrize("name", ["preprocess", "processes", "classify", "generate"])
def test_twice(name, tmp_path, monkeypatch, time_zone):
    model = save_classifier(tmp_path / "model", ["a", "b"])
    runs = {
        "preprocess": (preprocess.main, ["--data_path", "in.csv", "--model", "tiny", "--min_words", 2]),
        "processes": (preprocess.main, ["--data_path", "in.csv", "--model", "tiny", "--min_words", 2]),
        "classify": (classify.main, ["--data_path", "in.csv", "--model_path", model]),
        "generate": (generate.main, ["--model_path", "tiny", "--prompt", "a", "--num_return_sequences", 3]),
    }
    main, words = runs[name]
    output = {"classify": "out.csv", "generate": "out.jsonl"}.get(name, "out.pkl")
    written = []
    for place, zone in (("one", "UTC"), ("two", "Asia/Tokyo")):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        time_zone(zone)
        with Path("in.csv").open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in ["text", *TEXTS[: 300 if name == "classify" else 5000]])
        os.utime("in.csv", (len(written), len(written)))
        further = ["--num_proc", 2] if name == "processes" and place == "two" else []
        assert run_script(main, *words, *further, "--output_path", output) == 0
        written.append((tmp_path / place / output).read_bytes())
    assert written[0] == written[1]
    assert len(written[0]) > 100


ROOT = Path(fine_tune.__file__).parent
FAST = ("--precision", "fp32", "--device", "cpu", "--max_steps", 2, "--batch_size", 4)
COMMANDS = (
    ("preprocess", "--data_path", "labels.csv", "--task", "reviews", "--model", "tiny", "--output_path", "labels.pkl"),
    (
        "preprocess",
        "--data_path",
        "answers.jsonl",
        "--task",
        "alpaca",
        "--model",
        "tiny",
        "--output_path",
        "answers.pkl",
    ),
    ("fine_tune", "--data", "labels.pkl", "--output_path", "classifier", *FAST),
    ("fine_tune", "--data", "answers.pkl", "--output_path", "answers", *FAST),
    ("fine_tune", "--data", "answers.pkl", "--output_path", "file.pt", *FAST),
    ("evaluate_model", "--model_path", "classifier", "--data", "labels.pkl", "--errors_path", "errors.csv"),
    ("evaluate_model", "--model_path", "answers", "--data", "answers.pkl", "--max_new_tokens", 5),
)
# Run by another Python: hashes of texts, and with them the order of sets, are others there.
PROGRAM = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests" / "helpers")!r}, {str(Path(__file__).parent)!r}]
import test_determinism
test_determinism.run_commands()
"""
# Allowed differences: times, and the hash of a model card, which has some.
TIMES = re.compile(
    r'("(?:train_seconds|seconds|train_runtime|train_\w+_per_second)": |trained on the same train split in |'
    r"epochs?\) in |as it was written: )[\d.a-f]+(?: min| h)?"
)


def run_commands() -> None:
    """Write the tables, then all that the commands write, into this folder."""
    words = [
        f"{'good' if place % 2 else 'bad'} {place} {place * 7919 % 101} {'yz'[place % 2] * 9}" for place in range(90)
    ]
    lines = [f"{text},{'pn'[place % 2]}\n" for place, text in enumerate(words)]
    Path("labels.csv").write_text("".join(["text,label\n", *lines]))
    answers = [json.dumps({"instruction": f"Say {text[:9]} now", "output": text}) + "\n" for text in words]
    Path("answers.jsonl").write_text("".join(answers))
    mains = {"preprocess": preprocess, "fine_tune": fine_tune, "evaluate_model": evaluate_model}
    for script, *arguments in COMMANDS:
        assert run_script(mains[script].main, *arguments) == 0, arguments


def contents(folder: Path) -> dict[str, object]:
    """Return all files, and what is in a .pt, without the times."""
    return {str(path.relative_to(folder)): _content(path) for path in folder.rglob("*") if path.is_file()}


def _content(path: Path) -> object:
    if path.suffix != ".pt":
        return TIMES.sub(r"\1", path.read_bytes().decode("latin-1"))
    stored = torch.load(path, weights_only=True)
    tensors = {name: weight.numpy().tobytes() for name, weight in stored["weights"].items()}
    return tensors, TIMES.sub(r"\1", repr({name: value for name, value in stored.items() if name != "weights"}))


@pytest.mark.usefixtures("_no_progress_bars")
def test_training_and_evaluation_in_another_python(tmp_path, monkeypatch):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    surroundings = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", "COLUMNS": "40"}
    done = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=two,
        env=os.environ | surroundings,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    monkeypatch.chdir(one)
    run_commands()
    _, err = done.communicate(timeout=300)
    assert done.returncode == 0, err.decode()
    ours, theirs = contents(one), contents(two)
    assert ours.keys() == theirs.keys() > {"classifier/run.json", "classifier/evaluation.json", "file.pt", "errors.csv"}
    assert [name for name in ours if ours[name] != theirs[name]] == []
