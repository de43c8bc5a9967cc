"""Trained models on disk: they load as they were saved, nothing is lost, and no file runs code."""

import json
import os
import pickle
import resource
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from running import user_error
from small_models import END, MODEL_FILES, changed, random_model, tiny_tokenizer, weights_of
from transformers import AutoModelForCausalLM, AutoTokenizer

from utils.models import checkpoint, model_files, saving
from utils.models.checkpoint import Trained
from utils.models.tokenization import tokenizer_fingerprint

TEXT = torch.tensor([[END, *b"a text", END]])
RUN = {"task": "tweets", "base_model": "tiny", "template": "{prompt}", "note": "déjà vu 😀"}
LOG = '{"loss": 1.5, "step": 1}\n'
CARD = "# A model, déjà vu\n"
both_forms = pytest.mark.parametrize("name", ["model", "model.pt"])


def trained(seed: int = 0, run: dict = RUN, **options) -> Trained:
    return Trained(random_model("gpt2", seed, **options), tiny_tokenizer(), run)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, including hidden ones."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- what is saved is what is loaded


@both_forms
@pytest.mark.parametrize("tied", [True, False])
def test_a_saved_model_gives_the_same_logits_to_the_last_bit(name, tied, tmp_path):
    saved = trained(tie_word_embeddings=tied)
    saving.save(tmp_path / name, saved, LOG, CARD)
    found = checkpoint.load(str(tmp_path / name))
    assert changed(weights_of(saved.model), weights_of(found.model)) == set()
    assert torch.equal(found.model(TEXT).logits, saved.model(TEXT).logits)
    head, embedding = found.model.get_output_embeddings().weight, found.model.get_input_embeddings().weight
    assert (head is embedding) == tied
    assert tokenizer_fingerprint(found.tokenizer) == tokenizer_fingerprint(saved.tokenizer)
    assert found.run == RUN
    assert not found.model.training


@both_forms
def test_settings_for_generating_are_kept(name, tmp_path):
    saved = trained()
    saved.model.generation_config.max_length = 77
    saving.save(tmp_path / name, saved, LOG, CARD)
    assert checkpoint.load(str(tmp_path / name)).model.generation_config.max_length == 77


@both_forms
def test_a_model_in_another_format_is_loaded_in_float32(name, tmp_path):
    saved = trained()
    saved.model.bfloat16()
    saving.save(tmp_path / name, saved, LOG, CARD)
    found = weights_of(checkpoint.load(str(tmp_path / name)).model)
    assert {weight.dtype for weight in found.values()} == {torch.float32}
    assert changed({name: weight.float() for name, weight in weights_of(saved.model).items()}, found) == set()


def test_a_folder_holds_these_files_and_any_tool_opens_it(tmp_path):
    saved = trained()
    saving.save(tmp_path / "model", saved, LOG, CARD)
    assert {path.name for path in (tmp_path / "model").iterdir()} == MODEL_FILES
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    run = json.loads((tmp_path / "model" / "run.json").read_text("utf-8"))
    assert run == {**RUN, "files": sorted(MODEL_FILES)}
    assert (tmp_path / "model" / "log.jsonl").read_text("utf-8") == LOG
    assert (tmp_path / "model" / "README.md").read_text("utf-8") == CARD
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert torch.equal(model.eval()(TEXT).logits, saved.model(TEXT).logits)
    assert AutoTokenizer.from_pretrained(tmp_path / "model")("a text").input_ids == saved.tokenizer("a text").input_ids


def test_a_file_holds_the_same_and_is_read_without_running_code(tmp_path):
    saved = trained()
    saving.save(tmp_path / "model.pt", saved, LOG, CARD)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]
    packed = torch.load(tmp_path / "model.pt", weights_only=True)
    assert packed.keys() == {"format", "version", "files", "weights"}
    assert packed["files"].keys() == MODEL_FILES - {"model.safetensors"}
    assert json.loads(packed["files"]["run.json"]) == {**RUN, "files": sorted(MODEL_FILES)}
    assert packed["files"]["README.md"] == CARD
    expected = weights_of(saved.model)  # the tied head is not there a second time
    assert changed(expected, packed["weights"]) == set()


