"""The model card of a model that writes: its use, results and limits."""

from utils.formatting import markdown_table
from utils.reporting.shared import NOT_MEASURED, likelihood_rows, measured_models, path_of, validation

PIPELINE = "text-generation"
WHAT = "A small language model, fine-tuned on short texts"


def use(run: dict) -> str:
    return f'## Use\n\n```bash\npython generate.py --model_path {path_of(run)} --prompt "Your first words"\n```'


def results(run: dict, evaluation: dict | None) -> str:
    text = validation(run["results"], "bits_per_byte", "bits per byte (lower is better)")
    if evaluation is None:
        return f"## Results\n\n{text}\n\n{NOT_MEASURED}"
    models = measured_models(evaluation)
    tuned = evaluation["tuned"]
    caption = f"Test split: {tuned['texts']:,} texts, {tuned['tokens']:,} tokens, with 95 % bootstrap intervals."
    return f"## Results\n\n{text}\n\n{caption}\n\n{markdown_table(['', *models], likelihood_rows(models))}"


def limits(run: dict, evaluation: dict | None) -> str:
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
