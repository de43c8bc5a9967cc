"""Pushing to a local Hub, in separate processes: what arrives there, and what happens if the Hub refuses."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from classifier_zoo import base_folder
from hub_site import BATCH, COMMIT, CREATE, PREUPLOAD, TOKEN, UPLOAD, HubServer, HubSite, Model
from loopback import Answer, json_answer
from running import assert_one_error, run_script
from small_classifiers import labeled_data, opinions
from small_models import MODEL_FILES, tiny_tokenizer

import fine_tune
from utils.errors import UserError
from utils.inference.classifier import classify_texts, open_classifier
from utils.models import checkpoint, saving
from utils.models.classifier_tokenizer import find_head, fold_temperature
from utils.models.model_card import model_card
from utils.processed import save_processed
from utils.publishing.hub import evaluation_of_model

ROOT = Path(fine_tune.__file__).parent
FAST = ["--precision", "fp32", "--device", "cpu", "--max_steps", "2"]
CAT = ["--hub_model_id", "ana/cat"]


@pytest.fixture(scope="module")
def trained(processed, tmp_path_factory) -> Path:
    """A folder with a model saved as a folder and as a file: models/mine and models/mine.pt."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("mine", "mine.pt"):
        words = ["--data", processed, *FAST, "--output_path", folder / "models" / name]
        assert run_script(fine_tune.main, *words) == 0
    mine = folder / "models/mine"
    run = json.loads((mine / "run.json").read_text("utf-8"))
    run["arguments"]["output_path"] = "models/mine"  # as if it was trained from here
    (mine / "run.json").write_text(json.dumps(run), "utf-8")
    (mine / "README.md").write_text(model_card(run), "utf-8")
    return folder


@pytest.fixture
def work(trained, tmp_path) -> Path:
    """A copy of `trained` to work in."""
    return shutil.copytree(trained, tmp_path / "work")


@pytest.fixture
def hub():
    with HubServer(HubSite()) as server:
        yield server


@pytest.fixture
def call(hub, work, tmp_path):
    """Run fine_tune.py in a process whose Hub is `hub`; return (exit code, stdout, stderr)."""

    def calling(*words, token=TOKEN, **environment):
        command = [sys.executable, str(ROOT / "fine_tune.py"), *map(str, words)]
        env = hub.client_environment(tmp_path / "home", token) | environment
        done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False)
        assert TOKEN not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    return calling


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def logits_of(model_path: Path) -> torch.Tensor:
    with torch.inference_mode():
        return checkpoint.load(str(model_path)).model(torch.arange(200)[None]).logits


def command_in(text: str) -> list[str]:
    """Return the command in a hint or a log line, without the interpreter and the script."""
    python, script, *words = shlex.split(text[text.index("python fine_tune.py") :].splitlines()[0])
    assert (python, script) == ("python", "fine_tune.py")
    return words


# ---- what arrives


def test_a_model_is_pushed_at_the_end_of_its_training(hub, call, work, processed, tmp_path):
    code, out, err = call("--data", processed, *FAST, "--output_path", "models/new", "--push_to_hub", *CAT)
    assert (code, out) == (0, f"models/new\n{hub.url}/ana/cat\n"), err
    assert "%|" not in err.partition("pushing models/new to ana/cat")[2]  # no bars but on a terminal
    assert not (work / "models/new.training").exists()
    local, there = contents(work / "models/new"), hub.site.models["ana/cat"]
    assert not there.private
    assert there.files.keys() == MODEL_FILES | {".gitattributes"}
    assert {name for name in local if there.files[name] != local[name]} == {"run.json", "README.md"}
    assert [change["model.safetensors"] for change in there.commits] == ["lfsFile"]
    assert not any(TOKEN.encode() in content for content in (*local.values(), *there.files.values()))
    assert not any(str(folder).encode() in content for content in there.files.values() for folder in (ROOT, tmp_path))

    env = hub.client_environment(tmp_path / "reader")
    download = "from huggingface_hub import snapshot_download; print(snapshot_download('ana/cat'))"
    done = subprocess.run([sys.executable, "-c", download], env=env, capture_output=True, text=True, check=True)
    copy = Path(done.stdout.strip())
    assert contents(copy) == there.files
    assert torch.equal(logits_of(copy), logits_of(work / "models/new"))

    [usage] = re.findall(r"```bash\npython (.+)\n```", there.files["README.md"].decode())
    assert "--model_path ana/cat " in usage
    done = subprocess.run([sys.executable, *shlex.split(usage)], cwd=ROOT, env=env, capture_output=True, check=False)
    assert done.returncode == 0 and done.stdout, done.stderr.decode()


