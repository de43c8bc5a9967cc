"""A token that the libraries know, or that stands in an argument, is in no file and no line that a script writes.

Every variable, file and address that may hold a credential holds the canary. The scripts run well, are refused, are
interrupted and meet a bug of ours whose message tells all that it knows.
"""

import csv
import itertools
import json
import os
import sys
from pathlib import Path

import pytest
from collecting_runs import toots
from hub_site import COMMIT, CREATE, TOKEN, HubServer, HubSite
from loopback import Answer, Loopback, json_answer, refusing
from mastodon_site import mastodon_site
from running import run_script
from small_classifiers import opinions

import classify
import evaluate_model
import fine_tune
import generate
import preprocess
from utils.interrupts import SCRIPTS as ROOT

CANARY = TOKEN.removeprefix("hf_")
PASSWORD = "canary7password"  # that is nowhere but in an argument
ADDRESS = f"https://ana:{PASSWORD}@host.example/a"
SCRIPTS = {"preprocess": preprocess, "fine_tune": fine_tune, "generate": generate, "classify": classify}
SCRIPTS |= {"evaluate_model": evaluate_model}
FAST = ("--precision", "fp32", "--device", "cpu", "--max_steps", 2)
VARIABLES = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "MASTODON_ACCESS_TOKEN",
    "WANDB_API_KEY",
    "X_COOKIES",
    "SOME_PASSWORD",
)
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch, tmp_path_factory):
    """Put the canary wherever the code or its libraries look for credentials."""
    home = tmp_path_factory.mktemp("secret")
    (home / "token").write_text(TOKEN)
    (home / "netrc").write_text(f"default login ana password {TOKEN}\n")
    (home / "netrc").chmod(0o600)
    for name in VARIABLES:
        monkeypatch.setenv(name, TOKEN)
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://ana:{TOKEN}@127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(home / "token"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with what the scripts write from a table: pickles, models, predictions, figures, and their streams."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in VARIABLES:
            patch.setenv(name, TOKEN)
        write_table()
        with (folder / "streams").open("w") as file:
            patch.setattr(sys, "stdout", file)
            patch.setattr(sys, "stderr", file)
            for script, *words in (*PREPARE, *USE):
                assert run_script(SCRIPTS[script].main, *words) == 0, Path("streams").read_text()
    return folder


PREPARE = (
    ("preprocess", "--data_path", "in.csv", "--model", "tiny", "--output_path", "t.pkl", "--min_words", 1),
    ("preprocess", "--data_path", "in.csv", "--task", "reviews", "--model", "tiny", "--output_path", "c.pkl"),
)
USE = (
    ("fine_tune", "--data", "t.pkl", "--output_path", "t", *FAST),
    ("fine_tune", "--data", "t.pkl", "--output_path", "t.pt", *FAST),
    ("fine_tune", "--data", "c.pkl", "--output_path", "c", *FAST),
    ("generate", "--model_path", "t", "--prompt", "a", "--output_path", "o.jsonl", "--json"),
    ("classify", "--model_path", "c", "--data_path", "in.csv", "--output_path", "o.csv"),
    ("evaluate_model", "--model_path", "c", "--data", "c.pkl", "--errors_path", "errors.csv"),
    ("evaluate_model", "--model_path", "t", "--data", "t.pkl"),
)


def write_table() -> None:
    words = ["".join(letters) for letters in itertools.product("abcdefgh", repeat=3)]
    with Path("in.csv").open("w", newline="") as file:
        further = (" ".join(words[place : place + 7]) for place in itertools.count(0, 7))
        rows = [(f"{text} {more}", label) for (text, label), more in zip(opinions(60), further, strict=False)]
        csv.writer(file).writerows([("text", "label"), *rows])


@pytest.fixture
def call(tmp_path, monkeypatch, capfd):
    """Run a script; return (exit code, what it wrote), in which the canary is not; nor in any file."""
    monkeypatch.chdir(tmp_path)

    def calling(script: str, *words: object) -> tuple[int, str]:
        try:
            code = run_script(SCRIPTS[script].main, *words)
        except Exception:
            sys.__excepthook__(*sys.exc_info())
            code = -1
        written = "".join(capfd.readouterr())
        assert CANARY not in written
        assert PASSWORD not in written
        assert_nowhere(tmp_path)
        return code, written

    return calling


