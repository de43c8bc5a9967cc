"""Dataset folders written here, and what read_hub_dataset makes of their cells."""

import datetime
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pyarrow
import pytest
from dataset_files import PARQUET, TWO_FILES, parquet_bytes

from utils.errors import DataError, UserError
from utils.reading.hub_datasets import is_hub_path, read_hub_dataset

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Writes a dataset folder: {name: text or bytes} → "hf://…". The cache for all tests is the test's own."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    def write(files: dict[str, str | bytes], name: str = "set") -> str:
        for file, content in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        (tmp_path / name).mkdir(exist_ok=True)
        return f"hf://{tmp_path / name}"

    return write


def failure(path: str, split: str = "train") -> UserError:
    with pytest.raises(UserError) as raised:
        read_hub_dataset(path, split)
    assert "\n" not in raised.value.problem + raised.value.hint
    return raised.value


def data_failure(path: str, split: str = "train") -> DataError:
    error = failure(path, split)
    assert error.exit_code == 3
    return error


def test_names_of_datasets_are_recognized():
    assert is_hub_path("hf://user/name")
    assert not is_hub_path("data/hf.csv")


def test_importing_is_light():
    code = "import sys, utils.reading.hub_datasets; print({'datasets', 'pandas', 'huggingface_hub'} & set(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.strip() == "set()"


def test_parquet_files_by_split_and_the_digest_of_their_rows(folder):
    path = folder({"data/train-00000-of-00001.parquet": PARQUET, "data/test.parquet": parquet_bytes({"text": ["b"]})})
    columns, digest = read_hub_dataset(path, "train")
    assert columns == {"text": ["Été 😀", None], "likes": ["3", None], "kept": ["true", "false"]}
    lines = ['["text", "likes", "kept"]', '["\\u00c9t\\u00e9 \\ud83d\\ude00", "3", "true"]', '[null, null, "false"]']
    assert digest == sha256("\n".join(lines).encode()).hexdigest()


def test_the_digest_is_the_same_wherever_the_rows_lie(folder):
    of_parquet = read_hub_dataset(folder({"train.parquet": parquet_bytes({"text": ["a", "b"]})}, "one"), "train")
    of_lines = read_hub_dataset(folder({"train.jsonl": '{"text": "a"}\n{"text": "b"}\n'}, "two"), "train")
    of_others = read_hub_dataset(folder({"train.jsonl": '{"text": "b"}\n{"text": "a"}\n'}, "three"), "train")
    assert of_parquet == of_lines
    assert of_others[1] != of_lines[1]


def test_a_folder_leaves_nothing_in_the_cache_nor_in_the_temporary_folder(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    read_hub_dataset(folder({"train.csv": "text\na\n"}), "train")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "cache").exists()


def test_a_folder_named_relatively(folder, tmp_path, monkeypatch):
    folder(TWO_FILES, "user/name")
    monkeypatch.chdir(tmp_path)
    assert read_hub_dataset("hf://./user/name/short", "train")[0] == {"text": ["hi"]}
    assert data_failure("hf://./user/name").hint == "name one, as in hf://./user/name/short"
    assert failure("hf://user/name").exit_code == 1  # without ./ it is the Hub's, whatever lies here


def test_json_lines_keep_nested_values_and_large_numbers(folder):
    lines = [
        {"text": "a", "id": 9007199254740993, "score": 0.5, "tags": ["x", "é"], "when": "2020-01-02 03:04:05"},
        {"text": "b", "id": None, "score": None, "tags": [], "when": None},
    ]
    columns, _ = read_hub_dataset(folder({"train.jsonl": "\n".join(map(json.dumps, lines))}), "train")
    assert columns == {
        "text": ["a", "b"],
        "id": ["9007199254740993", None],
        "score": ["0.5", None],
        "tags": ['["x","é"]', "[]"],
        "when": ["2020-01-02T03:04:05", None],
    }


def test_the_guessed_format_of_csv_is_logged(folder, caplog):
    columns, _ = read_hub_dataset(folder({"train.csv": "text,id,tag\nhello,007,x\nNA,8,y\n"}), "train")
    assert columns == {"text": ["hello", None], "id": ["7", "8"], "tag": ["x", "y"]}
    (line,) = caplog.messages
    assert "columns text, id: datasets guesses" in line
    assert "name the CSV file itself" in line


