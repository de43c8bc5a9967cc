"""A classifier's folder: any tool of Hugging Face's gives the probabilities of classify.py, for every architecture."""

import json
from dataclasses import asdict

import numpy
import pytest
import torch
from architectures import CLASSIFIERS, POSITIONS, architecture_folder
from classifier_zoo import ZOO, base_folder
from small_models import tiny_tokenizer
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from utils.inference.classifier import classify_texts, open_classifier
from utils.models import checkpoint, saving
from utils.models.classifier_tokenizer import (
    encode_for_classification,
    find_head,
    fold_temperature,
    surroundings,
    with_template,
)
from utils.models.tokenization import context_length
from utils.text.cleaning import Cleaning

TEMPLATE = "Review: {prompt}\nSentiment:"
LABELS = ["1", "2", "3"]
TEXTS = [
    "good",
    "x",
    "a much longer text than the others, so that these are padded: really great work!",
    "so bad [SEP] </s> <|endoftext|> [PAD] <unk>",  # names of special tokens are text
    "a good thing is a good thing",  # an added token of some tokenizers
    "Déjà vu 😡 三",
    "word " * 199 + "word",
]
TEMPERATURE = 0.3
REFUSED = {"bart", "convbert", "fnet"}  # before they train: tests/training/test_architectures.py
TRAINED = [*(name for name in ZOO if name not in REFUSED), *(name for name in CLASSIFIERS if name not in ZOO)]


def saved(folder, base, *, max_length=100, temperature=TEMPERATURE):
    """Save a base model with a random head as fine_tune.py does; return the folder and the unscaled model."""
    trained = checkpoint.load_base_classifier(base, LABELS, seed=1)
    length = min(max_length, context_length(trained.model))
    tokenizer = with_template(trained.tokenizer, TEMPLATE, length)
    head = find_head(trained.model, tokenizer)
    ids = torch.tensor(encode_for_classification(tokenizer, TEXTS[:1])[0])
    with torch.inference_mode():
        fold_temperature(head, trained.model(ids).logits.abs().max().item())  # so that no probability is 0 or 1
    fold_temperature(head, temperature)
    run = {
        "kind": "classify",
        "labels": LABELS,
        "template": TEMPLATE,
        "cleaning": asdict(Cleaning(**{"emoji": "keep"})),
        "max_length": length,
        "calibration": {"temperature": temperature, "threshold": None},
        "self_contained": True,
    }
    saving.save(folder, checkpoint.Trained(trained.model, tokenizer, run), "", "")
    return folder


def scores_of(rows) -> numpy.ndarray:
    """The probabilities that a pipeline with top_k=None gave, in the order of the labels."""
    return numpy.array([[{each["label"]: each["score"] for each in row}[label] for label in LABELS] for row in rows])


