"""What people read about a model: tables for the terminal and the model card."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

HUB_IDS = {"smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
LIKELIHOOD_ROWS = {
    "perplexity": ("Perplexity", "{:,.2f}"),
    "bits_per_byte": ("Bits per byte", "{:.4f}"),
    "token_accuracy": ("Token accuracy", "{:.1%}"),
}
_FIGURE = re.compile(r"[-+−]?\d")
_NO_FIGURE = ("", "–")


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain text columns, two blanks apart, under a ruled header.

    A column of figures ("" and "–" stand for missing ones) is aligned right, any other left. ValueError where a
    row is not as long as the header.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [_holds_figures(column[1:]) for column in columns]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if figures else cell.ljust(width)
            for cell, width, figures in zip(cells, widths, right, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(header), line(["─" * width for width in widths]), *map(line, rows)])


def with_interval(figure: dict, pattern: str) -> str:
    """A figure {"value", "low", "high"} and its 95 % interval, each written as `pattern` says: "1.25 [1.20, 1.31]"."""
    value, low, high = (pattern.format(figure[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def model_card(run: dict, evaluation: dict | None = None) -> str:
    """The README.md of a trained model: a Hugging Face model card that names no folder of this machine.

    `run` is what run.json holds; only "base_model_reason" may be missing, and the validation figures may be None
    (there was no validation split). `evaluation` holds the likelihood metric's results on the test split under
    "tuned" and, if the base model was measured too, under "base", and the novelty metric's under "copying", "tuned".
    """
    sections = [
        _front_matter(run),
        _introduction(run),
        _usage(run),
        _results(run, evaluation),
        _data(run),
        _recipe(run),
        _limits(evaluation),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(run: dict) -> str:
    from huggingface_hub import ModelCardData

    # No model index: it wants a Hub data set and a Hub metric, and a private file's bits per byte are neither.
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=_hub_id(run["base_model"]),
        tags=["fine-tuned", run["task"]],
    )
    return f"---\n{data.to_yaml()}\n---"


def _introduction(run: dict) -> str:
    output = _without_folder(run["arguments"]["output_path"])
    base = _hub_id(run["base_model"]) or _name(run["base_model"])
    reason = f" ({run['base_model_reason']})" if run.get("base_model_reason") else ""
    trained, total = run["trainable_parameters"], run["total_parameters"]
    return (
        f"# {_name(output).removesuffix('.pt')}\n\n"
        f"A small language model, fine-tuned on short texts (task `{run['task']}`). The base model is {base}{reason}; "
        f"{trained:,} of its {total:,} parameters ({trained / total:.0%}) were trained."
    )


def _usage(run: dict) -> str:
    path = shlex.quote(_without_folder(run["arguments"]["output_path"]))
    return f'## Use\n\n```bash\npython generate.py --model_path {path} --prompt "Your first words"\n```'


def _results(run: dict, evaluation: dict | None) -> str:
    results = run["results"]
    before, after = results["validation_bits_per_byte_before"], results["validation_bits_per_byte_after"]
    if before is None or after is None:
        text = "There was no validation split, so nothing was measured while training."
    else:
        text = (
            f"Validation bits per byte (lower is better): {before:.4f} before training → {after:.4f} after "
            f"({after - before:+.4f})."
        )
    if evaluation is None:
        return f"## Results\n\n{text}\n\nThe test split has not been measured: `evaluate_model.py` does that."
    models = {"Base model": evaluation["base"]} if evaluation.get("base") else {}
    models["This model"] = evaluation["tuned"]
    rows = [
        [title, *(with_interval(figures[metric], pattern) for figures in models.values())]
        for metric, (title, pattern) in LIKELIHOOD_ROWS.items()
    ]
    tuned = evaluation["tuned"]
    caption = f"Test split: {tuned['texts']:,} texts, {tuned['tokens']:,} tokens, with 95 % bootstrap intervals."
    return f"## Results\n\n{text}\n\n{caption}\n\n{_markdown_table(['', *models], rows)}"


def _data(run: dict) -> str:
    sources = [[_name(source["path"]), f"{source['rows']:,}", source["sha256"]] for source in run["data"]["sources"]]
    splits = ", ".join(f"{name} {count:,}" for name, count in run["data"]["rows"].items())
    table = _markdown_table(["File", "Rows", "SHA-256"], sources)
    return f"## Data\n\n{table}\n\nRows after cleaning, in each split: {splits}."


def _recipe(run: dict) -> str:
    results = run["results"]
    arguments = {name: _without_folder(value) for name, value in run["arguments"].items()}
    recipe = {"template": run["template"], "cleaning": run["cleaning"], "arguments": arguments}
    libraries = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    steps = f"{results['steps']:,} steps ({results['epochs']:.3g} epochs) in {results['train_seconds']:,.0f} s"
    return (
        f"## Recipe\n\n{steps} on {run['device']} in {run['precision']}, seed {run['seed']}. Made with {libraries}.\n\n"
        f"```json\n{json.dumps(recipe, indent=2, ensure_ascii=False)}\n```"
    )


def _limits(evaluation: dict | None) -> str:
    if evaluation is None:
        copies = "How much it copies has not been measured: run `evaluate_model.py` before you publish what it writes."
    else:
        novelty = evaluation["copying"]["tuned"]
        copies = (
            f"Of {novelty['texts']:,} generated texts, {novelty['exact_copies']:.1%} equal a training text and "
            f"{novelty['copied_8']:.1%} share 8 or more consecutive words with one; the longest copied run has "
            f"{novelty['longest_copied_words']} words. Check the texts that you publish."
        )
    return (
        "## Limits\n\n"
        "- This is a small model. It makes things up: what it writes is no source of facts, and no one said it.\n"
        f"- It may repeat training texts word for word, names and private details included. {copies}\n"
        "- It has the opinions, errors and rudeness of its training texts and of its base model.\n"
        "- The figures above hold for texts like the training texts, and for no others."
    )


def _hub_id(base_model: str) -> str | None:
    """The base model's id on the Hub, or None for a local or random one."""
    local = (
        base_model == "tiny"
        or base_model.endswith((".gguf", ".pt"))
        or _without_folder(base_model) != base_model
        or Path(base_model).exists()
    )
    return None if local else HUB_IDS.get(base_model, base_model)


def _without_folder(value):
    """A command-line value; of an absolute path only the name."""
    absolute = isinstance(value, str) and (
        value.startswith("~") or PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    )
    return _name(value) if absolute else value


def _name(path: str) -> str:
    return PureWindowsPath(path).name  # knows both kinds of slashes


def _holds_figures(cells: Sequence[str]) -> bool:
    figures = [cell for cell in cells if cell not in _NO_FIGURE]
    return bool(figures) and all(_FIGURE.match(cell) for cell in figures)


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
