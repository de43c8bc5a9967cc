"""hf://…: data set folders written here, and the real `datasets` against a server that plays the Hub."""

import datetime
import io
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyarrow
import pytest
from pyarrow import parquet

from utils.errors import DataError, UserError
from utils.reading.hub_datasets import is_hub_path, read_hub_dataset

ROOT = Path(__file__).parent.parent.parent
TWO = """---
configs:
- config_name: short
  data_files: short.csv
- config_name: "long"
  data_files:
  - split: train
    path: long.csv
---
"""
TWO_FILES = {"README.md": TWO, "short.csv": "text\nhi\n", "long.csv": "text\nhello there\n"}


def parquet_bytes(columns: dict) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()


PARQUET = parquet_bytes({"text": ["Été 😀", None], "likes": [3, None], "kept": [True, False]})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Writes a data set folder: {name: text or bytes} → "hf://…". The cache for all tests is the test's own."""
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


def test_what_names_a_data_set():
    assert is_hub_path("hf://user/name")
    assert not is_hub_path("data/hf.csv")


def test_importing_is_light():
    code = "import sys, utils.reading.hub_datasets; print({'datasets', 'pandas', 'huggingface_hub'} & set(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.strip() == "set()"


# ---- folders


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


def test_csv_says_what_was_guessed(folder, caplog):
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


def test_what_save_to_disk_wrote(folder, tmp_path):
    from datasets import Dataset, DatasetDict

    rows = Dataset.from_dict({"text": ["a", "b", "c"]})
    DatasetDict({"train": rows.select([2, 0]), "none": rows.select([])}).save_to_disk(tmp_path / "several")
    path = f"hf://{tmp_path / 'several'}"
    assert read_hub_dataset(path, "train")[0] == {"text": ["c", "a"]}
    assert data_failure(path, "none").problem == f"{path}: the split none holds no rows"
    assert data_failure(path, "test").problem == f"{path} has no split test; it has train, none"
    arrow = next((tmp_path / "several" / "train").glob("*.arrow"))
    arrow.write_bytes(arrow.read_bytes()[:-60])
    assert data_failure(path).problem.startswith(f"{path} is no whole saved data set: ")
    arrow.unlink()
    assert data_failure(path).problem.startswith(f"{path} is no whole saved data set: ")
    for damage in ("{", "{}"):
        (tmp_path / "several" / "dataset_dict.json").write_text(damage)
        assert data_failure(path).problem.startswith(f"{path} is no whole saved data set: ")


def test_a_data_set_of_images_alone(tmp_path):
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


@pytest.mark.parametrize("files", [{}, {"README.md": "# A data set\n"}, {"notes.xyz": "abc"}])
def test_no_data_files(folder, files):
    path = folder(files)
    assert data_failure(path).problem == f"{path} holds no data files"


def test_the_code_of_a_data_set_is_not_run(folder, tmp_path):
    marker = tmp_path / "ran"
    path = folder({"set.py": f"open({str(marker)!r}, 'w')", "train.csv": "text\na\n"})
    error = data_failure(path)
    assert error.problem == f"{path} is made by a program (.py), and code from a data set is not run"
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


def test_files_of_two_formats(folder):
    path = folder({"train.csv": "text\na\n", "test.jsonl": '{"text": "a"}\n'})
    assert data_failure(path).problem.startswith(f"{path} cannot be read: Couldn't infer the same data file format")


def test_a_folder_whose_name_is_a_pattern(folder):
    """datasets takes [ ] * ? for patterns and finds nothing."""
    assert "[ ] * ?" in data_failure(folder({"train.csv": "text\na\n"}, "texts [1]")).hint


# ---- the Hub, played by a server on this machine

LABELLED = """---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': bad
          '1': good
---
"""
COMMITS = {"main": "a" * 40, "v1": "b" * 40}
REPOSITORIES = {  # name → commit → files
    "someone/small": {
        COMMITS["main"]: {"README.md": LABELLED, "data/train.jsonl": '{"text": "new", "label": 1}\n'},
        COMMITS["v1"]: {"data/train.jsonl": '{"text": "old", "label": 0}\n'},
    },
    "someone/canonical": {COMMITS["main"]: {"train.parquet": PARQUET}},
    "someone/two": {COMMITS["main"]: TWO_FILES},
    "someone/program": {COMMITS["main"]: {"program.py": "1 / 0"}},
    "someone/damaged": {COMMITS["main"]: {"train.parquet": PARQUET[:-20]}},
    "someone/empty": {COMMITS["main"]: {"README.md": "# Nothing yet\n"}},
}


