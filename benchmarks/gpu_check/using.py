"""Checks of the scripts that use a model: their results on the device equal those on the CPU, in float32."""

import json
from collections.abc import Callable
from itertools import takewhile

from benchmarks.gpu_check.commands import json_lines, require
from benchmarks.gpu_check.material import Workplace
from benchmarks.speed.measure import words

PROMPTS = ("I", "The first", "My cat", "We are", "Today", "Why does", "An hour", "Good")
TEXTS = ("Works like a charm", "Broke after a day", "I love it!", "The battery died", "Fine, for the price", "Awful.")
DESCRIPTIONS = ("a cat crying with joy", "red heart", "flag of France")
NEW_TOKENS = 48
LEAST_ALIKE = 16  # tokens: where two are about as likely, rounding decides, and the rest of the text follows from that
PROBABILITY = 1e-3
RELATIVE_LOSS = 1e-3


def generation(work: Workplace) -> str:
    """Continue prompts greedily: a byte is a token of the small model's, so bytes are counted."""
    given = [word for prompt in PROMPTS for word in ("--prompt", prompt)]
    flags = {"model_path": work.made("writer"), "precision": "fp32", "max_new_tokens": NEW_TOKENS}
    found, expected = _on_both(work, "generate.py", *given, **flags, greedy=True, json=True)
    require(len(found) == len(expected) == len(PROMPTS), f"{len(found)} and {len(expected)} texts were written")
    alike = [_common(*(each["text"].encode() for each in pair)) for pair in zip(found, expected, strict=True)]
    lengths = [len(each["text"].encode()) for each in expected]
    same = sum(one["text"] == other["text"] for one, other in zip(found, expected, strict=True))
    apart = [number for number, one, other in zip(alike, found, expected, strict=True) if one["text"] != other["text"]]
    said = f"{same} of {len(PROMPTS)} texts as on the CPU" + (
        f", the first to differ after {min(apart)}" if apart else ""
    )
    require(all(number >= LEAST_ALIKE for number in apart), f"{said} tokens")
    return f"{said}, {sum(lengths)} tokens"


def classification(work: Workplace) -> str:
    """Label texts from stdin."""
    flags = {"model_path": work.made("classifier"), "precision": "fp32", "json": True}
    found, expected = _on_both(work, "classify.py", **flags, stdin="\n".join(TEXTS))
    labels = [[each["label"] for each in records] for records in (found, expected)]
    require(labels[0] == labels[1] and len(found) == len(TEXTS), f"labels are {labels[0]}, on the CPU {labels[1]}")
    difference = _largest(found, expected, lambda record: list(record["probabilities"].values()))
    require(difference <= PROBABILITY, f"probabilities differ by {difference:.1e}, more than {PROBABILITY:.0e}")
    return f"{len(TEXTS)} labels as on the CPU, probabilities within {difference:.1e}"


def evaluation(work: Workplace) -> str:
    """Measure the model on its test split."""
    flags = {"model_path": work.made("writer"), "data": work.made("tweets.pkl"), "num_samples": 2, "json": True}
    commands = [
        words("evaluate_model.py", **flags, max_new_tokens=8, output_path=work.path(name), device=device)
        for name, device in (("evaluation.json", work.device), ("evaluation-cpu.json", "cpu"))
    ]
    found, expected = (
        json.loads(done.out)["tuned"]["bits_per_byte"]["value"] for done in work.shell.run_together(commands)
    )
    difference = abs(found / expected - 1)
    require(difference <= RELATIVE_LOSS, f"bits per byte are {found}, on the CPU {expected}")
    return f"bits per byte within {difference:.1e} of the CPU's"


def chat(work: Workplace) -> str:
    """Open a chat, and answer one question."""
    flags = {"model_path": work.made("assistant"), "device": work.device, "max_new_tokens": 16, "min_new_tokens": 8}
    answer = work.shell.run(words("generate.py", "--chat", **flags), stdin="How do I boil an egg?\n").out
    require(bool(answer.strip()), "it answered nothing")
    return f"it answered {len(answer.strip())} characters"


def emoji(work: Workplace) -> str:
    """Rank emoji for descriptions."""
    given = [word for text in DESCRIPTIONS for word in ("--prompt", text)]
    flags = {"model_path": work.made("emoji"), "num_return_sequences": 5, "json": True}
    found, expected = _on_both(work, "generate.py", *given, **flags)
    ranked = [[each["emoji"] for each in records] for records in (found, expected)]
    require(ranked[0] == ranked[1] and bool(ranked[0]), f"the ranking is {ranked[0]}, on the CPU {ranked[1]}")
    difference = _largest(found, expected, lambda record: [record["probability"]])
    require(difference <= PROBABILITY, f"probabilities differ by {difference:.1e}, more than {PROBABILITY:.0e}")
    return f"{len(found)} emoji as on the CPU, probabilities within {difference:.1e}"


def _on_both(work: Workplace, *parts: str, stdin: str = "", **flags: object) -> list[list[dict]]:
    """Return the JSON lines that a command prints on the device, and those on the CPU."""
    commands = [words(*parts, **flags, device=device) for device in (work.device, "cpu")]
    return [json_lines(done.out) for done in work.shell.run_together(commands, stdin=stdin)]


def _common(one: bytes, other: bytes) -> int:
    """Return the length of the common beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _largest(found: list[dict], expected: list[dict], numbers: Callable[[dict], list[float]]) -> float:
    """Return the largest difference of the numbers of two records."""
    pairs = (zip(numbers(one), numbers(other), strict=True) for one, other in zip(found, expected, strict=True))
    return max(abs(one - other) for pair in pairs for one, other in pair)
