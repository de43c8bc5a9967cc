"""The models and data of the checks: random models, and the samples.

They are all made at the start, two at a time; with --only, the first check that needs one makes it.
"""

import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.gpu_check.commands import FailedError, Shell
from benchmarks.speed.material import GPT2_SHAPE, SMALL_SHAPE, write_recombined
from benchmarks.speed.measure import words

SAMPLES = Path("data/samples")
TRAINING = {"batch_size": 8, "lr": 0.002, "max_steps": 50, "save_steps": 25, "logging_steps": 1, "eval_on_start": "off"}


@dataclass(frozen=True)
class Workplace:
    """The device of the checks (cuda or cpu), and the folder for their files."""

    shell: Shell
    device: str
    folder: Path
    _made: dict[str, Path | FailedError] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Return the path of an output."""
        return self.folder / name

    def made(self, name: str) -> Path:
        """Return the path of a model or of data of MAKERS. FailedError where it could not be made."""
        if name not in self._made:
            try:
                MAKERS[name](self, self.path(name))
                self._made[name] = self.path(name)
            except FailedError as error:
                self._made[name] = FailedError(f"{self.path(name)} is needed, which another check could not make")
                raise error
        if isinstance(self._made[name], FailedError):
            raise self._made[name]
        return self._made[name]

    def train(self, output: str, *, precision: str, data: str, model: str = "small", **flags: object) -> Path:
        """Train with these flags, and TRAINING's where they are not given; return the model's path."""
        self.shell.run(self.training(output, precision=precision, data=data, model=model, **flags))
        return self.path(output)

    def training(self, output: str, *, data: str, model: str = "small", **flags: object) -> tuple[str, ...]:
        """Return the command of `train`."""
        files = {"data": self.made(data), "model": self.made(model), "output_path": self.path(output)}
        return words("fine_tune.py", **files, device=self.device, **TRAINING | flags)


def _small(work: Workplace, path: Path) -> None:
    """Save a random Llama of four narrow blocks.

    It has no biases: that of GPT-2's keys has a gradient of nothing but rounding, which AdamW makes as large as others.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4}
    _save(path, lambda ends: LlamaForCausalLM(LlamaConfig(**shape, **ends, vocab_size=257)))


def _gpt2_shape(work: Workplace, path: Path) -> None:
    """Save a random model with GPT-2's shape, so that speeds mean something; on a CPU a small one."""
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = GPT2_SHAPE if work.device == "cuda" else SMALL_SHAPE
    _save(path, lambda ends: GPT2LMHeadModel(GPT2Config(**shape, **ends)))


def _save(path: Path, make: Callable) -> None:
    import torch

    from utils.models.tiny_model import tiny_tokenizer
    from utils.terminal.progress import late_bars_of_transformers

    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    with late_bars_of_transformers():
        make({f"{name}_token_id": tokenizer.eos_token_id for name in ("bos", "eos", "pad")}).save_pretrained(path)
    tokenizer.save_pretrained(path)


def _preprocess(work: Workplace, path: Path, source: Path, *more: str) -> None:
    flags = {"data_path": source, "model": work.made("small"), "output_path": path}
    work.shell.run(words("preprocess.py", *more, **flags))


def _many(work: Workplace, path: Path) -> None:
    """Process some thousand texts, made of words from the sample's; on a CPU a few."""
    with (SAMPLES / "tweets.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    table = path.with_suffix(".csv")
    write_recombined(table, texts, 6000 if work.device == "cuda" else 300)
    _preprocess(work, path, table)


# `writer` trains as the training checks do, since they compare with it; of the others, a few steps are enough.
FEW = {"precision": "fp32", "max_steps": 20, "eval_strategy": "no"}
MAKERS = {
    "small": _small,
    "gpt2-shape": _gpt2_shape,
    "tweets.pkl": lambda work, path: _preprocess(work, path, SAMPLES / "tweets.csv"),
    "reviews.pkl": lambda work, path: _preprocess(work, path, SAMPLES / "reviews.csv", "--task", "reviews"),
    "answers.pkl": lambda work, path: _preprocess(work, path, SAMPLES / "instructions.jsonl", "--task", "alpaca"),
    "emoji.pkl": lambda work, path: _preprocess(work, path, SAMPLES / "emoji.csv", "--task", "emoji"),
    "many.pkl": _many,
    "writer": lambda work, path: work.train("writer", precision="fp32", data="tweets.pkl"),
    "classifier": lambda work, path: work.train("classifier", data="reviews.pkl", **FEW),
    "assistant": lambda work, path: work.train("assistant", data="answers.pkl", **FEW),
    "emoji": lambda work, path: work.train("emoji", data="emoji.pkl", **FEW),
}
AT_ONCE = (  # each needs only what stands before it
    ("small",),  # this and the next are of PyTorch's random numbers, which threads share
    ("gpt2-shape",),
    ("tweets.pkl", "reviews.pkl", "answers.pkl", "emoji.pkl", "many.pkl"),
    ("writer", "classifier", "assistant", "emoji"),
)


def make_all(work: Workplace) -> str:
    """Make everything; most of the time is start-up, on one core for each command."""
    for names in AT_ONCE:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(work.made, names))
    return f"{len(MAKERS)} of them"
