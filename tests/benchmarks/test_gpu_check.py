"""make gpu-check without a GPU: its table, exit codes, time limits and failures, and its fastest checks on the CPU."""

import json
import re
import time

import pytest
import torch
from running import assert_one_error, run_script

from benchmarks.gpu_check import run, training, using
from benchmarks.gpu_check.checks import CHECKS, Check
from benchmarks.gpu_check.commands import FailedError, Shell
from benchmarks.gpu_check.material import AT_ONCE, MAKERS, Workplace, make_all
from benchmarks.gpu_check.report import FAILED, LEFT_OUT, PASSED
from benchmarks.speed.measure import words


def shell(seconds: float = 120.0, **options) -> Shell:
    return Shell(time.monotonic() + seconds, **options)


@pytest.fixture
def work(tmp_path) -> Workplace:
    return Workplace(shell(), "cpu", tmp_path)


def python(program: str) -> tuple[str, ...]:
    return words("-c", program)


def fails(work: Workplace) -> str:
    work.shell.run(python("import sys; print('no such kernel', file=sys.stderr); sys.exit(3)"))


@pytest.fixture
def some_checks(monkeypatch, tmp_path):
    """Two checks that pass and fail, and one that a CPU leaves out, in a folder of their own."""
    checks = {"fine": Check(lambda work: "as it should be"), "broken": Check(fails), "cuda": Check(fails, "no GPU")}
    monkeypatch.setattr(run, "CHECKS", checks)
    monkeypatch.setattr(run, "FOLDER", tmp_path / "work")


def test_each_check_has_a_line_and_a_failure_its_command(some_checks, tmp_path, capsys):
    page = tmp_path / "page.md"
    assert run_script(run.main, "--device", "cpu", "--page", page) == 1
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"CPU .*PyTorch", lines[0])
    assert re.fullmatch(r"fine    passed      0\.0 s  as it should be", lines[1])
    assert re.fullmatch(r"broken  FAILED    +\d+\.\d s  exit code 3, not 0", lines[2])
    assert lines[3].startswith("    $ python -c ")
    assert lines[4] == "    no such kernel"
    assert re.fullmatch(r"cuda    left out    0\.0 s  no GPU", lines[5])
    assert re.fullmatch(r"1 passed, 1 failed, 1 left out, in \d s", lines[6])
    written = page.read_text(encoding="utf-8")
    assert "| fine | passed | 0.0 | as it should be |" in written
    assert "## broken" in written and "no such kernel" in written
    assert (tmp_path / "work").is_dir()  # what the command needs


def test_where_nothing_fails_nothing_is_left(some_checks, tmp_path, capsys):
    assert run_script(run.main, "--device", "cpu", "--only", "fine", "cuda") == 0
    assert "1 passed, 1 left out" in capsys.readouterr().out
    assert not (tmp_path / "work").exists()


def test_a_check_whose_package_is_not_installed_is_left_out(work):
    [result] = run.run_checks(work, {"adapters": Check(fails, package="no_such_package")})
    assert (result.outcome, result.found) == (LEFT_OUT, "no_such_package is not installed")


@pytest.mark.parametrize(("built", "why"), [("13.0", "PyTorch sees none"), (None, "built without CUDA")])
def test_without_a_gpu_it_is_two_lines(built, why, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built)
    assert run_script(run.main) == 2
    captured = capsys.readouterr()
    assert "--device cpu" in assert_one_error(captured.err, "CUDA GPU", why)
    assert captured.out == ""


def test_a_command_that_hangs_ends_with_all_it_started():
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, file=sys.stderr, flush=True); time.sleep(60)"
    )
    with pytest.raises(FailedError, match="it had not ended after") as caught:
        shell(longest=1.5).run(python(program))
    child = int(str(caught.value).splitlines()[-1])
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(number: int) -> bool:
    """Return whether the process is there, and no zombie that nobody has waited for."""
    try:
        with open(f"/proc/{number}/stat", encoding="ascii") as file:  # noqa: PTH123 - no file of ours
            return file.read().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_no_command_begins_when_the_time_is_over():
    with pytest.raises(FailedError, match=r"no time was left for it\n\$ python -c pass"):
        shell(-1).run(python("pass"))


