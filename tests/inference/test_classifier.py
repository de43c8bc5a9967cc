"""A classifier in use: the same answer alone and in a batch, for every family; cuts, empty texts, thresholds."""

import json
from dataclasses import asdict, replace

import numpy
import pytest
import torch
from architectures import architecture_folder
from running import assert_one_error, run_script
from small_classifiers import FAMILIES, base_folder
from small_models import END, changed, random_model, tiny_tokenizer, weights_of

import generate
from utils.errors import UserError
from utils.inference.classifier import classify_texts, decide_labels, open_classifier
from utils.models import checkpoint
from utils.models.classifier_tokenizer import with_template
from utils.text.cleaning import Cleaning

LABELS = ["neg", "neutral", "pos"]
TEXTS = ["Good", "x", "A much longer text than the others, to make them padded", "Good", "Bad. So bad 😡 it hurts"]


@pytest.fixture(params=FAMILIES)
def classifier(request, tmp_path):
    """A random classifier of each family, saved and opened as users do."""
    trained = checkpoint.load_base_classifier(base_folder(tmp_path / "base", request.param), LABELS, seed=1)
    return opened(trained, tmp_path / "model")


def opened(trained, path, **run):
    trained.model.save_pretrained(path)
    trained.tokenizer.save_pretrained(path)
    recipe = {
        "kind": "classify",
        "labels": LABELS,
        "template": "{prompt}",
        "cleaning": asdict(Cleaning(emoji="keep")),
        "calibration": {"temperature": 1.0, "threshold": None},
        "max_length": 100,
        **run,
    }
    (path / "run.json").write_text(json.dumps(recipe))
    return open_classifier(str(path))


def by_hand(classifier, text):
    """The probabilities of one text alone, without a mask or padding, from transformers' own call."""
    tokenizer = classifier.tokenizer
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if tokenizer.cls_token_id is None:
        ids = [tokenizer.bos_token_id, *ids]
    else:
        ids = [tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]
    with torch.inference_mode():
        return torch.softmax(classifier.model(torch.tensor([ids])).logits[0].double(), -1).numpy()


def test_a_text_has_the_same_probabilities_alone_and_padded(classifier):
    found = classify_texts(classifier, TEXTS)
    for text, probabilities in zip(TEXTS, found.probabilities, strict=True):
        numpy.testing.assert_allclose(probabilities, by_hand(classifier, text), atol=1e-5)
    assert found.labels == [LABELS[row.argmax()] for row in found.probabilities]
    assert found.truncated == 0
    numpy.testing.assert_array_equal(found.probabilities[0], found.probabilities[3])
    assert len({row.tobytes() for row in found.probabilities}) == 4


@pytest.mark.parametrize("name", ["fnet", "convbert", "nystromformer"])
def test_an_encoder_that_sees_padding_gets_texts_of_one_length_together(tmp_path, name, monkeypatch):
    """Such classifiers are from earlier versions: they are refused before training now."""
    base = architecture_folder(tmp_path / "base", name)
    classifier = opened(checkpoint.load_base_classifier(base, LABELS, seed=1), tmp_path / "model", max_length=40)
    sizes = []
    forward = classifier.model.forward

    def counted(input_ids, **options):
        sizes.append(len(input_ids))
        return forward(input_ids, **options)

    monkeypatch.setattr(classifier.model, "forward", counted)
    texts = ["Good work", "Gone work", "x", "A longer text than these", "Poor work"]
    found = classify_texts(classifier, texts).probabilities
    assert sorted(sizes[-3:]) == [1, 1, 3]
    for text, row in zip(texts, found, strict=True):
        assert row == pytest.approx(by_hand(classifier, text), abs=1e-5)


def test_bfloat16_computes_as_autocast_and_leaves_the_weights_alone(classifier):
    """Held in bfloat16 for a while, weights are those that autocast casts them to each time."""
    before = weights_of(classifier.model)
    found = classify_texts(classifier, TEXTS, bfloat16=True).probabilities
    assert changed(before, weights_of(classifier.model)) == set()
    with torch.autocast("cpu", torch.bfloat16):
        expected = [by_hand(classifier, text) for text in TEXTS]
    numpy.testing.assert_allclose(found, expected, atol=2e-3)
    assert (found != classify_texts(classifier, TEXTS).probabilities).any()


def test_the_labels_and_the_padding_are_the_models_own_too(classifier):
    config = classifier.model.config
    assert config.id2label == dict(enumerate(LABELS))
    assert config.label2id == {label: number for number, label in enumerate(LABELS)}
    assert config.pad_token_id == (END if classifier.tokenizer.cls_token_id is None else 0)


@pytest.fixture
def small(tmp_path):
    return opened(checkpoint.load_base_classifier("tiny", LABELS, seed=1), tmp_path / "model")


def test_texts_without_anything_left(small):
    found = classify_texts(small, ["", None, "  ", "https://example.org", "good", "😡"])
    assert numpy.isnan(found.probabilities).all(axis=1).tolist() == [True] * 4 + [False] * 2
    assert [label is None for label in found.labels] == [True] * 4 + [False] * 2
    assert classify_texts(small, []).labels == []
    assert classify_texts(small, [""]).labels == [None]


