"""The result of an evaluation."""

import html
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The `figures` of evaluation.json, the tables of them, and the files written.

    It shows itself as the tables, and in a notebook as the page of --report, in a frame that keeps its style apart.
    """

    figures: dict
    tables: str
    files: tuple[Path, ...]

    def __repr__(self) -> str:
        return f"{self.tables}\n\nwritten: {' and '.join(map(str, self.files))}"

    def _repr_html_(self) -> str:
        from utils.evaluation.report.page import render

        page = html.escape(render(self.figures))
        return f'<iframe title="evaluation" style="width:100%;height:45em;border:1px solid" srcdoc="{page}"></iframe>'
