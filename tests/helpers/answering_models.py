"""Random models of the shape of `tiny` that follow instructions, according to their run.json."""

from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from utils.inference.generation import generate_from_ids
from utils.inference.sampling import Sampling
from utils.models import checkpoint, saving
from utils.models.base_models import resolve
from utils.models.chat_templates import TEMPLATES, open_chat_template, set_chat_template
from utils.models.opening.load import load_tokenizer
from utils.models.run_file import RUN_FILE

LETTERS = "abcdefghijklmnopqrstuvwxyz"
RECIPE = {
    "task": "alpaca",
    "kind": "instruct",
    "template": "stanford",
    "cleaning": None,
    "lengths": {"short": 8, "medium": 30},
    "multi_turn": True,
    "base_model": "tiny",
}
# A place for a system message, and another end of an answer than end-of-text would be.
CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def save_model(
    path: Path, chat_template: str | None = "stanford", *, ends: bool = False, context: int = 8192, **recipe
) -> Path:
    """Save a model that generates small letters: without end, or with `ends` until end-of-text (1 chance in 27).

    `chat_template` is a name of TEMPLATES, a Jinja template, or None. With `kind=None` it is a base model.
    """
    tokenizer = load_tokenizer(resolve("tiny"))
    if chat_template in TEMPLATES:
        set_chat_template(tokenizer, chat_template)
    else:
        tokenizer.chat_template = chat_template
    end = tokenizer.eos_token_id
    shape = {"vocab_size": end + 1, "n_positions": context, "n_embd": 32, "n_layer": 2, "n_head": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = GPT2Config(
            tie_word_embeddings=False, initializer_range=0.3, bos_token_id=end, eos_token_id=end, **shape
        )
        model = GPT2LMHeadModel(config)
    written = {*tokenizer.convert_tokens_to_ids(list(LETTERS)), *([end] if ends else [])}
    model.transformer.ln_f.bias.data.fill_(1)
    others = sorted(set(range(end + 1)) - written)
    model.lm_head.weight.data[others] = -3  # × the sum over 32 dimensions of numbers whose mean is 1: logits of -96
    run = RECIPE | recipe if recipe.get("kind", "instruct") else {}
    saving.save(path, checkpoint.Trained(model, tokenizer, run), "", "")
    if not run:
        (path / RUN_FILE).unlink()
    return path


def answer_to(path: Path, conversation: list[dict], seed: int = 42, max_new_tokens: int = 6) -> str:
    """Return the answer of the model in the folder, without generate.py, with the default settings of answers."""
    trained = checkpoint.load(str(path))
    form = open_chat_template(trained.tokenizer)
    sampling = Sampling(max_new_tokens=max_new_tokens, seed=seed, no_repeat_ngram_size=4)
    ids = form.encode([conversation])
    return generate_from_ids(trained.model, trained.tokenizer, ids, sampling, end=form.end)[0][0].text