def test_a_file_is_unpacked_and_its_evaluation_is_in_the_card(hub, call, work):
    hub.site.part_size = 100_000
    figure = {"value": 12.5, "low": 11.0, "high": 14.0}
    figures = {"perplexity": figure, "bits_per_byte": figure, "token_accuracy": figure, "texts": 7, "tokens": 99}
    copying = {"texts": 3, "exact_copies": 0.0, "copied_8": 0.0, "longest_copied_words": 2}
    evaluation = work / "models/mine.evaluation.json"
    evaluation.write_text(json.dumps({"tuned": figures, "copying": {"tuned": copying}}))
    code, out, err = call("--push_trained", "--model_path", "models/mine.pt", *CAT)
    assert (code, out) == (0, f"{hub.url}/ana/cat\n"), err
    assert len(hub.site.asked(UPLOAD + r"\w+/\d+$")) == 3
    there = hub.site.models["ana/cat"].files
    packed = torch.load(work / "models/mine.pt")["files"]
    assert there.keys() == MODEL_FILES | {".gitattributes"}
    assert all(there[name] == text.encode() for name, text in packed.items() if name not in ("run.json", "README.md"))
    card = there["README.md"].decode()
    assert "12.50 [11.00, 14.00]" in card
    assert "# cat\n" in card
    copy = work / "copy"
    copy.mkdir()
    for name, content in there.items():
        (copy / name).write_bytes(content)
    assert torch.equal(logits_of(copy), logits_of(work / "models/mine.pt"))
    assert {path.name for path in (work / "models").iterdir()} == {
        "mine",
        "mine.pt",
        "mine.training.svg",
        evaluation.name,
    }


@pytest.mark.parametrize("name", ["mine/evaluation.json", "mine.evaluation.json"])
def test_an_evaluation_of_an_earlier_file_is_not_that_of_its_successor(work, name):
    model, evaluation = work / "models" / f"mine{'' if '/' in name else '.pt'}", work / "models" / name
    assert evaluation_of_model(model) is None
    evaluation.write_text('{"rows": 3}')
    assert evaluation_of_model(model) == {"rows": 3}
    os.utime(evaluation, (0, 0))
    assert evaluation_of_model(model) == ({"rows": 3} if model.is_dir() else None)  # a folder is replaced whole
    evaluation.write_text("{")
    with pytest.raises(UserError, match=f"{name} cannot be read"):
        evaluation_of_model(model)


def test_only_the_model_is_published_and_no_folder_of_this_machine(hub, call, work):
    mine = work / "models/mine"
    run = json.loads((mine / "run.json").read_text("utf-8"))
    run["base_model"] = run["arguments"]["model"] = "/home/ana/bases/cat"
    run["arguments"] |= {"data_path": "clients/acme/tweets.pkl", "config": "/home/ana/my.yaml"}
    run["data"]["sources"][0]["path"] = r"C:\Users\ana\tweets.csv"
    (mine / "run.json").write_text(json.dumps(run), "utf-8")
    (mine / "README.md").write_text(f"{model_card(run)}\n    load(model_path='models/mine')\nThanks to Zoé.\n", "utf-8")
    for name in ("answers.jsonl", "evaluation.json", "search.csv", "notes.txt"):
        (mine / name).write_text("{}")
    before = contents(mine)
    assert call("--push_trained", "--model_path", mine, *CAT)[0] == 0
    assert contents(mine) == before
    there = hub.site.models["ana/cat"].files
    assert there.keys() == MODEL_FILES | {".gitattributes"}
    for name in ("run.json", "README.md"):
        text = there[name].decode()
        assert not [word for word in ("/home", "bases", "clients", "Users", "models/") if word in text]
        assert '"data_path": "tweets.pkl"' in text
        assert '"config": "my.yaml"' in text
    pushed = json.loads(there["run.json"])
    expected = json.loads(json.dumps(run))
    expected["base_model"] = expected["arguments"]["model"] = "cat"
    expected["arguments"] |= {"data_path": "tweets.pkl", "config": "my.yaml", "output_path": "mine"}
    expected["data"]["sources"][0]["path"] = "tweets.csv"
    assert pushed == expected
    assert there["README.md"].decode().endswith("load(model_path='ana/cat')\nThanks to Zoé.\n")
    assert "--model_path ana/cat --prompt" in there["README.md"].decode()