class _Hub(BaseHTTPRequestHandler):
    """Answers as the Hub does for data sets; for names that begin with no-… it refuses as that name says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = urlsplit(self.path).path.removeprefix("/api").removeprefix("/datasets/")
        name = next((name for name in REPOSITORIES if path == name or path.startswith(f"{name}/")), None)
        if "no-login" in path:
            self._answer(401, b"", {"X-Error-Message": "Invalid username or password."})
        elif "no-access" in path and "resolve" not in path:
            self._answer(200, self._about("someone/no-access", COMMITS["main"], {}))
        elif "no-access" in path:
            self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
        elif "no-luck" in path:
            self._answer(500, b"")
        elif "no-hub" in path:  # a proxy's answer, which says nothing of the data set
            self._answer(404, b"")
        elif "no-answer" in path:
            self.close_connection = True
        elif path.startswith("canonical"):
            self._answer(307, b"", {"Location": self.path.replace("canonical", "someone/canonical", 1)})
        elif name is None:
            self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        else:
            self._answer_about(name, path.removeprefix(name).strip("/"), body)

    do_HEAD = do_POST = do_GET  # noqa: N815

    def _answer_about(self, name: str, path: str, body: str):
        kind, _, path = path.partition("/")
        revision, _, path = path.partition("/")
        commit = COMMITS.get(revision or "main", revision)
        files = {file: as_bytes(content) for file, content in REPOSITORIES[name].get(commit, {}).items()}
        folders = {str(parent) for file in files for parent in Path(file).parents} - {"."}
        if not files:
            self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif kind in ("", "revision"):
            self._answer(200, self._about(name, commit, files))
        elif kind == "resolve" and path in files:
            etag = f'"{sha256(files[path]).hexdigest()}"'
            self._answer(200, files[path], {"ETag": etag, "X-Repo-Commit": commit})
        elif kind == "paths-info":
            wanted = parse_qs(body)["paths"] if "=" in body else json.loads(body)["paths"]
            self._answer(200, json.dumps(listing(wanted, files, folders)).encode())
        elif kind == "tree" and (not path or path in folders):
            recursive = "recursive=True" in self.path or "recursive=true" in self.path
            inside = [entry for entry in [*files, *folders] if is_inside(entry, path, recursive)]
            self._answer(200, json.dumps(listing(inside, files, folders)).encode())
        else:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})

    def _about(self, name: str, commit: str, files: dict) -> bytes:
        siblings = [{"rfilename": file} for file in files]
        return json.dumps({"id": name, "sha": commit, "siblings": siblings, "tags": [], "private": False}).encode()

    def _answer(self, code: int, body: bytes, headers: dict | None = None):
        self.send_response(code)
        for header, value in {"Content-Length": len(body), **(headers or {})}.items():
            self.send_header(header, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def as_bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def is_inside(entry: str, folder: str, recursive: bool) -> bool:
    prefix = f"{folder}/" if folder else ""
    return entry.startswith(prefix) and (recursive or "/" not in entry.removeprefix(prefix))


def listing(paths: list[str], files: dict[str, bytes], folders: set[str]) -> list[dict]:
    """What the Hub says of the files and folders among `paths`."""
    of_files = [
        {"type": "file", "path": path, "size": len(files[path]), "oid": sha256(files[path]).hexdigest()[:40]}
        for path in paths
        if path in files
    ]
    return of_files + [{"type": "directory", "path": path, "oid": "0" * 40} for path in paths if path in folders]


class _LaterHub(_Hub):
    """The Hub after a new commit whose files it does not give."""

    def _answer_about(self, name: str, path: str, body: str):
        if path.partition("/")[0] in ("", "revision"):
            self._answer(200, self._about(name, "d" * 40, {}))
        else:
            self._answer(403, b"")


@contextmanager
def listening(handler: type[_Hub]):
    """The address of a Hub that answers as `handler` does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


CLIENT = """
import json, sys
from utils.reading import hub_datasets
from utils.errors import UserError
for path in json.loads(sys.argv[1]):
    try:
        answer = hub_datasets.read_hub_dataset(path, "train")
    except UserError as error:
        answer = [error.exit_code, error.problem, error.hint]
    print(json.dumps(answer))
"""


