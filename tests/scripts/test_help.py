"""The help of every script: common flags in named groups that fit a terminal, and all flags with --help_all."""

import importlib
import re
from argparse import SUPPRESS
from pathlib import Path

import pytest

from utils import errors
from utils.cli import Parser
from utils.errors import UsageError
from utils.tasks.tasks import TASKS

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
FLAG = re.compile(r"^  (--\w+)", re.MULTILINE)
FIRST = {  # what README.md shows first
    "preprocess": {"--data_path", "--output_path", "--task", "--aliases", "--split_by", "--length_hints"},
    "fine_tune": {"--data_path", "--output_path", "--model", "--epochs", "--batch_size", "--augment", "--resume"},
    "generate": {"--model_path", "--prompt", "--instruction", "--chat", "--length", "--num_return_sequences", "--json"},
    "classify": {"--model_path", "--text", "--data_path", "--output_path"},
    "evaluate_model": {"--model_path", "--data_path", "--compare_base", "--errors_path", "--limit", "--compare"},
}


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def page(script: str, flag: str, capsys) -> str:
    with pytest.raises(SystemExit) as end:
        importlib.import_module(script).build_parser().parse_args([flag])
    assert end.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_help_of_an_installed_project_fits_a_terminal_though_its_commands_are_longer(script, capsys, monkeypatch):
    monkeypatch.setattr(errors, "INSTALLED", True)
    for flag, most in (("--help", 65), ("--help_all", 200)):
        lines = page(script, flag, capsys).splitlines()
        assert lines[0] == f"usage: small-text-fine-tuning {script} [flags]"
        assert max(map(len, lines)) <= 80
        assert len(lines) < most


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_help_fits_a_terminal_and_has_the_common_flags(script, capsys):
    shown = page(script, "--help", capsys)
    lines = shown.splitlines()
    assert len(lines) < 60
    assert max(map(len, lines)) <= 80
    assert lines[0] == f"usage: {script}.py [flags]"
    assert FIRST[script] <= set(FLAG.findall(shown))
    assert "--help_all" in shown


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_all_has_every_flag_and_all_its_names(script, capsys):
    shown = page(script, "--help_all", capsys)
    assert max(map(len, shown.splitlines())) <= 80
    actions = importlib.import_module(script).build_parser()._actions
    names = {name for action in actions if action.help != SUPPRESS for name in action.option_strings}
    assert {name for name in names if not re.search(rf"(?<!\w){name}(?!\w)", shown)} == set()
    assert set(FLAG.findall(page(script, "--help", capsys))) < set(FLAG.findall(shown))


@pytest.mark.parametrize("script", sorted({*SCRIPTS} - {"classify"}))  # which has one kind of model
def test_the_examples_are_commands_for_each_task(script, capsys):
    examples = page(script, "--help", capsys).partition("examples:\n")[2]
    for task in set(TASKS) - ({"reviews"} if script == "generate" else set()):
        assert {"tweets": f"python {script}.py"}.get(task, task) in examples
    for line in examples.splitlines():
        assert line.startswith((f"python {script}.py ", "    "))


def test_a_long_command_is_continued_so_that_a_shell_joins_it(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    parser = Parser("Do.\n\npython script.py --data_path file.csv --text 'two words' --json\n")
    assert parser.format_help().endswith(
        "examples:\npython script.py --data_path file.csv \\\n    --text 'two words' --json\n"
    )


def test_rare_flags_and_more_words_are_shown_with_all():
    parser = Parser("Do.\n\npython script.py\n")
    parser.group("one", rare=True)("--rare", help="seldom")
    parser.group("one")("--common", "--very_long_name", help="often", more="and so on")
    parser.group("two", rare=True)("--hidden", "--hide", help="never")
    pages = parser.format_help(), parser.format_help(everything=True)
    short, full = (re.sub("(?<=\\w)  +", "  ", text) for text in pages)
    assert "one:\n  --common COMMON  often\n\nsettings and help:\n" in short
    assert "two:" not in short and "--rare" not in short
    assert re.search(r"--common, --very_long_name COMMON\s+often; and so on\n", full)
    assert "two:\n  --hidden, --hide HIDDEN  never\n" in full


@pytest.mark.parametrize(("flag", "meant"), [("--warmup_step", "--warmup_steps"), ("--prefixcache", "--prefix_cache")])
def test_a_flag_that_the_help_hides_is_suggested_and_accepted(flag, meant, tmp_path):
    import fine_tune

    parser = fine_tune.build_parser()
    assert f"  {meant}" not in parser.format_help()
    with pytest.raises(UsageError) as raised:
        parser.parse_args([flag, "1"])
    assert f"did you mean {meant}?" in raised.value.hint
    config = tmp_path / "run.yaml"
    value = {"--warmup_steps": 3, "--prefix_cache": "off"}[meant]
    config.write_text(f"{meant[2:]}: '{value}'\n")
    assert str(getattr(parser.parse_args(["--config", str(config)]), meant[2:])) in (str(value), f"{value}.0")


def test_help_all_is_for_the_command_line_alone(tmp_path):
    import fine_tune

    with pytest.raises(UsageError, match="unknown key 'help_all'"):
        fine_tune.build_parser().parse_options({"help_all": True})
