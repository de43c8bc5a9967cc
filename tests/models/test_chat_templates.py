"""Prompts to the letter: the templates as golden strings, and the same ids as other tools produce."""

import pytest
from small_models import tiny_tokenizer
from tokenizers import AddedToken

from utils.errors import DataError, UserError
from utils.models.chat_templates import TEMPLATES, encode_answers, open_chat_template, set_chat_template, with_length

END = 256
FRUIT = [{"role": "user", "content": "Name a fruit."}]
WITH_INPUT = [{"role": "user", "content": "Make it louder.", "input": "hello"}]
TURNS = [*FRUIT, {"role": "assistant", "content": "A pear."}, {"role": "user", "content": "Another one."}]
OWN = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

STANFORD = (
    "<|endoftext|>Below is an instruction that describes a task. Write a response that appropriately completes the "
    "request.\n\n### Instruction:\nName a fruit.\n\n### Response:"
)
STANFORD_INPUT = (
    "<|endoftext|>Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n### Instruction:\nMake it louder.\n\n"
    "### Input:\nhello\n\n### Response:"
)
PLAIN_INPUT = "<|endoftext|>Instruction:\nMake it louder.\n\nInput:\nhello\n\nResponse:\n"


def format_of(template):
    tokenizer = tiny_tokenizer()
    if template == OWN:
        tokenizer.add_special_tokens(
            {"additional_special_tokens": ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]}
        )
        tokenizer.chat_template = OWN
    elif template in TEMPLATES:
        set_chat_template(tokenizer, template)
    else:
        tokenizer.chat_template = template
    return open_chat_template(tokenizer)


@pytest.mark.parametrize(
    ("template", "conversation", "text"),
    [
        ("stanford", FRUIT, STANFORD),
        ("stanford", WITH_INPUT, STANFORD_INPUT),
        (
            "stanford",
            TURNS,
            STANFORD + "A pear.<|endoftext|>\n\n### Instruction:\nAnother one.\n\n### Response:",
        ),
        ("plain", FRUIT, "<|endoftext|>Instruction:\nName a fruit.\n\nResponse:\n"),
        ("plain", WITH_INPUT, PLAIN_INPUT),
        (
            "plain",
            TURNS,
            "<|endoftext|>Instruction:\nName a fruit.\n\nResponse:\nA pear.<|endoftext|>\n\n"
            "Instruction:\nAnother one.\n\nResponse:\n",
        ),
        (OWN, WITH_INPUT, "<|user|>Make it louder.\n\nhello<|end|>\n<|assistant|>"),
    ],
)
def test_prompts_are_written_to_the_letter(template, conversation, text):
    form = format_of(template)
    assert form.render(conversation) == text
    (ids,) = form.encode([conversation])
    assert form.tokenizer.decode(ids) == text


@pytest.mark.parametrize("template", ["stanford", "plain", OWN])
@pytest.mark.parametrize("conversation", [FRUIT, WITH_INPUT, TURNS])
def test_other_tools_make_the_same_ids(template, conversation):
    form = format_of(template)
    if not form.has_input:
        merged = "\n\n".join(filter(None, (conversation[0]["content"], conversation[0].get("input"))))
        conversation = [{"role": "user", "content": merged}, *conversation[1:]]
    theirs = form.tokenizer.apply_chat_template(conversation, add_generation_prompt=True)["input_ids"]
    assert form.encode([conversation]) == [theirs]


@pytest.mark.parametrize("side", ["lstrip", "rstrip"])
def test_special_tokens_that_take_up_white_space_make_the_same_ids(side):
    tokenizer = tiny_tokenizer()
    names = ["<|user|>", "<|assistant|>", "<|end|>"]
    tokenizer.add_tokens([AddedToken(name, special=True, **{side: True}) for name in names], special_tokens=True)
    tokenizer.chat_template = OWN.replace("<|end|>", " <|end|> ")
    form = open_chat_template(tokenizer)
    ids = tokenizer.apply_chat_template(TURNS, add_generation_prompt=True)["input_ids"]
    assert form.encode([TURNS]) == [ids]
    assert form.end == tokenizer.convert_tokens_to_ids("<|end|>")
    assert form.render(TURNS) == tokenizer.apply_chat_template(TURNS, add_generation_prompt=True, tokenize=False)


def test_the_name_of_a_special_token_in_a_text_is_text():
    form = format_of("plain")
    (ids,) = form.encode([[{"role": "user", "content": "Say <|endoftext|>"}]])
    assert ids.count(END) == 1
    assert len(ids) == 1 + len("Instruction:\nSay <|endoftext|>\n\nResponse:\n")


