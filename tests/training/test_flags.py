"""The flags of fine_tune.py: their help, their defaults by kind of task, and the settings that they make."""

import pytest

from fine_tune import build_parser
from utils.tasks.kinds import EMOJI
from utils.training.flag_checks import complete_flags
from utils.training.flags import settings_from


def parsed(*words: object):
    return build_parser().parse_args([str(word) for word in words])


def help_of(flag: str) -> str:
    """Return the help of one flag, in one line."""
    lines = build_parser().format_help(everything=True).splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip().startswith(flag))
    last = next(number for number in range(first + 1, len(lines)) if not lines[number].startswith(" " * 10))
    return " ".join(" ".join(lines[first:last]).split())


@pytest.mark.parametrize(
    ("flag", "default"),
    [
        ("--epochs", "default: 2; 1 to answer instructions; 5 to write emoji"),
        ("--batch_size", "default: 16; 32 to classify texts or write emoji"),
        ("--learning_rate", "default: 0.0001; 4e-05 to classify texts; 0.0004 to write emoji"),
        ("--weight_decay", "default: 0.01"),
        ("--unfreeze_last", "default: 16; all to write texts; 12 to write emoji"),
    ],
)
def test_help_has_the_defaults_by_kind_of_task(flag, default):
    assert default in help_of(flag)


def test_help_explains_each_flag_without_its_old_name():
    assert "to classify texts or write emoji: also train" in help_of("--augment")
    assert "--model_soup N" in help_of("--model_soup")
    shown = build_parser().format_help(everything=True)
    assert "--average_runs" not in shown and "--push_only" not in shown


def test_old_names_are_accepted():
    assert parsed("--average_runs", 3).model_soup == 3
    assert parsed("--push-only").push_trained is True


def test_given_flags_are_those_on_the_command_line_and_in_the_config(tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("lr: 0.001\nseed: 42\n")
    parser = build_parser()
    parser.parse_args(["--config", str(config), "--epochs", "2"])
    assert parser.given == {"config", "learning_rate", "seed", "epochs"}


def test_settings_are_the_flags_with_device_and_precision():
    flags = parsed("--output_path", "models/mine.pt", "--average_runs", 2)
    complete_flags(flags, build_parser(), EMOJI)
    settings = settings_from(flags, "bf16", "cuda")
    assert (settings.precision, settings.device, settings.model_soup) == ("bf16", "cuda", 2)
    assert (settings.learning_rate, settings.epochs, settings.max_steps) == (4e-4, 5.0, None)
