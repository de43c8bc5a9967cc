"""A .gguf file is converted once, to the model that is in it."""

import json
from pathlib import Path

import huggingface_hub
import pytest
import torch
from gguf_file import write_gguf
from running import user_error
from small_models import END, changed, tiny_tokenizer, weights_of

from utils.models.base_models import resolve
from utils.models.opening.load import load_causal_lm, load_tokenizer
from utils.models.tokenization import token_ids

TEXT = torch.tensor([[END, *b"a text", END]])
pytestmark = pytest.mark.usefixtures("hugging_face_home")


@pytest.fixture
def gguf(tmp_path) -> tuple[Path, torch.nn.Module]:
    """(a .gguf file, the model that is in it)."""
    return tmp_path / "small.gguf", write_gguf(tmp_path / "small.gguf")


def test_a_gguf_gives_the_logits_of_the_model_in_it(gguf):
    path, model = gguf
    base = resolve(str(path))
    tokenizer = load_tokenizer(base)
    assert token_ids(tokenizer, ["abba é"]) == [[END, *(tiny_tokenizer().get_vocab()[letter] for letter in "baĠÃ©")]]
    assert tokenizer.eos_token_id == END + 1
    torch.testing.assert_close(load_causal_lm(base)(TEXT).logits, model(TEXT).logits)


def test_a_gguf_is_converted_once(gguf, caplog):
    caplog.set_level("INFO", "utils")
    first = resolve(str(gguf[0]))
    weights = Path(first.location) / "model.safetensors"
    written = weights.stat().st_mtime_ns
    assert "converting small.gguf" in caplog.text
    caplog.clear()
    assert resolve(str(gguf[0])) == first
    assert caplog.text == ""
    assert weights.stat().st_mtime_ns == written
    assert [path.name for path in weights.parent.parent.iterdir()] == [weights.parent.name]  # nothing temporary


def test_the_files_beside_a_gguf_are_not_read(gguf):
    path, model = gguf
    (path.parent / "hostile.py").write_text("raise SystemExit('code was run')")
    settings = {"tokenizer_class": "Hostile", "auto_map": {"AutoTokenizer": ["hostile.Hostile", None]}}
    for name in ("tokenizer_config.json", "config.json"):
        (path.parent / name).write_text(json.dumps(settings))
    base = resolve(str(path))
    torch.testing.assert_close(load_causal_lm(base)(TEXT).logits, model(TEXT).logits)
    assert load_tokenizer(base).eos_token_id == END + 1


def test_another_gguf_of_the_same_name_is_converted_anew(gguf):
    first = resolve(str(gguf[0]))
    changed_file = bytearray(gguf[0].read_bytes())
    changed_file[-1] ^= 1  # in the last weight
    gguf[0].write_bytes(changed_file)
    second = resolve(str(gguf[0]))
    assert second.location != first.location
    assert len(changed(weights_of(load_causal_lm(first)), weights_of(load_causal_lm(second)))) == 1


@pytest.mark.parametrize("keep", [0, 10, 200, 0.5, 0.99])
def test_a_gguf_that_is_truncated_is_an_error_and_leaves_nothing(gguf, keep):
    path, _ = gguf
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    error = user_error(resolve, str(path))
    assert f"cannot convert {path}" in error.problem
    assert "file is complete" in error.hint
    assert list(Path(huggingface_hub.constants.HF_HOME).glob("*/*")) == []


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="Linux has such a file")
def test_a_file_that_only_looks_like_one(tmp_path):
    (tmp_path / "a.gguf").symlink_to("/proc/self/mem")
    assert "cannot read" in user_error(resolve, str(tmp_path / "a.gguf")).problem
