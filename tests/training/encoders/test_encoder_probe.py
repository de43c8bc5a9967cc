"""Encoders that start from a probe: any tool gives the saved folder's logits, and they are those of the probe."""

from dataclasses import replace

import numpy
import pytest
import torch
from architectures import architecture_folder
from sklearn.linear_model import LogisticRegression
from small_classifiers import base_folder, labeled_data, opinions
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from utils.inference.classifier import classifier_logits
from utils.models import checkpoint, saving
from utils.training.encoders.embedder import Embedder
from utils.training.encoders.head import find_encoder_head
from utils.training.encoders.pooling import FIRST, MEAN, add_mean_pooling, pool_as_saved, pooling_block
from utils.training.encoders.probe import probe_of_encoder
from utils.training.freezing import freeze_classifier_parameters
from utils.training.linear_probe import CLASS_FITTING, fit_regression
from utils.training.rows import labeled_rows

pytestmark = pytest.mark.usefixtures("_no_progress_bars")
LABELS = ["neg", "pos"]
TRAIN = opinions(60)
STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
POOLING = {  # the poolings that each has in a plain folder
    "bert": [MEAN, FIRST],
    "distilbert": [MEAN, FIRST],
    "roberta": [MEAN, FIRST],
    "electra": [MEAN, FIRST],
    "mpnet": [MEAN, FIRST],
    "deberta-v2": [MEAN, FIRST],
    "modernbert": [MEAN, FIRST],
    "deberta": [FIRST],
    "albert": [FIRST],
    "xlnet": [FIRST],
    "mobilebert": [FIRST],
}


def prepared(folder: str, pairs=TRAIN, labels=LABELS):
    from utils.models.classifier_tokenizer import with_template

    base = checkpoint.load_base_classifier(folder, labels, seed=0)
    rows = labeled_rows(labeled_data({"train": pairs}, labels), base.tokenizer, 40, ["train"])["train"]
    return replace(base, tokenizer=with_template(base.tokenizer, "{prompt}", 40)), rows


@pytest.mark.parametrize(("name", "pooling"), [(name, each) for name, both in POOLING.items() for each in both])
def test_a_plain_folder_has_the_logits_of_the_probe(name, pooling, tmp_path):
    base, rows = prepared(architecture_folder(tmp_path / "base", name))
    probe = probe_of_encoder(base, rows, Embedder(pooling, prompt="", max_length=None), CLASS_FITTING)
    head = find_encoder_head(base.model, rows[0]["input_ids"])
    [states] = probe.states(rows)
    features = head.features(states, head.standardizing(states))
    fitted = fit_regression(features, numpy.array([row["label"] for row in rows]), None)
    expected = features @ fitted.weights.T + fitted.bias
    probe.start(rows, None)

    saving.save(tmp_path / "trained", checkpoint.Trained(base.model, base.tokenizer, {}), "", "")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "trained").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "trained")
    texts = [text for text, _ in TRAIN]
    with torch.inference_mode():
        alone = [model(**tokenizer(text, return_tensors="pt")).logits for text in texts]
        padded = model(**tokenizer(texts, return_tensors="pt", padding=True)).logits
    tolerance = 1e-4 * numpy.abs(expected).max()
    numpy.testing.assert_allclose(torch.cat(alone).numpy(), expected, atol=tolerance)
    numpy.testing.assert_allclose(padded.numpy(), expected, atol=10 * tolerance)
    answers = pipeline("text-classification", model=str(tmp_path / "trained"))(texts[:8])
    assert [answer["label"] for answer in answers] == [LABELS[row.argmax()] for row in expected[:8]]


