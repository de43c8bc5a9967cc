"""generate.py as its users meet it: streams, files, exit codes, and errors about bad input."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

import generate
from utils.models import checkpoint, saving
from utils.models.base_models import resolve
from utils.models.opening.load import load_tokenizer
from utils.process import run
from utils.text.cleaning import Cleaning

ROOT = Path(generate.__file__).parent
RECIPE = {"task": "tweets", "template": "{prompt}", "cleaning": asdict(Cleaning()), "base_model": "tiny"}
SHORT = ["--max_new_tokens", "6"]


@pytest.fixture(scope="module", autouse=True)
def _no_progress_bars():
    """As in a process of the script's own, which says so before it imports the libraries."""
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A trained model of tiny's shape that writes small letters and never ends a text."""
    tokenizer = load_tokenizer(resolve("tiny"))
    shape = {"vocab_size": 257, "n_embd": 32, "n_layer": 2, "n_head": 2, "bos_token_id": 256, "eos_token_id": 256}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GPT2LMHeadModel(GPT2Config(tie_word_embeddings=False, initializer_range=0.3, **shape))
    others = sorted(set(range(257)) - set(tokenizer.convert_tokens_to_ids(list("abcdefghijklmnopqrstuvwxyz"))))
    model.transformer.ln_f.bias.data.fill_(1)
    model.lm_head.weight.data[others] = -3  # × the sum over 32 dimensions of numbers whose mean is 1: logits of -96
    path = tmp_path_factory.mktemp("models") / "trained"
    saving.save(path, checkpoint.Trained(model, tokenizer, RECIPE), "", "")
    return path


@pytest.fixture
def cli(capsys):
    """Run generate.py in this process: (exit code, stdout, stderr)."""

    def call(*arguments) -> tuple[int, str, str]:
        try:
            code = run(lambda: generate.main([str(argument) for argument in arguments]))
        except SystemExit as exit_:  # what argparse finds wrong
            code = exit_.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def refused(result, exit_code, *words):
    """Assert one error line with these words, one hint line, nothing on stdout; return the hint."""
    code, out, err = result
    error, hint = err.splitlines()
    assert (code, out) == (exit_code, "")
    assert error.startswith("error: ")
    assert all(word in error for word in words), error
    assert hint.startswith("hint: ")
    return hint


def test_one_text_is_printed_alone_behind_its_prompt(cli, folder):
    code, out, err = cli("--model_path", folder, "--prompt", "I love", *SHORT)
    assert (code, err) == (0, "")
    assert len(out) == len("I love") + 6 + 1
    assert out.startswith("I love")
    assert out.endswith("\n")


@pytest.fixture
def pipe_in(monkeypatch):
    """Let another program write these bytes to stdin."""
    with contextlib.ExitStack() as opened:

        def pipe(content: bytes) -> None:
            reading, writing = os.pipe()
            os.write(writing, content)
            os.close(writing)
            monkeypatch.setattr(sys, "stdin", opened.enter_context(os.fdopen(reading)))

        yield pipe


@pytest.mark.parametrize(
    ("flags", "said"), [([], "reading prompts from stdin, one per line\n"), (["--prompts_file", "-"], "")]
)
def test_prompts_come_from_a_pipe(cli, folder, pipe_in, flags, said):
    pipe_in('\ufeffun été\r\n\n{"prompt": "deux"}\n{trois}\n'.encode())
    code, out, err = cli("--model_path", folder, *flags, *SHORT, "--json")
    assert (code, err) == (0, said)
    assert [json.loads(line)["prompt"] for line in out.splitlines()] == ["un été", "deux", "{trois}"]


def test_a_pipe_without_prompts(cli, folder, pipe_in):
    pipe_in(b"\n")
    code, out, _ = cli("--model_path", folder, *SHORT, "--json")
    assert (code, json.loads(out)["prompt"]) == (0, "")
    pipe_in(b"\n")
    refused(cli("--model_path", folder, "--prompts_file", "-"), 3, "stdin holds no prompts")


def test_a_pipe_is_left_alone_where_a_prompt_is_given(cli, folder, pipe_in):
    pipe_in(b"for another program\n")
    code, out, err = cli("--model_path", folder, "--prompt", "one", *SHORT, "--json")
    assert (code, err, json.loads(out)["prompt"]) == (0, "", "one")
    assert sys.stdin.read() == "for another program\n"


