"""fine_tune.py --export gguf: files, also of a model that is trained already, and early refusals."""

import importlib.util
import json

import onnxruntime
import pytest
from exported_models import merging_tokenizer
from running import assert_one_error, run_script
from small_classifiers import labeled_data, opinions
from small_models import processed_data, random_model

import fine_tune
import generate
from utils.processed import save_processed

FAST = ["--precision", "fp32", "--device", "cpu", "--max_steps", 1, "--eval_strategy", "no"]
SHAPE = {"vocab_size": 300, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
TEXTS = [f"the cats sat on mat {number}" for number in range(8)]
pytestmark = pytest.mark.usefixtures("hugging_face_home")


@pytest.fixture
def call(tmp_path, capsys):
    """Run fine_tune.py on a small base model, or with other words instead of the data; (exit code, stdout, stderr)."""
    random_model("llama", hidden_size=32, **SHAPE).save_pretrained(tmp_path / "base")
    merging_tokenizer().save_pretrained(tmp_path / "base")
    save_processed(tmp_path / "data.pkl", processed_data(train=TEXTS, validation=TEXTS[:2]))
    data = ["--data", tmp_path / "data.pkl", "--output_path", tmp_path / "model", *FAST]

    def calling(*words, train=True, model=tmp_path / "base"):
        code = run_script(fine_tune.main, *([*data, "--model", model] if train else []), "--export", "gguf", *words)
        return code, *capsys.readouterr()

    return calling


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_files_lie_beside_the_model_and_give_its_texts(call, tmp_path, capsys):
    code, out, err = call()
    assert (code, out) == (0, f"{tmp_path / 'model'}\n"), err
    assert names(tmp_path) == {"base", "data.pkl", "model", "model.gguf", "model.Modelfile"}
    assert (tmp_path / "model.Modelfile").read_text().startswith('FROM ./model.gguf\nTEMPLATE """{{ .Prompt }}"""\n')
    written = {}
    for name in ("model", "model.gguf"):
        words = ["--model_path", tmp_path / name, "--prompt", "the cats", "--greedy", "--max_new_tokens", 8, "--json"]
        assert run_script(generate.main, *words) == 0
        written[name] = json.loads(capsys.readouterr().out)["text"]
    assert written["model"] == written["model.gguf"]


def test_a_model_that_is_trained_already(call, tmp_path):
    assert call("--output_path", tmp_path / "other.pt")[0] == 0
    before = (tmp_path / "other.gguf").read_bytes()
    words = ["--model_path", tmp_path / "other.pt", "--export_type", "q8_0"]
    code, out, err = call(*words, train=False)
    assert (code, out) == (1, "")
    assert "--overwrite" in assert_one_error(err, "other.gguf exists")
    assert (tmp_path / "other.gguf").read_bytes() == before
    code, out, _ = call(*words, "--overwrite", train=False)
    assert (code, out) == (0, f"{tmp_path / 'other.gguf'}\n{tmp_path / 'other.Modelfile'}\n")
    assert len((tmp_path / "other.gguf").read_bytes()) < len(before)


def test_impossible_exports_are_refused_before_training(call, tmp_path):
    for kind, problem in (("opt", "architectures gpt2 and llama"), ("gpt2", "activation_function gelu_new")):
        options = {"activation_function": "relu"} if kind == "gpt2" else {}
        random_model(kind, **SHAPE, **options).save_pretrained(tmp_path / kind)
        merging_tokenizer().save_pretrained(tmp_path / kind)
        code, out, err = call(model=tmp_path / kind)
        assert (code, out) == (1, "")
        assert_one_error(err, problem, kind)
    code, out, err = call(model="tiny")
    assert (code, out) == (1, "")
    assert_one_error(err, "tokenizer of tiny", "has no merges")
    assert names(tmp_path) == {"base", "data.pkl", "opt", "gpt2"}


def test_of_a_classifier_and_of_one_that_writes(call, tmp_path, capsys, monkeypatch):
    code, _, err = call("--export", "onnx")
    assert code == 2
    assert "--export gguf" in assert_one_error(err, "--export onnx is for models that classify", "one writes texts")
    rows = {"train": opinions(12), "validation": opinions(4), "test": opinions(4)}
    save_processed(tmp_path / "data.pkl", labeled_data(rows, ["neg", "pos"]))
    words = ["--data", tmp_path / "data.pkl", "--output_path", tmp_path / "model", "--model", "tiny", *FAST, "--export"]
    assert run_script(fine_tune.main, *words, "gguf") == 2
    assert "--export onnx" in assert_one_error(capsys.readouterr().err, "--export gguf is for models that write")
    assert run_script(fine_tune.main, *words, "onnx", "--with_baseline", "on") == 2
    assert_one_error(capsys.readouterr().err, "--export writes the model alone")
    with monkeypatch.context() as patched:
        patched.setattr(importlib.util, "find_spec", lambda name: None)
        assert run_script(fine_tune.main, *words, "onnx") == 2
        assert "requirements-onnx.txt" in assert_one_error(capsys.readouterr().err, "the package onnx is not installed")
    assert names(tmp_path) == {"base", "data.pkl"}


def test_a_classifier_as_onnx(tmp_path):
    rows = {"train": opinions(12), "validation": opinions(4), "test": opinions(4)}
    save_processed(tmp_path / "data.pkl", labeled_data(rows, ["neg", "pos"]))
    words = ["--data", tmp_path / "data.pkl", "--output_path", tmp_path / "model.pt", "--model", "tiny", *FAST]
    assert run_script(fine_tune.main, *words, "--export", "onnx") == 0
    assert names(tmp_path) == {"data.pkl", "model.pt", "model.onnx"}
    inputs = onnxruntime.InferenceSession(tmp_path / "model.onnx").get_inputs()
    assert {each.name: each.type for each in inputs} == dict.fromkeys(("input_ids", "attention_mask"), "tensor(int64)")


def test_words_that_make_no_sense_alone(call, tmp_path, capsys):
    assert run_script(fine_tune.main, "--data", tmp_path / "data.pkl", "--export_type", "q8_0") == 2
    assert_one_error(capsys.readouterr().err, "--export_type is for --export gguf")
    code, _, err = call("--model_path", tmp_path / "model", "--epochs", 2, train=False)
    assert code == 2
    assert_one_error(err, "--export with --model_path does not train, and takes no --epochs")
    code, _, err = call("--model_path", tmp_path / "base", train=False)
    assert code == 1
    assert_one_error(err, "base is not a model that fine_tune.py wrote")
