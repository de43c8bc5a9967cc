"""JSON that is nested 100,000 levels deep, wherever JSON is read: an error of two lines."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import damaged_folders
import fuzz_seeds

import preprocess
from utils.config import read_config
from utils.errors import UserError
from utils.evaluation.compare import compare_evaluations
from utils.inference.prompts import read_prompts
from utils.models import checkpoint

DEPTH = 100_000
SHAPES = {
    "lists": "[" * DEPTH + "]" * DEPTH,
    "objects": '{"a":' * DEPTH + "1" + "}" * DEPTH,
    "not closed": "[" * DEPTH,
    "in a field": '{"text": ' + "[" * DEPTH + "]" * DEPTH + "}",
}
OF_A_MODEL = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "run.json")


def _preprocessed(path, *task):
    output = str(path.parent / "out.pkl")
    preprocess.main(["--data", str(path), "--model", "tiny", "--output_path", output, *task])


def _fails(reader, path):
    with pytest.raises(UserError) as error:
        reader(path)
    assert "\n" not in error.value.problem + error.value.hint
    assert len(error.value.problem) < 1000


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("prompts.jsonl", read_prompts),
        ("prompts.json", read_prompts),
        ("config.json", read_config),
        ("evaluation.json", lambda path: compare_evaluations([path])),
        ("data.json", _preprocessed),
        ("data.jsonl", _preprocessed),
        ("emoji.json", lambda path: _preprocessed(path, "--task", "emoji")),
        ("alpaca.json", lambda path: _preprocessed(path, "--task", "alpaca")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_of_users(tmp_path, name, reader, shape):
    (tmp_path / name).write_text(SHAPES[shape])
    _fails(reader, tmp_path / name)


@pytest.mark.parametrize("text", ["{a: " * 2000 + "1" + "}" * 2000])
def test_yaml(tmp_path, text):
    """Fewer levels, since YAML's reader takes seconds for more."""
    (tmp_path / "config.yaml").write_text(text)
    _fails(read_config, tmp_path / "config.yaml")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = damaged_folders.good_folder(tmp_path_factory.mktemp("model") / "model")
    (folder / "run.json").write_text(json.dumps(fuzz_seeds.RUN))
    checkpoint.load(str(folder))
    return folder


@pytest.mark.parametrize("shape", ["lists"])
@pytest.mark.parametrize("name", OF_A_MODEL)
def test_files_of_a_model(model, name, shape):
    whole = (model / name).read_bytes()
    try:
        (model / name).write_text(SHAPES[shape])
        _fails(checkpoint.load, str(model))
    finally:
        (model / name).write_bytes(whole)
