"""Adapters that peft wrote are merged, and those that do not fit their base model are refused by name."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from running import user_error
from safetensors.torch import load_file, save_file
from small_models import random_model, tiny_tokenizer

from utils.errors import UserError
from utils.models import checkpoint

# peft asks transformers for a name that is deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")
TEXT = torch.tensor([[72, 105, 33, 10]])


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    random_model("llama").save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def adapter(tmp_path, base):
    return made_by_peft(tmp_path / "adapter", base)


def made_by_peft(folder, base, **options):
    """Write an adapter as peft does, with random numbers, and return its folder."""
    settings = {"r": 3, "lora_alpha": 5, "target_modules": ["q_proj", "down_proj"], "init_lora_weights": False}
    torch.manual_seed(0)
    model = get_peft_model(random_model("llama"), LoraConfig(task_type="CAUSAL_LM", **settings | options)).eval()
    model.peft_config["default"].base_model_name_or_path = str(base)
    model.save_pretrained(folder)
    torch.save(model(TEXT).logits, folder.with_suffix(".pt"))
    return folder


def configure(folder, **changed):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


@pytest.mark.parametrize("options", [{}, {"use_rslora": True}, {"use_dora": True}, {"alpha_pattern": {"q_proj": 9}}])
def test_an_adapter_of_peft_gives_the_logits_that_it_had_there(tmp_path, base, options):
    folder = made_by_peft(tmp_path / "adapter", base, **options)
    trained = checkpoint.load(str(folder))
    assert type(trained.model) is type(random_model("llama"))
    assert trained.tokenizer.name_or_path == str(folder)
    torch.testing.assert_close(trained.model(TEXT).logits, torch.load(tmp_path / "adapter.pt"), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"peft_type": "IA3"}, "of the type IA3"),
        ({"megatron_config": {"a": 1}}, "with megatron_config"),
        ({"base_model_name_or_path": None}, "does not name the base model"),
        ({"base_model_name_or_path": "/nowhere/base"}, "is an adapter of /nowhere/base: there is no model"),
        ({"r": 2}, "does not fit its base model"),
        ({"r": 10**12}, "has the rank 1000000000000, its weights 3"),
        ({"r": "3"}, "has the rank '3'"),
        ({"rank_pattern": {"q_proj": 10**12}}, "has the rank 1000000000000, its weights 3"),
        ({"rank_pattern": {"(q|_)*": 1}}, "has the pattern '(q|_)*', expected a layer's name"),
        ({"alpha_pattern": {"q.*_proj": 1}}, "has the pattern 'q.*_proj'"),
        ({"target_modules": ["q_proj"]}, "does not fit its base model"),
        ({"target_modules": ["nothing"]}, "does not fit its base model"),
    ],
)
def test_an_adapter_whose_configuration_does_not_fit_is_refused(adapter, changed, words):
    configure(adapter, **changed)
    assert words in user_error(checkpoint.load, str(adapter)).problem


@pytest.mark.parametrize("name", ["target_modules", "exclude_modules"])
def test_a_regular_expression_that_never_ends_is_not_asked(adapter, name):
    expected = checkpoint.load(str(adapter)).model.state_dict()
    configure(adapter, **{name: r"([\w.]+)+!"})
    actual = checkpoint.load(str(adapter)).model.state_dict()
    assert all(torch.equal(actual[key], weight) for key, weight in expected.items())


def test_an_adapter_of_a_base_with_other_sizes_is_refused(adapter, base):
    random_model("llama", intermediate_size=48).save_pretrained(base)
    error = user_error(checkpoint.load, str(adapter))
    assert f"does not fit its base model {base}" in error.problem
    assert "--base_model, or as base_model_name_or_path" in error.hint


def test_an_adapter_that_names_itself_is_refused(adapter):
    configure(adapter, base_model_name_or_path=str(adapter))
    assert "names itself" in user_error(checkpoint.load, str(adapter)).problem


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "a layer less", "a pickle"])
def test_damaged_weights_are_refused(adapter, damage):
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    content = file.read_bytes()
    file.unlink()
    if damage == "empty":
        file.touch()
    elif damage == "cut":
        file.write_bytes(content[:-10])
    elif damage == "a layer less":
        weights.popitem()
        save_file(weights, file)
    elif damage == "a pickle":
        torch.save(weights, adapter / "adapter_model.bin")
    with pytest.raises(UserError):
        checkpoint.load(str(adapter))


def test_an_adapter_of_ours_is_refused_where_its_base_was_trained_again(adapter, base):
    from utils.models.opening.adapters import fingerprint

    run = {"task": "tweets", "kind": "generate", "template": "{prompt}", "base_model": str(base), "cleaning": {}}
    run["base_weights"] = fingerprint(random_model("llama"), without=())
    (adapter / "run.json").write_text(json.dumps(run))
    assert checkpoint.load(str(adapter)).run["task"] == "tweets"
    shutil.rmtree(base)
    random_model("llama", seed=1).save_pretrained(base)
    tiny_tokenizer().save_pretrained(base)
    assert "not those that it was trained on" in user_error(checkpoint.load, str(adapter)).problem
