"""docs/demo.txt and the README show what `make demo` prints, in all that does not depend on the machine."""

import random
import re
from pathlib import Path

from running import run_script

import evaluate_model
import fine_tune
import generate
import preprocess
from benchmarks import demo
from utils.models.base_models import PACKAGED, describe_base

ROOT = Path(__file__).parents[2]
DOCS = ("README.md", "docs/results.md")


def without_numbers(line: str) -> str:
    """The line with # for each number and one space for spaces and rules: what another machine prints as well."""
    if line.startswith("I just"):
        return "I just …"  # what a model writes
    line = re.sub(r", \d[\d hmin]* (?:s|min) left$", "", line)  # of which the units differ, too
    return re.sub(r"[\s─]+", " ", re.sub(r"[-+]?\d[\d,.]*(?:e-\d+)?", "#", line)).strip()


def test_the_readme_quotes_the_page():
    """Rows and counts as they are, the models' figures up to their numbers: another machine has others."""
    page, readme = demo.PAGE.read_text("utf-8"), demo.README.read_text("utf-8")
    [quoted] = demo.QUOTED.findall(readme)[:1]
    audit = page.index("\n\n")
    assert quoted[:audit] == page[:audit]
    assert list(map(without_numbers, quoted.splitlines())) == list(map(without_numbers, page.splitlines()))
    assert demo.quoted(readme, page).count(page) == 1


def test_the_readme_shows_a_picture_of_the_report():
    assert f"]({demo.PICTURE.relative_to(ROOT).as_posix()})" in demo.README.read_text("utf-8")
    assert demo.PICTURE.read_bytes().startswith(b"\x89PNG")
    assert demo.PICTURE.stat().st_size < 300_000


def test_the_counts_of_the_page_agree_with_each_other_and_with_the_docs():
    page = demo.PAGE.read_text("utf-8")
    kept, *parts = re.search(r"rows kept +([\d,]+)  train ([\d,]+), validation ([\d,]+), test ([\d,]+)", page).groups()
    numbers = [int(number.replace(",", "")) for number in (kept, *parts)]
    assert numbers[0] == sum(numbers[1:])
    assert f"test split: {parts[2]} texts" in page
    steps = -(-numbers[1] // 16)
    assert f"step {steps}: validation" in page
    assert all(f"{parts[0]} " in (ROOT / name).read_text("utf-8") for name in DOCS)
    parts = re.search(r"the end token: (.+), the first token: (.+), the text between: (.+)", page).groups()
    whole = re.search(r"tuned minus base on the same texts: (\S+)", page)[1]
    assert abs(sum(map(float, parts)) - float(whole)) < 2e-4
    assert f"base: {describe_base(PACKAGED)}\n" in page


def test_the_page_has_the_lines_that_the_scripts_print(tmp_path, monkeypatch, capfd):
    """The demo's commands on made-up tweets and the tiny model print the same lines, up to their numbers."""
    monkeypatch.chdir(tmp_path)
    Path("data/raw").mkdir(parents=True)
    draw = random.Random(1)
    words = [f"{first}{last}" for first in ("ba", "ce", "di", "fo", "gu") for last in ("le", "mi", "no", "ru", "sta")]
    tweets = [f"{number}\t1.0\t{' '.join(draw.choices(words, k=9))}" for number in range(240)]
    tweets += ["301\t1.0\tRT @ada this was written by someone else", *(f"{n}\t0\t@ada I agree {n}" for n in (302, 303))]
    Path(demo.RAW).write_text("\n".join(tweets) + "\n", "utf-8")
    extra = {preprocess: ["--model", "tiny"], generate: ["--max_new_tokens", 8]}
    extra[evaluate_model] = ["--num_samples", 2, "--max_new_tokens", 8]
    outputs = []
    for script, command in zip((preprocess, fine_tune, generate, evaluate_model), demo.COMMANDS, strict=True):
        words = command.replace('"I just"', "I_just").split()[1:]
        words = [word.replace("_", " ") if word == "I_just" else word for word in words]
        assert run_script(script.main, *words, *extra.get(script, [])) == 0
        printed = capfd.readouterr()
        outputs.append([*printed.err.splitlines(), *printed.out.splitlines()])
    assert Path(demo.REPORT).is_file()
    outputs[2] = ["I just" + outputs[2][-1]]  # the tiny model writes anything
    lines = [without_numbers(line) for line in demo.page(outputs).splitlines()]
    of_page = demo.PAGE.read_text("utf-8").replace(describe_base(PACKAGED), "tiny")
    assert lines == [without_numbers(line) for line in of_page.splitlines()]
