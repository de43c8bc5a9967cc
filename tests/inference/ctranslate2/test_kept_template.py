"""Chat templates of converted models: the prompts of transformers, with and without it, and the chat's answers."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import small_writers
from answering_models import CHAT_TEMPLATE, save_model
from running import run_script
from small_models import tiny_tokenizer

import generate
from utils.inference.ctranslate2.convert import convert
from utils.inference.ctranslate2.kept import SOURCE_FILE, PlainTokenizer, open_kept
from utils.inference.ctranslate2.kept_template import TURNS, open_kept_template, template_to_keep
from utils.models import checkpoint
from utils.models.chat_templates import TEMPLATES, open_chat_template, with_length

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

ROOT = Path(generate.__file__).parent
LAST_YEAR = 1_735_000_000
WITHOUT_TORCH = (
    "import runpy, sys; sys.argv = {words}\n"
    "try: runpy.run_path('generate.py', run_name='__main__')\n"
    "finally: print(sorted({{'torch', 'transformers', 'jinja2'}} & set(sys.modules)))"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder of models that were converted."""
    folder = tmp_path_factory.mktemp("models")
    save_model(folder / "ending", ends=True)
    save_model(folder / "short", "plain", context=128)
    save_model(folder / "system", CHAT_TEMPLATE)
    save_model(folder / "base", None, kind=None)
    for path in list(folder.iterdir()):
        for file in path.iterdir():
            os.utime(file, (LAST_YEAR, LAST_YEAR))
        convert(str(path), checkpoint.load(str(path)))
    return folder


