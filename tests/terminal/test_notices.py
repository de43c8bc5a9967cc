"""The first and the last lines of a script: on a terminal, and the short form elsewhere."""

import logging
import sys
import time

import pytest
from screens import replay
from terminals import on_terminal

from utils import errors
from utils.terminal.notices import say_what_begins, say_what_is_done, size

LONG = "data/of/a/project/with/a/long/name/and/more/folders/processed.pkl"


def logged(function, *arguments):
    """Call the function with the log on stderr, as the scripts have it."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s", force=True)
    logging.getLogger("utils").setLevel(logging.INFO)
    function(*arguments)
    return 0


def shown(function, *arguments) -> list[str]:
    code, written = on_terminal(logged, function, *arguments)
    assert code == 0, written
    screen = replay(written)
    assert not screen.overflows
    return screen.lines[:-1]


def test_the_first_line_says_what_begins_and_fits():
    end = "; libraries load for about 5 s …"
    assert shown(say_what_begins, "fine_tune", "training tiny on p.pkl") == [
        f"fine_tune.py: training tiny on p.pkl{end}"
    ]
    assert shown(say_what_begins, "evaluate_model", f"models/a on {LONG}") == [
        f"evaluate_model.py: models/a on …/processed.pkl{end}"
    ]
    assert shown(say_what_begins, "classify", f"{'x' * 40}.csv with models/{'y' * 12}") == [
        f"classify.py: {'x' * 40}.csv with …/{'y' * 12} …"
    ]


def say_as_installed(*arguments) -> None:
    errors.INSTALLED = True
    say_what_begins(*arguments)


def test_the_first_line_of_an_installed_project_fits_with_its_longer_command():
    assert shown(say_as_installed, "evaluate_model", f"models/a on {LONG}") == [
        "small-text-fine-tuning evaluate_model: models/a on …/processed.pkl …"
    ]


def three_hours_ago() -> float:
    """A start from which a busy machine, too, is in the same minute: 3 h 0 min."""
    return time.monotonic() - 3 * 3600 - 10


def test_the_last_lines_name_the_files_the_time_and_the_next_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    for name, count in (("weights", 1_300_000), ("run.json", 40_000)):
        (tmp_path / "model" / name).write_bytes(b"x" * count)
    model = (tmp_path / "model").relative_to(tmp_path)
    command = f"python evaluate_model.py --model_path {model} --data {LONG}"
    assert shown(say_what_is_done, three_hours_ago(), "", [model], ["python x.py", command]) == [
        "written: model (1.3 MB) in 3 h 0 min",
        "next: python x.py",
        "next: python evaluate_model.py --model_path model \\",
        f"    --data {LONG}",
    ]
    other = model.rename("m" * 40)
    files = [other / "run.json", other / "weights"]
    assert shown(say_what_is_done, three_hours_ago(), "", files) == [
        "written in 3 h 0 min:",
        f"  {files[0]} (40 kB)",
        f"  {files[1]} (1.3 MB)",
    ]
    assert shown(say_what_is_done, three_hours_ago(), "2 texts") == ["2 texts in 3 h 0 min"]


def test_elsewhere_only_the_written_files_are_named(tmp_path, capsys):
    path = tmp_path / "file"
    path.write_bytes(b"")
    logged(say_what_begins, "generate", "3 texts")
    logged(say_what_is_done, three_hours_ago(), "3 texts", [], ["python x.py"])
    assert capsys.readouterr() == ("", "")
    logged(say_what_is_done, three_hours_ago(), "", [path], ["python x.py"])
    assert capsys.readouterr() == ("", f"written: {path} (0 bytes) in 3 h 0 min\n")


@pytest.mark.parametrize(
    ("count", "said"),
    [(999, "999 bytes"), (1000, "1.0 kB"), (9949, "9.9 kB"), (9951, "10 kB"), (999_499, "999 kB"), (999_500, "1.0 MB")],
)
def test_sizes(tmp_path, count, said):
    (tmp_path / "file").write_bytes(b"x" * count)
    assert size(tmp_path / "file") == size(tmp_path) == said
