"""The memory of a training step: a formula, compared with the tensors that a step allocates.

python benchmarks/memory.py            # GPT-2, GPT-2 XL and Llama 3 8B, counted with fake tensors, which have no data
python benchmarks/memory.py --measure  # GPT-2 with real tensors, by the process's peak resident memory

The models have random weights and are trained as fine_tune.py trains them with --precision bf16: float32 weights,
autocast, the matrices of frozen layers in bfloat16, fused AdamW, no dropout. LoRA has rank 16 in all layers of all
blocks. Every token has a label.
"""

import argparse
import resource
import subprocess
import sys
import weakref
from argparse import Namespace
from functools import partial
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from utils.compute.bf16_weights import cast_weights
from utils.compute.blocks import find_blocks
from utils.terminal.tables import format_table
from utils.training.adapters.lora import with_adapters
from utils.training.freezing import freeze_parameters

NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
LLAMA_3_8B = {
    "vocab_size": 128_256, "hidden_size": 4096, "intermediate_size": 14_336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192,
}  # fmt: skip
MODELS = {
    "GPT-2": lambda: GPT2LMHeadModel(GPT2Config(**NO_DROPOUT)),
    "GPT-2 XL": lambda: GPT2LMHeadModel(GPT2Config(n_embd=1600, n_layer=48, n_head=25, **NO_DROPOUT)),
    "Llama 3 8B": lambda: LlamaForCausalLM(LlamaConfig(**LLAMA_3_8B)),
}
FREEZE = partial(freeze_parameters, train_head=False)
LORA = Namespace(lora=16, lora_alpha=32, lora_dropout=0.0, lora_target="all-linear", seed=0)
SETTINGS = {  # what freezes a model so
    "all": partial(FREEZE, unfreeze_last=None),
    "last 2": partial(FREEZE, unfreeze_last=2),
    "LoRA": lambda model: with_adapters(FREEZE, LORA)(model, None),
}
BATCHES = ((16, 32), (16, 256))  # texts, tokens
BYTES_PER_LOGIT = 12  # three copies in float32 while the gradient of the loss is computed
BYTES_PER_ACTIVATION = 63  # that a trained block keeps for its gradient, per token and unit of width
SMALL_BATCHES = ((16, 32), (16, 64))
GB = 1e9


class PeakCounter(TorchDispatchMode):
    """Counts the bytes of all live tensors, and keeps the peak."""

    def __init__(self, tensors):
        super().__init__()
        self.sizes, self.current, self.peak = weakref.WeakKeyDictionary(), 0, 0
        for tensor in tensors:
            self.note(tensor)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.note(leaf)
        return result

    def note(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage not in self.sizes:
            size = storage.nbytes()
            self.sizes[storage] = size
            self.current += size
            self.peak = max(self.peak, self.current)
            weakref.finalize(storage, self.forget, size)

    def forget(self, size: int) -> None:
        self.current -= size


def train(model: torch.nn.Module, texts: int, tokens: int, steps: int = 2) -> None:
    """Make training steps as Trainer does."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    for _ in range(steps):
        ids = torch.randint(0, 50_000, (texts, tokens))
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(ids, use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), ids.flatten(), reduction="sum")
        del logits
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()


def formula(model: torch.nn.Module, tokens: int) -> int:
    """Return the bytes that a process needs for a step of `tokens`, see docs/scaling.md."""
    head, embedding = (layer.weight for layer in (model.get_output_embeddings(), model.get_input_embeddings()))
    weights = sum(parameter.nbytes for parameter in model.parameters())
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    cast = head.numel() + sum(
        parameter.numel()
        for parameter in model.parameters()
        if parameter.requires_grad and parameter.dim() == 2 and parameter is not head and parameter is not embedding
    )
    width = model.config.hidden_size
    blocks = sum(any(each.requires_grad for each in block.parameters()) for block in find_blocks(model).blocks)
    forward = 2 * cast + tokens * (BYTES_PER_LOGIT * len(head) + BYTES_PER_ACTIVATION * blocks * width)
    return weights + 8 * trained + max(4 * trained, forward)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measure", action="store_true", help="measure GPT-2 with real tensors")
    parser.add_argument("--one", nargs=3, metavar=("SETTING", "TEXTS", "TOKENS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.manual_seed(0)
    if args.one:
        print(*peak_of(args.one[0], *map(int, args.one[1:])))
    else:
        print(measured() if args.measure else counted())


def counted() -> str:
    """Return the table of counts."""
    rows = []
    for name, make in MODELS.items():
        for setting, freeze in SETTINGS.items():
            for texts, tokens in BATCHES:
                with FakeTensorMode():
                    model = make()
                    model.train()
                    with patch.object(torch.nn.Module, "to", lambda self, *_, **__: self):  # fake layers cannot move
                        freeze(model)
                    cast_weights(model)
                    with PeakCounter(model.parameters()) as counter:
                        train(model, texts, tokens)
                predicted = formula(model, texts * tokens)
                rows.append([name, setting, f"{texts} × {tokens}", *compared(predicted, counter.peak)])
    return format_table(["model", "trained", "texts × tokens", "formula, GB", "counted, GB", "off by"], rows)


def measured() -> str:
    """Return the table of measurements, each the median of three processes."""
    rows = []
    for setting in SETTINGS:
        for texts, tokens in SMALL_BATCHES:
            command = [sys.executable, __file__, "--one", setting, str(texts), str(tokens)]
            outputs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)]
            predicted, peak = sorted(tuple(map(int, output.split())) for output in outputs)[1]
            rows.append(["GPT-2", setting, f"{texts} × {tokens}", *compared(predicted, peak)])
    return format_table(["model", "trained", "texts × tokens", "formula, GB", "resident, GB", "off by"], rows)


def compared(predicted: int, peak: int) -> list[str]:
    return [f"{predicted / GB:.2f}", f"{peak / GB:.2f}", f"{predicted / peak - 1:+.1%}"]


def peak_of(setting: str, texts: int, tokens: int) -> tuple[int, int]:
    """Return the bytes (by the formula, by which training raises the process's resident memory)."""
    model = GPT2LMHeadModel(GPT2Config(n_embd=48, n_layer=3, n_head=3))
    train(model, 2, 8)  # so that what PyTorch loads on first use does not count
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    model = MODELS["GPT-2"]()
    model.train()
    SETTINGS[setting](model)
    cast_weights(model)
    train(model, texts, tokens, steps=3)
    return formula(model, texts * tokens), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before


if __name__ == "__main__":
    main()
