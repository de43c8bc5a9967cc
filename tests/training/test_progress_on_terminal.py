"""A training on a terminal of 80 columns: a readable bar, some losses above it, and no output of libraries."""

import logging
import os
import re
import sys

import pytest
from screens import replay, seen
from small_models import random_model
from terminals import on_terminal
from training_runs import TEXTS, VALIDATION, rows_of, run_training

from utils.terminal.progress import training_bar
from utils.training import callbacks

BAR = re.compile(r"^training \|(.*)\| (\d+)/(\d+)(?:, loss \d+\.\d{3}, [\d,]+ tokens/s)?(?:, .* left)?$")


def train(folder) -> int:
    """Train as the scripts do, with the log on the terminal, and with a line of each of a few losses."""
    callbacks.SECONDS_BETWEEN_LOSSES, callbacks.MOST_LOSSES = 0.0, 4
    logging.basicConfig(stream=sys.stderr, format="%(message)s", force=True)
    logging.getLogger("utils").setLevel(logging.INFO)
    run_training(random_model("gpt2"), rows_of(TEXTS), rows_of(VALIDATION), folder, epochs=4)
    return 0


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    code, written = on_terminal(train, tmp_path_factory.mktemp("run"))
    assert code == 0, written
    return written


def test_the_bar_has_loss_speed_and_time_left_within_80_columns(written):
    bars = [BAR.fullmatch(line) for line in seen(written) if line.startswith("training ")]
    assert len(bars) > 4 and all(bars)
    assert min(len(bar[1]) for bar in bars) >= 10
    assert bars[-1].group(2, 3) == ("12", "12")
    assert re.search(r", loss \d\.\d{3}, [\d,]+ tokens/s, \d+ s left$", bars[-1][0])
    assert not [line for line in replay(written).overflows if "sample" not in line and line.isascii()]


def test_some_losses_stay_on_the_screen_and_the_bar_goes(written):
    lines = replay(written).lines
    losses = [line for line in lines if re.fullmatch(r"step \d+/12 epoch [\d.]+ loss [\d.]+ [\d,]+ tokens/s", line)]
    assert [line.split()[1] for line in losses] == ["1/12", "4/12", "7/12", "10/12"]
    assert len([line for line in lines if "validation bits per byte" in line]) == 5
    assert not [line for line in lines if "training" in line]


def test_bars_of_libraries_do_not_show(written):
    assert "shards" not in written and "weights" not in written


def show_a_bar() -> int:
    bar = training_bar("training", total=250_000, initial=123_456)
    bar.set_postfix_str("loss 10.315, 123,456 tokens/s, 59 min left")
    bar.update()
    os._exit(0)  # with the bar on the screen


@pytest.mark.parametrize("columns", [80, 120])
def test_a_long_run_leaves_room_for_the_bar(columns):
    _, written = on_terminal(show_a_bar, columns=columns)
    bar = BAR.fullmatch(replay(written, columns).lines[0])
    assert bar and len(bar[0]) <= columns
    assert len(bar[1]) >= columns - 70
