"""The model card: the README.md that describes a model, its use, its quality and its limits."""

import hashlib
import json
import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from utils.files import atomic_write
from utils.metrics.figures import ON_CARD
from utils.metrics.folds import fold_table
from utils.models.base_models import PACKAGED, PACKAGED_FORMAT
from utils.models.card_texts import code, fenced, json_text, plain, yaml_text
from utils.models.model_card_kinds import CARDS, Card
from utils.models.run_file import RUN_FILE
from utils.tasks.kinds import KINDS
from utils.terminal.numbers import rounded
from utils.terminal.tables import figure_rows, markdown_table

CARD_FILE = "README.md"
MARK = re.compile(r"\n?<!-- sha256 of the card as it was written: ([0-9a-f]{64}) -->\s*\Z")
HUB_IDS = {PACKAGED: "HuggingFaceTB/SmolLM2-135M-Instruct"}
NOT_MEASURED = "The test split has not been measured: `evaluate_model.py` does that."


def model_card(run: dict, evaluation: dict | None = None) -> str:
    """Return the README.md of a trained model: a Hugging Face model card without the folders of this machine.

    `run` is the content of run.json; only "base_model_reason" may be missing, and the validation figures may be None
    (there was no validation split). `evaluation` is the content of evaluation.json.
    """
    kind = run.get("kind", "generate")
    card = CARDS[kind](run, evaluation)
    sections = [
        _front_matter(run, KINDS[kind].pipeline_tag),
        _introduction(run, card.summary),
        f"## Use\n\n{card.use(without_folders(run['arguments']['output_path']))}",
        _results(card, kind),
        _data(run),
        _recipe(run),
        "\n".join(["## Limits\n", *(f"- {limit}" for limit in card.limits())]),
    ]
    return "\n\n".join(sections) + "\n"


def marked(card: str) -> str:
    """Return a card with a last line, hidden from readers, by which `is_edited` recognizes the original."""
    return f"{card}\n<!-- sha256 of the card as it was written: {_digest(card)} -->\n"


def without_mark(card: str) -> str:
    """Return a card as `model_card` gave it."""
    return MARK.sub("", card)


def write_card(folder: Path, run: dict, evaluation: dict) -> None:
    """Write the model card with the figures of an evaluation."""
    with atomic_write(folder / CARD_FILE, "w") as file:
        file.write(marked(model_card(run, evaluation)))


def is_edited(folder: Path) -> bool:
    """Return whether the model card in a folder is not as fine_tune.py or evaluate_model.py wrote it.

    Earlier versions did not mark their cards: one that this version would not write counts as edited.
    """
    path = folder / CARD_FILE
    if not os.path.lexists(path):
        return False
    if not path.is_file():
        return True
    try:
        card = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return True
    text = without_mark(card)
    if mark := MARK.search(card):
        return mark[1] != _digest(text)
    return bool(text.strip()) and _digest(text) not in _unmarked(folder)


def _unmarked(folder: Path) -> set[str]:
    """Return the digests of the cards that an earlier version would have written for the folder."""
    try:
        run, evaluation = (_read_object(folder / name) for name in (RUN_FILE, "evaluation.json"))
        cards = [model_card(run), *([model_card(run, evaluation)] if evaluation else [])]
    except (LookupError, TypeError, ValueError, AttributeError):  # of files that lack fields of a card
        return set()
    return {_digest(card) for card in cards}


def _read_object(path: Path) -> dict:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _digest(card: str) -> str:
    """Return the SHA-256 of a card's lines, whichever way they and the last one end."""
    return hashlib.sha256("\n".join(line.rstrip() for line in card.strip().splitlines()).encode()).hexdigest()


def _front_matter(run: dict, pipeline_tag: str) -> str:
    from huggingface_hub import ModelCardData

    # No model index: it requires a data set and a metric of the Hub, and a private file and bits per byte are neither.
    fields = {"base_model": hub_id(run["base_model"]), "tags": ["fine-tuned", run["task"]]}
    data = ModelCardData(library_name="transformers", pipeline_tag=pipeline_tag, **fields)
    return f"---\n{yaml_text(data.to_dict())}---"