def assert_nowhere(folder: Path) -> None:
    for path in folder.rglob("*"):
        for secret in (CANARY, PASSWORD):
            assert secret not in path.name
            assert path.is_dir() or secret.encode() not in path.read_bytes(), path


def test_files_of_all_scripts(trained):
    names = {path.name for path in trained.rglob("*")}
    assert names >= {"t.pkl", "t.pt", "run.json", "log.jsonl", "README.md", "evaluation.json", "o.csv", "o.jsonl"}
    assert_nowhere(trained)


def test_states_of_an_interrupted_training(call, trained, monkeypatch, tmp_path):
    from transformers import Trainer

    steps, step = itertools.count(), Trainer.training_step

    def interrupted(*arguments):
        if next(steps) == 2:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(Trainer, "training_step", interrupted)
    monkeypatch.setattr(sys, "argv", [str(ROOT / "fine_tune.py"), "--model", ADDRESS])
    words = ("--data", trained / "t.pkl", "--output_path", "m", *FAST[:4], "--max_steps", 9, "--save_steps", 1)
    code, written = call("fine_tune", *words)
    assert code == 130
    assert "https://***@host.example/a" in written  # in the command that continues
    assert {"arguments.json", "trainer_state.json"} <= {path.name for path in tmp_path.rglob("*")}


def bug(*arguments, **options):
    raise RuntimeError(f"cannot open {ADDRESS}: {dict(os.environ)}")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("preprocess.process_and_save", ("--data_path", "in.csv", "--model", "tiny")),
        ("fine_tune.train_and_save", ("--data", "c.pkl")),
        ("generate.write_records", ("--model_path", "t", "--prompt", "a")),
        ("classify.classify_file", ("--model_path", "c", "--data_path", "in.csv")),
        ("evaluate_model.evaluate_and_write", ("--model_path", "c", "--data", "c.pkl")),
    ],
    ids=list(SCRIPTS),
)
def test_tracebacks(place, words, call, trained, monkeypatch):
    monkeypatch.chdir(trained)
    monkeypatch.setattr(place, bug)
    code, written = call(place.partition(".")[0], *words)
    assert code == -1
    assert "RuntimeError: cannot open https://***@host.example/a: " in written


@pytest.mark.parametrize(
    "words",
    [
        ("preprocess", "--data_path", ADDRESS),
        ("preprocess", "--data_path", ADDRESS + ".csv", "in.csv"),
        ("preprocess", "--data_path", f"hf://ana:{TOKEN}@host/data"),
        ("preprocess", "--data_path", f"hf://ana/cats@{TOKEN}"),
        ("preprocess", "--data_path", "in.csv", "--model", ADDRESS),
        ("preprocess", "--data_path", "in.csv", "--token", TOKEN),
        ("preprocess", "--data_path", "in.csv", f"--min_words={TOKEN}"),
        ("preprocess", "--data_path", "in.csv", "--text_column", ADDRESS),
        ("preprocess", "--data_path", "raw.jsonl", "--scrape", "mastodon-hashtag", f"cats@ana:{PASSWORD}@host.example"),
        ("preprocess", "--data_path", "raw.jsonl", "--scrape", "mastodon-user", f"cats@{ADDRESS}"),
        ("preprocess", "--data_path", "raw.jsonl", "--scrape", "twitter-user", ADDRESS),
        ("preprocess", "--data_path", "raw.jsonl", "--scrape", ADDRESS, "cats"),
        ("fine_tune", "--data_path", ADDRESS),
        ("fine_tune", "--data_path", "c.pkl", "--model", ADDRESS),
        ("fine_tune", "--data_path", "c.pkl", "--hub_token", TOKEN),
        ("fine_tune", "--data_path", "c.pkl", f"--hub_token={TOKEN}"),
        ("fine_tune", "--data_path", "c.pkl", "--push_to_hub", "--hub_model_id", ADDRESS),
        ("fine_tune", "--push_trained", "--model_path", ADDRESS, "--hub_model_id", "ana/cat"),
        ("preprocess", "--data_path", f"{ADDRESS}.jsonl", "--scrape", "telegram-channel", "cats"),
        ("preprocess", "--data_path", "in.csv", "--output_path", ADDRESS),
        ("fine_tune", "--data_path", "c.pkl", "--output_path", ADDRESS),
        ("generate", "--model_path", "t", "--prompt", "a", "--output_path", ADDRESS),
        ("classify", "--model_path", "c", "--data_path", "in.csv", "--output_path", f"{ADDRESS}.csv"),
        ("evaluate_model", "--model_path", "c", "--data", "c.pkl", "--errors_path", ADDRESS),
        ("fine_tune", "--config", "secret.yaml"),
        ("fine_tune", "--config", "broken.yaml"),
        ("fine_tune", "--config", ADDRESS),
        ("generate", "--model_path", ADDRESS, "--prompt", "a"),
        ("generate", "--model_path", "t", "--prompts_file", ADDRESS),
        ("classify", "--model_path", ADDRESS, "--data_path", "in.csv"),
        ("classify", "--model_path", "c", "--data_path", ADDRESS),
        ("evaluate_model", "--model_path", ADDRESS, "--data", "c.pkl"),
        ("evaluate_model", "--model_path", "c", "--data", ADDRESS),
        ("evaluate_model", "--model_path", "c", "--data", "c.pkl", "--compare", ADDRESS),
    ],
    ids=lambda words: "-".join(str(word) for word in words if not (CANARY in str(word) or PASSWORD in str(word))),
)
def test_refused_arguments(words, call, trained, tmp_path):
    for path in trained.iterdir():
        (tmp_path / path.name).symlink_to(path)
    script, *words = words
    secret = {"secret.yaml": f"hub_token: {TOKEN}\n", "broken.yaml": f"hub_token: {TOKEN}: [\n"}.get(words[-1])
    if secret:
        words[-1] = trained.parent / words[-1]
        words[-1].write_text(secret)
    code, written = call(script, *words)
    assert code in (1, 2, 3), written
    assert written.splitlines()[-1].startswith("hint: ")


