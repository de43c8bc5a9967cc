"""The commands of `make demo`, and their output in the README: docs/demo.txt and a picture of the report.

python -m benchmarks.demo             # run them all; writes docs/demo.txt
python -m benchmarks.demo --readme    # copy docs/demo.txt into the README
python -m benchmarks.demo --picture   # draw the beginning of models/demo/report.html, with chromium
"""

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "demo.txt"
README = ROOT / "README.md"
RAW, PICKLE, MODEL = "data/raw/tweets_GroundTruth.txt", "data/processed/demo.pkl", "models/demo"
COMMANDS = (
    f"preprocess.py --data_path {RAW} --no_header --text_column 2 --output_path {PICKLE}",
    f"fine_tune.py --data {PICKLE} --epochs 1 --output_path {MODEL} --overwrite",
    f'generate.py --model_path {MODEL} --prompt "I just" --num_return_sequences 3',
    f"evaluate_model.py --model_path {MODEL} --data {PICKLE} --compare_base --report --overwrite",
)
REPORT = f"{MODEL}/report.html"
PICTURE = ROOT / "docs" / "images" / "demo_report.png"
BROWSER = "chromium --headless --no-sandbox --disable-gpu --disable-background-networking --hide-scrollbars"
SKIPPED = "[…]"
QUOTED = re.compile(r"(?<=<!-- docs/demo.txt -->\n```text\n).*?(?=```\n)", re.DOTALL)


def main() -> None:
    """Run the commands, show their output as it comes, and write the page; or copy it into the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readme", action="store_true", help="run nothing, copy docs/demo.txt into the README")
    parser.add_argument("--picture", action="store_true", help="run nothing, draw the report that is there")
    args = parser.parse_args()
    if args.picture:
        if not (ROOT / REPORT).is_file():
            sys.exit(f"there is no {REPORT}: run the demo first")
        draw(ROOT / REPORT, PICTURE)
        return
    if args.readme:
        README.write_text(quoted(README.read_text("utf-8"), PAGE.read_text("utf-8")), "utf-8")
        return
    outputs = [run(command) for command in COMMANDS]
    PAGE.write_text(page(outputs), "utf-8")
    print(f"written: {PICKLE} (data), {MODEL} (model), {REPORT} (report), docs/demo.txt (this, in short)")
    print(f"the report, to open in a browser: {(ROOT / REPORT).as_uri()}")


def run(command: str) -> list[str]:
    """Run a script, print its output line by line, and return the lines; leave with its exit code if it fails."""
    print(f"$ python {command}", flush=True)
    words = [sys.executable, *shlex.split(command)]
    lines = []
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    ) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
    if process.returncode:
        sys.exit(process.returncode)
    return lines


def page(outputs: list[list[str]]) -> str:
    """Return the page from the lines that the four commands print."""
    preprocessed, trained, written, evaluated = outputs
    steps = [line for line in trained if line.startswith("step ")]
    evaluations = [line for line in steps if "validation" in line]
    [kept] = [line for line in preprocessed if line.startswith("rows kept")]
    table = evaluated[evaluated.index(next(line for line in evaluated if line.startswith("test split: "))) :]
    end = next(number for number, line in enumerate(table) if line.startswith("of which"))
    [base] = [line for line in table if line.startswith("base: ")]
    lines = [
        *(line for line in preprocessed if line.startswith("rows read")),
        *[line for line in preprocessed if line.startswith("  dropped")][:2],
        f"  {SKIPPED}",
        kept,
        "",
        *steps[:2],
        SKIPPED,
        evaluations[-1],
        "",
        *[line for line in written if line.startswith("I just")][:1],
        "",
        *table[: end + 1],
        base,
    ]
    return "\n".join(lines) + "\n"


def draw(page: Path, picture: Path) -> None:
    """Write a picture of the beginning of a page, as a browser shows it."""
    picture.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        words = [*BROWSER.split(), f"--user-data-dir={profile}", f"--screenshot={picture}", "--window-size=1000,1100"]
        subprocess.run([*words, page.as_uri()], check=True, stderr=subprocess.DEVNULL)


def quoted(readme: str, text: str) -> str:
    """Return the README with this page in place of the one that it shows."""
    return QUOTED.sub(lambda _: text, readme, count=1)


if __name__ == "__main__":
    main()
