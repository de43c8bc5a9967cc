"""The Modelfile of a model: its template in Go's syntax, and its settings."""

import pytest
from exported_models import CHAT, merging_tokenizer, trained_writer

from utils.models.chat_templates import TEMPLATES
from utils.models.export.modelfile import modelfile

REASONS = (
    "{% for m in messages %}<|im_start|>{% if loop.index < 3 %}{{ m['content'] }}{% endif %}<|im_end|>{% endfor %}"
)


def lines(chat_template: str | None, sampling: dict, **options) -> str:
    tokenizer = merging_tokenizer()
    tokenizer.chat_template = chat_template
    trained = trained_writer(None, tokenizer, **options)
    trained.run["sampling"] = sampling
    return modelfile("cat.gguf", trained)


def test_of_a_model_that_writes_texts():
    sampling = {"do_sample": True, "temperature": 0.8, "top_k": 50, "top_p": 0.95, "no_repeat_ngram_size": 0}
    assert lines(None, {**sampling, "max_new_tokens": 128}) == (
        'FROM ./cat.gguf\nTEMPLATE """{{ .Prompt }}"""\nPARAMETER temperature 0.8\nPARAMETER top_k 50\n'
        "PARAMETER top_p 0.95\nPARAMETER num_predict 128\nPARAMETER repeat_penalty 1.0\n"
    )


def test_of_a_model_that_writes_emoji():
    sampling = {"do_sample": False, "max_new_tokens": 9}
    assert lines(None, sampling, kind="emoji", template="Description: {prompt}\nEmoji:") == (
        'FROM ./cat.gguf\nTEMPLATE """Description: {{ .Prompt }}\nEmoji:"""\nPARAMETER temperature 0\n'
        "PARAMETER num_predict 9\nPARAMETER repeat_penalty 1.0\n"
    )


def test_of_a_chat_with_a_place_for_a_system_message():
    assert lines(CHAT, {}, kind="instruct").partition("TEMPLATE ")[2].rpartition('"""')[0] == (
        '"""{{ if ne (index .Messages 0).Role "system" }}'
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n{{ end }}"
        '{{ range .Messages }}{{ if eq .Role "user" }}{{ .Content }}<|im_end|>\n<|im_start|>assistant\n'
        '{{ else if eq .Role "assistant" }}{{ .Content }}<|im_end|>\n<|im_start|>user\n'
        "{{ else }}<|im_start|>system\n{{ .Content }}<|im_end|>\n<|im_start|>user\n{{ end }}{{ end }}"
    )


def test_of_a_chat_without_one():
    assert lines(TEMPLATES["plain"], {}, kind="instruct").partition("TEMPLATE ")[2].rpartition('"""')[0] == (
        '"""<|endoftext|>Instruction:\n{{ range .Messages }}{{ if eq .Role "user" }}{{ .Content }}\n\nResponse:\n'
        '{{ else if eq .Role "assistant" }}{{ .Content }}<|endoftext|>\n\nInstruction:\n{{ end }}{{ end }}'
    )


@pytest.mark.parametrize("template", [REASONS, CHAT.replace("Be kind.", "{{ '{{' }}")])
def test_a_template_that_go_lacks_is_left_to_ollama(template, caplog):
    assert "TEMPLATE" not in lines(template, {}, kind="instruct")
    assert "the Modelfile leaves it to Ollama" in caplog.text
