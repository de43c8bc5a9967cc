import copy
import json

import pytest
import yaml

from utils.models.model_card import model_card

RUN = {
    "task": "tweets",
    "base_model": "smollm2",
    "base_model_reason": "named at preprocessing",
    "template": "{prompt}",
    "cleaning": {"urls": True, "hashtags": "unhash"},
    "arguments": {
        "data_path": "/home/ada/secret project/processed.pkl",
        "output_path": "/home/ada/models/my tweets.pt",
        "config": "C:\\Users\\ada\\run.yaml",
        "model": None,
        "learning_rate": 0.0005,
        "report_to": ["wandb"],
    },
    "data": {
        "sources": [
            {"path": "/home/ada/secret project/tweets.csv", "sha256": "ab" * 32, "rows": 4200},
            {"path": "C:\\Users\\ada\\a|b.csv", "sha256": "cd" * 32, "rows": 7},
        ],
        "rows": {"train": 3000, "validation": 375, "test": 376},
    },
    "trainable_parameters": 14_160_000,
    "total_parameters": 134_515_008,
    "seed": 42,
    "device": "cpu",
    "precision": "bf16",
    "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
    "results": {
        "validation_bits_per_byte_before": 1.75001,
        "validation_bits_per_byte_after": 1.5,
        "epochs": 3.0,
        "steps": 564,
        "train_seconds": 1234.5,
    },
}


def measured(perplexity, bits, accuracy):
    def interval(value, width):
        return {"value": value, "low": value - width, "high": value + width}

    return {
        "perplexity": interval(perplexity, 1.0),
        "bits_per_byte": interval(bits, 0.01),
        "token_accuracy": interval(accuracy, 0.02),
        "texts": 376,
        "tokens": 10_528,
    }


EVALUATION = {
    "base": measured(80.0, 1.76, 0.25),
    "tuned": measured(40.5, 1.51, 0.31),
    "copying": {"tuned": {"texts": 200, "exact_copies": 0.015, "copied_8": 0.1, "longest_copied_words": 17}},
}

CLASSIFIER = {
    **RUN,
    "task": "reviews",
    "kind": "classify",
    "labels": ["bad", "good|fine"],
    "calibration": {"temperature": 1.25, "threshold": 0.4321},
    "max_length": 128,
    "results": {
        "validation_macro_f1_before": 0.34,
        "validation_macro_f1_after": 0.905,
        "epochs": 4.0,
        "steps": 200,
        "train_seconds": 300.0,
    },
}


def classified(accuracy):
    figures = {
        name: {"value": accuracy, "low": accuracy - 0.05, "high": accuracy + 0.04}
        for name in ("accuracy", "precision", "recall", "f1", "macro_f1", "roc_auc", "brier_score")
    }
    figures["expected_calibration_error"] = {"value": 0.03, "low": 0.02, "high": 0.06}
    return {**figures, "confusion_matrix": [[1090, 10], [8, 92]], "texts": 1200}


CLASSIFIER_EVALUATION = {
    "labels": CLASSIFIER["labels"],
    "texts": 1200,
    "truncated_texts": 0,
    "tuned": classified(0.9),
    "baselines": {"majority": {**classified(0.5), "roc_auc": None}, "tfidf_logistic_regression": classified(0.8)},
    "verdict": "better in accuracy (+0.100) than TF-IDF + logistic regression",
    "mistakes": 18,
}


def changed(**changes):
    return {**copy.deepcopy(RUN), **changes}


def front_matter(card):
    start, text, _ = card.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(text)


def json_block(card):
    return json.loads(card.split("```json\n")[1].split("\n```")[0])


# --- model card ---


def test_the_hub_reads_the_front_matter():
    assert front_matter(model_card(RUN)) == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "tags": ["fine-tuned", "tweets"],
    }


@pytest.mark.parametrize(
    ("base_model", "hub_id"),
    [
        ("gpt2", "gpt2"),
        ("owner/name", "owner/name"),
        ("tiny", None),
        ("/home/ada/model.gguf", None),
        ("/home/ada/a folder of another machine", None),
        ("~/model", None),
        ("models/earlier.pt", None),
    ],
)
def test_only_a_base_model_of_the_hub_is_named_in_the_front_matter(base_model, hub_id):
    assert front_matter(model_card(changed(base_model=base_model))).get("base_model") == hub_id


def test_a_base_model_folder_goes_by_its_name(tmp_path):
    folder = tmp_path / "earlier-model"
    folder.mkdir()
    card = model_card(changed(base_model=str(folder)))
    assert "base_model" not in front_matter(card)
    assert "The base model is earlier-model (named" in card
    assert str(tmp_path) not in card


def test_a_step_and_an_epoch_are_singular():
    results = RUN["results"] | {"steps": 1, "epochs": 1.0, "train_seconds": 2.0}
    assert "1 step (1 epoch) in 2 s on cpu" in model_card(RUN | {"results": results})
    assert "2 steps (0.5 epochs) in" in model_card(RUN | {"results": results | {"steps": 2, "epochs": 0.5}})


