"""Open a base model that `base_models.resolve` has found: its tokenizer, and its weights with the requested head."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.models.base_models import ALTERNATIVES, NAME_BASE, BaseModel, check_hub
from utils.models.folder_checks import VOCABULARIES, read_json_object, stored_size
from utils.models.load_errors import COPY_AGAIN, open_with
from utils.models.model_checks import check_loading_report, check_pickled_numbers
from utils.models.opening.adapter_folder import CONFIG_FILE, labels_of_adapter
from utils.models.opening.config_checks import check_size
from utils.models.tiny_model import tiny_model, tiny_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

# Suffixes of the names of architectures whose head does not write, and the purpose of that head.
OTHER_HEADS = {
    "ForSequenceClassification": "classifies texts",
    "ForTokenClassification": "labels tokens",
    "ForQuestionAnswering": "finds answers in a text",
    "ForMultipleChoice": "chooses among answers",
    "ForNextSentencePrediction": "compares sentences",
    "ForMaskedLM": "fills gaps in a text",
    "ForPreTraining": "fills gaps in a text",
}
GAPS = ("ForMaskedLM", "ForPreTraining")  # decoders among them have weights that can write


def load_tokenizer(base: BaseModel) -> "PreTrainedTokenizerBase":
    """Load the tokenizer of a base model; its `name_or_path` is the model's name."""
    own = [folder for folder in base.adapters if any((folder / name).is_file() for name in VOCABULARIES)]
    if not own and not base.location:
        return tiny_tokenizer()
    place = replace(base, location=str(own[-1]), local_only=True) if own else base
    if _has_plain_tokenizer(Path(place.location)):
        from transformers import PreTrainedTokenizerFast as Loader
    else:
        from transformers import AutoTokenizer as Loader

    tokenizer = _from_pretrained(Loader, place)
    tokenizer.name_or_path = base.name
    return tokenizer


