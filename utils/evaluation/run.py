"""A whole run of evaluate_model.py: check, load, measure by kind of model, and write."""

import json
import logging
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path

from utils import distributed
from utils.errors import UserError
from utils.evaluation.checks import (
    check_fits,
    check_flags,
    check_not_foreign,
    check_outputs,
    default_answers,
    default_output,
)
from utils.evaluation.evaluation import Evaluation
from utils.evaluation.mistakes import write_mistakes
from utils.evaluation.report.pictures import check_pictures, write_pictures
from utils.evaluation.report.write import check_new, report_path
from utils.files import atomic_write, identity, sha256_of
from utils.inference.sampling import ANSWER_MAX_NEW_TOKENS, ANSWER_NO_REPEAT_NGRAM_SIZE, Sampling
from utils.locks import one_writer
from utils.models import checkpoint
from utils.models.base_models import check_present, describe_base
from utils.models.checkpoint import Trained
from utils.models.opening.adapter_folder import name_base
from utils.models.run_file import check_record
from utils.processed import Processed, load_processed

NUM_SAMPLES = 64
REPEATED = ("compare_base", "limit", "num_samples", "max_new_tokens", "repetition_penalty", "no_repeat_ngram_size")
REPEATED += ("seed", "precision", "base_model")  # flags that change the figures
Evaluated = tuple[dict, str, Callable[[], None]]  # figures, tables, and the writer of a further file's rows
log = logging.getLogger(__name__)


def evaluate_and_write(args) -> Evaluation:
    """Evaluate a model as the flags ask; write evaluation.json, further files and the model card."""
    data = load_processed(args.data_path)
    kind = data.recipe["kind"]
    check_flags(args, kind)
    model_path = Path(args.model_path)
    name_base(str(args.model_path), args.base_model)
    check_present(str(args.model_path))
    unnamed_answers = kind == "instruct" and args.answers_path is None
    if unnamed_answers:
        args.answers_path = default_answers(model_path, args.output_path)
    output_path = args.output_path or default_output(model_path)
    page = report_path(args.report, output_path)
    check_new([page], args.overwrite)
    check_pictures(args.plots, args.overwrite)
    outputs = [path for path in (output_path, args.errors_path, args.label_errors, args.answers_path, page) if path]
    with one_writer(*outputs):
        check_outputs([args.data_path, args.config, *checkpoint.files_of_model(model_path)], outputs)
        check_not_foreign([] if args.output_path else [output_path, *[args.answers_path] * unnamed_answers])
        evaluation, tables = _evaluate_and_write(args, data, output_path, outputs, page)
    return Evaluation(evaluation, tables, tuple(outputs))


