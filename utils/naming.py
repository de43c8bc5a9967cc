"""Names that may be published: those of the Hub, and paths without the folders of this machine."""

from pathlib import Path, PurePosixPath, PureWindowsPath

HUB_IDS = {"smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}


def hub_id(base_model: str) -> str | None:
    """The base model's id on the Hub, or None for a local or random one."""
    local = (
        base_model == "tiny"
        or base_model.endswith((".gguf", ".pt"))
        or without_folder(base_model) != base_model
        or Path(base_model).exists()
    )
    return None if local else HUB_IDS.get(base_model, base_model)


def without_folder(value):
    """A command-line value; of an absolute path only the name."""
    absolute = isinstance(value, str) and (
        value.startswith("~") or PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    )
    return name_of(value) if absolute else value


def name_of(path: str) -> str:
    """The last part of a path with either kind of slashes."""
    return PureWindowsPath(path).name