@pytest.mark.parametrize("pooling", [MEAN, FIRST])
def test_berts_probe_is_a_regression_on_its_pooled_states(pooling, tmp_path):
    """Computed here from what `AutoModel` gives, as sentence-transformers does."""
    folder = base_folder(tmp_path, "bert")
    base, rows = prepared(folder)
    probe_of_encoder(base, rows, Embedder(pooling, prompt="", max_length=None), CLASS_FITTING).start(rows, None)
    logits = classifier_logits(base.model, base.tokenizer, rows)

    encoder = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        states = [encoder(torch.tensor([list(row["input_ids"])])).last_hidden_state[0] for row in rows]
    pooled = torch.stack([each[0] if pooling == FIRST else each.mean(0) for each in states]).double()
    if pooling == MEAN:  # the norm after the mean
        pooled = torch.nn.functional.layer_norm(pooled, pooled.shape[1:])
    standard = ((pooled - pooled.mean(0)) / pooled.std(0, correction=0)).numpy()
    labels = [row["label"] for row in rows]
    regressions = [LogisticRegression(C=strength, max_iter=1000).fit(standard, labels) for strength in STRENGTHS]
    correlations = [
        numpy.corrcoef(logits[:, 1] - logits[:, 0], each.decision_function(standard))[0, 1] for each in regressions
    ]
    assert max(correlations) > 0.98
    numpy.testing.assert_allclose(logits.sum(1), 0, atol=1e-4)


def test_the_better_pooling_is_kept(tmp_path, caplog):
    caplog.set_level("INFO")
    base, rows = prepared(base_folder(tmp_path, "bert"))
    probe = probe_of_encoder(base, rows, None, CLASS_FITTING)
    assert base.model.config.num_hidden_layers == 4
    labels = numpy.array([row["label"] for row in rows])
    head = find_encoder_head(base.model, rows[0]["input_ids"])
    losses = []
    for states in probe.states(rows):
        features = head.features(states, head.standardizing(states))
        losses.append(fit_regression(features, labels, None).loss)
    probe.start(rows, None)
    mean_is_better = losses[0] < losses[1]
    assert (pooling_block(base.model) is not None) is mean_is_better
    assert base.model.config.num_hidden_layers == 3 + mean_is_better
    assert "with the mean, " in caplog.text
    assert "with the first token in cross-validation" in caplog.text


def test_the_mean_can_learn(tmp_path):
    """The block's queries and its MLP begin with 0, and get gradients all the same."""
    base, rows = prepared(base_folder(tmp_path, "bert"))
    probe_of_encoder(base, rows, Embedder(MEAN, prompt="", max_length=None), CLASS_FITTING).start(rows, None)
    freeze_classifier_parameters(base.model, 1)
    trained = {name for name, parameter in base.model.named_parameters() if parameter.requires_grad}
    assert {name.split(".")[3] for name in trained if ".layer." in name} == {"2", "3"}
    ids = torch.tensor([list(rows[0]["input_ids"])])
    base.model(ids, labels=torch.tensor([1])).loss.backward()
    block = pooling_block(base.model)
    assert block.attention.self.query.weight.grad.abs().max() > 0
    assert block.output.dense.weight.grad.abs().max() > 0


@pytest.mark.parametrize("name", ["bert", "distilbert", "modernbert"])
def test_a_run_that_continues_pools_as_before(name, tmp_path):
    folder = architecture_folder(tmp_path, name)
    with_mean, rows = prepared(folder)
    first_token, _ = prepared(folder)
    assert add_mean_pooling(with_mean.model)
    saved = {"mean": with_mean.model.config.to_dict(), "first": first_token.model.config.to_dict()}
    before = classifier_logits(first_token.model, first_token.tokenizer, rows)
    pool_as_saved(first_token.model, saved["mean"])
    pool_as_saved(with_mean.model, saved["first"])
    assert first_token.model.state_dict().keys() >= with_mean.model.state_dict().keys()
    assert first_token.model.config.to_dict() == saved["mean"]
    numpy.testing.assert_array_equal(classifier_logits(with_mean.model, with_mean.tokenizer, rows), before)


def test_three_classes_and_too_few_rows_of_one(tmp_path):
    names = ["meh", *LABELS]
    pairs = [(text, "meh" if number % 3 == 0 else label) for number, (text, label) in enumerate(TRAIN)]
    base, rows = prepared(base_folder(tmp_path, "roberta"), pairs, names)
    assert probe_of_encoder(base, [row for row in rows if row["label"]] + rows[:1], None, CLASS_FITTING) is None
    assert pooling_block(base.model) is None
    probe_of_encoder(base, rows, None, CLASS_FITTING).start(rows, None)
    logits = classifier_logits(base.model, base.tokenizer, rows)
    assert logits.shape == (60, 3)
    assert (logits.argmax(1) == [row["label"] for row in rows]).mean() > 0.4
