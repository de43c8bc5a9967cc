"""The same command in another folder, at another time and in other surroundings writes the same bytes."""

import os
import time
from pathlib import Path

import pytest
from running import run_script
from small_classifiers import save_classifier

import classify
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
