"""Plain transformers writes what generate.py writes: the same start, the same end, the same tokens, from any folder."""

import json

import pytest
import torch
from small_writers import CONFIGS, CONTEXT, TEMPLATES, TOKENIZERS, byte_tokenizer, random_writer
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

from utils.inference.generation import encode_prompts, generate_from_ids
from utils.inference.sampling import Sampling, settings_to_save
from utils.inference.stopping import decode_continuation
from utils.models import checkpoint, saving
from utils.models.chat_templates import TEMPLATES as OURS
from utils.models.chat_templates import open_chat_template, set_chat_template
from utils.models.checkpoint import Trained
from utils.models.tokenization import start_and_end, token_ids, tokenizer_fingerprint
from utils.publishing.hub import _is_published
from utils.publishing.model_as_folder import model_as_folder

pytestmark = pytest.mark.usefixtures("_no_progress_bars")
PROMPT = "The cat sat"
QUESTION = [{"role": "user", "content": "Say hi, tea"}]
RUN = {"kind": "generate", "task": "tweets", "template": "{prompt}", "cleaning": {}, "base_model": "tiny"}
GREEDY = Sampling(do_sample=False, max_new_tokens=24)


def writer(path, kind="llama", tokenizer="bytes", template=None) -> tuple[Trained, list[int], int]:
    """Save a writer; return it as it was before, the ids of its prompt, and the id of the end that it learned."""
    tokenizer = TOKENIZERS[tokenizer]()
    if template is None:
        task, ids, end = "generate", encode_prompts(tokenizer, [PROMPT])[0], start_and_end(tokenizer)[1]
    else:
        if template in OURS:
            set_chat_template(tokenizer, template)
        else:
            tokenizer.chat_template = TEMPLATES[template]
        form = open_chat_template(tokenizer)
        task, ids, end = "instruct", form.encode([QUESTION])[0], form.end
    model = random_writer(kind, ids, end)
    run = RUN | {"kind": task, "sampling": settings_to_save(task, [], CONTEXT)}
    saved = Trained(model, tokenizer, run)
    saving.save(path, saved, "", "")
    return saved, ids, end


def assert_plain_generate_agrees(path, folder, ids: list[int], end: int) -> None:
    """`path` is the model as generate.py gets it, `folder` as other tools do."""
    trained = checkpoint.load(str(path))
    [[text]] = generate_from_ids(trained.model, trained.tokenizer, [ids], GREEDY, end=end)
    assert text.finished
    plain, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    answers = trained.run["kind"] == "instruct"
    chat = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True}
    inputs = tokenizer.apply_chat_template(QUESTION, **chat) if answers else tokenizer(PROMPT, return_tensors="pt")
    assert inputs["input_ids"].tolist() == [ids]
    written = plain.generate(**inputs, do_sample=False)[0, len(ids) :].tolist()
    assert len(written) == text.tokens + 1
    assert written[-1] == end
    write = pipeline("text-generation", model=plain, tokenizer=tokenizer)
    [found] = write(QUESTION if answers else PROMPT, do_sample=False, return_tensors=True)
    assert found["generated_token_ids"] == ids + written
    assert decode_continuation(trained.tokenizer, ids, written[:-1]).rstrip("\ufffd") == text.text


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_architecture_writes_the_same_texts(kind, tmp_path):
    _, ids, end = writer(tmp_path / "model", kind)
    assert_plain_generate_agrees(tmp_path / "model", tmp_path / "model", ids, end)


@pytest.mark.parametrize("template", [None, "stanford", "plain", "chatml", "ends_in_eos"])
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_every_template_and_tokenizer_gives_the_same_prompt_and_end(tokenizer, template, tmp_path):
    _, ids, end = writer(tmp_path / "model", "llama", tokenizer, template)
    assert_plain_generate_agrees(tmp_path / "model", tmp_path / "model", ids, end)


@pytest.mark.parametrize("name", ["model", "model.pt"])
def test_a_pushed_model_writes_the_same_texts(name, tmp_path):
    path, pushed = tmp_path / name, tmp_path / "pushed"
    _, ids, end = writer(path, "qwen2", "no_bos", "chatml")
    pushed.mkdir()
    with model_as_folder(path) as folder:
        for file in folder.iterdir():
            if _is_published(file.name):
                (pushed / file.name).write_bytes(file.read_bytes())
    assert_plain_generate_agrees(path, pushed, ids, end)


