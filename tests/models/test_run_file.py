"""run.json: every kind's is read as it was written."""

import json

import pytest

from utils.models.run_file import read_run

COMMON = {"template": "{prompt}", "base_model": "tiny", "cleaning": None, "labels": None}
EMOJI = {
    "targets": [["1F600", "😀", "Smileys", "1F600"], ["1F1EB", "🇫🇷", None, "1F1EB"]],
    "descriptions": [["a", "😀"]],
}


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "instruct", "task": "alpaca"},
        {"kind": "emoji", "task": "emoji", **EMOJI},
        {"kind": "generate", "task": "tweets", "cleaning": {}},
        {"kind": "classify", "task": "reviews", "cleaning": {}, "labels": ["0", "1"]},
    ],
    ids=["instruct", "emoji", "generate", "classify"],
)
def test_what_fine_tune_writes_is_whole(tmp_path, fields):
    (tmp_path / "run.json").write_text(json.dumps(COMMON | fields), encoding="utf-8")
    assert read_run(tmp_path / "run.json") == COMMON | fields
