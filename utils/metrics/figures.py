"""The figures in evaluation.json: their titles, formats and directions, and the tables that show them."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Figure:
    """The format of one figure. `name` is its key in evaluation.json, `pattern` formats its value and interval.

    An `optional` figure may be None: it is undefined on some test splits.
    """

    name: str
    title: str
    pattern: str = "{:.3f}"
    card_pattern: str | None = None  # for model cards, if it differs
    greater_is_better: bool | None = True  # None: neither greater nor less
    optional: bool = False

    @property
    def difference_pattern(self) -> str:
        return self.pattern.replace("{:", "{:+")

    @property
    def on_card(self) -> "Figure":
        """The same figure with the title and pattern of model cards."""
        own_spelling = not self.title.split()[0].islower()  # chrF
        title = self.title if own_spelling else self.title[0].upper() + self.title[1:]
        return replace(self, title=title, pattern=self.card_pattern or self.pattern)


FIGURES = {
    figure.name: figure
    for figure in (
        # models that write texts or answer instructions
        Figure("perplexity", "perplexity", "{:,.2f}", greater_is_better=False),
        Figure("bits_per_byte", "bits per byte", "{:.4f}", greater_is_better=False),
        Figure("token_accuracy", "token accuracy", card_pattern="{:.1%}"),
        # models that answer instructions
        Figure("bleu", "BLEU", "{:.2f}"),
        Figure("chrf", "chrF", "{:.2f}"),
        Figure("rouge_l", "ROUGE-L"),
        Figure("finished", "answers that ended by themselves", "{:.1%}"),
        Figure("repetition", "4-grams that repeat earlier ones", "{:.1%}", greater_is_better=False, optional=True),
        Figure("length_ratio", "words per word of the references", "{:.2f}", greater_is_better=None, optional=True),
        # models that classify texts
        Figure("accuracy", "accuracy", card_pattern="{:.1%}"),
        Figure("precision", "precision"),
        Figure("recall", "recall"),
        Figure("f1", "F1"),
        Figure("macro_precision", "macro precision"),
        Figure("macro_recall", "macro recall"),
        Figure("macro_f1", "macro F1"),
        Figure("roc_auc", "ROC-AUC", optional=True),
        Figure("expected_calibration_error", "expected calibration error", greater_is_better=False),
        Figure("calibrated_error", "… of perfectly calibrated probabilities", greater_is_better=None),
        Figure("brier_score", "Brier score", greater_is_better=False),
        Figure("log_loss", "log loss", greater_is_better=False),
        # models that give texts several labels
        Figure("micro_f1", "micro F1"),
        Figure("subset_accuracy", "all labels right"),
        # models that score texts
        Figure("mae", "mean absolute error", "{:,.3f}", greater_is_better=False),
        Figure("rmse", "root mean squared error", "{:,.3f}", greater_is_better=False),
        Figure("spearman", "Spearman's rank correlation", optional=True),
        # models that write emoji
        Figure("top_1", "top-1"),
        Figure("top_5", "top-5"),
        Figure("mean_reciprocal_rank", "mean reciprocal rank"),
        Figure("concept_accuracy", "top-1, right concept"),
        Figure("group_accuracy", "top-1, right group", optional=True),
        Figure("valid_constrained", "real emoji"),
        Figure("valid_unconstrained", "real emoji, unconstrained"),
    )
}


def _figures(*names: str) -> tuple[Figure, ...]:
    return tuple(FIGURES[name] for name in names)


# The figures of one model that evaluate_model.py shows.
LIKELIHOOD = _figures("perplexity", "bits_per_byte", "token_accuracy")
ANSWERS = _figures("bleu", "chrf", "rouge_l", "finished", "repetition", "length_ratio")
CLASSIFICATION = _figures(
    *("accuracy", "precision", "recall", "f1", "macro_precision", "macro_recall", "macro_f1"),
    *("roc_auc", "expected_calibration_error", "calibrated_error", "brier_score", "log_loss"),
)
LABELING = _figures("macro_f1", "micro_f1", "subset_accuracy")
SCORING = _figures("mae", "rmse", "spearman")
EMOJI = _figures(
    *("top_1", "top_5", "mean_reciprocal_rank", "concept_accuracy", "group_accuracy"),
    *("valid_constrained", "valid_unconstrained"),
)

# The parts of the difference in bits per byte of two models.
PARTS = {"end_token": "the end token", "first_token": "the first token", "between": "the text between"}

# The figures that --compare shows, by kind of task; the first one decides which model is best.
COMPARED = {
    "generate": _figures("bits_per_byte", "perplexity", "token_accuracy"),
    "instruct": _figures("bits_per_byte", "bleu", "chrf", "rouge_l", "finished"),
    "classify": _figures("macro_f1", "accuracy", "roc_auc", "expected_calibration_error"),
    "multilabel": LABELING,
    "score": SCORING,
    "emoji": tuple(figure for figure in EMOJI if figure.name != "valid_constrained"),
}

# The figures on a model card, by kind of task.
_NOT_ON_CARD = ("macro_precision", "macro_recall", "log_loss")
ON_CARD = {
    kind: tuple(figure.on_card for figure in figures if figure.name not in _NOT_ON_CARD)
    for kind, figures in {
        "generate": LIKELIHOOD,
        "instruct": LIKELIHOOD + ANSWERS,
        "classify": CLASSIFICATION,
        "multilabel": LABELING,
        "score": SCORING,
        "emoji": EMOJI,
    }.items()
}
