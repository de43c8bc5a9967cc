"""A model written to a .gguf file is the same model where transformers opens it, which has its own code for that."""

import pytest
import torch
from exported_models import CHAT, TEXTS, merging_tokenizer, trained_writer
from running import user_error
from small_models import random_model

from utils.models.checkpoint import load
from utils.models.export.gguf_file import write_gguf
from utils.models.tokenization import token_ids

SHAPE = {"vocab_size": 310, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}  # with rows that no token has
GROUPED = {
    "num_key_value_heads": 2,
    "num_attention_heads": 4,
    "rope_parameters": {"rope_theta": 5e4, "rope_type": "default"},
}
MODELS = {
    "GPT-2": ("gpt2", {"max_position_embeddings": 96, "n_embd": 64}),
    "GPT-2, head untied": ("gpt2", {"n_embd": 64, "tie_word_embeddings": False, "layer_norm_epsilon": 1e-3}),
    "Llama, grouped heads": ("llama", {"hidden_size": 64, "tie_word_embeddings": True, **GROUPED}),
    "Llama, head untied, wide heads": ("llama", {"hidden_size": 64, "head_dim": 48, "rms_norm_eps": 1e-3}),
}
IDS = torch.arange(90)[None] * 37 % 300
pytestmark = pytest.mark.usefixtures("hugging_face_home")


@pytest.mark.parametrize("kind, options", MODELS.values(), ids=MODELS)
def test_the_file_gives_the_rounded_model_and_the_ids_of_its_tokenizer(kind, options, tmp_path):
    model = random_model(kind, **{**SHAPE, **options})
    trained = trained_writer(model)
    write_gguf(tmp_path / "written.gguf", trained, "f16")
    assert [path.name for path in tmp_path.glob("written*")] == ["written.gguf"]
    opened = load(str(tmp_path / "written.gguf"))
    for name, weight in model.named_parameters():
        if weight.dim() > 1 and "wpe" not in name:
            weight.data = weight.data.half().float()
    with torch.no_grad():
        torch.testing.assert_close(opened.model(IDS).logits, model(IDS).logits, rtol=0, atol=1e-4)
    assert token_ids(opened.tokenizer, TEXTS) == token_ids(trained.tokenizer, TEXTS)
    assert opened.tokenizer.eos_token == "<|endoftext|>"
    assert opened.model.config.max_position_embeddings == model.config.max_position_embeddings


@pytest.mark.parametrize("kind, options", MODELS.values(), ids=MODELS)
def test_in_8_bits_each_weight_is_within_half_a_step(kind, options, tmp_path):
    model = random_model(kind, **{**SHAPE, **options})
    write_gguf(tmp_path / "written.gguf", trained_writer(model), "q8_0")
    opened = load(str(tmp_path / "written.gguf"))
    written = opened.model.state_dict()
    for name, weight in model.state_dict().items():
        error, step = (written[name] - weight).abs().max(), weight.abs().max() / 127
        assert error <= 0.51 * step, name
        assert error > 0 or weight.dim() == 1 or "wpe" in name, name
    assert (tmp_path / "written.gguf").stat().st_size < 0.4 * sum(p.nbytes for p in model.parameters()) + 20_000


def test_a_number_that_16_bits_cannot_hold(tmp_path):
    model = random_model("llama", **SHAPE)
    model.model.norm.weight.data[3] = 7e4
    error = user_error(write_gguf, tmp_path / "written.gguf", trained_writer(model), "f16")
    assert "model.norm.weight has a number above 65504" in error.problem
    assert list(tmp_path.iterdir()) == []


def test_where_texts_start_and_end(tmp_path):
    from gguf import GGUFReader

    tokenizer = merging_tokenizer()
    tokenizer.chat_template = CHAT
    found = {}
    for kind in ("generate", "instruct"):
        path = tmp_path / f"{kind}.gguf"
        write_gguf(path, trained_writer(random_model("llama", **SHAPE), tokenizer, kind), "f16")
        fields = GGUFReader(path).fields
        found[kind] = {key.removeprefix("tokenizer."): field.contents() for key, field in fields.items()}
    same = {"ggml.bos_token_id": 0, "ggml.eos_token_id": 0, "ggml.add_eos_token": False, "ggml.pre": "gpt-2"}
    assert found["generate"].items() >= {**same, "ggml.add_bos_token": True}.items()
    assert "chat_template" not in found["generate"]
    answers = {"ggml.add_bos_token": False, "ggml.eot_token_id": 2, "chat_template": tokenizer.chat_template}
    assert found["instruct"].items() >= {**same, **answers}.items()
