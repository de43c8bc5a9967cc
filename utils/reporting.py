"""The model card: what people read about a model before they use it."""

import json
import shlex

from utils.formatting import markdown_table, with_interval
from utils.naming import hub_id, name_of, without_folder

NOT_MEASURED = "The test split has not been measured: `evaluate_model.py` does that."
LIKELIHOOD_ROWS = {
    "perplexity": ("Perplexity", "{:,.2f}"),
    "bits_per_byte": ("Bits per byte", "{:.4f}"),
    "token_accuracy": ("Token accuracy", "{:.1%}"),
}
CLASSIFICATION_ROWS = {
    "accuracy": ("Accuracy", "{:.1%}"),
    "precision": ("Precision", "{:.3f}"),
    "recall": ("Recall", "{:.3f}"),
    "f1": ("F1", "{:.3f}"),
    "macro_f1": ("Macro F1", "{:.3f}"),
    "roc_auc": ("ROC-AUC", "{:.3f}"),
    "expected_calibration_error": ("Expected calibration error", "{:.3f}"),
    "brier_score": ("Brier score", "{:.3f}"),
}
BASELINES = {"majority": "Majority class", "tfidf_logistic_regression": "TF-IDF + logistic regression"}


def model_card(run: dict, evaluation: dict | None = None) -> str:
    """The README.md of a trained model: a Hugging Face model card that names no folder of this machine.

    `run` is what run.json holds; only "base_model_reason" may be missing, and the validation figures may be None
    (there was no validation split). `evaluation` is what `judging.judge` returned or, for a model that classifies,
    `judging_classifiers.judge`.
    """
    classifies = run.get("kind") == "classify"
    sections = [
        _front_matter(run, "text-classification" if classifies else "text-generation"),
        _introduction(run, classifies),
        _use_to_classify(run) if classifies else _usage(run),
        _classification_results(run, evaluation) if classifies else _results(run, evaluation),
        _data(run),
        _recipe(run),
        _classification_limits(run, evaluation) if classifies else _limits(evaluation),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(run: dict, pipeline_tag: str) -> str:
    from huggingface_hub import ModelCardData

    # No model index: it wants a Hub data set and a Hub metric, and a private file's bits per byte are neither.
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag=pipeline_tag,
        base_model=hub_id(run["base_model"]),
        tags=["fine-tuned", run["task"]],
    )
    return f"---\n{data.to_yaml()}\n---"


def _introduction(run: dict, classifies: bool) -> str:
    what = "A small language model, fine-tuned on short texts"
    if classifies:
        what = "A classifier of short texts, fine-tuned on labelled ones"
    output = without_folder(run["arguments"]["output_path"])
    base = hub_id(run["base_model"]) or name_of(run["base_model"])
    reason = f" ({run['base_model_reason']})" if run.get("base_model_reason") else ""
    trained, total = run["trainable_parameters"], run["total_parameters"]
    return (
        f"# {name_of(output).removesuffix('.pt')}\n\n"
        f"{what} (task `{run['task']}`). The base model is {base}{reason}; "
        f"{trained:,} of its {total:,} parameters ({trained / total:.0%}) were trained."
    )


def _usage(run: dict) -> str:
    path = shlex.quote(without_folder(run["arguments"]["output_path"]))
    return f'## Use\n\n```bash\npython generate.py --model_path {path} --prompt "Your first words"\n```'


def _results(run: dict, evaluation: dict | None) -> str:
    text = _validation(run["results"], "bits_per_byte", "bits per byte (lower is better)")
    if evaluation is None:
        return f"## Results\n\n{text}\n\n{NOT_MEASURED}"
    models = {"Base model": evaluation["base"]} if evaluation.get("base") else {}
    models["This model"] = evaluation["tuned"]
    rows = [
        [title, *(with_interval(figures[metric], pattern) for figures in models.values())]
        for metric, (title, pattern) in LIKELIHOOD_ROWS.items()
    ]
    tuned = evaluation["tuned"]
    caption = f"Test split: {tuned['texts']:,} texts, {tuned['tokens']:,} tokens, with 95 % bootstrap intervals."
    return f"## Results\n\n{text}\n\n{caption}\n\n{markdown_table(['', *models], rows)}"


def _use_to_classify(run: dict) -> str:
    path = shlex.quote(without_folder(run["arguments"]["output_path"]))
    labels = ", ".join(f"`{label}`" for label in run["labels"])
    calibration = run["calibration"]
    threshold = calibration["threshold"]
    decision = "the likeliest label is taken"
    if threshold is not None:
        decision = f"`{run['labels'][1]}` is taken where its probability is {threshold:.3f} or more"
    return (
        f'## Use\n\n```bash\npython classify.py --model_path {path} --text "Your text"\n```\n\n'
        f"Labels: {labels}. Texts are cleaned as in training and cut to {run['max_length']:,} tokens. The logits are "
        f"divided by {calibration['temperature']:.3g} (temperature), and {decision}."
    )


