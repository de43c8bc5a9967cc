"""Folders that datasets would read beyond, unpack or search without end: refused before it opens them."""

import gzip
import json
import zipfile
from types import SimpleNamespace

import pytest

from utils.errors import DataError
from utils.reading.hub.dataset_folders import MOST_FILES, check_data_files, check_dataset_folder, check_saved_files
from utils.reading.hub_datasets import read_hub_dataset

PLAIN = SimpleNamespace(data_files={})


def card(settings: str) -> str:
    return f"---\nconfigs:\n- config_name: default\n  {settings}\n---\n"


def checked_files(folder, *names: str, settings=PLAIN) -> None:
    check_data_files(folder, [str(folder / name) for name in names], settings, "the set")


@pytest.mark.parametrize(
    "pattern",
    [
        *("../secret.txt", "sub/../../secret.txt", "/etc/passwd", "/**", "~/x", "..", "file:///etc/passwd"),
        *(
            "https://a.b/c.csv",
            "hf://datasets/a/b/c.csv",
            "s3://a/b",
            "jupyter://",
            "zip://a.txt::../b.zip",
            "local::/a",
        ),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "data_files: {}",
        "data_files: [a.csv, {}]",
        "data_files:\n  - split: train\n    path: [{}]",
        "data_dir: {}",
    ],
)
def test_patterns_that_lead_outside(tmp_path, form, pattern):
    (tmp_path / "README.md").write_text(card(form.format(json.dumps(pattern))))
    with pytest.raises(DataError, match="is not in the folder"):
        check_dataset_folder(tmp_path, "the set")


@pytest.mark.parametrize("pattern", ["a.csv", "./a.csv", "sub/../a.csv", "*.csv", "**", "a..b.csv", "{folder}/a.csv"])
def test_patterns_within_the_folder(tmp_path, pattern):
    (tmp_path / "README.md").write_text(card(f"data_files: {json.dumps(pattern.format(folder=tmp_path))}"))
    check_dataset_folder(tmp_path, "the set")


@pytest.mark.parametrize("folder", ["/", "///", "/proc", "/proc/self", "/dev", "/sys"])
def test_folders_of_the_system(folder):
    with pytest.raises(DataError, match="belongs to the system"):
        read_hub_dataset(f"hf://{folder}", "train")


def test_folders_of_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.reading.hub.dataset_folders.MOST_FILES", 3)
    assert MOST_FILES > 100_000
    for number in range(3):
        (tmp_path / f"{number}.csv").touch()
    check_dataset_folder(tmp_path, "the set")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "3.csv").touch()
    with pytest.raises(DataError, match="more than 3 files"):
        check_dataset_folder(tmp_path, "the set")


def test_links(tmp_path):
    """Those of the Hub's cache lead into the folder `blobs` beside it."""
    folder = tmp_path / "snapshots" / "0123"
    folder.mkdir(parents=True)
    (tmp_path / "blobs").mkdir()
    for place in ("blobs/4567", "secret.csv", "snapshots/0123/a.csv"):
        (tmp_path / place).write_text("text\na\n")
    (folder / "cached.csv").symlink_to("../../blobs/4567")
    (folder / "here.csv").symlink_to("a.csv")
    (folder / "out.csv").symlink_to("../../secret.csv")
    (folder / "there").symlink_to("../..")
    checked_files(folder, "cached.csv", "here.csv", "a.csv")
    for name in ("out.csv", "there/secret.csv"):
        with pytest.raises(DataError, match="is not in the folder"):
            checked_files(folder, name)


def test_a_link_is_not_followed_into_the_rows(tmp_path):
    (tmp_path / "secret.csv").write_text("text\na canary\n")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "data.csv").symlink_to("../secret.csv")
    with pytest.raises(DataError, match="is not in the folder"):
        read_hub_dataset(f"hf://{tmp_path / 'set'}", "train")


def test_bombs(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.reading.compressed.ALWAYS_ALLOWED", 1 << 20)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text\n" * 1_000_000))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"text\n" * 1_000_000)
    (tmp_path / "good.csv.gz").write_bytes(gzip.compress(b"text\n" * 100))
    checked_files(tmp_path, "good.csv.gz")
    for name in ("a.csv.gz", "a.zip"):
        with pytest.raises(DataError, match="of memory"):
            checked_files(tmp_path, name)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ndjson", "a.jsonl.gz"])
def test_values_that_are_nested_too_deeply(tmp_path, name):
    """The JSON reader of pyarrow ends the process."""
    content = b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(DataError, match="line 1: values are nested too deeply"):
        read_hub_dataset(f"hf://{tmp_path}", "train")


def test_many_brackets_are_no_depth(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "[" * 2000 + '"]\\'}) + "\n")
    (tmp_path / "b.json").write_text(json.dumps([{"text": ["a"]}] * 2000))
    checked_files(tmp_path, "a.jsonl", "b.json")


@pytest.mark.parametrize("option", ["skiprows", "skipfooter", "header"])
def test_settings_that_take_all_memory(tmp_path, option):
    (tmp_path / "a.csv").write_text("text\na\n")
    checked_files(tmp_path, "a.csv", settings=SimpleNamespace(**{option: 1}))
    with pytest.raises(DataError, match=f"says {option}"):
        checked_files(tmp_path, "a.csv", settings=SimpleNamespace(**{option: 10**20}))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("README.md", card("data_files: null")),
        ("README.md", card("data_files: a.csv\n  features: x")),
        ("README.md", "---\nconfigs: " + "[" * 100_000 + "\n---\n"),
        ("README.md", "---\n" + "# a\n" * 600_000 + "---\n"),
        ("README.md", "---\ndataset_info: [7]\n---\n"),
        ("README.md", "---\ndataset_info:\n  features:\n  - name: text\n    dtype: int64\n  splits: 7\n---\n"),
        (
            "README.md",
            "---\ndataset_info:\n  features:\n  - name: n\n    dtype:\n      class_label:\n        names:\n"
            "          '0': a\n---\n",
        ),
        ("dataset_infos.json", "[" * 100_000),
        ("dataset_dict.json", "[" * 100_000),
        ("dataset_dict.json", "[]"),
        ("dataset_dict.json", '{"splits": 7}'),
        ("dataset_dict.json", '{"splits": ["train"]}'),
    ],
    ids=[
        *("no data files", "no features", "deep card", "long card", "no dataset_info", "no splits", "unnamed label"),
        *("deep infos", "deep dict", "dict is a list", "dict without splits", "dict without rows"),
    ],
)
def test_files_about_the_data_that_are_damaged(tmp_path, file, content):
    (tmp_path / "a.csv").write_text("n\n5\n")
    (tmp_path / file).write_text(content)
    with pytest.raises(DataError) as error:
        read_hub_dataset(f"hf://{tmp_path}", "train")
    assert "\n" not in error.value.problem
    assert len(error.value.problem) < 600


@pytest.mark.parametrize("name", ["../a.arrow", "/a.arrow", "sub/a.arrow", 7, None, "link.arrow"])
def test_rows_that_save_to_disk_wrote_elsewhere(tmp_path, name):
    (tmp_path / "link.arrow").symlink_to("/dev/null")
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(DataError, match="is not in the folder"):
        check_saved_files(tmp_path, "the set")
