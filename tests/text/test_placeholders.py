"""Texts that only say that something is missing."""

import pytest

from utils.text.placeholders import is_placeholder_answer, is_placeholder_input


@pytest.mark.parametrize(
    "text",
    [
        *("No input", "Noinput", "<no input>", "no_input", "NO INPUT.", '"<noinput>"', "< noinput >", "`<noinput>`"),
        *("N/A", "<N/A>", "n/a", "NA", "none", "None.", "<none>", "nan", "null", "No input required.", "<noinput"),
        *("No input needed", "\\<noinput\\>", "(no input)", "[No Input]", "<noinputs>", "Not applicable"),
    ],
)
def test_placeholders_for_an_input(text):
    assert is_placeholder_input(text)


@pytest.mark.parametrize(
    "text",
    [
        *("None of the above apply to me", "No inputs were given to the committee", "Na", "No lemon", "Nanotechnology"),
        *("+", "The <noinput>", "<noinput> 8", "sodium (Na)", "0", "No", "Nothing ventured, nothing gained.", "NASA"),
        "input",
    ],
)
def test_inputs_that_only_look_like_placeholders(text):
    assert not is_placeholder_input(text)


def test_placeholders_for_an_answer():
    assert all(map(is_placeholder_answer, ["<nooutput>", "No Output", "<noinput>", "N/A", "No output required."]))
    assert is_placeholder_answer("<nooutput> - Visuals cannot be created by a language model, which writes.")
    assert is_placeholder_answer("<No output, cannot design a graphical user interface>")
    assert not any(map(is_placeholder_answer, ["None", "null", "NaN", "No", "No output is shown in that case.", "0"]))
