"""A trained model, opened from a folder or a .pt file that fine_tune.py wrote, or a base model to be trained."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.models.base_models import BaseModel, resolve
from utils.models.chat_templates import ChatTemplate, open_chat_template
from utils.models.classifier_tokenizer import find_head, fold_temperature, has_template, surroundings, with_template
from utils.models.load_errors import COPY_AGAIN
from utils.models.model_checks import check_open_model
from utils.models.opening.load import is_classifier, load_causal_lm, load_classifier, load_tokenizer
from utils.models.pt_file import load_pt
from utils.models.run_file import RESTORE, RUN_FILE, read_run
from utils.models.tokenization import context_length, padding_id, positions_after_padding
from utils.tasks.kinds import CLASSIFY, KINDS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Trained:
    """A model with its tokenizer. `run` is the contents of run.json; empty if fine_tune.py did not write the model."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    run: dict

    @property
    def context(self) -> int:
        """The maximum number of tokens of a text."""
        return context_length(self.model)

    @property
    def chat_template(self) -> ChatTemplate:
        """The tokenizer's chat template, ready to use. UserError without one."""
        return open_chat_template(self.tokenizer)


def load(name: str) -> Trained:
    """Load the model that --model_path names, in float32 and eval mode.

    `name` is a folder or a .pt file that `saving.save` wrote, or a base model (see `base_models.resolve`).
    """
    trained = Trained(*load_pt(Path(name))) if Path(name).suffix == ".pt" else _load_folder(name)

    from utils.compute.short_attention import use_short_attention

    check_open_model(name, trained.model, trained.tokenizer, writes=not is_trained_classifier(trained.model))
    use_short_attention(trained.model)
    return _self_contained(name, trained)


def _self_contained(name: str, trained: Trained) -> Trained:
    """Return a classifier of an earlier version as new ones are saved: the template in its tokenizer, the temperature
    in its head. Any other model is returned as it is.

    UserError where its run.json is not that of the model.
    """
    run = trained.run
    if run.get("kind") is None or KINDS[run["kind"]].problem_type is None:
        return trained
    if run.get("self_contained"):
        _check_template(name, trained.model, trained.tokenizer)
        return trained
    tokenizer = with_template(
        trained.tokenizer, run.get("template", "{prompt}"), run.get("max_length"), space_in_template=False
    )
    trained.model.config.problem_type = "single_label_classification"
    _check_template(name, trained.model, tokenizer)
    head = find_head(trained.model, tokenizer)
    if head is not None:
        fold_temperature(head, (run.get("calibration") or {}).get("temperature", 1.0))
    return Trained(trained.model, tokenizer, {**run, "self_contained": head is not None})


def _check_template(name: str, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raise UserError where the tokenizer of a trained classifier has no template, or one that leaves no room."""
    if not has_template(tokenizer):
        raise UserError(f"the tokenizer of {name} is not the one that fine_tune.py saved with it", COPY_AGAIN)
    around = sum(map(len, surroundings(tokenizer)))
    if around >= context_length(model):
        problem = f"the template of {name} has {around:,} tokens, and its context is {context_length(model):,}"
        raise UserError(problem, RESTORE)


def load_writer(name: str) -> Trained:
    """Load a model that generates text; UserError for a classifier."""
    trained = load(name)
    if is_trained_classifier(trained.model):
        hint = f"use it with: python classify.py --model_path {shlex.quote(name)}"
        raise UserError(f"{name} is a classifier and cannot write texts", hint)
    return trained


def load_base_writer(name: str) -> Trained:
    """Load a base model, or a trained one, that is to learn to write; UserError for a classifier."""
    trained = load(name)
    if is_trained_classifier(trained.model):
        base = trained.run.get("base_model")
        hint = f"train its base model: --model {base}" if base else "choose a causal model such as gpt2 or smollm2"
        problem = f"{name} is a classifier ({type(trained.model).__name__}) and cannot learn to write"
        raise UserError(problem, f"{hint}; to train this one on labels, preprocess.py --task reviews")
    return trained


def load_base_classifier(
    name: str, labels: Sequence[str], seed: int, problem_type: str = "single_label_classification"
) -> Trained:
    """Load a base model with a new head for the labels, initialized with the seed, and set its padding token.

    RoBERTa and its relatives keep the one in their configuration, from which they count positions.
    """
    return _open_classifier(resolve(name), labels, seed, problem_type)


def _open_classifier(base: BaseModel, labels: Sequence[str] | None, seed: int, problem_type: str) -> Trained:
    """Open a base model with a new head for the labels or, without them, a classifier's adapter with its own."""
    import torch

    from utils.compute.device import kept_random_numbers
    from utils.compute.short_attention import use_short_attention

    tokenizer = load_tokenizer(base)
    with kept_random_numbers():
        torch.manual_seed(seed)
        model = load_classifier(base, labels, padding_id(tokenizer))
    check_open_model(base.name, model, tokenizer, writes=False)
    use_short_attention(model)
    if not positions_after_padding(model):
        model.config.get_text_config().pad_token_id = padding_id(tokenizer)
    model.config.problem_type = problem_type
    if hasattr(model.config, "use_mems_eval"):
        model.config.use_mems_eval = False  # XLNet's memories of a batch, which a pipeline cannot take apart
    return Trained(model, tokenizer, {})


def is_trained_classifier(model: "PreTrainedModel") -> bool:
    """Return whether the model is a classifier, not a language model."""
    return type(model).__name__.endswith("ForSequenceClassification")


def files_of_model(name: str | Path) -> list[Path]:
    """Return the files that a model is read from, without those that evaluate_model.py writes into its folder."""
    path = Path(name).expanduser()
    written = ("evaluation.json", "answers.jsonl", ".csv", "report.html")
    if not path.is_dir():
        return [path]
    return [file for file in path.rglob("*") if file.is_file() and not file.name.endswith(written)]


def base_model_of(name: str, run: dict) -> str:
    """Return the name of the model that `name` was fine-tuned from, according to its run.json."""
    if "base_model" not in run:
        raise UserError(f"{name} does not name its base model", "leave out --compare_base")
    return run["base_model"]


def _load_folder(name: str) -> Trained:
    base = resolve(name)
    folder = base.adapters[-1] if base.adapters else Path(base.location) if base.location else None
    run = read_run(folder / RUN_FILE) if folder and (folder / RUN_FILE).is_file() else {}
    if base.adapters and is_classifier(base):
        kind = KINDS[run.get("kind", CLASSIFY.name)]
        return replace(_open_classifier(base, None, 0, kind.problem_type), run=run)
    model = load_classifier(base) if is_classifier(base) else load_causal_lm(base)
    return Trained(model, load_tokenizer(base), run)
