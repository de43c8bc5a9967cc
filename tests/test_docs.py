"""Every command of the README and of docs/ runs as written, in order, on the sample data and the tiny model."""

import importlib
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from utils.collecting.collect import validate_query
from utils.collecting.posts import Query

ROOT = Path(__file__).parent.parent
SCRIPTS = ("preprocess", "fine_tune", "generate", "classify", "evaluate_model")
# In the order in which a reader needs their files: later pages use what earlier ones have written.
PAGES = ("README.md", *(f"docs/{script}.md" for script in SCRIPTS), "docs/collecting.md", "docs/scaling.md")


def commands(language: str, pages: tuple[str, ...] = PAGES) -> list[str]:
    """The lines of the pages' blocks in this language, continued lines joined, comments dropped."""
    text = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in pages)
    blocks = "\n".join(re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)).replace("\\\n", " ")
    return [line.partition(" #")[0].strip() for line in blocks.split("\n") if line.strip()]


@pytest.mark.timeout(900)  # some forty commands
def test_every_command_of_the_documentation_runs(tmp_path, monkeypatch, capfd):
    shutil.copytree(ROOT / "data" / "samples", tmp_path / "data" / "samples")
    monkeypatch.chdir(tmp_path)
    run = []
    for command in commands("bash"):
        if command.startswith("echo "):  # a pipe, which needs a shell
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            piped = command.replace("python ", f"{sys.executable} {ROOT}/")
            subprocess.run(piped, shell=True, check=True, env=environment)
            continue
        program, *words = shlex.split(command)
        if program == "make":
            continue  # `make test` runs this test, and continuous integration runs `make demo`
        if program == "python":
            name = Path(words[0]).stem
            # The base model travels in the pickle, so naming it here is enough.
            added = ["--model", "tiny"] if name == "preprocess" else []
            assert importlib.import_module(name).main([*words[1:], *added]) == 0, capfd.readouterr().err
            run.append(name)
        else:
            subprocess.run(command, shell=True, check=True)
    assert set(run) == set(SCRIPTS)


def test_the_examples_in_python_run(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "data" / "samples", tmp_path / "data" / "samples")
    monkeypatch.chdir(tmp_path)
    module = "small_text_fine_tuning.scripts.utils.models.base_models"
    monkeypatch.setattr(f"{module}.default_model", lambda: ("tiny", "for the test"))
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    logger = logging.getLogger("small_text_fine_tuning")
    level, names = logger.level, {}
    try:
        for block in blocks:
            exec(block.replace('"smollm2"', '"tiny"'), names)
    finally:
        logger.setLevel(level)
    assert {"preprocess", "fine_tune", "generate", "classify", "evaluate", "generate_emoji"} <= names.keys()
    assert len(names["generate"](["I just", "Why"], names["writer"], max_new_tokens=2)) == 2


def test_commands_that_need_other_machines_are_parsed():
    """Blocks marked `sh` need a site, a hub or a GPU: their flags exist, and the queries of --scrape are valid."""
    parsed = []
    for command in commands("sh"):
        words = shlex.split(command)
        script = next((word for word in words if word.removesuffix(".py") in SCRIPTS), None)
        if script is None or "$" in command:
            continue
        name = script.removesuffix(".py")
        args = importlib.import_module(name).build_parser().parse_args(words[words.index(script) + 1 :])
        parsed.append(name)
        if name == "preprocess" and args.scrape:
            source, target = args.scrape
            validate_query(Query(source, target.replace("INSTANCE", "mastodon.example")))
    assert parsed.count("preprocess") >= 2
    assert {"fine_tune", "generate", "evaluate_model"} <= set(parsed)


def test_the_make_targets_of_the_readme_exist():
    targets = {words[1] for words in map(shlex.split, commands("bash")) if words[0] == "make"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)


def test_links_lead_to_files_and_headings_that_exist():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if target.startswith("http"):
                continue
            path, _, anchor = target.partition("#")
            linked = (page.parent / path).resolve() if path else page
            assert linked.exists(), f"{page.name}: {target}"
            if not anchor:
                continue
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), flags=re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{page.name}: {target}"


def test_the_readme_is_read_in_one_sitting():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200
