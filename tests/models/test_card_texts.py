"""Texts of strangers in model cards: rendered, each card has the structure of a harmless one and shows them."""

import json
import shlex
import subprocess

import pytest
import yaml
from markdown_it import MarkdownIt

from utils.models.card_texts import code, plain, python_text, shell_text
from utils.models.model_card import model_card

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "comment": "a <!-- b",
    "end": "</code></td></table>",
    "entity": "&lt;b&gt; &amp; &#60;",
    "link": "[x](javascript:alert(1))",
    "picture": "![x](http://evil/a.png)",
    "reference": "[x]: http://evil",
    "automatic": "<http://evil> https://evil.org www.evil.org",
    "bar": "a|b\\|c",
    "ticks": "`` ` ``` ~~~",
    "emphasis": "*a* _b_ __c__ ~~d~~ snake_case",
    "formula": "$x^2$ $$y$$",
    "backslash": "\\ \\* C:\\new",
    "heading": "# one",
    "list": "- one",
    "number": "1. one",
    "quote": "> one",
    "rule": "---",
    "equals": "===",
    "yaml": "yes: {no}, [~] 'a' \"b\" #c !!python/object:os.system %d",
    "number-like": "1e3",
    "null": "null",
    "curly": "{{ a }} {% b %}",
}
BROKEN = {
    "lines": "a\n\n# b\n---\n```\n<b>x\n",
    "returns": "a\r\rb",
    "control": "a\x1b]0;t\x07\x9b",
    "turned": "a\u202eb\u2028c",
}


def run_of(kind: str, text: str) -> dict:
    """The run.json of a model of this kind with the text wherever one can come from a stranger."""
    return {
        "task": text,
        "kind": kind,
        "base_model": "user/base",
        "base_model_reason": text,
        "template": "{prompt}" + text,
        "cleaning": {text: text},
        "arguments": {"output_path": f"models/{text}".replace("/", "⁄").replace("models⁄", "models/"), "other": text},
        "data": {"sources": [{"path": text.replace("/", "⁄"), "sha256": text, "rows": 7}], "rows": {text: 3}},
        "trainable_parameters": 1,
        "total_parameters": 2,
        "seed": 1,
        "device": text,
        "precision": text,
        "versions": {text: text},
        "labels": ["plain", text],
        "calibration": {"temperature": 1.0, "threshold": 0.5},
        "max_length": 64,
        "self_contained": True,
        "targets": [["a", "b"]],
        "target": "emoji",
        "split_by": "concept",
        "sampling": {"do_sample": True, "top_p": 0.9},
        "results": {
            **{
                f"validation_{name}_{when}": 0.5
                for name in ("bits_per_byte", "macro_f1")
                for when in ("before", "after")
            },
            **{"epochs": 1.0, "steps": 2, "train_seconds": 3.0},
        },
    }


def evaluation_of(kind: str, text: str) -> dict | None:
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    measured = {"accuracy": figure, "texts": 9, "confusion_matrix": [[1, 2], [3, 4]]}
    if kind != "classify":
        return None
    baselines = dict.fromkeys(("majority", "tfidf_logistic_regression"), measured)
    counts = {"texts": 9, "truncated_texts": 0, "mistakes": 5, "verdict": "as good"}
    return {"labels": ["plain", text], "tuned": measured, "baselines": baselines, **counts}


def rendered(card: str) -> tuple[list, list[str]]:
    """The structure of a card (blocks, and what is inside them but for texts) and its texts."""
    body = card.split("---\n", 2)[2]
    structure, texts = [], []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body):
        structure.append((token.type, token.tag, token.info))
        if token.type == "fence":
            texts.append(token.content)
        if token.type == "inline":
            shown = ""
            for part in token.children:
                if part.type in ("text", "text_special", "code_inline"):
                    shown += part.content
                elif part.content not in ("<code>", "</code>"):
                    structure.append((part.type, part.tag, part.content))
            texts.append(shown)
    return structure, texts


@pytest.mark.parametrize("kind", ["generate", "instruct", "classify", "emoji"])
@pytest.mark.parametrize("text", [*HOSTILE.values(), *BROKEN.values()], ids=[*HOSTILE, *BROKEN])
def test_a_card_has_the_structure_of_a_harmless_one(kind, text):
    harmless, _ = rendered(model_card(run_of(kind, "fine"), evaluation_of(kind, "fine")))
    card = model_card(run_of(kind, text), evaluation_of(kind, text))
    structure, texts = rendered(card)
    assert structure == harmless
    assert not [tag for tag in ("<script", "<img", "<!--", "</td", "<b") if tag in card]
    assert not set("\x1b\x9b\x07\u202e\u2028\r") & set(card)
    start, front, _ = card.split("---\n", 2)
    assert start == ""
    found = yaml.safe_load(front)
    assert found["tags"] == ["fine-tuned", text]
    assert set(found) == {"base_model", "library_name", "pipeline_tag", "tags"}
    [recipe] = [json.loads(text) for text in texts if text.startswith('{\n  "template"')]
    assert recipe["arguments"]["other"] == text
    assert recipe["cleaning"] == {text: text}
    if text in HOSTILE.values():
        assert sum(text in shown for shown in texts) >= 4


@pytest.mark.parametrize(
    "base_model", ["on/off", "1/2", "a/b: c", "a/b\n---\nx: y", "a/# b", "~/null", "'a'/\"b\"", "a/\u202eb"]
)
def test_the_front_matter_is_exactly_the_values(base_model):
    card = model_card(run_of("generate", "fine") | {"base_model": base_model})
    _, front, rest = card.split("---\n", 2)
    assert yaml.safe_load(front).get("base_model") in (base_model, None)  # None: a local path
    assert rest.startswith("\n# fine\n")


@pytest.mark.parametrize("text", [*HOSTILE.values(), *BROKEN.values()], ids=[*HOSTILE, *BROKEN])
def test_commands_of_a_card_have_the_name(text):
    assert eval(python_text(text)) == text
    shell = subprocess.run(
        ["bash", "-c", f"printf %s {shell_text(text)}x"], capture_output=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert shell.stdout.decode() == text + "x"
    assert "\n" not in shell_text(text)


def test_usual_names_stay_readable():
    for name in ("my_reviews.csv", "a-b (1).csv", "C++", "user/model-1.5", "4 stars", "sci.med"):
        assert plain(name) == name
        assert code(name) == f"`{name}`"
        assert shell_text(name) == shlex.quote(name)