def test_files_may_be_read_by_others(tmp_path):
    before = os.umask(0o022)
    try:
        saving.save(tmp_path / "model", trained(), LOG, CARD)
        saving.save(tmp_path / "model.pt", trained(), LOG, CARD)
    finally:
        os.umask(before)
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "model.pt").stat().st_mode & 0o777 == 0o644


def test_a_model_in_several_shards_is_packed_whole(tmp_path):
    saved = trained()
    saved.model.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    saved.tokenizer.save_pretrained(tmp_path / "shards")
    again = checkpoint.load(str(tmp_path / "shards"))
    assert again.run == {}
    saving.save(tmp_path / "model.pt", again, LOG, CARD)
    assert changed(weights_of(saved.model), weights_of(checkpoint.load(str(tmp_path / "model.pt")).model)) == set()


def test_a_model_that_fine_tune_did_not_write_has_no_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("run.json").write_text(json.dumps(RUN))  # somebody's, in the working folder
    found = checkpoint.load("tiny")
    assert found.run == {}
    assert "tiny does not name its base model" in user_error(checkpoint.base_model_of, "tiny", {}).problem
    assert checkpoint.base_model_of("models/mine", RUN) == "tiny"


def recipe() -> dict:
    """Return a run.json with everything that the model card shows."""
    return {
        **RUN,
        "cleaning": {},
        "arguments": {"output_path": "models/mine"},
        "data": {"sources": [], "rows": {"train": 1}},
        "trainable_parameters": 1,
        "total_parameters": 2,
        "seed": 1,
        "device": "cpu",
        "precision": "fp32",
        "versions": {},
        "results": {
            "validation_bits_per_byte_before": 2.0,
            "validation_bits_per_byte_after": 1.0,
            "steps": 1,
            "epochs": 1.0,
            "train_seconds": 1.0,
        },
    }


@both_forms
def test_saving_writes_the_log_and_the_card_too(name, tmp_path):
    model = random_model("gpt2")
    history = [{"loss": 2.0, "step": 1}, {"step": 1, "samples": ["déjà\u2028", "vu\x85"]}]
    saving.save_and_verify(tmp_path / name, model, tiny_tokenizer(), recipe(), history)
    if name.endswith(".pt"):
        files = torch.load(tmp_path / name, weights_only=True)["files"]
    else:
        files = {file: (tmp_path / name / file).read_text("utf-8") for file in ("log.jsonl", "README.md")}
    assert [json.loads(line) for line in files["log.jsonl"].removesuffix("\n").split("\n")] == history
    assert "2.0000 before training → 1.0000 after" in files["README.md"]


@both_forms
def test_a_model_that_loads_differently_is_an_error(name, tmp_path):
    model = random_model("gpt2")
    model.transformer.h[0].register_forward_hook(lambda module, inputs, output: output * 1.01)
    with pytest.raises(RuntimeError, match="does not give the logits of the model that was saved"):
        saving.save_and_verify(tmp_path / name, model, tiny_tokenizer(), recipe(), [])


# ---- files that fine_tune.py did not write


def test_no_file_there(tmp_path):
    error = user_error(checkpoint.load, str(tmp_path / "none.pt"))
    assert error.problem == f"there is no model at {tmp_path / 'none.pt'}"
    assert error.exit_code == 1
    assert f"fine_tune.py --data data/processed.pkl --output_path {tmp_path / 'none.pt'}" in error.hint


class _Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_file_that_would_run_code_is_refused_and_its_code_not_run(write, tmp_path):
    path, trap = tmp_path / "model.pt", tmp_path / "trap"
    write(_Malicious(trap), path)
    error = user_error(checkpoint.load, str(path))
    assert f"{path} was not written by fine_tune.py" in error.problem
    assert not trap.exists()