def test_the_card_describes_the_run():
    card = model_card(RUN)
    for text in (
        "# my tweets\n",
        "14,160,000 of its 134,515,008 parameters (11%) were trained",
        "python generate.py --model_path 'my tweets.pt' --prompt",
        "1.7500 before training → 1.5000 after (-0.2500)",
        f"| tweets.csv | 4,200 | {'ab' * 32} |",
        f"| a\\|b.csv | 7 | {'cd' * 32} |",
        "train 3,000, validation 375, test 376",
        "564 steps (3 epochs) in 1,234 s on cpu in bf16, seed 42",
        "torch 2.13.0, transformers 5.23.0",
        "The test split has not been measured",
        "makes things up",
        "How much it copies has not been measured",
    ):
        assert text in card
    assert json_block(card) == {
        "template": "{prompt}",
        "cleaning": {"urls": True, "hashtags": "unhash"},
        "arguments": {
            "data_path": "processed.pkl",
            "output_path": "my tweets.pt",
            "config": "run.yaml",
            "model": None,
            "learning_rate": 0.0005,
            "report_to": ["wandb"],
        },
    }


def test_no_folder_of_this_machine_is_named():
    card = model_card(RUN, EVALUATION)
    for private in ("ada", "/home", "Users", "secret"):
        assert private not in card


def test_a_relative_output_path_stays_as_typed():
    card = model_card(changed(arguments={"output_path": "models/fine_tuned_model.pt"}))
    assert "--model_path models/fine_tuned_model.pt " in card
    assert "# fine_tuned_model\n" in card


def test_an_evaluation_is_reported():
    card = model_card(RUN, EVALUATION)
    for text in (
        "Test split: 376 texts, 10,528 tokens",
        "|  | Base model | This model |",
        "| Perplexity | 80.00 [79.00, 81.00] | 40.50 [39.50, 41.50] |",
        "| Bits per byte | 1.7600 [1.7500, 1.7700] | 1.5100 [1.5000, 1.5200] |",
        "| Token accuracy | 25.0% [23.0%, 27.0%] | 31.0% [29.0%, 33.0%] |",
        "Of 200 generated texts, 1.5% equal a training text and 10.0% share 8 or more consecutive words with one; "
        "the longest copied run has 17 words",
    ):
        assert text in card
    assert "not been measured" not in card


def test_an_evaluation_without_the_base_model_is_reported():
    card = model_card(RUN, {name: EVALUATION[name] for name in ("tuned", "copying")})
    assert "|  | This model |\n| --- | --- |\n| Perplexity | 40.50 [39.50, 41.50] |" in card


def test_without_an_evaluation_the_card_says_that_nothing_was_measured():
    assert "How much it copies has not been measured" in model_card(RUN)


def test_optional_facts_may_be_missing():
    results = {**RUN["results"], "validation_bits_per_byte_before": None, "validation_bits_per_byte_after": None}
    run = changed(results=results)
    del run["base_model_reason"]
    card = model_card(run)
    assert "There was no validation split" in card
    assert (
        "The base model is HuggingFaceTB/SmolLM2-135M-Instruct, quantized to 4 bits (Q4_1), dequantized to float32; "
        in card
    )


def test_a_run_without_its_facts_is_a_bug():
    run = changed()
    del run["trainable_parameters"]
    with pytest.raises(KeyError, match="trainable_parameters"):
        model_card(run)


# --- model card of a classifier ---


def test_the_front_matter_of_a_classifier():
    assert front_matter(model_card(CLASSIFIER)) == {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "tags": ["fine-tuned", "reviews"],
    }


def test_the_card_of_a_classifier_says_how_it_decides():
    card = model_card(CLASSIFIER)
    for text in (
        "A classifier of short texts, fine-tuned on labeled ones (task `reviews`). The base model is HuggingFaceTB/",
        "python classify.py --model_path 'my tweets.pt' --text",
        "Labels: `bad`, `good|fine`.",
        "cut to 128 tokens",
        "Other tools need the template of the recipe below, and the temperature 1.25.",
        "`good|fine` is predicted if its probability is 0.432 or more",
        "Validation macro F1 (higher is better): 0.3400 before training → 0.9050 after (+0.5650).",
        "The test split has not been measured",
        "How often it errs has not been measured",
        "only its 2 labels",
    ):
        assert text in card
    for wrong in ("generate.py", "bits per byte", "copies", "ada", "secret"):
        assert wrong not in card


def test_the_card_of_a_classifier_shows_how_other_tools_decide():
    card = model_card({**CLASSIFIER, "self_contained": True})
    code = card.partition("```python\n")[2].partition("```")[0]
    scores = [{"label": "bad", "score": 0.567}, {"label": "good|fine", "score": 0.433}]
    calls = []

    def pipeline(task, **options):
        calls.append((task, options))
        return lambda text, top_k: scores

    values = {"pipeline": pipeline}
    exec(code.replace("from transformers import pipeline", ""), values)
    assert calls == [("text-classification", {"model": "my tweets.pt", "truncation": True})]
    assert values["label"] == "good|fine"
    assert "head's weights are divided by the temperature, 1.25" in card


