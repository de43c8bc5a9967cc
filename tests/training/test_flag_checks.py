"""Valid combinations of flags, and the defaults of missing ones by kind of task."""

import pytest

from fine_tune import build_parser
from utils.errors import UsageError
from utils.tasks.kinds import CLASSIFY, EMOJI, GENERATE, INSTRUCT, KINDS
from utils.training.flag_checks import complete_flags, take_hub_flags

PUSH = ["--push_to_hub", "--hub_model_id", "ana/cat"]


def parsed(*words: object):
    return build_parser().parse_args([str(word) for word in words])


def completed(flags, kind) -> list[str]:
    return complete_flags(flags, build_parser(), kind)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_missing_flags_get_the_defaults_of_the_kind(kind):
    flags = parsed("--lr", 3e-3, "--unfreeze_last", "all")
    assert completed(flags, kind) == ["batch_size", "weight_decay", "epochs"]
    given = {"learning_rate": 3e-3, "unfreeze_last": None}
    assert {name: getattr(flags, name) for name in kind.training_defaults} == dict(kind.training_defaults) | given


def test_epochs_are_not_searched_where_steps_are_given():
    assert "epochs" not in completed(parsed("--max_steps", 3), GENERATE)


@pytest.mark.parametrize(
    ("words", "suited", "problem"),
    [
        (
            ["--train_head"],
            [GENERATE, INSTRUCT, EMOJI],
            "is for models that write texts, answer instructions or write",
        ),
        (["--loss_on", "all"], [INSTRUCT], "--loss_on is for models that answer instructions, but the data is for"),
        (["--class_weights", "balanced"], [CLASSIFY], "--class_weights is for models that classify texts"),
        (["--oversample"], [CLASSIFY], "--oversample is for models that classify texts"),
        (["--threshold", 0.3], [CLASSIFY], "--threshold is for models that classify texts"),
        (["--augment"], [CLASSIFY, EMOJI], "--augment is for models that classify texts or write emoji"),
    ],
)
def test_flags_of_other_kinds_are_refused(words, suited, problem):
    for kind in KINDS.values():
        if kind in suited:
            completed(parsed(*words), kind)
            continue
        with pytest.raises(UsageError) as raised:
            completed(parsed(*words), kind)
        assert problem in raised.value.problem
        assert raised.value.problem.endswith(f"but the data is for {kind.models}")


def test_hub_flags_are_no_part_of_the_training():
    flags = parsed(*PUSH)
    hub = take_hub_flags(flags, {"push_to_hub", "hub_model_id"})
    assert vars(hub) == {
        "push_to_hub": True, "push_trained": False, "model_path": None, "hub_model_id": "ana/cat", "hub_private": False,
    }  # fmt: skip
    assert not vars(hub).keys() & vars(flags).keys()
