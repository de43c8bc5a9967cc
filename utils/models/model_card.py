"""Names that may be published: those of the Hub, and paths without the folders of this machine.

MERGED: What the model cards of all kinds of models say alike.

MERGED: The model card of a model that writes: its use, results and limits.

MERGED: The model card of a model that answers instructions: its use, results and limits.

MERGED: The model card of a model that classifies: its use, results and limits.

MERGED: The model card of a model that writes emoji: its use, results and limits.

MERGED: The model card: what people read about a model before they use it."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from utils.text_tables import markdown_table, with_interval

HUB_IDS = {"smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}


def hub_id(base_model: str) -> str | None:
    """The base model's id on the Hub, or None for a local or random one."""
    local = (
        base_model == "tiny"
        or base_model.endswith((".gguf", ".pt"))
        or without_folders(base_model) != base_model
        or Path(base_model).exists()
    )
    return None if local else HUB_IDS.get(base_model, base_model)


def without_folders(value):
    """A command-line value; of an absolute path only the name."""
    absolute = isinstance(value, str) and (
        value.startswith("~") or PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    )
    return last_path_part(value) if absolute else value


def last_path_part(path: str) -> str:
    """The last part of a path with either kind of slashes."""
    return PureWindowsPath(path).name


NOT_MEASURED = "The test split has not been measured: `evaluate_model.py` does that."
LIKELIHOOD_ROWS = {
    "perplexity": ("Perplexity", "{:,.2f}"),
    "bits_per_byte": ("Bits per byte", "{:.4f}"),
    "token_accuracy": ("Token accuracy", "{:.1%}"),
}


def shell_path(run: dict) -> str:
    """The model's place as a word of a shell command, without the folders of this machine."""
    return shlex.quote(without_folders(run["arguments"]["output_path"]))


def validation_line(results: dict, metric: str, title: str) -> str:
    """What the validation split said before and after training."""
    before, after = results[f"validation_{metric}_before"], results[f"validation_{metric}_after"]
    if before is None or after is None:
        return "There was no validation split, so nothing was measured while training."
    return f"Validation {title}: {before:.4f} before training → {after:.4f} after ({after - before:+.4f})."


def likelihood_rows(models: dict[str, dict]) -> list[list[str]]:
    """Table rows of the likelihood of each model, whose figures are given by its title."""
    return [
        [title, *(with_interval(figures[metric], pattern) for figures in models.values())]
        for metric, (title, pattern) in LIKELIHOOD_ROWS.items()
    ]


def measured_models(evaluation: dict) -> dict[str, dict]:
    """The figures by the model's title; the base model's are there where it was compared."""
    models = {"Base model": evaluation["base"]} if evaluation.get("base") else {}
    return {**models, "This model": evaluation["tuned"]}


WRITER_PIPELINE = "text-generation"
WRITER_WHAT = "A small language model, fine-tuned on short texts"


def _writer_use(run: dict) -> str:
    return f'## Use\n\n```bash\npython generate.py --model_path {shell_path(run)} --prompt "Your first words"\n```'


def _writer_results(run: dict, evaluation: dict | None) -> str:
    text = validation_line(run["results"], "bits_per_byte", "bits per byte (lower is better)")
    if evaluation is None:
        return f"## Results\n\n{text}\n\n{NOT_MEASURED}"
    models = measured_models(evaluation)
    tuned = evaluation["tuned"]
    caption = f"Test split: {tuned['texts']:,} texts, {tuned['tokens']:,} tokens, with 95 % bootstrap intervals."
    return f"## Results\n\n{text}\n\n{caption}\n\n{markdown_table(['', *models], likelihood_rows(models))}"


def _writer_limits(run: dict, evaluation: dict | None) -> str:
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