def test_a_base_model_of_the_hub_keeps_its_name(hub, call, work):
    path = work / "models/mine/run.json"
    run = json.loads(path.read_text("utf-8"))
    run["base_model"] = run["arguments"]["model"] = "openai-community/gpt2"
    path.write_text(json.dumps(run), "utf-8")
    assert call("--push_trained", "--model_path", "models/mine", *CAT)[0] == 0
    pushed = json.loads(hub.site.models["ana/cat"].files["run.json"])
    assert pushed["base_model"] == pushed["arguments"]["model"] == "openai-community/gpt2"


def test_a_second_push_replaces_the_first(hub, call, work):
    old = {"chat_template.jinja": b"{{ messages }}", "notes.txt": b"my own", "config.json": b"{}"}
    hub.site.models["ana/cat"] = Model(private=False, files=dict(old))
    for commits in (1, 1):  # what is there already is not pushed once more
        code, out, err = call("--push_trained", "--model_path", "models/mine", "--hub_model_id", "cat")
        assert (code, out) == (0, f"{hub.url}/ana/cat\n"), err
        there = hub.site.models["ana/cat"]
        assert there.files.keys() == MODEL_FILES | {"notes.txt"}
        assert there.files["config.json"] == (work / "models/mine/config.json").read_bytes()
        assert len(there.commits) == commits
    assert there.commits[0]["chat_template.jinja"] == "deletedFile"


def test_a_private_model(hub, call):
    words = ["--push_trained", "--model_path", "models/mine", *CAT, "--hub_private"]
    assert call(*words)[0] == 0
    assert hub.site.models["ana/cat"].private
    hub.site.models["ana/cat"] = Model(private=False)
    code, out, err = call(*words)
    assert (code, out) == (1, "")
    assert "private" in assert_one_error(err, "ana/cat already exists and is public, so nothing was pushed")
    assert hub.site.models["ana/cat"].commits == []


def test_a_folder_is_pushed_without_the_libraries_of_training(hub, work, tmp_path):
    program = (
        "import sys, fine_tune; code = fine_tune.main(sys.argv[1:])\n"
        "sys.exit(code or {'torch', 'transformers', 'pandas', 'datasets', 'numpy'} & sys.modules.keys() or 0)"
    )
    env = hub.client_environment(tmp_path / "home") | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, "--push_trained", "--model_path", "models/mine", *CAT]
    done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- classifiers, and what other tools say with them

OPINIONS = ["good thing", "x", "awful <|endoftext|> work, so bad", "great " * 40, "Déjà vu 😡", "poor"]
PIPELINE = """
import json, sys
from transformers import pipeline
classify = pipeline("text-classification", model="ana/cat", device="cpu", truncation=True)
texts = json.loads(sys.argv[1])
print(json.dumps([classify(texts, top_k=None, batch_size=size) for size in (1, 4)]))
"""


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    """A trained classifier with a template, a temperature and a threshold."""
    folder = tmp_path_factory.mktemp("classifier")
    rows = {"train": opinions(12), "validation": opinions(6, 12)}
    save_processed(folder / "reviews.pkl", labeled_data(rows, ["neg", "pos"], "Review: {prompt}\nSentiment:"))
    words = ["--data", folder / "reviews.pkl", *FAST, "--max_length", 64, "--output_path", folder / "mine"]
    assert run_script(fine_tune.main, *words) == 0
    assert json.loads((folder / "mine/run.json").read_text())["calibration"]["temperature"] != 1.0
    return folder / "mine"


