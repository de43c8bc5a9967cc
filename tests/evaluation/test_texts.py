"""Models that write texts: figures against a plain loop, the base model beside them, and copies that are found."""

import json
import math
from pathlib import Path

import pytest
import torch
from evaluation_runs import evaluation_caller, train_writer
from running import run_script
from small_models import processed_data, random_model, tiny_tokenizer

import fine_tune
from utils.files import sha256_of
from utils.inference.generation import generate_texts
from utils.inference.sampling import Sampling
from utils.models import checkpoint, saving
from utils.processed import load_processed, save_processed

FAST = ["--num_samples", 3, "--max_new_tokens", 12]


@pytest.fixture(scope="module")
def trained(processed, tmp_path_factory) -> Path:
    return train_writer(tmp_path_factory.mktemp("trained"), processed)


@pytest.fixture
def call(trained, processed, tmp_path, capsys, monkeypatch):
    return evaluation_caller(trained, tmp_path, capsys, monkeypatch, model="mine", data=processed)


def plain_totals(name: str, texts: list[str]) -> tuple[float, int, int]:
    """(nll in nats, tokens, correct tokens) of the texts, one at a time, in float64."""
    scores = [token for text in plain_scores(name, texts) for token in text]
    return sum(nll for nll, _ in scores), len(scores), sum(correct for _, correct in scores)


def plain_scores(name: str, texts: list[str]) -> list[list[tuple[float, bool]]]:
    """(nll, whether it was the first choice) of each token of each text."""
    found = checkpoint.load(name)
    model = found.model.double()
    scores = []
    for text in texts:
        ids = torch.tensor([256, *found.tokenizer(text, add_special_tokens=False).input_ids, 256])
        with torch.inference_mode():
            log_probabilities = model(ids[None]).logits[0, :-1].log_softmax(-1)
        nll = -log_probabilities.gather(1, ids[1:, None])[:, 0]
        scores.append(list(zip(nll.tolist(), (log_probabilities.argmax(-1) == ids[1:]).tolist(), strict=True)))
    return scores