def test_several_texts_get_a_line_each_and_change_with_the_seed_only(cli, folder):
    arguments = ["--model_path", folder, "--prompt", "one", "--prompt", "two", "--num_return_sequences", 2, *SHORT]
    code, out, _ = cli(*arguments)
    texts = out.removesuffix("\n").split("\n")
    assert code == 0
    assert [text[:3] for text in texts] == ["one", "one", "two", "two"]
    assert len(set(texts)) == 4
    assert cli(*arguments, "--batch_size", 1)[1] == out
    assert cli(*arguments, "--seed", 7)[1] != out


def test_json_says_all_about_each_text(cli, folder):
    arguments = ["--model_path", folder, "--prompt", "one", "--prompt", "two", "--num_return_sequences", 2, *SHORT]
    _, printed, _ = cli(*arguments)
    code, out, _ = cli(*arguments, "--json", "--seed", 42)
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(record["prompt_index"], record["sequence_index"]) for record in records] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert "\n".join(" ".join(record["full_text"].splitlines()) for record in records) + "\n" == printed
    for record in records:
        text = record.pop("text")
        assert len(text) == 6
        assert record == {
            "prompt": ["one", "two"][record["prompt_index"]],
            "full_text": record["prompt"] + text,
            "tokens": 6,
            "finished": False,
            "model": "tuned",
            "prompt_index": record["prompt_index"],
            "sequence_index": record["sequence_index"],
            "seed": 42,
        }


def test_without_a_prompt_the_model_begins(cli, folder):
    _, out, _ = cli("--model_path", folder, "--json", *SHORT)
    record = json.loads(out)
    assert record["prompt"] == ""
    assert record["full_text"] == record["text"] != ""


def test_every_flag_reaches_the_model(cli, folder):
    start = ["--model_path", folder, "--prompt", "x"]
    greedy = cli(*start, "--greedy", *SHORT)[1]
    assert greedy == cli(*start, "--greedy", "--seed", 3, *SHORT)[1] != cli(*start, *SHORT)[1]
    assert greedy == cli(*start, "--top-k", 1, *SHORT)[1] == cli(*start, "--temperature", 1e-5, *SHORT)[1]
    assert greedy == cli(*start, "--top_p", 1e-9, "--top_k", 0, *SHORT)[1]
    assert len(set(greedy[1:])) < len(set(cli(*start, "--greedy", "--repetition_penalty", 50, *SHORT)[1][1:]))
    assert cli(*start, "--greedy", "--stop", greedy[1:2], *SHORT)[1] == "x\n"
    early, late = (json.loads(cli("--model_path", "tiny", "--json", "--min_new_tokens", n)[1]) for n in (0, 30))
    assert early["tokens"] < 30 <= late["tokens"]
    two = cli(*start, "--num_beams", 2, "--num_return_sequences", 2, *SHORT)[1]
    assert two == cli(*start, "--num_beams", 2, "--num_return_sequences", 2, "--seed", 3, *SHORT)[1]


def test_a_pt_file_and_a_folder_write_the_same(cli, folder, tmp_path):
    trained = checkpoint.load(str(folder))
    saving.save(tmp_path / "model.pt", trained, "", "")
    arguments = ["--prompt", "one", "--json", *SHORT]
    assert cli("--model_path", tmp_path / "model.pt", *arguments) == cli("--model_path", folder, *arguments)


def test_compare_base_puts_the_base_model_beside_the_tuned_one(cli, folder):
    arguments = ["--prompt", "one", "--prompt", "two", *SHORT]
    code, out, err = cli("--model_path", folder, "--compare_base", "--json", *arguments)
    records = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [(r["model"], r["prompt"]) for r in records] == [
        ("base", "one"),
        ("tuned", "one"),
        ("base", "two"),
        ("tuned", "two"),
    ]
    alone = {
        name: cli("--model_path", path, "--json", *arguments)[1] for name, path in (("tuned", folder), ("base", "tiny"))
    }
    for name, printed in alone.items():
        assert [r for r in records if r["model"] == name] == [json.loads(line) for line in printed.splitlines()]
    _, out, _ = cli("--model_path", folder, "--compare_base", *arguments)
    blocks = [f"{record['model']}:\n{record['full_text']}" for record in records]
    assert out == "\n\n".join(blocks) + "\n"


def test_the_prompts_of_a_file_follow_those_of_the_command_line(cli, folder, tmp_path):
    (tmp_path / "prompts.txt").write_bytes("\ufeffun été\r\n\r\ndeux\r\n".encode())
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "un été", "id": 1}\n\n{"prompt": "deux\\u2028"}\n', "utf-8")
    for name in ("prompts.txt", "prompts.jsonl"):
        code, out, _ = cli(
            "--model_path", folder, "--json", "--prompt", "zero", "--prompts_file", tmp_path / name, *SHORT
        )
        assert code == 0
        assert [json.loads(line)["prompt"] for line in out.splitlines()] == ["zero", "un été", "deux"]