def _classification_results(run: dict, evaluation: dict | None) -> str:
    text = _validation(run["results"], "macro_f1", "macro F1 (higher is better)")
    if evaluation is None:
        return f"## Results\n\n{text}\n\n{NOT_MEASURED}"
    tuned = evaluation["tuned"]
    models = {"This model": tuned, **{title: evaluation["baselines"][name] for name, title in BASELINES.items()}}
    rows = [
        [title, *(with_interval(figures[name], pattern) for figures in models.values())]
        for name, (title, pattern) in CLASSIFICATION_ROWS.items()
        if name in tuned
    ]
    second = f" Precision, recall and F1 are those of `{run['labels'][1]}`." if len(run["labels"]) == 2 else ""
    confusion = [
        [label, *(f"{count:,}" for count in row)]
        for label, row in zip(evaluation["labels"], tuned["confusion_matrix"], strict=True)
    ]
    parts = [
        text,
        f"Test split: {tuned['texts']:,} texts, with 95 % bootstrap intervals.{second}",
        markdown_table(["", *models], rows),
        f"On the same texts, this model is {evaluation['verdict']}.",
        "True labels in rows, predictions in columns:",
        markdown_table(["", *evaluation["labels"]], confusion),
    ]
    return "\n\n".join(["## Results", *parts])


def _validation(results: dict, metric: str, title: str) -> str:
    before, after = results[f"validation_{metric}_before"], results[f"validation_{metric}_after"]
    if before is None or after is None:
        return "There was no validation split, so nothing was measured while training."
    return f"Validation {title}: {before:.4f} before training → {after:.4f} after ({after - before:+.4f})."


def _data(run: dict) -> str:
    sources = [[name_of(source["path"]), f"{source['rows']:,}", source["sha256"]] for source in run["data"]["sources"]]
    splits = ", ".join(f"{name} {count:,}" for name, count in run["data"]["rows"].items())
    table = markdown_table(["File", "Rows", "SHA-256"], sources)
    return f"## Data\n\n{table}\n\nRows after cleaning, in each split: {splits}."


def _recipe(run: dict) -> str:
    results = run["results"]
    arguments = {name: without_folder(value) for name, value in run["arguments"].items()}
    recipe = {"template": run["template"], "cleaning": run["cleaning"], "arguments": arguments}
    libraries = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    steps = f"{results['steps']:,} steps ({results['epochs']:.3g} epochs) in {results['train_seconds']:,.0f} s"
    return (
        f"## Recipe\n\n{steps} on {run['device']} in {run['precision']}, seed {run['seed']}. Made with {libraries}.\n\n"
        f"```json\n{json.dumps(recipe, indent=2, ensure_ascii=False)}\n```"
    )


def _limits(evaluation: dict | None) -> str:
    if evaluation is None:
        copies = "How much it copies has not been measured: run `evaluate_model.py` before you publish what it writes."
    else:
        novelty = evaluation["copying"]["tuned"]
        copies = (
            f"Of {novelty['texts']:,} generated texts, {novelty['exact_copies']:.1%} equal a training text and "
            f"{novelty['copied_8']:.1%} share 8 or more consecutive words with one; the longest copied run has "
            f"{novelty['longest_copied_words']} words. Check the texts that you publish."
        )
    return (
        "## Limits\n\n"
        "- This is a small model. It makes things up: what it writes is no source of facts, and no one said it.\n"
        f"- It may repeat training texts word for word, names and private details included. {copies}\n"
        "- It has the opinions, errors and rudeness of its training texts and of its base model.\n"
        "- The figures above hold for texts like the training texts, and for no others."
    )


def _classification_limits(run: dict, evaluation: dict | None) -> str:
    measured = "How often it errs has not been measured: run `evaluate_model.py` before you rely on it."
    if evaluation is not None:
        cut = evaluation["truncated_texts"]
        measured = (
            f"It was wrong about {evaluation['mistakes']:,} of {evaluation['texts']:,} test texts"
            f"{f'; {cut:,} test texts were longer than it takes, and were cut' if cut else ''}."
        )
    return (
        "## Limits\n\n"
        f"- It knows its {len(run['labels'])} labels alone and gives one of them to every text, also to one that fits "
        "none.\n"
        f"- {measured} A probability says how often such answers are right on texts like the training texts; on others "
        "it may be far off.\n"
        "- It repeats the judgements, and the prejudices, of whoever labelled the training texts. Don't let it decide "
        "about people alone.\n"
        "- The figures above hold for texts like the training texts, and for no others."
    )