def earlier_form(new: Path, old: Path, card: str | None = None) -> None:
    """Save a classifier as an earlier version did, which had template and temperature in run.json alone."""
    trained = checkpoint.load(str(new))
    run = {name: value for name, value in trained.run.items() if name != "self_contained"}
    fold_temperature(find_head(trained.model, trained.tokenizer), 1 / run["calibration"]["temperature"])
    trained.model.config.problem_type = None
    saving.save(
        old, checkpoint.Trained(trained.model, tiny_tokenizer(), run), "", model_card(run) if card is None else card
    )


def assert_a_plain_pipeline_agrees(hub, home: Path, model: Path) -> None:
    """Compare what a process that knows only transformers gets from the Hub with our probabilities of a model here."""
    ours = classify_texts(open_classifier(str(model)), OPINIONS)
    assert ours.truncated == 1
    command = [sys.executable, "-c", PIPELINE, json.dumps(OPINIONS)]
    done = subprocess.run(command, env=hub.client_environment(home), capture_output=True, text=True, check=True)
    for batches in json.loads(done.stdout):
        theirs = [[{each["label"]: each["score"] for each in row}[name] for name in ("neg", "pos")] for row in batches]
        assert theirs == [pytest.approx(row, abs=1e-5) for row in ours.probabilities.tolist()]


def test_a_classifier_that_is_pulled_again_gives_the_same_probabilities(hub, call, classifier, tmp_path):
    assert call("--push_trained", "--model_path", classifier, *CAT)[0] == 0
    assert_a_plain_pipeline_agrees(hub, tmp_path / "reader", classifier)


@pytest.mark.parametrize("name", ["old", "old.pt"])
def test_a_classifier_of_an_earlier_version_is_pushed_in_todays_form(hub, call, classifier, tmp_path, name):
    old = tmp_path / name
    earlier_form(classifier, old)
    before = contents(old) if old.is_dir() else old.read_bytes()
    assert call("--push_trained", "--model_path", old, *CAT)[0] == 0
    assert before == (contents(old) if old.is_dir() else old.read_bytes())
    assert_a_plain_pipeline_agrees(hub, tmp_path / "reader", old)
    there = hub.site.models["ana/cat"].files
    assert json.loads(there["run.json"])["self_contained"] is True
    assert there.keys() == MODEL_FILES - {"generation_config.json", "training.svg"} | {".gitattributes"}
    card = there["README.md"].decode()
    assert "Other tools need the template" not in card
    assert "pipeline(\"text-classification\", model='ana/cat', truncation=True)" in card


def test_an_earlier_card_keeps_its_owners_words(hub, call, classifier, tmp_path):
    """Here, the sentence about other tools is that of the first version."""
    run = {**json.loads((classifier / "run.json").read_text()), "self_contained": False}
    card = model_card(run)
    first, _, rest = card.partition("tokens. ")
    card = f"{first}tokens. The logits are divided by 1.25 (temperature), and `pos` is predicted."
    card += f"\n\nThanks to Zoé.\n\n## Results{rest.partition('## Results')[2]}"
    earlier_form(classifier, tmp_path / "old", card=card)
    assert call("--push_trained", "--model_path", tmp_path / "old", *CAT)[0] == 0
    pushed = hub.site.models["ana/cat"].files["README.md"].decode()
    assert "Any tool gives the same probabilities of a clean text" in pushed
    assert "The logits are divided by" not in pushed
    assert pushed.count("Thanks to Zoé.") == pushed.count("Labels: ") == pushed.count("## Results") == 1


