"""Converted models that are opened without the original: the conditions, and equal output."""

import json
import os
import subprocess
import sys
from pathlib import Path

import ctranslate2
import numpy
import pytest
from small_models import random_model, tiny_tokenizer

from utils.inference.ctranslate2.convert import convert
from utils.inference.ctranslate2.engine import open_text_generator
from utils.inference.ctranslate2.kept import SOURCE_FILE, TOKENIZER_FILE, open_kept, state_of_files
from utils.inference.generation import encode_prompts
from utils.inference.sampling import Sampling
from utils.models import checkpoint, saving

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

ROOT = Path(__file__).parents[3]
RUN = {"task": "tweets", "base_model": "tiny", "template": "{prompt}", "cleaning": None}
PROMPTS = ["", "a", "Été <|endoftext|> 👩‍🌾", "  two  blanks\nand a line", "x" * 120]
LAST_YEAR = 1_735_000_000


@pytest.fixture(params=["gpt2", "llama"])
def path(request, tmp_path):
    """A saved model that nobody has touched since long before this process began."""
    saving.save(tmp_path / "model", checkpoint.Trained(random_model(request.param), tiny_tokenizer(), RUN), "", "")
    for file in (tmp_path / "model").iterdir():
        os.utime(file, (LAST_YEAR, LAST_YEAR))
    return str(tmp_path / "model")


def texts(converted, **settings):
    write = open_text_generator(converted, "float32", 64, None)
    return write(encode_prompts(converted.tokenizer, PROMPTS), Sampling(max_new_tokens=20, **settings))


def test_a_kept_model_writes_the_texts_of_the_original(path):
    assert open_kept(path) is None
    converted = convert(path, checkpoint.load(path))
    kept = open_kept(path)
    assert (kept.folder, kept.context, kept.run) == (converted.folder, converted.context, converted.run)
    assert encode_prompts(kept.tokenizer, PROMPTS) == encode_prompts(converted.tokenizer, PROMPTS)
    for settings in ({"do_sample": False}, {"seed": 7, "num_return_sequences": 2}, {"stop": ("a", "é")}):
        assert texts(kept, **settings) == texts(converted, **settings)


def test_a_touched_file_is_looked_at_once_and_the_same_model_not_converted_again(path):
    folder = convert(path, checkpoint.load(path)).folder
    weights = (folder / "int8" / "model.bin").stat()
    os.utime(Path(path) / "config.json", (LAST_YEAR + 1, LAST_YEAR + 1))
    assert open_kept(path) is None
    convert(path, checkpoint.load(path))
    assert (folder / "int8" / "model.bin").stat() == weights
    assert open_kept(path).folder == folder


def test_a_model_that_may_have_changed_after_it_was_loaded_is_not_known_by_its_files(path):
    trained = checkpoint.load(path)
    (Path(path) / "config.json").touch()
    convert(path, trained)
    assert open_kept(path) is None


def test_int8_is_kept_with_the_numbers_that_a_generator_makes_of_float32(path):
    folder = convert(path, checkpoint.load(path)).folder
    tokens = tiny_tokenizer().tokenize("Two blanks, and a longer line")
    kept, made = (
        ctranslate2.Generator(str(folder / name), compute_type="int8").forward_batch([tokens], return_log_probs=True)
        for name in ("int8", "float32")
    )
    assert (numpy.array(kept) == numpy.array(made)).all()
    assert 2 * (folder / "int8" / "model.bin").stat().st_size < (folder / "float32" / "model.bin").stat().st_size


@pytest.mark.parametrize("number_format", ["float32", "int8"])
def test_a_model_that_is_missing_in_a_number_format_is_converted_again(path, number_format):
    weights = convert(path, checkpoint.load(path)).folder / number_format / "model.bin"
    weights.unlink()
    assert open_kept(path) is None
    convert(path, checkpoint.load(path))
    assert weights.is_file()
    assert open_kept(path) is not None


@pytest.mark.parametrize("content", ["", "[]", "{}", "null"])
def test_a_damaged_tokenizer_is_written_anew(path, content):
    folder = convert(path, checkpoint.load(path)).folder
    (folder / TOKENIZER_FILE).write_text(content)
    assert open_kept(path) is None
    convert(path, checkpoint.load(path))
    assert open_kept(path) is not None


@pytest.mark.parametrize("content", ["", "[]", "{}", "null"])
def test_a_folder_that_does_not_say_where_it_is_from_is_not_opened(path, content):
    (convert(path, checkpoint.load(path)).folder / SOURCE_FILE).write_text(content)
    assert open_kept(path) is None


@pytest.mark.parametrize("damage", [{"context": "1"}, {"start": None}, {"end": True}, {"run": []}, {"files": 1}])
def test_a_damaged_field_is_as_none(path, damage):
    source = convert(path, checkpoint.load(path)).folder / SOURCE_FILE
    source.write_text(json.dumps({**json.loads(source.read_text()), **damage}))
    assert open_kept(path) is None


def test_tiny_has_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "thesis.txt").write_text("mine")
    assert state_of_files("tiny") == {}


def test_neither_torch_nor_transformers_is_imported(path):
    convert(path, checkpoint.load(path))
    command = ["generate.py", "--model_path", path, "--prompt", "a", "--engine", "ctranslate2", "--stop", "é", "--json"]
    code = (
        f"import runpy, sys; sys.argv = {command}\n"
        "try: runpy.run_path('generate.py', run_name='__main__')\n"
        "finally: print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    record, imported = run.stdout.splitlines()
    assert (run.returncode, run.stderr, imported) == (0, "", "[]")
    assert json.loads(record)["full_text"].startswith("a")