@pytest.fixture
def chat(capsys, monkeypatch):
    """Run generate.py --chat in this process on these lines: (exit code, stdout, stderr)."""

    def call(path: Path, lines: str, *arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode()), encoding="utf-8"))
        code = run_script(generate.main, "--model_path", path, "--chat", *arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def conversations(turns: int, system: bool) -> list[list[dict]]:
    """Conversations of so many turns, also with an input and a length in the last one."""
    said = [{"role": "system", "content": "Be <|endoftext|> brief."}] if system else []
    for number in range(turns - 1):
        said += [{"role": "user", "content": f"Q{number}"}, {"role": "assistant", "content": f" {number}\n</s>"}]
    last = {"role": "user", "content": "Été ?"}
    return [[*said, last], [*said, {**last, "input": "👩‍🌾"}], with_length([*said, last], "long")]


def tokenizers():
    """Each of ours with each of our templates, and others with others'."""
    for name, template in {**TEMPLATES, "own": CHAT_TEMPLATE}.items():
        if template is not None:
            yield pytest.param("tiny", template, id=name)
    for name in ("bytes", "no_bos", "first", "normalizer"):
        for template in small_writers.TEMPLATES:
            yield pytest.param(name, small_writers.TEMPLATES[template], id=f"{name}-{template}")


def tokenizer_of(name: str, template: str):
    tokenizer = small_writers.TOKENIZERS[name]() if name != "tiny" else tiny_tokenizer()
    tokenizer.chat_template = template
    return tokenizer


def kept(tokenizer, lengths: bool = True):
    """The template of the tokenizer after it was kept in a file, with a tokenizer that knows no transformers."""
    described = json.loads(json.dumps(template_to_keep(tokenizer, lengths)))
    start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    source, special_tokens = described["source"], described["special_tokens"]
    plain = PlainTokenizer(tokenizer.backend_tokenizer, start, tokenizer.eos_token_id, source, special_tokens)
    return open_kept_template(described, plain)


@pytest.mark.parametrize(("name", "template"), list(tokenizers()))
def test_the_prompts_are_those_of_transformers(name, template):
    tokenizer = tokenizer_of(name, template)
    expected, opened = open_chat_template(tokenizer), kept(tokenizer)
    names = ("end", "has_system", "has_input", "special_tokens")
    assert [getattr(opened, name) for name in names] == [getattr(expected, name) for name in names]
    for turns in (1, 2, TURNS, TURNS + 1):  # the last ones are not kept
        for system in {False, expected.has_system}:
            asked = conversations(turns, system)
            assert opened.encode(asked) == expected.encode(asked)


def test_a_template_that_changes_with_the_day_is_not_kept():
    template = "{{ strftime_now('%Y') }}" + CHAT_TEMPLATE
    opened = kept(tokenizer_of("tiny", template))
    assert opened.render([{"role": "user", "content": "Hi"}]).startswith(f"{time.strftime('%Y')}<user>Hi")
    assert not opened.skeletons


def test_a_template_that_is_refused_is_not_kept_and_one_turn_is_kept_where_two_are_refused():
    tokenizer = tokenizer_of("tiny", "{{ raise_exception('no') }}")
    assert template_to_keep(tokenizer, lengths=False) == {}
    once = "{% if messages[2:] %}{{ raise_exception('once') }}{% endif %}" + CHAT_TEMPLATE
    opened = kept(tokenizer_of("tiny", once), lengths=False)
    roles = {tuple(role for role, *_ in shape) for shape in opened.skeletons}
    assert roles == {("user",), ("system", "user")}


@pytest.mark.parametrize(
    ("name", "lines", "flags"),
    [
        ("ending", "Hi\nMore, été\n/reset\nHi\n", ()),
        ("ending", "Hi\nMore\n", ("--stop", "e", "--stop", "th", "--json")),
        ("ending", "Hi\nMore\n", ("--length", "long", "--min_new_tokens", 9)),
        ("short", "".join(f"Number {number}!\n" for number in range(5)), ("--max_new_tokens", 30)),
        ("short", f"One\n{'x' * 200}\nTwo\n", ("--json", "--max_new_tokens", 6)),
        ("system", "Hi\nMore\n", ("--system", "Be brief.", "--max_new_tokens", 9)),
        ("ending", "Hi\n", ("--system", "Be brief.")),
        ("base", "Hi\n", ()),
    ],
)
def test_a_greedy_chat_in_float32_is_that_of_transformers(chat, models, name, lines, flags):
    flags = ("--greedy", *flags)
    expected = chat(models / name, lines, *flags)
    assert chat(models / name, lines, *flags, "--engine", "ctranslate2", "--precision", "fp32") == expected


def test_draws_depend_on_the_seed_and_the_number_of_the_answer(chat, models):
    flags = ("--engine", "ctranslate2", "--max_new_tokens", 20)
    code, out, _ = chat(models / "system", "Hi\n/reset\nHi\n", *flags)
    first, second = out.splitlines()
    assert code == 0
    assert first != second
    assert chat(models / "system", "Hi\n/reset\nHi\n", *flags)[1] == out
    assert chat(models / "system", "Hi\n", *flags, "--seed", 43)[1] == second + "\n"


@pytest.mark.parametrize("words", [["--chat"], ["--instruction", "Hi"]])
def test_neither_torch_nor_transformers_is_imported(models, words):
    command = ["generate.py", "--model_path", str(models / "ending"), "--engine", "ctranslate2", *words]
    code = WITHOUT_TORCH.format(words=command)
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, input="Hi\nMore\n", capture_output=True, text=True)
    *answers, imported = run.stdout.splitlines()
    assert (run.returncode, run.stderr, imported) == (0, "", "[]")
    assert len(answers) == (2 if words == ["--chat"] else 1)


def test_the_time_limit_of_a_template_is_not_for_importing_transformers(models):
    code = f"""if True:
    import sys
    class Watch:
        def find_spec(self, name, *_):
            if name == "transformers.utils.chat_template_utils":
                print(sys.gettrace())
    sys.meta_path.insert(0, Watch())
    from utils.inference.ctranslate2.kept import open_kept
    template = open_kept({str(models / "ending")!r}).chat_template
    template.render([{{"role": "user", "content": "Hi"}}, {{"role": "assistant", "content": "No"}}] * {TURNS + 1})
    """
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr, run.stdout) == (0, "", "None\n")


@pytest.mark.parametrize("damage", [{}, {"end": "1"}, {"skeletons": [1]}, {"skeletons": [[["user"], ["Hi"]]]}])
def test_a_damaged_template_is_read_from_the_model(chat, models, damage):
    path = models / "ending.ctranslate2" / SOURCE_FILE
    whole = path.read_text()
    source = json.loads(whole)
    path.write_text(json.dumps({**source, "chat": {**source["chat"], **damage} if damage else {}}))
    try:
        assert open_kept(str(models / "ending")).chat_template is None
        expected = chat(models / "ending", "Hi\n", "--greedy")
        found = chat(models / "ending", "Hi\n", "--greedy", "--engine", "ctranslate2", "--precision", "fp32")
        assert found == expected
    finally:
        path.write_text(whole)
