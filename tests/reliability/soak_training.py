"""Kill fine_tune.py with SIGKILL at random moments, resume it each time, and compare what it leaves with a whole run.

    python tests/reliability/soak_training.py --kills 100

Each run is a fork of this process, which imports torch once. Half of the kills come at a random time; the other half at
a random system call that changes a file (open for writing, fsync, rename, remove, mkdir, rmdir), or a few milliseconds
after it. The weights must be the same bit for bit, log.jsonl and run.json the same but for times, and nothing else may
be left. Prints kills, survived and lost for each variant, and each loss; exit 1 if there is one.
"""

# ruff: noqa: E402  (the folders of the modules come first)

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads are not there after a fork
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import load_file
from small_classifiers import labeled_data, opinions
from small_models import processed_data
from training_runs import TEXTS, VALIDATION

import fine_tune
from utils import process
from utils.processed import save_processed

COMMON = ["--model", "tiny", "--precision", "fp32", "--device", "cpu", "--logging_steps", "3", "--batch_size", "4"]
SHORT = ["--max_steps", "7", "--save_steps", "2", "--lr", "1e-2"]
VARIANTS = {  # data and flags
    "plain": ("texts", ["--output_path", "mine", *SHORT]),
    "prefix_cache": ("texts", ["--output_path", "mine", *SHORT, "--unfreeze_last", "1", "--prefix_cache", "on"]),
    "model_soup": ("texts", ["--output_path", "mine", *SHORT, "--model_soup", "2"]),
    "search": ("texts", ["--output_path", "mine", "--max_steps", "4", "--save_steps", "2", "--search", "3"]),
    "pt": ("texts", ["--output_path", "mine.pt", *SHORT]),
    "classifier": ("labels", ["--output_path", "mine", *SHORT]),
    "early_stopping": (
        "texts",
        [
            *("--output_path", "mine", "--epochs", "20", "--save_steps", "2", "--lr", "0.3"),
            "--early_stopping_patience=1",
        ],
    ),
    "overwrite": ("texts", ["--output_path", "mine", *SHORT, "--overwrite"]),
}
CALLS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "sqlite3.connect"}
AFTER_CALL_SECONDS = 0.01
MOST_KILLS = 4  # of one run, before it may end
LIMIT_SECONDS = 300.0  # for one run
NO_STATE, MODEL_THERE = "there is no saved state", "and a model in"
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass
class Figures:
    """The outcomes of one variant's kills."""

    kills: int = 0
    runs: int = 0
    whole: int = 0
    lost: list[str] = field(default_factory=list)
    places: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Kill:
    """The moment of a kill: `seconds` after the run's start, or at its n-th `call` and `seconds` after it."""

    seconds: float
    call: int | None = None


def run(folder: Path, words: list[str], kill: Kill | None = None) -> tuple[int, str, int]:
    """Run fine_tune.py in a fork, in `folder`; return its exit code (-9: killed), stderr and number of calls."""
    log, count = folder.with_suffix(".log"), folder.with_suffix(".count")
    child = os.fork()
    if child == 0:
        _become_script(folder, words, kill, log, count)
    started = time.monotonic()
    while time.monotonic() - started < LIMIT_SECONDS:
        if kill and kill.call is None and time.monotonic() - started >= kill.seconds:
            os.kill(child, signal.SIGKILL)
            kill = None
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            calls = int(count.read_text()) if count.exists() else 0
            return (-9 if code < 0 else code), log.read_text(encoding="utf-8"), calls
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 124, log.read_text(encoding="utf-8"), 0


def _become_script(folder: Path, words: list[str], kill: Kill | None, log: Path, count: Path) -> None:
    """Be the script in this process, and end it."""
    code = 70
    try:
        os.chdir(folder)
        err = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(err, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        calls = _watch_calls(folder, kill)
        sys.argv = [str(ROOT / "fine_tune.py"), *words]
        code = process.run(fine_tune.main)
        count.write_text(str(calls[0]))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)


def _watch_calls(folder: Path, kill: Kill | None) -> list[int]:
    """Count the calls that change files, and kill this process at the one that `kill` names."""
    calls = [0]

    def counted() -> None:
        calls[0] += 1
        if kill and kill.call == calls[0]:
            if kill.seconds == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # its default ends the process, within any code
            signal.setitimer(signal.ITIMER_REAL, kill.seconds)

    def hook(event: str, arguments: tuple) -> None:
        if event in CALLS or (event == "open" and str(arguments[0]) != os.devnull and arguments[2] & WRITES):
            counted()

    fsync = os.fsync

    def counted_fsync(descriptor: int) -> None:
        counted()
        fsync(descriptor)

    os.fsync = counted_fsync
    sys.addaudithook(hook)
    return calls


def contents(folder: Path, output: str) -> dict:
    """Return what a finished run has left, but for times and for the flags of resuming."""
    path = folder / output
    if path.suffix == ".pt":
        packed = torch.load(path, weights_only=True)
        files, weights = packed["files"], packed["weights"]
    else:
        files = {name: (path / name).read_text(encoding="utf-8") for name in ("run.json", "log.jsonl", "config.json")}
        weights = load_file(path / "model.safetensors")
    record = json.loads(files["run.json"])
    record["results"].pop("train_seconds")
    for flag in ("resume", "overwrite"):
        record["arguments"].pop(flag)
    entries = [json.loads(line) for line in files["log.jsonl"].splitlines()]
    log = [
        {name: value for name, value in entry.items() if "runtime" not in name and "per_second" not in name}
        for entry in entries
    ]
    return {
        "weights": {name: weight.numpy().tobytes() for name, weight in weights.items()},
        "run.json": record,
        "log.jsonl": log,
        "config.json": json.loads(files["config.json"]),
        "names": sorted(entry.name for entry in folder.iterdir()),
    }


