"""Texts cleaned in one process and in several: the same result, the same errors, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from utils.compute.workers import Workers
from utils.preprocessing import parallel_cleaning
from utils.preprocessing.parallel_cleaning import clean_texts
from utils.text.cleaning import Cleaning, clean

ROOT = Path(__file__).parent.parent.parent
TEXTS = [
    "Caf&eacute; — “Ça !” https://t.co/a1 @ann",
    "😀😀",
    "東京 tower",
    "",
    "so plain",
    "caf\u00c3\u00a9",
    "RT @bob: A, b",
]


def test_cleaned_texts():
    cleaning = Cleaning()
    found = clean_texts(TEXTS, cleaning)
    assert found.texts == [clean(text, cleaning) for text in TEXTS]
    assert found.texts[0] == "Café — “Ça !”"
    assert found.word_counts == [4, 0, 3, 0, 2, 1, 2]
    assert found.bare_words == ["café ça", "", "東京 tower", "", "so plain", "café", "a b"]
    assert {kind: texts for kind, texts in found.noise_counts.items() if texts} == {
        "html": 1,
        "mojibake": 1,
        "retweet_prefix": 1,
        "urls": 1,
        "mentions": 1,
        "emoji": 1,
    }


def test_several_processes_give_the_same_result(monkeypatch):
    monkeypatch.setattr(parallel_cleaning, "TEXTS_AT_ONCE", 9)
    texts = [f"{text} {number}" for number, text in enumerate(TEXTS * 4)]
    cleaning = Cleaning(hashtags="remove")
    alone = clean_texts(texts, cleaning)
    with Workers(2) as workers:
        together = clean_texts(texts, cleaning, workers)
    assert together == alone
    assert list(together.noise_counts) == list(alone.noise_counts)  # the report has them in the order of cleaning


def test_a_worker_process_raises_the_same_error(monkeypatch):
    monkeypatch.setattr(parallel_cleaning, "TEXTS_AT_ONCE", 3)
    for processes in (1, 2):
        with Workers(processes) as workers, pytest.raises(TypeError, match="expected string"):
            clean_texts(["a text", None, "another", "a third", "a fourth"], Cleaning(), workers)


CANARY = "hf_" + "Canary7" * 5


STARTING, CLEANING = 0.1, 1.0  # seconds that a worker process has worked


@pytest.fixture
def busy(tmp_path, request):
    """preprocess.py, in a session of its own, while its processes clean: (it, its children, where it was to write)."""
    seconds = getattr(request, "param", CLEANING)
    output = tmp_path / "out" / "processed.pkl"
    rows = [f"row {number} " + "&amp; @ann 😀 #tag " * 40 for number in range(30_000)]
    (tmp_path / "tweets.txt").write_text("text\n" + "\n".join(rows))
    words = ["--data", tmp_path / "tweets.txt", "--model", "tiny", "--num_proc", 2, "--output_path", output]
    command = [sys.executable, "-W", "error", ROOT / "preprocess.py", *words]
    process = subprocess.Popen(
        list(map(str, command)),
        env=os.environ | dict.fromkeys(("HF_TOKEN", "ANY_NAME"), CANARY),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    own = psutil.Process(process.pid)
    with process:
        while sum(child.cpu_times().user > seconds for child in own.children()) < 2:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        yield process, own.children(), output
        process.kill()


def workers_of(children: list[psutil.Process]) -> list[psutil.Process]:
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.parametrize("busy", [STARTING, CLEANING], indirect=True)
def test_ctrl_c_leaves_no_process_and_no_file(busy):
    process, children, output = busy
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert "interrupted\nno output was changed; to start again: " in err
    assert "Traceback" not in err
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert list(output.parent.iterdir()) == []


def test_worker_processes_end_with_their_parent(busy):
    process, children, _ = busy
    assert len(workers_of(children)) == 2
    assert all(CANARY not in child.environ().values() for child in children)
    assert process.poll() is None
    process.kill()
    assert psutil.wait_procs(children, timeout=30)[1] == []


def test_a_killed_worker_process_is_one_error(busy):
    process, children, output = busy
    workers_of(children)[0].kill()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, ""), err
    assert err.splitlines()[-2:] == [
        "error: a process was killed while cleaning texts, perhaps because memory ran out",
        "hint: try again with --num_proc 1",
    ]
    assert "Traceback" not in err
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert list(output.parent.iterdir()) == []
