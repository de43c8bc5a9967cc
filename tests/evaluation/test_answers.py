"""evaluate_model.py on models that answer instructions: figures against plain loops, files, tables and refusals."""

import json
import math
import shutil
import statistics
from pathlib import Path

import pytest
import sacrebleu
import torch
from answering_models import CHAT_TEMPLATE
from evaluation_runs import evaluation_caller, refused
from running import run_script
from small_models import END, processed_data, random_model, tiny_tokenizer

import evaluate_model
from utils.compute.batching import collate_texts
from utils.files import sha256_of
from utils.models import checkpoint, saving
from utils.models.chat_templates import encode_answers, open_chat_template, set_chat_template
from utils.models.tokenization import tokenizer_fingerprint
from utils.processed import SPLITS, Processed, Split, save_processed

ASKED = ["Say yes.", "Is tea warm?", "Name a colour.", "Count to two.", "Greet Ada.", "What is rain?", "End it"]
REFERENCES = ["yes yes yes yes", "yes, it is", "red", "one two", "Hello Ada!", "water that falls", "no"]
CONTEXT = 320
FAST = ["--max_new_tokens", 16]
PLAIN = ["--no_repeat_ngram_size", 0]  # the default of transformers


def conversations() -> list[list[dict]]:
    asked = [[{"role": "user", "content": text}] for text in ASKED]
    asked[1][0]["input"] = "Tea comes from a kettle."
    return asked


def split_of(asked: list[list[dict]], answers: list[str], tokenizer) -> Split:
    form = open_chat_template(tokenizer)
    ids, loss_start = encode_answers(form, asked, answers)
    return Split(
        prompt=[form.render(conversation) for conversation in asked],
        completion=answers,
        label=[None] * len(asked),
        group=[f"instruction {number}" for number in range(len(asked))],
        ids=ids,
        loss_start=loss_start,
        metadata={"messages": asked, "id": [None] * len(asked)},
    )


def stanford_tokenizer():
    tokenizer = tiny_tokenizer()
    set_chat_template(tokenizer, "stanford")
    return tokenizer


def instructions(asked=None, answers=None) -> Processed:
    """The output of preprocess.py --task alpaca; every split holds the same conversations."""
    tokenizer = stanford_tokenizer()
    split = split_of(asked or conversations(), answers or REFERENCES, tokenizer)
    return Processed(
        recipe={
            "task": "alpaca", "kind": "instruct", "template": "stanford", "labels": None, "cleaning": None,
            "base_model": "tiny", "seed": 42, "multi_turn": False, "lengths": None,
        },
        audit={},
        sources=[{"path": "alpaca.json", "sha256": "0" * 64, "rows": 9, "encoding": "utf-8"}],
        tokenizer={"name": "tiny", "fingerprint": tokenizer_fingerprint(tokenizer)},
        splits=dict.fromkeys(SPLITS, split),
    )  # fmt: skip


def taught(rows: list[dict]) -> torch.nn.Module:
    """A random model that learns for a moment, so that some of its answers end."""
    model = random_model("gpt2", seed=2, max_position_embeddings=CONTEXT).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    batch = collate_texts(rows, END)
    for _ in range(60):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    return model.eval()


