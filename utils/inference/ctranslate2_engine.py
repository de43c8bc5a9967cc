"""Texts through CTranslate2, in int8 on a CPU. A model is converted once, and kept beside the original."""

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import ctranslate2
import numpy
import torch

from utils.errors import UserError
from utils.inference.generation import USE_DEFAULT_ENGINE, Generated, TextGenerator, decode_texts, group_by_prompt
from utils.inference.requests import Request, make_requests, static_batches
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings
from utils.models.checkpoint import Trained
from utils.models.tokenization import context_length, start_and_end
from utils.system_errors import as_os_errors
from utils.temporary import folder_for_a_while
from utils.terminal.progress import late_bars_of_transformers

log = logging.getLogger(__name__)
ARCHITECTURES = ("gpt2", "llama")  # CTranslate2 supports more, but these are tested
SOURCE_FILE = "source.json"  # says what a folder was converted from, and that it is ours
TOLERANCE = 0.01  # of log probabilities, in float32


def open_text_generator(
    path: str, trained: Trained, compute_type: str, batch_size: int, progress: str | None
) -> TextGenerator:
    """Return a `generate_from_ids` (see `generation`) for the model at `path`; its draws depend on the batches.

    UserError where CTranslate2 does not support the model. min_p, the repetition penalty and beams are not supported:
    CTranslate2's penalty ignores the prompt, and its beam search ends earlier.
    """
    tokenizer, context, folder = trained.tokenizer, context_length(trained.model), convert_model(path, trained)

    def generate(prompts: Sequence[list[int]], sampling: Sampling, end: int | None = None) -> list[list[Generated]]:
        end = start_and_end(tokenizer)[1] if end is None else end
        requests = make_requests(prompts, sampling, context)
        # A generator's threads take the seed when they start, so each call starts new ones.
        ctranslate2.set_random_seed(int(numpy.random.SeedSequence(sampling.seed).generate_state(1)[0]))
        generator = ctranslate2.Generator(str(folder), compute_type=compute_type, intra_threads=torch.get_num_threads())
        finished = _generate(generator, tokenizer, requests, batch_size, sampling, end)
        return group_by_prompt(decode_texts(tokenizer, finished, end, sampling, len(requests), progress), len(prompts))

    return generate


def _generate(
    generator, tokenizer, requests: list[Request], batch_size: int, sampling: Sampling, end: int
) -> Iterator[tuple[Request, list[int]]]:
    """Yield (request, its new ids)."""
    stop = StopStrings(tokenizer, sampling.stop)
    options = {"sampling_topk": 1}
    if sampling.draws:
        options = {"sampling_topk": sampling.top_k, "sampling_topp": sampling.top_p}
        options["sampling_temperature"] = sampling.temperature

    def alike(request: Request) -> tuple[int, int]:
        # CTranslate2 (4.8) decodes what is longer than a batch's shortest prompt as if it were generated: it returns
        # that where the shortest is the start token alone, and no_repeat_ngram_size counts it as what was written.
        length = len(request.prompt_ids)
        return request.max_new_tokens, length if sampling.no_repeat_ngram_size else length == 1

    for batch in static_batches(requests, batch_size, alike):

        def has_stopped(step: ctranslate2.GenerationStepResult, batch: list[Request] = batch) -> bool:
            request = batch[step.batch_id]
            request.new_ids.append(step.token_id)
            return stop(request.prompt_ids, request.new_ids)

        limit = batch[0].max_new_tokens
        results = generator.generate_batch(
            [tokenizer.convert_ids_to_tokens(request.prompt_ids) for request in batch],
            include_prompt_in_result=False,
            end_token=[end],
            return_end_token=True,
            max_length=limit,
            min_length=min(sampling.min_new_tokens, limit),
            no_repeat_ngram_size=sampling.no_repeat_ngram_size,
            callback=has_stopped if sampling.stop else None,
            **options,
        )
        for request, result in zip(batch, results, strict=True):
            yield request, result.sequences_ids[0]