def test_a_template_that_a_tokenizer_cannot_hold_is_pushed_as_it_was(hub, call, classifier, tmp_path):
    """AutoTokenizer opens Qwen2's with a normalizer of its own, whatever the folder says."""
    new, old = tmp_path / "new", tmp_path / "old"
    trained = checkpoint.load_base_classifier(base_folder(tmp_path / "base", "qwen2"), ["neg", "pos"], seed=1)
    run = json.loads((classifier / "run.json").read_text())
    del run["self_contained"]
    saving.save(old, checkpoint.Trained(trained.model, trained.tokenizer, run), "", "")
    code, _, err = call("--push_trained", "--model_path", old, *CAT)
    assert code == 0
    assert "warning" in err and "cannot hold its template" in err
    for name, content in hub.site.models["ana/cat"].files.items():
        new.mkdir(exist_ok=True)
        (new / name).write_bytes(content)
    found = [classify_texts(open_classifier(str(folder)), OPINIONS).probabilities for folder in (old, new)]
    assert (found[0] == found[1]).all()


# ---- if the Hub refuses or the connection is lost


def refusal(status: int, message: str) -> Answer:
    return json_answer({"error": message}, status)


PAGE = Answer(200, "<html>Please log in to this network</html>")
SOON = {"Retry-After": "0"}
REFUSALS = {
    "bad token": (CREATE, refusal(401, "Invalid username or password."), ["401 Unauthorized", "Invalid username"]),
    "read token": (CREATE, refusal(403, "You lack write access"), ["403 Forbidden: You lack write access"]),
    "no namespace": (CREATE, refusal(404, "Namespace not found"), ["404 Not Found: Namespace not found"]),
    "payment": (CREATE, refusal(402, "Storage limit reached"), ["402 Payment Required: Storage limit"]),
    "strange 409": (CREATE, refusal(409, "busy"), ["the response is not from a Hub (KeyError: 'url')"]),
    "a proxy": (CREATE, PAGE, ["the response is not from a Hub (JSONDecodeError"]),
    "files refused": (PREUPLOAD, refusal(403, "No"), ["403 Forbidden: No"]),
    "no batch": (BATCH, json_answer({"error": "overloaded"}, 503, SOON), ["503 Service Unavailable: overloaded"]),
    "no upload": (UPLOAD, Answer(403), ["403 Forbidden: no reason given"]),
    "conflict": (COMMIT, refusal(409, "A conflicting commit"), ["409 Conflict: A conflicting commit"]),
    "limit": (COMMIT, refusal(429, "Slow down"), ["429 Too Many Requests: Slow down"]),
    "broken": (
        COMMIT,
        refusal(500, f"Trouble with Bearer {TOKEN}"),
        ["500 Internal Server Error: Trouble with Bearer …"],
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_names_the_command_that_tries_again(hub, call, work, name):
    on, answer, expected = REFUSALS[name]
    hub.site.script(answer, on=on, forever=True)
    shutil.move(work / "models", work / "my models")
    before = contents(work / "my models/mine")
    code, out, err = call("--push_trained", "--model_path", "my models/mine", *CAT, "--hub_private")
    assert (code, out) == (1, "")
    hint = assert_one_error(err, "the Hub did not accept the model: ", *expected)
    assert "my models/mine is unchanged" in hint
    words = command_in(hint)
    assert words == ["--push_trained", "--model_path", "my models/mine", *CAT, "--hub_private"]
    assert contents(work / "my models/mine") == before


def test_the_command_that_tries_again_pushes(hub, call):
    hub.site.script(refusal(500, "No"), on=COMMIT)
    _, _, err = call("--push_trained", "--model_path", "models/mine", *CAT, "--hub_private")
    assert call(*command_in(assert_one_error(err, "500")))[:2] == (0, f"{hub.url}/ana/cat\n")
    assert hub.site.models["ana/cat"].private
    assert hub.site.models["ana/cat"].files.keys() >= MODEL_FILES
    assert len(hub.site.asked(UPLOAD + r"\w+$")) == 1  # what had arrived is not sent again


def test_somebody_elses_namespace(hub, call):
    code, out, err = call("--push_trained", "--model_path", "models/mine", "--hub_model_id", "zoe/cat")
    assert (code, out) == (1, "")
    assert "use a token with write access there" in assert_one_error(err, "403 Forbidden", 'under the namespace "zoe"')


def test_an_upload_that_is_cut_off_once_continues(hub, call, work):
    hub.site.cut_uploads = 1
    assert call("--push_trained", "--model_path", "models/mine", *CAT)[0] == 0
    weights = (work / "models/mine/model.safetensors").read_bytes()
    assert hub.site.models["ana/cat"].files["model.safetensors"] == weights


def test_a_connection_that_is_cut(hub, call, work):
    hub.site.script(hub.site.cut, on=COMMIT)
    before = contents(work / "models/mine")
    code, out, err = call("--push_trained", "--model_path", "models/mine", *CAT)
    assert (code, out) == (1, "")
    hint = assert_one_error(err, "the connection was lost")
    assert command_in(hint) == ["--push_trained", "--model_path", "models/mine", *CAT]
    assert contents(work / "models/mine") == before


@pytest.mark.parametrize("on", [CREATE, COMMIT])
def test_a_network_that_is_lost(hub, call, work, on):
    hub.site.script(lambda request: hub.lose_network(), on=on)
    before = contents(work / "models/mine")
    for _ in range(2):  # in the middle, and from the beginning
        code, out, err = call("--push_trained", "--model_path", "models/mine", *CAT)
        assert (code, out) == (1, "")
        assert command_in(assert_one_error(err, "the connection was lost"))
    assert contents(work / "models/mine") == before


def test_a_hub_that_never_answers(hub, work, tmp_path):
    over = threading.Event()

    def wait(request):
        over.wait(60)

    hub.site.script(wait, on=CREATE)
    program = (
        "import sys, fine_tune; from utils.process import run; from utils.publishing import hub\n"
        "hub.TIMEOUT_SECONDS = 0.3\n"
        "sys.exit(run(fine_tune.main))"
    )
    env = hub.client_environment(tmp_path / "home") | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, "--push_trained", "--model_path", "models/mine", *CAT]
    done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, timeout=60, check=False)
    over.set()
    assert (done.returncode, done.stdout) == (1, "")
    assert_one_error(done.stderr, "the connection was lost (ReadTimeout")