@pytest.mark.parametrize("keep", [0, 1, 100, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(keep, tmp_path):
    path = tmp_path / "model.pt"
    saving.save(path, trained(), LOG, CARD)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    assert "truncated" in user_error(checkpoint.load, str(path)).problem


@pytest.mark.parametrize("text", [b"not a model", b"{}", b"PK\x03\x04 no archive", b"\x80\x04", bytes(range(256))])
def test_any_other_file_is_refused(text, tmp_path):
    (tmp_path / "model.pt").write_bytes(text)
    assert "was not written by fine_tune.py" in user_error(checkpoint.load, str(tmp_path / "model.pt")).problem


@pytest.mark.parametrize("change", [{"version": 2}, {"format": "another"}, None])
def test_another_kind_or_version_is_refused(change, tmp_path):
    path = tmp_path / "model.pt"
    saving.save(path, trained(), LOG, CARD)
    packed = torch.load(path, weights_only=True)
    torch.save(packed["weights"] if change is None else {**packed, **change}, path)
    assert "is not a small-text-fine-tuning/model file of version 1" in user_error(checkpoint.load, str(path)).problem


DAMAGED_FILES = {
    "a cut tokenizer": ({"tokenizer.json": '{"version": "1.0", "mo'}, {}, "cannot be loaded"),
    "a cut config": ({"config.json": '{"model_type": "gp'}, {}, "config.json is not JSON"),
    "a cut run.json": ({"run.json": '{"task": "tw'}, {}, "is damaged"),
    "settings for generating": ({"generation_config.json": "{"}, {}, "generation_config.json is not JSON"),
    "ten million blocks": ({"config.json": '{"model_type": "gpt2", "n_layer": 10000000}'}, {}, "n_layer is 10000000"),
    "no texts": ({}, {"files": None}, "lacks the text of config.json"),
    "weights that are numbers": ({}, {"weights": {"a": 1.0}}, "not tensors"),
    "weights by number": ({}, {"weights": {0: torch.ones(2)}}, "not tensors by name"),
    "weights that are whole numbers": ({}, {"weights": {"a.weight": torch.ones(2).long()}}, "whole numbers"),
    "no weights": ({}, {"weights": {}}, "lacks weights"),
    "a weight of one number that repeats": (
        {"config.json": '{"model_type": "gpt2", "vocab_size": 100000, "n_embd": 8000}'},
        {"weights": {"transformer.wte.weight": torch.zeros(1).expand(100_000, 8000)}},
        "weights have only",
    ),
}


@pytest.mark.parametrize(("files", "fields", "reason"), DAMAGED_FILES.values(), ids=DAMAGED_FILES.keys())
def test_the_fault_of_a_damaged_file_is_named(files, fields, reason, tmp_path):
    path = tmp_path / "model.pt"
    saving.save(path, trained(), LOG, CARD)
    packed = torch.load(path, weights_only=True)
    torch.save({**packed, "files": {**packed["files"], **files}, **fields}, path)
    problem = user_error(checkpoint.load, str(path)).problem
    assert str(path) in problem
    assert reason in problem


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    saving.save(tmp_path / "model.pt", trained(), LOG, CARD)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # who runs the tests may read everything
    assert "Permission denied" in user_error(checkpoint.load, str(tmp_path / "model.pt")).problem


def test_a_file_that_is_compressed_is_not_unpacked(tmp_path):
    saving.save(tmp_path / "saved.pt", trained(), LOG, CARD)
    with zipfile.ZipFile(tmp_path / "saved.pt") as saved, zipfile.ZipFile(tmp_path / "m.pt", "w") as bomb:
        for entry in saved.infolist():
            bomb.writestr(entry.filename, saved.read(entry), zipfile.ZIP_DEFLATED)
    assert "would unpack to" in user_error(checkpoint.load, str(tmp_path / "m.pt")).problem


def test_no_file_is_written_outside_the_temporary_folder(tmp_path):
    saving.save(tmp_path / "model.pt", trained(), LOG, CARD)
    packed = torch.load(tmp_path / "model.pt", weights_only=True)
    for name in ("../evil", "..", str(tmp_path / "evil")):
        packed["files"][name] = "x"
    torch.save(packed, tmp_path / "model.pt")
    checkpoint.load(str(tmp_path / "model.pt"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.pt"]


def test_weights_that_are_missing_are_not_made_up(tmp_path):
    path = tmp_path / "model.pt"
    saving.save(path, trained(), LOG, CARD)
    packed = torch.load(path, weights_only=True)
    del packed["weights"]["transformer.h.1.ln_1.bias"]
    torch.save(packed, path)
    assert "lacks weights: transformer.h.1.ln_1.bias" in user_error(checkpoint.load, str(path)).problem


# ---- what is replaced, and what is not


@both_forms
def test_nothing_there_is_free(name, tmp_path):
    model_files.check_output(tmp_path / "new folder" / name, overwrite=False)


def test_an_empty_folder_is_free(tmp_path):
    (tmp_path / "model").mkdir()
    model_files.check_output(tmp_path / "model", overwrite=False)
    saving.save(tmp_path / "model", trained(), LOG, CARD)
    assert {path.name for path in (tmp_path / "model").iterdir()} == MODEL_FILES


@both_forms
def test_a_trained_model_is_replaced_with_overwrite_only(name, tmp_path):
    path = tmp_path / name
    saving.save(path, trained(seed=1), LOG, CARD)
    error = user_error(model_files.check_output, path, False)
    assert error.problem == f"{path} already contains a trained model"
    assert "--overwrite" in error.hint
    model_files.check_output(path, overwrite=True)
    new = trained(seed=2)
    saving.save(path, new, LOG, CARD)
    assert changed(weights_of(checkpoint.load(str(path)).model), weights_of(new.model)) == set()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("overwrite", [True, False])
def test_foreign_folders_are_never_emptied(overwrite, tmp_path):
    for path in (tmp_path / "thesis", tmp_path / "thesis.pt"):
        path.mkdir()
        (path / "thesis.tex").write_text("years of work")
        error = user_error(model_files.check_output, path, overwrite)
        assert error.problem == f"{path} exists, and fine_tune.py did not write it"
    (tmp_path / "notes").write_text("more work")
    error = user_error(model_files.check_output, tmp_path / "notes", overwrite)
    assert "fine_tune.py did not write it" in error.problem


def test_a_base_model_somebody_downloaded_is_not_ours(tmp_path):
    trained().model.save_pretrained(tmp_path / "gpt2")
    assert "fine_tune.py did not write it" in user_error(model_files.check_output, tmp_path / "gpt2", True).problem


@both_forms
def test_a_place_that_cannot_be_written_is_known_before_the_training(name, tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / name
    assert user_error(model_files.check_output, path, False).problem.startswith(f"cannot write {path}: ")
    assert user_error(saving.save, path, trained(), LOG, CARD).problem.startswith(f"cannot write {path}: ")


@both_forms
def test_a_link_stays_a_link(name, tmp_path):
    (tmp_path / "big disk").mkdir()
    link = tmp_path / name
    link.symlink_to(tmp_path / "big disk" / name)
    for seed in (1, 2):
        model_files.check_output(link, overwrite=True)
        saving.save(link, trained(seed), LOG, CARD)
    assert link.is_symlink()
    assert [path.name for path in (tmp_path / "big disk").iterdir()] == [name]
    assert changed(weights_of(checkpoint.load(str(link)).model), weights_of(trained(2).model)) == set()


@contextmanager
def no_file_above(size: int):
    """Make writing fail in the middle of a file, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@both_forms
def test_a_full_disk_leaves_the_old_model_whole(name, tmp_path):
    old = trained(seed=1)
    saving.save(tmp_path / name, old, LOG, CARD)
    before = contents(tmp_path)
    # The configuration does not fit, the weights (64 KB) do not, nor does the packed file, the last to be written.
    for size in [100, 20_000] + [70_000] * name.endswith(".pt"):
        with no_file_above(size):
            error = user_error(saving.save, tmp_path / name, trained(seed=2), LOG, CARD)
        assert error.problem.startswith(f"cannot write {tmp_path / name}: ")
        assert "free some space" in error.hint
        assert contents(tmp_path) == before


@both_forms
def test_a_tokenizer_that_cannot_be_written_is_told(name, tmp_path, monkeypatch):
    """Its library raises no OSError, but a plain Exception with the system's number in it."""
    saving.save(tmp_path / name, trained(seed=1), LOG, CARD)
    before = sorted(tmp_path.rglob("*"))

    def save_pretrained(*_, **__):
        raise Exception("No space left on device (os error 28)")

    new = trained(seed=2)
    monkeypatch.setattr(new.tokenizer, "save_pretrained", save_pretrained)
    error = user_error(saving.save, tmp_path / name, new, LOG, CARD)
    assert error.problem == f"cannot write {tmp_path / name}: No space left on device"
    assert sorted(tmp_path.rglob("*")) == before