def test_a_classifier_without_a_threshold_predicts_the_most_probable_label():
    card = model_card({**CLASSIFIER, "calibration": {"temperature": 1.0, "threshold": None}})
    assert "The most probable label is predicted" in card
    assert "or more" not in card


def test_the_card_of_a_classifier_shows_the_baselines():
    card = model_card(CLASSIFIER, CLASSIFIER_EVALUATION)
    for text in (
        "Test split: 1,200 texts, with 95% bootstrap intervals. Precision, recall and F1 are those of `good|fine`.",
        "|  | This model | Majority class | TF-IDF + logistic regression |",
        "| Accuracy | 90.0% [85.0%, 94.0%] | 50.0% [45.0%, 54.0%] | 80.0% [75.0%, 84.0%] |",
        "| ROC-AUC | 0.900 [0.850, 0.940] | – | 0.800 [0.750, 0.840] |",
        "| Expected calibration error | 0.030 [0.020, 0.060] |",
        "On the same texts, this model is better in accuracy (+0.100) than TF-IDF + logistic regression.",
        "|  | bad | good\\|fine |\n| --- | --- | --- |\n| bad | 1,090 | 10 |\n| good\\|fine | 8 | 92 |",
        "It was wrong about 18 of 1,200 test texts. ",
    ):
        assert text in card
    assert "not been measured" not in card


def test_texts_that_were_cut_are_counted():
    card = model_card(CLASSIFIER, {**CLASSIFIER_EVALUATION, "truncated_texts": 7})
    assert "18 of 1,200 test texts; 7 test texts were too long for it and were cut." in card


def test_a_classifier_without_a_validation_split():
    results = {**CLASSIFIER["results"], "validation_macro_f1_before": None, "validation_macro_f1_after": None}
    assert "There was no validation split" in model_card({**CLASSIFIER, "results": results})


# --- a model that answers instructions ---

ANSWERING = {**RUN, "task": "alpaca", "kind": "instruct", "template": "stanford", "cleaning": None, "lengths": None}


def answered(bleu):
    def interval(value):
        return {"value": value, "low": value - 0.01, "high": value + 0.01}

    figures = {"bleu": bleu, "chrf": 31.5, "rouge_l": 0.25, "finished": 0.985, "repetition": 0.04}
    return {
        **measured(5.5, 0.81, 0.61),
        **{name: interval(value) for name, value in figures.items()},
        "length_ratio": None,
        "answers": 200,
        "words": 9000,
    }


ANSWERS_EVALUATION = {
    "kind": "instruct",
    "rows": 200,
    "decoding": {"do_sample": False, "max_new_tokens": 256, "repetition_penalty": 1.1, "no_repeat_ngram_size": 0},
    "signatures": {"bleu": "nrefs:1|tok:13a", "chrf": "nrefs:1|nc:6"},
    "tuned": answered(9.25),
}


def test_the_card_of_a_model_that_answers_shows_how_to_ask_it():
    card = model_card(ANSWERING)
    for text in (
        "fine-tuned to answer instructions (task `alpaca`)",
        "python generate.py --model_path 'my tweets.pt' --instruction \"",
        "python generate.py --model_path 'my tweets.pt' --chat",
        "the chat template (`stanford`)",
        "bits per byte of the answers (lower is better): 1.7500 before",
        "has not been measured",
    ):
        assert text in card
    for wrong in ("--prompt", "--length", "copies", "ada", "secret", "classify.py"):
        assert wrong not in card
    assert "`--length short`, `medium` and `long`" in model_card({**ANSWERING, "lengths": {"short": 9, "medium": 40}})


def test_the_card_of_a_model_that_answers_shows_its_evaluation():
    card = model_card(ANSWERING, ANSWERS_EVALUATION)
    for text in (
        "Test split: 200 instructions, with 95% bootstrap intervals.",
        "of the test answers (10,528 tokens)",
        "at most 256 tokens, repetition penalty 1.1.",
        "|  | This model |",
        "| Perplexity | 5.50 [4.50, 6.50] |",
        "| BLEU | 9.25 [9.24, 9.26] |",
        "| Answers that ended by themselves | 98.5% [97.5%, 99.5%] |",
        "| Words per word of the references | – |",
        "Signatures: BLEU `nrefs:1|tok:13a`, chrF `nrefs:1|nc:6`.",
        "3 of its 200 answers to the test instructions did not end within 256 tokens.",
    ):
        assert text in card
    assert "not been measured" not in card


def test_the_card_of_a_model_that_answers_shows_the_base_model():
    card = model_card(ANSWERING, {**ANSWERS_EVALUATION, "base": answered(4.5)})
    assert "|  | Base model | This model |" in card
    assert "| BLEU | 4.50 [4.49, 4.51] | 9.25 [9.24, 9.26] |" in card