def _has_plain_tokenizer(folder: Path) -> bool:
    """Return whether AutoTokenizer would use the folder's tokenizer.json unchanged, as for converted .gguf files.

    If so, its base class gives the same tokenizer without importing torch, which takes longer than everything else.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tokenizer = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        return (
            config["model_type"] in ("gpt2", "llama")
            and tokenizer["tokenizer_class"] == "TokenizersBackend"
            and "auto_map" not in tokenizer
        )
    except (OSError, ValueError, LookupError, TypeError):
        return False  # AutoTokenizer reports the problem


def load_causal_lm(base: BaseModel) -> "PreTrainedModel":
    """Load a base model in eval mode and in float32, which mixed-precision training needs for its weights."""
    if not base.location:
        return _with_adapters(base, tiny_model())
    from transformers import AutoModelForCausalLM

    hint = "choose a model like GPT-2 or Llama; an encoder such as BERT has no head for generation"
    refuse_other_heads(base)
    return _with_adapters(base, _load_model(AutoModelForCausalLM, base, "causal language model", hint))


def refuse_other_heads(base: BaseModel) -> None:
    """Raise UserError for a model that cannot write, judging by the architecture in its config.json."""
    config = _config(base)
    if config is None:
        return
    _refuse_encoder_decoder(base.described, config)
    for architecture in config.architectures or []:
        head = next((head for head in OTHER_HEADS if architecture.endswith(head)), None)
        if head is not None and not (head in GAPS and getattr(config, "is_decoder", False)):
            raise UserError(
                f"{base.described} is a {architecture}, which {OTHER_HEADS[head]} and cannot write",
                NAME_BASE.format(base.adapters[0])
                if base.adapters
                else "choose a causal language model such as gpt2 or smollm2; this one can learn to classify "
                "(preprocess.py --task reviews)",
            )


def _refuse_encoder_decoder(name: str, config: "PreTrainedConfig") -> None:
    if getattr(config, "is_encoder_decoder", False):
        kind = (config.architectures or [config.model_type])[0]
        raise UserError(
            f"{name} is an encoder-decoder ({kind}), which cannot be trained here",
            "choose a causal language model such as gpt2 or smollm2, or to classify, an encoder such as BERT",
        )


def is_classifier(base: BaseModel) -> bool:
    """Return whether the model is a classifier, according to its config.json, or to that of the last adapter on it."""
    if base.adapters:
        return read_json_object(base.adapters[-1] / CONFIG_FILE).get("task_type") == "SEQ_CLS"
    config = _config(base)
    return config is not None and any(name.endswith("ForSequenceClassification") for name in config.architectures or [])


def _config(base: BaseModel) -> "PreTrainedConfig | None":
    """Return the configuration of a base model; None for `tiny`, which has no files."""
    if not base.location:
        return None
    from transformers import AutoConfig

    return _from_pretrained(AutoConfig, base)


def load_classifier(
    base: BaseModel, labels: Sequence[str] | None = None, pad_token_id: int | None = None
) -> "PreTrainedModel":
    """Load a trained classifier or, with `labels`, a base model with a new head; in eval mode and float32.

    The new head is random, and depends on torch's seed. `pad_token_id` is for a configuration that has none. Without
    `labels`, an adapter brings its head.
    """
    with_head = labels is None
    if base.adapters and labels is None:
        labels = labels_of_adapter(base.adapters[-1])
    if not base.location:
        return _with_adapters(base, tiny_model(labels), with_head=with_head)
    from transformers import AutoModelForSequenceClassification

    hint, options = "copy it again, or train it again", {}
    if labels is not None:
        config = _config(base)
        _refuse_encoder_decoder(base.described, config)
        hint = "choose a GPT-2, Llama, BERT, RoBERTa or DistilBERT model"
        options = {"id2label": dict(enumerate(labels)), "label2id": {label: id for id, label in enumerate(labels)}}
        options |= {"ignore_mismatched_sizes": True, "new_head": True}
        if getattr(config.get_text_config(), "pad_token_id", None) is None:
            options["pad_token_id"] = pad_token_id
    model = _load_model(AutoModelForSequenceClassification, base, "model that can classify", hint, **options)
    return _with_adapters(base, model, with_head=with_head)


def _with_adapters(base: BaseModel, model: "PreTrainedModel", *, with_head: bool = True) -> "PreTrainedModel":
    """Return the model with the adapters of `base` merged; `with_head`: it takes their head, too."""
    if base.adapters:
        from utils.models.opening.adapters import merge_adapter

        for folder in base.adapters:
            merge_adapter(model, folder, with_head=with_head)
    return model


def _load_model(loader, base: BaseModel, purpose: str, hint: str, new_head: bool = False, **options):
    """Load in float32 and eval mode. UserError with `hint` if the model is not a `purpose`, or lacks weights.

    transformers draws random numbers for missing weights, which is right for a `new_head` only.
    """
    import torch

    # Sizes that don't match are told here, by name.
    options |= {"dtype": torch.float32, "output_loading_info": True, "ignore_mismatched_sizes": True}
    if (folder := Path(base.location)).is_dir():
        from transformers import AutoConfig

        check_size(base.described, _from_pretrained(AutoConfig, base), stored_size(folder))
        check_pickled_numbers(base.described, folder)
    try:
        model, report = _from_pretrained(loader, base, **options)
    except UserError as error:
        if "Unrecognized configuration class" in str(error.__cause__):
            raise UserError(f"{base.described} is not a {purpose}", hint) from error.__cause__
        raise
    check_loading_report(base.described, model, report, hint, new_head)
    # Nobody reads them here, and a configuration that asks for attentions cannot always be saved.
    model.config.output_attentions = model.config.output_hidden_states = False
    return model.eval()


def _from_pretrained(loader, base: BaseModel, **options):
    """Load from the local cache if the model is there, which is faster and works without a network.

    Code that comes with a model is never run, nor is the user asked whether it may.
    """
    is_local = Path(base.location).exists()
    options |= {"local_files_only": base.local_only, "trust_remote_code": False}
    try:
        hint = COPY_AGAIN if is_local else ALTERNATIVES
        return open_with(f"{base.described} cannot be loaded", hint, loader.from_pretrained, base.location, **options)
    except UserError as error:
        if base.local_only and not is_local and isinstance(error.__cause__, OSError):
            check_hub(base.location)  # only a part of the model is in the cache
            return _from_pretrained(loader, replace(base, local_only=False), **options)
        raise
