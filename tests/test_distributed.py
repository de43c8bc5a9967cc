"""Several processes that work as one: two of them give the results and messages of one."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from emoji_models import emoji_data, run_record, taught
from running import assert_one_error, run_script
from safetensors.torch import load_file
from small_classifiers import labeled_data, opinions
from small_models import MODEL_FILES, SHAPE, processed_data, random_model, tiny_tokenizer
from transformers import GPT2Config, GPT2ForSequenceClassification

import classify
import evaluate_model
import fine_tune
import generate
import preprocess
from utils import distributed
from utils.models import checkpoint, saving
from utils.processed import load_processed, save_processed
from utils.text.cleaning import Cleaning
from utils.training.row_order import ShuffledLengthGroupedSampler, unsupervised_row
from utils.training.rows import training_rows

HELPERS = Path(__file__).parent / "helpers"
ROOT = Path(__file__).parent.parent
NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
SCRIPTS = {"generate": generate, "classify": classify, "evaluate_model": evaluate_model, "fine_tune": fine_tune}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}

HALF = {"16": "8"}  # the batch of one process → that of each of two

pytestmark = pytest.mark.usefixtures("_no_progress_bars")


def two(script: Path, *words, **environment) -> subprocess.CompletedProcess:
    """Run two processes of the script with torchrun."""
    return subprocess.run(
        [*TORCHRUN, str(script), *map(str, words)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT | environment,
        timeout=240,
    )


def texts(number: int, first: int = 0) -> list[str]:
    """Return texts of many lengths."""
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "then", "it", "went", "over", "hills", "and", "far", "away"]
    return [" ".join(words[n % 7 : n % 7 + 2 + n * n % 9]) + f" {n}" for n in range(first, first + number)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """`base`, a model without dropout, and texts.pkl to train and evaluate it on: 205, 70 and 150 texts."""
    folder = tmp_path_factory.mktemp("together")
    random_model("gpt2", **NO_DROPOUT).save_pretrained(folder / "base")
    tiny_tokenizer().save_pretrained(folder / "base")
    data = processed_data(train=texts(205), validation=texts(70, 100), test=texts(150, 300))
    save_processed(folder / "texts.pkl", data)
    return folder


# ---- training


def training(folder: Path, output: str, batch_size: int, *words) -> list:
    """Return the arguments of a run over 205 texts with 16 per step: 12 full steps per epoch, and one of 13 texts."""
    files = ["--data", folder / "texts.pkl", "--model", folder / "base", "--output_path", folder / output]
    steps = ["--batch_size", batch_size, "--gradient_accumulation_steps", 2, "--max_steps", 60, "--save_steps", 50]
    return [*files, *steps, "--precision", "fp32", "--device", "cpu", "--lr", 0.001, "--logging_steps", 1, *words]


def interrupted(folder: Path, step: int) -> str:
    """Train in two processes, send torchrun Ctrl-C at a step, and return their stderr."""
    command = [*TORCHRUN, str(ROOT / "fine_tune.py"), *map(str, training(folder, "two", 4))]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        err = []
        for line in process.stderr:
            err.append(line)
            if line.startswith(f"step {step}/"):
                process.send_signal(signal.SIGINT)
        out = process.stdout.read()
    assert (process.returncode, out) == (1, ""), "".join(err)
    return "".join(err)


def series(log: list[dict], name: str) -> list[tuple[int, float]]:
    return [(entry["step"], entry[name]) for entry in log if name in entry]


def assert_trained_alike(found: Path, wanted: Path) -> None:
    """Assert the same curves and the same weights, up to rounding."""
    logs = [
        [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        for folder in (found, wanted)
    ]
    for name in ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_bits_per_byte", "eval_token_accuracy"):
        values, right = (series(log, name) for log in logs)
        assert values == [(step, pytest.approx(value, rel=1e-5)) for step, value in right]
        assert len(values) >= 3
    assert series(logs[0], "samples") == series(logs[1], "samples") != []
    weights, right = (load_file(folder / "model.safetensors") for folder in (found, wanted))
    assert weights.keys() == right.keys()
    for name, tensor in right.items():
        if not name.endswith("attn.c_attn.bias"):  # no loss depends on keys' biases: Adam steps on rounding errors
            torch.testing.assert_close(weights[name], tensor, rtol=1e-4, atol=1e-5)


def cached_bytes(folder: Path) -> tuple[int, int]:
    """A float32 vector for every token that is trained on or validated with; those of the shortest text to train on."""
    data = load_processed(folder / "texts.pkl")
    rows = training_rows(data, tiny_tokenizer(), 128, ["train", "validation"])
    width = checkpoint.load(str(folder / "base")).model.config.hidden_size
    lengths = {name: [len(row["input_ids"]) for row in split] for name, split in rows.items()}
    return sum(map(sum, lengths.values())) * width * 4, min(lengths["train"]) * width * 4


def test_two_processes_train_as_one_does_on_batches_of_twice_the_size(folder):
    """Also where they are interrupted within an epoch, whose rest has to come in the order in which it began."""
    err = interrupted(folder, 4)
    assert err.count("interrupted: saving") == err.count("--resume\n") == err.count("\ninterrupted\n") == 1, err
    assert "2 processes: an optimizer step takes 16 texts" in err
    assert "Warning" not in err
    [state] = (folder / "two.training").glob("checkpoint-*")
    assert 4 <= int(state.name.partition("-")[2]) < 50  # in the middle of an epoch, if it is not 13, 26 or 39
    assert not (folder / "two").exists()
    code = run_script(fine_tune.main, *training(folder, "two", 4, "--resume"))
    assert code == 2  # one process would take half as many texts a step
    result = two(ROOT / "fine_tune.py", *training(folder, "two", 4, "--resume"))
    assert (result.returncode, result.stdout) == (0, f"{folder / 'two'}\n"), result.stderr
    assert result.stderr.count("trainable parameters:") == result.stderr.count("step 60: validation") == 1

    assert run_script(fine_tune.main, *training(folder, "one", 8)) == 0
    assert {path.name for path in folder.iterdir()} == {"base", "texts.pkl", "one", "two"}
    assert {path.name for path in (folder / "two").iterdir()} == MODEL_FILES
    assert_trained_alike(folder / "two", folder / "one")
    run = json.loads((folder / "two" / "run.json").read_text(encoding="utf-8"))
    assert (run["processes"], run["arguments"]["batch_size"]) == (2, 4)


def test_two_processes_train_adapters_as_one_does(folder):
    words = ["--lora", 2, "--lora_dropout", 0, "--max_steps", 14, "--save_steps", 7, "--save_adapter"]
    result = two(ROOT / "fine_tune.py", *training(folder, "two adapted", 4, *words))
    assert (result.returncode, result.stdout) == (0, f"{folder / 'two adapted'}\n"), result.stderr
    assert run_script(fine_tune.main, *training(folder, "one adapted", 8, *words)) == 0
    assert_trained_alike(folder / "two adapted", folder / "one adapted")
    found, wanted = (
        load_file(folder / f"{name} adapted.adapter" / "adapter_model.safetensors") for name in ("two", "one")
    )
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-5)


def test_filler_rows_in_the_last_batches_are_unsupervised():
    rows = training_rows(processed_data(train=texts(9)), tiny_tokenizer(), 128, ["train"])["train"]
    order = ShuffledLengthGroupedSampler(rows, 8, 42, multiple=4)
    order.set_epoch(1)
    numbers = list(order)
    assert len(order) == len(numbers) == 12
    assert sorted(numbers[:9]) == list(range(9))
    assert numbers[9:] == [9, 9, 9]
    filler = unsupervised_row(rows)
    assert len(filler["input_ids"]) == filler["loss_start"] == min(len(row["input_ids"]) for row in rows)


# ---- using


def in_both_ways(folder: Path, capsys, *runs: list) -> list[tuple[tuple[int, str], tuple[int, str]]]:
    """(exit code, stdout) of the scripts, each with its words, in one process and in two.

    A file that a run writes is to be called ONE and something; two processes write it as TWO and something.
    """
    runs = [[str(word) for word in words] for words in runs]
    alone = []
    for script, *words in runs:
        code = run_script(SCRIPTS[script].main, *words)
        alone.append((code, capsys.readouterr().out))
    outputs = folder / "outputs"
    outputs.mkdir()
    renamed = [[HALF.get(word, word.replace("ONE", "TWO")) for word in words] for words in runs]
    result = two(HELPERS / "scripts_in_sequence.py", outputs, json.dumps(renamed))
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == ""
    found = (json.loads((outputs / f"{number}.json").read_text()) for number in range(len(runs)))
    together = [(code, out.replace("TWO", "ONE")) for code, out in found]
    return list(zip(alone, together, strict=True))


def save_classifier(path: Path) -> Path:
    labels = ["neg", "pos"]
    config = GPT2Config(**SHAPE, n_embd=16, n_layer=2, n_head=2, initializer_range=0.3, num_labels=2)
    config.id2label, config.label2id = dict(enumerate(labels)), {name: n for n, name in enumerate(labels)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GPT2ForSequenceClassification(config).eval()
    cleaning = asdict(Cleaning(emoji="keep"))
    run = {"task": "reviews", "kind": "classify", "labels": labels, "template": "{prompt}", "cleaning": cleaning}
    saving.save(path, checkpoint.Trained(model, tiny_tokenizer(), run), "", "")
    return path


def test_two_processes_write_and_judge_what_one_does(folder, tmp_path, capsys):
    """Byte for byte."""
    classifier = save_classifier(tmp_path / "classifier")
    table = "text,label\n" + "".join(f"{text},{'pos' if n % 3 else 'neg'}\n" for n, text in enumerate(texts(1500)))
    (tmp_path / "reviews.csv").write_text(table)
    (tmp_path / "prompts.txt").write_text("the cat\nit went over the hills\na\nand then\nfar\n")
    data = emoji_data()
    save_processed(tmp_path / "emoji.pkl", data)
    record = run_record(data_path=tmp_path / "emoji.pkl")
    saving.save(tmp_path / "emoji", checkpoint.Trained(taught(data), tiny_tokenizer(), record), "", "")
    opinions_ = labeled_data({"train": opinions(40), "validation": opinions(12, 40)}, ["neg", "pos"])
    save_processed(tmp_path / "opinions.pkl", opinions_)
    sampled = ["--num_return_sequences", 3, "--max_new_tokens", 12, "--batch_size", 4]
    runs = [
        ["generate", "--model_path", folder / "base", "--prompts_file", tmp_path / "prompts.txt", *sampled,
         "--output_path", tmp_path / "ONE.jsonl", "--device", "cpu"],
        ["generate", "--model_path", tmp_path / "emoji", "--prompt", "cat", "--prompt", "a heart", "--prompt", "one",
         "--num_return_sequences", 4, "--json", "--device", "cpu", "--batch_size", 1],
        ["classify", "--model_path", classifier, "--data", tmp_path / "reviews.csv", "--device", "cpu",
         "--output_path", tmp_path / "ONE.csv"],
        ["classify", "--model_path", classifier, "--text", "", "--text", "fine", "--json", "--device", "cpu"],
        ["evaluate_model", "--model_path", folder / "base", "--data", folder / "texts.pkl", "--num_samples", 7,
         "--max_new_tokens", 9, "--output_path", tmp_path / "ONE.texts.json", "--device", "cpu"],
        ["evaluate_model", "--model_path", tmp_path / "emoji", "--data", tmp_path / "emoji.pkl", "--device", "cpu",
         "--output_path", tmp_path / "ONE.emoji.json", "--errors_path", tmp_path / "ONE.mistakes.csv"],
        ["fine_tune", "--data", tmp_path / "opinions.pkl", "--model", folder / "base", "--max_steps", 2, "--device",
         "cpu", "--precision", "fp32", "--output_path", tmp_path / "ONE.pt", "--batch_size", 16],
        ["fine_tune", "--data", folder / "texts.pkl", "--model", folder / "base", "--unfreeze_last", 1, "--epochs", 2,
         "--prefix_cache", "on", "--lr", 0.001, "--logging_steps", 1, "--device", "cpu", "--precision", "fp32",
         "--output_path", tmp_path / "ONE.prefix", "--batch_size", 16],
    ]  # fmt: skip
    found = in_both_ways(tmp_path, capsys, *runs)
    for words, (one, other) in zip(runs, found, strict=True):
        assert (other, one[0]) == (one, 0), words
    assert_trained_alike(tmp_path / "TWO.prefix", tmp_path / "ONE.prefix")
    states, filler = cached_bytes(folder)  # two processes have a row more, which fills up their last batch
    for name, size in {"ONE.prefix": states, "TWO.prefix": states + filler}.items():
        cached = json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8"))["prefix_cache"]
        assert cached == {"blocks": 2, "bytes": size}
        shutil.rmtree(tmp_path / name)
    assert not [*tmp_path.glob("*.prefix_cache")]
    assert (tmp_path / "TWO.training.svg").is_file()
    (tmp_path / "ONE.training.svg").unlink()  # its losses are equal up to rounding
    written = sorted(path.name for path in tmp_path.glob("ONE*"))
    assert written == ["ONE.csv", "ONE.emoji.json", "ONE.jsonl", "ONE.mistakes.csv", "ONE.pt", "ONE.texts.json"]
    for name in set(written) - {"ONE.pt"}:
        assert (tmp_path / name.replace("ONE", "TWO")).read_bytes() == (tmp_path / name).read_bytes(), name
    assert len((tmp_path / "ONE.csv").read_text().splitlines()) == 1501

    one, other = (checkpoint.load(str(tmp_path / name)).run for name in ("ONE.pt", "TWO.pt"))
    assert other["calibration"] == {
        name: None if value is None else pytest.approx(value, rel=1e-4) for name, value in one["calibration"].items()
    }
    for name in ("validation_macro_f1_before", "validation_macro_f1_after"):
        assert other["results"][name] == one["results"][name]


# ---- what goes wrong


@pytest.fixture
def several(monkeypatch):
    """Set the environment that torchrun gives the first of two processes."""
    for name, value in {"LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)


def test_an_error_of_all_processes_is_reported_once():
    result = two(ROOT / "fine_tune.py", "--data", "none.pkl", "--search", 2)
    assert (result.returncode, result.stdout) == (1, "")
    errors = [line for line in result.stderr.splitlines() if line.startswith(("error: ", "hint: "))]
    assert_one_error("\n".join(errors), "none.pkl does not exist")
    assert re.search(r"exitcode *: 3 ", result.stderr)  # torchrun's own is 1, whatever it was


@pytest.mark.parametrize("loud", [0, 1])
def test_an_error_of_one_process_ends_all(loud):
    result = two(HELPERS / "error_in_one_process.py", LOUD=str(loud))
    assert (result.returncode, result.stdout) == (1, "started 0\n")
    errors = [line for line in result.stderr.splitlines() if line.startswith(("error: ", "hint: "))]
    assert_one_error("\n".join(errors), "row 3 has no text")
    assert "closed by peer" not in result.stderr


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (preprocess, ["--data_path", "tweets.csv"]),
        (generate, ["--chat"]),
        (fine_tune, ["--push_trained", "--hub_model_id", "me/mine"]),
        (classify, []),
    ],
)
def test_features_for_one_process_are_refused(several, script, words, capsys):
    assert run_script(script.main, *words) == 2
    assert "python alone" in assert_one_error(capsys.readouterr().err, "works in one process only, and there are 2")


def test_fsdp_is_refused(several, monkeypatch, capsys, folder):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert run_script(fine_tune.main, *training(folder, "never", 4)) == 2
    assert_one_error(capsys.readouterr().err, "FSDP")


def test_a_process_alone_has_everything():
    assert (distributed.rank(), distributed.world_size(), distributed.is_main_process()) == (0, 1, True)
    assert distributed.shard([3, 1, 2]) == [3, 1, 2]
    assert distributed.gather_dict({1: "a"}) == {1: "a"}
    assert distributed.any_process(True) and not distributed.any_process(False)
