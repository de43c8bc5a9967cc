"""The Hugging Face Hub on this machine: models are created, pushed, looked at and downloaded as huggingface_hub does.

    with HubServer(HubSite()) as server:
        subprocess.run(command, env=server.client_environment(home))
        server.site.models["ana/cat"].files["config.json"]

Files of some size go through the LFS protocol, in one piece or, with `part_size`, in several. The site offers no Xet
storage. Refusals are scripted, see `loopback.Site.script`.
"""

import base64
import hashlib
import io
import json
import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

import loopback
from loopback import Answer, Loopback, Request, json_answer

TOKEN = "hf_" + "Zq3" * 12
USER = "ana"
CREATE, MODEL = r"/api/repos/create$", r"/api/models/[^/]+/[^/]+$"
PREUPLOAD, BATCH, UPLOAD, COMMIT = r"/preupload/main$", r"\.git/info/lfs/objects/batch$", r"/storage/", r"/commit/main$"


@dataclass
class Model:
    """A model on the Hub; `commits` has what each one did to which file."""

    private: bool
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b""})
    commits: list[dict[str, str]] = field(default_factory=list)

    @property
    def sha(self) -> str:
        return hashlib.sha1(str(len(self.commits)).encode()).hexdigest()


class HubSite(loopback.Site):
    """The Hub of one user and one token; `models` by their ids. Anything larger than `lfs_size` bytes is LFS."""

    def __init__(self, lfs_size: int = 10_000, part_size: int | None = None):
        super().__init__(("*",), self._answer)
        self.models: dict[str, Model] = {}
        self.url = ""
        self.lfs_size, self.part_size = lfs_size, part_size
        self.cut_uploads = 0  # so many uploads lose their connection in the middle of the body
        self._stored: dict[str, bytes] = {}  # LFS contents by their SHA-256, parts by "sha256/number"
        self.received = threading.local()  # .body: of the request that this thread answers

    def _answer(self, request: Request) -> Answer:
        routes = {
            ("GET", r"/api/whoami-v2"): self._whoami,
            ("GET", r"/api/agent-harnesses"): lambda request: json_answer([]),  # asked where an agent runs the client
            ("POST", r"/api/repos/create"): self._create,
            ("POST", r"/api/validate-yaml"): lambda request: json_answer({"errors": [], "warnings": []}),
            ("GET", r"/api/models/([^/]+/[^/]+)(?:/revision/.+)?"): self._about,
            ("GET", r"/api/models/([^/]+/[^/]+)/tree/[^/]+(/.+)?"): self._tree,
            ("POST", r"/api/models/([^/]+/[^/]+)/preupload/main"): self._preupload,
            ("POST", r"/api/models/([^/]+/[^/]+)/commit/main"): self._commit,
            ("POST", r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch"): self._batch,
            ("PUT", r"/storage/(.+)"): self._store,
            ("POST", r"/storage/(\w+)/complete"): self._complete,
            ("POST", r"/storage/(\w+)/verify"): self._verify,
            ("(?:GET|HEAD)", r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)"): self._resolve,
        }
        for (method, pattern), handler in routes.items():
            found = re.fullmatch(pattern, request.path)
            if not found or not re.fullmatch(method, request.method):
                continue
            if handler != self._store and not self._knows(request):  # storage has signed addresses of its own
                return json_answer({"error": "Invalid username or password."}, 401)
            if handler in (self._about, self._tree, self._preupload, self._commit, self._batch, self._resolve):
                if found[1] not in self.models:
                    return json_answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
                return handler(self.models[found[1]], *found.groups())
            return handler(*found.groups() or (request,))
        raise AssertionError(f"no Hub answers {request.method} {request.path}")

    def _knows(self, request: Request) -> bool:
        return request.path.endswith("/complete") or request.headers.get("authorization") == f"Bearer {TOKEN}"

    def _json(self) -> dict:
        return json.loads(self.received.body)

    def _whoami(self, request: Request) -> Answer:
        return json_answer({"type": "user", "name": USER, "orgs": []})

    def _create(self, request: Request) -> Answer:
        wanted = self._json()
        owner = wanted.get("organization") or USER
        name = f"{owner}/{wanted['name']}"
        if owner != USER:
            message = f'You don\'t have the rights to create a model under the namespace "{owner}"'
            return json_answer({"error": message}, 403)
        answer = {"url": f"{self.url}/{name}", "name": name}
        if name in self.models:
            return json_answer({**answer, "error": "You already created this model repo"}, 409)
        self.models[name] = Model(private=wanted.get("visibility") == "private")
        return json_answer(answer)

    def _about(self, model: Model, name: str) -> Answer:
        siblings = [{"rfilename": file} for file in model.files]
        about = {"id": name, "modelId": name, "sha": model.sha, "private": model.private, "siblings": siblings}
        return json_answer({**about, "tags": []})

    def _tree(self, model: Model, name: str, folder: str | None) -> Answer:
        if folder:  # there are none
            return Answer(404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": model.sha})
        return json_answer(
            [
                {"type": "file", "path": file, "size": len(content), "oid": git_hash(content)}
                for file, content in model.files.items()
            ]
        )

    def _preupload(self, model: Model, name: str) -> Answer:
        files = []
        for file in self._json()["files"]:
            mode = "lfs" if file["size"] > self.lfs_size else "regular"
            there = model.files.get(file["path"])
            hash_of = git_hash if mode == "regular" else sha256
            oid = None if there is None else hash_of(there)
            files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return json_answer({"files": files})

    def _batch(self, model: Model, name: str) -> Answer:
        asked = self._json()
        assert asked["operation"] == "upload" and asked["hash_algo"] == "sha256"
        objects = []
        for wanted in asked["objects"]:
            there = {} if wanted["oid"] in self._stored else {"actions": self._actions(wanted)}
            objects.append({**wanted, **there})
        return json_answer({"transfer": "multipart" if self.part_size else "basic", "objects": objects})

    def _actions(self, wanted: dict) -> dict:
        address = f"{self.url}/storage/{wanted['oid']}"
        upload = {"href": address}
        if self.part_size:
            numbers = range(1, -(-wanted["size"] // self.part_size) + 1)
            parts = {f"{number:05}": f"{address}/{number}" for number in numbers}
            upload = {"href": f"{address}/complete", "header": {"chunk_size": str(self.part_size), **parts}}
        return {"upload": upload, "verify": {"href": f"{address}/verify"}}

    def _store(self, place: str) -> Answer:
        assert "/" in place or sha256(self.received.body) == place
        self._stored[place] = self.received.body
        return Answer(headers={"ETag": f'"{sha256(self.received.body)}"'})

    def _complete(self, oid: str) -> Answer:
        parts = self._json()["parts"]
        pieces = [self._stored.pop(f"{oid}/{part['partNumber']}") for part in parts]
        assert [f'"{sha256(piece)}"' for piece in pieces] == [part["etag"] for part in parts]
        assert sha256(b"".join(pieces)) == oid
        self._stored[oid] = b"".join(pieces)
        return json_answer({})

    def _verify(self, oid: str) -> Answer:
        return json_answer({}, 200 if len(self._stored[oid]) == self._json()["size"] else 422)

    def _commit(self, model: Model, name: str) -> Answer:
        lines = [json.loads(line) for line in self.received.body.splitlines()]
        assert lines[0]["key"] == "header" and lines[0]["value"]["summary"]
        done = {}
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                model.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                model.files[value["path"]] = self._stored[value["oid"]]
            else:
                del model.files[value["path"]]
            done[value["path"]] = line["key"]
        model.commits.append(done)
        return json_answer(
            {"success": True, "commitOid": model.sha, "commitUrl": f"{self.url}/{name}/commit/{model.sha}"}
        )

    def _resolve(self, model: Model, name: str, file: str) -> Answer:
        if file not in model.files:
            return Answer(404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": model.sha})
        content = model.files[file]
        return Answer(200, content, {"ETag": f'"{sha256(content)}"', "X-Repo-Commit": model.sha})


class HubServer(Loopback):
    """Serves a HubSite at `url`."""

    def __init__(self, site: HubSite):
        super().__init__(site)
        self.RequestHandlerClass = _HubHandler
        self.site, site.url = site, self.url

    def client_environment(self, home: Path, token: str | None = TOKEN) -> dict[str, str]:
        """The environment of a process whose Hub is this one, and whose own things of the Hub lie in `home`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING_FACE"))}
        kept |= {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
        return kept | ({"HF_TOKEN": token} if token else {})


class _HubHandler(loopback._Handler):
    """Takes requests with a body, and HEAD requests."""

    def do_POST(self):  # noqa: N802
        site, connection = self.server.site, self.rfile
        if self.command == "PUT" and site.cut_uploads:
            site.cut_uploads -= 1
            connection.read(int(self.headers["Content-Length"]) // 2)
            self.close_connection = True
            return
        site.received.body = connection.read(int(self.headers.get("Content-Length") or 0))
        self.rfile = io.BytesIO(site.received.body)  # loopback reads it once more
        try:
            super().do_GET()
        finally:
            self.rfile = connection

    do_GET = do_PUT = do_HEAD = do_POST  # noqa: N815

    def _send(self, answer: Answer):
        if self.command != "HEAD":
            return super()._send(answer)
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_hash(content: bytes) -> str:
    """The name that git gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