@pytest.mark.parametrize("kind", ["gpt2", "mistral"])
def test_prompts_in_a_batch_write_the_same_as_alone(kind, tmp_path):
    writer(tmp_path, kind)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    prompts = [PROMPT, "A", "Good morning to you"]
    both = tokenizer(prompts, padding=True, return_tensors="pt")
    width = both["input_ids"].shape[1]
    together = model.generate(**both, do_sample=False, max_new_tokens=12)[:, width:].tolist()
    for prompt, written in zip(prompts, together, strict=True):
        alone = tokenizer(prompt, return_tensors="pt")
        expected = model.generate(**alone, do_sample=False, max_new_tokens=12)[0, alone["input_ids"].shape[1] :]
        assert written[: len(expected)] == expected.tolist()


def test_the_base_models_settings_do_not_stay(tmp_path):
    """Qwen2.5 repeats less than its trained model should, and its config ends texts with another token."""
    tokenizer = TOKENIZERS["no_bos"]()
    ids, end = encode_prompts(tokenizer, [PROMPT])[0], start_and_end(tokenizer)[1]
    model = random_writer("qwen2", ids, end)
    model.generation_config.repetition_penalty = 5.0
    model.generation_config.suppress_tokens = [end]
    model.config.use_cache = False
    run = RUN | {"sampling": settings_to_save("generate", [], CONTEXT)}
    saving.save(tmp_path, Trained(model, tokenizer, run), "", "")
    assert_plain_generate_agrees(tmp_path, tmp_path, ids, end)
    settings = json.loads((tmp_path / "generation_config.json").read_text("utf-8"))
    assert (settings["eos_token_id"], settings["bos_token_id"], settings["pad_token_id"]) == (end, end, end)
    assert {name: settings[name] for name in run["sampling"]} == run["sampling"]
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert (config["eos_token_id"], config["bos_token_id"], config["use_cache"]) == (end, end, True)
    assert config.get("pad_token_id") is None  # or its embedding would not train again
    assert (model.config.eos_token_id, model.config.use_cache) == (0, False)


def test_a_turns_end_is_the_end_and_not_the_texts(tmp_path):
    saved, _, end = writer(tmp_path, "llama", "bytes", "chatml")
    assert saved.tokenizer.convert_ids_to_tokens(end) == "<|im_end|>"
    assert AutoModelForCausalLM.from_pretrained(tmp_path).generation_config.eos_token_id == end


@pytest.mark.parametrize("template", [None, "chatml"])
@pytest.mark.parametrize("tokenizer", ["adds_end", "first"])
def test_the_saved_tokenizer_encodes_for_us_as_before(tokenizer, template, tmp_path):
    """So the same data trains a model again without encoding it again, and the model in memory is not changed."""
    saved, *_ = writer(tmp_path, "gpt2", tokenizer, template)
    before, after = TOKENIZERS[tokenizer](), checkpoint.load(str(tmp_path)).tokenizer
    before.chat_template = after.chat_template
    texts = ["The cat", "", " a", "</s> is text"]
    assert token_ids(before, texts) == token_ids(after, texts) == token_ids(saved.tokenizer, texts)
    assert tokenizer_fingerprint(before) == tokenizer_fingerprint(after)
    assert saved.tokenizer("a b").input_ids == before("a b").input_ids
    assert saved.tokenizer.padding_side == before.padding_side


def test_two_texts_and_the_empty_text_begin_with_the_start_token(tmp_path):
    writer(tmp_path, "gpt2", "no_bos")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    start = tokenizer.eos_token_id
    assert tokenizer("").input_ids == [start]
    assert tokenizer("a", "b").input_ids == [start, *tokenizer("ab", add_special_tokens=False).input_ids]


def test_a_model_that_fine_tune_did_not_train_keeps_its_settings(tmp_path):
    model = random_writer("gpt2", [0, 9], 1)
    model.generation_config.update(do_sample=True, top_k=7)
    saving.save(tmp_path, Trained(model, byte_tokenizer(), RUN), "", "")
    assert AutoModelForCausalLM.from_pretrained(tmp_path).generation_config.top_k == 7
    assert AutoTokenizer.from_pretrained(tmp_path)("a").input_ids == byte_tokenizer()("a").input_ids


def test_the_trained_weights_are_saved_as_before(tmp_path):
    saved, ids, _ = writer(tmp_path, "gpt_neox")
    found = checkpoint.load(str(tmp_path)).model
    assert torch.equal(found(torch.tensor([ids])).logits, saved.model(torch.tensor([ids])).logits)
