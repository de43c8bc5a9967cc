"""The text of docs/benchmarks.md on given measurements."""

import pytest

from benchmarks.speed import figures, measure, page

PEAK = {"bfloat16": 4e9, "float32": 1e9}


def record(name: str, *seconds: float, start: float | None = 1.0, **more) -> dict:
    """A side that was measured, with a second of start-up."""
    runs = [
        {"seconds": each, "least_seconds": start, "megabytes": 50.0, "processor_seconds": 2 * each} for each in seconds
    ]
    return {"name": name, "command": f"python {name}.py", "scale": 1.0, "runs": runs, **more}


def measured(date: str = "2026-05-02", **versions: str) -> dict:
    """When and with what a row was measured."""
    return {"date": date, "revision": "abc1234", "versions": {"torch": "2.13.0"} | versions, "peak": PEAK}


def written(rows: dict, variants=()) -> list[str]:
    """The lines of the page about these rows."""
    rows = {name: {"title": name, "measured": measured(), "start": False} | row for name, row in rows.items()}
    machine = {"name": "two cores", "processor": "two cores"}
    return page.write({"here": {"machine": machine, "rows": rows}}, rows, variants).splitlines()


def comparison(ours: dict, *against: dict, **more) -> dict:
    """A row of that kind."""
    return {"kind": "comparison", "ours": ours, "against": [{"naive": False} | theirs for theirs in against], **more}


def test_the_first_table_has_whole_commands_against_the_strongest_opponent():
    ours = record("ours", 3.0, 5.0, loss=2.0, flops=6e9, format="bfloat16")
    slow = record("slow", 12.0, 12.0, loss=3.0)
    theirs = record("theirs", 9.0, 9.0, target=2.0, loss=1.9, flops=8e9, format="float32")
    part = record("a part", 3.0, 3.0, naive=True) | {"scale": 20.0}
    lines = written({"train": comparison(ours, slow, theirs, part)})
    # ours takes 3 and 5 seconds and theirs 9 and 9; without start-up, 2 and 4 against 8 and 8
    first = "| train | theirs | **2.40 [1.80, 3.00]** | 4.0 | 9.0 | 3.00 [2.00, 4.00] | **no** |"
    naive = "| train | a part, × 20 | **10.93 [8.20, 13.67]** | 4.0 | 41.0 | 15.00 [10.00, 20.00] |"
    assert lines.index(first) < lines.index(naive)
    details = "| 2 | 3.0 | 8.0 | 2.0000 | 1.9000 | **no** | 50 | 50 | 50% | 100% |"
    assert f"| train | theirs | 2.40 [1.80, 3.00] | 3.00 [2.00, 4.00] {details}" in lines
    assert "    python theirs.py" in lines


def test_a_variant_is_among_the_details_only():
    row = comparison(record("ours", 2.0), record("theirs", 4.0), record("simple", 6.0, naive=True))
    lines = written({"usual": row, "other": row}, variants=("other",))
    assert [sum(line.startswith(f"| {name} |") for line in lines) for name in ("usual", "other")] == [4, 2]


def test_start_up_that_was_not_measured_is_not_left_out():
    row = comparison(record("ours", 2.0, start=None), record("theirs", 4.0, start=None))
    assert "| search | theirs | **2.00** | 2.0 | 4.0 |  |" in written({"search": row})


def test_the_first_seconds_have_a_table_of_their_own():
    ours, theirs = (
        record(name, *seconds, start=None) for name, seconds in {"ours": (2.0, 4.0), "script": (4.0, 4.0)}.items()
    )
    lines = written({"one text": comparison(ours, theirs, start=True)})
    line = "| one text | script | **1.50 [1.00, 2.00]** | 3.00 [2.00, 4.00] | 4.00 [4.00, 4.00] | 50 | 50 |"
    assert [found for found in lines if "script |" in found] == [line]


def test_beside_other_work_seconds_are_relative_to_the_same_turn():
    beside = record("ours", 4.0, 9.0, start=None)["runs"]
    row = {"kind": "crowd", **record("ours", 2.0, 3.0, start=None), "beside": [{"per_core": 4, "runs": beside}]}
    lines = written({"write": row})
    assert "| write | 0 | 2.5 [2.0, 3.0] |  | 5.0 [4.0, 6.0] |  | 50 |" in lines
    times = "2.50 [2.00, 3.00]"
    assert f"| write | 4 | 6.5 [4.0, 9.0] | {times} | 13.0 [8.0, 18.0] | {times} | 50 |" in lines


def test_growing_data():
    row = {"kind": "growth", "unit": "tweets", "steps": [record("x", 3.0) | {"count": count} for count in (1001, 25)]}
    lines = written({"more": row})
    assert "| 1,001 | 3.0 | 2.0 | 500 | 50 |" in lines
    assert "| 25 | 3.0 | 2.0 | 12.5 | 50 |" in lines


def test_quality_is_compared_seed_by_seed_with_the_best_opponent():
    ours = record("ours", 8.0, 10.0, bits_per_byte=[1.8, 1.7])
    worse, best = (
        record(name, 9.0, 9.0, bits_per_byte=bits) for name, bits in {"b": [1.7, 2.0], "c": [1.81, 1.77]}.items()
    )
    lines = written({"bits": {"kind": "quality", "target": 0.02, "ours": ours, "against": [worse, best]}})
    assert "| ours | 2 | 1.7500 [1.7000, 1.8000] | 9 [8, 10] | 50 |" in lines
    assert "Ours minus c, seed by seed: -0.0400 [-0.0700, -0.0100] bits per byte; we aim at -0.02." in lines


def test_each_row_says_when_it_was_measured_and_with_which_other_versions():
    row = comparison(record("ours", 2.0, 2.0), record("theirs", 4.0, 4.0))
    old = measured("2026-05-01", torch="2.12.0", trl="1.0")
    lines = written({"old": row | {"measured": old}, "new": row})
    assert "Processor: two cores. torch 2.13.0; the last table says where they were others." in "\n".join(lines)
    assert "| `old` | old | 2 | 2026-05-01 | abc1234 | torch 2.12.0, trl 1.0 |" in lines
    assert "| `new` | new | 2 | 2026-05-02 | abc1234 |  |" in lines


def test_rows_without_results_are_not_on_the_page():
    machine = {"name": "two cores", "processor": "two cores"}
    found = page.write({"here": {"machine": machine, "rows": {}}}, ["train"], ())
    assert found == page.HEAD


def test_work_that_is_lost_in_start_up_has_no_ratio():
    short = record("ours", 3.0, 0.9, flops=6e9, format="bfloat16")
    assert figures.ratios(short, record("theirs", 9.0, 9.0), measure.work_seconds) == []
    assert figures.ratios(short, record("theirs", 9.0, 9.0), measure.command_seconds) == [3, 10]
    assert figures.share_of_peak(record("ours", 0.9, flops=6e9, format="bfloat16"), {"bfloat16": 1e9}) is None


@pytest.mark.parametrize(("loss", "expected"), [(1.0049, True), (1.0051, False)])
def test_our_loss_may_be_half_a_percent_worse(loss, expected):
    assert figures.equally_good({"loss": loss}, {"loss": 1.0}) is expected
    assert figures.equally_good({"loss": loss}, {}) is None