def test_labels_are_their_names_and_media_stay_undecoded(folder, tmp_path, caplog):
    from datasets import ClassLabel, Dataset, Features, Image, List, Value

    label = ClassLabel(names=["bad", "good"])
    columns = {
        "text": ["a", "b", "c"],
        "label": [1, -1, None],
        "labels": [[0, 1], [], None],
        "inside": [{"label": 0, "on": datetime.datetime(2020, 1, 2)}, None, None],
        "day": [datetime.date(2020, 1, 2), None, None],
        "face": [{"bytes": b"no image at all", "path": None}, None, None],
        "faces": [[{"bytes": b"no image", "path": None}], [], None],
    }
    kinds = {"text": Value("string"), "label": label, "labels": List(label), "day": Value("date32")}
    kinds |= {"inside": {"label": label, "on": Value("timestamp[s]")}, "face": Image(), "faces": List(Image())}
    Dataset.from_dict(columns, features=Features(kinds)).save_to_disk(tmp_path / "saved")
    assert read_hub_dataset(f"hf://{tmp_path / 'saved'}", "train")[0] == {
        "text": ["a", "b", "c"],
        "label": ["good", None, None],
        "labels": ['["bad","good"]', "[]", None],
        "inside": ['{"label":"bad","on":"2020-01-02T00:00:00"}', None, None],
        "day": ["2020-01-02", None, None],
    }
    (line,) = caplog.messages
    assert "left out face, faces" in line


def test_a_folder_of_save_to_disk_is_read(folder, tmp_path):
    from datasets import Dataset, DatasetDict

    rows = Dataset.from_dict({"text": ["a", "b", "c"]})
    DatasetDict({"train": rows.select([2, 0]), "none": rows.select([])}).save_to_disk(tmp_path / "several")
    path = f"hf://{tmp_path / 'several'}"
    assert read_hub_dataset(path, "train")[0] == {"text": ["c", "a"]}
    assert data_failure(path, "none").problem == f"{path}: the split none holds no rows"
    assert data_failure(path, "test").problem == f"{path} has no split test; it has train, none"
    arrow = next((tmp_path / "several" / "train").glob("*.arrow"))
    arrow.write_bytes(arrow.read_bytes()[:-60])
    assert data_failure(path).problem.startswith(f"{path} is not a complete saved dataset: ")
    arrow.unlink()
    assert data_failure(path).problem.startswith(f"{path} is not a complete saved dataset: ")
    for damage in ("{", "{}"):
        (tmp_path / "several" / "dataset_dict.json").write_text(damage)
        assert data_failure(path).problem.startswith(f"{path} is not a complete saved dataset: ")


def test_a_dataset_of_images_alone(tmp_path):
    from datasets import Dataset, Features, Image

    Dataset.from_dict({"face": [{"bytes": b"x", "path": None}]}, features=Features({"face": Image()})).save_to_disk(
        tmp_path / "faces"
    )
    assert data_failure(f"hf://{tmp_path / 'faces'}").problem.endswith("has no column of text")


def test_configurations_of_a_folder(folder):
    path = folder(TWO_FILES)
    assert read_hub_dataset(f"{path}/short", "train")[0] == {"text": ["hi"]}
    assert read_hub_dataset(f"{path}/long", "train")[0] == {"text": ["hello there"]}
    error = data_failure(path)
    assert error.problem == f"{path} has several configurations: short, long"
    assert error.hint == f"name one, as in {path}/short"
    error = data_failure(f"{path}/medium")
    assert error.problem == f"{path} has no configuration medium; there are short, long"
    assert error.hint == f"name one, as in {path}/short"


def test_a_folder_that_does_not_exist(folder, tmp_path):
    error = data_failure(f"hf://{tmp_path}/nothing")
    assert error.problem == f"there is no folder {tmp_path}/nothing"
    assert "hf://./folder" in error.hint


def test_a_split_that_does_not_exist(folder):
    path = folder({"train.csv": "text\na\n", "test.csv": "text\nb\n"})
    error = data_failure(path, "validation")
    assert error.problem == f"{path} has no split validation; it has train, test"
    assert error.hint == "choose one with --hub_split: train, test"


