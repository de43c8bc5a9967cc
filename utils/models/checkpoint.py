"""A trained model on disk: weights, tokenizer and run.json, as a folder or as one .pt file."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.files import atomic_write, check_writable, default_file_mode
from utils.models.base_models import (
    TRAIN_FIRST,
    is_classifier,
    load_causal_lm,
    load_classifier,
    load_tokenizer,
    resolve,
)
from utils.models.classifier_head import find_head, fold_temperature
from utils.models.classifier_tokenizer import has_template, surroundings, with_template
from utils.models.folder_checks import check_files, check_numbers, check_size
from utils.models.generation_settings import write_generation_settings
from utils.models.load_errors import COPY_AGAIN, open_with
from utils.models.model_checks import check_loading_report, check_open_model
from utils.models.run_file import RESTORE, RUN_FILE, read_run
from utils.models.tokenization import context_length, padding_id, positions_after_padding
from utils.tasks.kinds import CLASSIFY

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FORMAT = "small-text-fine-tuning/model"
VERSION = 1
LOG_FILE = "log.jsonl"
CARD_FILE = "README.md"


@dataclass(frozen=True)
class Trained:
    """A model with its tokenizer. `run` is the contents of run.json; empty if fine_tune.py did not write the model."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    run: dict


def load(name: str) -> Trained:
    """Load the model that --model_path names, in float32 and eval mode.

    `name` is a folder or a .pt file that `save` wrote, or a base model (see `base_models.resolve`).
    """
    trained = _load_pt(Path(name)) if Path(name).suffix == ".pt" else _load_folder(name)

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
    if run.get("kind") != CLASSIFY.name:
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
        hint = f"use it with: python classify.py --model_path {name}"
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


def load_base_classifier(name: str, labels: Sequence[str], seed: int) -> Trained:
    """Load a base model with a new head for the labels, initialized with the seed, and set its padding token.

    RoBERTa and its relatives keep the one in their configuration, from which they count positions.
    """
    import torch

    from utils.compute.short_attention import use_short_attention

    base = resolve(name)
    tokenizer = load_tokenizer(base)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = load_classifier(base, labels, padding_id(tokenizer))
    check_open_model(name, model, tokenizer, writes=False)
    use_short_attention(model)
    if not positions_after_padding(model):
        model.config.get_text_config().pad_token_id = padding_id(tokenizer)
    model.config.problem_type = "single_label_classification"
    if hasattr(model.config, "use_mems_eval"):
        model.config.use_mems_eval = False  # XLNet's memories of a batch, which a pipeline cannot take apart
    return Trained(model, tokenizer, {})


def is_trained_classifier(model: "PreTrainedModel") -> bool:
    """Whether the model is a classifier, not a language model."""
    return type(model).__name__.endswith("ForSequenceClassification")


def files_of_model(name: str | Path) -> list[Path]:
    """Return the files that a model is read from, without those that evaluate_model.py writes into its folder."""
    path = Path(name).expanduser()
    written = ("evaluation.json", "answers.jsonl", ".csv")
    if not path.is_dir():
        return [path]
    return [file for file in path.rglob("*") if file.is_file() and not file.name.endswith(written)]


def base_model_of(name: str, run: dict) -> str:
    """Return the name of the model that `name` was fine-tuned from, according to its run.json."""
    if "base_model" not in run:
        raise UserError(f"{name} does not say what it was fine-tuned from", "leave out --compare_base")
    return run["base_model"]


def check_output(path: Path, overwrite: bool) -> None:
    """Raise UserError if `path` has something that must not be replaced, or if it cannot be written."""
    is_file = path.suffix == ".pt"
    ours = is_written(path)
    free = not path.exists() or (not is_file and path.is_dir() and not any(path.iterdir()))
    if not ours and not free:
        hint = "choose another --output_path; nothing was changed"
        raise UserError(f"{path} exists, and fine_tune.py did not write it", hint)
    if ours and not overwrite:
        hint = "add --overwrite to replace it, or choose another --output_path"
        raise UserError(f"{path} already contains a trained model", hint)
    target = path.resolve()
    check_writable(target.with_name(f".{target.name}") if target.is_dir() else path)


