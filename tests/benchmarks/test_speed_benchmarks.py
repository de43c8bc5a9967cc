"""The counts and runs of `make bench`; no test depends on times."""

import importlib
import json
import sys
from contextlib import contextmanager

import pytest
import torch
from small_models import random_model

from benchmarks.speed import crowd, flops, material, measure, measure_rows, run
from benchmarks.speed.kinds import Against, Comparison, Crowd, Growth, Quality
from benchmarks.speed.measure import PYTHON, Measured, Side
from benchmarks.speed.rows import ROWS, VARIANTS
from benchmarks.speed.sizes import SIZES
from utils.compute.last_block import compute_only, skippable_modules
from utils.training.freezing import freeze_parameters

TOKENS, EPOCHS = 12, 5


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize(
    ("trained", "tied_head", "needed"),
    [(None, False, None), (1, False, None), (2, False, None), (1, True, None), (None, False, 1), (2, False, 1)],
    ids=["all", "1", "2", "1, tied head", "all, one needed", "2, one needed"],
)
def test_flops_are_what_torch_counts_in_a_step(kind, trained, tied_head, needed, tmp_path):
    from torch.utils.flop_counter import FlopCounterMode

    model = random_model(kind, tie_word_embeddings=True)
    model.save_pretrained(tmp_path)
    freeze_parameters(model, trained, train_head=False)
    if tied_head:
        model.get_output_embeddings().requires_grad_(True)
    ids = torch.arange(TOKENS)[None]
    mask = torch.arange(TOKENS)[None] >= TOKENS - (needed or TOKENS)
    skippable_modules(model)
    with FlopCounterMode(display=False) as counter, compute_only(model, mask):
        model(input_ids=ids, labels=ids).loss.backward()
    counts = counter.get_flop_counts()["Global"]
    matrices = sum(count for operation, count in counts.items() if str(operation) in ("aten.mm", "aten.addmm"))
    shape = flops.shape_of(tmp_path)
    counted = flops.training_flops(shape, TOKENS, EPOCHS, trained, tied_head=tied_head, needed=needed)
    assert counted == EPOCHS * matrices > 0


def test_a_cache_runs_the_frozen_blocks_once():
    shape = flops.Shape(block=10, skippable=4, blocks=3, head=5)
    frozen, rest = 2 * 10 * 2, (2 + 4) * 10 + (2 + 2) * 5
    assert flops.training_flops(shape, 7, 4, 1) == 7 * 4 * (frozen + rest)
    assert flops.training_flops(shape, 7, 4, 1, cached=True) == 7 * (frozen + 4 * rest)


