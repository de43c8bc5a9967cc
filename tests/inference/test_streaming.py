"""Answers as they are shown: whole characters at once, no part of a stop string, and an end at Ctrl-C."""

import os
import signal

import pytest
import torch

from utils.inference.streaming import AnswerInterrupt, AnswerStopped, AnswerStreamer
from utils.models.base_models import resolve
from utils.models.opening.load import load_tokenizer

END = 256


def streamer_of(shown: list[str], stop: tuple[str, ...] = ()) -> tuple[AnswerStreamer, AnswerInterrupt]:
    interruption = AnswerInterrupt()
    return AnswerStreamer(load_tokenizer(resolve("tiny")), END, stop, shown.append, interruption), interruption


def stream(text: str | bytes, prompt: str = "é\n", stop: tuple[str, ...] = ()) -> tuple[list[str], AnswerStreamer]:
    """The pieces that are shown of a text which is written byte by byte, and the streamer."""
    shown = []
    streamer, _ = streamer_of(shown, stop)
    tokenizer = streamer.tokenizer
    table = {byte: tokenizer.convert_tokens_to_ids(character) for byte, character in bytes_to_characters().items()}
    streamer.put(torch.tensor([[END, *(table[byte] for byte in prompt.encode())]]))
    for byte in text if isinstance(text, bytes) else text.encode():
        streamer.put(torch.tensor([table[byte]]))
    streamer.put(torch.tensor([END]))
    streamer.end()
    assert "".join(shown) == streamer.text
    return shown, streamer


def bytes_to_characters() -> dict[int, str]:
    """GPT-2's characters for bytes: printable ones are themselves, the others follow from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + place) for place, byte in enumerate(others)}


def test_characters_are_shown_whole_and_at_once():
    text = "Où ça ? 👩‍🚀 déjà\nlà"
    shown, streamer = stream(text)
    assert shown == list(text)
    assert len(streamer.ids) == len(text.encode())


def test_half_a_character_at_the_end_is_not_shown():
    assert stream("là".encode()[:-1])[0] == ["l"]
    assert stream(b"a" + "🚀".encode()[:2] + b"b")[0] == ["a", "\ufffdb"]


@pytest.mark.parametrize(
    ("text", "stop", "pieces"),
    [
        ("one.###two", ("###",), ["o", "n", "e", "."]),
        ("a##b#", ("###",), ["a", "##b", "#"]),
        ("a##b", ("#!", "##b"), ["a"]),
        ("ababc", ("abc",), ["ab"]),
        ("abab", ("abc",), ["ab", "ab"]),
        ("\nUser", ("\nUser:",), ["\nUser"]),
    ],
)
def test_nothing_of_a_stop_string_is_shown_and_nothing_else_is_lost(text, stop, pieces):
    assert stream(text, stop=stop)[0] == pieces


def test_the_first_interruption_is_noted_and_the_second_interrupts():
    shown = []
    streamer, interruption = streamer_of(shown)
    before = signal.getsignal(signal.SIGINT)
    with interruption.listening():
        streamer.put(torch.tensor([[END, 70]]))
        streamer.put(torch.tensor([71]))
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(AnswerStopped):
            streamer.put(torch.tensor([72]))
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert (len(shown), len(streamer.ids)) == (1, 1)
