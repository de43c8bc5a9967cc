"""Every reader of files, as the scripts call it, with the seeds of its cases."""

import contextlib
import functools
import hashlib
import json
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import damaged_folders
import fuzz_seeds
import torch
from emoji_models import emoji_data
from small_models import processed_data

import classify
import evaluate_model
import fine_tune
import generate
import preprocess
from utils.errors import UserError
from utils.evaluation.compare import compare_evaluations
from utils.inference.prompts import read_prompts
from utils.metrics.figures import COMPARED
from utils.models import checkpoint, saving
from utils.processed import load_processed, save_processed
from utils.reading import compressed
from utils.reading.piped_lines import arriving_lines
from utils.results.columns_to_classify import open_table_to_classify
from utils.tasks.columns import RequestedColumns, read_rows
from utils.tasks.tasks import TASKS

CHECKSUM_BYTES = 73
WHOLE_PIPELINE = 4  # one of so many cases goes through all of preprocess.py, which takes longer
SCRIPTS = (preprocess, fine_tune, generate, classify, evaluate_model)
FOLDER_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "run.json")


@dataclass(frozen=True)
class Reader:
    """A reader, and what the files that are tried on it are made from."""

    name: str
    seeds: dict[str, bytes]  # by the name that the file has in the folder of the case
    use: Callable[[Path], object]  # reads the file
    kind: str  # of `fuzz_generated.STRATEGIES`
    share: float  # of all cases
    beside: dict[str, bytes] = field(default_factory=dict)  # files that are in the folder, too
    seal: Callable[[bytes], bytes] = bytes  # makes checksums right again


def _preprocess(task: str, path: Path | str, output: Path) -> None:
    preprocess.main(["--data", str(path), "--task", task, "--model", "tiny", "--output_path", str(output / "out.pkl")])


def _table(path: Path) -> None:
    for _ in open_table_to_classify(str(path), RequestedColumns(), header=True)[0].rows():
        pass


def _data(path: Path, task: str = "tweets") -> None:
    """As preprocess.py and as classify.py read it; the first one's error must not hide the second's."""
    with contextlib.suppress(UserError):
        _table(path)
    is_posts = TASKS[task].kind in ("generate", "classify")
    if is_posts and zlib.crc32(path.read_bytes()) % WHOLE_PIPELINE:
        read_rows(TASKS[task], [str(path)], RequestedColumns())
    else:
        _preprocess(task, path, path.parent)


def _folder(path: Path) -> None:
    _preprocess("tweets", path.parent, path.parent)


def _data_set(path: Path) -> None:
    _preprocess("tweets", f"hf://{path.parent}", path.parent)


def _piped(path: Path) -> None:
    compressed._copy_of.cache_clear()
    with path.open() as sys.stdin:
        preprocess.main(["--data", "-", "--model", "tiny", "--output_path", str(path.parent / "out.pkl")])


def _piped_lines(path: Path) -> None:
    with path.open() as sys.stdin:
        for lines in arriving_lines():
            [classify.text_of_line(line, 1) for line in lines]


def _config(path: Path) -> None:
    for script in SCRIPTS:
        with contextlib.suppress(UserError):
            script.build_parser().parse_args(["--config", str(path)])


def _trained(path: Path) -> None:
    checkpoint.load(str(path.parent if path.suffix != ".pt" else path))


def _evaluation() -> dict:
    figure = {"value": 2.5, "low": 2.0, "high": 3.0}
    tuned = {each.name: figure for each in COMPARED["generate"]}
    return {
        "model_path": "models/a",
        "base_model": "tiny",
        "data_sha256": "0" * 64,
        "rows": 9,
        "seed": 42,
        "tuned": tuned,
    }


def _sealed(content: bytes) -> bytes:
    return content + f"\nsha256 {hashlib.sha256(content).hexdigest()}\n".encode()