@pytest.mark.parametrize(
    ("model", "path"),
    [("mine", "mine/evaluation.json"), ("mine.pt", "mine.evaluation.json"), ("tiny", "evaluation.json")],
)
def test_figures_are_those_of_a_plain_loop(call, processed, model, path):
    code, out, err = call(*FAST, model=model)
    assert code == 0, err
    assert out.endswith(f"\nwritten: {path}\n")
    evaluation = json.loads(Path(path).read_text("utf-8"))

    texts = load_processed(processed).splits["test"].completion
    nll, tokens, correct = plain_totals(model, texts)
    expected = {
        "perplexity": math.exp(nll / tokens),
        "bits_per_byte": nll / math.log(2) / sum(len(text.encode()) for text in texts),
        "token_accuracy": correct / tokens,
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

    loaded = checkpoint.load(model)
    sampling = Sampling(num_return_sequences=3, max_new_tokens=12, seed=42)
    [written] = generate_texts(loaded.model, loaded.tokenizer, [""], sampling)
    assert evaluation["written"] == {"tuned": [text.text.strip() for text in written]}
    assert [evaluation["copying"][side]["texts"] for side in ("tuned", "test texts")] == [3, 3]

    # The points of the report: every one, and every text in the order of the test split.
    per_text = evaluation["per_text"]
    assert sum(per_text["nll"]) == pytest.approx(nll, rel=1e-5)
    assert per_text["bytes"] == [len(text.encode()) for text in texts]
    assert [sample["tuned"]["text"] for sample in evaluation["samples"]] == evaluation["written"]["tuned"]
    assert evaluation["novelty"].keys() == {"tuned", "test texts"}
    assert evaluation["single_texts"]["train"]["texts"] <= len(texts)

    # The table holds the same figures, rounded.
    table = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert f" {expected['perplexity']:,.2f} [" in table["perplexity"]
    assert f" {expected['bits_per_byte']:.4f} [" in table["bits"]
    assert f" {expected['token_accuracy']:.3f} [" in table["token"]
    assert f"{len(texts)} texts, {tokens:,} tokens" in out


def test_the_base_model_is_evaluated_on_the_same_texts(call, processed):
    code, out, _ = call("--compare_base", *FAST)
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
    assert f"tuned minus base on the same texts: {tuned - base:+.4f} [" in out

    by_part = {}
    for sign, name in ((1, "mine"), (-1, "tiny")):
        for (first, _), *between, (end, _) in plain_scores(name, texts):
            middle = sum(nll for nll, _ in between)
            for part, nll in (("end_token", end), ("first_token", first), ("between", middle)):
                by_part[part] = by_part.get(part, 0.0) + sign * nll / math.log(2) / size
    found = evaluation["bits_per_byte_difference_by_part"]
    assert {part: figure["value"] for part, figure in found.items()} == pytest.approx(by_part, rel=1e-4)
    assert sum(figure["value"] for figure in found.values()) == pytest.approx(difference["value"])
    assert f"\nof which the end token: {by_part['end_token']:+.4f}, the first token: " in out
    assert evaluation["written"].keys() == {"base", "tuned"}


def test_the_difference_counts_the_bytes_that_were_scored(call, tmp_path):
    """A text longer than the context is cut, for both models and in every figure."""
    random_model("gpt2").save_pretrained("base")
    tiny_tokenizer().save_pretrained("base")
    data = processed_data(train=["a"], validation=["b"], test=["long " * 60, "short"])
    save_processed(Path("texts.pkl"), data)
    run = {**checkpoint.load("mine").run, "base_model": "base"}
    tuned = checkpoint.Trained(random_model("gpt2", seed=1), tiny_tokenizer(), run)
    saving.save(Path("tuned"), tuned, "", "")
    code, out, _ = call("--compare_base", "--json", *FAST, data="texts.pkl", model="tuned")
    assert code == 0
    found = json.loads(out)
    assert found["tuned"]["tokens"] == 127 + 6
    apart = found["tuned"]["bits_per_byte"]["value"] - found["base"]["bits_per_byte"]["value"]
    assert found["bits_per_byte_difference"]["value"] == pytest.approx(apart)


def test_a_model_that_copies_is_detected(call):
    text = "one two three four five six seven eight nine"
    save_processed(
        Path("texts.pkl"), processed_data(train=[text] * 16, validation=[text], test=[text, "something else"])
    )
    words = ["--precision", "fp32", "--max_steps", 80, "--save_steps", 80, "--lr", 0.01, "--unfreeze_last", "all"]
    assert run_script(fine_tune.main, "--data", "texts.pkl", *words, "--output_path", "parrot.pt") == 0
    code, out, _ = call("--num_samples", 8, data="texts.pkl", model="parrot.pt")
    assert code == 0
    evaluation = json.loads(Path("parrot.evaluation.json").read_text("utf-8"))
    share = evaluation["written"]["tuned"].count(text) / 8
    assert share >= 0.5
    assert evaluation["copying"]["tuned"]["exact_copies"] == share
    assert evaluation["copying"]["tuned"]["longest_copied_words"] == 9
    assert evaluation["copying"]["test texts"]["exact_copies"] == 0.5
    [line] = [line for line in out.splitlines() if line.startswith("exact copies of a training text")]
    assert line.split()[-2:] == [f"{share:.3f}", "0.500"]


def test_the_same_command_gives_the_same_figures(call):
    first = call("--json", *FAST)[1]
    assert call("--json", *FAST)[1] == first
    other = json.loads(call("--json", "--seed", 7, *FAST)[1])
    assert other["written"] != json.loads(first)["written"]
    assert other["tuned"]["perplexity"]["value"] == json.loads(first)["tuned"]["perplexity"]["value"]