ANSWER_PIPELINE = "text-generation"
ANSWER_WHAT = "A small language model, fine-tuned to answer instructions"
ANSWER_ROWS = {
    "bleu": ("BLEU", "{:.2f}"),
    "chrf": ("chrF", "{:.2f}"),
    "rouge_l": ("ROUGE-L", "{:.3f}"),
    "finished": ("Answers that ended by themselves", "{:.1%}"),
    "repetition": ("4-grams that repeat earlier ones of the answer", "{:.1%}"),
    "length_ratio": ("Words per word of the reference answers", "{:.2f}"),
}


def _answers_use(run: dict) -> str:
    path = shell_path(run)
    lengths = ""
    if run.get("lengths"):
        lengths = " It has learnt `--length short`, `medium` and `long`."
    return (
        "## Use\n\n```bash\n"
        f'python generate.py --model_path {path} --instruction "Name three primary colours."\n'
        f"python generate.py --model_path {path} --chat\n```\n\n"
        f"Its tokenizer brings the chat template (`{run['template']}`) that it was trained with, so that "
        f"`apply_chat_template` of any tool writes the same prompts.{lengths}"
    )


def _answers_results(run: dict, evaluation: dict | None) -> str:
    text = validation_line(run["results"], "bits_per_byte", "bits per byte of the answers (lower is better)")
    if evaluation is None:
        return f"## Results\n\n{text}\n\n{NOT_MEASURED}"
    models = measured_models(evaluation)
    answers = [
        [title, *(with_interval(figures[name], pattern) for figures in models.values())]
        for name, (title, pattern) in ANSWER_ROWS.items()
    ]
    decoding, signatures = evaluation["decoding"], evaluation["signatures"]
    own = (
        f"The first three figures are those of the test answers ({evaluation['tuned']['tokens']:,} tokens), the others "
        f"those of answers of its own: the likeliest token each time, at most {decoding['max_new_tokens']:,} tokens, "
        f"repetition penalty {decoding['repetition_penalty']:g}."
    )
    parts = [
        text,
        f"Test split: {evaluation['rows']:,} instructions, with 95 % bootstrap intervals. {own}",
        markdown_table(["", *models], likelihood_rows(models) + answers),
        f"Signatures: BLEU `{signatures['bleu']}`, chrF `{signatures['chrf']}`.",
    ]
    return "\n\n".join(["## Results", *parts])


def _answers_limits(run: dict, evaluation: dict | None) -> str:
    measured = "How often its answers don't end has not been measured: run `evaluate_model.py`."
    if evaluation is not None:
        tuned = evaluation["tuned"]
        cut = round(tuned["answers"] * (1 - tuned["finished"]["value"]))
        measured = (
            f"{cut:,} of its {tuned['answers']:,} answers to the test instructions did not end within "
            f"{evaluation['decoding']['max_new_tokens']:,} tokens."
        )
    return (
        "## Limits\n\n"
        "- This is a small model. It makes things up, sums and names included: what it answers is no source of facts, "
        "and no advice on health, law or money.\n"
        f"- {measured} BLEU, chrF and ROUGE-L tell how close answers come to the wording of the references, not "
        "whether they are right.\n"
        "- It follows any instruction, also a harmful one, and has the opinions and errors of its training texts and "
        "of its base model.\n"
        "- The figures above hold for instructions like the training instructions, and for no others."
    )