def _evaluate_and_write(
    args, data: Processed, output_path: Path, outputs: list[Path], page: Path | None
) -> tuple[dict, str]:
    """Return (the content of evaluation.json, one of the `outputs`; tables). `page` is the report's path, or None.

    UserError, with nothing written, if the model was replaced.
    """
    from utils.compute.device import choose_device, choose_precision
    from utils.evaluation.origin import describe_data, describe_training
    from utils.evaluation.report.page import render, sections_of
    from utils.models.model_card import is_edited, write_card

    kind, model_path = data.recipe["kind"], Path(args.model_path)
    found = identity(model_path)
    device = choose_device(args.device)
    # An older GPU would train in float16, which is not for scoring.
    precision = "bf16" if choose_precision(args.precision, device) == "bf16" else "fp32"
    distributed.initialize(device)
    trained = checkpoint.load(args.model_path)
    if trained.run:
        check_record(args.model_path, trained.run)
    data_sha256 = sha256_of(args.data_path)
    check_fits(args.model_path, trained, args.data_path, data, data_sha256)
    models = _models_of(args, trained)
    if args.compare_base:
        check_outputs(checkpoint.files_of_model(trained.run["base_model"]), outputs)
    for each in models.values():
        each.model.to(device)
    figures, tables, write_rows = _EVALUATORS[kind](args, models, data, {"seed": args.seed, "precision": precision})
    evaluation = {
        "model_path": args.model_path,
        "base_model": trained.run.get("base_model"),
        "base_model_description": describe_base(trained.run.get("base_model")),
        "data_path": str(args.data_path),
        "data_sha256": data_sha256,
        "split": "test",
        "precision": precision,
        "seed": args.seed,
        **figures,
        "trained_on_other_data": bool(trained.run) and trained.run["data"]["sha256"] != data_sha256,
        "data": describe_data(data, trained),
        "training": describe_training(model_path, trained, _command(args)),
    }
    if args.compare_base:
        tables += f"\n\nbase: {evaluation['base_model_description']}"
    text = json.dumps(evaluation, indent=2, ensure_ascii=False)
    if identity(model_path) != found:
        raise UserError(f"{model_path} was replaced while it was evaluated", "evaluate it again; nothing was written")
    has_card = trained.run and model_path.is_dir()
    edited = has_card and is_edited(model_path)
    write_rows()
    with atomic_write(output_path, "w") as file:
        file.write(text + "\n")
    if page is not None:
        html = render(evaluation)
        with atomic_write(page, "w") as file:
            file.write(html)
    if args.plots is not None:
        write_pictures(args.plots, [plot for section in sections_of(evaluation) for plot in section.plots])
    if edited:
        log.warning("warning: %s/README.md was edited, so it is kept; the figures are in %s", model_path, output_path)
    elif has_card:
        write_card(model_path, trained.run, evaluation)
    return evaluation, tables


def _command(args) -> list[str]:
    """The command that evaluates the model again in the same way."""
    words = ["python", "evaluate_model.py", "--model_path", str(args.model_path), "--data", str(args.data_path)]
    for name in REPEATED:
        value = getattr(args, name)
        if value not in (None, False):
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return [*words, "--report"]


def _models_of(args, trained: Trained) -> dict[str, Trained]:
    """Return the model as "tuned", and before it, with --compare_base, its base model as "base"."""
    if not args.compare_base:
        return {"tuned": trained}
    base = args.base_model or checkpoint.base_model_of(args.model_path, trained.run)
    return {"base": checkpoint.load(base), "tuned": trained}


def _evaluate_writer(args, models: dict[str, Trained], data: Processed, settings: dict) -> Evaluated:
    """Evaluate models that write texts."""
    from utils.evaluation.texts import evaluate_texts, format_texts_report

    num_samples, longest = args.num_samples or NUM_SAMPLES, args.max_new_tokens or Sampling.max_new_tokens
    figures = evaluate_texts(models, data, num_samples=num_samples, max_new_tokens=longest, **settings)
    return figures, format_texts_report(figures), lambda: None


def _evaluate_answerer(args, models: dict[str, Trained], data: Processed, settings: dict) -> Evaluated:
    """Evaluate models that answer instructions; the answers are for --answers_path."""
    from utils.evaluation.answers import evaluate_answers, format_answers_report, write_answers

    no_repeat = args.no_repeat_ngram_size
    if no_repeat is None:  # as generate.py answers
        no_repeat = models["tuned"].run.get("sampling", {}).get("no_repeat_ngram_size", ANSWER_NO_REPEAT_NGRAM_SIZE)
    sampling = Sampling(
        do_sample=False,
        max_new_tokens=args.max_new_tokens or ANSWER_MAX_NEW_TOKENS,
        repetition_penalty=args.repetition_penalty or Sampling.repetition_penalty,
        no_repeat_ngram_size=no_repeat,
    )
    figures, rows = evaluate_answers(models, data, sampling, limit=args.limit, **settings)
    write = partial(write_answers, args.answers_path, rows)
    return {"kind": "instruct", **figures}, format_answers_report(figures, rows), write


