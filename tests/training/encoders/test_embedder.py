"""Folders of sentence-transformers as base models: pooling, prompt and longest text, in the files that they have."""

import json
from pathlib import Path

import pytest
import torch
from small_classifiers import base_folder, labeled_data, opinions
from transformers import pipeline

import classify
import fine_tune
from utils.errors import UserError
from utils.processed import save_processed
from utils.training.encoders.embedder import read_embedder

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]
MEAN_TOKENS = {"word_embedding_dimension": 16, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
E5 = {"query": "query: ", "passage": "passage: "}


def embedder_folder(folder: Path, pooling=MEAN_TOKENS, **files) -> str:
    base_folder(folder, "bert")
    (folder / "1_Pooling").mkdir()
    contents = {"modules": MODULES, "1_Pooling/config": pooling, **files}
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        (MEAN_TOKENS, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "first token"),
        ({"pooling_mode": "cls"}, "first token"),
        ({"pooling_mode_max_tokens": True}, None),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, None),
    ],
)
def test_pooling(pooling, expected, tmp_path):
    assert read_embedder(embedder_folder(tmp_path, pooling)).pooling == expected


@pytest.mark.parametrize(
    ("usage", "template"),
    [
        ({"prompts": E5}, "query: {prompt}"),
        ({"prompts": {**E5, "Classification": "classify: "}}, "classify: {prompt}"),
        ({"prompts": E5, "default_prompt_name": "passage"}, "passage: {prompt}"),
        ({"prompts": {"query": "search for: ", "document": ""}}, "{prompt}"),
        ({}, "{prompt}"),
        ({"prompts": ["query: "]}, "{prompt}"),
        ([], "{prompt}"),
    ],
)
def test_the_prompt_for_texts_to_classify(usage, template, tmp_path):
    folder = embedder_folder(tmp_path, config_sentence_transformers=usage)
    assert read_embedder(folder).template == template


def test_other_models_are_none(tmp_path):
    assert read_embedder(base_folder(tmp_path, "bert")) is None
    assert read_embedder("tiny") is None


@pytest.mark.parametrize("content", ["[{", "[" * 100_000, "\xff"])
def test_a_damaged_file_is_named(content, tmp_path):
    folder = embedder_folder(tmp_path)
    (tmp_path / "modules.json").write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match=r"modules\.json is damaged"):
        read_embedder(folder)


@pytest.mark.usefixtures("_no_progress_bars")
def test_a_trained_folder_answers_alike_in_every_tool(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = embedder_folder(
        tmp_path / "e5",
        config_sentence_transformers={"prompts": E5},
        sentence_bert_config={"max_seq_length": 30},
    )
    data = labeled_data({"train": opinions(40), "validation": opinions(8, 40)}, ["neg", "pos"], "Review: {prompt}")
    save_processed(Path("data.pkl"), data)
    assert fine_tune.main(["--data", "data.pkl", "--model", folder, "--output_path", "trained", "--epochs", "1"]) == 0
    run = json.loads(Path("trained/run.json").read_text())
    assert run["template"] == "query: {prompt}"
    assert run["max_length"] == 30
    assert json.loads(Path("trained/config.json").read_text())["num_hidden_layers"] == 4
    texts = ["good thing number 1", "awful thing number 2 that nobody would want to buy a second time"]
    capsys.readouterr()
    assert (
        classify.main(
            ["--model_path", "trained", "--text", texts[0], "--text", texts[1], "--json", "--precision", "fp32"]
        )
        == 0
    )
    ours = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    plain = pipeline("text-classification", model="trained", top_k=None, device="cpu")
    encoded = plain.tokenizer(texts[0])["input_ids"]
    assert plain.tokenizer.decode(encoded).replace(" ", "").startswith("[CLS]query:goodthing")
    with torch.inference_mode():
        for mine, theirs in zip(ours, plain(texts, truncation=True), strict=True):
            scores = {each["label"]: each["score"] for each in theirs}
            assert mine["probabilities"] == pytest.approx(scores, abs=1e-4)
