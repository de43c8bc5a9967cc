"""Prepare processed data and a base model for training: model, objective and rows."""

import contextlib
import logging
import math
import random
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.compute.batching import pad_rows
from utils.compute.forward import find_batching
from utils.compute.prefix_cache import PrefixCache
from utils.errors import UsageError, UserError
from utils.inference.sampling import Sampling
from utils.models import checkpoint
from utils.models.chat_templates import open_chat_template, set_chat_template
from utils.models.classifier_tokenizer import encode_for_classification, surroundings, truncate, with_template
from utils.models.tokenization import context_length, longest_text, padding_id
from utils.preprocessing.emoji.unicode import subsample_skin_tones
from utils.processed import Processed
from utils.tasks.kinds import KINDS
from utils.tasks.label_kinds.label_kinds import LABEL_KINDS
from utils.training.adapters.frozen_weights import on_device
from utils.training.adapters.lora import with_adapters
from utils.training.encoders.embedder import read_embedder
from utils.training.encoders.probe import probe_of_encoder
from utils.training.forecast.loading import check_loading
from utils.training.freezing import freeze_classifier_parameters, freeze_parameters
from utils.training.labels.label_errors import check_has_folds
from utils.training.labels.learning import LEARNING
from utils.training.linear_probe import Fitting, part_for_probe, probe_of_writer, rows_for_probe
from utils.training.objectives import Objective, language_modeling
from utils.training.rows import (
    labeled_rows,
    oversample_and_augment,
    parse_class_weights,
    reworded_rows,
    rows_with_labels,
    training_rows,
)

log = logging.getLogger(__name__)
FEWEST_VALIDATED = 100  # texts: they take a moment
# How far padding may move logits, relative to the largest: 75 architectures moved them by 2e-6 at most, and those whose
# convolutions (ConvBERT), Fourier transforms (FNet) or landmarks (Nystromformer) see the padding by 0.01 or more.
ROUNDING = 1e-3
PROBES = ("a text", "another text, which is longer: it fills more than one line of an average book, or of a letter")
SAMPLES = 2  # texts that are shown at every evaluation
SHORTEST_SAMPLE = 16  # tokens that one may have, whatever the data
TRAINING_SPLITS = ("train", "validation")  # the test split is for evaluate_model.py


@dataclass(frozen=True)
class Probe:
    """The linear probe that sets a classifier's head: the `rows` that it takes, and its function."""

    rows: Sequence[dict]
    run: Callable[..., numpy.ndarray]  # on these rows, or on those that it gets as `probed`; as `LinearProbe.start`
    states: Callable[..., list]  # as in `LinearProbe`
    fitting: Fitting

    def part(self, limit: float, seed: int) -> "Probe":
        """Return the probe of at least `limit` random rows, or of all if there are not more."""
        some = part_for_probe(self.rows, limit, seed, self.fitting)
        return replace(self, rows=some, run=partial(self.run, probed=some))


@dataclass(frozen=True)
class TrainingSetup:
    """A base model, partly frozen, its objective, and the rows of the two splits by name.

    No row is longer than `max_length` tokens. `freeze(model, unfreeze_last)` freezes a copy of the base model. `probe`
    is still to run where there is one.
    """

    base: checkpoint.Trained
    objective: Objective
    rows: dict[str, list[dict]]
    max_length: int
    freeze: Callable[[PreTrainedModel, int | None], None]
    probe: Probe | None = None
    template: str | None = None  # around a text to classify


def prepare(
    data: Processed, name: str, flags: Namespace, device: str, precision: str, prefix_cache: PrefixCache
) -> TrainingSetup:
    """Load the base model `name` and prepare it for the data's kind of task, as the flags of fine_tune.py ask.

    UserError if the model, or a flag for it, does not suit the data.
    """
    check_loading(name)
    if data.recipe["kind"] in LEARNING:
        return _prepare_classifier(data, name, flags, device, precision, prefix_cache)
    return _prepare_language_model(data, name, flags)