def difference(found: dict, expected: dict) -> str | None:
    """Return the first thing that differs, in a line."""
    for name, value in expected.items():
        if found[name] == value:
            continue
        if name == "weights":
            return f"weights differ: {[key for key in value if found[name].get(key) != value[key]][:3]}"
        if name == "log.jsonl":
            pairs = [(a, b) for a, b in zip(found[name], value, strict=False) if a != b]
            return f"log.jsonl: {len(found[name])} of {len(value)} entries, {pairs[:1]}"
        if name == "run.json":
            keys = [key for key in value if found[name].get(key) != value[key]]
            return f"run.json: {[(key, found[name].get(key), value[key]) for key in keys][:2]}"
        return f"{name}: {found[name]} instead of {value}"
    return None


def draw_kill(generator: random.Random, seconds: float, calls: int) -> Kill:
    """Return a random moment of a run that takes so many seconds and calls."""
    if generator.random() < 0.5:
        return Kill(generator.uniform(0, seconds))
    after = 0.0 if generator.random() < 0.5 else generator.uniform(0, AFTER_CALL_SECONDS)
    return Kill(after, generator.randint(1, calls))


def soak(variant: str, kills: int, seed: int, scratch: Path) -> Figures:
    """Kill runs of a variant until there were so many kills, and compare each run that ended."""
    data, flags = VARIANTS[variant]
    words = ["--data", str(scratch / f"{data}.pkl"), *COMMON, *flags]
    output = flags[flags.index("--output_path") + 1]
    figures, generator = Figures(), random.Random(f"{seed} {variant}")
    reference = _new_folder(scratch / "reference", variant, scratch)
    started = time.monotonic()
    code, err, calls = run(reference, words)
    seconds = time.monotonic() - started
    if code != 0:
        raise RuntimeError(f"{variant} does not run: {err}")
    expected = contents(reference, output)
    while figures.kills < kills:
        folder = _new_folder(scratch / "killed", variant, scratch)
        story, before = [], figures.kills
        try:
            problem = _kill_and_resume(folder, words, generator, figures, (seconds, calls, kills), story)
            problem = problem or difference(contents(folder, output), expected)
        except (OSError, ValueError, KeyError) as error:
            problem = f"{type(error).__name__}: {error}"
        figures.runs += 1
        if problem:
            figures.lost.append(f"{problem} after {story}")
            figures.places["kills of lost runs"] += figures.kills - before
    return figures


def _kill_and_resume(folder, words, generator, figures, limits, story) -> str | None:
    """Kill and resume a run until it ends; return what went wrong. `story` gets the kills and commands."""
    seconds, calls, kills = limits
    resume, killed = [], 0
    while True:
        kills_again = killed < MOST_KILLS and figures.kills < kills and (not killed or generator.random() < 0.6)
        kill = draw_kill(generator, seconds, calls) if kills_again else None
        code, err, _ = run(folder, [*words, *resume], kill)
        story.append((" ".join(resume) or "start", kill, code))
        if code == -9:
            killed += 1
            figures.kills += 1
            resume = ["--resume"]
        elif code == 2 and resume and NO_STATE in err and MODEL_THERE in err:
            return None
        elif code == 2 and resume and NO_STATE in err:
            resume = []  # as the hint says
        elif code:
            last = [line for line in err.splitlines() if line.strip()][-3:]
            return f"exit code {code}: {' / '.join(last)}"
        else:
            return None


def _new_folder(folder: Path, variant: str, scratch: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if variant == "overwrite":
        shutil.copytree(scratch / "older", folder / "mine")
    return folder


def write_inputs(scratch: Path) -> None:
    """Write the processed data of all variants, and a model that one of them replaces."""
    save_processed(scratch / "texts.pkl", processed_data(train=TEXTS, validation=VALIDATION, test=VALIDATION))
    rows = {"train": opinions(12), "validation": opinions(6, 12), "test": opinions(2, 18)}
    save_processed(scratch / "labels.pkl", labeled_data(rows, ["neg", "pos"]))
    (scratch / "older_run").mkdir()
    words = ["--data", str(scratch / "texts.pkl"), *COMMON, "--max_steps", "1", "--output_path", "mine"]
    code, err, _ = run(scratch / "older_run", words)
    if code:
        raise RuntimeError(err)
    shutil.move(scratch / "older_run" / "mine", scratch / "older")


def import_all() -> None:
    """Import once what each run needs."""
    import optuna  # noqa: F401
    import sklearn.metrics  # noqa: F401
    import transformers.models.gpt2.modeling_gpt2  # noqa: F401

    import utils.training.calibration
    import utils.training.model_soup
    import utils.training.prepare
    import utils.training.search.search
    import utils.training.steps.run_record  # noqa: F401
    from utils.models import checkpoint, saving  # noqa: F401


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="of each variant (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    flags = parser.parse_args()
    import_all()
    lost = 0
    with tempfile.TemporaryDirectory() as scratch:
        write_inputs(Path(scratch))
        for variant in flags.variants:
            figures = soak(variant, flags.kills, flags.seed, Path(scratch))
            lost += len(figures.lost)
            survived = figures.kills - figures.places["kills of lost runs"]
            print(f"{variant}: {figures.kills} kills in {figures.runs} runs: {survived} survived, "
                  f"{figures.kills - survived} lost", flush=True)  # fmt: skip
            for problem in figures.lost:
                print(f"  {problem}", flush=True)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