@pytest.mark.parametrize("on", [CREATE, UPLOAD, COMMIT])
def test_ctrl_c_names_the_command_too(hub, work, tmp_path, on):
    over = threading.Event()
    processes = []

    def interrupt(request):
        processes[0].send_signal(signal.SIGINT)
        over.wait(60)

    hub.site.script(interrupt, on=on)
    before = contents(work / "models/mine")
    command = [sys.executable, str(ROOT / "fine_tune.py"), "--push_trained", "--model_path", "models/mine", *CAT]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes.append(subprocess.Popen(command, cwd=work, env=hub.client_environment(tmp_path / "home"), **pipes))
    out, err = processes[0].communicate(timeout=60)
    over.set()
    assert (processes[0].returncode, out) == (130, ""), err
    assert err.endswith("interrupted\n")
    assert "Traceback" not in err
    assert command_in(err) == ["--push_trained", "--model_path", "models/mine", *CAT]
    assert contents(work / "models/mine") == before


def test_a_training_whose_push_is_refused_keeps_its_model(hub, call, work, processed):
    hub.site.script(refusal(403, "No"), on=CREATE, forever=True)
    words = ["--data", processed, *FAST, "--output_path", "models/it's new.pt", "--push_to_hub", *CAT]
    code, out, err = call(*words)
    assert (code, out) == (1, "models/it's new.pt\n")
    words = command_in(assert_one_error(err, "403 Forbidden: No"))
    assert words == ["--push_trained", "--model_path", "models/it's new.pt", *CAT]
    assert not (work / "models/it's new.pt.training").exists()
    trained = checkpoint.load(str(work / "models/it's new.pt"))
    assert trained.run["results"]["steps"] == 2
    assert not {"push_to_hub", "hub_model_id", "push_trained"} & trained.run["arguments"].keys()


# ---- before any work


