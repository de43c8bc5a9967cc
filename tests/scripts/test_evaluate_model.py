"""evaluate_model.py: its figures against a plain loop, and what it writes, prints and refuses."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from running import assert_one_error, run_script
from small_models import processed_data, random_model, tiny_tokenizer

import evaluate_model
import fine_tune
from utils.files import sha256_of
from utils.inference.generation import generate_texts
from utils.inference.sampling import Sampling
from utils.models import checkpoint
from utils.processed import load_processed, save_processed

FAST = ["--num_samples", 3, "--max_new_tokens", 12]


@pytest.fixture(scope="module")
def trained(processed, tmp_path_factory) -> Path:
    """A folder in which `mine` and `mine.pt` are the same model, trained for some steps on the sample tweets."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["--precision", "fp32", "--max_steps", 10, "--lr", 0.005, "--unfreeze_last", "all"]
    assert run_script(fine_tune.main, "--data", processed, *words, "--output_path", folder / "mine") == 0
    checkpoint.save(folder / "mine.pt", checkpoint.load(str(folder / "mine")), "", "")
    return folder


@pytest.fixture
def call(trained, processed, tmp_path, capsys, monkeypatch):
    """Run evaluate_model.py in a folder of its own that holds the models: (exit code, stdout, stderr)."""
    shutil.copytree(trained, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    capsys.readouterr()

    def calling(*words, data=processed):
        code = run_script(evaluate_model.main, "--data", data, *words)
        return code, *capsys.readouterr()

    return calling


def refused(result, code: int, *words: str) -> str:
    """Assert that no figures were written; return the hint."""
    assert result[:2] == (code, "")
    assert list(Path().rglob("*evaluation*")) == []
    return assert_one_error(result[2], *words)


def plain_totals(name: str, texts: list[str]) -> tuple[float, int, int]:
    """(nats, tokens, right) of the texts, one at a time, in float64."""
    found = checkpoint.load(name)
    model = found.model.double()
    nats, tokens, right = 0.0, 0, 0
    for text in texts:
        ids = torch.tensor([256, *found.tokenizer(text).input_ids, 256])
        with torch.inference_mode():
            log_probabilities = model(ids[None]).logits[0, :-1].log_softmax(-1)
        nats -= log_probabilities.gather(1, ids[1:, None]).sum().item()
        tokens += len(ids) - 1
        right += (log_probabilities.argmax(-1) == ids[1:]).sum().item()
    return nats, tokens, right


@pytest.mark.parametrize(
    ("model", "path"),
    [("mine", "mine/evaluation.json"), ("mine.pt", "mine.evaluation.json"), ("tiny", "evaluation.json")],
)
def test_figures_are_those_of_a_plain_loop(call, processed, model, path):
    code, out, err = call("--model_path", model, *FAST)
    assert code == 0, err
    assert out.endswith(f"\nwritten: {path}\n")
    evaluation = json.loads(Path(path).read_text("utf-8"))

    texts = load_processed(processed).splits["test"].completion
    nats, tokens, right = plain_totals(model, texts)
    expected = {
        "perplexity": math.exp(nats / tokens),
        "bits_per_byte": nats / math.log(2) / sum(len(text.encode()) for text in texts),
        "token_accuracy": right / tokens,
    }
    found = evaluation["tuned"]
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert all(found[name]["low"] < found[name]["value"] < found[name]["high"] for name in expected)
    assert (found["texts"], found["tokens"]) == (len(texts), tokens)
    assert (
        evaluation.items()
        >= {
            "model_path": model,
            "base_model": None if model == "tiny" else "tiny",
            "data_path": str(processed),
            "data_sha256": sha256_of(processed),
            "split": "test",
            "precision": "fp32",
            "seed": 42,
        }.items()
    )
    assert "base" not in evaluation

    judged = checkpoint.load(model)
    sampling = Sampling(num_return_sequences=3, max_new_tokens=12, seed=42)
    [written] = generate_texts(judged.model, judged.tokenizer, [""], sampling)
    assert evaluation["written"] == {"tuned": [text.text.strip() for text in written]}
    assert [evaluation["copying"][side]["texts"] for side in ("tuned", "test texts")] == [3, 3]

    # The table holds the same figures, rounded.
    table = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert f" {expected['perplexity']:.1f} [" in table["perplexity"]
    assert f" {expected['bits_per_byte']:.3f} [" in table["bits"]
    assert f" {expected['token_accuracy']:.3f} [" in table["token"]
    assert f"{len(texts)} texts, {tokens:,} tokens" in out


def test_the_base_model_is_judged_on_the_same_texts(call, processed):
    code, out, _ = call("--model_path", "mine", "--compare_base", *FAST)
    assert code == 0
    evaluation = json.loads(Path("mine/evaluation.json").read_text("utf-8"))
    texts = load_processed(processed).splits["test"].completion
    size = sum(len(text.encode()) for text in texts)
    tuned, base = (plain_totals(name, texts)[0] / math.log(2) / size for name in ("mine", "tiny"))
    assert tuned < base
    assert evaluation["tuned"]["bits_per_byte"]["value"] == pytest.approx(tuned, rel=1e-5)
    assert evaluation["base"]["bits_per_byte"]["value"] == pytest.approx(base, rel=1e-5)
    difference = evaluation["bits_per_byte_difference"]
    assert difference["value"] == pytest.approx(tuned - base, rel=1e-5)
    assert difference["low"] <= difference["value"] <= difference["high"] < 0
    assert f"tuned less base on the same texts: {tuned - base:+.3f} [" in out
    assert evaluation["written"].keys() == {"base", "tuned"}


def test_the_difference_counts_the_bytes_that_were_scored(call, tmp_path):
    """A text longer than the context is cut, for both models and in every figure."""
    random_model("gpt2").save_pretrained("base")
    tiny_tokenizer().save_pretrained("base")
    data = processed_data(train=["a"], validation=["b"], test=["long " * 60, "short"])
    save_processed(Path("texts.pkl"), data)
    run = {**checkpoint.load("mine").run, "base_model": "base"}
    tuned = checkpoint.Trained(random_model("gpt2", seed=1), tiny_tokenizer(), run)
    checkpoint.save(Path("tuned"), tuned, "", "")
    code, out, _ = call("--model_path", "tuned", "--compare_base", "--json", *FAST, data="texts.pkl")
    assert code == 0
    found = json.loads(out)
    assert found["tuned"]["tokens"] == 127 + 6
    apart = found["tuned"]["bits_per_byte"]["value"] - found["base"]["bits_per_byte"]["value"]
    assert found["bits_per_byte_difference"]["value"] == pytest.approx(apart)


def test_a_model_that_copies_is_found_out(call):
    text = "one two three four five six seven eight nine"
    save_processed(
        Path("texts.pkl"), processed_data(train=[text] * 16, validation=[text], test=[text, "something else"])
    )
    words = ["--precision", "fp32", "--max_steps", 80, "--save_steps", 80, "--lr", 0.01, "--unfreeze_last", "all"]
    assert run_script(fine_tune.main, "--data", "texts.pkl", *words, "--output_path", "parrot.pt") == 0
    code, out, _ = call("--model_path", "parrot.pt", "--num_samples", 8, data="texts.pkl")
    assert code == 0
    evaluation = json.loads(Path("parrot.evaluation.json").read_text("utf-8"))
    share = evaluation["written"]["tuned"].count(text) / 8
    assert share >= 0.5
    assert evaluation["copying"]["tuned"]["exact_copies"] == share
    assert evaluation["copying"]["tuned"]["longest_copied_words"] == 9
    assert evaluation["copying"]["test texts"]["exact_copies"] == 0.5
    [line] = [line for line in out.splitlines() if line.startswith("exact copies of a training text")]
    assert line.split()[-2:] == [f"{share:.3f}", "0.500"]


def test_json_is_the_file_and_nothing_else(call):
    code, out, err = call("--model_path", "mine", "--json", *FAST)
    assert code == 0
    assert out == Path("mine/evaluation.json").read_text("utf-8")
    assert json.loads(out)["model_path"] == "mine"
    assert "error" not in err


def test_the_output_goes_where_it_is_told(call):
    assert call("--model_path", "mine.pt", "--output_path", "figures/mine.json", *FAST)[0] == 0
    assert json.loads(Path("figures/mine.json").read_text("utf-8"))["model_path"] == "mine.pt"
    assert list(Path().glob("*.evaluation.json")) == []


def test_the_card_of_a_model_tells_the_figures(call):
    before = Path("mine/README.md").read_text("utf-8")
    assert "has not been measured" in before
    assert call("--model_path", "mine", *FAST)[0] == 0
    card = Path("mine/README.md").read_text("utf-8")
    perplexity = json.loads(Path("mine/evaluation.json").read_text("utf-8"))["tuned"]["perplexity"]["value"]
    assert "has not been measured" not in card
    assert f"{perplexity:,.2f} [" in card
    assert checkpoint.load("mine").run["base_model"] == "tiny"  # the model is the same as before


def test_the_card_of_somebody_elses_model_is_left_alone(call):
    shutil.copytree("mine", "theirs")
    Path("theirs/run.json").unlink()
    Path("theirs/README.md").write_text("Ada's model")
    assert call("--model_path", "theirs", *FAST)[0] == 0
    assert Path("theirs/README.md").read_text() == "Ada's model"


def test_the_same_command_gives_the_same_figures(call):
    first = call("--model_path", "mine", "--json", *FAST)[1]
    assert call("--model_path", "mine", "--json", *FAST)[1] == first
    other = json.loads(call("--model_path", "mine", "--json", "--seed", 7, *FAST)[1])
    assert other["written"] != json.loads(first)["written"]
    assert other["tuned"]["perplexity"]["value"] == json.loads(first)["tuned"]["perplexity"]["value"]


def test_data_that_the_model_was_not_trained_on(call):
    save_processed(
        Path("other.pkl"), processed_data(train=["a b c"], validation=["d"], test=["Tea first", "two words"])
    )
    code, _, err = call("--model_path", "mine", *FAST, data="other.pkl")
    assert code == 0
    assert "warning: mine was trained on another processed pickle than other.pkl" in err
    assert "warning" not in call("--model_path", "mine", *FAST)[2]
    assert "warning" not in call("--model_path", "tiny", *FAST, data="other.pkl")[2]


# ---- bad input


def test_a_model_that_is_not_there(call):
    hint = refused(call("--model_path", "none.pt"), 1, "there is no model at none.pt")
    assert "fine_tune.py" in hint


def test_a_model_with_a_file_missing(call):
    Path("mine/tokenizer.json").unlink()
    refused(call("--model_path", "mine"), 1, "tokenizer.json missing")


def test_a_model_that_is_cut_short(call):
    Path("mine.pt").write_bytes(Path("mine.pt").read_bytes()[:1000])
    refused(call("--model_path", "mine.pt"), 1, "mine.pt", "truncated")


def test_data_that_is_not_there(call):
    hint = refused(call("--model_path", "mine", data="none.pkl"), 3, "none.pkl does not exist")
    assert "preprocess.py" in hint


def test_data_without_test_texts(call):
    save_processed(Path("few.pkl"), processed_data(train=["a"], validation=["b"]))
    refused(call("--model_path", "mine", data="few.pkl"), 3, "few.pkl has no test texts")


def test_data_for_another_kind_of_model(call):
    data = processed_data(train=["a"], validation=["b"], test=["c"])
    save_processed(Path("reviews.pkl"), replace(data, recipe={**data.recipe, "task": "reviews", "kind": "classify"}))
    refused(call("--model_path", "mine", data="reviews.pkl"), 3, "reviews.pkl", "reviews")


def test_a_model_of_another_kind(call):
    run = json.loads(Path("mine/run.json").read_text("utf-8"))
    Path("mine/run.json").write_text(json.dumps({**run, "kind": "classify"}))
    refused(call("--model_path", "mine"), 1, "mine is no model that writes texts")


def test_a_model_without_a_base(call):
    hint = refused(call("--model_path", "tiny", "--compare_base"), 1, "tiny does not say what it was fine-tuned from")
    assert "--compare_base" in hint


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--num_samples", "0"], 2, "--num_samples"),
        (["--precision", "fp16"], 2, "--precision"),
        (["--compare_to", "x"], 2, "unknown flag --compare_to"),
        (["--output_path", "mine"], 1, "mine is a folder"),
        (["--output_path", "mine.pt/figures.json"], 1, "cannot write mine.pt/figures.json"),
    ],
)
def test_flags_that_make_no_sense(call, words, code, expected):
    refused(call("--model_path", "mine.pt", *words), code, expected)