@pytest.mark.parametrize("text", ["\ue000" + "0\ue001", "{{ messages }}", r"\1 \g<0>"])
def test_a_text_that_looks_like_part_of_a_template_is_text(text):
    (ids,) = format_of("plain").encode([[{"role": "user", "content": text, "input": "b"}]])
    assert tiny_tokenizer().decode(ids[1:]) == f"Instruction:\n{text}\n\nInput:\nb\n\nResponse:\n"


def test_an_answer_follows_its_prompt_and_ends():
    form = format_of("plain")
    ids, loss_start = encode_answers(form, [FRUIT, WITH_INPUT], ["Plum", "HELLO"])
    assert loss_start == [len(prompt) for prompt in form.encode([FRUIT, WITH_INPUT])]
    answers = [list(row[start:]) for row, start in zip(ids, loss_start, strict=True)]
    assert [form.tokenizer.decode(answer) for answer in answers] == ["Plum<|endoftext|>", "HELLO<|endoftext|>"]
    assert [answer[-1] for answer in answers] == [END, END]


@pytest.mark.parametrize(
    ("template", "end", "has_system", "has_input"),
    [
        ("stanford", "<|endoftext|>", False, True),
        ("plain", "<|endoftext|>", False, True),
        (OWN, "<|end|>", True, False),
        ("{% for m in messages %}{{ m['content'] }} {% endfor %}", "<|endoftext|>", True, False),
    ],
)
def test_the_parts_of_a_template_are_found(template, end, has_system, has_input):
    form = format_of(template)
    assert form.tokenizer.convert_ids_to_tokens(form.end) == end
    assert (form.has_system, form.has_input) == (has_system, has_input)


@pytest.mark.parametrize(
    ("template", "conversation", "text"),
    [
        (
            "plain",
            WITH_INPUT,
            "Instruction:\nMake it louder.\n\nAnswer length: short\n\nInput:\nhello\n\nResponse:\n",
        ),
        (OWN, WITH_INPUT, "<|user|>Make it louder.\n\nhello\n\nAnswer length: short<|end|>\n<|assistant|>"),
    ],
)
def test_a_length_is_asked_for_at_the_end_of_the_users_words(template, conversation, text):
    assert format_of(template).render(with_length(conversation, "short")).endswith(text)


@pytest.mark.parametrize("template", ["stanford", "plain"])
def test_a_role_without_a_place_is_refused_and_named(template):
    form = format_of(template)
    with pytest.raises(DataError, match=r"^conversation 2: the chat template refuses it: .*the role system"):
        form.encode([FRUIT, [{"role": "system", "content": "Be brief."}, *FRUIT]])


def test_a_template_that_refuses_everything_is_the_models_fault():
    with pytest.raises(UserError, match="refuses a user and an assistant: never"):
        format_of("{{ raise_exception('never') }}")


def test_without_a_template_of_its_own_chat_is_refused():
    with pytest.raises(UserError, match="--template chat, but tiny has no chat template") as caught:
        set_chat_template(tiny_tokenizer(), "chat")
    assert "--template stanford or --template plain" in caught.value.hint
    with pytest.raises(UserError, match="tiny has no chat template"):
        open_chat_template(tiny_tokenizer())


def test_a_base_model_without_end_of_text_is_refused():
    tokenizer = tiny_tokenizer()
    set_chat_template(tokenizer, "stanford")
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="no end-of-text token"):
        open_chat_template(tokenizer)


BROKEN_TEMPLATES = {
    "syntax": ("{% for message in", "unexpected 'end of template'"),
    "types": ("{{ messages[0]['content'] + 1 }}", "TypeError"),
    "division by 0": ("{{ 1 / 0 }}", "ZeroDivisionError"),
    "endless loop": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "takes more than",
    ),
    "endless calls": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls itself"),
    "long range": ("{% for a in range(10**9) %}{% endfor %}", "Range too big"),
    "a list": (["{{ messages }}"], "TypeError"),
}


@pytest.mark.parametrize(("template", "reason"), BROKEN_TEMPLATES.values(), ids=BROKEN_TEMPLATES.keys())
def test_a_broken_template_is_an_error_of_the_model(template, reason, monkeypatch):
    monkeypatch.setattr("utils.models.chat_templates.SECONDS_TO_RENDER", 0.2)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    with pytest.raises(UserError, match="the chat template of tiny refuses") as caught:
        open_chat_template(tokenizer)
    assert reason in caught.value.problem
