"""generate.py --chat: with real processes on a terminal and behind a pipe, and its parts in this process."""

import codecs
import functools
import io
import json
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from answering_models import CHAT_TEMPLATE, answer_to, save_model
from generating import chain
from running import assert_one_error, run_script
from small_models import tiny_tokenizer

import generate
from utils.errors import UserError
from utils.inference.chat import Dialogue
from utils.inference.engines import ENGINES
from utils.inference.generation import generate_from_ids
from utils.inference.sampling import Sampling
from utils.inference.streaming import AnswerInterrupt
from utils.models import checkpoint
from utils.models.chat_templates import set_chat_template, with_length

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

ROOT = Path(generate.__file__).parent
END = 256
PATIENCE = 60  # seconds until a test that hangs fails
SIX = ["--max_new_tokens", "6"]
# As a shell starts a program: the terminal is its own, and Ctrl-C goes to it alone.
ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder of models: endless ones with much and with little context, one that ends, one with a system's place."""
    folder = tmp_path_factory.mktemp("models")
    save_model(folder / "endless")
    save_model(folder / "short", "plain", context=128)
    save_model(folder / "ending", ends=True)
    save_model(folder / "system", CHAT_TEMPLATE, lengths=None)
    return folder


@pytest.fixture
def chat(capsys, monkeypatch):
    """Run generate.py --chat in this process on these lines: (exit code, stdout, stderr)."""

    def call(path: Path, lines: str | bytes, *arguments) -> tuple[int, str, str]:
        data = lines if isinstance(lines, bytes) else lines.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        code = run_script(generate.main, "--model_path", path, "--chat", *arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def records_of(result) -> list[dict]:
    """The JSON objects of a chat that went well, whatever it noted."""
    code, out, _ = result
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


def said(*texts: str, system: str = "") -> list[dict]:
    """A conversation of these texts, from the user's first one."""
    messages = [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(texts)]
    return [{"role": "system", "content": system}, *messages] if system else messages


def test_every_answer_sees_the_conversation_and_draws_anew(chat, models):
    first, again, third = records_of(chat(models / "endless", "Hi\n\n  \nHi\r\nMore", "--json", *SIX))
    assert [record["prompt"] for record in (first, again, third)] == ["Hi", "Hi", "More"]
    assert first["text"] == answer_to(models / "endless", said("Hi"))
    assert again["text"] == answer_to(models / "endless", said("Hi", first["text"], "Hi"), 43)
    assert third["text"] == answer_to(models / "endless", said("Hi", first["text"], "Hi", again["text"], "More"), 44)
    expected = {"input": "", "tokens": 6, "finished": False, "model": "tuned", "sequence_index": 0, "seed": 42}
    for number, record in enumerate((first, again, third)):
        assert record == expected | {
            "prompt": record["prompt"],
            "text": record["text"],
            "prompt_index": number,
        }
    seeded = records_of(chat(models / "endless", "Hi\n", "--json", "--seed", 43, *SIX))
    assert seeded[0]["text"] == answer_to(models / "endless", said("Hi"), 43)


def test_the_answers_alone_are_printed(chat, models):
    code, out, err = chat(models / "ending", "Hi\n/reset\nHi\n/quit\nnever read\n")
    first = answer_to(models / "ending", said("Hi"), 42, 256)
    second = answer_to(models / "ending", said("Hi"), 43, 256)
    assert (code, out, err) == (0, f"{first}\n{second}\n", "(forgotten)\n")
    code, out, err = chat(models / "endless", "Hi", *SIX)
    assert (code, len(out), err) == (0, 7, "(cut after 6 tokens)\n")


def test_system_and_length_are_in_every_prompt(chat, models):
    arguments = ["--json", "--system", "Be brief.\n", *SIX]
    first, second = records_of(chat(models / "system", "Hi\nMore\n", *arguments))
    assert first["text"] == answer_to(models / "system", said("Hi", system="Be brief."))
    assert second["text"] == answer_to(models / "system", said("Hi", first["text"], "More", system="Be brief."), 43)
    first, second = records_of(chat(models / "endless", "Hi\nMore\n", "--json", "--length", "long", *SIX))
    assert first["text"] == answer_to(models / "endless", with_length(said("Hi"), "long"))
    assert second["text"] == answer_to(models / "endless", with_length(said("Hi", first["text"], "More"), "long"), 43)
    for arguments, problem in ((["--system", "x"], "no place for a system message"),):
        code, out, err = chat(models / "endless", "Hi\n", *arguments)
        assert (code, out) == (1, "")
        assert_one_error(err, problem)


@pytest.mark.parametrize(("tokens", "dropped"), [(6, [0, 0, 0, 2, 4]), (30, [0, 2, 4, 6, 8])])
def test_the_oldest_turns_leave_a_full_context_and_are_saved_all_the_same(chat, models, tmp_path, tokens, dropped):
    # In the plain template a turn to answer has 34 tokens and the start token, an answer its own and 3.
    path = tmp_path / "chat.jsonl"
    lines = [f"Number {number}!" for number in range(5)]
    arguments = ["--json", "--max_new_tokens", tokens]
    result = chat(models / "short", "\n".join([*lines, f"/save {path}"]), *arguments)
    answers = [record["text"] for record in records_of(result)]
    assert [note for note in result[2].splitlines() if "context" in note] == [
        "(the context is full: the model no longer sees the oldest turns; /save still writes them)"
    ]
    turns = [text for pair in zip(lines, answers, strict=True) for text in pair]
    for number, (answer, first) in enumerate(zip(answers, dropped, strict=True)):
        seen = said(*turns[first : 2 * number + 1])
        assert answer == answer_to(models / "short", seen, 42 + number, tokens)
    assert json.loads(path.read_text("utf-8")) == {"messages": said(*turns)}


def test_an_instruction_that_is_too_long_leaves_the_chat_as_it_was(chat, models):
    code, out, err = chat(models / "short", f"One\n{'x' * 200}\nTwo\n", "--json", *SIX)
    one, two = (json.loads(line) for line in out.splitlines())
    assert code == 0
    assert "the context is full" not in err
    assert "shorten it" in assert_one_error(err, "this has 2", "context of 128")
    assert two["text"] == answer_to(models / "short", said("One", one["text"], "Two"), 43)
    # One that leaves less room than max_new_tokens gets the rest.
    [record] = records_of(chat(models / "short", "x" * 80, "--json", "--max_new_tokens", 100))
    assert 0 < record["tokens"] < 30


def test_a_turn_without_an_answer_is_forgotten(chat, models):
    letters = [flag for letter in "abcdefghijklmnopqrstuvwxyz" for flag in ("--stop", letter)]
    code, out, err = chat(models / "endless", "Hi\n/save never.jsonl\n", *letters)
    assert (code, out) == (0, "\n")
    assert err.startswith("(no answer: this turn is forgotten)\n")
    assert_one_error(err, "there is nothing to save yet")


def test_saving_replaces_nothing_but_its_own_work(chat, models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Path("foreign.txt").write_text("precious")
    Path("a folder").mkdir()
    lines = [
        "/save",
        "Hi",
        "/save foreign.txt",
        "/save a folder",
        f"/save {'x' * 300}",
        "/save foreign.txt/below",
        "/save new/my chat.jsonl ",
        "été",
        "/save new/my chat.jsonl",
        "/save ~/chat.jsonl",
        "/reset",
        "Again",
        "/save new/my chat.jsonl",
    ]
    code, out, err = chat(models / "endless", "\n".join(lines), *SIX)
    answers = out.splitlines()
    assert (code, len(answers)) == (0, 3)
    assert Path("foreign.txt").read_text() == "precious"
    saved = Path("new/my chat.jsonl").read_text("utf-8")
    assert json.loads(saved) == {"messages": said("Hi", answers[0], "été", answers[1])}
    assert "été" in saved
    assert (tmp_path / "home" / "chat.jsonl").read_text("utf-8") == saved
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a folder", "foreign.txt", "home", "new"]
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert [error.split(" ")[1:3] for error in errors] == [
        ["/save", "needs"],
        ["foreign.txt", "exists"],
        ["a", "folder"],
        ["cannot", "write"],
        ["cannot", "write"],
        ["new/my", "chat.jsonl"],
    ]
    assert "Traceback" not in err


def test_a_save_that_someone_changed_is_left_as_it_is(models, tmp_path):
    trained = checkpoint.load(str(models / "endless"))
    writer = functools.partial(generate_from_ids, trained.model, trained.tokenizer)
    dialogue = Dialogue(trained, writer, Sampling(max_new_tokens=6))
    path = tmp_path / "chat.jsonl"
    answer = dialogue.answer("Hi", lambda piece: None, AnswerInterrupt())
    dialogue.save(path)
    dialogue.save(path)
    path.write_text("mine now")
    with pytest.raises(UserError, match="is not an earlier save of this conversation"):
        dialogue.save(path)
    assert path.read_text() == "mine now"
    assert dialogue.messages == said("Hi", answer.text)


def test_an_answer_is_remembered_as_in_training_without_white_space_around_it():
    tokenizer = tiny_tokenizer()
    set_chat_template(tokenizer, "plain")
    trained = checkpoint.Trained(chain(tokenizer, "\n", " ", "4", "\t", None), tokenizer, {"kind": "instruct"})
    writer = functools.partial(generate_from_ids, trained.model, tokenizer)
    dialogue = Dialogue(trained, writer, Sampling(max_new_tokens=6, do_sample=False))
    assert dialogue.answer("2 + 2?", lambda piece: None, AnswerInterrupt()).text == " 4\t"
    assert dialogue.messages == said("2 + 2?", "4")


def test_commands(chat, models):
    code, out, err = chat(models / "endless", "/help\n/halp me\n/\n/quit\n")
    assert (code, out) == (0, "")
    assert all(command in err for command in ("/reset", "/save FILE", "/quit", "Ctrl-C"))
    assert "error: there is no command /halp\n" in err
    assert "error: there is no command /\n" in err
    [record] = records_of(chat(models / "endless", " /halp me\n", "--json", *SIX))
    assert record["prompt"] == "/halp me"


def test_lines_in_whatever_encoding(chat, models):
    lines = b"\xef\xbb\xbf\xc3\xa9t\xc3\xa9\r\n\xe9t\xe9 \x93oui\x94\na\0b\x1b[A\n"
    records = records_of(chat(models / "endless", lines, "--json", *SIX))
    assert [record["prompt"] for record in records] == ["été", "été “oui”", "ab\x1b[A"]


def test_a_chat_without_stdin(models, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert run_script(generate.main, "--model_path", models / "endless", "--chat") == 1
    assert_one_error(capsys.readouterr().err, "stdin is closed")


def test_a_process_behind_a_pipe(models):
    command = [sys.executable, "generate.py", "--model_path", models / "ending", "--chat"]
    done = subprocess.run(command, cwd=ROOT, input="Hi\n/quit\n", capture_output=True, text=True, timeout=PATIENCE)
    answer = answer_to(models / "ending", said("Hi"), max_new_tokens=256)
    assert (done.returncode, done.stdout, done.stderr) == (0, answer + "\n", "")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_process_behind_a_pipe_ends_at_ctrl_c_within_an_answer(models, engine):
    command = [sys.executable, "generate.py", "--model_path", models / "endless", "--chat", "--engine", engine]
    command += ["--max_new_tokens", "7000"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        process.stdin.write(b"Hi\n")
        process.stdin.flush()
        beginning = process.stdout.read(20)  # it streams: the answer itself would take far longer
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert 20 <= len(beginning + rest) < 7000
    assert b"Traceback" not in err


# On a terminal


class Terminal:
    """generate.py --chat on a terminal of its own: its stdin and stdout; stderr goes to a file."""

    def __init__(self, folder: Path, *arguments: object, stdout_too: bool = True):
        self.master, slave = os.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[3] |= termios.NOFLSH  # at Ctrl-C a terminal drops what was written and is not read yet
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.errors = folder / "stderr.txt"
        self.output = folder / "stdout.txt"
        self.shown = ""
        # A read may end in the middle of a character, or between the two characters of a line end.
        self.decode = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(), translate=True).decode
        command = [sys.executable, "-c", ON_TERMINAL, sys.executable, "generate.py", "--chat", *map(str, arguments)]
        environment = {**os.environ, "TERM": "dumb", "INPUTRC": os.devnull, "PYTHONUTF8": "1"}
        with self.errors.open("wb") as errors, self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=slave,
                stdout=slave if stdout_too else output,
                stderr=errors,
                start_new_session=True,
            )
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def type(self, keys: str | bytes) -> None:
        os.write(self.master, keys if isinstance(keys, bytes) else keys.encode())

    def expect(self, pattern: str) -> str:
        """Read until what is new on the screen matches; return all until there, and forget it."""
        until = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.shown)):
            ready, _, _ = select.select([self.master], [], [], max(0, until - time.monotonic()))
            assert ready, f"{pattern!r} did not come: {self.shown[-500:]!r}; {self.errors.read_text('utf-8')}"
            self.shown += self.decode(os.read(self.master, 4096))
        before, self.shown = self.shown[: match.end()], self.shown[match.end() :]
        return before

    def expect_note(self, note: str, press: str = "") -> None:
        """Wait until stderr holds it. The key is pressed again and again: Python's readline misses a Ctrl-C that comes
        between its reading a key and its waiting for the next one."""
        until = time.monotonic() + PATIENCE
        while note not in self.errors.read_text("utf-8"):
            assert time.monotonic() < until, self.errors.read_text("utf-8")
            self.type(press)
            time.sleep(0.5 if press else 0.05)

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_chat_on_a_terminal(models, tmp_path, engine):
    path = tmp_path / "chat.jsonl"
    flags = ("--max_new_tokens", 7000, "--engine", engine)
    with Terminal(tmp_path, "--model_path", models / "endless", *flags) as terminal:
        terminal.expect("> ")
        assert "/help" in terminal.errors.read_text("utf-8")

        terminal.type("half a line")
        terminal.expect("half a line")
        terminal.expect_note("\n(/quit or Ctrl-D ends the chat)", press="\x03")
        terminal.expect("> $")

        terminal.type("caf\xe9?\n")
        terminal.expect("café\\?\n")
        beginning = terminal.expect("[a-z]{20}")  # it streams: the answer itself would take far longer
        terminal.type("\x03")
        terminal.expect_note("(stopped)")
        first = (beginning + terminal.expect("\n> ").removesuffix("\n> ")).replace("^C", "")
        assert 20 <= len(first) < 7000

        terminal.type(b"caf\xe9 latin\n")  # bytes that are not UTF-8 crash nothing
        terminal.expect("[a-z]{20}")
        terminal.type("\x03")
        terminal.expect("\n> ")

        terminal.type(f"/save {path}\n")
        terminal.expect("\n> ")
        terminal.expect_note("(saved to ")
        messages = json.loads(path.read_text("utf-8"))["messages"]
        assert messages[:2] == said("café?", first)
        assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant"]

        terminal.type("/reset\n/save other.jsonl\n")  # pasted: two lines at once
        terminal.expect("\n> ")
        terminal.expect_note("error: there is nothing to save yet")
        terminal.expect("> $")

        terminal.type("\x04")
        assert terminal.exit_code() == 0
    assert "Traceback" not in terminal.errors.read_text("utf-8")


def test_a_terminal_whose_output_goes_to_a_file(models, tmp_path):
    with Terminal(tmp_path, "--model_path", models / "ending", stdout_too=False) as terminal:
        terminal.type("Hi\n/quit\n")
        assert terminal.exit_code() == 0
        assert terminal.output.read_text("utf-8") == answer_to(models / "ending", said("Hi"), max_new_tokens=256) + "\n"
        assert "> " in terminal.errors.read_text("utf-8")
