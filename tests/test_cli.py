"""The command lines of all scripts: spelling of flags, --config, the two lines of an error, exit codes."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from utils.argument_types import fraction, non_negative_float, non_negative_int, positive_float, positive_int
from utils.cli import Parser
from utils.errors import UsageError
from utils.process import run

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))
HEAVY = ("torch", "transformers", "pandas", "numpy", "datasets", "evaluate", "sklearn", "matplotlib")


@pytest.fixture
def parser():
    """A parser with a flag of every kind that the scripts use."""
    parser = Parser("Do something.\n\npython script.py --data_path x.csv\n")
    parser.add_argument("--data_path", "--data", nargs="+", required=True)
    parser.add_argument("--batch_size", type=positive_int, default=16)
    parser.add_argument("--lang")
    parser.add_argument("--precision", choices=("auto", "fp32"), default="auto")
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--keep_replies", action="store_true")
    return parser


@pytest.fixture
def refused(parser, capsys):
    """(error line, hint line) of a command line that is refused with exit code 2 and nothing on stdout."""

    def parse(*words):
        assert run(lambda: _parse(parser, words)) == 2
        return two_lines(capsys)

    return parse


def _parse(parser, words):
    try:
        parser.parse_args(words)
    except SystemExit as end:
        return end.code
    return 0


def two_lines(capsys):
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 2
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    return lines[0].removeprefix("error: "), lines[1].removeprefix("hint: ")


def config(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_dashes_and_underscores_spell_the_same_flag(parser):
    dashes = parser.parse_args(["--data-path", "a", "b", "--batch-size=4", "--keep-replies"])
    underscores = parser.parse_args(["--data_path", "a", "b", "--batch_size=4", "--keep_replies"])
    assert dashes == underscores
    assert (dashes.data_path, dashes.batch_size, dashes.keep_replies) == (["a", "b"], 4, True)


def test_dashes_in_a_value_stay(parser):
    args = parser.parse_args(["--data", "my-file.csv", "--lang=fr-CA", "--exclude=--data-path"])
    assert (args.data_path, args.lang, args.exclude) == (["my-file.csv"], "fr-CA", ["--data-path"])


@pytest.mark.parametrize(
    ("flag", "nearest"),
    [("--batch_sise", "--batch_size"), ("--batch-sise", "--batch_size"), ("--precison=fp32", "--precision")],
)
def test_an_unknown_flag_suggests_the_nearest(refused, flag, nearest):
    problem, hint = refused("--data", "x", flag)
    assert problem == f"unknown flag {flag.partition('=')[0]}"
    assert hint.startswith(f"did you mean {nearest}? ")


def test_an_unknown_flag_like_no_other_points_to_help(refused):
    problem, hint = refused("--data", "x", "--zzzz")
    assert problem == "unknown flag --zzzz"
    assert hint.endswith("--help_all lists the flags")
    assert "did you mean" not in hint


@pytest.mark.parametrize("flag", ["--batch", "--keep", "--batch_siz"])
def test_flags_cannot_be_abbreviated(refused, flag):
    assert refused("--data", "x", flag)[0] == f"unknown flag {flag}"


@pytest.fixture
def renamed():
    """A parser with a flag in a group that had another name."""
    parser = Parser("Do something.\n\npython script.py\n")
    parser.add_argument_group("lengths").add_argument("--min_words", type=positive_int)
    parser.accept_old_names({"--min_tokens": "--min_words"})
    return parser


@pytest.mark.parametrize("flag", ["--min_words", "--min-words", "--min_tokens", "--min-tokens", "--min_tokens=3"])
def test_an_old_name_of_a_flag_sets_it(renamed, flag, tmp_path):
    words = [flag] if "=" in flag else [flag, "3"]
    assert vars(renamed.parse_args(words)) == {"config": None, "min_words": 3}
    path = config(tmp_path, f"{flag[2:].partition('=')[0]}: 4")
    assert renamed.parse_args(["--config", path]).min_words == 4
    assert renamed.parse_args(["--config", path, *words]).min_words == 3


def test_help_and_errors_name_the_new_flag_only(renamed):
    assert "--min_words" in renamed.format_help()
    assert "tokens" not in renamed.format_help()
    for words in (["--min_tokens", "0"], ["--min_token", "3"]):
        with pytest.raises(UsageError) as error:
            renamed.parse_args(words)
        assert "--min_words" in error.value.problem + error.value.hint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--data_path/--data"),
        (["--data"], "expected at least one argument"),
        (["--data", "x", "--batch_size", "0"], "'0' is not a whole number of at least 1"),
        (["--data", "x", "--precision", "int4"], "'int4'"),
        (["--data", "x", "-q"], "-q"),
        (["--data", "x", "--lang", ""], "--lang is empty"),  # as of a shell's unset variable
        (["--data", "x", "--lang= "], "--lang is empty"),
        (["--data", "x", ""], "--data_path is empty"),
    ],
)
def test_a_usage_error_is_two_lines_and_exit_code_2(refused, words, said):
    problem, hint = refused(*words)
    assert said in problem
    assert hint


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (positive_int, {"1": 1, "42": 42}, ["0", "-1", "1.5", "x", ""]),
        (non_negative_int, {"0": 0, "7": 7}, ["-1", "0.5", "x"]),
        (positive_float, {"0.5": 0.5, "1e-4": 1e-4}, ["0", "-1", "inf", "nan", "x"]),
        (non_negative_float, {"0": 0.0, "2": 2.0}, ["-0.1", "inf", "nan"]),
        (fraction, {"0.1": 0.1, "1": 1.0}, ["0", "1.01", "nan", "10%"]),
    ],
)
def test_argument_types(kind, good, bad):
    assert {text: kind(text) for text in good} == good
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match="is not a"):
            kind(text)


def test_config_sets_flags_of_every_kind(parser, tmp_path):
    path = config(
        tmp_path,
        "data-path: [a.csv, b.csv]\nbatch_size: 8\nlang: fr\nprecision: fp32\n"
        "exclude: [spam, ad]\nkeep_replies: true\n",
    )
    args = parser.parse_args(["--config", path])
    assert args.data_path == ["a.csv", "b.csv"]
    assert (args.batch_size, args.lang, args.precision) == (8, "fr", "fp32")
    assert (args.exclude, args.keep_replies) == (["spam", "ad"], True)


def test_config_takes_single_values_false_and_nothing(parser, tmp_path):
    path = config(tmp_path, "data: a.csv\nexclude: spam\nkeep_replies: false\nlang:\nbatch_size: null\n")
    args = parser.parse_args([f"--config={path}"])
    assert (args.data_path, args.exclude, args.keep_replies) == (["a.csv"], ["spam"], False)
    assert (args.lang, args.batch_size) == (None, 16)


def test_the_command_line_wins_over_config(parser, tmp_path):
    path = config(tmp_path, "data: [a.csv]\nbatch_size: 8\nexclude: [spam, ad]\nlang: fr\n")
    args = parser.parse_args(["--config", path, "--data_path", "b.csv", "--batch-size=4", "--exclude", "news"])
    assert (args.data_path, args.batch_size, args.exclude, args.lang) == (["b.csv"], 4, ["news"], "fr")


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("batch_sise: 4", "unknown key 'batch_sise'", "did you mean 'batch_size'?"),
        ("zzzz: 4", "unknown key 'zzzz'", "lists the flags"),
        ("config: other.yaml", "unknown key 'config'", ""),
        ("batch_size: many", "'many' is not a whole number", ""),
        ("batch_size: [4, 8]", "batch_size is [4, 8], expected text or a number", ""),
        ("precision: int4", "'int4'", ""),
        ("keep_replies: maybe", "keep_replies is 'maybe', expected true or false", "`keep_replies: true`"),
        ("lang: no", "lang is False, expected text or a number", "put quotes around text"),
        ("lang: {code: fr}", "lang is {'code': 'fr'}", ""),
        ("- a\n- b", "contains no settings", "`flag: value`"),
        ("", "contains no settings", ""),
        ("a: [", "is not YAML", ""),
    ],
)
def test_a_wrong_config_is_a_usage_error(refused, tmp_path, text, problem, hint):
    said, suggested = refused("--data", "x", "--config", config(tmp_path, text))
    assert problem in said
    assert hint in suggested


def test_options_of_a_call_from_python_are_checked_as_a_config_is(parser):
    args = parser.parse_options({"data": ["a.csv"], "batch_size": 8, "keep_replies": True, "lang": None})
    assert args == parser.parse_args(["--data", "a.csv", "--batch_size", "8", "--keep_replies"])
    with pytest.raises(UsageError, match="options: unknown key 'batch_sise'"):
        parser.parse_options({"batch_sise": 8})


def test_a_config_that_cannot_be_read_is_a_usage_error(refused, tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"lang: \xe9")
    assert "No such file" in refused("--data", "x", "--config", str(tmp_path / "none.yaml"))[0]
    assert "Is a directory" in refused("--data", "x", "--config", str(tmp_path))[0]
    assert "is not YAML" in refused("--data", "x", "--config", str(tmp_path / "latin.yaml"))[0]
    assert "--config" in refused("--data", "x", "--config")[0]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_and_usage_errors_need_no_heavy_import(script):
    code = (
        "import runpy, sys\n"
        "for words in (['--help'], ['--nonsense']):\n"
        f"    sys.argv = [{script!r}, *words]\n"
        f"    try: runpy.run_path({script!r}, run_name='__main__')\n"
        "    except SystemExit as end: print('exit', end.code)\n"
        f"print('imported', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(f"usage: {script} ")
    assert f"python {script} --" in ended.stdout.partition("examples:")[2]
    assert ended.stdout.endswith("exit 0\nexit 2\nimported []\n")
    assert ended.stderr.startswith("error: unknown flag --nonsense\nhint: ")


@pytest.mark.parametrize("flag", ["--plot", "--xyz", "--depth", "--color"])
def test_a_flag_that_is_like_no_other_gets_no_suggestion(flag):
    import fine_tune

    with pytest.raises(UsageError) as raised:
        fine_tune.build_parser().parse_args([flag, "1"])
    assert "did you mean" not in raised.value.hint


@pytest.mark.parametrize(("flag", "meant"), [("--epoch", "--epochs"), ("--learnin_rate", "--learning_rate")])
def test_a_flag_with_a_slip_gets_the_one_that_was_meant(flag, meant):
    import fine_tune

    with pytest.raises(UsageError) as raised:
        fine_tune.build_parser().parse_args([flag, "1"])
    assert f"did you mean {meant}?" in raised.value.hint


@pytest.mark.parametrize("script", ["generate", "classify"])
def test_a_model_that_is_missing_is_refused_before_torch_is_imported(script, tmp_path):
    words = ["--text", "a"] if script == "classify" else ["--prompt", "a"]
    program = (
        f"import sys, {script}\nfrom utils.errors import UserError\ntry:\n    {script}.main(sys.argv[1:])\n"
        "except UserError as error:\n    assert 'no model' in str(error)\nassert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", program, "--model_path", str(tmp_path / "none"), *words]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
