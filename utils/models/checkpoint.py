"""The trained model on disk: weights, tokenizer and the recipe that made it, as a folder or as one .pt file."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.files import atomic_write, check_writable, default_file_mode
from utils.models.base_models import is_classifier, load_causal_lm, load_classifier, load_tokenizer, resolve
from utils.models.tokenization import context_length, padding_id

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FORMAT = "small-text-fine-tuning/model"
VERSION = 1
RUN_FILE = "run.json"
LOG_FILE = "log.jsonl"
CARD_FILE = "README.md"
WEIGHT_FILES = ("*.safetensors", "*.safetensors.index.json")
TRAIN_FIRST = "train one with: python fine_tune.py --data data/processed.pkl --output_path {path}"


@dataclass(frozen=True)
class Trained:
    """A model in use. `run` is the recipe that made it; empty for a model that fine_tune.py did not write."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    run: dict


def check_output(path: Path, overwrite: bool) -> None:
    """Raise UserError where `path` holds something that must not be replaced, or could not be written."""
    is_file = path.suffix == ".pt"
    ours = path.is_file() if is_file else (path / RUN_FILE).is_file()
    free = not path.exists() or (not is_file and path.is_dir() and not any(path.iterdir()))
    if not ours and not free:
        raise UserError(
            f"{path} exists and is not a model of ours", "choose another --output_path; it was left as it is"
        )
    if ours and not overwrite:
        raise UserError(
            f"{path} already holds a trained model", "add --overwrite to replace it, or choose another --output_path"
        )
    target = path.resolve()
    check_writable(target.with_name(f".{target.name}") if target.is_dir() else path)


def save_and_verify(
    path: Path, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", run: dict, history: list[dict]
) -> None:
    """Save the model with its log and model card, load it again, and insist on the same logits."""
    import torch

    from utils.models.model_card import model_card

    log = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in history)
    save(path, Trained(model, tokenizer, run), log, model_card(run, None))
    length = min(64, context_length(model))
    probe = torch.arange(length)[None] * 997 % model.config.get_text_config().vocab_size
    with torch.inference_mode():
        expected, found = model(probe).logits, load(str(path)).model(probe).logits
    if not torch.allclose(expected, found, atol=1e-5):
        raise RuntimeError(
            f"{path} does not give the logits of the model that was saved: off by {(expected - found).abs().max()}"
        )


