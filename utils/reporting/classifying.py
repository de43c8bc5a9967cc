"""The model card of a model that classifies: its use, results and limits."""

from utils.formatting import markdown_table, with_interval
from utils.reporting.shared import NOT_MEASURED, path_of, validation

PIPELINE = "text-classification"
WHAT = "A classifier of short texts, fine-tuned on labelled ones"
ROWS = {
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


def use(run: dict) -> str:
    labels = ", ".join(f"`{label}`" for label in run["labels"])
    calibration = run["calibration"]
    threshold = calibration["threshold"]
    decision = "the likeliest label is taken"
    if threshold is not None:
        decision = f"`{run['labels'][1]}` is taken where its probability is {threshold:.3f} or more"
    return (
        f'## Use\n\n```bash\npython classify.py --model_path {path_of(run)} --text "Your text"\n```\n\n'
        f"Labels: {labels}. Texts are cleaned as in training and cut to {run['max_length']:,} tokens. The logits are "
        f"divided by {calibration['temperature']:.3g} (temperature), and {decision}."
    )


def results(run: dict, evaluation: dict | None) -> str:
    text = validation(run["results"], "macro_f1", "macro F1 (higher is better)")
    if evaluation is None:
        return f"## Results\n\n{text}\n\n{NOT_MEASURED}"
    tuned = evaluation["tuned"]
    models = {"This model": tuned, **{title: evaluation["baselines"][name] for name, title in BASELINES.items()}}
    rows = [
        [title, *(with_interval(figures[name], pattern) for figures in models.values())]
        for name, (title, pattern) in ROWS.items()
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


def limits(run: dict, evaluation: dict | None) -> str:
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
