"""The parts of a model card by kind of model: summary, use, results and limits."""

from utils.models.card_texts import code, fenced, plain, python_text, shell_text
from utils.models.cards.card import ERRORS_NOT_MEASURED, Card
from utils.models.cards.labels import ClassifierCard, LabelerCard, ScorerCard

DESCRIPTION = "a cat crying with joy"


class TextsCard(Card):
    """A model that writes texts."""

    summary = "A small language model, fine-tuned on short texts"
    validation_title = "bits per byte (lower is better)"

    def use(self, path: str) -> str:
        return fenced(
            "bash", f'python generate.py --model_path {shell_text(path)} --prompt "Your first words"'
        ) + _other_tools(self.run, path, '"Your first words"')

    def results(self, table: str) -> list[str]:
        tuned = self.evaluation["tuned"]
        return [
            f"Test split: {tuned['texts']:,} texts, {tuned['tokens']:,} tokens, with 95% bootstrap intervals.",
            table,
        ]

    def limits(self) -> list[str]:
        copies = "How much it copies has not been measured: run `evaluate_model.py` before you publish what it writes."
        if self.evaluation is not None:
            copying = self.evaluation["copying"]["tuned"]
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


class AnswersCard(Card):
    """A model that answers instructions."""

    summary = "A small language model, fine-tuned to answer instructions"
    validation_title = "bits per byte of the answers (lower is better)"

    def use(self, path: str) -> str:
        command = f"python generate.py --model_path {shell_text(path)}"
        lengths = " It was trained with `--length short`, `medium` and `long`." if self.run.get("lengths") else ""
        return (
            fenced("bash", f'{command} --instruction "Name three primary colors."\n{command} --chat')
            + f"\n\nIts tokenizer includes the chat template ({code(self.run['template'])}) that it was trained with, "
            f"so that `apply_chat_template` writes the same prompts in any tool.{lengths}"
            + _other_tools(self.run, path, '[{"role": "user", "content": "Name three primary colors."}]')
        )

    def results(self, table: str) -> list[str]:
        decoding, signatures = self.evaluation["decoding"], self.evaluation["signatures"]
        return [
            f"Test split: {self.evaluation['rows']:,} instructions, with 95% bootstrap intervals. The first three "
            f"figures are those of the test answers ({self.evaluation['tuned']['tokens']:,} tokens), the others those "
            f"of the model's own answers: greedy decoding, at most {decoding['max_new_tokens']:,} tokens, repetition "
            f"penalty {decoding['repetition_penalty']:g}.",
            table,
            f"Signatures: BLEU `{signatures['bleu']}`, chrF `{signatures['chrf']}`.",
        ]

    def limits(self) -> list[str]:
        endings = "How often its answers don't end has not been measured: run `evaluate_model.py`."
        if self.evaluation is not None:
            tuned = self.evaluation["tuned"]
            cut = round(tuned["answers"] * (1 - tuned["finished"]["value"]))
            endings = (
                f"{cut:,} of its {tuned['answers']:,} answers to the test instructions did not end within "
                f"{self.evaluation['decoding']['max_new_tokens']:,} tokens."
            )
        return [
            "This is a small model. It makes things up, including sums and names: its answers are not a source of "
            "facts, nor advice on health, law or money.",
            f"{endings} BLEU, chrF and ROUGE-L measure how close answers are to the wording of the references, not "
            "whether they are right.",
            "It follows any instruction, even a harmful one, and has the opinions and errors of its training texts and "
            "of its base model.",
            "The figures above hold only for instructions like the training instructions.",
        ]