def _prepare_language_model(data: Processed, name: str, flags: Namespace) -> TrainingSetup:
    """Prepare a model that learns to write texts, answers to instructions, or emoji for descriptions.

    With --loss_on all, it learns to write the prompts too; validation always counts the completions only.
    """
    base = checkpoint.load_base_writer(name)
    answers = data.recipe["kind"] == "instruct"
    if answers:
        set_chat_template(base.tokenizer, data.recipe["template"])
    freeze = with_adapters(partial(freeze_parameters, train_head=flags.train_head), flags)
    freeze(base.model, flags.unfreeze_last)
    longest = min(flags.max_length or sys.maxsize, context_length(base.model))
    if data.recipe["kind"] == "emoji":
        data = _with_fewer_skin_tones(data, flags.seed)
    rows = training_rows(data, base.tokenizer, longest, TRAINING_SPLITS)
    if flags.loss_on == "all":
        rows["train"] = [{**row, "loss_start": 1, "completion_start": row["loss_start"]} for row in rows["train"]]
    if flags.augment:
        copies = reworded_rows(data, base.tokenizer, longest, flags.seed)
        log.info("training on %s texts and %s reworded copies", f"{len(rows['train']):,}", f"{len(copies):,}")
        rows["train"] += copies
    prompts = [list(row["input_ids"][: row["loss_start"]]) for row in rows["validation"][:SAMPLES]]
    end = open_chat_template(base.tokenizer).end if answers else None
    samples = {"longest_sample": _longest_sample(rows["validation"])}
    samples["short_at_start"] = flags.time_limit is None  # which takes the time of an evaluation from the first
    objective = language_modeling(base, prompts, end=end, **samples)
    return TrainingSetup(base, objective, rows, longest, freeze)


