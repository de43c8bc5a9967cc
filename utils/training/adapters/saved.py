"""--save_adapter: the adapters alone, in a folder of peft's format beside the model, which this toolkit opens, too."""

import json
from pathlib import Path

from safetensors.torch import save_file
from transformers import PreTrainedModel

from utils.errors import UserError
from utils.files import default_file_mode
from utils.folders import new_folder, replace_folder
from utils.models.checkpoint import Trained, is_trained_classifier
from utils.models.model_files import other_files
from utils.models.opening.adapter_folder import WEIGHTS_FILE
from utils.models.opening.adapters import IN_NAME, PREFIX, adapter_layers, fingerprint
from utils.models.run_file import BASELINE_FILE, RUN_FILE
from utils.system_errors import as_os_errors
from utils.training.encoders.pooling import MEAN, pooling_block


def save_adapter(path: Path, trained: Trained, baseline: str | None = None) -> None:
    """Write the trained weights of a model with adapters: the adapters, and whole, a classifier's head.

    With it go the tokenizer, run.json and the text of baseline.json, as with a whole model. UserError where it cannot
    be written.
    """
    try:
        with new_folder(path) as folder, as_os_errors():
            whole = _write_weights(folder, trained)
            trained.tokenizer.save_pretrained(folder)
            if baseline:
                (folder / BASELINE_FILE).write_text(baseline, encoding="utf-8")
            names = sorted({entry.name for entry in folder.iterdir()} | {RUN_FILE})
            base_weights = fingerprint(trained.model, without=whole)
            record = {**trained.run, "base_weights": base_weights, "files": names}
            (folder / RUN_FILE).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            for file in folder.iterdir():
                file.chmod(default_file_mode())
            replace_folder(folder, path, other_files(path) if path.is_dir() else [])
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}", "free some space") from error


def _write_weights(folder: Path, trained: Trained) -> set[str]:
    """Write the adapters and their configuration; return the names of the weights that are whole."""
    from peft import LoraConfig

    model, classifies = trained.model, is_trained_classifier(trained.model)
    weights = {name: each.detach().contiguous() for name, each in model.named_parameters() if each.requires_grad}
    whole = {name for name in weights if IN_NAME not in name}
    layers = adapter_layers(model)
    layer = next(iter(layers.values()))
    rank = layer.lora_A["default"].weight.shape[0]  # that of a soup is the sum of its runs' ranks
    config = LoraConfig(
        r=rank,
        lora_alpha=round(layer.scaling["default"] * rank),
        lora_dropout=trained.run["arguments"]["lora_dropout"],
        target_modules=list(layers),
        fan_in_fan_out=layer.fan_in_fan_out,
        modules_to_save=sorted({name.rpartition(".")[0] for name in whole}) or None,
        task_type="SEQ_CLS" if classifies else "CAUSAL_LM",
        base_model_name_or_path=trained.run["base_model"],
        inference_mode=True,
    )
    config.save_pretrained(folder)
    named = {PREFIX + name.replace(".default.", "."): weight for name, weight in weights.items()}
    save_file(named, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    return whole


def check_adapter_suffices(model: PreTrainedModel) -> None:
    """Raise UserError where the model is more than its base model with adapters and a head."""
    if pooling_block(model) is not None or getattr(model.config, "classifier_pooling", None) == MEAN:
        problem = "--save_adapter: the head reads the mean of all states, and that of the base model may not"
        raise UserError(problem, "remove --save_adapter: the model itself is saved whole")
