"""Texts through CTranslate2: int8 arithmetic on a CPU, the same stop rules, draws of its own.

MERGED: A model as CTranslate2 has it: converted once, checked, and kept beside the model until its weights change."""

import functools
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import ctranslate2
import numpy
import torch
from tqdm import tqdm

from utils.errors import UserError
from utils.inference.generation import Generated, generated, in_order, rows_to_write
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings
from utils.models.tokenization import context_length, start_and_end

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from utils.inference.continuous_batching import GenerationRow
    from utils.inference.generation import Writer
    from utils.models.checkpoint import Trained


def open_writer(path: str, trained: "Trained", compute_type: str, batch_size: int, progress: str | None) -> "Writer":
    """What writes the texts of the model that `path` names. UserError where CTranslate2 cannot take it."""
    options = {"compute_type": compute_type, "batch_size": batch_size, "progress": progress}
    return functools.partial(
        write_texts, str(converted_model(path, trained)), trained.tokenizer, context_length(trained.model), **options
    )


def write_texts(
    folder: str,
    tokenizer: "PreTrainedTokenizerBase",
    context: int,
    ids: Sequence[list[int]],
    sampling: Sampling,
    compute_type: str,
    batch_size: int,
    progress: str | None = None,
    end: int | None = None,
) -> list[list[Generated]]:
    """As `generation.generate_from_ids`, but that draws depend on the batches, too; `folder`: of a converted model.

    Of the sampling's settings, min_p, the repetition penalty and beams are for transformers alone: CTranslate2's
    penalty leaves out the prompt, and its beam search ends sooner.
    """
    end = start_and_end(tokenizer)[1] if end is None else end
    rows = rows_to_write(ids, sampling, context)
    stop = StopStrings(tokenizer, sampling.stop)
    # A generator's threads take the seed as they start, so each call starts them anew.
    seed = numpy.random.SeedSequence(sampling.seed).generate_state(1)[0]
    ctranslate2.set_random_seed(int(seed))
    generator = ctranslate2.Generator(folder, compute_type=compute_type, intra_threads=torch.get_num_threads())
    results = {row.number: [] for row in rows}
    with tqdm(total=len(rows), desc=progress, unit=" texts", disable=None if progress else True) as bar:
        for batch in _batches(rows, batch_size):
            for row, new in zip(batch, _generate(generator, tokenizer, batch, sampling, end, stop), strict=True):
                text = generated(tokenizer, row.prompt, new, end, sampling.stop)
                results[row.number].append(text)
            bar.update(len(batch))
    return in_order(results, len(ids))


def _batches(rows: Sequence["GenerationRow"], size: int) -> Iterator[list["GenerationRow"]]:
    """Rows with one limit on new tokens. A prompt that is the start token alone stands with its like: beside it,
    CTranslate2 (4.8) gives the rest of longer prompts back as if it were written."""

    def kind(row: "GenerationRow") -> tuple[int, bool]:
        return row.max_new_tokens, len(row.prompt) == 1

    batch = []
    for row in rows:
        if batch and (len(batch) == size or kind(row) != kind(batch[0])):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _generate(generator, tokenizer, rows: list["GenerationRow"], sampling: Sampling, end: int, stop) -> list[list[int]]:
    """The new ids of each row."""
    written = [[] for _ in rows]

    def has_stopped(step: ctranslate2.GenerationStepResult) -> bool:
        written[step.batch_id].append(step.token_id)
        return stop(rows[step.batch_id].prompt, written[step.batch_id])

    options = {"sampling_topk": 1}
    if sampling.draws:
        options = {
            "sampling_topk": sampling.top_k,
            "sampling_topp": sampling.top_p,
            "sampling_temperature": sampling.temperature,
        }
    if sampling.stop:
        options["callback"] = has_stopped
    limit = rows[0].max_new_tokens
    found = generator.generate_batch(
        [tokenizer.convert_ids_to_tokens(row.prompt) for row in rows],
        include_prompt_in_result=False,
        end_token=[end],
        return_end_token=True,
        max_length=limit,
        min_length=min(sampling.min_new_tokens, limit),
        no_repeat_ngram_size=sampling.no_repeat_ngram_size,
        **options,
    )
    return [result.sequences_ids[0] for result in found]