def is_written(path: Path) -> bool:
    """Whether fine_tune.py has written a model to `path`."""
    return path.is_file() if path.suffix == ".pt" else (path / RUN_FILE).is_file()


def save_and_verify(
    path: Path, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", run: dict, history: list[dict]
) -> None:
    """Save the model with its log and model card, load it again, and check that it has the same weights and logits."""
    import torch

    from utils.models.model_card import model_card

    log = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in history)
    save(path, Trained(model, tokenizer, run), log, model_card(run, None))
    loaded = load(str(path)).model
    expected, actual = model.state_dict(), loaded.state_dict()
    if expected.keys() != actual.keys():
        raise RuntimeError(f"{path} has other weights than the model: {sorted(expected.keys() ^ actual.keys())}")
    if differing := [name for name in expected if not torch.equal(expected[name].cpu(), actual[name])]:
        raise RuntimeError(f"{path} does not have the weights of the model that was saved: {', '.join(differing)}")
    expected, actual = _probe_logits(model, tokenizer), _probe_logits(loaded, tokenizer)
    tolerance = 1e-5 * max(1.0, expected.abs().max().item())
    if not torch.allclose(expected, actual, rtol=0, atol=tolerance, equal_nan=True):
        difference = (expected - actual).abs().max()
        raise RuntimeError(f"{path} does not give the logits of the model that was saved: off by {difference}")


