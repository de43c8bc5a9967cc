"""What `make bench` counts, runs and writes; no test depends on how long anything takes."""

import importlib
import json
import sys

import pytest
import torch
from small_models import random_model

from benchmarks.speed import flops, material, measure, page, run
from benchmarks.speed.kinds import Against, Comparison, Growth, Quality
from benchmarks.speed.measure import PYTHON, Measured, Side
from benchmarks.speed.rows import ROWS
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


def test_a_command_is_measured_and_a_failure_says_what_it_said(tmp_path):
    allocate = "import sys, time; block = bytearray(300 * 2**20); time.sleep(0.3); print(sys.argv[1:])"
    seconds, megabytes = measure.run(measure.words("-c", allocate, name=1, flag=True), tmp_path / "logs" / "a.log")
    assert 0.3 < seconds < 60
    assert 300 < megabytes < 350  # and not what this process has
    assert (tmp_path / "logs" / "a.log").read_text() == "['--name', '1', '--flag']\n"
    with pytest.raises(measure.FailedError, match=r"exit code 7: no such thing"):
        measure.run((PYTHON, "-c", "print('no such thing'); exit(7)"), tmp_path / "b.log")


def test_what_is_beyond_the_least_command_is_multiplied():
    measured = Measured(seconds=9.0, least_seconds=5.0, megabytes=1.0)
    assert measure.work_seconds(measured, 10) == 40
    assert measure.command_seconds(measured, 10) == 45
    assert measure.command_seconds(measured, 1) == 9


def writes(name: str, path, needs=()) -> Side:
    """A side that notes when it ran."""
    commands = [(PYTHON, "-c", f"open({str(path)!r}, 'a').write({text!r})") for text in (name.upper(), name)]
    return Side(name, *commands, needs=needs)


def test_sides_take_turns_and_what_is_not_installed_is_left_out(tmp_path):
    notes = tmp_path / "notes"
    against = tuple(
        Against(writes(name, notes, needs), 2.0) for name, needs in (("b", ()), ("c", ("no_such_package",)))
    )
    row = Comparison("a row", writes("a", notes), against)
    found = run.measure_row("row", row, 3, tmp_path)
    assert notes.read_text() == "ab" + "aAbB" * 3  # each once before the clock runs
    assert (found["kind"], found["title"], found["ours"]["name"]) == ("comparison", "a row", "a")
    assert [(other["name"], other["target"], len(other["runs"])) for other in found["against"]] == [("b", 2.0, 3)]
    with pytest.raises(measure.FailedError, match="no_such_package is not installed"):
        run.measure_row("row", Comparison("a row", against[1].side, ()), 1, tmp_path)


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
    sides = [side for _, side in row.steps] if isinstance(row, Growth) else [row.ours]
    others = [other.side for other in row.against] if isinstance(row, Comparison) else []
    others += row.theirs if isinstance(row, Quality) else []
    for side in sides:
        for command in (side.command, side.least):
            if command[1] != "-c":
                importlib.import_module(command[1].removesuffix(".py")).build_parser().parse_args(command[2:])
    for side in others:
        assert side.command[:2] == (PYTHON, "-m")
        assert importlib.util.find_spec(side.command[2])


def record(name: str, *seconds: float, **more) -> dict:
    """A side that was measured, with a second of start-up."""
    runs = [{"seconds": each, "least_seconds": 1.0, "megabytes": 50.0} for each in seconds]
    return {"name": name, "command": f"python {name}.py", "scale": 1.0, "runs": runs, **more}


def test_the_page_says_what_was_measured():
    ours = record("ours", 3.0, 5.0, loss=2.0, flops=6e9, format="bfloat16")
    theirs = record("theirs", 9.0, 9.0, target=2.0, loss=1.9, flops=8e9, format="float32")
    part = record("a part", 3.0, 3.0, target=15.0) | {"scale": 20.0}
    rows = {
        "row": {"kind": "comparison", "title": "train", "ours": ours, "against": [theirs, part]},
        "growth": {"kind": "growth", "title": "more", "unit": "tweets", "steps": [record("x", 3.0) | {"count": 1000}]},
        "quality": {
            **{"kind": "quality", "title": "bits", "target": 0.02, "ours": record("ours", 8.0, bits_per_byte=1.8)},
            "against": [record("theirs", 9.0, bits_per_byte=value) for value in (1.9, 1.85)],
        },
    }
    machine = {"name": "two cores", "processor": "two cores", "python": "3.11", "libraries": {"torch": "2.13.0"}}
    written = page.write({"here": {"machine": machine | {"peak": {"bfloat16": 4e9, "float32": 1e9}}, "rows": rows}})
    for line in (
        # ours works 2 and 4 seconds, theirs 8 and 8: 4 and 2 times as long, in all 3 and 1.8 times
        "| train | theirs | 2× | **3.00** [2.00, 4.00] | 3.0 | 8.0 | **2.40** [1.80, 3.00] | 2.0000 | 1.9000 | **no** "
        "| 50% | 100% |",
        "| train | a part | 15× | **15.00** [10.00, 20.00] | 3.0 | 40.0 (× 20) | **10.93** [8.20, 13.67] | 2.0000 |  "
        "|  | 50% |  |",
        "| 1,000 | 2.0 | 500.0 | 3.0 | 50 |",
        "Ours is 0.0500 below the best opponent; the target is 0.02 below.",
        "    python theirs.py",
    ):
        assert line in written.splitlines()


def test_work_that_is_lost_in_start_up_has_no_ratio():
    short = record("ours", 3.0, 0.9, flops=6e9, format="bfloat16")
    assert page.ratios(short, record("theirs", 9.0, 9.0), measure.work_seconds) == []
    assert page.ratios(short, record("theirs", 9.0, 9.0), measure.command_seconds) == [3, 10]
    assert page.share_of_peak(record("ours", 0.9, flops=6e9, format="bfloat16"), {"bfloat16": 1e9}) is None


def test_our_loss_may_be_half_a_percent_worse():
    assert page.equal_work({"loss": 1.0049}, {"loss": 1.0}) is True
    assert page.equal_work({"loss": 1.0051}, {"loss": 1.0}) is False
    assert page.equal_work({"loss": 1.0}, {}) is None


def test_the_runner_measures_a_row_of_ours_and_writes_the_page(tmp_path, capsys):
    words = ["--size", "quick", "--rows", "growth-preprocess", "--repeats", "1", "--folder", str(tmp_path)]
    assert run.main(words) == 0
    path = tmp_path / "quick.md"
    assert capsys.readouterr().out == f"{path}\n"
    (found,) = json.loads((tmp_path / "quick.json").read_text(encoding="utf-8")).values()
    (step,) = found["rows"]["growth-preprocess"]["steps"]
    assert step["count"] == 200
    assert "preprocess.py --data_path" in step["command"]
    assert found["machine"]["python"] == sys.version.split()[0]
    assert found["machine"]["peak"]["bfloat16"] > 0
    written = path.read_text(encoding="utf-8")
    assert "\n| 200 | " in written
    path.unlink()
    assert run.main([*words, "--page_only"]) == 0
    assert path.read_text(encoding="utf-8") == written