@pytest.mark.parametrize("files", [{}, {"README.md": "# A dataset\n"}, {"notes.xyz": "abc"}])
def test_no_data_files(folder, files):
    path = folder(files)
    assert data_failure(path).problem == f"{path} holds no data files"


def test_the_code_of_a_dataset_is_not_run(folder, tmp_path):
    marker = tmp_path / "ran"
    path = folder({"set.py": f"open({str(marker)!r}, 'w')", "train.csv": "text\na\n"})
    error = data_failure(path)
    assert error.problem == f"{path} is made by a program (.py), and code from a dataset is not run"
    assert "Parquet" in error.hint
    assert not marker.exists()


def test_a_split_without_rows(folder):
    path = folder({"train.csv": "text\na\n", "test.csv": "text\n"})
    assert data_failure(path, "test").problem == f"{path}: the split test holds no rows"
    assert read_hub_dataset(path, "train")[0] == {"text": ["a"]}


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("train.parquet", PARQUET[:-20], "Parquet magic bytes not found"),
        ("train.parquet", PARQUET[:8] + b"\xff" * 20 + PARQUET[28:], "Couldn't deserialize thrift"),
        ("train.parquet", b"", "Parquet file size is 0 bytes"),
        ("train.parquet", parquet_bytes({"text": pyarrow.array([], pyarrow.string())}), "a file holds no rows"),
        ("train.jsonl", '{"text": "a"}\n{"text": \n', "JSON parse error"),
        ("train.jsonl", "", "a file holds no rows"),
        ("train.json", '[{"text": "a"}, 3', "Unexpected character"),
        ("train.csv", 'text\na\nb,c,d\n"', "Expected 1 fields in line 3, saw 3"),
        ("train.csv", b"text\n\xff\xfe\xe9\n", "can't decode byte 0xff"),
        ("train.csv", "", "No columns to parse"),
        ("train.csv.gz", b"\x1f\x8b08 not gzip", "Unknown compression method"),
    ],
)
def test_a_damaged_file(folder, file, content, reason, capfd):
    path = folder({file: content})
    error = data_failure(path)
    assert error.problem.startswith(f"{path} ({file}) cannot be read: ")
    assert reason in error.problem
    assert capfd.readouterr() == ("", "")  # no library's log lines, no progress bars


@pytest.mark.parametrize(
    ("card", "problem"),
    [
        ("configs: [", "cannot be read: while parsing a flow node"),
        ("configs: 5", "cannot be read: Expected configs to be a list, but got '5'"),
        (
            "dataset_info:\n  features:\n  - name: text\n    dtype: int64",
            "(a.csv) cannot be read: Failed to parse string",
        ),
        (
            "dataset_info:\n  splits:\n  - name: train\n    num_examples: 5\n    num_bytes: 5",
            "its README.md announces other splits or numbers of rows than there are",
        ),
    ],
)
def test_a_card_that_does_not_fit(folder, card, problem):
    assert problem in data_failure(folder({"README.md": f"---\n{card}\n---\n", "a.csv": "text\na\n"})).problem


@pytest.mark.parametrize("pattern", ["../secret.txt", "data/../../secret.txt", "{absolute}", "../*.txt", "sub/../../*"])
def test_a_folder_reads_nothing_outside_itself(folder, tmp_path, pattern):
    secret = tmp_path / "secret.txt"
    secret.write_text("a canary\n")
    card = f"---\nconfigs:\n- config_name: default\n  data_files: {pattern.format(absolute=secret)!r}\n---\n"
    path = folder({"README.md": card, "data/a.txt": "a\n", "sub/b.txt": "b\n"})
    assert "is not in the folder" in data_failure(path).problem


def test_files_of_two_formats(folder):
    path = folder({"train.csv": "text\na\n", "test.jsonl": '{"text": "a"}\n'})
    assert data_failure(path).problem.startswith(f"{path} cannot be read: Couldn't infer the same data file format")


def test_a_folder_whose_name_is_a_pattern(folder):
    """datasets takes [ ] * ? for patterns and finds nothing."""
    assert "[ ] * ?" in data_failure(folder({"train.csv": "text\na\n"}, "texts [1]")).hint
