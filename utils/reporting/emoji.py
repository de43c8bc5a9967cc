"""The model card of a model that writes emoji: its use, results and limits."""

from utils.formatting import markdown_table, with_interval
from utils.naming import without_folder
from utils.reporting.shared import NOT_MEASURED, measured_models, path_of, validation

PIPELINE = "text-generation"
WHAT = "A small language model, fine-tuned to write the emoji that a description means"
ROWS = {
    "top_1": ("Top-1", "{:.3f}"),
    "top_5": ("Top-5", "{:.3f}"),
    "mean_reciprocal_rank": ("Mean reciprocal rank", "{:.3f}"),
    "concept_accuracy": ("Top-1, right concept", "{:.3f}"),
    "group_accuracy": ("Top-1, right group", "{:.3f}"),
    "valid_constrained": ("Real emoji", "{:.3f}"),
    "valid_unconstrained": ("Real emoji, unconstrained", "{:.3f}"),
}


def use(run: dict) -> str:
    name = without_folder(run["arguments"]["output_path"])
    writes = "their code points, which are shown as the emoji" if run["target"] == "codepoints" else "the emoji itself"
    return (
        f'## Use\n\n```bash\npython generate.py --model_path {path_of(run)} --prompt "a cat crying with joy" '
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


def results(run: dict, evaluation: dict | None) -> str:
    text = validation(run["results"], "bits_per_byte", "bits per byte of what it writes (lower is better)")
    if evaluation is None:
        return f"## Results\n\n{text}\n\n{NOT_MEASURED}"
    baseline = evaluation["baselines"]["nearest_description"]
    models = {**measured_models(evaluation), "Nearest training description": baseline}
    rows = [
        [title, *(with_interval(figures.get(name), pattern) for figures in models.values())]
        for name, (title, pattern) in ROWS.items()
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


def limits(run: dict, evaluation: dict | None) -> str:
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
