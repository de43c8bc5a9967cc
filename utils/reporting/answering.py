"""The model card of a model that answers instructions: its use, results and limits."""

from utils.formatting import markdown_table, with_interval
from utils.reporting.shared import NOT_MEASURED, likelihood_rows, measured_models, path_of, validation

PIPELINE = "text-generation"
WHAT = "A small language model, fine-tuned to answer instructions"
ROWS = {
    "bleu": ("BLEU", "{:.2f}"),
    "chrf": ("chrF", "{:.2f}"),
    "rouge_l": ("ROUGE-L", "{:.3f}"),
    "finished": ("Answers that ended by themselves", "{:.1%}"),
    "repetition": ("4-grams that repeat earlier ones of the answer", "{:.1%}"),
    "length_ratio": ("Words per word of the reference answers", "{:.2f}"),
}


def use(run: dict) -> str:
    path = path_of(run)
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


def results(run: dict, evaluation: dict | None) -> str:
    text = validation(run["results"], "bits_per_byte", "bits per byte of the answers (lower is better)")
    if evaluation is None:
        return f"## Results\n\n{text}\n\n{NOT_MEASURED}"
    models = measured_models(evaluation)
    answers = [
        [title, *(with_interval(figures[name], pattern) for figures in models.values())]
        for name, (title, pattern) in ROWS.items()
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


def limits(run: dict, evaluation: dict | None) -> str:
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
