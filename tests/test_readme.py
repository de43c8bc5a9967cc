"""Every command of the README runs as it stands there, in its order, on the sample data and the tiny model."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import preprocess
from utils.collecting.collect import validate_query
from utils.collecting.posts import Query

ROOT = Path(__file__).parent.parent
SCRIPTS = ("preprocess", "fine_tune", "generate", "classify", "evaluate_model")


def commands(language: str = "bash") -> list[str]:
    """The lines of the README's blocks in this language, continued lines joined, comments dropped."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)).replace("\\\n", " ")
    return [line.partition(" #")[0].strip() for line in blocks.split("\n") if line.strip()]


def test_every_command_of_the_readme_runs(tmp_path, monkeypatch, capfd):
    shutil.copytree(ROOT / "data" / "samples", tmp_path / "data" / "samples")
    monkeypatch.chdir(tmp_path)
    run = []
    for command in commands():
        if command.startswith("echo "):  # a pipe, which needs a shell
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            piped = command.replace("python ", f"{sys.executable} {ROOT}/")
            subprocess.run(piped, shell=True, check=True, env=environment)
            continue
        program, *words = shlex.split(command)
        if program in ("make", "git", "cd"):
            continue  # `make` is what runs this test, and make demo runs in continuous integration
        if program == "python":
            name = Path(words[0]).stem
            # The base model travels in the pickle, so naming it here is enough.
            added = ["--model", "tiny"] if name == "preprocess" else []
            assert importlib.import_module(name).main([*words[1:], *added]) == 0, capfd.readouterr().err
            run.append(name)
        else:
            subprocess.run(command, shell=True, check=True)
    assert set(run) == set(SCRIPTS)


def test_the_commands_that_need_a_site_are_understood():
    scraping = [shlex.split(command) for command in commands("sh") if "--scrape" in command]
    assert len(scraping) >= 2
    for python, script, *words in scraping:
        assert (python, script) == ("python", "preprocess.py")
        source, target = preprocess.build_parser().parse_args(words).scrape
        validate_query(Query(source, target.replace("INSTANCE", "mastodon.example")))


def test_the_make_targets_of_the_readme_exist():
    targets = {words[1] for words in map(shlex.split, commands()) if words[0] == "make"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)