def _longest_sample(rows: Sequence[dict]) -> int:
    """Return the most tokens of a sample: twice as many as the completions of these rows have on average."""
    tokens = sum(len(row["input_ids"]) - row["loss_start"] for row in rows)
    return min(Sampling.max_new_tokens, max(SHORTEST_SAMPLE, 2 * tokens // max(1, len(rows))))


def _with_fewer_skin_tones(data: Processed, seed: int) -> Processed:
    """Return the data with all emoji without a skin tone, and few with one, to train on."""
    train = data.splits["train"]
    kept = train.take(subsample_skin_tones(train.metadata["emoji"], seed))
    if dropped := len(train) - len(kept):
        log.info("training on all emoji without a skin tone, and leaving out %s of the rows with one", f"{dropped:,}")
    return replace(data, splits={**data.splits, "train": kept})


def _prepare_classifier(
    data: Processed, name: str, flags: Namespace, device: str, precision: str, prefix_cache: PrefixCache
) -> TrainingSetup:
    """Prepare a model that learns labels. A linear probe is to set its head, if the base model allows it."""
    labels, train, kind = data.recipe["labels"], data.splits["train"], KINDS[data.recipe["kind"]]
    learning = LEARNING[kind.name]
    if flags.threshold != "auto" and len(labels) > 2:
        problem = f"--threshold {flags.threshold} is for two classes, and the data has {len(labels)}"
        raise UsageError(problem, "remove it: the most probable class is predicted")
    weights = parse_class_weights(flags.class_weights, train.label, labels)
    base = checkpoint.load_base_classifier(name, labels, flags.seed, kind.problem_type)
    embedder = read_embedder(name) if base.tokenizer.cls_token_id is not None else None
    longest = min(flags.max_length or sys.maxsize, longest_text(base.model, base.tokenizer))
    if embedder:
        longest = min(longest, embedder.max_length or sys.maxsize)
        data = replace(data, recipe={**data.recipe, "template": embedder.template})
    tokenizer = with_template(base.tokenizer, data.recipe["template"], longest)
    _check_room(tokenizer, longest, given=flags.max_length is not None)
    rows = labeled_rows(data, base.tokenizer, longest, TRAINING_SPLITS)
    base = replace(base, tokenizer=tokenizer)
    if flags.oversample or flags.augment:
        options = {"oversample": flags.oversample, "augment": flags.augment, "seed": flags.seed}
        texts, text_labels, sources = oversample_and_augment(train.prompt, train.label, **options)
        log.info("training on %s texts, made of %s", f"{len(texts):,}", f"{len(train):,}")
        encoded, tail = encode_for_classification(base.tokenizer, texts[len(train) :])
        numbers = LABEL_KINDS[kind.name].targets(text_labels[len(train) :], labels, train.label)
        further = rows_with_labels(encoded, tail, numbers, longest)
        groups = [train.group[source] for source in sources[len(train) :]]
        rows["train"] += [{**row, "group": group} for row, group in zip(further, groups, strict=True)]
    fitting = learning.fitting
    linear = probe_of_writer(base, rows["train"], fitting) or probe_of_encoder(base, rows["train"], embedder, fitting)
    freeze = with_adapters(freeze_classifier_parameters, flags)
    freeze(base.model, flags.unfreeze_last)
    _check_padding(name, base, longest)
    objective = learning.objective(base, weights, data)
    check_has_folds(flags, train, probed=linear is not None)
    probe = None
    if linear is not None:
        probed = rows_for_probe(rows["train"], flags, fitting)
        arguments = (linear.start, base, objective, rows, weights, device, precision, prefix_cache, flags.load_in_4bit)
        probe = Probe(probed, partial(_run_probe, *arguments, probed=probed), linear.states, fitting)
    return TrainingSetup(base, objective, rows, longest, freeze, probe, template=data.recipe["template"])


def _run_probe(
    start, base, objective, rows, weights, device, precision, prefix_cache, load_in_4bit, *, probed
) -> numpy.ndarray:
    if prefix_cache.has(base.model, probed):
        rows = {"train": probed}
    if len(probed) < len(rows["train"]):
        caching = contextlib.nullcontext({"train": probed})  # the cache would take all rows
    else:
        caching = prefix_cache.cached_rows(base.model, objective.collate, rows, precision=precision, epochs=math.inf)
    with on_device(base.model, device, precision, load_in_4bit=load_in_4bit), caching as cached:  # as for training
        return start(cached["train"], weights, bfloat16=precision == "bf16")


def validation_rows(rows: list[dict], flags: Namespace) -> list[dict]:
    """Return all rows, or a random part of them where --max_steps takes less time than validating on all of them."""
    asked = flags.eval_strategy or flags.eval_on_start == "on" or flags.save_steps or flags.search
    trained = (flags.max_steps or math.inf) * flags.batch_size * flags.gradient_accumulation_steps
    limit = max(FEWEST_VALIDATED, 2 * trained)
    if asked or len(rows) <= limit:
        return rows
    log.info(
        "validating on %s of %s texts, since --max_steps %d trains on %s; --eval_on_start on uses all",
        *(f"{number:,}" for number in (limit, len(rows))),
        flags.max_steps,
        f"{trained:,}",
    )
    return random.Random(flags.seed).sample(rows, limit)


def _check_padding(name: str, base: checkpoint.Trained, longest: int) -> None:
    """Raise UserError for a model that gives a text in a batch other logits than alone, as other tools would then."""
    encoded, tail = encode_for_classification(base.tokenizer, PROBES)
    rows = [{"input_ids": truncate(ids, longest, tail)} for ids in encoded]
    pad = partial(pad_rows, pad_id=padding_id(base.tokenizer), side=base.tokenizer.padding_side)
    if not find_batching(base.model, rows, pad, ROUNDING).padding:
        kind = type(base.model).__name__
        problem = f"the answers of {name} ({kind}) to a text depend on the padding of its batch"
        raise UserError(problem, "choose another base model, such as BERT, RoBERTa or smollm2")


def _check_room(tokenizer: PreTrainedTokenizerBase, longest: int, *, given: bool) -> None:
    """Raise UsageError if the template leaves no token for a text; UserError where the base model is the limit."""
    around = sum(map(len, surroundings(tokenizer)))
    if around < longest:
        return
    if given:
        problem = f"--max_length {longest} leaves no room for a text: the template around it has {around} tokens"
        raise UsageError(problem, f"raise it to {around + 1} at least; texts have about 1.3 tokens per word")
    problem = f"{tokenizer.name_or_path} takes {longest} tokens, and the template around a text has {around}"
    raise UserError(problem, "choose another base model")