def test_a_command_is_measured_and_a_failure_says_what_it_said(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    code = "import os, sys, time; block = bytearray(300 * 2**20); time.sleep(0.3)"
    said = "print(sys.argv[1:], 'OMP_NUM_THREADS' in os.environ)"
    command = measure.words("-c", f"{code}; {said}", name=1, flag=True)
    found = measure.run(command, tmp_path / "logs" / "a.log")
    assert 0.3 < found.seconds < 60
    assert 300 < found.megabytes < 350  # and not what this process has
    assert 0 < found.processor_seconds < found.seconds  # it slept
    assert (tmp_path / "logs" / "a.log").read_text() == "['--name', '1', '--flag'] False\n"
    with pytest.raises(measure.FailedError, match=r"exit code 7: no such thing"):
        measure.run((PYTHON, "-c", "print('no such thing'); exit(7)"), tmp_path / "b.log")


def test_the_clock_stops_when_a_command_has_said_it(tmp_path):
    code = "import time; print('before'); print('step 1/9'); time.sleep(600)"
    assert measure.run((PYTHON, "-c", code), tmp_path / "log", until="step 1/").seconds < 60
    assert (tmp_path / "log").read_text() == "before\nstep 1/9\n"
    with pytest.raises(measure.FailedError, match="exit code 1: never"):
        measure.run((PYTHON, "-c", "print('never')"), tmp_path / "log", until="step 1/")


def test_the_time_beyond_the_least_command_is_multiplied():
    measured = Measured(seconds=9.0, least_seconds=5.0, megabytes=1.0)
    assert measure.work_seconds(measured, 10) == 40
    assert measure.command_seconds(measured, 10) == 45
    assert measure.command_seconds(measured, 1) == 9
    assert measure.command_seconds(Measured(9.0, None, 1.0), 10) == 90  # all of it is work


def writes(name: str, path, needs=(), whole=False) -> Side:
    """A side that notes when it ran."""
    commands = [(PYTHON, "-c", f"open({str(path)!r}, 'a').write({text!r})") for text in (name.upper(), name)]
    return Side(name, *commands[: 1 if whole else 2], needs=needs)


def test_sides_take_turns_and_missing_packages_are_left_out(tmp_path):
    notes = tmp_path / "notes"
    against = tuple(
        Against(writes(name, notes, needs), naive, 2.0)
        for name, needs, naive in (("b", (), True), ("c", ("no_such_package",), False))
    )
    row = Comparison("a row", writes("a", notes), against)
    found = measure_rows.measure_row("row", row, 3, tmp_path)
    assert notes.read_text() == "ab" + "aAbB" * 3  # each once before the clock runs
    assert (found["kind"], found["title"], found["ours"]["name"]) == ("comparison", "a row", "a")
    (other,) = found["against"]
    assert (other["name"], other["naive"], other["target"], len(other["runs"])) == ("b", True, 2.0, 3)
    with pytest.raises(measure.FailedError, match="no_such_package is not installed"):
        measure_rows.measure_row("row", Comparison("a row", against[1].side, ()), 1, tmp_path)


@pytest.mark.parametrize(("start", "first"), [(True, "AB"), (False, "")])
def test_whole_commands_have_no_least_one_and_run_first_only_where_files_are_to_be_warm(start, first, tmp_path):
    notes = tmp_path / "notes"
    ours, theirs = (writes(name, notes, whole=True) for name in "ab")
    found = measure_rows.measure_row("row", Comparison("a row", ours, (Against(theirs),), start=start), 2, tmp_path)
    assert notes.read_text() == first + "ABAB"
    assert {run["least_seconds"] for run in found["ours"]["runs"]} == {None}


def test_a_crowd_is_busy_while_the_command_runs_and_gone_then(tmp_path, monkeypatch):
    counts, processes = [], []

    @contextmanager
    def noted(count):
        with crowd.busy(count) as found:
            processes.extend(found)
            assert [process.poll() for process in found] == [None] * count
            counts.append(count)
            yield

    monkeypatch.setattr(measure_rows, "busy", noted)
    monkeypatch.setattr(measure_rows, "cores", lambda: 2)
    row = Crowd("work", writes("a", tmp_path / "notes", whole=True), per_core=(0, 1))
    found = measure_rows.measure_row("row", row, 2, tmp_path)
    assert counts == [0, 2, 0, 2]
    assert all(process.returncode is not None for process in processes)
    assert len(found["runs"]) == 2
    assert [(beside["per_core"], len(beside["runs"])) for beside in found["beside"]] == [(1, 2)]


def test_each_seed_of_the_quality_row_has_a_model_of_each_side(tmp_path, monkeypatch):
    notes = tmp_path / "notes"
    judged = iter([1.8, 1.9, 1.7, 1.6])
    monkeypatch.setattr(measure_rows, "_loss_on_test", lambda *_: {"bits_per_byte": next(judged)})
    ours, theirs = ([writes(f"{name}{seed}", notes, whole=True) for seed in range(2)] for name in "ab")
    row = Quality("bits", tuple(ours), (tuple(theirs),), tmp_path, 0.02)
    found = measure_rows.measure_row("row", row, 3, tmp_path)
    assert notes.read_text() == "A0B0A1B1"
    assert (found["ours"]["bits_per_byte"], found["against"][0]["bits_per_byte"]) == ([1.8, 1.7], [1.9, 1.6])
    assert len(found["ours"]["runs"]) == 2


def test_recombined_tweets_are_the_same_every_time(tmp_path):
    texts = [f"one{n} two{n} three{n} four{n}" for n in range(50)]
    for name, count in {"long": 200, "short": 50}.items():
        material.write_recombined(tmp_path / name, texts, count)
    lines = (tmp_path / "long").read_text(encoding="utf-8").splitlines()
    assert lines[:51] == (tmp_path / "short").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 201
    assert 180 < len(set(lines)) < 201  # some are repeated
    assert {len(line.split()) for line in lines[1:]} == {4, 5, 6}  # with noise behind it


@pytest.fixture
def files(processed, tmp_path):
    """Pickles under the names that rows know; all are the same one."""
    size = SIZES["quick"]
    names = ["tweets", "tweets-whole", "notebook-tweets", "search-tweets", "least-tweets", "reviews"]
    for name in names + [f"tweets-{count}" for count in size.growing_tweets]:
        material.take(processed, tmp_path / f"{name}.pkl", 24, 4)
    return material.Material(tmp_path)


# The flag --engine is generate.py's; the commands of all others are what their scripts' parsers take.
@pytest.mark.parametrize("name", ROWS)
def test_our_commands_are_what_our_scripts_take(name, files):
    row = ROWS[name][1](SIZES["quick"], files)
    ours, theirs = sides_of(row)
    for side in ours:
        for command in (side.command, side.least):
            if command:
                importlib.import_module(command[1].removesuffix(".py")).build_parser().parse_args(command[2:])
    for side in theirs:
        assert side.command[:2] == (PYTHON, "-m")
        assert importlib.util.find_spec(side.command[2])


def sides_of(row) -> tuple[list[Side], list[Side]]:
    """Our sides of a row, and the opponents'."""
    if isinstance(row, Growth):
        return [side for _, side in row.steps], []
    if isinstance(row, Crowd):
        return [row.side], []
    if isinstance(row, Quality):
        return [*row.ours], [side for sides in row.theirs for side in sides]
    return [row.ours], [other.side for other in row.against]


def test_every_row_about_work_has_an_opponent_that_is_not_naive(files):
    rows = [make(SIZES["quick"], files) for _, make in ROWS.values()]
    comparisons = [row for row in rows if isinstance(row, Comparison)]
    assert all(any(not other.naive for other in row.against) for row in comparisons)
    assert {*VARIANTS} < {*ROWS}


def test_no_side_of_a_training_row_keeps_its_best_model_unless_all_do(files):
    for name in ("tweets-smollm2", "tweets-smollm2-best", "tweets-all", "reviews"):
        row = ROWS[name][1](SIZES["quick"], files)
        ours, *others = (side.command for side in (row.ours, *(other.side for other in row.against)))
        keeps = {"--eval_strategy no" not in " ".join(ours), *("--keep_best" in words for words in others)}
        assert keeps == {name.endswith("best")}


def test_the_runner_measures_a_row_of_ours_and_writes_the_page(tmp_path, capsys):
    words = ["--size", "quick", "--rows", "growth-preprocess", "--repeats", "1", "--folder", str(tmp_path)]
    assert run.main(words) == 0
    path = tmp_path / "quick.md"
    assert capsys.readouterr().out == f"{path}\n"
    (found,) = json.loads((tmp_path / "quick.json").read_text(encoding="utf-8")).values()
    row = found["rows"]["growth-preprocess"]
    (step,) = row["steps"]
    assert step["count"] == 200
    assert "preprocess.py --data_path" in step["command"]
    assert row["measured"]["versions"]["Python"] == sys.version.split()[0]
    assert row["measured"]["peak"]["bfloat16"] > 0
    written = path.read_text(encoding="utf-8")
    assert "\n| 200 | " in written
    path.unlink()
    assert run.main([*words, "--page_only"]) == 0
    assert path.read_text(encoding="utf-8") == written
