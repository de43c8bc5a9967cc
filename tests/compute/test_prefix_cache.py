"""Training from cached hidden states of frozen blocks: the same as without, and no file is left behind."""

import array
import gc
import json
import logging
import math
import resource
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from running import assert_one_error, run_script
from safetensors.torch import load_file
from small_classifiers import ENCODERS, FAMILIES, base_folder, labeled_data, opinions
from small_models import END, MODEL_FILES, WIDTH, processed_data, random_model, tiny_tokenizer, weights_of
from training_runs import SETTINGS, TEXTS, VALIDATION, interrupted, logged, rows_of
from transformers import AutoModelForCausalLM, XLMConfig, XLMWithLMHeadModel

import fine_tune
from utils.compute.batching import collate_texts
from utils.compute.blocks import find_blocks
from utils.compute.prefix_cache import PrefixCache
from utils.errors import UserError
from utils.models import checkpoint
from utils.processed import save_processed
from utils.training.freezing import freeze_classifier_parameters, freeze_parameters
from utils.training.objectives import classification, language_modeling
from utils.training.rows import labeled_rows
from utils.training.train import train

LABELS = ["neg", "pos"]
PADDED = partial(collate_texts, pad_id=END)
ROWS = {"train": rows_of(TEXTS), "validation": rows_of(VALIDATION)}
TOKENS = sum(len(row["input_ids"]) for split in ROWS.values() for row in split)
OPTIONS = {"precision": "fp32", "epochs": 2.0}
NOT_FOR_ONE_EPOCH = "no prefix cache: it does not pay off for one epoch"


@pytest.fixture(scope="module", autouse=True)
def _quick_collections():
    """Trainer collects garbage at every end of a run, which takes longer than these where much is imported."""
    import utils.training.search.search  # noqa: F401

    gc.freeze()
    yield
    gc.unfreeze()


def cache_in(folder: Path, mode: str = "on", gigabytes: float = 8.0, **options) -> PrefixCache:
    return PrefixCache(folder / "model.prefix_cache", mode, gigabytes, options.pop("keep", False), **options)


def frozen(kind: str = "gpt2", unfrozen: int = 1, **options):
    model = random_model(kind, **options)
    freeze_parameters(model, unfrozen, train_head=False)
    model.config.use_cache = False  # as Trainer sets it
    return model


def logits(model, batch) -> torch.Tensor:
    """Of the tokens, not of the padding."""
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    with torch.inference_mode():
        found = model(**inputs).logits
    if found.dim() == 2:
        return found
    return found[inputs["attention_mask"] == 1]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def lines(caplog) -> list[str]:
    """The log's lines on the cache since the last call."""
    found = [record.getMessage() for record in caplog.records if "prefix cache" in record.getMessage()]
    caplog.clear()
    return found


# ---- the split model


def assert_same_logits(model, make_batch, splits, folder):
    whole = {name: logits(model, make_batch(rows)) for name, rows in splits.items()}
    blocks = [block for block in find_blocks(model).blocks if not next(block.parameters()).requires_grad]
    with cache_in(folder).cached_rows(model, make_batch, splits, **OPTIONS) as cached:
        before = weights_of(model)
        for block in blocks:
            for parameter in block.parameters():
                parameter.data.fill_(math.nan)  # nobody looks at them any more
        for name, rows in cached.items():
            assert [row["input_ids"] for row in rows] == [row["input_ids"] for row in splits[name]]
            found = logits(model, make_batch(rows))
            torch.testing.assert_close(found, whole[name], rtol=0, atol=1e-5 * whole[name].abs().max().item())
        for name, parameter in model.named_parameters():
            parameter.data = before[name]
        some = next(iter(splits))
        assert torch.equal(logits(model, make_batch(splits[some])), whole[some])  # without prefixes, it runs whole
    assert torch.equal(logits(model, make_batch(splits[some])), whole[some])
    assert torch.equal(logits(model, make_batch(cached[some])), whole[some])


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt", "gpt_neox"])
@pytest.mark.parametrize("unfrozen", [0, 1, 2])
def test_starting_from_cached_states_gives_the_same_logits(kind, unfrozen, tmp_path):
    assert_same_logits(frozen(kind, unfrozen), PADDED, ROWS, tmp_path)