def run_record(data_path: Path, **changes) -> dict:
    return {
        "task": "alpaca", "kind": "instruct", "template": "stanford", "labels": None, "cleaning": None,
        "lengths": None, "base_model": "base", "seed": 42, "device": "cpu", "precision": "fp32",
        "arguments": {"output_path": "models/mine"}, "versions": {"torch": "2"},
        "trainable_parameters": 1, "total_parameters": 2,
        "data": {"sha256": sha256_of(data_path), "sources": [], "rows": {"train": 7, "validation": 7, "test": 7}},
        "results": {
            "validation_bits_per_byte_before": 3.0, "validation_bits_per_byte_after": 2.0,
            "epochs": 1.0, "steps": 60, "train_seconds": 1.0,
        },
        **changes,
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # tests/terminal/test_tables.py has tables on narrow ones


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with alpaca.pkl, `base` with a chat template of its own, and `mine` and `mine.pt`, made of it."""
    folder = tmp_path_factory.mktemp("trained")
    data = instructions()
    save_processed(folder / "alpaca.pkl", data)
    split = data.splits["train"]
    rows = [{"input_ids": ids, "loss_start": start} for ids, start in zip(split.ids, split.loss_start, strict=True)]
    own = tiny_tokenizer()
    own.chat_template = CHAT_TEMPLATE
    saving.save(
        folder / "base", checkpoint.Trained(random_model("gpt2", max_position_embeddings=CONTEXT), own, {}), "", ""
    )
    (folder / "base" / "run.json").unlink()
    mine = checkpoint.Trained(taught(rows), stanford_tokenizer(), run_record(folder / "alpaca.pkl"))
    for name in ("mine", "mine.pt"):
        saving.save(folder / name, mine, "", "")
    return folder


@pytest.fixture
def call(trained, tmp_path, capsys, monkeypatch):
    return evaluation_caller(trained, tmp_path, capsys, monkeypatch, model="mine", data="alpaca.pkl")


def read(path: str):
    lines = Path(path).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines] if path.endswith("l") else json.loads("\n".join(lines))


def ids_of(text: str) -> list[int]:
    return tiny_tokenizer()(text).input_ids


def spelt_out(name: str, conversation: list[dict]) -> tuple[str, ...]:
    """The prompt of `mine` or `base`, written by hand: the text before and after the end-of-text token."""
    [message] = conversation
    if name == "base":
        text = "\n\n".join(filter(None, (message["content"], message.get("input"))))
        return f"<user>{text}", "<assistant>"
    if "input" in message:
        return (
            "Below is an instruction that describes a task, paired with an input that provides further context. "
            "Write a response that appropriately completes the request.\n\n"
            f"### Instruction:\n{message['content']}\n\n### Input:\n{message['input']}\n\n### Response:",
        )
    return (
        "Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.\n\n"
        f"### Instruction:\n{message['content']}\n\n### Response:",
    )


def prompt_ids(name: str, conversation: list[dict]) -> list[int]:
    parts = [ids_of(part) for part in spelt_out(name, conversation)]
    return [*parts[0], END, *parts[1]] if name == "base" else [END, *parts[0]]


def plain_figures(name: str, asked, answers) -> dict[str, float]:
    """Likelihood of the answers, one at a time, in float64."""
    model = checkpoint.load(name).model.double()
    nll, tokens, correct = 0.0, 0, 0
    for conversation, answer in zip(asked, answers, strict=True):
        prompt, target = prompt_ids(name, conversation), torch.tensor([*ids_of(answer), END])
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt, *target.tolist()]])).logits[0, len(prompt) - 1 : -1]
        nll -= logits.log_softmax(-1).gather(1, target[:, None]).sum().item()
        tokens += len(target)
        correct += (logits.argmax(-1) == target).sum().item()
    size = sum(len(answer.encode()) for answer in answers)
    return {
        "perplexity": math.exp(nll / tokens),
        "bits_per_byte": nll / math.log(2) / size,
        "token_accuracy": correct / tokens,
    }


def plain_answer(name: str, conversation: list[dict], longest: int) -> tuple[str, bool]:
    """The likeliest token each time: (answer, whether it ended by itself)."""
    model = checkpoint.load(name).model
    ids, new = prompt_ids(name, conversation), []
    while len(new) < longest and END not in new:
        with torch.inference_mode():
            new.append(model(torch.tensor([ids + new])).logits[0, -1].argmax().item())
    text = tiny_tokenizer().decode(new, skip_special_tokens=True)
    return text.rstrip("\ufffd").strip(), END in new


def test_figures_and_answers_are_those_of_plain_loops(call):
    code, out, err = call("--compare_base", *FAST, *PLAIN)
    assert code == 0, err
    assert out.endswith("\nwritten: mine/evaluation.json and mine/answers.jsonl\n")
    evaluation, rows = read("mine/evaluation.json"), read("mine/answers.jsonl")
    assert [(row["row"], row["messages"], row["reference"]) for row in rows] == list(
        zip(range(7), conversations(), REFERENCES, strict=True)
    )
    assert rows[1]["prompt"] == f"<|endoftext|>{spelt_out('mine', conversations()[1])[0]}"
    for side, name in (("tuned", "mine"), ("base", "base")):
        found = evaluation[side]
        expected = plain_figures(name, conversations(), REFERENCES)
        assert {figure: found[figure]["value"] for figure in expected} == pytest.approx(expected, rel=1e-4)
        written = [plain_answer(name, conversation, 16) for conversation in conversations()]
        assert [(row[side]["text"], row[side]["finished"]) for row in rows] == written
        texts = [text for text, _ in written]
        assert found["bleu"]["value"] == pytest.approx(sacrebleu.corpus_bleu(texts, [REFERENCES]).score)
        assert found["chrf"]["value"] == pytest.approx(sacrebleu.corpus_chrf(texts, [REFERENCES]).score)
        assert found["finished"]["value"] == pytest.approx(sum(ended for _, ended in written) / 7)
    assert evaluation["tuned"]["finished"]["value"] > 0
    for figure, difference in evaluation["difference"].items():
        apart = evaluation["tuned"][figure]["value"] - evaluation["base"][figure]["value"]
        assert difference["value"] == pytest.approx(apart)
    by_part = evaluation["bits_per_byte_difference_by_part"]
    assert list(by_part) == ["end_token", "first_token", "between"]
    together = sum(figure["value"] for figure in by_part.values())
    assert together == pytest.approx(evaluation["difference"]["bits_per_byte"]["value"])
    assert all(figure["value"] for figure in by_part.values())
    assert (
        evaluation.items()
        >= {
            "kind": "instruct",
            "model_path": "mine",
            "base_model": "base",
            "data_sha256": sha256_of(Path("alpaca.pkl")),
            "rows": 7,
            "rows_left_out": 0,
            "limit": None,
            "decoding": {
                "do_sample": False, "max_new_tokens": 16, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0,
            },
        }.items()
    )  # fmt: skip
    assert "lengths" not in evaluation

    per_text = evaluation["per_text"]
    assert per_text["row"] == list(range(7))
    tuned = evaluation["tuned"]
    together = math.log(tuned["perplexity"]["value"]) * tuned["tokens"]
    assert sum(per_text["nll"]) == pytest.approx(together, abs=1e-3)  # each has four decimals
    assert per_text["finished"] == [row["tuned"]["finished"] for row in rows]
    samples = evaluation["samples"]
    assert [one["tuned"]["text"] for one in samples] == [row["tuned"]["text"] for row in rows]
    assert [one["input"] and one["input"]["text"] for one in samples[:2]] == [None, "Tea comes from a kettle."]


def test_the_tables_show_the_same(call):
    code, out, _ = call("--compare_base", *FAST)
    assert code == 0
    evaluation, rows = read("mine/evaluation.json"), read("mine/answers.jsonl")
    lines = out.splitlines()
    for title, name, pattern in (("perplexity", "perplexity", "{:,.2f}"), ("BLEU", "bleu", "{:.2f}")):
        values = [pattern.format(evaluation[side][name]["value"]) for side in ("base", "tuned")]
        row = next(line for line in lines if line.startswith(f"{title} "))
        assert [cell.split()[0] for cell in row.split("  ") if "[" in cell] == values
    difference = next(line for line in lines if line.startswith("ROUGE-L") and line.count("[") == 1)
    assert difference.split()[1] == f"{evaluation['difference']['rouge_l']['value']:+.3f}"
    assert "7 answers; 95% intervals in brackets" in lines[0]
    assert "(greedy, at most 16 tokens, no 4-gram of tokens twice)" in out
    for line in (f"BLEU: {evaluation['signatures']['bleu']}", f"chrF: {evaluation['signatures']['chrf']}"):
        assert line in lines
    shown = lines.index("2. Is tea warm? · Tea comes from a kettle.")
    assert lines[shown + 1] == "   data: yes, it is"
    for line, side in zip(lines[shown + 2 : shown + 4], ("base", "tuned"), strict=True):
        answer = rows[1][side]
        cut = "" if answer["finished"] else f" (cut after {answer['tokens']} tokens)"
        assert line.rstrip() == f"   {side}: {' '.join(answer['text'].split())}{cut}".rstrip()


def test_a_base_model_without_a_chat_template_is_asked_as_the_tuned_one(call):
    (Path("base") / "chat_template.jinja").unlink()
    assert checkpoint.load("base").tokenizer.chat_template is None
    assert call("--compare_base", *FAST)[0] == 0
    with_base = read("mine/evaluation.json")
    shutil.copytree("base", "renamed")
    shutil.copy("mine/chat_template.jinja", "renamed")
    assert call("--json", *FAST, model="renamed")[0] == 0
    renamed = read("renamed/evaluation.json")
    assert with_base["base"] == renamed["tuned"]
    assert (renamed["base_model"], "base" in renamed, "difference" in renamed) == (None, False, False)


def test_answers_end_where_the_turns_of_the_template_end(call):
    tokenizer = checkpoint.load("base").tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": ["D"]})  # a letter that the base model likes to write
    turn = "{{ 'D' if message['role'] == 'assistant' else eos_token }}"
    tokenizer.chat_template = CHAT_TEMPLATE.replace("{{ eos_token }}", turn)
    tokenizer.save_pretrained("base")
    expected = [plain_answer("base", conversation, 40)[0] for conversation in conversations()]
    assert any("D" in text for text in expected)
    assert call("--max_new_tokens", 40, *PLAIN, model="base")[0] == 0
    found = [row["tuned"] for row in read("base/answers.jsonl")]
    assert [answer["finished"] for answer in found] == ["D" in text for text in expected]
    cut = [text.partition("D")[0].rstrip("\ufffd").strip() for text in expected]
    assert [answer["text"] for answer in found] == cut


def test_a_limit_draws_the_same_rows_for_both(call):
    assert call("--limit", 4, "--compare_base", *FAST)[0] == 0
    evaluation, rows = read("mine/evaluation.json"), read("mine/answers.jsonl")
    places = [row["row"] for row in rows]
    assert len(set(places)) == 4
    assert places == sorted(places)
    chosen = [conversations()[place] for place in places], [REFERENCES[place] for place in places]
    assert [row["messages"] for row in rows] == chosen[0]
    for side, name in (("tuned", "mine"), ("base", "base")):
        expected = plain_figures(name, *chosen)["bits_per_byte"]
        assert evaluation[side]["bits_per_byte"]["value"] == pytest.approx(expected, rel=1e-4)
    assert (evaluation["rows"], evaluation["limit"], evaluation["tuned"]["answers"]) == (4, 4, 4)

    call("--limit", 4, *FAST)
    assert [row["row"] for row in read("mine/answers.jsonl")] == places
    drawn = set()
    for seed in range(5):
        call("--limit", 4, "--seed", seed, *FAST)
        drawn.add(tuple(row["row"] for row in read("mine/answers.jsonl")))
    assert len(drawn) > 1
    call("--limit", 100, *FAST)
    assert [row["row"] for row in read("mine/answers.jsonl")] == list(range(7))


def test_rows_without_room_in_one_model_are_left_out_for_both(call):
    asked = conversations()
    asked[2][0]["content"] = "long " * 45  # with Stanford's words it fills the context, with the base's it does not
    save_processed(Path("long.pkl"), instructions(asked))
    code, out, _ = call("--compare_base", *FAST, data="long.pkl")
    assert code == 0
    evaluation, rows = read("mine/evaluation.json"), read("mine/answers.jsonl")
    assert [row["row"] for row in rows] == [0, 1, 3, 4, 5, 6]
    assert (evaluation["rows"], evaluation["rows_left_out"]) == (6, 1)
    kept = [asked[row["row"]] for row in rows], [row["reference"] for row in rows]
    for side, name in (("tuned", "mine"), ("base", "base")):
        expected = plain_figures(name, *kept)["bits_per_byte"]
        assert evaluation[side]["bits_per_byte"]["value"] == pytest.approx(expected, rel=1e-4)
    assert "6 answers (1 more left out" in out


def test_an_answer_that_one_context_cuts_is_cut_for_both(call):
    answers = ["w" * 250, *REFERENCES[1:]]
    save_processed(Path("long.pkl"), instructions(answers=answers))
    assert call("--compare_base", *FAST, data="long.pkl")[0] == 0
    evaluation = read("mine/evaluation.json")
    room = CONTEXT - len(prompt_ids("mine", conversations()[0]))
    assert room < 250
    tokens = room + sum(len(answer) + 1 for answer in answers[1:])
    assert [evaluation[side]["tokens"] for side in ("tuned", "base")] == [tokens, tokens]
    apart = evaluation["tuned"]["bits_per_byte"]["value"] - evaluation["base"]["bits_per_byte"]["value"]
    assert evaluation["difference"]["bits_per_byte"]["value"] == pytest.approx(apart)


def test_the_decoding_settings_are_used_and_recorded(call):
    call(*FAST)
    plain = [row["tuned"]["text"] for row in read("mine/answers.jsonl")]
    code, out, _ = call("--repetition_penalty", 5, "--no_repeat_ngram_size", 2, *FAST)
    assert code == 0
    assert [row["tuned"]["text"] for row in read("mine/answers.jsonl")] != plain
    assert read("mine/evaluation.json")["decoding"] == {
        "do_sample": False, "max_new_tokens": 16, "repetition_penalty": 5.0, "no_repeat_ngram_size": 2,
    }  # fmt: skip
    assert "(greedy, at most 16 tokens, repetition penalty 5, no 2-gram of tokens twice)" in out


def test_length_hints_are_measured_if_they_were_trained(call):
    run = read("mine/run.json")
    Path("mine/run.json").write_text(json.dumps({**run, "lengths": {"short": 2, "medium": 9}}))
    code, out, _ = call(*FAST, *PLAIN)
    assert code == 0
    found = read("mine/evaluation.json")["lengths"]
    assert (found["rows"], found["most_words_in_training"]) == (7, {"short": 2, "medium": 9})
    for length in ("short", "medium", "long"):
        hinted = [[{**one[0], "content": f"{one[0]['content']}\n\nAnswer length: {length}"}] for one in conversations()]
        answers = [plain_answer("mine", one, 16) for one in hinted]
        words = statistics.median(len(text.split()) for text, _ in answers)
        assert found[length]["finished"] == pytest.approx(sum(ended for _, ended in answers) / 7)
        assert found[length]["median_words"] == words
        [line] = [line for line in out.splitlines() if line.startswith(f"{length} ")]
        assert line.split()[1] == f"{words:g}"


def test_the_same_command_gives_the_same_files(call):
    call("--compare_base", *FAST)
    first = [Path(f"mine/{name}").read_bytes() for name in ("evaluation.json", "answers.jsonl")]
    call("--compare_base", *FAST)
    assert [Path(f"mine/{name}").read_bytes() for name in ("evaluation.json", "answers.jsonl")] == first


# ---- where things go


@pytest.mark.parametrize(
    ("words", "model", "files"),
    [
        ([], "mine.pt", ["mine.evaluation.json", "mine.answers.jsonl"]),
        (["--output_path", "out/it.json"], "mine", ["out/it.json", "out/it.answers.jsonl"]),
        (["--answers_path", "out/all.jsonl"], "mine", ["mine/evaluation.json", "out/all.jsonl"]),
    ],
)
def test_the_files_go_to_the_given_paths(call, words, model, files):
    code, out, err = call(*words, *FAST, model=model)
    assert code == 0, err
    assert out.endswith(f"\nwritten: {' and '.join(files)}\n")
    assert read(files[0])["rows"] == len(read(files[1])) == 7
    assert len([*Path().rglob("*evaluation.json"), *Path().rglob("*answers.jsonl")]) + len(words) // 2 >= 2


def test_json_is_the_file_and_nothing_else(call):
    code, out, _ = call("--json", *FAST)
    assert code == 0
    assert out == Path("mine/evaluation.json").read_text("utf-8")


def test_the_card_shows_the_figures(call):
    assert call("--compare_base", *FAST)[0] == 0
    card = Path("mine/README.md").read_text("utf-8")
    tuned = read("mine/evaluation.json")["tuned"]
    assert f"{tuned['perplexity']['value']:,.2f} [" in card
    assert f"| {tuned['chrf']['value']:.2f} [" in card
    assert 'generate.py --model_path models/mine --instruction "' in card


def test_evaluations_are_compared(call, capsys):
    call(*FAST)
    call(*FAST, "--output_path", "base.json", model="base")
    call(*FAST, "--output_path", "few.json", "--limit", 2)
    capsys.readouterr()
    assert run_script(evaluate_model.main, "--compare", "base.json", "mine/evaluation.json") == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()[4:]] == ["mine", "base"]
    assert all(title in out for title in ("bits per byte", "BLEU", "chrF", "ROUGE-L", "ended"))
    assert err == ""
    assert run_script(evaluate_model.main, "--compare", "few.json", "mine/evaluation.json") == 0
    assert "warning: few.json and mine/evaluation.json were measured on different test rows" in capsys.readouterr().err


# ---- bad input


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--num_samples", 3], 2, ["--num_samples is for models that write texts;", "models that answer instructions"]),
        (["--errors_path", "m.csv"], 2, ["--errors_path is for models that classify", "alpaca.pkl"]),
        (["--limit", 0], 2, ["--limit"]),
        (["--answers_path", "alpaca.pkl"], 2, ["which is read"]),
        (["--answers_path", "x.json", "--output_path", "./x.json"], 2, ["x.json is named twice"]),
        (["--answers_path", "mine"], 2, ["mine would replace", "which is read"]),
    ],
)
def test_flags_that_make_no_sense(call, words, code, expected):
    before = Path("alpaca.pkl").read_bytes()
    refused(call(*words), code, *expected)
    assert Path("alpaca.pkl").read_bytes() == before


@pytest.mark.parametrize("flag", ["--limit", "--answers_path", "--repetition_penalty", "--no_repeat_ngram_size"])
def test_flags_that_are_only_for_answers(call, flag):
    save_processed(Path("tweets.pkl"), processed_data(train=["a"], validation=["b"], test=["c"]))
    words = (f"{flag} is for models that answer instructions", "tweets.pkl is for models that write")
    assert flag in refused(call(flag, 3, data="tweets.pkl"), 2, *words)


def test_a_model_that_answers_on_data_to_write(call):
    save_processed(Path("tweets.pkl"), processed_data(train=["a"], validation=["b"], test=["c"]))
    hint = refused(call(data="tweets.pkl"), 3, "tweets.pkl was made to write texts (task tweets)", "mine answers")
    assert "trained on tweets.pkl" in hint


def test_a_model_that_writes_on_instructions(call):
    run = read("mine/run.json")
    Path("mine/run.json").write_text(json.dumps({**run, "kind": "generate", "task": "tweets"}))
    hint = refused(call(), 3, "alpaca.pkl was made to answer instructions (task alpaca)", "mine writes texts")
    assert "trained on alpaca.pkl" in hint


def test_a_model_from_elsewhere_without_a_chat_template(call):
    refused(call(model="tiny"), 1, "chat template")


def test_a_model_without_a_base(call):
    hint = refused(call("--compare_base", model="base"), 1, "base does not name its base model")
    assert "--compare_base" in hint


def test_a_chat_template_that_refuses_a_conversation(call):
    asked = conversations()
    asked[3] = [{"role": "system", "content": "Be brief."}, *asked[3]]
    data = instructions()
    data.splits["test"].metadata["messages"][3] = asked[3]
    save_processed(Path("system.pkl"), data)
    Path("base/chat_template.jinja").write_text(
        "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ message['content'] }}{% endfor %}"
    )
    refused(call(model="base", data="system.pkl"), 3, "conversation 4", "no system")