class EmojiCard(Card):
    """A model that writes emoji."""

    summary = "A small language model, fine-tuned to write the emoji that a description means"
    validation_title = "bits per byte of what it writes (lower is better)"
    baselines = (("nearest_description", "Nearest training description"),)

    def use(self, path: str) -> str:
        output = (
            "code points, which are shown as the emoji" if self.run["target"] == "codepoints" else "the emoji itself"
        )
        known = len(self.run.get("descriptions", ()))
        asked = f'--prompt "{DESCRIPTION}"'
        call = f'generate_emoji("{DESCRIPTION}", model_path={python_text(path)}, num=5)'
        memory = (
            f" `run.json` also holds its {known:,} training descriptions: half of an emoji's probability comes from "
            "the model, half from the descriptions that are spelled most like the prompt; other tools use only the "
            "model."
        )
        return (
            fenced("bash", f"python generate.py --model_path {shell_text(path)} {asked} --num_return_sequences 5")
            + "\n\n"
            + fenced("python", f"from generate import generate_emoji\n\n{call}")
            + f"\n\nIt writes {output}. Decoding is constrained to the {len(self.run['targets']):,} emoji of its table "
            "(in `run.json`), so that it cannot write text, half an emoji, or one that does not exist; in other tools "
            f"it can.{memory if known else ''}"
            + _other_tools(self.run, path, python_text(self.run["template"].replace("{prompt}", DESCRIPTION)))
        )

    def results(self, table: str) -> list[str]:
        evaluation = self.evaluation
        return [
            f"Test split, {evaluation['measured_on']}: {evaluation['rows']:,} descriptions of "
            f"{evaluation['concepts']:,} concepts, with 95% bootstrap intervals over concepts. Ranks count among the "
            f"first {evaluation['depth']}. The nearest training description is found by TF-IDF of 2 to 5 characters; "
            "it can only predict an emoji that has a training description, as those of "
            f"{evaluation['rows_of_trained_emoji']:,} of these rows do.",
            table,
            f"On the same descriptions, this model is {evaluation['verdict']}.",
        ]

    def limits(self) -> list[str]:
        errors = ERRORS_NOT_MEASURED
        if self.evaluation is not None:
            mistakes, rows, measured_on = (self.evaluation[name] for name in ("mistakes", "rows", "measured_on"))
            errors = f"It was wrong about {mistakes:,} of {rows:,} test descriptions ({measured_on})."
        split = "unseen concepts: neither these emoji nor their skin tones and genders were trained on"
        if self.run["split_by"] == "description":
            split = "unseen wording: these emoji were trained on, with other descriptions"
        return [
            f"It answers every description with an emoji of its table, even one that no emoji fits. {errors}",
            f"The test split holds {split}. The figures hold only for short names like these.",
            "A probability is relative to the emoji of its table, and says little about whether any of them fits.",
            "If a description names no skin tone or gender, its choice of one repeats the habits of its training table "
            "and its base model.",
        ]


CARDS = {
    "generate": TextsCard,
    "instruct": AnswersCard,
    "classify": ClassifierCard,
    "multilabel": LabelerCard,
    "score": ScorerCard,
    "emoji": EmojiCard,
}


def _other_tools(run: dict, path: str, prompt: str) -> str:
    """Return how transformers writes the same as generate.py; nothing for a model from before its folder said that.

    `prompt` is Python code.
    """
    if "sampling" not in run:
        return ""
    settings = dict(run["sampling"])
    sampled = settings.pop("do_sample")
    names = ", ".join(f"{plain(name)} {value:g}" for name, value in settings.items())
    draws = f"tokens are drawn with {names}" if sampled else f"the most likely token is taken, {names}"
    greedy = "; `do_sample=False` takes the most likely ones, as `--greedy` does" if sampled else ""
    cleaning = " It does not clean prompts as `generate.py` does: leave no blank at the end." if run["cleaning"] else ""
    lines = f'from transformers import pipeline\n\nwrite = pipeline("text-generation", model={python_text(path)})'
    lines += f"\nwrite({prompt})"
    file = " A .pt file is for these scripts alone: other tools open a folder, or a model on the Hub."
    return (
        f"\n\n{fenced('python', lines)}\n\n"
        f"Its `generation_config.json` has the end of text that was trained, and the defaults of `generate.py`: {draws}"
        f"{greedy}.{cleaning}{file if path.endswith('.pt') else ''}"
    )