def classifier(folder, family):
    base = checkpoint.load_base_classifier(base_folder(folder, family), LABELS, seed=0)
    freeze_classifier_parameters(base.model, 1)
    data = labeled_data({"train": opinions(24), "validation": opinions(6, 24)}, LABELS)
    return base, labeled_rows(data, base.tokenizer, 100, ["train", "validation"])


@pytest.mark.parametrize("family", ENCODERS)
def test_an_encoder_that_classifies(family, tmp_path):
    base, rows = classifier(tmp_path / "base", family)
    assert_same_logits(base.model.eval(), classification(base, None).collate, rows, tmp_path)


def test_some_of_the_rows_have_their_own_states_and_others_get_a_file_of_their_own(tmp_path):
    """A run may validate on a part of what its linear probe has cached, and its folds train on parts."""
    model, cache = frozen("llama"), cache_in(tmp_path)
    states = {}
    with cache.cached_rows(model, PADDED, ROWS, **OPTIONS) as cached:
        states |= {bytes(row["input_ids"]): row["cached_states"] for split in cached.values() for row in split}
    part = {"train": ROWS["train"][7:2:-1], "validation": [dict(ROWS["train"][1]), ROWS["validation"][3]]}
    with cache.cached_rows(model, PADDED, part, **OPTIONS) as cached:
        for row in [*cached["train"], *cached["validation"]]:
            assert row["cached_states"].data_ptr() == states[bytes(row["input_ids"])].data_ptr()
            assert torch.equal(row["cached_states"], states[bytes(row["input_ids"])])
    assert_same_logits(model, PADDED, part, tmp_path / "first")
    other = {"train": rows_of(["never seen", "nor this"]), "validation": []}
    whole = logits(model, PADDED(other["train"]))
    with cache.cached_rows(model, PADDED, other, **OPTIONS) as cached:
        torch.testing.assert_close(logits(model, PADDED(cached["train"])), whole, rtol=0, atol=1e-5 * whole.abs().max())


def test_states_are_held_in_bfloat16_where_training_is(tmp_path):
    model = frozen("llama")
    whole = logits(model, PADDED(ROWS["train"]))
    with cache_in(tmp_path).cached_rows(model, PADDED, ROWS, precision="bf16", epochs=2) as cached:
        assert {row["cached_states"].dtype for row in cached["train"]} == {torch.bfloat16}
        found = logits(model, PADDED(cached["train"]))
    assert found.dtype == torch.float32
    error = ((found - whole).norm() / whole.norm()).item()
    assert 1e-4 < error < 0.05


# ---- training


def run(folder, model, cache=None, rows=ROWS, objective=None, resume=False, **changes):
    objective = objective or language_modeling(checkpoint.Trained(model, tiny_tokenizer(), {}), [[END]])
    options = [] if cache is None else [cache]
    settings = replace(SETTINGS, **{"epochs": 3, **changes})
    return train(model, objective, rows["train"], rows["validation"], settings, folder, resume, *options)


