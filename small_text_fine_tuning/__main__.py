"""The command `small-text-fine-tuning`: the five scripts by their names, as Python runs them.

small-text-fine-tuning preprocess --data_path data/tweets.csv
torchrun --nproc_per_node 2 -m small_text_fine_tuning fine_tune --data data/processed.pkl
"""

import runpy
import sys

from small_text_fine_tuning.isolated import FOLDER

COMMANDS = {
    "preprocess": "turn raw files into one processed pickle",
    "fine_tune": "fine-tune a base model on a processed pickle",
    "generate": "generate texts, answers, a chat or emoji with a trained model",
    "classify": "label texts with a trained model",
    "evaluate_model": "measure a trained model on the test split",
}
USAGE = "usage: small-text-fine-tuning COMMAND …\n\n" + "\n".join(
    f"  {name:16}{what}" for name, what in COMMANDS.items()
)


def main() -> None:
    """Run the script that the first argument names; it ends the process with its exit code."""
    name = sys.argv[1].replace("-", "_") if len(sys.argv) > 1 else ""
    if name in ("__help", "_h"):
        print(f"{USAGE}\n\nsmall-text-fine-tuning COMMAND --help lists the flags of each.")
        sys.exit(0)
    if name not in COMMANDS:
        found = f"unknown command {sys.argv[1]!r}" if name else "a command is missing"
        sys.exit(_refuse(f"{found}, expected {', '.join(COMMANDS)}"))
    script = FOLDER / f"{name}.py"
    sys.argv = [str(script), *sys.argv[2:]]
    # In place of the folder of this command, or of the current one for `python -m`, as for any script.
    sys.path[: not sys.flags.safe_path] = [str(FOLDER)]
    runpy.run_path(str(script), run_name="__main__")


def _refuse(problem: str) -> int:
    """Print an error and what to do, and return the exit code."""
    print(f"error: {problem}\nhint: small-text-fine-tuning --help says what they do", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
