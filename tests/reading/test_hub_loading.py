"""The real `datasets` against a server that plays the Hub, and the cache without it."""

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

import pytest
from dataset_files import PARQUET, TWO_FILES

ROOT = Path(__file__).parent.parent.parent

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
    """Answers as the Hub does for datasets; for names that begin with no-… it refuses as that name says."""

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
        elif "no-hub" in path:  # a proxy's answer, which says nothing of the dataset
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
    """The Hub's answer on the files and folders among `paths`."""
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
    "hf://someone/program": [3, "hf://someone/program is made by a program (.py), and code from a dataset", "Parquet"],
    "hf://someone/damaged": [3, "hf://someone/damaged (train.parquet) cannot be read: Parquet magic bytes", "again"],
    "hf://someone/empty": [3, "hf://someone/empty holds no data files", "Parquet"],
    "hf://someone/nothing": [1, "the Hub has no dataset someone/nothing that you may read", "check the name"],
    "hf://someone/small@v9": [1, "the Hub's dataset someone/small has no revision v9", "name"],
    "hf://someone/no-login": [1, "the Hub has no dataset someone/no-login that you may read", "hf auth login"],
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
    "hf://user/name/config/more": [1, "hf://user/name/config/more names no dataset", "hf://user/name/CONFIG"],
    "hf://a--b/c": [1, "hf://a--b/c names no dataset", "hf://user/name/CONFIG"],
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
    home = tmp_path_factory.mktemp("home")  # also where the process runs: a folder of a dataset's name is no matter
    (home / "someone" / "small").mkdir(parents=True)
    (home / "someone" / "small" / "train.csv").write_text("text\nof the folder\n")
    paths = [*ROWS, "hf://canonical", "hf://datasets/someone/small", *REFUSED]
    with listening(_Hub) as address:
        answers, lines = asked(paths, address, home)
    return answers, lines, home


def test_datasets_of_the_hub(online):
    answers, lines, _ = online
    assert {path: answers[path][0] for path in ROWS} == ROWS
    assert answers["hf://canonical"] == answers[CANONICAL]
    assert answers["hf://datasets/someone/small"] == answers[SMALL]
    assert lines == ["hf://canonical is hf://someone/canonical on the Hub, and in the local cache"]


@pytest.mark.parametrize("path", REFUSED)
def test_datasets_that_the_hub_does_not_give(online, path):
    code, problem, hint = online[0][path]
    assert code == REFUSED[path][0]
    assert problem.startswith(REFUSED[path][1])
    assert REFUSED[path][2] in hint
    assert "\n" not in problem + hint


def test_offline_with_the_datasets_in_the_cache(online):
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
        f"{SMALL}: the Hub lists commit {'d' * 40} but does not send it",
        "try again in a while",
    ]