def assert_same_training(outcomes, models, start):
    plain, cached = outcomes
    for name in ("loss", "grad_norm"):
        assert logged(cached, name) == pytest.approx(logged(plain, name), rel=1e-4)
    for name in {name for entry in plain.history for name in entry if name.startswith("eval_")}:
        assert logged(cached, name) == pytest.approx(logged(plain, name), rel=1e-4, abs=1e-6)
    samples = [[entry["samples"] for entry in outcome.history if "samples" in entry] for outcome in outcomes]
    assert samples[0] == samples[1]
    wanted, found = map(weights_of, models)
    for name, weight in wanted.items():
        moved = (weight - start[name]).norm()
        # Adam makes steps of the rounding errors of a gradient that is nothing, as that of the keys' biases.
        if name.endswith(("key.bias", "k_lin.bias")):
            continue
        tolerance = 0.2 if name.endswith("c_attn.bias") else 1e-2
        assert (found[name] - weight).norm() <= tolerance * moved, name


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("gpt2", {}),
        ("gpt2", {"gradient_accumulation_steps": 2, "activation_checkpointing": True}),
        ("llama", {}),
    ],
)
def test_the_loss_falls_as_it_does_without(kind, changes, tmp_path, caplog):
    """GPT-2 drops out: at random, but the same, since what is frozen drops nothing out both ways."""
    caplog.set_level(logging.INFO)
    models, outcomes = [frozen(kind), frozen(kind)], []
    for name, model, cache in (("plain", models[0], None), ("cached", models[1], cache_in(tmp_path, "auto"))):
        outcomes.append(run(tmp_path / name, model, cache, **changes))
    assert_same_training(outcomes, models, weights_of(frozen(kind)))
    [line] = lines(caplog)
    assert line.startswith("prefix cache: 2 frozen blocks ran once over 16 texts in ")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_learns_as_it_does_without(family, tmp_path):
    models, outcomes = [], []
    for name in ("plain", "cached"):
        base, rows = classifier(tmp_path / f"base {name}", family)
        models.append(base.model)
        cache = cache_in(tmp_path) if name == "cached" else None
        outcomes.append(run(tmp_path / name, base.model, cache, rows, classification(base, None)))
    base, _ = classifier(tmp_path / "base", family)
    assert_same_training(outcomes, models, weights_of(base.model))


@pytest.mark.parametrize("cached", [(True, True), (True, False), (False, True)])
def test_an_interrupted_run_continues_with_and_without(cached, tmp_path):
    """12 texts in batches of 4 are 3 steps an epoch."""
    whole, halves = frozen(), frozen()
    expected = run(tmp_path / "whole", whole)
    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        run(state, interrupted(frozen(), 5), cache_in(tmp_path) if cached[0] else None)
    outcome = run(state, halves, cache_in(tmp_path) if cached[1] else None, resume=True)
    assert_same_training((expected, outcome), (whole, halves), weights_of(frozen()))
    assert outcome.steps == expected.steps


# ---- when there is one


def odd_model():
    """Its modules of a block are each in a list of their own."""
    torch.manual_seed(0)
    shape = {"vocab_size": END + 1, "emb_dim": 16, "n_layers": 3, "n_heads": 2, "pad_index": END}
    model = XLMWithLMHeadModel(XLMConfig(**shape, causal=True))
    freeze_parameters(model, 1, train_head=False)
    return model