def asked(paths: list[str], endpoint: str, home: Path, **environment: str) -> tuple[dict[str, list], list[str]]:
    """({path: [columns, digest] or [exit code, problem, hint]}, lines on stderr) of a process of its own.

    huggingface_hub reads where the Hub is when it is imported.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    kept |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    command = [sys.executable, "-c", CLIENT, json.dumps(paths)]
    done = subprocess.run(command, cwd=home, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = map(json.loads, done.stdout.splitlines())
    return dict(zip(paths, answers, strict=True)), done.stderr.splitlines()


SMALL, OLD, CANONICAL, LONG = (
    "hf://someone/small",
    "hf://someone/small@v1",
    "hf://someone/canonical",
    "hf://someone/two/long",
)
REFUSED = {  # [exit code, start of the problem, a part of the hint]
    "hf://someone/two": [3, "hf://someone/two has several configurations: short, long", "hf://someone/two/short"],
    "hf://someone/two/medium": [3, "hf://someone/two has no configuration medium; there are short, long", "/short"],
    "hf://someone/program": [3, "hf://someone/program is made by a program (.py), and code from a data set", "Parquet"],
    "hf://someone/damaged": [3, "hf://someone/damaged (train.parquet) cannot be read: Parquet magic bytes", "again"],
    "hf://someone/empty": [3, "hf://someone/empty holds no data files", "Parquet"],
    "hf://someone/nothing": [1, "the Hub has no data set someone/nothing that is yours to read", "check the name"],
    "hf://someone/small@v9": [1, "the Hub's data set someone/small has no revision v9", "name"],
    "hf://someone/no-login": [1, "the Hub has no data set someone/no-login that is yours to read", "hf auth login"],
    "hf://someone/no-access": [1, "hf://someone/no-access: Dataset 'someone/no-access' is a gated", "hf auth login"],
    "hf://someone/no-luck": [
        1,
        "hf://someone/no-luck is not in the local cache and the Hub does not answer (Server error '500",
        "HF_HOME",
    ],
    "hf://someone/no-hub": [
        1,
        "hf://someone/no-hub is not in the local cache and the Hub does not answer (Client error '404",
        "HF_HOME",
    ],
    "hf://someone/no-answer": [
        1,
        "hf://someone/no-answer is not in the local cache and the Hub does not answer (Server disc",
        "--data_path",
    ],
    "hf://user/name/config/more": [1, "hf://user/name/config/more names no data set", "hf://user/name/CONFIG"],
    "hf://a--b/c": [1, "hf://a--b/c names no data set", "hf://user/name/CONFIG"],
}
ROWS = {
    SMALL: {"text": ["new"], "label": ["good"]},
    OLD: {"text": ["old"], "label": ["0"]},
    CANONICAL: {"text": ["Été 😀", None], "likes": ["3", None], "kept": ["true", "false"]},
    LONG: {"text": ["hello there"]},
}


@pytest.fixture(scope="module")
def online(tmp_path_factory) -> tuple[dict[str, list], list[str], Path]:
    """(answers, lines on stderr, home of the cache) of everything asked in one process while the Hub is there."""
    home = tmp_path_factory.mktemp("home")  # also where the process runs: a folder of a data set's name is no matter
    (home / "someone" / "small").mkdir(parents=True)
    (home / "someone" / "small" / "train.csv").write_text("text\nof the folder\n")
    paths = [*ROWS, "hf://canonical", "hf://datasets/someone/small", *REFUSED]
    with listening(_Hub) as address:
        answers, lines = asked(paths, address, home)
    return answers, lines, home


def test_data_sets_of_the_hub(online):
    answers, lines, _ = online
    assert {path: answers[path][0] for path in ROWS} == ROWS
    assert answers["hf://canonical"] == answers[CANONICAL]
    assert answers["hf://datasets/someone/small"] == answers[SMALL]
    assert lines == ["hf://canonical is hf://someone/canonical on the Hub, and in the local cache"]


@pytest.mark.parametrize("path", REFUSED)
def test_what_the_hub_does_not_give(online, path):
    code, problem, hint = online[0][path]
    assert code == REFUSED[path][0]
    assert problem.startswith(REFUSED[path][1])
    assert REFUSED[path][2] in hint
    assert "\n" not in problem + hint


def test_offline_with_the_data_sets_in_the_cache(online):
    answers, _, home = online
    paths = [*ROWS, "hf://someone/two", "hf://someone/two/short", "hf://someone/small@v9", "hf://someone/nothing"]
    offline, lines = asked(paths, "http://127.0.0.1:9", home, HF_HUB_OFFLINE="1")
    for path in ROWS:
        assert offline[path] == answers[path]  # the digests too
    assert offline["hf://someone/two"][0] == ROWS[LONG]  # of two configurations, one is in the cache
    assert offline["hf://someone/two/short"][:2] == [
        3,
        "hf://someone/two has no configuration short in the local cache; there are long",
    ]
    for path in ("hf://someone/small@v9", "hf://someone/nothing"):
        assert offline[path][:2] == [1, f"{path} is not in the local cache and HF_HUB_OFFLINE is set"]
    read_from_cache = [
        line for line in lines if line.endswith(f"; read from the local cache, commit {COMMITS['main']}")
    ]
    assert len(read_from_cache) == 4
    assert len(lines) == 5


def test_nobody_listens(online):
    answers, _, home = online
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    alone, _ = asked([SMALL, "hf://someone/nothing"], f"http://127.0.0.1:{port}", home)
    assert alone[SMALL] == answers[SMALL]
    code, problem, hint = alone["hf://someone/nothing"]
    assert code == 1
    assert problem.startswith("hf://someone/nothing is not in the local cache and the Hub does not answer (")
    assert "refused" in problem
    assert "--data_path" in hint
    assert "HF_HOME" in hint


def test_an_older_commit_in_the_cache_is_not_given_for_the_one_on_the_hub(online):
    with listening(_LaterHub) as address:
        answers, _ = asked([SMALL], address, online[2])
    assert answers[SMALL] == [
        1,
        f"{SMALL}: the Hub names commit {'d' * 40} and does not give it",
        "try again in a while",
    ]
