"""`pip install .`: one name in site-packages, the five commands, and functions that leave a notebook's names alone."""

import pickle
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
from running import assert_one_error

import small_text_fine_tuning
from utils import errors, interrupts
from utils.cli import Parser
from utils.errors import UsageError, as_typed

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOTEBOOK = """
import sys
import utils, generate
from small_text_fine_tuning import UserError, classify, fine_tune, samples
from small_text_fine_tuning import generate as generate_texts

model = fine_tune("data/tweets.pkl", output="models/tweets", max_steps=1)
[record] = generate_texts("I", model, max_new_tokens=2)
assert record["prompt"] == "I"
try:
    classify("x", model)
except UserError as error:
    assert "run small-text-fine-tuning generate --model_path models/tweets" in str(error), error
else:
    raise AssertionError("a writer that classifies")

import preprocess
assert (utils.name, generate.name, preprocess.name) == ("my utils", "my generate", "my preprocess")
assert not [name for name in sys.modules if name.startswith("utils.")]
assert not [folder for folder in sys.path if "small_text_fine_tuning" in folder]
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """A fresh environment with the built wheel, which also sees the packages that the tests run with."""
    folder = tmp_path_factory.mktemp("installed")
    wheels = folder / "wheels"
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", wheels, cwd=ROOT)
    venv.create(folder / "environment", symlinks=True)
    python = folder / "environment" / "bin" / "python"
    [packages] = (folder / "environment").glob("lib/*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet"]
    _run(*pip, next(wheels.iterdir()), cwd=folder)
    (packages / "seen.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "environment"


@pytest.fixture
def command(environment, tmp_path):
    """Run `small-text-fine-tuning` in another folder; return (exit code, stdout, stderr)."""

    def call(*words):
        program = environment / "bin" / "small-text-fine-tuning"
        done = subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    return call


def _run(*words, cwd: Path) -> None:
    done = subprocess.run(list(map(str, words)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_name_is_installed_and_one_command(environment):
    [packages] = environment.glob("lib/*/site-packages")
    version = PROJECT["project"]["version"]
    names = {"small_text_fine_tuning", f"small_text_fine_tuning-{version}.dist-info", "seen.pth"}
    assert {path.name for path in packages.iterdir()} == names
    ours = {path.name for path in (environment / "bin").iterdir()}
    assert {name for name in ours if not name.startswith(("python", "activate", "Activate"))} == {
        "small-text-fine-tuning"
    }
    installed = packages / "small_text_fine_tuning" / "scripts"
    left_out = [
        path
        for path in [*ROOT.glob("*.py"), *ROOT.glob("utils/**/*"), *ROOT.glob("data/samples/*")]
        if path.is_file() and path.suffix != ".pyc" and not (installed / path.relative_to(ROOT)).is_file()
    ]
    assert left_out == []


def test_each_script_is_a_command_whose_help_and_errors_name_it(command):
    code, out, _ = command("--help")
    assert code == 0 and all(f"\n  {name} " in out for name in SCRIPTS)
    for name in SCRIPTS:
        code, out, err = command(name.replace("_", "-"), "--help")
        assert (code, err) == (0, "")
        assert out.startswith(f"usage: small-text-fine-tuning {name} ")
        assert f"\nsmall-text-fine-tuning {name} --" in out and ".py " not in out
        code, out, err = command(name, "--unknown")
        assert (code, out) == (2, "")
        assert assert_one_error(err, "--unknown").endswith(f"small-text-fine-tuning {name} --help_all lists the flags")


@pytest.mark.parametrize(("words", "problem"), [((), "a command is missing"), (("train",), "unknown command 'train'")])
def test_another_command_is_refused(command, words, problem):
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert "small-text-fine-tuning --help" in assert_one_error(err, problem, *SCRIPTS)


def test_command_and_functions_work_beside_modules_of_the_same_names(environment, command, tmp_path):
    code, out, err = command(
        *("preprocess", "--data_path", ROOT / "data" / "samples" / "tweets.csv", "--near_duplicates", "off"),
        *("--model", "tiny", "--output_path", "data/tweets.pkl"),
    )
    assert (code, out) == (0, "data/tweets.pkl\n"), err
    for name in ("utils", "generate", "preprocess"):
        (tmp_path / f"{name}.py").write_text(f"name = 'my {name}'\n")
    (tmp_path / "notebook.py").write_text(NOTEBOOK)
    _run(environment / "bin" / "python", "notebook.py", cwd=tmp_path)


def test_a_clone_has_the_same_functions_apart_from_the_scripts_own():
    import classify as script

    assert small_text_fine_tuning.classify.__doc__ == script.classify.__doc__
    assert small_text_fine_tuning.classify is not script.classify
    assert small_text_fine_tuning.UserError is not errors.UserError
    with pytest.raises(small_text_fine_tuning.UserError, match="no_flag"):
        small_text_fine_tuning.classify("x", no_flag=1)
    assert sys.modules["utils"].__name__ == "utils" and sys.modules["classify"] is script
    assert (small_text_fine_tuning.samples / "tweets.csv").is_file()
    assert {"samples", "classify", "generate_emoji"} <= set(dir(small_text_fine_tuning))
    assert not hasattr(small_text_fine_tuning, "train")
    everything = {}
    exec("from small_text_fine_tuning import *", everything)
    assert {"preprocess", "fine_tune", "generate", "classify", "evaluate", "fine_tune_gpt2"} <= everything.keys()


def test_their_objects_find_the_way_to_other_processes():
    error = small_text_fine_tuning.UserError("a", "b")
    assert type(pickle.loads(pickle.dumps(error))) is small_text_fine_tuning.UserError
    child = "import pickle, sys; print(pickle.load(sys.stdin.buffer).hint)"
    done = subprocess.run([sys.executable, "-c", child], input=pickle.dumps(error), cwd=ROOT, capture_output=True)
    assert done.stdout == b"b\n", done.stderr


def test_pip_installs_what_the_requirements_have():
    project = PROJECT["project"]
    assert project["dependencies"] == _requirements(ROOT / "requirements.txt")
    for name, wanted in project["optional-dependencies"].items():
        assert wanted == _requirements(ROOT / f"requirements-{name}.txt")
    others = {path.stem.removeprefix("requirements-") for path in ROOT.glob("requirements-*.txt")} - {"dev", "bench"}
    assert project["optional-dependencies"].keys() == others
    assert PROJECT["build-system"]["requires"][0] in _requirements(ROOT / "requirements-dev.txt")


def _requirements(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(("#", "-r "))]


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("run python generate.py --model_path m", "run small-text-fine-tuning generate --model_path m"),
        ("what evaluate_model.py wrote", "what small-text-fine-tuning evaluate_model wrote"),
        ("my/generate.py, ./classify.py and degenerate.py", "my/generate.py, ./classify.py and degenerate.py"),
        ("pip install -r requirements-reporters.txt", 'pip install "small-text-fine-tuning[reporters]"'),
    ],
)
def test_messages_of_an_installed_project_have_commands_that_can_be_typed(monkeypatch, text, typed):
    assert as_typed(text) == text
    monkeypatch.setattr(errors, "INSTALLED", True)
    assert as_typed(text) == typed
    assert UsageError(text, text).hint == typed
    assert as_typed(typed) == typed


def test_the_help_of_an_installed_project_has_its_commands(monkeypatch):
    monkeypatch.setattr(errors, "INSTALLED", True)
    parser = Parser("Do it.\n\npython fine_tune.py --lr 1\n")
    assert parser.prog == "small-text-fine-tuning fine_tune"
    assert "small-text-fine-tuning fine_tune --lr 1" in parser.format_help()


@pytest.mark.parametrize(
    ("processes", "command"),
    [
        ("1", "small-text-fine-tuning fine_tune --lr 1 --resume"),
        ("2", "torchrun --nproc_per_node=2 -m small_text_fine_tuning fine_tune --lr 1 --resume"),
    ],
)
def test_an_interruption_says_the_command_that_continues(monkeypatch, processes, command):
    for name, value in {"LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(interrupts, "INSTALLED", True)
    monkeypatch.setattr(sys, "argv", [str(ROOT / "fine_tune.py"), "--lr", "1"])
    assert interrupts.typed_command(["--resume"]) == command