log = logging.getLogger(__name__)
ARCHITECTURES = ("gpt2", "llama")  # CTranslate2 knows more, and these are tested
SOURCE_FILE = "source.json"  # says what a folder was converted from, and that it is ours
MOST_OFF = 0.01  # natural logarithms of probabilities, in float32


def converted_model(path: str, trained: "Trained") -> Path:
    """The folder with the model in CTranslate2's format, in float32 (a Generator makes int8 of it as it loads).

    For a model at a path that is NAME.ctranslate2 beside it, else a folder in the Hugging Face cache. UserError
    where the model is of a kind that CTranslate2 does not compute, or the folder cannot be written.
    """
    kind = trained.model.config.model_type
    if kind not in ARCHITECTURES:
        raise UserError(
            f"{path} is a {kind} model, and --engine ctranslate2 is for {' and '.join(ARCHITECTURES)} models",
            "use --engine transformers, the default",
        )
    folder, source = (
        _conversion_folder(path),
        {"weights": _fingerprint(trained), "ctranslate2": ctranslate2.__version__},
    )
    if _source_of(folder) == source:
        return folder
    if folder.exists() and _source_of(folder) is None:
        raise UserError(f"{folder} exists and is not ours", "move it away, or use --engine transformers, the default")
    log.info("converting %s once for CTranslate2, into %s", path, folder)
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        new = _convert(trained, temporary)
        _check_conversion(new, trained)
        (new / SOURCE_FILE).write_text(json.dumps(source), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        new.replace(folder)
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: {error.strerror or error}", "free some space, or use --engine transformers"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _conversion_folder(path: str) -> Path:
    place = Path(path).expanduser()
    if place.exists() and place.suffix != ".gguf":
        place = place.resolve()
        return place.with_name(f"{place.name}.ctranslate2")
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "converted_ctranslate2" / path.replace("/", "--")


def _source_of(folder: Path) -> dict | None:
    """What a folder was converted from; None where it is not there, or not ours."""
    try:
        return json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _fingerprint(trained: "Trained") -> str:
    """SHA-256 of all that is converted: weights, shape and vocabulary."""
    digest = hashlib.sha256(trained.model.config.to_json_string().encode())
    digest.update(trained.tokenizer.backend_tokenizer.to_str().encode())
    for name, weights in sorted(trained.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(numpy.ascontiguousarray(weights.float().cpu().numpy()))
    return digest.hexdigest()


def _convert(trained: "Trained", temporary: Path) -> Path:
    """The model in CTranslate2's format, in a folder under `temporary`."""
    from ctranslate2.converters import TransformersConverter

    plain, new = temporary / "plain", temporary / "converted"
    trained.model.save_pretrained(plain)
    trained.tokenizer.save_pretrained(plain)
    TransformersConverter(str(plain)).convert(str(new))
    config = json.loads((new / "config.json").read_text(encoding="utf-8"))
    config["unk_token"] = config["unk_token"] or ""  # a byte-level vocabulary has none, and the Generator wants text
    (new / "config.json").write_text(json.dumps(config), encoding="utf-8")
    new.chmod(0o755)
    return new


def _check_conversion(folder: Path, trained: "Trained") -> None:
    """UserError where the converted model computes something else than the model: a setting that is not converted."""
    length = min(32, context_length(trained.model))
    ids = (torch.arange(length)[None] * 997 + 7) % len(trained.tokenizer)
    with torch.no_grad():
        expected = trained.model(ids).logits.float().log_softmax(-1)[0].numpy()
    tokens = trained.tokenizer.convert_ids_to_tokens(ids[0].tolist())
    generator = ctranslate2.Generator(str(folder), compute_type="float32")
    found = numpy.array(generator.forward_batch([tokens], return_log_probs=True))[0]
    off = numpy.abs(found - expected).max()
    if not off < MOST_OFF:
        raise UserError(
            f"CTranslate2 does not compute what this model computes: log-probabilities are off by {off:.3g}",
            "use --engine transformers, the default",
        )
