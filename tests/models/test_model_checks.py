"""An open model is refused if it sees following tokens, its tokenizer is too large, or its weights are not numbers."""

import pytest
import torch
import transformers
from running import user_error
from small_classifiers import VOCABULARY, encoder_tokenizer
from small_models import END, SHAPE, WIDTH, random_model, tiny_tokenizer
from transformers import AutoModelForCausalLM

from utils.models import checkpoint, saving
from utils.models.model_checks import check_open_model

SIZES = {**WIDTH, "vocab_size": VOCABULARY, "intermediate_size": 32, "max_position_embeddings": 64, "pad_token_id": 0}
SMALL = {**SHAPE, "hidden_size": 16, "num_hidden_layers": 2}
HEADS = {**SMALL, "num_attention_heads": 2, "intermediate_size": 32, "num_key_value_heads": 2, "head_dim": 8}
EXPERTS = {"moe_intermediate_size": 16, "num_experts_per_tok": 2}
BLOCKS = {"n_layer": 2, "n_head": 2}

CAUSAL = {
    "bloom": ("BloomConfig", {**SHAPE, **BLOCKS, "hidden_size": 16}),
    "mpt": ("MptConfig", {**SHAPE, "d_model": 16, "n_layers": 2, "n_heads": 2}),
    "falcon": ("FalconConfig", {**SMALL, "num_attention_heads": 2, "alibi": True}),
    "mixtral": ("MixtralConfig", {**HEADS, "num_local_experts": 4}),
    "qwen3_moe": ("Qwen3MoeConfig", {**HEADS, **EXPERTS, "num_experts": 4}),
    "mamba": ("MambaConfig", {**SMALL, "state_size": 4}),
    "rwkv": ("RwkvConfig", {**SMALL, "attention_hidden_size": 16}),
    "gpt_neo": (
        "GPTNeoConfig",
        {**SHAPE, "hidden_size": 16, "num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]]},
    ),
    "gemma3": ("Gemma3TextConfig", {**HEADS, "sliding_window": 4}),
    "ctrl": ("CTRLConfig", {**SHAPE, **BLOCKS, "n_embd": 16, "dff": 32}),
    "context of 2": ("GPT2Config", {**SHAPE, **BLOCKS, "n_embd": 16, "n_positions": 2}),
    "context of 1": ("GPT2Config", {**SHAPE, **BLOCKS, "n_embd": 16, "n_positions": 1}),
    "bert as a decoder": ("BertConfig", {**SIZES, "is_decoder": True}),
    "roberta as a decoder": ("RobertaConfig", {**SIZES, "is_decoder": True}),
}
SEES_THE_FUTURE = {
    "roberta": ("RobertaConfig", SIZES),
    "xlm_roberta": ("XLMRobertaConfig", SIZES),
    "camembert": ("CamembertConfig", SIZES),
    "rembert": ("RemBertConfig", {**SIZES, "input_embedding_size": 16}),
    "big_bird": ("BigBirdConfig", {**SIZES, "attention_type": "original_full"}),
    "electra": ("ElectraConfig", {**SIZES, "embedding_size": 16}),
    "bert": ("BertConfig", SIZES),
    "xlnet": ("XLNetConfig", {**BLOCKS, "vocab_size": VOCABULARY, "d_model": 16, "d_inner": 32}),
    "gemma3": ("Gemma3TextConfig", {**HEADS, "use_bidirectional_attention": True}),
    "gemma3, few neighbors": ("Gemma3TextConfig", {**HEADS, "use_bidirectional_attention": True, "sliding_window": 2}),
}


def made(config_class: str, options: dict) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(getattr(transformers, config_class)(**options)).eval()


def tokenizer_of(options: dict):
    return encoder_tokenizer() if options["vocab_size"] == VOCABULARY else tiny_tokenizer()


@pytest.mark.parametrize(("config_class", "options"), CAUSAL.values(), ids=CAUSAL.keys())
def test_causal_models_pass(config_class, options):
    check_open_model("m", made(config_class, options), tokenizer_of(options), writes=True)


@pytest.mark.parametrize(("config_class", "options"), SEES_THE_FUTURE.values(), ids=SEES_THE_FUTURE.keys())
def test_a_model_that_sees_later_tokens_may_classify_but_not_write(config_class, options):
    model, tokenizer = made(config_class, options), tokenizer_of(options)
    error = user_error(lambda: check_open_model("m", model, tokenizer, writes=True))
    assert "sees the tokens that follow" in error.problem
    assert "--task reviews" in error.hint
    check_open_model("m", model, tokenizer, writes=False)


class _Prefix(torch.nn.Module):
    """A GPT-2 whose first tokens see each other, as in a prefix language model."""

    def __init__(self, length: int):
        super().__init__()
        self.inner, self.length = random_model("gpt2"), length
        self.config, self.device = self.inner.config, self.inner.device

    def get_input_embeddings(self):
        return self.inner.get_input_embeddings()

    def forward(self, ids):
        number = ids.shape[1]
        mask = torch.ones(number, number, dtype=torch.bool).tril()
        mask[: self.length, : self.length] = True
        additive = torch.zeros(mask.shape).masked_fill_(~mask, torch.finfo(torch.float32).min)
        return self.inner(ids, attention_mask=additive.expand(len(ids), 1, -1, -1))


@pytest.mark.parametrize("length", [2, 3, 100])
def test_a_prefix_whose_tokens_see_each_other_is_found(length):
    error = user_error(lambda: check_open_model("m", _Prefix(length), tiny_tokenizer(), writes=True))
    assert "sees the tokens that follow" in error.problem


def test_the_same_model_without_such_a_prefix_passes():
    check_open_model("m", _Prefix(1), tiny_tokenizer(), writes=True)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")], ids=["nan", "inf", "-inf"])
@pytest.mark.parametrize("writes", [True, False], ids=["writer", "classifier"])
def test_weights_that_are_no_numbers_are_refused_by_name(number, writes):
    model = random_model("llama")
    model.model.layers[1].mlp.up_proj.weight.data[3, 4] = number
    error = user_error(lambda: check_open_model("m", model, tiny_tokenizer(), writes=writes))
    assert error.problem == "m has weights that are not finite numbers, in model.layers.1.mlp.up_proj.weight"


def test_large_weights_are_numbers():
    model = random_model("gpt2")
    model.transformer.wte.weight.data[0] = 3e38  # their sum is infinite
    check_open_model("m", model, tiny_tokenizer(), writes=False)


# ---- the tokenizer and the embedding

ADDED = {
    "a word": lambda tokenizer: tokenizer.add_tokens(["<new>"]),
    "padding": lambda tokenizer: tokenizer.add_special_tokens({"pad_token": "[PAD]"}),
    "of a chat": lambda tokenizer: tokenizer.add_tokens(["<|im_start|>", "<|im_end|>"], special_tokens=True),
}


@pytest.mark.parametrize("add", ADDED.values(), ids=ADDED.keys())
@pytest.mark.parametrize("writes", [True, False], ids=["writer", "classifier"])
def test_added_tokens_without_a_row_in_the_embedding_are_refused(add, writes):
    tokenizer = tiny_tokenizer()
    add(tokenizer)
    error = user_error(lambda: check_open_model("m", random_model("gpt2"), tokenizer, writes=writes))
    token = tokenizer.convert_ids_to_tokens(END + 1)
    assert f"larger than its embedding, which has {END + 1} rows" in error.problem
    assert f"{token!r} with the id {END + 1}" in error.problem
    assert "resize_token_embeddings" in error.hint


@pytest.mark.parametrize("add", ADDED.values(), ids=ADDED.keys())
def test_added_tokens_with_a_row_pass(add):
    model, tokenizer = random_model("gpt2"), tiny_tokenizer()
    add(tokenizer)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    check_open_model("m", model, tokenizer, writes=True)


def test_an_embedding_with_more_rows_than_tokens_passes():
    model = random_model("gpt2")
    model.resize_token_embeddings(pad_to_multiple_of=64, mean_resizing=False)
    assert model.get_input_embeddings().weight.shape[0] == 320
    check_open_model("m", model, tiny_tokenizer(), writes=True)


def test_a_token_for_pictures_needs_no_row():
    tokenizer = tiny_tokenizer()  # as Gemma 3 1B, whose vocabulary ends before <image_soft_token>
    tokenizer.add_tokens(["<image_soft_token>"], special_tokens=True)
    tokenizer.image_token = "<image_soft_token>"
    check_open_model("m", random_model("gpt2"), tokenizer, writes=True)


def test_a_model_is_checked_wherever_it_is_opened(tmp_path):
    model = random_model("gpt2")
    model.transformer.ln_f.weight.data[0] = float("nan")
    saving.save(tmp_path / "model.pt", checkpoint.Trained(model, tiny_tokenizer(), {"kind": None}), "", "")
    model.save_pretrained(tmp_path / "folder")
    tiny_tokenizer().save_pretrained(tmp_path / "folder")
    for name in ("model.pt", "folder"):
        path = str(tmp_path / name)
        assert "not finite" in user_error(checkpoint.load, path).problem
    assert "not finite" in user_error(checkpoint.load_base_classifier, str(tmp_path / "folder"), ["a", "b"], 1).problem