def test_a_command_gets_what_is_piped_in_and_ctrl_c_at_a_line():
    assert shell().run(python("print(input())"), stdin="typed\n").out == "typed\n"
    program = (
        "import sys, time\n"
        "try:\n    print('step 3/9', file=sys.stderr, flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    sys.exit(130)"
    )
    assert shell().run(python(program), interrupt_at="step 3/", code=130).seconds < 50


def test_two_commands_run_together_and_the_first_failure_counts():
    began = time.monotonic()
    waiting = python("import time; time.sleep(1); print(input())")
    assert [done.out for done in shell().run_together([waiting, waiting], stdin="typed")] == ["typed\n"] * 2
    assert time.monotonic() - began < 30
    with pytest.raises(FailedError, match="exit code 4, not 0"):
        shell().run_together([waiting, python("exit(4)")], stdin="typed")


def test_material_that_cannot_be_made_is_tried_once(work, monkeypatch):
    tried = []

    def maker(work, path):
        tried.append(path)
        raise FailedError("it failed")

    monkeypatch.setitem(MAKERS, "writer", maker)
    with pytest.raises(FailedError, match="it failed"):
        work.made("writer")
    with pytest.raises(FailedError, match="writer is needed, which another check could not make"):
        work.made("writer")
    assert len(tried) == 1


def test_everything_is_made_after_the_things_it_needs(work, monkeypatch):
    assert sorted(name for names in AT_ONCE for name in names) == sorted(MAKERS)
    made = []

    def maker(work, path):
        if path.name == "writer":
            assert "tweets.pkl" in made
        made.append(path.name)

    for name in MAKERS:
        monkeypatch.setitem(MAKERS, name, maker)
    make_all(work)
    assert sorted(made) == sorted(MAKERS)


def written(folder, losses: list[float]) -> None:
    folder.mkdir()
    lines = [json.dumps({"step": step, "loss": loss}) + "\n" for step, loss in enumerate(losses, start=1)]
    (folder / "log.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "run.json").write_text('{"precision": "fp32", "device": "cpu"}', encoding="utf-8")


FALLING = [4 - step / 30 for step in range(50)]


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        (FALLING, "loss 3.850 to 2.517"),
        (FALLING[::-1], "the loss went from 2.517 to 3.850"),
        ([*FALLING[:-1], float("inf")], "a loss is not finite"),
        (FALLING[:-1], "49 losses were logged"),
    ],
)
def test_a_training_is_judged_by_its_log(losses, found, work):
    written(work.path("writer"), losses)
    work._made["writer"] = work.path("writer")
    [result] = run.run_checks(work, {"training": Check(training.float32)})
    assert (result.outcome, result.found) == (PASSED if losses is FALLING else FAILED, found)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [("the same text as on the CPU", PASSED), ("the same text as on the GPU", PASSED), ("the other", FAILED)],
)
def test_texts_may_differ_late(found, outcome, work, monkeypatch):
    of_cpu = [{"text": "the same text as on the CPU"} for _ in using.PROMPTS]
    monkeypatch.setattr(using, "_on_both", lambda *_, **__: [[{"text": found}, *of_cpu[1:]], of_cpu])
    work._made["writer"] = work.path("writer")
    [result] = run.run_checks(work, {"generation": Check(using.generation)})
    assert result.outcome == outcome
    assert ("8 of 8 texts" in result.found) == (found == of_cpu[0]["text"])


def test_the_fastest_checks_pass_on_the_cpu(work, capsys):
    names = ("training in float16", "dry run")
    results = run.run_checks(work, {name: CHECKS[name] for name in names})
    assert [each.outcome for each in results] == [LEFT_OUT, PASSED], capsys.readouterr().out