def nothing_done(result, hub, work, code, *words) -> str:
    """Assert that no server was contacted and nothing was written; return the hint."""
    assert result[:2] == (code, "")
    assert hub.site.requests == []
    assert {path.name for path in work.iterdir()} == {"models"}
    assert {path.name for path in (work / "models").iterdir()} == {"mine", "mine.pt", "mine.training.svg"}
    return assert_one_error(result[2], *words)


@pytest.mark.parametrize(
    ("token", "environment", "problem"),
    [
        (None, {}, "there is no token for the Hub"),
        (f"{TOKEN} x", {}, "spaces or non-ASCII characters"),
        (f"{TOKEN}é", {}, "spaces or non-ASCII characters"),
        (TOKEN, {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
    ],
)
def test_a_push_that_cannot_work_is_refused_before_the_training(
    hub, call, work, processed, token, environment, problem
):
    words = ["--data", processed, *FAST, "--output_path", "models/new", "--push_to_hub", *CAT]
    hint = nothing_done(call(*words, token=token, **environment), hub, work, 1, problem)
    assert "push later with --push_trained" in hint
    assert "HF_TOKEN" in hint or environment


def test_the_token_that_hf_auth_login_stores(hub, call, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/token").write_text(TOKEN + "\n")
    assert call("--push_trained", "--model_path", "models/mine", *CAT, token=None)[0] == 0
    (tmp_path / "home/token").write_bytes(b"\xff\xfe")
    code, _, err = call("--push_trained", "--model_path", "models/mine", *CAT, token=None)
    assert code == 1
    assert "HF_TOKEN" in assert_one_error(err, "the token for the Hub cannot be read")


@pytest.mark.parametrize(
    "name", ["a/b/c", "ana/my cat", "ana/cat.git", "-cat", "https://huggingface.co/ana/cat", "x" * 97]
)
@pytest.mark.parametrize("how", [["--push_trained"], ["--push_to_hub", "--data", "none.pkl"]])
def test_an_invalid_name_on_the_hub(name, how, capsys):
    assert run_script(fine_tune.main, *how, f"--hub_model_id={name}") == 2
    assert "USER/NAME" in assert_one_error(capsys.readouterr().err, "--hub_model_id is not a valid model name")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "the following arguments are required: --data_path/--data"),
        (["--push_trained"], "there is no name for the model on the Hub"),
        (["--data", "x.pkl", "--push_to_hub"], "there is no name for the model on the Hub"),
        (["--data", "x.pkl", *CAT], "are for a model that is pushed"),
        (["--data", "x.pkl", "--hub_private"], "are for a model that is pushed"),
        (["--data", "x.pkl", "--model_path", "m"], "--model_path is for --push_trained"),
        (["--push_trained", *CAT, "--epochs", "2"], "--push_trained does not train, and takes no --epochs"),
        (["--push_trained", *CAT, "--seed", "42"], "--push_trained does not train, and takes no --seed"),
        (["--push_trained", *CAT, "--push_to_hub"], "and takes no --push_to_hub"),
        (["--push_trained", *CAT, "--data", "x", "--lr", "1"], "and takes no --data_path, --learning_rate"),
    ],
)
def test_flags_that_make_no_sense_together(words, expected, capsys):
    assert run_script(fine_tune.main, *words) == 2
    assert_one_error(capsys.readouterr().err, expected)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("models/none", "there is no model at models/none"),
        ("models/none.pt", "there is no model at models/none.pt"),
        ("ana/cat", "there is no model at ana/cat"),
        ("empty", "is not a complete model: config.json, model.safetensors, tokenizer.json missing"),
        ("strange", "strange was not written by fine_tune.py: it has no run.json"),
        ("text.pt", "text.pt was not written by fine_tune.py"),
    ],
)
def test_a_model_that_fine_tune_did_not_write(hub, call, work, path, problem):
    (work / "empty").mkdir()
    shutil.copytree(work / "models/mine", work / "strange")
    (work / "strange/run.json").unlink()
    (work / "text.pt").write_text("no model")
    code, out, err = call("--push_trained", "--model_path", path, *CAT)
    assert (code, out) == (1, "")
    assert_one_error(err, problem)
    assert hub.site.requests == []