def _probe_logits(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> "Tensor":
    """Return the logits of a text of plain tokens, with the same random numbers (Reformer hashes with some) each time.

    A special token may mean something to the model: padding has no position in RoBERTa, and labels are read before it.
    """
    import torch

    from utils.compute.patching import eval_mode

    special = {*tokenizer.all_special_ids, model.config.get_text_config().pad_token_id}
    vocabulary = model.config.get_text_config().vocab_size
    plain = [id for id in range(min(vocabulary, 1000)) if id not in special] or [0]
    length = min(64, context_length(model))
    ids = torch.tensor([[plain[number * 997 % len(plain)] for number in range(length)]], device=model.device)
    with torch.random.fork_rng(), eval_mode(model), torch.inference_mode():
        torch.manual_seed(0)
        return model(ids).logits.cpu()


def save(path: Path, trained: Trained, log: str, card: str) -> None:
    """Write the model atomically as a folder, or as one file if `path` ends in .pt. An existing model is replaced.

    The folder is a Hugging Face model folder, with run.json, log.jsonl and README.md. The file has the same contents:
    weights as tensors, everything else as text.
    """
    from safetensors import SafetensorError

    check_output(path, overwrite=True)  # again, since training may have taken hours
    path = path.resolve()  # replaces the target of a link, not the link
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", ignore_cleanup_errors=True) as name:
            folder = Path(name) / "model"
            trained.model.save_pretrained(folder)
            trained.tokenizer.save_pretrained(folder)
            if "sampling" in trained.run:
                write_generation_settings(folder, trained.model.config, trained.tokenizer, trained.run)
            run = json.dumps(trained.run, indent=2, ensure_ascii=False) + "\n"
            for file_name, text in {RUN_FILE: run, LOG_FILE: log, CARD_FILE: card}.items():
                (folder / file_name).write_text(text, encoding="utf-8")
            for file in folder.iterdir():
                file.chmod(default_file_mode())  # safetensors makes its files readable by their owner only
            if path.suffix == ".pt":
                _pack(folder, path)
            else:
                _replace_folder(folder, path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot write {path}: {reason}", "free some space or choose another --output_path") from error


def _pack(folder: Path, path: Path) -> None:
    """Write the files of a model folder to a .pt file."""
    import torch
    from safetensors.torch import load_file

    weights, files = {}, {}
    for file in sorted(folder.iterdir()):
        if file.suffix == ".safetensors":
            weights.update(load_file(file))
        elif file.name != "model.safetensors.index.json":
            files[file.name] = file.read_text(encoding="utf-8")
    with atomic_write(path) as target:
        try:
            torch.save({"format": FORMAT, "version": VERSION, "files": files, "weights": weights}, target)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch's own error hides why it could not write
                raise error.__context__ from error
            raise


def unpack(path: Path, folder: Path) -> dict[str, "Tensor"]:
    """Write the text files of a .pt model to `folder` and return its weights.

    UserError if fine_tune.py did not write it. No code in the file is run.
    """
    import torch

    hint = TRAIN_FIRST.format(path=path)
    if path.is_dir():
        raise UserError(f"{path} is a folder, and the name of a model's folder does not end in .pt", "rename it")
    if not path.is_file():
        raise UserError(f"there is no model at {path}", hint)
    not_ours = f"{path} was not written by fine_tune.py, or it is truncated"
    if not zipfile.is_zipfile(path):  # torch.load reads older formats too, which `save` does not write
        raise UserError(not_ours, hint)
    packed = open_with(not_ours, hint, torch.load, path, map_location="cpu", weights_only=True)
    if not isinstance(packed, dict) or packed.get("format") != FORMAT or packed.get("version") != VERSION:
        raise UserError(f"{path} is not a {FORMAT} file of version {VERSION}", hint)
    files, weights = packed.get("files"), packed.get("weights")
    texts = isinstance(files, dict) and all(isinstance(text, str) for text in (*files, *files.values()))
    if not texts or not {"config.json", RUN_FILE} <= files.keys():
        raise UserError(f"{path} is damaged: it lacks the text of config.json or of {RUN_FILE}", COPY_AGAIN)
    tensors = isinstance(weights, dict) and all(isinstance(weight, torch.Tensor) for weight in weights.values())
    if not tensors or not all(isinstance(name, str) for name in weights):
        raise UserError(f"{path} is damaged: its weights are not tensors by name", COPY_AGAIN)
    for name, text in files.items():
        if Path(name).name == name != "..":
            (folder / name).write_text(text, encoding="utf-8")
    return weights


def _load_pt(path: Path) -> Trained:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        weights = unpack(path, folder)

        import torch
        import transformers

        check_files(folder, str(path))
        run = read_run(path, (folder / RUN_FILE).read_text(encoding="utf-8"))
        is_classifier = run.get("kind") == CLASSIFY.name
        loader = transformers.AutoModelForSequenceClassification if is_classifier else transformers.AutoModelForCausalLM
        opened = partial(open_with, f"{path} cannot be loaded", COPY_AGAIN)
        config = opened(transformers.AutoConfig.from_pretrained, folder, trust_remote_code=False)
        check_numbers(str(path), {name: str(weight.dtype) for name, weight in weights.items()})
        check_size(str(path), config, sum(weight.nbytes for weight in weights.values()))
        with torch.device("meta"):
            model_class = type(opened(loader.from_config, config, trust_remote_code=False))
        # Not load_state_dict: some models (GPT-NeoX) have other names for their weights on disk than in memory.
        options = {"dtype": torch.float32, "output_loading_info": True, "ignore_mismatched_sizes": True}
        model, report = opened(model_class.from_pretrained, None, config=config, state_dict=weights, **options)
        if missing := report["missing_keys"]:
            raise UserError(f"{path} lacks weights: {', '.join(sorted(missing))}", TRAIN_FIRST.format(path=path))
        check_loading_report(str(path), model, report, COPY_AGAIN)
        if (folder / "generation_config.json").is_file():
            model.generation_config = opened(transformers.GenerationConfig.from_pretrained, folder)
        tokenizer = opened(transformers.AutoTokenizer.from_pretrained, folder, trust_remote_code=False)
        return Trained(model.eval(), tokenizer, run)


def _load_folder(name: str) -> Trained:
    base = resolve(name)
    path = Path(base.location) / RUN_FILE
    run = read_run(path) if base.location and path.is_file() else {}
    model = load_classifier(base) if is_classifier(base) else load_causal_lm(base)
    return Trained(model, load_tokenizer(base), run)


def _replace_folder(new: Path, path: Path) -> None:
    if not path.exists():
        new.replace(path)
        return
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    path.replace(old)
    new.replace(path)
    shutil.rmtree(old)
