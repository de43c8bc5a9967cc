"""Generate docs/benchmarks.md from the measurements, with the most important results first."""

from collections.abc import Container, Iterable, Iterator
from statistics import median

from benchmarks.speed import page_details
from benchmarks.speed.figures import equally_good, leaves_out_start, newest, ratios, seconds_of, strongest
from benchmarks.speed.measure import command_seconds, work_seconds
from benchmarks.speed.table import capital, spread, table

HEAD = """# Benchmarks

The scripts' speed, beside that of other tools on the same work. `make bench` measures all rows and writes this
page, `make bench ROWS="classify search"` only some rows, and `make bench-quality` the one about quality.

- **In turn**: each contender is a fresh process, and they take turns (A B C A B C …), with files that the system has
  read before. *Times as fast* is the opponent's seconds divided by ours in the same turn: median [lowest, highest].
- **Whole command** is the time from start to end, imports and loading and saving included. **Without start-up** is that
  minus the time of the same command on minimal data (one epoch of 16 texts, one text to generate or classify, 16 tweets
  to preprocess), which is measured in each turn. A search has no such figure: each side's start-up is part of it.
- **Opponents** get the same token ids, batches of 16 texts and our learning rate, unless their name says otherwise.
  *Trainer used well* has bfloat16 (where the processor does), batches of texts of similar length, dynamic padding and
  the fused AdamW. *TRL's SFTTrainer, packed* has 512 tokens in each batch and no activation checkpointing. *A plain
  loop in bfloat16* pads each batch to its longest text and trains the last blocks only. The strongest opponent is
  the one with the fastest command.
- **Naive** is a common first version. *A notebook's loop* pads all texts to one width, in float32, and trains the
  head with the embedding, which is the same matrix. *× 4* after an opponent: it ran on a part of the texts or epochs,
  and its time without start-up is multiplied by this factor.
- **Equally good** models: ours has a loss on the test split, which nobody trains on, of at most 0.5% above theirs. Both
  are as their last step left them; where the row says *the best of N epochs*, both sides validate after each epoch on
  the validation split, and keep the best model.
"""
COLUMNS = ("work", "opponent", "times as fast", "ours, s", "theirs, s", "times as fast without start-up")


def write(results: dict, order: Iterable[str], variants: Container[str]) -> str:
    """Return the page, with a section for each machine and size, whose rows are in this order.

    `variants` are rows that the first table leaves out: they resemble another one, and are among the details.
    """
    lines = [HEAD]
    for found in results.values():
        rows = {name: found["rows"][name] for name in order if name in found["rows"]}
        if rows:
            lines += _machine(found["machine"], rows, variants)
    return "\n".join(lines)


def _machine(machine: dict, rows: dict[str, dict], variants: Container[str]) -> Iterator[str]:
    usual = newest(rows)
    versions = ", ".join(f"{name} {version}" for name, version in usual["versions"].items())
    yield f"## {capital(machine['name'])}\n"
    yield f"Processor: {machine['processor']}. {versions}; the last table says where they were others.\n"
    works = {name: row for name, row in rows.items() if row["kind"] == "comparison" and not row["start"]}
    usual_works = {name: row for name, row in works.items() if name not in variants}
    pairs = [(row, strongest(row)) for row in usual_works.values()]
    yield from _whole_commands("Whole commands against the strongest opponent", [pair for pair in pairs if pair[1]])
    naive = [(row, theirs) for row in usual_works.values() for theirs in row["against"] if theirs["naive"]]
    yield from _whole_commands("Whole commands against common first versions (naive)", naive)
    yield from _starts([row for row in rows.values() if row["kind"] == "comparison" and row["start"]])
    of_kind = {kind: [row for row in rows.values() if row["kind"] == kind] for kind in ("crowd", "growth", "quality")}
    yield from page_details.crowds(of_kind["crowd"])
    for row in of_kind["quality"]:
        yield from page_details.quality(row)
    for row in of_kind["growth"]:
        yield from page_details.growth(row)
    yield from page_details.comparisons(works.values(), usual)
    yield from page_details.measured(rows, usual)
    yield from page_details.commands(rows.values())


def _whole_commands(title: str, pairs: list[tuple[dict, dict]]) -> Iterator[str]:
    judged = any(equally_good(row["ours"], theirs) is not None for row, theirs in pairs)
    cells = []
    for row, theirs in pairs:
        ours = row["ours"]
        work = ratios(ours, theirs, work_seconds) if leaves_out_start(ours) else None
        cells.append(
            [
                row["title"],
                page_details.named(theirs),
                f"**{spread(ratios(ours, theirs, command_seconds))}**",
                *(f"{median(seconds_of(record, command_seconds)):.1f}" for record in (ours, theirs)),
                "" if work is None else spread(work),
                *([page_details.yes_or_no(equally_good(ours, theirs))] if judged else []),
            ]
        )
    yield from table(title, [*COLUMNS, *(["equally good"] if judged else [])], cells)


def _starts(rows: list[dict]) -> Iterator[str]:
    cells = []
    for row in rows:
        for theirs in row["against"]:
            sides = row["ours"], theirs
            cells.append(
                [
                    row["title"],
                    theirs["name"],
                    f"**{spread(ratios(*sides, command_seconds))}**",
                    *(spread(seconds_of(side, command_seconds)) for side in sides),
                    *(page_details.megabytes(side) for side in sides),
                ]
            )
    columns = ("command", "opponent", "times as fast", "ours, s", "theirs, s", "memory, ours, MB", "theirs, MB")
    yield from table("The first seconds: until a command's first result", columns, cells)
