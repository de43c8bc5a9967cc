"""The model cards of models that label texts: with a class, several labels, or a score."""

from utils.models.card_texts import code, fenced, plain, python_text, shell_text
from utils.models.cards.card import ERRORS_NOT_MEASURED, Card
from utils.models.run_file import BASELINE_FILE
from utils.terminal.numbers import rounded
from utils.terminal.tables import confusion_rows, markdown_table

SCORES = ("precision", "recall", "f1")


class ClassifierCard(Card):
    """A model that classifies texts."""

    summary = "A classifier of short texts, fine-tuned on labeled ones"
    validation_metric, validation_title = "macro_f1", "macro F1 (higher is better)"
    baselines = (("majority", "Majority class"), ("tfidf_logistic_regression", "TF-IDF + logistic regression"))

    def use(self, path: str) -> str:
        names = self.run["labels"]
        labels = list(map(code, names))
        temperature, threshold = self.run["calibration"]["temperature"], self.run["calibration"]["threshold"]
        decision, chosen = "The most probable label is predicted", ""
        if threshold is not None:
            decision = f"{labels[1]} is predicted if its probability is {threshold:.3f} or more"
            second, first = python_text(names[1]), python_text(names[0])
            chosen = (
                '\nscores = {each["label"]: each["score"] for each in classify("Your text", top_k=None)}'
                f"\nlabel = {second} if scores[{second}] >= {threshold!r} else {first}"
            )
        cleaning = ", ".join(f"{plain(name)} {plain(value)}" for name, value in self.run["cleaning"].items())
        text = (
            fenced("bash", f'python classify.py --model_path {shell_text(path)} --text "Your text"')
            + f"\n\nLabels: {', '.join(labels)}. Texts are cleaned as in training and cut to "
            f"{self.run['max_length']:,} tokens. {decision}.\n\n"
        )
        if self.run.get("self_contained"):
            text += (
                "Any tool gives the same probabilities of a clean text: the tokenizer adds the template, and the "
                f"head's weights are divided by the temperature, {temperature:.3g}. The threshold and the cleaning are "
                "not in the model:\n\n"
                + fenced(
                    "python",
                    "from transformers import pipeline\n\n"
                    f'classify = pipeline("text-classification", model={python_text(path)}, truncation=True){chosen}',
                )
                + "\n\n"
            )
        else:
            text += f"Other tools need the template of the recipe below, and the temperature {temperature:.3g}.\n\n"
        return f"{text}{self._mixture()}Cleaning: {cleaning}."

    def _mixture(self) -> str:
        """Return the text on the mixture with the baseline; "" without one."""
        baseline = self.run.get("baseline") or {}
        if not baseline.get("used"):
            return ""
        exponents, threshold = baseline["exponents"], baseline["threshold"]
        decision = "" if threshold is None else f", and the threshold of the mixture is {threshold:.3f}"
        return (
            "`classify.py` and `evaluate_model.py` mix its probabilities with those of TF-IDF + logistic regression, "
            f"trained on the same texts (`{BASELINE_FILE}`: its words and numbers): the model's to the power of "
            f"{exponents['model']:.3g}, times the others to the power of {exponents['tfidf']:.3g}{decision}. Other "
            "tools get the model without them.\n\n"
        )

    def results(self, table: str) -> list[str]:
        labels, tuned = self.evaluation["labels"], self.evaluation["tuned"]
        second = f" Precision, recall and F1 are those of {code(labels[1])}." if len(labels) == 2 else ""
        mixed = " Its probabilities are mixed with the baseline's." if self.evaluation.get("with_baseline") else ""
        return [
            f"Test split: {tuned['texts']:,} texts, with 95% bootstrap intervals.{second}{mixed}",
            table,
            f"On the same texts, this model is {self.evaluation['verdict']}.",
            "True labels in rows, predictions in columns:",
            markdown_table(
                ["", *map(plain, labels)], confusion_rows(list(map(plain, labels)), tuned["confusion_matrix"])
            ),
        ]

    def limits(self) -> list[str]:
        errors = ERRORS_NOT_MEASURED
        if self.evaluation is not None:
            mistakes, texts, cut = (self.evaluation[name] for name in ("mistakes", "texts", "truncated_texts"))
            truncated = f"; {cut:,} test texts were too long for it and were cut" if cut else ""
            errors = f"It was wrong about {mistakes:,} of {texts:,} test texts{truncated}."
        return [
            f"It knows only its {len(self.run['labels'])} labels and gives one of them to every text, even to one that "
            "fits none.",
            f"{errors} A probability says how often such predictions are right on texts like the training texts; on "
            "other texts it may be far off.",
            "It repeats the judgments and prejudices of whoever labeled the training texts. Don't let it alone decide "
            "about people.",
            "The figures above hold only for texts like the training texts.",
        ]


