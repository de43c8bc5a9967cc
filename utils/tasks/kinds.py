"""The kinds of task: their wording, flags and training defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from utils.text.cleaning import CHOICES


@dataclass(frozen=True)
class Kind:
    """The properties of one kind of task.

    Flags are named as in the parsed arguments (`label_column`) and belong to the kinds that list them alone.
    `training_defaults` are those of fine_tune.py, by measurement (docs/results.md).
    """

    name: str
    verb_phrase: str  # "a model trained to …"
    third_person: str  # "a model that …"
    data: str  # the rows that preprocess.py reads
    preprocess_flags: tuple[str, ...] = ()
    training_flags: tuple[str, ...] = ()
    evaluation_flags: tuple[str, ...] = ()
    training_defaults: Mapping[str, float | int | None] = field(default_factory=dict)
    pipeline_tag: str = "text-generation"
    problem_type: str | None = None  # transformers' name of the learning problem; None: to write
    labels: str | None = None  # the value of --labels that asks for this kind

    @property
    def model(self) -> str:
        return f"a model that {self.third_person}"

    @property
    def models(self) -> str:
        return f"models that {self.verb_phrase}"


def _defaults(**changed: float | int | None) -> Mapping[str, float | int | None]:
    return MappingProxyType({"batch_size": 16, "weight_decay": 0.01, "unfreeze_last": None, **changed})


_OF_POSTS = (
    *("scrape", "text_column", "no_header", "lang", "num_proc", *CHOICES),
    *("near_duplicates", "keep_replies", "keep_retweets", "keep_content_warnings", "keep_users"),
)
_OF_WRITERS = ("train_head", "packing", "folds")

GENERATE = Kind(
    name="generate",
    verb_phrase="write texts",
    third_person="writes texts",
    data="short texts",
    preprocess_flags=(*_OF_POSTS, "recipe"),
    training_flags=_OF_WRITERS,
    evaluation_flags=("compare_base", "max_new_tokens", "num_samples"),
    training_defaults=_defaults(epochs=2.0, learning_rate=1e-4),
)
CLASSIFY = Kind(
    name="classify",
    verb_phrase="classify texts",
    third_person="classifies texts",
    data="labeled texts",
    preprocess_flags=(*_OF_POSTS, "labels", "label_column", "label_map", "keep_conflicts"),
    training_flags=("class_weights", "oversample", "augment", "threshold", "label_errors", "with_baseline", "folds"),
    evaluation_flags=("errors_path", "label_errors", "escape_formulas"),
    training_defaults=_defaults(epochs=2.0, learning_rate=4e-5, batch_size=32, unfreeze_last=16),
    pipeline_tag="text-classification",
    problem_type="single_label_classification",
    labels="class",
)
SCORE = Kind(
    name="score",
    verb_phrase="score texts",
    third_person="scores texts",
    data="texts with scores",
    preprocess_flags=(*_OF_POSTS, "labels", "label_column"),
    training_flags=("folds",),
    evaluation_flags=("errors_path", "escape_formulas"),
    training_defaults=CLASSIFY.training_defaults,
    pipeline_tag="text-classification",
    problem_type="regression",
    labels="score",
)
INSTRUCT = Kind(
    name="instruct",
    verb_phrase="answer instructions",
    third_person="answers instructions",
    data="instructions",
    preprocess_flags=("lang", "near_duplicates", "template", "multi_turn", "length_hints", "columns"),
    training_flags=(*_OF_WRITERS, "loss_on"),
    evaluation_flags=(
        *("compare_base", "max_new_tokens", "limit", "answers_path", "repetition_penalty", "no_repeat_ngram_size"),
    ),
    training_defaults=_defaults(epochs=1.0, learning_rate=1e-4, unfreeze_last=16),
)
EMOJI = Kind(
    name="emoji",
    verb_phrase="write emoji",
    third_person="writes emoji",
    data="tables of emoji",
    preprocess_flags=("text_column", "emoji_target", "split_by", "aliases"),
    training_flags=(*_OF_WRITERS, "augment"),
    evaluation_flags=("compare_base", "limit", "errors_path", "escape_formulas"),
    training_defaults=_defaults(epochs=5.0, learning_rate=4e-4, batch_size=32, unfreeze_last=12),
)
MULTILABEL = Kind(
    name="multilabel",
    verb_phrase="give texts several labels",
    third_person="gives texts several labels",
    data="texts with several labels",
    preprocess_flags=(*_OF_POSTS, "labels", "label_column", "keep_conflicts"),
    evaluation_flags=("errors_path", "escape_formulas"),
    training_defaults=CLASSIFY.training_defaults,
    pipeline_tag="text-classification",
    problem_type="multi_label_classification",
    labels="multi",
)
KINDS = {kind.name: kind for kind in (GENERATE, CLASSIFY, MULTILABEL, SCORE, INSTRUCT, EMOJI)}
