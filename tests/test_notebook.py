"""notebooks/quickstart.ipynb runs from top to bottom with the tiny model, and has no outputs in the repository."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
TASKS = ("tweets", "reviews", "instructions", "emoji")


@pytest.fixture(scope="module")
def notebook() -> dict:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def code_cells(notebook) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def shown(cell, kind: str) -> str:
    """Return what a cell that was run shows in this form ("text/html"), or prints ("stdout")."""
    parts = [output.get("data", {}).get(kind, "") for output in cell["outputs"]]
    parts += [output["text"] for output in cell["outputs"] if output.get("name") == kind]
    return "".join(map("".join, parts))


def test_no_outputs_are_in_the_repository(notebook):
    assert len(code_cells(notebook)) > 10
    assert [cell for cell in code_cells(notebook) if cell["outputs"] or cell["execution_count"]] == []
    assert notebook["metadata"].keys() == {"accelerator", "kernelspec", "language_info"}
    assert all(cell["metadata"] == {} for cell in notebook["cells"])


@pytest.mark.timeout(900)  # four models are trained
@pytest.mark.filterwarnings("default")  # of Jupyter's packages
def test_the_notebook_runs_and_every_cell_shows_something(notebook, tmp_path, monkeypatch):
    import nbclient
    import nbformat

    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # as if it were installed
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    work = tmp_path / "work"
    work.mkdir()
    run = nbformat.reads(json.dumps(notebook), as_version=4)
    for cell in code_cells(run):
        cell["source"] = cell["source"].replace('"smollm2"', '"tiny"')
    nbclient.NotebookClient(run, timeout=600, resources={"metadata": {"path": str(work)}}).execute()

    cells = code_cells(run)
    assert [cell["source"] for cell in cells[2:] if not shown(cell, "text/plain")] == []
    assert "base model tiny" in "".join(shown(cell, "stdout") for cell in cells)
    assert not any(shown(cell, "stderr") for cell in cells)
    pages = [shown(cell, "text/html") for cell in cells if cell["source"].startswith("evaluate(")]
    assert len(pages) == len(TASKS)
    assert all("&lt;svg" in page for page in pages)
    assert {path.name for path in work.iterdir()} == {"quickstart"}
    assert {f"{task}.pkl" for task in TASKS} <= {path.name for path in (work / "quickstart").iterdir()}