def test_texts_that_are_the_same_once_cleaned_are_computed_once(small, monkeypatch):
    rows, forward = [], small.model.forward

    def counted(input_ids, **options):
        rows.extend(input_ids)
        return forward(input_ids, **options)

    monkeypatch.setattr(small.model, "forward", counted)
    texts = ["good", "bad", "", "good", "a good one", " good ", "bad", "x" * 5000, "x" * 5000]
    classify_texts(small, ["a first text, with which the model is tried out"])
    rows.clear()
    found = classify_texts(small, texts)
    assert len(rows) == 4
    for text, probabilities in zip(texts, found.probabilities, strict=True):
        alone = classify_texts(small, [text]).probabilities[0]
        numpy.testing.assert_allclose(probabilities, alone, rtol=1e-6)
    assert found.truncated == 2
    assert found.lengths[0] == found.lengths[3] == found.lengths[5]


def test_long_texts_are_cut_before_the_end_of_the_template(small):
    asking = replace(small, tokenizer=with_template(small.tokenizer, "{prompt} =?"), max_length=20)
    found = classify_texts(asking, ["x" * 100_000, "x" * 16, "y" * 17])
    assert found.truncated == 2
    expected = by_hand(small, "x" * 16 + " =?")
    numpy.testing.assert_allclose(found.probabilities[0], expected, atol=1e-5)
    numpy.testing.assert_allclose(found.probabilities[1], expected, atol=1e-5)


def test_temperature_and_threshold(small):
    plain = classify_texts(small, TEXTS).probabilities
    warm = classify_texts(replace(small, temperature=2.0), TEXTS).probabilities
    numpy.testing.assert_allclose(warm, numpy.sqrt(plain) / numpy.sqrt(plain).sum(axis=1, keepdims=True))


def test_decisions():
    rows = numpy.array([[0.6, 0.4], [0.8, 0.2], [numpy.nan, numpy.nan], [0.65, 0.35]])
    assert decide_labels(rows, ["no", "yes"], None) == ["no", "no", None, "no"]
    assert decide_labels(rows, ["no", "yes"], 0.35) == ["yes", "no", None, "yes"]
    rows = numpy.array([[0.2, 0.5, 0.3], [0.5, 0.1, 0.4]])
    assert decide_labels(rows, LABELS, None) == ["neutral", "neg"]


def test_a_model_that_writes_is_refused(tmp_path):
    random_model("gpt2").save_pretrained(tmp_path / "writer")
    tiny_tokenizer().save_pretrained(tmp_path / "writer")
    with pytest.raises(UserError, match="writes texts") as caught:
        open_classifier(str(tmp_path / "writer"))
    assert "generate.py" in caught.value.hint


@pytest.mark.parametrize("family", FAMILIES)
def test_generate_refuses_a_classifier(tmp_path, capsys, family):
    trained = checkpoint.load_base_classifier(base_folder(tmp_path / "base", family), LABELS, seed=1)
    opened(trained, tmp_path / "model")
    assert run_script(generate.main, "--model_path", tmp_path / "model") == 1
    hint = assert_one_error(capsys.readouterr().err, f"{tmp_path / 'model'} is a classifier and cannot write texts")
    assert "classify.py" in hint


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_another_makers_classifier_brings_its_labels_alone(tmp_path, family):
    trained = checkpoint.load_base_classifier(base_folder(tmp_path / "base", family), LABELS, seed=1)
    mine = opened(trained, tmp_path / "model")
    (tmp_path / "model" / "run.json").unlink()
    theirs = open_classifier(str(tmp_path / "model"))
    assert (theirs.labels, theirs.run, theirs.threshold, theirs.temperature) == (LABELS, {}, None, 1.0)
    text = "See https://example.org @you"
    assert abs(classify_texts(theirs, [text]).probabilities - classify_texts(mine, [text]).probabilities).max() > 1e-3


def test_weights_that_are_missing_are_no_new_head(tmp_path):
    """Only a base model may lack its head; in a trained one it would be random."""
    from safetensors.torch import load_file, save_file

    trained = checkpoint.load_base_classifier(base_folder(tmp_path / "base", "bert"), LABELS, seed=1)
    opened(trained, tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    save_file({name: value for name, value in load_file(file).items() if "classifier" not in name}, file)
    with pytest.raises(UserError, match=r"lacks weights of a BertForSequenceClassification: classifier\.bias"):
        open_classifier(str(tmp_path / "model"))


def test_the_head_is_the_seeds(tmp_path):
    folder = base_folder(tmp_path / "base", "llama")
    heads = [checkpoint.load_base_classifier(folder, LABELS, seed).model.score.weight for seed in (1, 1, 2)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": LABELS[:2]}, "has 2 labels, and the model 3"),
        ({"labels": ["a", "b", "a"]}, "same name"),
        ({"max_length": 0}, "max_length is 0"),
        ({"self_contained": True}, "not the one that fine_tune.py saved"),
        ({"template": "word " * 2000 + "{prompt}"}, "tokens, and its context is"),
        ({"calibration": {"temperature": 1e-300}}, "temperature is 1e-300"),
    ],
    ids=["labels", "twins", "length", "tokenizer", "template", "temperature"],
)
def test_a_run_json_that_is_not_the_models_is_refused(tmp_path, changes, words):
    trained = checkpoint.load_base_classifier("tiny", LABELS, seed=1)
    with pytest.raises(UserError, match=words):
        opened(trained, tmp_path / "model", **changes)


def test_a_calibration_that_is_null_is_none(tmp_path):
    trained = checkpoint.load_base_classifier("tiny", LABELS, seed=1)
    assert opened(trained, tmp_path / "model", calibration=None).threshold is None