def test_output_path_holds_what_json_prints(cli, folder, tmp_path):
    path = tmp_path / "new" / "texts.jsonl"
    arguments = ["--model_path", folder, "--prompt", "été", "--num_return_sequences", 3, *SHORT]
    code, out, err = cli(*arguments, "--output_path", path)
    assert (code, err) == (0, f"wrote 3 texts to {path}\n")
    assert out == cli(*arguments)[1]
    assert path.read_text("utf-8") == cli(*arguments, "--json")[1]
    assert "été" in path.read_text("utf-8")
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_that_goes_away_is_no_error(folder):
    command = [sys.executable, "generate.py", "--model_path", str(folder), *SHORT]
    read_end, write_end = os.pipe()
    os.close(read_end)
    finished = subprocess.run(command, cwd=ROOT, stdout=write_end, stderr=subprocess.PIPE, text=True)
    os.close(write_end)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_help_and_usage_errors_do_not_wait_for_torch():
    code = (
        "import sys, generate\n"
        "from utils.process import run\n"
        "try:\n"
        "    code = run(lambda: generate.main(sys.argv[1:]))\n"
        "except SystemExit as exit_:\n"
        "    code = exit_.code\n"
        "print(code, sorted({'torch', 'transformers', 'pandas', 'numpy'} & set(sys.modules)))\n"
    )
    for arguments, expected in (["--help"], "0 []"), (["--greedy", "--num_return_sequences", "2"], "2 []"):
        done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == expected
    # The epilog's two commands are how people start.
    done = subprocess.run([sys.executable, "generate.py", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.count("python generate.py --model_path models/fine_tuned_model.pt") == 2


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (["--max_new_token", "3"], "unknown flag --max_new_token", "--max_new_tokens"),
        (["--num_return_sequences", "3", "--greedy"], "greedy decoding gives one sample per prompt", "remove --greedy"),
        (["--num_return_sequences", "3", "--num_beams", "2"], "2 beams cannot give 3 texts", "--num_beams 3"),
        (["--temperature", "0"], "temperature 0", "--greedy"),
        (["--top_p", "1.5"], "--top_p", "--help"),
        (["--prompt", "caf\udce9"], "is not valid UTF-8", "--prompts_file"),
    ],
)
def test_usage_errors(cli, arguments, problem, hint):
    assert hint in refused(cli("--model_path", "tiny", *arguments), 2, problem)


def test_a_missing_model_names_the_command_that_makes_one(cli, tmp_path):
    path = tmp_path / "model.pt"
    assert f"python fine_tune.py --data data/processed.pkl --output_path {path}" in refused(
        cli("--model_path", path), 1, f"there is no model at {path}"
    )
    refused(cli("--model_path", tmp_path / "folder"), 1, f"there is no model at {tmp_path / 'folder'}")


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_model_folder_without_a_file_is_an_error_that_lists_its_files(cli, folder, tmp_path, missing):
    for file in folder.iterdir():
        if file.name != missing:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    refused(cli("--model_path", tmp_path), 1, f"{missing} missing", "run.json")


@pytest.mark.parametrize("kept", [0, 100, 0.5])
def test_a_pt_file_that_is_cut_short_is_refused(cli, folder, tmp_path, kept):
    path = tmp_path / "model.pt"
    saving.save(path, checkpoint.load(str(folder)), "", "")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    assert "fine_tune.py" in refused(cli("--model_path", path), 1, str(path), "truncated")


def test_a_prompt_longer_than_the_context_is_named(cli, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("short\n" + "x" * 1024 + "\n", "utf-8")
    refused(cli("--model_path", "tiny", "--prompts_file", path), 3, "prompt 2 has 1,025 tokens", "context of 1,024")


def test_an_unwritable_output_is_found_before_the_model_is_loaded(cli, tmp_path):
    (tmp_path / "file").write_text("here first")
    unwritable = tmp_path / "file" / "texts.jsonl"
    refused(cli("--model_path", "missing.pt", "--output_path", unwritable), 1, f"cannot write {unwritable}")
    refused(cli("--model_path", "missing.pt", "--output_path", tmp_path), 1, "is a folder")
    assert (tmp_path / "file").read_text() == "here first"


def test_compare_base_needs_a_model_that_was_fine_tuned(cli):
    hint = refused(cli("--model_path", "tiny", "--compare_base"), 1, "tiny does not name its base model")
    assert "--compare_base" in hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there(cli):
    refused(cli("--model_path", "tiny", "--device", "cuda"), 2, "no CUDA GPU")
