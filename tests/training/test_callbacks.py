"""Progress, samples, the check of the loss, and early ends of a run by signals."""

import logging
import math
import os
import re
import signal
from itertools import pairwise

import pytest
import torch
from small_models import random_model, tiny_tokenizer
from training_runs import SETTINGS, TEXTS, VALIDATION, rows_of, run_training

from utils.errors import UserError
from utils.inference.generation import generate_texts
from utils.inference.sampling import Sampling
from utils.training.callbacks import InterruptionCallback


def test_two_samples_follow_each_evaluation(tmp_path, capfd, caplog):
    caplog.set_level(logging.INFO)
    model = random_model("gpt2")
    outcome = run_training(model, rows_of(TEXTS), rows_of(VALIDATION), tmp_path, epochs=2)
    first = Sampling(seed=SETTINGS.seed, max_new_tokens=16)
    expected = generate_texts(random_model("gpt2"), tiny_tokenizer(), ["", ""], first)
    followers = [after for before, after in pairwise(outcome.history) if "eval_loss" in before]
    assert [entry.keys() for entry in followers] == [{"step", "samples"}] * 3
    assert [entry["step"] for entry in followers] == [0, 3, 6]
    assert followers[0]["samples"] == [texts[0].text for texts in expected]
    assert all(len(entry["samples"]) == 2 for entry in followers)
    lines = [record.message for record in caplog.records if "sample: " in record.message]
    assert [line.endswith(" …") for line in lines[:2]] == [not text.finished for [text] in expected]
    assert len(lines) == 6
    assert "sample" not in "".join(capfd.readouterr())  # but for those who want log lines


def test_a_log_gets_a_line_per_logging_step(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run_training(random_model("gpt2"), rows_of(TEXTS), rows_of(VALIDATION), tmp_path, epochs=2, logging_steps=2)
    lines = [line for line in caplog.messages if line.startswith("step ")]
    assert [line.split(" epoch")[0].split(": validation")[0] for line in lines] == [
        "step 0",
        "step 2/6",
        "step 3",
        "step 4/6",
        "step 6/6",
        "step 6",
    ]
    assert all(re.search(r" tokens/s, \d+ s left$", line) for line in lines if "/6" in line)


def test_a_validation_loss_that_is_no_number_ends_the_run(tmp_path):
    model = random_model("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] = math.nan
    with pytest.raises(UserError, match="the validation loss became nan at step 0") as raised:
        run_training(model, rows_of(TEXTS), rows_of(VALIDATION), tmp_path, logging_steps=100)
    assert "--learning_rate" in raised.value.hint


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_signals_of_a_launcher_count_once(number, capfd, monkeypatch):
    """Slurm signals the launcher and every process, and the launcher signals its processes again."""
    for name, value in {"LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    interruption = InterruptionCallback()
    before = signal.getsignal(number)
    with interruption.listening():
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    assert interruption.happened
    assert capfd.readouterr().err.count("interrupted: saving") == 1
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_a_single_process_saves_and_a_second_one_stops(number, capfd):
    interruption = InterruptionCallback()
    with interruption.listening():
        signal.raise_signal(number)
        assert interruption.happened
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert capfd.readouterr().err.count("interrupted: saving after this step") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_saves_nothing(number):
    before = signal.signal(number, signal.SIG_IGN)  # & in a script, or nohup
    try:
        interruption = InterruptionCallback()
        with interruption.listening():
            signal.raise_signal(number)
        assert not interruption.happened
    finally:
        signal.signal(number, before)
