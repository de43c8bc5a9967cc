"""The table of the checks: a line for each, with the command and the end of its stderr below those that failed."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass

PASSED, FAILED, LEFT_OUT = "passed", "FAILED", "left out"


@dataclass(frozen=True)
class Result:
    """The outcome of a check; `found` is its result in a few words or, if it failed, in some lines."""

    name: str
    outcome: str
    seconds: float
    found: str


def line(result: Result, width: int) -> str:
    """Return the line of a result, its name padded to the widest, and the lines below it."""
    first, *rest = result.found.splitlines()
    head = f"{result.name:<{width}}  {result.outcome:<8}  {result.seconds:5.1f} s  {first}"
    return "\n".join([head, *(f"    {each}" for each in rest)])


def summary(results: Sequence[Result]) -> str:
    """Return how many checks passed, failed and were left out, and their time."""
    counts = {name: sum(each.outcome == name for each in results) for name in (PASSED, FAILED, LEFT_OUT)}
    said = ", ".join(f"{count} {name.lower()}" for name, count in counts.items() if count)
    return f"{said}, in {sum(each.seconds for each in results):.0f} s"


def machine(device: str) -> str:
    """Return the device and the versions that decide about results and speeds."""
    import torch
    import transformers

    if device == "cuda":
        several = f"{torch.cuda.device_count()} × " if torch.cuda.device_count() > 1 else ""
        name = f"{several}{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    else:
        name = f"CPU ({platform.machine()}), {torch.get_num_threads()} threads"
    return f"{name}, PyTorch {torch.__version__}, transformers {transformers.__version__}"


def page(results: Sequence[Result], where: str) -> str:
    """Return the table as a page."""
    rows = [
        f"| {each.name} | {each.outcome} | {each.seconds:.1f} | {_cell(each.found.splitlines()[0])} |"
        for each in results
    ]
    failures = [f"## {each.name}\n\n```text\n{each.found}\n```\n" for each in results if each.outcome == FAILED]
    head = ["# Checks on a GPU", "", "Written by `make gpu-check PAGE=…`.", "", f"{where}: {summary(results)}.", ""]
    table = ["| check | | seconds | found |", "|---|---|---|---|", *rows, "", *failures]
    return "\n".join([*head, *table]).rstrip() + "\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
