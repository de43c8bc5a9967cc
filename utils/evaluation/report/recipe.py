"""Sections of the report on all tasks: data and training, loss curves, and the commands that repeat the run."""

from pathlib import PurePath

from utils.evaluation.report.section import Section, Table, Text, Texts
from utils.plots.bars import bars, histogram
from utils.plots.lines import Limit
from utils.plots.loss_curves import loss_curves
from utils.plots.plot import Plot


def sections(evaluation: dict) -> list[Section]:
    """Return the sections on data, training and repetition; old evaluations lack the facts."""
    found = []
    if data := evaluation.get("data"):
        found.append(_data(data))
    if training := evaluation.get("training"):
        if plots := loss_curves(training["log"], training["kept_step"]):
            found.append(Section("Training", (plots[0].description,), tuple(plots)))
        found.append(_repetition(evaluation, training))
    return found


def _data(data: dict) -> Section:
    """Return the section on the training data: rows kept and dropped, lengths, splits, texts before and after."""
    audit = data["audit"]
    kept, dropped = sum(data["splits"].values()), audit.get("dropped", {})
    plots = []
    read = f"{audit['rows_read']:,} rows were read and " if "rows_read" in audit else ""
    sentences = [f"{read}{kept:,} kept: {_splits(data['splits'])}."]
    if further := audit.get("further_turns"):
        sentences.append(f"{further:,} of the rows kept are further turns of conversations.")
    if present := {reason: number for reason, number in dropped.items() if number}:
        most = max(present, key=present.get)
        description = f"Most of the {sum(present.values()):,} dropped rows: {most} ({present[most]:,})."
        names, numbers = ["kept", *present], [kept, *present.values()]
        plots.append(bars("Rows kept and dropped, by reason", names, {"rows": numbers}, "rows", description))
    if lengths := data.get("lengths"):
        plots.append(_lengths(lengths))
    shares = Table(
        "Rows of each split",
        ("split", "rows", "used for"),
        tuple((name, f"{rows:,}", USES.get(name, "")) for name, rows in data["splits"].items()),
    )
    files = Table(
        "Files that were read",
        ("file", "rows", "SHA-256"),
        tuple((source["path"], f"{source['rows']:,}", source["sha256"][:16] + "…") for source in data["sources"]),
    )
    prompts = any("prompt" in sample for sample in audit["samples"])
    caption = "Prompts with their answers" if prompts else "Texts before and after"
    texts = Texts(caption, tuple(_before_and_after(sample) for sample in audit["samples"]))
    return Section("Training data", tuple(sentences), tuple(plots), (shares, files), (texts,) if texts.entries else ())


SETTINGS = {
    "learning_rate": "learning rate",
    "lora": "rank of the adapters (LoRA)",
    "batch_size": "batch size",
    "gradient_accumulation_steps": "batches per step",
}
USES = {"train": "training", "validation": "choosing the best weights", "test": "this report alone"}


def _splits(splits: dict) -> str:
    purposes = {"train": "training", "validation": "validation", "test": "this report"}
    return ", ".join(f"{rows:,} for {purposes.get(name, name)}" for name, rows in splits.items())


def _before_and_after(sample: dict) -> tuple[Text, ...]:
    return tuple(Text(name, text) for name, text in sample.items())


def _lengths(lengths: dict) -> Plot:
    counts = {"texts": [sum(column) for column in zip(*lengths["counts"].values(), strict=True)]}
    longest = lengths["max"]
    limit = lengths["limit"]
    half, most = lengths["median"], lengths["p95"]
    words = f"Half of the texts have at most {half:,} tokens, 95% at most {most:,}; the longest {longest:,}."
    if limit:
        words += f" None is cut: the limit is {limit:,}." if longest <= limit else f" They are cut at {limit:,} tokens."
    end = lengths["edges"][-1]
    if beyond := sum(lengths["above"].values()):
        words += f" Beyond the axis: {beyond:,} of {end:,.0f} tokens or more."
    marked = [Limit(limit, f"limit {limit:,}")] if limit and limit < 2 * end else []
    unit = f"tokens of {PurePath(lengths['tokenizer']).name}"
    return histogram("Lengths of the texts", lengths["edges"], counts, unit, "texts", words, marked=marked)


def _repetition(evaluation: dict, training: dict) -> Section:
    """Return the section with the commands that repeat the run, and the settings that determine the result."""
    run = training["run"]
    results, settings = run["results"], run["arguments"]
    rows = [
        ("base model", str(evaluation.get("base_model_description") or evaluation.get("base_model") or "–")),
        ("trained", f"{run['trainable_parameters']:,} of {run['total_parameters']:,} parameters"),
        ("steps", f"{results['steps']:,}"),
        ("epochs", f"{results['epochs']:.3g}"),
        *[(title, f"{settings[name]:g}") for name, title in SETTINGS.items() if _is_number(settings.get(name))],
        ("training took", f"{results['train_seconds']:,.0f} s on {run['device']} in {run['precision']}"),
        ("seed", str(run["seed"])),
        ("versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items())),
        ("license of the base model", training["licenses"]["base_model"] or "not stated by its model card"),
        ("license of the data", training["licenses"]["data"] or "not recorded: see its source"),
        ("model", evaluation["model_path"]),
        ("data", f"{PurePath(evaluation['data_path']).name}, SHA-256 {evaluation['data_sha256'][:16]}…"),
    ]
    table = Table("Recipe", ("", ""), tuple(rows))
    return Section("Reproducing the run", tables=(table,), commands=tuple(training["commands"]))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