def _evaluate_scorer(args, models: dict[str, Trained], data: Processed, settings: dict) -> Evaluated:
    """Evaluate a model that scores texts; its errors are for --errors_path."""
    from utils.evaluation.scores import scorers
    from utils.inference.classifier import open_classifier

    classifier = open_classifier(args.model_path, models["tuned"])
    if classifier.function != "none" or len(classifier.labels) > 1:
        problem = f"{args.model_path} gives no score, and {args.data_path} has scores"
        raise UserError(problem, "evaluate it on data with its own labels")
    figures, errors = scorers.evaluate_scorer(classifier, data, **settings)
    rows = scorers.error_rows(errors)
    write = partial(write_mistakes, args.errors_path, rows, escape_formulas=args.escape_formulas)
    return {"kind": "score", **figures}, scorers.format_scorer_report(figures), write


def _evaluate_labeler(args, models: dict[str, Trained], data: Processed, settings: dict) -> Evaluated:
    """Evaluate a model that gives texts several labels; its mistakes are for --errors_path."""
    from utils.evaluation.label_sets import labelers
    from utils.inference.classifier import open_classifier

    classifier = open_classifier(args.model_path, models["tuned"])
    if classifier.thresholds is None:
        problem = f"{args.model_path} has no thresholds of its labels, and {args.data_path} has several labels a text"
        raise UserError(problem, "evaluate a model that fine_tune.py trained on such data")
    labelers.check_labels(args.model_path, classifier.labels, args.data_path, data)
    figures, mistakes = labelers.evaluate_labels(classifier, data, **settings)
    rows = labelers.mistake_rows(mistakes, classifier.labels)
    write = partial(write_mistakes, args.errors_path, rows, escape_formulas=args.escape_formulas)
    return {"kind": "multilabel", **figures}, labelers.format_labels_report(figures), write


def _evaluate_classifier(args, models: dict[str, Trained], data: Processed, settings: dict) -> Evaluated:
    """Evaluate a model that classifies texts; its mistakes are for --errors_path."""
    from utils.evaluation import classifiers
    from utils.inference.classifier import open_classifier
    from utils.training.labels.label_errors import label_errors_record

    classifier = open_classifier(args.model_path, models["tuned"])
    if classifier.function != "softmax":
        kind = "gives a text several labels at once" if classifier.several_at_once else "gives a text a score, no label"
        raise UserError(
            f"{args.model_path} {kind}, which is not measured here",
            f"use it with: python classify.py --model_path {shlex.quote(str(args.model_path))}",
        )
    classifiers.check_labels(args.model_path, classifier.labels, args.data_path, data)
    figures, mistakes, suspects = classifiers.evaluate_classifier(classifier, data, **settings)
    if args.label_errors:
        figures["label_errors"] = label_errors_record(args.label_errors, suspects, figures["texts"])

    def write() -> None:
        mistaken = classifiers.mistake_rows(mistakes, classifier.labels)
        for path, rows in ((args.errors_path, mistaken), (args.label_errors, suspects)):
            write_mistakes(path, rows, escape_formulas=args.escape_formulas)

    return {"kind": "classify", **figures}, classifiers.format_classifier_report(figures), write


def _evaluate_emoji_writer(args, models: dict[str, Trained], data: Processed, settings: dict) -> Evaluated:
    """Evaluate models that write emoji; the tuned model's mistakes are for --errors_path."""
    from utils.evaluation.emoji import evaluate_emoji, format_emoji_report, mistake_rows

    figures, mistakes = evaluate_emoji(models, data, limit=args.limit, **settings)
    rows = mistake_rows(mistakes)
    write = partial(write_mistakes, args.errors_path, rows, escape_formulas=args.escape_formulas)
    return {"kind": "emoji", **figures}, format_emoji_report(figures), write


_EVALUATORS = {
    "generate": _evaluate_writer,
    "instruct": _evaluate_answerer,
    "classify": _evaluate_classifier,
    "multilabel": _evaluate_labeler,
    "score": _evaluate_scorer,
    "emoji": _evaluate_emoji_writer,
}
