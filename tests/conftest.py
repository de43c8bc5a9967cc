"""Fixtures for all tests: no Hub, logging restored after each test, a small processed pickle, runs of the scripts."""

import gc
import logging
import os
import signal
from pathlib import Path

import pytest
from running import assert_one_error, run_script

# Set here and not in a fixture, since huggingface_hub reads it when it is imported.
os.environ["HF_HUB_OFFLINE"] = "1"

if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # under nohup, where the scripts leave it so
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


@pytest.fixture(autouse=True)
def _interrupts_heard():
    """hypothesis measures collections of garbage, and a Ctrl-C that comes within its measuring is lost."""
    gc.callbacks.clear()


@pytest.fixture(autouse=True)
def _environment_restored():
    """`run` sets variables, among them one for threads of tokenizers, which a later fork would wait for in vain."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


@pytest.fixture(autouse=True)
def _logging_restored():
    """`run` replaces the root handlers by one for the stderr of the test, which is closed afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("utils")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(our_level)


@pytest.fixture(scope="session")
def processed(tmp_path_factory) -> Path:
    """The path of a processed pickle of the sample tweets, encoded for `tiny`: about fifty rows."""
    import preprocess

    path = tmp_path_factory.mktemp("processed") / "tweets.pkl"
    preprocess.main(["--data", str(SAMPLES / "tweets.csv"), "--model", "tiny", "--output_path", str(path)])
    return path


@pytest.fixture
def made(call, tmp_path):
    """Run `call`, a fixture of the test file that writes out/made.pkl, and return the processed data."""
    from utils.processed import load_processed

    def making(*arguments, **options):
        code, _, err = call(*arguments, **options)
        assert code == 0, err
        return load_processed(tmp_path / "out" / "made.pkl")

    return making


@pytest.fixture
def refused(call, tmp_path):
    """Run `call`, which must fail with this exit code and these words and write nothing; return the hint."""

    def failing(expected_code, words, *arguments, **options):
        code, out, err = call(*arguments, **options)
        assert (code, out) == (expected_code, ""), err
        assert not list(tmp_path.glob("out/*"))
        return assert_one_error(err, *words).removeprefix("hint: ")

    return failing


@pytest.fixture(scope="module")
def _no_progress_bars():
    import transformers

    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


@pytest.fixture
def hugging_face_home(tmp_path, monkeypatch):
    """Give the test its own Hugging Face home and cache."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))


@pytest.fixture
def cli(capsys):
    """Run generate.py in this process; return (exit code, stdout, stderr)."""
    import generate

    capsys.readouterr()

    def call(*arguments) -> tuple[int, str, str]:
        code = run_script(generate.main, *arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
