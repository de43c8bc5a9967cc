"""The model card: what people read about a model before they use it."""

import json

from utils.formatting import markdown_table
from utils.naming import hub_id, name_of, without_folder
from utils.reporting import answering, classifying, emoji, writing

KINDS = {"generate": writing, "instruct": answering, "classify": classifying, "emoji": emoji}


def model_card(run: dict, evaluation: dict | None = None) -> str:
    """The README.md of a trained model: a Hugging Face model card that names no folder of this machine.

    `run` is what run.json holds; only "base_model_reason" may be missing, and the validation figures may be None
    (there was no validation split). `evaluation` is what `judge` returned, of the module in `utils` that judges models
    of this kind.
    """
    kind = KINDS[run.get("kind", "generate")]
    sections = [
        _front_matter(run, kind.PIPELINE),
        _introduction(run, kind.WHAT),
        kind.use(run),
        kind.results(run, evaluation),
        _data(run),
        _recipe(run),
        kind.limits(run, evaluation),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(run: dict, pipeline_tag: str) -> str:
    from huggingface_hub import ModelCardData

    # No model index: it wants a Hub data set and a Hub metric, and a private file's bits per byte are neither.
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag=pipeline_tag,
        base_model=hub_id(run["base_model"]),
        tags=["fine-tuned", run["task"]],
    )
    return f"---\n{data.to_yaml()}\n---"


def _introduction(run: dict, what: str) -> str:
    output = without_folder(run["arguments"]["output_path"])
    base = hub_id(run["base_model"]) or name_of(run["base_model"])
    reason = f" ({run['base_model_reason']})" if run.get("base_model_reason") else ""
    trained, total = run["trainable_parameters"], run["total_parameters"]
    return (
        f"# {name_of(output).removesuffix('.pt')}\n\n"
        f"{what} (task `{run['task']}`). The base model is {base}{reason}; "
        f"{trained:,} of its {total:,} parameters ({trained / total:.0%}) were trained."
    )


def _data(run: dict) -> str:
    sources = [[name_of(source["path"]), f"{source['rows']:,}", source["sha256"]] for source in run["data"]["sources"]]
    splits = ", ".join(f"{name} {count:,}" for name, count in run["data"]["rows"].items())
    table = markdown_table(["File", "Rows", "SHA-256"], sources)
    return f"## Data\n\n{table}\n\nRows after cleaning, in each split: {splits}."


def _recipe(run: dict) -> str:
    results = run["results"]
    arguments = {name: without_folder(value) for name, value in run["arguments"].items()}
    recipe = {"template": run["template"], "cleaning": run["cleaning"], "arguments": arguments}
    libraries = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    steps = f"{results['steps']:,} steps ({results['epochs']:.3g} epochs) in {results['train_seconds']:,.0f} s"
    return (
        f"## Recipe\n\n{steps} on {run['device']} in {run['precision']}, seed {run['seed']}. Made with {libraries}.\n\n"
        f"```json\n{json.dumps(recipe, indent=2, ensure_ascii=False)}\n```"
    )
