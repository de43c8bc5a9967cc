"""No script replaces its inputs: an output that is an input is refused, and the input is unchanged."""

import hashlib

import pytest
from running import run_script
from small_models import processed_data

import classify
import evaluate_model
import fine_tune
import generate
import preprocess
from utils.processed import save_processed

SCRIPTS = {module.__name__: module.main for module in (preprocess, fine_tune, generate, classify, evaluate_model)}


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """Files that look like inputs; none is opened as a model."""
    monkeypatch.chdir(tmp_path)
    save_processed(tmp_path / "data.pkl", processed_data(train=["a"], validation=["b"], test=["c"]))
    for name in ("tables/a.csv", "tables/b.csv", "m/model.safetensors", "m/run.json", "m/config.json", "m.pt", "p.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\nhello\n")
    return tmp_path


def digests(folder) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(
    "command",
    [
        "preprocess --data_path tables/a.csv --model tiny --output_path tables/a.csv",
        "preprocess --data_path tables --model tiny --output_path tables/b.csv",
        "preprocess --data_path tables/a.csv --model m --output_path m/config.json",
        "fine_tune --data data.pkl --model tiny --output_path data.pkl --overwrite",
        "fine_tune --data data.pkl --model m --output_path m --overwrite",
        "fine_tune --data data.pkl --model tiny --output_path . --overwrite",
        "generate --prompts_file p.txt --model_path m --output_path p.txt",
        "generate --prompt a --model_path m.pt --output_path m.pt",
        "generate --prompt a --model_path m --output_path m/config.json",
        "classify --model_path m --data_path tables/a.csv --output_path tables/a.csv",
        "classify --model_path m --data_path tables --output_path tables/b.csv",
        "evaluate_model --model_path m --data data.pkl --output_path m/model.safetensors",
        "evaluate_model --model_path m --data data.pkl --output_path m/run.json",
        "evaluate_model --model_path m.pt --data data.pkl --output_path m.pt",
    ],
)
def test_an_output_that_is_an_input_is_refused(inputs, capsys, command):
    before = digests(inputs)
    script, *words = command.split()
    assert run_script(SCRIPTS[script], *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 2
    assert "which is read" in err
    assert digests(inputs) == before


@pytest.mark.parametrize(
    "command",
    [
        "preprocess --data_path - --model tiny --output_path tables/a.csv",
        "generate --prompts_file - --model_path m --output_path tables/a.csv",
        "generate --model_path m --output_path tables/a.csv",
        "classify --model_path m --data_path - --output_path tables/a.csv",
    ],
)
def test_a_file_that_the_shell_gives_as_stdin_is_an_input(inputs, capsys, monkeypatch, command):
    before = digests(inputs)
    script, *words = command.split()
    with (inputs / "tables" / "a.csv").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert run_script(SCRIPTS[script], *words) == 2
    assert "a.csv would replace -, which is read" in capsys.readouterr().err
    assert digests(inputs) == before