def save(path: Path, trained: Trained, log: str, card: str) -> None:
    """Write the model as a folder, or as one file where `path` ends in .pt; whole, or not at all.

    The folder is a Hugging Face model folder that any tool opens, with run.json, log.jsonl and README.md.
    The file holds the same: the weights as tensors, everything else as text. A model of ours is replaced.
    """
    from safetensors import SafetensorError

    check_output(path, overwrite=True)  # once more: a long training ago, the place was free
    path = path.resolve()  # what a link points to is replaced, not the link
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}", "choose another --output_path") from error
    try:
        trained.model.save_pretrained(folder)
        trained.tokenizer.save_pretrained(folder)
        (folder / RUN_FILE).write_text(json.dumps(trained.run, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / LOG_FILE).write_text(log, encoding="utf-8")
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
        for file in folder.iterdir():
            file.chmod(default_file_mode())  # safetensors lets nobody else read what it wrote
        if path.suffix == ".pt":
            _pack(folder, path)
        else:
            _replace_folder(folder, path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"cannot write {path}: {getattr(error, 'strerror', None) or error}",
            "free some space or choose another --output_path",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def load(name: str) -> Trained:
    """Load what --model_path names, in float32 and eval mode.

    Takes what `save` wrote, folder or .pt, and every base model that `base_models.resolve` knows.
    """
    if Path(name).suffix == ".pt":
        return _load_file(Path(name))
    base = resolve(name)
    run_file = Path(base.location) / RUN_FILE
    run = _read_run(run_file) if base.location and run_file.is_file() else {}
    model = load_classifier(base) if is_classifier(base) else load_causal_lm(base)
    return Trained(model, load_tokenizer(base), run)


def is_trained_classifier(model: "PreTrainedModel") -> bool:
    """Whether the model tells labels apart, rather than writing texts."""
    return type(model).__name__.endswith("ForSequenceClassification")


def load_writer(name: str) -> Trained:
    """As `load`; UserError where the model classifies texts instead of writing them."""
    trained = load(name)
    if is_trained_classifier(trained.model):
        raise UserError(
            f"{name} classifies texts and writes none", f"use it with: python classify.py --model_path {name}"
        )
    return trained


def load_base_classifier(name: str, labels: Sequence[str], seed: int) -> Trained:
    """A base model with a new head for the labels, drawn with the seed, and padding that the model knows of."""
    import torch

    base = resolve(name)
    tokenizer = load_tokenizer(base)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = load_classifier(base, labels)
    model.config.get_text_config().pad_token_id = padding_id(tokenizer)
    return Trained(model, tokenizer, {})


def _read_run(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}", "restore it, or train the model again") from error


def base_model_of(name: str, run: dict) -> str:
    """The name of the model that `name` was fine-tuned from."""
    if "base_model" not in run:
        raise UserError(f"{name} does not say what it was fine-tuned from", "leave out --compare_base")
    return run["base_model"]


def _load_file(path: Path) -> Trained:
    if not path.is_file():
        raise UserError(f"there is no model at {path}", TRAIN_FIRST.format(path=path))
    if not zipfile.is_zipfile(path):  # torch.save writes zip archives; what else torch.load takes is no concern here
        raise UserError(
            f"{path} is not a model that fine_tune.py wrote, or it is cut short", TRAIN_FIRST.format(path=path)
        )

    import pickle

    import torch
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        GenerationConfig,
    )

    try:
        packed = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{path} is not a model that fine_tune.py wrote, or it is cut short: {reason}",
            TRAIN_FIRST.format(path=path),
        ) from error
    if not isinstance(packed, dict) or packed.get("format") != FORMAT or packed.get("version") != VERSION:
        raise UserError(f"{path} is not a {FORMAT} file of version {VERSION}", TRAIN_FIRST.format(path=path))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file_name, text in packed["files"].items():
            (folder / Path(file_name).name).write_text(text, encoding="utf-8")
        config = AutoConfig.from_pretrained(folder)
        run = json.loads(packed["files"][RUN_FILE])
        loader = AutoModelForSequenceClassification if run.get("kind") == "classify" else AutoModelForCausalLM
        with torch.device("meta"):
            model_class = type(loader.from_config(config))
        # Not load_state_dict: some models (GPT-NeoX) name their weights otherwise on disk than in memory.
        model, report = model_class.from_pretrained(
            None, config=config, state_dict=packed["weights"], dtype=torch.float32, output_loading_info=True
        )
        if missing := report["missing_keys"]:
            raise UserError(f"{path} lacks weights: {', '.join(sorted(missing))}", TRAIN_FIRST.format(path=path))
        if (folder / "generation_config.json").is_file():
            model.generation_config = GenerationConfig.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    return Trained(model.eval(), tokenizer, run)


def _pack(folder: Path, path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    weights = {}
    for shard in sorted(folder.glob("*.safetensors")):
        weights.update(load_file(shard))
    files = {
        file.name: file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir())
        if not any(file.match(pattern) for pattern in WEIGHT_FILES)
    }
    with atomic_write(path) as target:
        try:
            torch.save({"format": FORMAT, "version": VERSION, "files": files, "weights": weights}, target)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch's own complaint hides why it could not write
                raise error.__context__ from error
            raise


def _replace_folder(new: Path, path: Path) -> None:
    new.chmod(0o755)
    if not path.exists():
        new.replace(path)
        return
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    path.replace(old)
    new.replace(path)
    shutil.rmtree(old)
