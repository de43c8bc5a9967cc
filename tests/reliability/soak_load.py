"""Large inputs: time and memory of each script, and what an interruption at random moments leaves.

    python tests/reliability/soak_load.py
    python tests/reliability/soak_load.py --rows 20000 --texts 5000 --prompts 200 --interruptions 2

Preprocesses a million rows, classifies 100,000 and writes a text for each of 10,000 prompts, with random models. Each
script must stay below its bound of memory (of it and all its processes together, as `ps` sees it). Then each gets
Ctrl-C, SIGTERM and SIGHUP at random moments: it must end with 130 and the command that starts again, the old output
must be the same, and nothing else, no process either, may be left. Exit 1 where one does not hold.
"""

import argparse
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]
POLL_SECONDS = 0.2
OUTPUTS = {"rows.pkl", "labels.csv", "texts.jsonl"}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Load:
    """A command, its output, and the most memory that it may take, in MB."""

    name: str
    words: list[str]
    output: Path
    bound: int

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(ROOT / self.words[0]), *self.words[1:]]


def main() -> int:
    """Run each load whole, then interrupt it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--interruptions", type=int, default=6, help="of each script")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    moments, problems = random.Random(args.seed), []
    with tempfile.TemporaryDirectory(prefix="soak-load-") as folder:
        for load in make_loads(Path(folder), args.rows, args.texts, args.prompts):
            code, seconds, peak = run_measured(load.command)
            print(f"{load.name}: {seconds:.1f} s, {peak:,.0f} MB at most (bound {load.bound:,})", flush=True)
            if code or peak > load.bound:
                problems.append(f"{load.name}: exit {code}, {peak:,.0f} MB")
                continue
            for number in range(args.interruptions):
                sent = SIGNALS[number % len(SIGNALS)]
                moment = moments.uniform(0.5, seconds)
                found = interrupted(load, sent, moment, seconds)
                print(f"  {sent.name} after {moment:.1f} s: {found or 'as it should be'}", flush=True)
                problems += [f"{load.name}, {sent.name} after {moment:.1f} s: {found}"] if found else []
    print("\n".join(["", *problems]) if problems else "all as it should be")
    return 1 if problems else 0


def make_loads(folder: Path, rows: int, texts: int, prompts: int) -> list[Load]:
    """Write the inputs and the models into the folder."""
    from small_classifiers import save_classifier

    words = ["".join(random.Random(number).choices("abcdefghijklmnopqrstuvwxyz", k=6)) for number in range(20_000)]
    drawn = random.Random(1)
    for name, count in (("rows.csv", rows), ("texts.csv", texts), ("prompts.txt", prompts)):
        with (folder / name).open("w", encoding="utf-8") as file:
            file.write("" if name.endswith(".txt") else "text\n")
            file.writelines(" ".join(drawn.choices(words, k=12)) + "\n" for _ in range(count))
    save_classifier(folder / "classifier", ["good", "bad"])
    pickle, labels, written = (folder / "out" / name for name in ("rows.pkl", "labels.csv", "texts.jsonl"))
    classifying = ["classify.py", "--model_path", str(folder / "classifier"), "--data_path", str(folder / "texts.csv")]
    generating = ["generate.py", "--model_path", "tiny", "--prompts_file", str(folder / "prompts.txt"), "--json"]
    cleaning = ["preprocess.py", "--data_path", str(folder / "rows.csv"), "--model", "tiny"]
    return [
        Load(f"preprocess {rows:,} rows", [*cleaning, "--output_path", str(pickle)], pickle, 3500),
        Load("the same in 2 processes", [*cleaning, "--num_proc", "2", "--output_path", str(pickle)], pickle, 4500),
        Load(f"classify {texts:,} texts", [*classifying, "--output_path", str(labels)], labels, 1500),
        Load(f"generate from {prompts:,} prompts", [*generating, "--output_path", str(written)], written, 1500),
    ]


def run_measured(command: list[str]) -> tuple[int, float, float]:
    """Return a command's exit code, its seconds, and the most memory of all its processes, in MB."""
    start, peak = time.monotonic(), 0.0
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **streams, start_new_session=True)
    while process.poll() is None:
        peak = max(peak, memory_of_session(process.pid))
        time.sleep(POLL_SECONDS)
    return process.returncode, time.monotonic() - start, peak


def memory_of_session(leader: int) -> float:
    """Return the resident memory, in MB, of the processes of a session; 0 where there are none."""
    listed = subprocess.run(["ps", "-eo", "sess=,pid=,rss="], stdout=subprocess.PIPE, text=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return sum(int(rss) for session, pid, rss in rows if str(leader) in (session, pid)) / 1024


def interrupted(load: Load, sent: int, seconds: float, whole: float) -> str:
    """Interrupt the load, which takes `whole` seconds, after so many; return what is wrong then, or ""."""
    before = load.output.read_bytes()
    code, err, left = run_and_stop(load.command, sent, seconds)
    last = err.splitlines()[-1:] or [""]
    if code == 0:
        return "" if load.output.read_bytes() == before else "it was done before, and wrote something else"
    if load.output.read_bytes() != before:
        return "another output"
    if others := sorted({path.name for path in load.output.parent.iterdir()} - OUTPUTS):
        return f"left: {others}"
    if left:
        return f"{left:.0f} MB of processes are left"
    if code == -sent and (seconds < 1.5 or seconds > 0.8 * whole):
        return ""  # Python was still starting, or ending
    if code != 130 or shlex.join(load.command[1:]) not in last[0]:
        return f"exit {code}, last line {last[0]!r}"
    return ""


def run_and_stop(command: list[str], sent: int, seconds: float) -> tuple[int, str, float]:
    """Return the exit code, stderr, and the memory of the command's processes that are left a second later."""
    with tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err, start_new_session=True)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(sent)
        code = process.wait(60)
        time.sleep(1)
        err.seek(0)
        return code, err.read(), memory_of_session(process.pid)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
