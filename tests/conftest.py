"""What the tests share: no hub, logging that ends with each test, and one small processed pickle."""

import logging
import os
from contextlib import contextmanager
from pathlib import Path

import pytest

# Set here and not in a fixture, since huggingface_hub reads it once, when it is imported.
os.environ["HF_HUB_OFFLINE"] = "1"

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


@contextmanager
def _logging_restored():
    """A script's main replaces the root handlers by one on the stderr of that test, which is closed after it."""
    root, ours = logging.getLogger(), logging.getLogger("utils")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(our_level)


@pytest.fixture(autouse=True)
def _logging_ends_with_the_test():
    with _logging_restored():
        yield


@pytest.fixture(scope="session")
def processed(tmp_path_factory) -> Path:
    """A processed pickle of the sample tweets, encoded for `tiny`: some fifty rows."""
    import preprocess

    path = tmp_path_factory.mktemp("processed") / "tweets.pkl"
    with _logging_restored():
        preprocess.main(["--data", str(SAMPLES / "tweets.csv"), "--model", "tiny", "--output_path", str(path)])
    return path