class ScorerCard(Card):
    """A model that scores texts."""

    summary = "A model that scores short texts, fine-tuned on texts with scores"
    validation_metric, validation_title = "rmse", "root mean squared error (lower is better)"
    baselines = (("mean", "Mean score"), ("tfidf_ridge", "TF-IDF + ridge regression"))

    def use(self, path: str) -> str:
        cleaning = ", ".join(f"{plain(name)} {plain(value)}" for name, value in self.run["cleaning"].items())
        lines = "from transformers import pipeline\n\n"
        lines += f'score = pipeline("text-classification", model={python_text(path)}, truncation=True)\n'
        return (
            fenced("bash", f'python classify.py --model_path {shell_text(path)} --text "Your text"')
            + "\n\nIt gives a number like those that it was trained on. Texts are cleaned as in training and cut to "
            f"{self.run['max_length']:,} tokens. Any tool gives the same scores of a clean text, without the cleaning:"
            "\n\n" + fenced("python", lines + 'score("Your text")[0]["score"]') + f"\n\nCleaning: {cleaning}."
        )

    def results(self, table: str) -> list[str]:
        return [
            f"Test split: {self.evaluation['texts']:,} texts, with 95% bootstrap intervals.",
            table,
            f"On the same texts, this model is {self.evaluation['verdict']}.",
        ]

    def limits(self) -> list[str]:
        errors = ERRORS_NOT_MEASURED
        if self.evaluation is not None:
            cut = self.evaluation["truncated_texts"]
            truncated = f" {cut:,} test texts were too long for it and were cut." if cut else ""
            off = self.evaluation["tuned"]["mae"]["value"]
            errors = f"On the test texts it was off by {rounded(off, 3)} on average.{truncated}"
        return [
            f"It gives a number to every text, even to one that nobody could score. {errors}",
            "Its scores go towards the mean of the training scores where a text says little, so that very low and very "
            "high ones are rare. They may lie beyond the scale.",
            "It repeats the judgments and prejudices of whoever scored the training texts. Don't let it alone decide "
            "about people.",
            "The figures above hold only for texts like the training texts.",
        ]


class LabelerCard(Card):
    """A model that gives texts several labels."""

    summary = "A model that gives short texts labels, none, one or several, fine-tuned on labeled ones"
    validation_metric, validation_title = "average_precision", "mean average precision (higher is better)"
    baselines = (("most_frequent", "Most frequent labels"), ("tfidf_one_vs_rest", "TF-IDF + logistic regressions"))

    def use(self, path: str) -> str:
        cleaning = ", ".join(f"{plain(name)} {plain(value)}" for name, value in self.run["cleaning"].items())
        thresholds = dict(zip(self.run["labels"], self.run["calibration"]["thresholds"], strict=True))
        listed = ", ".join(f"{code(label)} {threshold:.3f}" for label, threshold in thresholds.items())
        lines = (
            "from transformers import pipeline\n\n"
            f'classify = pipeline("text-classification", model={python_text(path)}, truncation=True)\n'
            'scores = {each["label"]: each["score"] for each in classify("Your text", top_k=None)}\n'
            "thresholds = classify.model.config.thresholds\n"
            "labels = [label for label, score in scores.items() if score >= thresholds[label]]"
        )
        return (
            fenced("bash", f'python classify.py --model_path {shell_text(path)} --text "Your text"')
            + f"\n\nA text gets each label whose probability reaches its threshold: {listed}. Texts are cleaned as in "
            f"training and cut to {self.run['max_length']:,} tokens. Any tool gives the same probabilities of a clean "
            f"text; the thresholds are in `config.json`:\n\n{fenced('python', lines)}\n\nCleaning: {cleaning}."
        )

    def results(self, table: str) -> list[str]:
        points = zip(self.evaluation["labels"], self.evaluation["points"]["labels"]["tuned"], strict=True)
        rows = [
            [plain(label), f"{scores['texts']:,}", *(f"{scores[name]['value']:.3f}" for name in SCORES)]
            for label, scores in points
        ]
        return [
            f"Test split: {self.evaluation['texts']:,} texts, with 95% intervals.",
            table,
            f"On the same texts, this model is {self.evaluation['verdict']}.",
            markdown_table(["Label", "Texts", "Precision", "Recall", "F1"], rows),
        ]

    def limits(self) -> list[str]:
        errors = ERRORS_NOT_MEASURED
        if self.evaluation is not None:
            mistakes, texts = self.evaluation["mistakes"], self.evaluation["texts"]
            errors = f"It gave {mistakes:,} of {texts:,} test texts a label too many or too few."
        return [
            f"It knows only its {len(self.run['labels'])} labels. {errors}",
            "Each threshold has the best F1 to be expected on the validation split. The probabilities are not "
            "calibrated, and rare labels were learned from few texts.",
            "It repeats the judgments and prejudices of whoever labeled the training texts. Don't let it alone decide "
            "about people.",
            "The figures above hold only for texts like the training texts.",
        ]
