"""A table of emoji, its processed data, and a small model that has memorized it."""

from dataclasses import replace
from pathlib import Path

import torch
from small_models import END, random_model, tiny_tokenizer

from utils.compute.batching import collate_texts
from utils.files import sha256_of
from utils.models import checkpoint, saving
from utils.models.run_file import RUN_FILE
from utils.models.tokenization import apply_template, encode, tokenizer_fingerprint
from utils.processed import Processed, Split

TEMPLATE = "Description: {prompt}\nEmoji:"
CONTEXT = 128
# emoji, group, concept, descriptions: in train, in test. Two have one description in common, one has no group.
TABLE = [
    ("😀", "Smileys & Emotion", "1F600", ["grinning face", "big grin"], ["happy grin"]),
    ("😂", "Smileys & Emotion", "1F602", ["face with tears of joy"], ["crying with joy"]),
    ("👋", "People & Body", "1F44B", ["waving hand", "hello"], ["a wave"]),
    ("👋🏽", "People & Body", "1F44B", ["waving hand: medium skin tone"], ["a wave, medium"]),
    ("👨‍🌾", "People & Body", "1F9D1 200D 1F33E", ["man farmer"], ["farming man"]),
    ("👩‍🌾", "People & Body", "1F9D1 200D 1F33E", ["woman farmer"], ["farming woman"]),
    ("❤️", "Smileys & Emotion", "2764", ["red heart"], ["love"]),
    ("💘", "Smileys & Emotion", "1F498", ["heart with arrow"], ["love"]),
    ("🐈", "Animals & Nature", "1F408", ["cat"], ["a cat"]),
    ("🐈‍⬛", "Animals & Nature", "1F408 200D 2B1B", ["black cat"], ["a black cat"]),
    ("🇫🇷", None, "1F1EB 1F1F7", ["flag: France"], ["France"]),
    ("1️⃣", "Symbols", "0031 20E3", ["keycap: 1"], ["one"]),
]
EMOJI = [emoji for emoji, *_ in TABLE]


def code_points(emoji: str) -> str:
    return " ".join(f"{ord(character):04X}" for character in emoji)


def target_of(emoji: str, target: str) -> str:
    return code_points(emoji) if target == "codepoints" else emoji


def targets(target: str = "emoji") -> list[list]:
    return sorted([target_of(emoji, target), emoji, group, concept] for emoji, group, concept, *_ in TABLE)


def split_of(rows: list[tuple], target: str, tokenizer) -> Split:
    """Return the split of rows (description, emoji, group, concept)."""
    prompts, completions = [row[0] for row in rows], [target_of(row[1], target) for row in rows]
    ids, loss_start = encode(tokenizer, [apply_template(TEMPLATE, prompt) for prompt in prompts], completions)
    return Split(
        prompt=prompts,
        completion=completions,
        label=[None] * len(rows),
        group=[row[3] for row in rows],
        ids=ids,
        loss_start=loss_start,
        metadata={
            "emoji": [row[1] for row in rows],
            "group": [row[2] for row in rows],
            "sub_group": [None] * len(rows),
            "language": ["en"] * len(rows),
        },
    )


def emoji_data(target: str = "emoji", split_by: str = "description", test: list[tuple] | None = None):
    """Return the output of preprocess.py --task emoji, encoded for `tiny`."""
    tokenizer = tiny_tokenizer()
    train = [(text, *facts) for *facts, known, _ in TABLE for text in known]
    if test is None:
        test = [(text, *facts) for *facts, _, unseen in TABLE for text in unseen]
    return Processed(
        recipe={
            "task": "emoji", "kind": "emoji", "template": TEMPLATE, "target": target, "split_by": split_by,
            "aliases": [], "labels": None, "cleaning": None, "targets": targets(target), "base_model": "tiny",
            "seed": 42,
        },
        audit={},
        sources=[{"path": "emoji_df.csv", "sha256": "0" * 64, "rows": 26, "encoding": "utf-8"}],
        tokenizer={"name": "tiny", "fingerprint": tokenizer_fingerprint(tokenizer)},
        splits={name: split_of(rows, target, tokenizer) for name, rows in (
            ("train", train), ("validation", test[:1]), ("test", test)
        )},
    )  # fmt: skip


def run_record(target: str = "emoji", data_path: Path | None = None, **changes) -> dict:
    return {
        "task": "emoji", "kind": "emoji", "template": TEMPLATE, "target": target, "split_by": "description",
        "targets": targets(target), "labels": None, "cleaning": None, "base_model": "base",
        "seed": 42, "device": "cpu", "precision": "fp32", "arguments": {"output_path": "models/mine"},
        "versions": {"torch": "2"}, "trainable_parameters": 1, "total_parameters": 2,
        "data": {
            "sha256": sha256_of(data_path) if data_path else "0" * 64, "sources": [],
            "rows": {"train": 14, "validation": 1, "test": 12},
        },
        "results": {
            "validation_bits_per_byte_before": 3.0, "validation_bits_per_byte_after": 2.0,
            "epochs": 1.0, "steps": 60, "train_seconds": 1.0,
        },
        **changes,
    }  # fmt: skip


def trained(target: str = "emoji", kind: str = "gpt2", seed: int = 0, **changes) -> checkpoint.Trained:
    """Return a random model that writes emoji, according to its run record."""
    model = random_model(kind, seed=seed, max_position_embeddings=CONTEXT)
    return checkpoint.Trained(model, tiny_tokenizer(), run_record(target, **changes))


def taught(data: Processed, steps: int = 60) -> torch.nn.Module:
    """Return a model that has memorized the train split; without dropout, so it is always the same."""
    split = data.splits["train"]
    model = random_model("gpt2", seed=2, max_position_embeddings=CONTEXT)
    batch = collate_texts(
        [{"input_ids": ids, "loss_start": start} for ids, start in zip(split.ids, split.loss_start, strict=True)], END
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    return model


def save(path: Path, model: checkpoint.Trained) -> Path:
    """Save the model; one with an empty run gets no run.json, like a base model."""
    saving.save(path, model, "", "")
    if not model.run and path.suffix != ".pt":
        (path / RUN_FILE).unlink()
    return path


def with_run(model: checkpoint.Trained, **changes) -> checkpoint.Trained:
    return replace(model, run={**model.run, **changes})