@pytest.mark.parametrize("name", TRAINED)
def test_a_plain_pipeline_gives_our_probabilities(tmp_path, name):
    make, longest = (base_folder, 100) if name in ZOO else (architecture_folder, POSITIONS)
    folder = saved(tmp_path / "model", make(tmp_path / "base", name), max_length=longest)
    ours = classify_texts(open_classifier(str(folder)), TEXTS)
    assert numpy.ptp(ours.probabilities, axis=0).max() > 1e-3  # they differ from text to text
    assert ours.truncated > 0

    plain = pipeline("text-classification", model=str(folder), device="cpu")
    for batch_size in (1, 4):
        theirs = scores_of(plain(TEXTS, top_k=None, truncation=True, batch_size=batch_size))
        numpy.testing.assert_allclose(theirs, ours.probabilities, atol=1e-5)
    numpy.testing.assert_allclose(scores_of(plain(TEXTS[:2], top_k=None)), ours.probabilities[:2], atol=1e-5)
    assert [each["label"] for each in plain(TEXTS, truncation=True)] == ours.labels

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.inference_mode():
        logits = model(**tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")).logits
    numpy.testing.assert_allclose(logits.softmax(-1).numpy(), ours.probabilities, atol=1e-5)
    assert model.config.problem_type == "single_label_classification"
    assert model.config.id2label == dict(enumerate(LABELS))


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "bert", "roberta"])
def test_a_folder_of_an_earlier_version_keeps_its_answers(tmp_path, name):
    """There, the template and the temperature were in run.json alone."""
    trained = checkpoint.load_base_classifier(base_folder(tmp_path / "base", name), LABELS, seed=1)
    for parameter in set(trained.model.parameters()) - set(trained.model.base_model.parameters()):
        parameter.data *= 5
    run = {"kind": "classify", "labels": LABELS, "template": TEMPLATE, "cleaning": asdict(Cleaning(emoji="keep"))}
    run |= {"max_length": 100, "calibration": {"temperature": TEMPERATURE, "threshold": None}}
    saving.save(tmp_path / "model", checkpoint.Trained(trained.model, trained.tokenizer, run), "", "")
    saving.save(tmp_path / "model.pt", checkpoint.Trained(trained.model, trained.tokenizer, run), "", "")
    tokenizer, expected = trained.tokenizer, []
    head, tail = tokenizer("Review:", add_special_tokens=False)["input_ids"], ["\nSentiment:"]
    tail = tokenizer(tail, add_special_tokens=False)["input_ids"][0]
    if tokenizer.cls_token_id is not None:
        head, tail = [tokenizer.cls_token_id, *head], [*tail, tokenizer.sep_token_id]
    for text in TEXTS:
        ids = tokenizer(f" {text}", add_special_tokens=False, split_special_tokens=True)["input_ids"]
        ids = [*head, *ids[: 100 - len(head) - len(tail)], *tail]
        with torch.inference_mode():
            logits = trained.model(torch.tensor([ids])).logits[0] / TEMPERATURE
        expected.append(logits.softmax(-1).tolist())
    for model in ("model", "model.pt"):
        found = classify_texts(open_classifier(str(tmp_path / model)), TEXTS)
        numpy.testing.assert_allclose(found.probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("pad_id", [1, 3, 7], ids=["unknown", "end", "letter"])
@pytest.mark.parametrize("name", ["roberta", "xlm-roberta", "camembert"])
def test_positions_stay_where_the_base_model_learned_them(tmp_path, name, pad_id):
    """They are counted from the padding index in config.json, which is not the tokenizer's padding token here."""
    base = base_folder(tmp_path / "base", name)
    set_in(tmp_path / "base/config.json", pad_token_id=pad_id)
    ids = torch.tensor([[2, 9, 10, 11, 12, 3]])
    with torch.inference_mode():
        expected = AutoModel.from_pretrained(base).eval()(ids).last_hidden_state
        trained = checkpoint.load_base_classifier(base, LABELS, seed=1)
        assert trained.tokenizer.pad_token_id == 0
        numpy.testing.assert_allclose(trained.model.base_model(ids).last_hidden_state, expected, atol=1e-6)
        folder = saved(tmp_path / "model", base)
        found = checkpoint.load(str(folder)).model.base_model(ids).last_hidden_state
    numpy.testing.assert_allclose(found, expected, atol=1e-6)
    assert_a_plain_pipeline_agrees(folder)


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "roberta", "opt"])
def test_a_base_whose_configuration_has_no_padding_token(tmp_path, name):
    base = base_folder(tmp_path / "base", name)
    set_in(tmp_path / "base/config.json", pad_token_id=None)
    assert_a_plain_pipeline_agrees(saved(tmp_path / "model", base))


def set_in(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def assert_a_plain_pipeline_agrees(folder):
    ours = classify_texts(open_classifier(str(folder)), TEXTS).probabilities
    plain = pipeline("text-classification", model=str(folder), device="cpu", truncation=True)
    for batch_size in (1, 4):
        numpy.testing.assert_allclose(scores_of(plain(TEXTS, top_k=None, batch_size=batch_size)), ours, atol=1e-5)


def test_a_classifier_is_trained_again_with_another_template():
    """The tokens that its tokenizer puts around a text are replaced, not doubled."""
    once = with_template(tiny_tokenizer(), TEMPLATE)
    again = with_template(once, "Text: {prompt}!")
    plain = with_template(tiny_tokenizer(), "Text: {prompt}!")
    assert again("a b")["input_ids"] == plain("a b")["input_ids"] == tiny_tokenizer()("Text: a b!")["input_ids"]
    assert surroundings(again) == surroundings(plain)


@pytest.mark.parametrize(
    "text",
    ["", " a", "a  b\n c", "<|endoftext|>", "é 三 😡", "a b c"],
    ids=["nothing", "blank", "blanks", "special", "letters", "words"],
)
def test_the_fast_encoding_is_the_tokenizers_own(text):
    for make in {each[2] for each in ZOO.values()}:
        tokenizer = with_template(make(), TEMPLATE)
        [ids], _ = encode_for_classification(tokenizer, [text])
        assert list(ids) == tokenizer(text)["input_ids"]
