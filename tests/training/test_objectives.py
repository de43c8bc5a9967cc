"""The loss that is minimized and the figures of validation, against PyTorch's and scikit-learn's own."""

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from small_classifiers import labeled_data, opinions
from small_models import END, random_model, tiny_tokenizer

from utils.models import checkpoint
from utils.training.objectives import classification, language_modeling
from utils.training.rows import labeled_rows

LABELS = ["neg", "pos", "unseen"]


def test_a_part_of_a_batch_counts_by_its_share():
    model = random_model("llama")
    objective = language_modeling(checkpoint.Trained(model, tiny_tokenizer(), {}), [])
    batch = objective.collate(
        [{"input_ids": [END, 5, 6, END], "loss_start": 2}, {"input_ids": [END, 7], "loss_start": 1}]
    )
    with objective.forward_context(model, batch):
        outputs = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    mean = objective.loss(outputs, batch["labels"]).item()
    assert objective.loss(outputs, batch["labels"], num_items_in_batch=20).item() == pytest.approx(mean * 3 / 20)
    assert mean == pytest.approx(model(**batch).loss.item(), rel=1e-5)


@pytest.fixture(scope="module")
def base():
    return checkpoint.load_base_classifier("tiny", LABELS, seed=3)


@pytest.fixture(scope="module")
def rows(base):
    data = labeled_data({"train": [*opinions(9), ("a much longer text than the others are", "pos")]}, LABELS)
    return labeled_rows(data, base.tokenizer, 100, ["train"])["train"]


@pytest.mark.parametrize("weights", [None, [2.0, 0.5, 1.0]])
def test_the_loss_is_the_weighted_sum_over_the_rows(base, rows, weights):
    objective = classification(base, weights)
    batch = objective.collate(rows)
    labels = batch.pop("labels")
    logits = base.model(**batch).logits
    losses = [
        torch.nn.functional.cross_entropy(logit[None], label[None]) * (weights[label] if weights else 1)
        for logit, label in zip(logits, labels, strict=True)
    ]
    assert objective.loss({"logits": logits}, labels).item() == pytest.approx(sum(losses).item() / 10)
    assert objective.loss({"logits": logits}, labels, num_items_in_batch=40).item() == pytest.approx(
        sum(losses).item() / 40
    )


def test_the_figures_of_validation(base, rows):
    objective = classification(base, [5.0, 1.0, 1.0])
    found = objective.evaluate(base.model, rows)
    batch = objective.collate(rows)
    labels = batch.pop("labels")
    with torch.inference_mode():
        logits = base.model(**batch).logits
    predicted = logits.argmax(-1)
    assert found["loss"] == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert found["accuracy"] == accuracy_score(labels, predicted)
    assert found["macro_f1"] == f1_score(labels, predicted, average="macro", labels=[0, 1, 2], zero_division=0)
    assert (objective.metric, objective.greater_is_better) == ("macro_f1", True)


def test_rows_of_the_stored_ids_and_of_another_tokenizer(base):
    data = labeled_data({"train": opinions(4)}, LABELS, template="{prompt} =")
    stored = labeled_rows(data, base.tokenizer, 12, ["train"])["train"]
    data.tokenizer["fingerprint"] = "another"
    again = labeled_rows(data, base.tokenizer, 12, ["train"])["train"]
    assert [list(row["input_ids"]) for row in stored] == [list(row["input_ids"]) for row in again]
    assert {len(row["input_ids"]) for row in stored} == {12}
    assert {bytes(row["input_ids"][-2:]) for row in stored} == {bytes(data.splits["train"].ids[0][-2:])}
    assert [row["label"] for row in stored] == [0, 1, 0, 1]