ECHO = json.dumps({"error": f"no rights for {TOKEN} at {ADDRESS}", "errors": [{"message": TOKEN}]})


@pytest.mark.parametrize("step", ["accepted", "refused", "cut", "bug"])
def test_scraping(step, call, monkeypatch):
    site = mastodon_site(toots(9))
    if step == "refused":
        site.script(Answer(401, ECHO, {"Content-Type": "application/json"}), on="", forever=True)
    if step == "cut":
        site.script(site.cut, forever=True)
    if step == "bug":
        monkeypatch.setattr("utils.collecting.mastodon_instances._post", bug)
    with Loopback(site) as server:
        words = ("--scrape", "mastodon-hashtag", f"chat@{server.url}", "--data_path", "raw.jsonl", "--retries", 0)
        code, written = call("preprocess", *words, "--scrape_only")
        assert code == {"accepted": 0, "refused": 1, "cut": 1, "bug": -1}[step], written
        assert site.requests[-1].headers["authorization"].endswith(TOKEN)


@pytest.mark.parametrize("port", ["open", "closed", "none"])
def test_scraping_through_a_proxy_with_a_password(port, call, monkeypatch):
    with Loopback(refusing(403, ECHO)) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        place = {"open": server.url.removeprefix("http://"), "closed": "127.0.0.1:9", "none": "/x"}[port]
        for name in PROXIES[:2]:
            monkeypatch.setenv(name, f"http://ana:{TOKEN}@{place}")
        words = ("--scrape", "telegram-channel", "news", "--data_path", "raw.jsonl", "--retries", 0)
        code, written = call("preprocess", *words, "--scrape_only")
        assert code == 1, written


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of huggingface_hub's calls of its HTTP client
@pytest.mark.parametrize("step", ["accepted", "refused", "no rights", "lost", "bug"])
def test_pushing(step, call, trained, monkeypatch):
    with HubServer(HubSite()) as server:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        if step in ("refused", "no rights"):
            status = {"refused": 401, "no rights": 403}[step]
            place = {"refused": CREATE, "no rights": COMMIT}[step]
            server.site.script(json_answer(json.loads(ECHO), status), on=place, forever=True)
        if step == "lost":
            monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://ana:{TOKEN}@127.0.0.1:9")
        if step == "bug":
            monkeypatch.setattr("huggingface_hub.HfApi.create_commit", bug)
        code, written = call("fine_tune", "--push_trained", "--model_path", trained / "c", "--hub_model_id", "ana/cat")
        assert code == {"accepted": 0}.get(step, 1), written
        if step == "accepted":
            files = server.site.models["ana/cat"].files
            assert len(files) > 5
            assert not any(CANARY.encode() in content for content in files.values())
