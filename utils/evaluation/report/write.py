"""Writing the report to its file, without replacing one unasked."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from utils.errors import UsageError, UserError
from utils.files import atomic_write, check_apart, check_writable
from utils.system_errors import read_file

REPORT, COMPARISON = "report.html", "comparison.html"
log = logging.getLogger(__name__)


def report_path(asked: Path | bool | None, output_path: Path) -> Path | None:
    """Return the path of the report: as given; beside evaluation.json for True; None without a report."""
    if asked is None or asked is False:
        return None
    if asked is True:
        name = output_path.name
        if name.endswith("evaluation.json"):
            return output_path.with_name(name.removesuffix("evaluation.json") + REPORT)
        return output_path.with_suffix(f".{REPORT}")
    return asked


def check_new(paths: Iterable[Path | None], overwrite: bool) -> None:
    """Raise UserError where one of the files is there, unless it may be replaced."""
    for path in paths:
        if path is not None and path.is_file() and path.stat().st_size and not overwrite:
            raise UserError(f"{path} exists", "add --overwrite to replace it, or name another file: --report FILE.html")


def write_comparison(path: Path, comparison: dict, overwrite: bool) -> None:
    """Write the page that compares the evaluations of `compare_evaluations`, read again in full."""
    from utils.evaluation.report.comparison import render_comparison

    files = [Path(model["file"]) for model in comparison["models"]]
    check_new([path], overwrite)
    if len(files) < 2:
        raise UsageError(
            "--compare with --report makes a page of several evaluations, and this is one",
            "name two or more; without --compare, --report makes the page of one model",
        )
    check_apart(path, files)
    check_writable(path)
    page = render_comparison({file: json.loads(read_file(file)) for file in files}, files)
    with atomic_write(path, "w") as file:
        file.write(page)
    log.info("comparison: %s", path)
