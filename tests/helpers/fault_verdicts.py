"""Verdicts on a command with a fault, from its outputs now, before, and without the fault."""

import fnmatch
import io
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from fault_cases import Case
from syscall_faults import Ended

OUTCOMES = ("old whole", "new whole", "lost", "temporary left", "traceback", "other")
# Seconds, dates and speeds differ from run to run.
TIMES = re.compile(
    rb'(?P<name>"[a-z_]*(?:seconds|runtime|per_second|date|time|created)[a-z_]*": ?)(?:"[^"]*"|[-+.\de]+)'
    rb"|(?<=as it was written: )[0-9a-f]{64}|\d+(?:\.\d+)? (?:seconds|minutes|s\b)|\d{4}-\d\d-\d\d[T \d:.+Z-]*"
)
LIBRARYS_TRIAL = b"blat"  # what Python's tempfile writes into TMPDIR once to try it, and removes or not
Tree = dict[str, bytes | None]  # path → content; None for a folder


def tree_of(folder: Path) -> Tree:
    """Return all files and folders under `folder`."""
    entries = sorted(folder.rglob("*"))
    return {str(entry.relative_to(folder)): entry.read_bytes() if entry.is_file() else None for entry in entries}


def is_state(case: Case, name: str) -> bool:
    """Return whether a path may stay after an error, so that the command continues."""
    return bool(case.state) and fnmatch.fnmatch(name.partition("/")[2].partition("/")[0], case.state)


def without_times(name: str, content: bytes | None) -> object:
    """Return a file's content without what differs from run to run."""
    if content is None:
        return None
    if name.endswith(".pt"):
        return _packed_without_times(content)
    if name.endswith("search.csv"):
        return re.sub(rb",[\d.]+\n", b"\n", content)
    return TIMES.sub(rb"\g<name>", content) if name.endswith((".json", ".jsonl", ".md", ".html")) else content


def _packed_without_times(content: bytes) -> object:
    try:
        packed = torch.load(io.BytesIO(content), weights_only=True)
    except Exception:
        return content
    files = {name: TIMES.sub(rb"\g<name>", text.encode()) for name, text in packed["files"].items()}
    return files, {name: weights.numpy().tobytes() for name, weights in packed["weights"].items()}


@dataclass(frozen=True)
class Verdict:
    """The effect of a fault on a command: one of OUTCOMES, and a reason for all but the first two."""

    outcome: str
    why: str = ""


def judge(case: Case, old: Tree, new: Tree, after: Tree, ended: Ended, *, cannot_remove: bool) -> Verdict:
    """Compare what is there after a fault with what was before, and with what would be without it."""
    if ended.code is None or ended.code < 0:
        return Verdict("other", "never ended" if ended.code is None else f"killed by signal {-ended.code}")
    if "Traceback" in ended.err or "Exception ignored" in ended.err:
        return Verdict("traceback", ended.err.strip().splitlines()[-1])
    lines = [line.partition(":")[0] for line in ended.err.splitlines() if line.startswith(("error:", "hint:"))]
    if ended.code not in (0, 1) or (ended.code == 1 and lines != ["error", "hint"]):
        return Verdict("other", f"exit code {ended.code}, lines {lines}: {ended.err[-300:]}")
    if ended.code == 1 and not ended.err.splitlines()[-1].startswith("hint:"):
        return Verdict("other", f"lines after the hint: {ended.err[-300:]}")
    states: dict[str, set[str]] = {}
    for name in sorted(old.keys() | new.keys() | after.keys()):
        if is_state(case, name) and ended.code:
            continue
        if name not in old and name not in new:
            if not (cannot_remove or after[name] == LIBRARYS_TRIAL):
                return Verdict("temporary left", name)
            continue
        if name not in after:
            if name in old and name in new:
                return Verdict("lost", f"{name} is gone")
            kind = "old" if name in new else "new"
        elif name in old and after[name] == old[name]:
            kind = "both" if name in new and without_times(name, after[name]) == new[name] else "old"
        elif name in new and without_times(name, after[name]) == new[name]:
            kind = "new"
        else:
            return Verdict("lost", f"{name} is neither the old nor the new one")
        if after.get(name, b"") is not None and kind != "both":
            output = name.partition("/")[2].partition("/")[0]
            states.setdefault(output if output in case.folders else name, set()).add(kind)
    if mixed := [name for name, kinds in states.items() if len(kinds) > 1]:
        return Verdict("lost", f"{mixed[0]} is partly old and partly new")
    kinds = set().union(*states.values()) if states else {"old" if ended.code else "new"}
    told = case.continues and "cannot write" in ended.err + ended.out
    if ended.code == 0 and "old" in kinds and not (cannot_remove or told):
        return Verdict("lost", f"exit code 0, but {[name for name in states if 'old' in states[name]]} is old")
    return Verdict("new whole" if kinds == {"new"} else "old whole")
