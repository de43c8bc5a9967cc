"""Classifiers of other makers: their pipeline's answers for one text alone, whatever the batch."""

import numpy
import pytest
import torch
from classifier_zoo import base_folder, byte_level, word_piece
from damaged_folders import edit
from running import user_error
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from utils.errors import UserError
from utils.inference.classifier import classify_texts, open_classifier

TEXTS = [
    "good",
    "x",
    " a much longer text than the others [SEP], so that these  are padded: really </s> great work!\n",
    "<|endoftext|> so bad &amp; https://example.org @you",
    "Déjà vu 😡 三",
    "good work " * 8,
]


def foreign(folder, name, *, labels=3, tokenizer_changes=None, **config):
    """Save a random classifier of this architecture without run.json."""
    base = base_folder(folder / "base", name)
    options = AutoConfig.from_pretrained(base, num_labels=labels, **config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = AutoModelForSequenceClassification.from_config(options)
    for parameter in model.parameters():
        parameter.data *= 10 if parameter.dim() > 1 else 1
    model.save_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(base)
    for key, value in (tokenizer_changes or {}).items():
        setattr(tokenizer, key, value)
    tokenizer.save_pretrained(folder / "model")
    return str(folder / "model")


def check(folder):
    classifier = open_classifier(folder)
    ours = classify_texts(classifier, TEXTS)
    plain = pipeline("text-classification", model=folder, device="cpu")
    rows = plain(TEXTS, top_k=None, truncation=True)
    theirs = [[{each["label"]: each["score"] for each in row}[label] for label in classifier.labels] for row in rows]
    numpy.testing.assert_allclose(ours.probabilities, theirs, atol=1e-5)
    assert ours.labels == [each["label"] for each in plain(TEXTS, truncation=True)]
    return classifier


@pytest.mark.parametrize("name", ["gpt2", "llama", "mistral", "bert", "roberta", "deberta-v2", "xlnet", "fnet", "bart"])
def test_one_label_of_several(tmp_path, name):
    assert check(foreign(tmp_path, name)).function == "softmax"


@pytest.mark.parametrize(
    ("options", "function"),
    [
        ({"labels": 1, "problem_type": "regression"}, "none"),
        ({"labels": 3, "problem_type": "regression"}, "none"),
        ({"labels": 1}, "sigmoid"),
        ({"labels": 4, "problem_type": "multi_label_classification"}, "sigmoid"),
        ({"labels": 2, "problem_type": "single_label_classification"}, "softmax"),
    ],
    ids=["regression", "regressions", "one", "several", "single"],
)
@pytest.mark.parametrize("name", ["bert", "llama"])
def test_the_meaning_of_the_logits_is_found(tmp_path, name, options, function):
    assert check(foreign(tmp_path, name, **options)).function == function


@pytest.mark.parametrize("name", ["gpt2", "bert", "mistral"])
def test_no_padding_token_at_all(tmp_path, name):
    folder = foreign(tmp_path, name, pad_token_id=None, tokenizer_changes={"pad_token": None})
    assert not check(folder).pipeline.batching.padding


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", ["gpt2", "bert", "xlnet"])
def test_either_side_of_padding(tmp_path, name, side):
    check(foreign(tmp_path, name, tokenizer_changes={"padding_side": side}))


def test_texts_longer_than_the_context(tmp_path):
    folder = foreign(tmp_path, "bert", tokenizer_changes={"model_max_length": 12})
    assert classify_texts(check(folder), TEXTS).truncated > 0


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"0": "bad", "3": "good"}, "has 2 labels, and id2label in its config.json has none for 1"),
        ({"0": "bad", "1": "bad"}, "several labels with the same name"),
    ],
    ids=["gap", "twins"],
)
def test_labels_that_are_no_names_of_numbers_are_refused(tmp_path, names, words):
    folder = foreign(tmp_path, "bert", labels=2)
    edit("config.json", id2label=names)(tmp_path / "model")
    assert words in user_error(open_classifier, folder).problem


@pytest.mark.parametrize("length", [-1, 0])
def test_a_length_that_is_none_is_the_models_own(tmp_path, length):
    folder = foreign(tmp_path, "gpt2", tokenizer_changes={"model_max_length": length})
    assert open_classifier(folder).max_length == 128


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"chunk_size_feed_forward": 7}, "fails on a short text"),
        ({"layer_norm_eps": -1.0}, "not numbers"),
        ({"model_input_names": ["words"]}, "fails on a short text"),
    ],
    ids=["fails", "nan", "inputs"],
)
def test_a_classifier_is_tried_out_where_it_is_opened(tmp_path, changes, words):
    folder = foreign(tmp_path, "bert")
    name = "tokenizer_config.json" if "model_input_names" in changes else "config.json"
    edit(name, **changes)(tmp_path / "model")
    assert words in user_error(open_classifier, folder).problem


T5 = {"d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
HALF = {"layers": 1, "attention_heads": 2, "ffn_dim": 32}
BART = {f"{part}_{name}": value for part in ("encoder", "decoder") for name, value in HALF.items()}
BART |= {"max_position_embeddings": 128}
ENCODER_DECODERS = {
    **dict.fromkeys(("t5", "mt5", "umt5"), T5),
    **dict.fromkeys(("bart", "mbart", "plbart", "mvp", "bigbird_pegasus"), BART),
}


def encoder_decoder(folder, name, tokenizer, end):
    """Save a random classifier that reads the label from its `end` token."""
    sizes = {"d_model": 16, "vocab_size": len(tokenizer), "num_labels": 3}
    ends = {"eos_token_id": end, "decoder_start_token_id": 0, "pad_token_id": 0}
    config = AutoConfig.for_model(name, **sizes, **ends, **ENCODER_DECODERS[name])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_an_encoder_decoder_is_read_one_text_at_a_time(tmp_path, name):
    """A batch of them must have the same number of end tokens in each text, and texts may have some themselves."""
    tokenizer = word_piece()
    check(encoder_decoder(tmp_path, name, tokenizer, tokenizer.sep_token_id))


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_an_encoder_decoder_whose_tokenizer_adds_no_end_is_refused_by_name(tmp_path, name):
    tokenizer = byte_level()
    folder = encoder_decoder(tmp_path, name, tokenizer, tokenizer.eos_token_id)
    with pytest.raises(UserError, match="must contain at least one <eos> token") as raised:
        open_classifier(folder)
    assert raised.value.problem.startswith(folder)