CLASSIFIER_PIPELINE = "text-classification"
CLASSIFIER_WHAT = "A classifier of short texts, fine-tuned on labelled ones"
CLASSIFIER_ROWS = {
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


def _classifier_use(run: dict) -> str:
    labels = ", ".join(f"`{label}`" for label in run["labels"])
    calibration = run["calibration"]
    threshold = calibration["threshold"]
    decision = "the likeliest label is taken"
    if threshold is not None:
        decision = f"`{run['labels'][1]}` is taken where its probability is {threshold:.3f} or more"
    return (
        f'## Use\n\n```bash\npython classify.py --model_path {shell_path(run)} --text "Your text"\n```\n\n'
        f"Labels: {labels}. Texts are cleaned as in training and cut to {run['max_length']:,} tokens. The logits are "
        f"divided by {calibration['temperature']:.3g} (temperature), and {decision}."
    )


def _classifier_results(run: dict, evaluation: dict | None) -> str:
    text = validation_line(run["results"], "macro_f1", "macro F1 (higher is better)")
    if evaluation is None:
        return f"## Results\n\n{text}\n\n{NOT_MEASURED}"
    tuned = evaluation["tuned"]
    models = {"This model": tuned, **{title: evaluation["baselines"][name] for name, title in BASELINES.items()}}
    rows = [
        [title, *(with_interval(figures[name], pattern) for figures in models.values())]
        for name, (title, pattern) in CLASSIFIER_ROWS.items()
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


def _classifier_limits(run: dict, evaluation: dict | None) -> str:
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


EMOJI_PIPELINE = "text-generation"
EMOJI_WHAT = "A small language model, fine-tuned to write the emoji that a description means"
EMOJI_ROWS = {
    "top_1": ("Top-1", "{:.3f}"),
    "top_5": ("Top-5", "{:.3f}"),
    "mean_reciprocal_rank": ("Mean reciprocal rank", "{:.3f}"),
    "concept_accuracy": ("Top-1, right concept", "{:.3f}"),
    "group_accuracy": ("Top-1, right group", "{:.3f}"),
    "valid_constrained": ("Real emoji", "{:.3f}"),
    "valid_unconstrained": ("Real emoji, unconstrained", "{:.3f}"),
}


def _emoji_use(run: dict) -> str:
    name = without_folders(run["arguments"]["output_path"])
    writes = "their code points, which are shown as the emoji" if run["target"] == "codepoints" else "the emoji itself"
    return (
        f'## Use\n\n```bash\npython generate.py --model_path {shell_path(run)} --prompt "a cat crying with joy" '
        "--num_return_sequences 5\n```\n\n```python\nfrom generate import generate_emoji\n\n"
        f'generate_emoji("a cat crying with joy", model_path={name!r}, num=5)\n```\n\n'
        f"It writes {writes}. Decoding is constrained to the {len(run['targets']):,} emoji of its table (in "
        "`run.json`), so that it cannot write text, half an emoji, or one that does not exist; another tool's can."
        + _memory(run)
    )


def _memory(run: dict) -> str:
    known = len(run.get("descriptions", ()))
    if not known:
        return ""
    return (
        f" `run.json` also holds its {known:,} training descriptions: half of an emoji's probability is the model's, "
        "half that of the one spelt most alike; another tool has the model's alone."
    )


def _emoji_results(run: dict, evaluation: dict | None) -> str:
    text = validation_line(run["results"], "bits_per_byte", "bits per byte of what it writes (lower is better)")
    if evaluation is None:
        return f"## Results\n\n{text}\n\n{NOT_MEASURED}"
    baseline = evaluation["baselines"]["nearest_description"]
    models = {**measured_models(evaluation), "Nearest training description": baseline}
    rows = [
        [title, *(with_interval(figures.get(name), pattern) for figures in models.values())]
        for name, (title, pattern) in EMOJI_ROWS.items()
    ]
    parts = [
        text,
        f"Test split, {evaluation['measured_on']}: {evaluation['rows']:,} descriptions of "
        f"{evaluation['concepts']:,} concepts, with 95 % bootstrap intervals over concepts. Ranks count among the "
        f"first {evaluation['depth']}; the nearest training description is that by TF-IDF of 2 to 5 characters, which "
        f"can only name an emoji that has one ({evaluation['rows_of_trained_emoji']:,} of these rows' emoji have).",
        markdown_table(["", *models], rows),
        f"On the same descriptions, this model is {evaluation['verdict']}.",
    ]
    return "\n\n".join(["## Results", *parts])


def _emoji_limits(run: dict, evaluation: dict | None) -> str:
    measured = "How often it errs has not been measured: run `evaluate_model.py` before you rely on it."
    if evaluation is not None:
        measured = (
            f"It was wrong about {evaluation['mistakes']:,} of {evaluation['rows']:,} test descriptions "
            f"({evaluation['measured_on']})."
        )
    split = "unseen concepts: neither these emoji nor their skin tones and genders were trained on"
    if run["split_by"] == "description":
        split = "unseen wording: these emoji were trained on, in other words"
    return (
        "## Limits\n\n"
        f"- It answers every description with an emoji of its table, also one that no emoji fits. {measured}\n"
        f"- The test split holds {split}. For other descriptions than such short names, other "
        "figures hold.\n"
        "- A probability is that among the emoji of its table, and says little about whether any of them fits.\n"
        "- Where a description names no skin tone or gender, its choice of one repeats the habits of its training "
        "table and its base model."
    )


@dataclass(frozen=True)
class _Card:
    """What the cards of one kind of task say of their own; `results` and `limits` take run.json and the evaluation."""

    pipeline: str
    what: str
    use: Callable[[dict], str]
    results: Callable[[dict, dict | None], str]
    limits: Callable[[dict, dict | None], str]


CARDS = {
    "generate": _Card(WRITER_PIPELINE, WRITER_WHAT, _writer_use, _writer_results, _writer_limits),
    "instruct": _Card(ANSWER_PIPELINE, ANSWER_WHAT, _answers_use, _answers_results, _answers_limits),
    "classify": _Card(CLASSIFIER_PIPELINE, CLASSIFIER_WHAT, _classifier_use, _classifier_results, _classifier_limits),
    "emoji": _Card(EMOJI_PIPELINE, EMOJI_WHAT, _emoji_use, _emoji_results, _emoji_limits),
}


def model_card(run: dict, evaluation: dict | None = None) -> str:
    """The README.md of a trained model: a Hugging Face model card that names no folder of this machine.

    `run` is what run.json holds; only "base_model_reason" may be missing, and the validation figures may be None
    (there was no validation split). `evaluation` is what `judge` returned, of the module in `utils` that judges models
    of this kind.
    """
    card = CARDS[run.get("kind", "generate")]
    sections = [
        _front_matter(run, card.pipeline),
        _introduction(run, card.what),
        card.use(run),
        card.results(run, evaluation),
        _data(run),
        _recipe(run),
        card.limits(run, evaluation),
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


def _introduction(run: dict, what: str) -> str:
    output = without_folders(run["arguments"]["output_path"])
    base = hub_id(run["base_model"]) or last_path_part(run["base_model"])
    reason = f" ({run['base_model_reason']})" if run.get("base_model_reason") else ""
    trained, total = run["trainable_parameters"], run["total_parameters"]
    return (
        f"# {last_path_part(output).removesuffix('.pt')}\n\n"
        f"{what} (task `{run['task']}`). The base model is {base}{reason}; "
        f"{trained:,} of its {total:,} parameters ({trained / total:.0%}) were trained."
    )


def _data(run: dict) -> str:
    sources = [
        [last_path_part(source["path"]), f"{source['rows']:,}", source["sha256"]] for source in run["data"]["sources"]
    ]
    splits = ", ".join(f"{name} {count:,}" for name, count in run["data"]["rows"].items())
    table = markdown_table(["File", "Rows", "SHA-256"], sources)
    return f"## Data\n\n{table}\n\nRows after cleaning, in each split: {splits}."


def _recipe(run: dict) -> str:
    results = run["results"]
    arguments = {name: without_folders(value) for name, value in run["arguments"].items()}
    recipe = {"template": run["template"], "cleaning": run["cleaning"], "arguments": arguments}
    libraries = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    steps = f"{results['steps']:,} steps ({results['epochs']:.3g} epochs) in {results['train_seconds']:,.0f} s"
    return (
        f"## Recipe\n\n{steps} on {run['device']} in {run['precision']}, seed {run['seed']}. Made with {libraries}.\n\n"
        f"```json\n{json.dumps(recipe, indent=2, ensure_ascii=False)}\n```"
    )