@functools.cache
def all_readers(scratch: Path) -> tuple[Reader, ...]:
    """Return every reader; `scratch` is a folder for making seeds."""
    data = fuzz_seeds.data_files()
    folder = damaged_folders.good_folder(scratch / "model")
    (folder / "run.json").write_text(json.dumps(fuzz_seeds.RUN))
    model_files = {file.name: file.read_bytes() for file in folder.iterdir()}
    trained = checkpoint.load(str(folder))
    saving.save(scratch / "model.pt", trained, "", "")
    save_processed(scratch / "tweets.pkl", processed_data(train=list(fuzz_seeds.TEXTS), test=list(fuzz_seeds.TEXTS)))
    save_processed(scratch / "emoji.pkl", emoji_data())
    pickles = {name: (scratch / name).read_bytes() for name in ("tweets.pkl", "emoji.pkl")}
    unsealed = {name: content[:-CHECKSUM_BYTES] for name, content in pickles.items()}
    torch.save({"transformer.wte.weight": torch.zeros(2, 2)}, scratch / "pytorch_model.bin")

    def some(*names: str) -> dict[str, bytes]:
        return {name: data[name] for name in names}

    tweets, alpaca, emoji, reviews = (
        functools.partial(_data, task=name) for name in ("tweets", "alpaca", "emoji", "reviews")
    )
    return (
        Reader("comma, semicolon and bars", some("a.csv", "b.csv", "c.csv"), tweets, "table", 0.14),
        Reader("labeled tables", some("a.csv", "b.txt", "c.txt", "a.tsv"), reviews, "table", 0.06),
        Reader("tabs", some("a.tsv"), tweets, "table", 0.06),
        Reader("plain text", some("a.txt", "b.txt", "c.txt"), tweets, "table", 0.06),
        Reader("JSON", some("a.json", "nested.json"), tweets, "json", 0.1),
        Reader("JSON Lines", some("a.jsonl", "nested.jsonl"), tweets, "lines", 0.08),
        Reader("Parquet", some("a.parquet"), tweets, "bytes", 0.06),
        Reader("gzip, bzip2, xz, zip", some("a.csv.gz", "a.jsonl.bz2", "a.json.xz", "a.zip"), tweets, "bytes", 0.06),
        Reader("X archives", some("tweets.js", "archive.zip"), tweets, "json", 0.05),
        Reader("Mastodon's outbox", some("outbox.json"), tweets, "json", 0.03),
        Reader("instructions", some("alpaca.json", "sharegpt.json", "messages.jsonl"), alpaca, "json", 0.07),
        Reader("tables of emoji", some("emoji.csv"), emoji, "table", 0.03),
        Reader("a folder of files", some("a.jsonl"), _folder, "lines", 0.02, some("a.csv", "a.txt")),
        Reader(
            "a data set folder",
            {"README.md": fuzz_seeds.CARD.encode()},
            _data_set,
            "bytes",
            0.005,
            {"data.csv": data["a.csv"]},
        ),
        Reader("stdin", some("a.csv", "a.jsonl", "a.txt", "a.csv.gz"), _piped, "table", 0.03),
        Reader("lines of stdin", some("a.jsonl", "a.txt"), _piped_lines, "lines", 0.02),
        Reader("the processed pickle", pickles, load_processed, "bytes", 0.03),
        Reader("…, its checksum right", unsealed, load_processed, "bytes", 0.03, seal=_sealed),
        Reader(".pt", {"model.pt": (scratch / "model.pt").read_bytes()}, _trained, "bytes", 0.02),
        Reader(
            "a model's JSON files",
            {name: model_files[name] for name in FOLDER_FILES},
            _trained,
            "json",
            0.03,
            model_files,
        ),
        Reader(
            "a model's weights",
            {"model.safetensors": model_files["model.safetensors"]},
            _trained,
            "bytes",
            0.015,
            model_files,
        ),
        Reader(
            "evaluation.json",
            {"evaluation.json": json.dumps(_evaluation()).encode()},
            lambda path: compare_evaluations([path]),
            "json",
            0.02,
        ),
        Reader(
            "--config",
            {"a.yaml": fuzz_seeds.CONFIG.encode(), "a.json": json.dumps({"seed": 7}).encode()},
            _config,
            "json",
            0.02,
        ),
        Reader(
            "--prompts_file",
            {"a.jsonl": fuzz_seeds.PROMPTS.encode(), "a.txt": b"one\ntwo\n"},
            read_prompts,
            "lines",
            0.02,
        ),
    )