def convert_model(path: str, trained: Trained) -> Path:
    """Return the folder with the model in CTranslate2's format, in float32 (a Generator makes int8 of it on loading).

    The folder is NAME.ctranslate2 beside a model on disk, or else in the Hugging Face cache. The model is converted
    where that folder does not have these weights yet. UserError where CTranslate2 does not support the model, or the
    folder cannot be written.
    """
    model_type = trained.model.config.model_type
    if model_type not in ARCHITECTURES:
        raise UserError(
            f"{path} is a {model_type} model, but --engine ctranslate2 supports {' and '.join(ARCHITECTURES)} models",
            USE_DEFAULT_ENGINE,
        )
    folder = _conversion_folder(path)
    source = {"weights": _fingerprint(trained), "ctranslate2": ctranslate2.__version__}
    if _source_of(folder) == source:
        return folder
    if folder.exists() and _source_of(folder) is None:
        hint = f"move it elsewhere, or {USE_DEFAULT_ENGINE}"
        raise UserError(f"{folder} exists and is not one that we converted", hint)
    log.info("converting %s once for CTranslate2, into %s", path, folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder_for_a_while(folder.parent, f".{folder.name}.") as temporary, as_os_errors():
            new = _convert(trained, temporary)
            _check_conversion(new, trained)
            (new / SOURCE_FILE).write_text(json.dumps(source), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            new.replace(folder)
    except OSError as error:
        hint = f"free some disk space, or {USE_DEFAULT_ENGINE}"
        raise UserError(f"cannot write {folder}: {error.strerror or error}", hint) from error
    return folder


def _conversion_folder(path: str) -> Path:
    model = Path(path).expanduser()
    if model.exists() and model.suffix != ".gguf":
        model = model.resolve()
        return model.with_name(f"{model.name}.ctranslate2")
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "converted_ctranslate2" / path.replace("/", "--")


def _source_of(folder: Path) -> dict | None:
    """Return what a folder was converted from; None where it does not exist or is not ours."""
    try:
        return json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _fingerprint(trained: Trained) -> str:
    """Return the SHA-256 of weights, configuration and vocabulary."""
    digest = hashlib.sha256(trained.model.config.to_json_string().encode())
    digest.update(trained.tokenizer.backend_tokenizer.to_str().encode())
    for name, weights in sorted(trained.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(numpy.ascontiguousarray(weights.float().cpu().numpy()))
    return digest.hexdigest()


def _convert(trained: Trained, temporary: Path) -> Path:
    """Return a folder under `temporary` with the converted model."""
    from ctranslate2.converters import TransformersConverter

    plain, new = temporary / "plain", temporary / "converted"
    with late_bars_of_transformers():
        trained.model.save_pretrained(plain)
        trained.tokenizer.save_pretrained(plain)
        TransformersConverter(str(plain)).convert(str(new))
    config = json.loads((new / "config.json").read_text(encoding="utf-8"))
    config["unk_token"] = config["unk_token"] or ""  # a byte-level vocabulary has none, but the Generator needs a text
    (new / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return new


def _check_conversion(folder: Path, trained: Trained) -> None:
    """Raise UserError where the converted model computes something else: a setting that is not converted."""
    length = min(32, context_length(trained.model))
    ids = (torch.arange(length)[None] * 997 + 7) % len(trained.tokenizer)
    with torch.no_grad():
        expected = trained.model(ids).logits.float().log_softmax(-1)[0].numpy()
    tokens = trained.tokenizer.convert_ids_to_tokens(ids[0].tolist())
    generator = ctranslate2.Generator(str(folder), compute_type="float32")
    actual = numpy.array(generator.forward_batch([tokens], return_log_probs=True))[0]
    difference = numpy.abs(actual - expected).max()
    if not difference < TOLERANCE:
        problem = f"CTranslate2 computes other log probabilities than this model: they differ by {difference:.3g}"
        raise UserError(problem, USE_DEFAULT_ENGINE)
