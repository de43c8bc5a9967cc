"""A classifier's folder: any tool of Hugging Face's gives the probabilities of classify.py, for every architecture."""

from dataclasses import asdict

import numpy
import pytest
import torch
from classifier_zoo import ZOO, base_folder
from small_models import tiny_tokenizer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from utils.inference.classifier import classify_texts, open_classifier
from utils.models import checkpoint
from utils.models.classifier_head import find_head, fold_temperature
from utils.models.classifier_tokenizer import encode_for_classification, surroundings, with_template
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
CHANGED_BY_PADDING = {"convbert", "fnet"}  # whose probabilities depend on the batch in other tools
NOT_TRAINED = {"bart"}
LARGE_LOGITS = {"modernbert": 10.0}  # name → a temperature with which they are not all 0 or 1


def saved(folder, base, *, max_length=100, temperature=TEMPERATURE):
    """Save a base model with a random head as fine_tune.py does; return the folder and the unscaled model."""
    trained = checkpoint.load_base_classifier(base, LABELS, seed=1)
    length = min(max_length, context_length(trained.model))
    tokenizer = with_template(trained.tokenizer, TEMPLATE, length)
    of_base = set(trained.model.base_model.parameters())
    for parameter in set(trained.model.parameters()) - of_base:
        parameter.data *= 5
    fold_temperature(find_head(trained.model, tokenizer), temperature)
    run = {
        "kind": "classify",
        "labels": LABELS,
        "template": TEMPLATE,
        "cleaning": asdict(Cleaning(**{"emoji": "keep"})),
        "max_length": length,
        "calibration": {"temperature": temperature, "threshold": None},
        "self_contained": True,
    }
    checkpoint.save(folder, checkpoint.Trained(trained.model, tokenizer, run), "", "")
    return folder


def scores_of(rows) -> numpy.ndarray:
    """The probabilities that a pipeline with top_k=None gave, in the order of the labels."""
    return numpy.array([[{each["label"]: each["score"] for each in row}[label] for label in LABELS] for row in rows])


@pytest.mark.parametrize("name", sorted(ZOO.keys() - NOT_TRAINED))
def test_a_plain_pipeline_gives_our_probabilities(tmp_path, name):
    temperature = LARGE_LOGITS.get(name, TEMPERATURE)
    folder = saved(tmp_path / "model", base_folder(tmp_path / "base", name), temperature=temperature)
    ours = classify_texts(open_classifier(str(folder)), TEXTS)
    assert numpy.ptp(ours.probabilities, axis=0).max() > 1e-3  # they differ from text to text
    assert ours.truncated > 0

    plain = pipeline("text-classification", model=str(folder), device="cpu")
    for batch_size in (1,) if name in CHANGED_BY_PADDING else (1, 4):
        theirs = scores_of(plain(TEXTS, top_k=None, truncation=True, batch_size=batch_size))
        numpy.testing.assert_allclose(theirs, ours.probabilities, atol=1e-5)
    numpy.testing.assert_allclose(scores_of(plain(TEXTS[:3], top_k=None)), ours.probabilities[:3], atol=1e-5)
    assert [each["label"] for each in plain(TEXTS, truncation=True)] == ours.labels

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.inference_mode():
        batches = [[text] for text in TEXTS] if name in CHANGED_BY_PADDING else [TEXTS]
        inputs = [tokenizer(texts, padding=True, truncation=True, return_tensors="pt") for texts in batches]
        logits = torch.cat([model(**batch).logits for batch in inputs])
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
    checkpoint.save(tmp_path / "model", checkpoint.Trained(trained.model, trained.tokenizer, run), "", "")
    checkpoint.save(tmp_path / "model.pt", checkpoint.Trained(trained.model, trained.tokenizer, run), "", "")
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


def test_a_classifier_is_trained_again_with_another_template():
    """What its tokenizer puts around a text is replaced, not doubled."""
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