@pytest.mark.parametrize(
    ("model", "gigabytes", "reason"),
    [
        (odd_model, 8, "cached activations change the output of this model"),
        (
            frozen,
            TOKENS * 16 * 4 / 1e9 - 1e-9,
            "the hidden states would take 0.0 MB, and --prefix_cache_gb is",
        ),
    ],
)
def test_where_it_cannot_be_training_continues_without_or_says_so(model, gigabytes, reason, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with cache_in(tmp_path, "auto", gigabytes).cached_rows(model(), PADDED, ROWS, **OPTIONS) as rows:
        assert rows is ROWS
    [line] = lines(caplog)
    assert line.startswith(f"no prefix cache: {reason}")
    with (
        pytest.raises(UserError, match=reason) as caught,
        cache_in(tmp_path, "on", gigabytes).cached_rows(model(), PADDED, ROWS, **OPTIONS),
    ):
        pass
    assert "--prefix_cache on" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_just_the_size_fits_and_all_of_them_together_must(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    cache = cache_in(tmp_path, "auto", TOKENS * 16 * 4 / 1e9)
    for unfrozen, has in ((1, True), (2, False), (1, True)):
        with cache.cached_rows(frozen(unfrozen=unfrozen), PADDED, ROWS, **OPTIONS) as rows:
            assert ("cached_states" in rows["train"][0]) is has
    said = lines(caplog)
    assert [line.partition("prefix cache")[0] for line in said] == ["", "no "]


@pytest.mark.parametrize(
    ("changes", "pays"),
    [
        ({"epochs": 1}, False),
        ({"epochs": 1.5}, True),
        ({"epochs": 1, "max_steps": 4}, True),
        ({"epochs": 9, "max_steps": 3}, False),
        ({"epochs": 1, "max_steps": 2, "gradient_accumulation_steps": 2}, True),
    ],
)
def test_one_epoch_does_not_pay(changes, pays, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run(tmp_path / "state", frozen(), cache_in(tmp_path, "auto"), {**ROWS, "validation": []}, **changes)
    [line] = lines(caplog)
    assert line.startswith("prefix cache: 2 frozen blocks" if pays else NOT_FOR_ONE_EPOCH)


def test_a_run_that_continues_takes_the_cache_it_began_with(tmp_path, caplog):
    """Also where only one epoch is left, which would not pay off: weights differ in their last digits without it."""
    caplog.set_level(logging.INFO)
    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        run(state, interrupted(frozen(), 6), cache_in(tmp_path, "auto"))
    run(state, frozen(), cache_in(tmp_path, "auto"), resume=True)
    begun, resumed = (line.partition(" ran once over ")[0] for line in lines(caplog))
    assert begun == resumed == "prefix cache: 2 frozen blocks"


@pytest.mark.parametrize("unfrozen", [3, None])
@pytest.mark.parametrize("mode", ["auto", "off"])
def test_nothing_is_said_where_there_is_nothing_to_do(unfrozen, mode, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with cache_in(tmp_path, mode).cached_rows(frozen(unfrozen=unfrozen), PADDED, ROWS, **OPTIONS) as rows:
        assert rows is ROWS
    with cache_in(tmp_path, "off").cached_rows(frozen(), PADDED, ROWS, **OPTIONS) as rows:
        assert rows is ROWS
    assert lines(caplog) == []


# ---- the file


def test_the_file_has_no_name_while_it_is_used(tmp_path):
    with cache_in(tmp_path).cached_rows(frozen(), PADDED, ROWS, **OPTIONS) as rows:
        assert "cached_states" in rows["train"][0]
        assert list(tmp_path.iterdir()) == []


def failing_after(batches: int, failure):
    """A collate that lets so many batches through."""
    seen = []

    def make_batch(rows):
        seen.append(rows)
        if len(seen) > batches:
            failure()
        return PADDED(rows)

    return make_batch


MANY = {"train": rows_of([f"{number} and some more words" for number in range(200)]), "validation": []}


@pytest.mark.parametrize("keep", [False, True])
def test_ctrl_c_leaves_nothing(keep, tmp_path):
    make_batch = failing_after(5, lambda: signal.raise_signal(signal.SIGINT))  # 3 in the check, then 2 of 3
    cache = cache_in(tmp_path, keep=keep)
    with pytest.raises(KeyboardInterrupt), cache.cached_rows(frozen(), make_batch, MANY, **OPTIONS):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_disk_that_fills_up(mode, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    model, limits = frozen(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, limits[1]))  # of twice that
    try:
        with cache_in(tmp_path, mode).cached_rows(model, PADDED, MANY, **OPTIONS) as rows:
            assert rows is MANY
    except UserError as error:
        assert (mode, error.problem.endswith(".part cannot be written: File too large")) == ("on", True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(lines(caplog)) == (mode == "auto")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_file_that_cannot_be_mapped_is_told(mode, kept, tmp_path, caplog, monkeypatch):
    """With what torch.from_file really raises, where a link leads into a folder that is missing."""
    caplog.set_level(logging.INFO)
    if kept:
        use(tmp_path, frozen(), MANY)
        caplog.clear()
    before, real = sorted(tmp_path.rglob("*")), torch.from_file
    monkeypatch.setattr(torch, "from_file", lambda path, **options: real("/proc/none", **options))
    try:
        with cache_in(tmp_path, mode, keep=kept).cached_rows(frozen(), PADDED, MANY, **OPTIONS) as rows:
            assert rows is MANY
    except UserError as error:
        assert (mode, ": No such file or directory" in error.problem) == ("on", True)
    assert any("cannot be mapped into memory" in line for line in lines(caplog)) == (mode == "auto")
    assert sorted(tmp_path.rglob("*")) == before


def use(folder, model, rows=ROWS, keep=True, **options):
    """The states of the first training text."""
    with cache_in(folder, keep=keep).cached_rows(model, PADDED, rows, **OPTIONS | options) as cached:
        return cached["train"][0]["cached_states"].clone()


def test_a_kept_file_serves_the_same_data_base_and_depth_alone(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    folder = tmp_path / "model.prefix_cache"
    first = use(tmp_path, frozen())
    assert lines(caplog)[0].startswith("prefix cache: 2 frozen blocks ran once")
    [file] = folder.iterdir()
    assert file.stat().st_size == TOKENS * 16 * 4
    for keep in (True, False):
        again = frozen()
        again.transformer.h[2].mlp.c_fc.weight.data += 1  # the trained weights may differ, as in a run that continues
        assert torch.equal(use(tmp_path, again, keep=keep), first)
        assert lines(caplog) == [f"prefix cache: {file} has the hidden states of 2 blocks from a past run"]
        assert [*folder.iterdir()] == [file]

    other = frozen()
    other.transformer.h[0].mlp.c_fc.weight.data[0, 0] += 1
    text = {**ROWS["train"][0], "input_ids": array.array("I", [*ROWS["train"][0]["input_ids"][:-2], 7, END])}
    for model, rows, options in (
        (other, ROWS, {}),
        (frozen(unfrozen=2), ROWS, {}),
        (frozen(layer_norm_epsilon=1e-3), ROWS, {}),
        (frozen(), {**ROWS, "train": [text, *ROWS["train"][1:]]}, {}),
        (frozen(), ROWS, {"precision": "bf16"}),
    ):
        use(tmp_path, model, rows, keep=False, **options)
        assert " ran once over 16 texts" in lines(caplog)[0]
        assert [*folder.iterdir()] == [file]


def test_a_file_that_is_cut_short_is_computed_again(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    first = use(tmp_path, frozen())
    [file] = (tmp_path / "model.prefix_cache").iterdir()
    file.write_bytes(file.read_bytes()[:-4])
    (file.parent / "1-0123456789abcdef.part").write_bytes(b"half")
    theirs = file.parent / "thesis.part"
    theirs.write_bytes(b"years of work")
    assert torch.equal(use(tmp_path, frozen()), first)
    assert [line.startswith("prefix cache: 2 frozen blocks ran once") for line in lines(caplog)] == [True, True]
    assert {*file.parent.iterdir()} == {file, theirs}


# ---- fine_tune.py


@pytest.fixture
def call(tmp_path, capsys):
    """Run fine_tune.py on a model of three blocks: (exit code, stdout, stderr)."""
    random_model("llama").save_pretrained(tmp_path / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    save_processed(tmp_path / "data.pkl", processed_data(train=TEXTS, validation=VALIDATION))

    def calling(*words, output="model"):
        shared = ["--data", tmp_path / "data.pkl", "--model", tmp_path / "base", "--output_path", tmp_path / output]
        capsys.readouterr()
        code = run_script(fine_tune.main, *shared, "--precision", "fp32", "--device", "cpu", "--batch_size", 4, *words)
        return code, *capsys.readouterr()

    return calling


def test_the_saved_model_is_whole_and_the_same(call, tmp_path):
    words = ["--unfreeze_last", 1, "--epochs", 2]
    found = {}
    for mode in ("auto", "off"):
        code, out, err = call(*words, "--prefix_cache", mode, output=mode)
        assert (code, out) == (0, f"{tmp_path / mode}\n"), err
        assert ("prefix cache: 2 frozen blocks ran once over 16 texts" in err) is (mode == "auto")
        found[mode] = load_file(tmp_path / mode / "model.safetensors")
        record = json.loads((tmp_path / mode / "run.json").read_text(encoding="utf-8"))["prefix_cache"]
        assert record == ({"blocks": 2, "bytes": TOKENS * WIDTH["hidden_size"] * 4} if mode == "auto" else None)
    assert names_in(tmp_path) == {"base", "data.pkl", "auto", "off"}
    assert names_in(tmp_path / "auto") == MODEL_FILES
    assert found["auto"].keys() == found["off"].keys()
    for name, weight in found["off"].items():
        torch.testing.assert_close(found["auto"][name], weight, rtol=1e-4, atol=1e-5)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "auto")
    assert torch.equal(
        model.state_dict()["model.layers.2.mlp.up_proj.weight"], found["auto"]["model.layers.2.mlp.up_proj.weight"]
    )
    assert model(torch.tensor([[END, 1, 2]])).logits.isfinite().all()


def test_a_kept_file_lies_beside_the_run(call, tmp_path):
    words = ["--unfreeze_last", 1, "--epochs", 2, "--keep_prefix_cache", "--overwrite"]
    assert "prefix cache: 2 frozen blocks ran once" in call(*words)[2]
    [file] = (tmp_path / "model.prefix_cache").iterdir()
    assert f"prefix cache: {file} has the hidden states of 2 blocks" in call(*words, "--lr", 1e-3)[2]


def test_the_probe_of_a_classifier_and_its_training_share_a_pass(call, tmp_path):
    data = labeled_data({"train": opinions(24), "validation": opinions(6, 24)}, LABELS)
    save_processed(tmp_path / "data.pkl", data)
    words = ["--unfreeze_last", 1, "--max_steps", 2, "--lr", 1e-3, "--logging_steps", 1]
    runs = []
    for mode in ("auto", "off"):
        code, _, err = call(*words, "--prefix_cache", mode, output=mode)
        assert code == 0, err
        said = [line for line in err.splitlines() if "prefix cache" in line or "linear probe: accuracy" in line]
        assert [line.split(" ")[0] for line in said] == ["prefix"] * (mode == "auto") + ["the"], err
        log_lines = (tmp_path / mode / "log.jsonl").read_text().splitlines()
        runs.append([entry["loss"] for entry in map(json.loads, log_lines) if "loss" in entry])
    assert runs[0] == pytest.approx(runs[1], rel=1e-4)
    assert len(runs[0]) == 2
    assert names_in(tmp_path) == {"base", "data.pkl", "auto", "off"}


def test_a_run_that_fails_leaves_nothing(call, tmp_path):
    code, _, err = call("--unfreeze_last", 1, "--epochs", 3, "--lr", 1e30)
    assert (code, "prefix cache: 2 frozen blocks ran once" in err, "the loss became nan" in err) == (1, True, True)
    assert names_in(tmp_path) == {"base", "data.pkl"}


def test_all_trials_of_one_depth_share_a_file_with_the_training_after_them(call, tmp_path):
    words = ["--search", 4, "--max_steps", 3, "--lr", 1e-3, "--weight_decay", 0, "--seed", 1]
    tables = []
    for words_of_mode in (["--prefix_cache", "off"], ["--keep_prefix_cache"]):
        code, _, err = call(*words, *words_of_mode)
        assert code == 0, err
        table = [line.split(",") for line in (tmp_path / "model" / "search.csv").read_text().splitlines()]
        assert table[0] == ["number", "state", "unfreeze_last", "bits_per_byte", "seconds"]
        assert [row[2] for row in table[1:]] == ["all", "2", "1", "2"]
        tables.append([float(row[3]) for row in table[1:]])
        words.append("--overwrite")
    assert tables[0] == pytest.approx(tables[1], rel=1e-5)
    said = [line.split(" over ")[0] for line in err.splitlines() if "prefix cache" in line]
    assert said == ["prefix cache: 1 frozen blocks ran once", "prefix cache: 2 frozen blocks ran once"]
    assert {name.partition("-")[0] for name in names_in(tmp_path / "model.prefix_cache")} == {"1", "2"}


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["--prefix_cache", "on"], 2, "--prefix_cache on, but all blocks train"),
        (["--prefix_cache", "on", "--unfreeze_last", 3], 1, "--prefix_cache on, but no block is frozen"),
        (["--prefix_cache", "off", "--keep_prefix_cache"], 2, "--keep_prefix_cache"),
        (["--prefix_cache", "on", "--unfreeze_last", 1, "--prefix_cache_gb", 1e-6], 1, "--prefix_cache_gb is 1e-06"),
        (["--prefix_cache_gb", 0], 2, "--prefix_cache_gb"),
    ],
)
def test_flags_that_cannot_be_met(call, tmp_path, words, code, problem):
    found, out, err = call("--epochs", 2, *words)
    assert (found, out) == (code, "")
    assert_one_error(err, problem)
    assert names_in(tmp_path) == {"base", "data.pkl"}