def _introduction(run: dict, summary: str) -> str:
    output = without_folders(run["arguments"]["output_path"])
    base = plain(hub_id(run["base_model"]) or last_path_part(run["base_model"]))
    base += f", {PACKAGED_FORMAT}" if run["base_model"] == PACKAGED else ""
    reason = f" ({plain(run['base_model_reason'])})" if run.get("base_model_reason") else ""
    trained, total = run["trainable_parameters"], run["total_parameters"]
    what = f"{trained:,} of its {total:,} parameters ({trained / total:.0%}) were trained"
    if rank := run["arguments"].get("lora"):
        what = (
            f"LoRA adapters of rank {rank} ({trained:,} numbers) were trained and merged into its {total:,} parameters"
        )
        if run["arguments"].get("load_in_4bit"):
            what += ", of which training and its validation saw those of the layers in 4 bits (NF4)"
    return (
        f"# {plain(last_path_part(output).removesuffix('.pt'))}\n\n"
        f"{summary} (task {code(run['task'])}). The base model is {base}{reason}; {what}."
    )


def _results(card: Card, kind: str) -> str:
    results, evaluation = card.run["results"], card.evaluation
    before, after = (results[f"validation_{card.validation_metric}_{when}"] for when in ("before", "after"))
    validation = "There was no validation split, so nothing was measured during training."
    if before is not None and after is not None:
        change = f"{'+' * (after >= before)}{rounded(after - before, 4)}"
        figures = f"{rounded(before, 4)} before training → {rounded(after, 4)} after ({change})"
        part = f", on {results['validation_rows']:,} of its texts" if "validation_rows" in results else ""
        validation = f"Validation {card.validation_title}: {figures}{part}."
    if "folds" in card.run:
        validation += f"\n\n{_folds(card.run['folds'])}"
    if evaluation is None:
        return f"## Results\n\n{validation}\n\n{NOT_MEASURED}"
    columns = {"Base model": evaluation["base"]} if evaluation.get("base") else {}
    columns["This model"] = evaluation["tuned"]
    columns |= {title: evaluation["baselines"][name] for name, title in card.baselines}
    figures = [figure for figure in ON_CARD[kind] if figure.name in evaluation["tuned"]]
    table = markdown_table(["", *columns], figure_rows(figures, columns.values()))
    return "\n\n".join(["## Results", validation, *card.results(table)])


def _folds(summary: dict) -> str:
    """Return the table of the folds that the same training was judged on."""
    return (
        f"The same training, {len(summary['each'])} times without another part of the training texts, judged on that "
        "part (the last line: mean ± standard deviation):\n\n" + markdown_table(*fold_table(summary))
    )


def _data(run: dict) -> str:
    data = run["data"]
    sources = [(plain(last_path_part(file["path"])), file["rows"], plain(file["sha256"])) for file in data["sources"]]
    files = [[name, f"{rows:,}", sha256] for name, rows, sha256 in sources]
    splits = ", ".join(f"{plain(name)} {count:,}" for name, count in data["rows"].items())
    table = markdown_table(["File", "Rows", "SHA-256"], files)
    return f"## Data\n\n{table}\n\nRows after cleaning, in each split: {splits}."


def _recipe(run: dict) -> str:
    results = run["results"]
    arguments = {name: without_folders(value) for name, value in run["arguments"].items()}
    recipe = {"template": run["template"], "cleaning": run["cleaning"], "arguments": arguments}
    libraries = ", ".join(f"{plain(name)} {plain(version)}" for name, version in run["versions"].items())
    device, precision, seed = (plain(run[name]) for name in ("device", "precision", "seed"))
    number, epochs = results["steps"], results["epochs"]
    steps = f"{number:,} step{'s' * (number != 1)} ({epochs:.3g} epoch{'s' * (epochs != 1)})"
    steps += f" in {results['train_seconds']:,.0f} s"
    return f"## Recipe\n\n{steps} on {device} in {precision}, seed {seed}. Made with {libraries}.\n\n" + fenced(
        "json", json_text(recipe)
    )


def hub_id(base_model: str) -> str | None:
    """Return the base model's id on the Hub, or None for a local or random one."""
    local = (
        base_model == "tiny"
        or base_model.endswith((".gguf", ".pt"))
        or without_folders(base_model) != base_model
        or Path(base_model).exists()
    )
    return None if local else HUB_IDS.get(base_model, base_model)


def without_folders(value):
    """Return a command-line value; of an absolute path only the last part."""
    absolute = isinstance(value, str) and (
        value.startswith("~") or PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    )
    return last_path_part(value) if absolute else value


def last_path_part(path: str) -> str:
    """Return the last part of a path with either kind of slashes."""
    return PureWindowsPath(path).name
