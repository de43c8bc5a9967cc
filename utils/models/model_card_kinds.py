"""What a model card says about each kind of model: summary, use, remarks on the figures, and limits."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from utils.text_tables import confusion_rows, markdown_table

ERRORS_NOT_MEASURED = "How often it errs has not been measured: run `evaluate_model.py` before you rely on it."


@dataclass(frozen=True)
class Card:
    """What only the cards of one kind of task say. The functions take run.json, evaluation.json, or both."""

    summary: str
    validation_metric: str
    validation_title: str
    use: Callable[[dict, str], str]  # takes the path of the model, too
    caption: Callable[[dict, dict], str]  # of the table of figures
    limits: Callable[[dict, dict | None], list[str]]
    remarks: Callable[[dict], list[str]] = lambda evaluation: []  # below the table
    baselines: Mapping[str, str] = field(default_factory=dict)  # name in evaluation.json → column title


# ---- models that write texts


def _texts_use(run: dict, model_path: str) -> str:
    return f'```bash\npython generate.py --model_path {shlex.quote(model_path)} --prompt "Your first words"\n```'


def _texts_caption(run: dict, evaluation: dict) -> str:
    tuned = evaluation["tuned"]
    return f"Test split: {tuned['texts']:,} texts, {tuned['tokens']:,} tokens, with 95 % bootstrap intervals."


def _texts_limits(run: dict, evaluation: dict | None) -> list[str]:
    copies = "How much it copies has not been measured: run `evaluate_model.py` before you publish what it writes."
    if evaluation is not None:
        copying = evaluation["copying"]["tuned"]
        copies = (
            f"Of {copying['texts']:,} generated texts, {copying['exact_copies']:.1%} equal a training text and "
            f"{copying['copied_8']:.1%} share 8 or more consecutive words with one; the longest copied run has "
            f"{copying['longest_copied_words']} words. Check the texts that you publish."
        )
    return [
        "This is a small model. It makes things up: its texts are not a source of facts, and nobody said them.",
        f"It may repeat training texts word for word, including names and private details. {copies}",
        "It has the opinions, errors and rudeness of its training texts and of its base model.",
        "The figures above hold only for texts like the training texts.",
    ]


# ---- models that answer instructions


def _answers_use(run: dict, model_path: str) -> str:
    path = shlex.quote(model_path)
    lengths = " It was trained with `--length short`, `medium` and `long`." if run.get("lengths") else ""
    return (
        "```bash\n"
        f'python generate.py --model_path {path} --instruction "Name three primary colors."\n'
        f"python generate.py --model_path {path} --chat\n```\n\n"
        f"Its tokenizer includes the chat template (`{run['template']}`) that it was trained with, so that "
        f"`apply_chat_template` writes the same prompts in any tool.{lengths}"
    )


def _answers_caption(run: dict, evaluation: dict) -> str:
    decoding = evaluation["decoding"]
    return (
        f"Test split: {evaluation['rows']:,} instructions, with 95 % bootstrap intervals. The first three figures are "
        f"those of the test answers ({evaluation['tuned']['tokens']:,} tokens), the others those of the model's own "
        f"answers: greedy decoding, at most {decoding['max_new_tokens']:,} tokens, repetition penalty "
        f"{decoding['repetition_penalty']:g}."
    )


def _answers_remarks(evaluation: dict) -> list[str]:
    signatures = evaluation["signatures"]
    return [f"Signatures: BLEU `{signatures['bleu']}`, chrF `{signatures['chrf']}`."]


def _answers_limits(run: dict, evaluation: dict | None) -> list[str]:
    endings = "How often its answers don't end has not been measured: run `evaluate_model.py`."
    if evaluation is not None:
        tuned = evaluation["tuned"]
        cut = round(tuned["answers"] * (1 - tuned["finished"]["value"]))
        endings = (
            f"{cut:,} of its {tuned['answers']:,} answers to the test instructions did not end within "
            f"{evaluation['decoding']['max_new_tokens']:,} tokens."
        )
    return [
        "This is a small model. It makes things up, including sums and names: its answers are not a source of facts, "
        "nor advice on health, law or money.",
        f"{endings} BLEU, chrF and ROUGE-L measure how close answers are to the wording of the references, not whether "
        "they are right.",
        "It follows any instruction, even a harmful one, and has the opinions and errors of its training texts and of "
        "its base model.",
        "The figures above hold only for instructions like the training instructions.",
    ]


# ---- models that classify texts


def _classifier_use(run: dict, model_path: str) -> str:
    labels = ", ".join(f"`{label}`" for label in run["labels"])
    temperature, threshold = run["calibration"]["temperature"], run["calibration"]["threshold"]
    decision = "the most probable label is predicted"
    if threshold is not None:
        decision = f"`{run['labels'][1]}` is predicted if its probability is {threshold:.3f} or more"
    return (
        f'```bash\npython classify.py --model_path {shlex.quote(model_path)} --text "Your text"\n```\n\n'
        f"Labels: {labels}. Texts are cleaned as in training and cut to {run['max_length']:,} tokens. The logits are "
        f"divided by {temperature:.3g} (temperature), and {decision}."
    )


def _classifier_caption(run: dict, evaluation: dict) -> str:
    second = f" Precision, recall and F1 are those of `{run['labels'][1]}`." if len(run["labels"]) == 2 else ""
    return f"Test split: {evaluation['tuned']['texts']:,} texts, with 95 % bootstrap intervals.{second}"


def _classifier_remarks(evaluation: dict) -> list[str]:
    labels = evaluation["labels"]
    return [
        f"On the same texts, this model is {evaluation['verdict']}.",
        "True labels in rows, predictions in columns:",
        markdown_table(["", *labels], confusion_rows(labels, evaluation["tuned"]["confusion_matrix"])),
    ]


def _classifier_limits(run: dict, evaluation: dict | None) -> list[str]:
    errors = ERRORS_NOT_MEASURED
    if evaluation is not None:
        cut = evaluation["truncated_texts"]
        errors = (
            f"It was wrong about {evaluation['mistakes']:,} of {evaluation['texts']:,} test texts"
            f"{f'; {cut:,} test texts were too long for it and were cut' if cut else ''}."
        )
    return [
        f"It knows only its {len(run['labels'])} labels and gives one of them to every text, even to one that fits "
        "none.",
        f"{errors} A probability says how often such predictions are right on texts like the training texts; on other "
        "texts it may be far off.",
        "It repeats the judgments and prejudices of whoever labeled the training texts. Don't let it alone decide "
        "about people.",
        "The figures above hold only for texts like the training texts.",
    ]


# ---- models that write emoji


def _emoji_use(run: dict, model_path: str) -> str:
    output = "their code points, which are shown as the emoji" if run["target"] == "codepoints" else "the emoji itself"
    known = len(run.get("descriptions", ()))
    memory = (
        f" `run.json` also holds its {known:,} training descriptions: half of an emoji's probability comes from the "
        "model, half from the descriptions that are spelled most like the prompt; other tools use the model alone."
    )
    return (
        f'```bash\npython generate.py --model_path {shlex.quote(model_path)} --prompt "a cat crying with joy" '
        "--num_return_sequences 5\n```\n\n```python\nfrom generate import generate_emoji\n\n"
        f'generate_emoji("a cat crying with joy", model_path={model_path!r}, num=5)\n```\n\n'
        f"It writes {output}. Decoding is constrained to the {len(run['targets']):,} emoji of its table (in "
        "`run.json`), so that it cannot write text, half an emoji, or one that does not exist; in other tools it can."
        f"{memory if known else ''}"
    )


def _emoji_caption(run: dict, evaluation: dict) -> str:
    return (
        f"Test split, {evaluation['measured_on']}: {evaluation['rows']:,} descriptions of "
        f"{evaluation['concepts']:,} concepts, with 95 % bootstrap intervals over concepts. Ranks count among the "
        f"first {evaluation['depth']}. The nearest training description is found by TF-IDF of 2 to 5 characters; it "
        "can only predict an emoji that has a training description, as those of "
        f"{evaluation['rows_of_trained_emoji']:,} of these rows do."
    )


def _emoji_remarks(evaluation: dict) -> list[str]:
    return [f"On the same descriptions, this model is {evaluation['verdict']}."]


def _emoji_limits(run: dict, evaluation: dict | None) -> list[str]:
    errors = ERRORS_NOT_MEASURED
    if evaluation is not None:
        errors = (
            f"It was wrong about {evaluation['mistakes']:,} of {evaluation['rows']:,} test descriptions "
            f"({evaluation['measured_on']})."
        )
    split = "unseen concepts: neither these emoji nor their skin tones and genders were trained on"
    if run["split_by"] == "description":
        split = "unseen wording: these emoji were trained on, with other descriptions"
    return [
        f"It answers every description with an emoji of its table, even one that no emoji fits. {errors}",
        f"The test split holds {split}. The figures hold only for short names like these.",
        "A probability is relative to the emoji of its table, and says little about whether any of them fits.",
        "If a description names no skin tone or gender, its choice of one repeats the habits of its training table and "
        "its base model.",
    ]


CARDS = {
    "generate": Card(
        summary="A small language model, fine-tuned on short texts",
        validation_metric="bits_per_byte",
        validation_title="bits per byte (lower is better)",
        use=_texts_use,
        caption=_texts_caption,
        limits=_texts_limits,
    ),
    "instruct": Card(
        summary="A small language model, fine-tuned to answer instructions",
        validation_metric="bits_per_byte",
        validation_title="bits per byte of the answers (lower is better)",
        use=_answers_use,
        caption=_answers_caption,
        limits=_answers_limits,
        remarks=_answers_remarks,
    ),
    "classify": Card(
        summary="A classifier of short texts, fine-tuned on labeled ones",
        validation_metric="macro_f1",
        validation_title="macro F1 (higher is better)",
        use=_classifier_use,
        caption=_classifier_caption,
        limits=_classifier_limits,
        remarks=_classifier_remarks,
        baselines={"majority": "Majority class", "tfidf_logistic_regression": "TF-IDF + logistic regression"},
    ),
    "emoji": Card(
        summary="A small language model, fine-tuned to write the emoji that a description means",
        validation_metric="bits_per_byte",
        validation_title="bits per byte of what it writes (lower is better)",
        use=_emoji_use,
        caption=_emoji_caption,
        limits=_emoji_limits,
        remarks=_emoji_remarks,
        baselines={"nearest_description": "Nearest training description"},
    ),
}
