"""A classifier's folder: any tool of Hugging Face's gives the probabilities of classify.py, for every architecture."""

from dataclasses import asdict

import numpy
import pytest
import torch
from classifier_zoo import ZOO, base_folder
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from utils.inference.classifier import classify_texts, open_classifier
from utils.models import checkpoint
from utils.models.classifier_head import find_head, fold_temperature
from utils.models.classifier_tokenizer import with_template
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
NOT_TRAINED = {"albert", "modernbert", "xlm", "xlnet"}


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
    folder = saved(tmp_path / "model", base_folder(tmp_path / "base", name))
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
