"""Training against plain PyTorch: the loss, the steps, the validation, the kept weights, and resuming."""

import math
import shutil
import signal
from pathlib import Path

import pytest
import torch
from small_models import changed, random_model, tiny_tokenizer, weights_of
from training_runs import TEXTS, VALIDATION, interrupted, logged, rows_of, run_training

from utils.inference.generation import generate_texts
from utils.inference.sampling import Sampling
from utils.training.freezing import freeze_parameters
from utils.training.state import resumable_trainer


def plain_loss(model, rows) -> torch.Tensor:
    """Return the nats per token over all texts, from the logits; each text is a batch of its own, without padding."""
    losses = []
    for row in rows:
        ids = torch.tensor([list(row["input_ids"])])
        log_probabilities = model(ids).logits[0, :-1].log_softmax(-1)
        losses.append(-log_probabilities.gather(1, ids[0, 1:, None])[row["loss_start"] - 1 :])
    return torch.cat(losses).mean()


def plain_bits_per_byte(model, texts) -> float:
    with torch.inference_mode():
        rows = rows_of(texts)
        tokens = sum(len(row["input_ids"]) - 1 for row in rows)
        nats = plain_loss(model.double(), rows).item() * tokens
    model.float()
    return nats / math.log(2) / sum(len(text.encode()) for text in texts)


def evaluations(outcome):
    return [(entry["step"], entry["eval_bits_per_byte"]) for entry in outcome.history if "eval_loss" in entry]


# ---- the steps


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("batches", [{"batch_size": 12}, {"gradient_accumulation_steps": 3}])
def test_steps_are_those_of_plain_pytorch(kind, batches, tmp_path):
    """AdamW with decay on matrices only, clipping, and a rate that falls to zero; padding has no effect."""
    no_dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0} if kind == "gpt2" else {}
    model, expected = random_model(kind, **no_dropout), random_model(kind, **no_dropout)
    rows = rows_of(TEXTS)
    outcome = run_training(model, rows, [], tmp_path, epochs=3, weight_decay=0.1, max_grad_norm=0.5, **batches)

    matrices = [parameter for parameter in expected.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in expected.parameters() if parameter.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}])
    losses, norms = [], []
    for step in range(3):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * (1 - step / 3)
        loss = plain_loss(expected, rows)
        loss.backward()
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(expected.parameters(), 0.5).item())
        optimizer.step()
        optimizer.zero_grad()

    assert logged(outcome, "loss") == pytest.approx(losses, rel=1e-5)
    assert logged(outcome, "grad_norm") == pytest.approx(norms, rel=1e-4)
    assert logged(outcome, "learning_rate") == pytest.approx([0.01, 0.02 / 3, 0.01 / 3])
    before, found, wanted = weights_of(random_model(kind, **no_dropout)), weights_of(model), weights_of(expected)
    assert changed(before, wanted) == set(before)
    for name in wanted:
        # The loss does not depend on the keys' biases, and Adam makes steps of the rounding errors of their gradients.
        tolerance = 0.05 if name.endswith("c_attn.bias") else 1e-3
        error, moved = (found[name] - wanted[name]).norm(), (wanted[name] - before[name]).norm()
        assert error <= tolerance * moved, name


def test_accumulated_batches_are_one_large_batch(tmp_path):
    models = [random_model("llama"), random_model("llama")]
    large = run_training(models[0], rows_of(TEXTS), [], tmp_path / "large", epochs=2)
    changes = {"batch_size": 1, "gradient_accumulation_steps": 4}
    small = run_training(models[1], rows_of(TEXTS), [], tmp_path / "small", epochs=2, **changes)
    assert large.steps == small.steps == 6
    assert logged(small, "loss") == pytest.approx(logged(large, "loss"), rel=1e-5)
    assert logged(small, "grad_norm") == pytest.approx(logged(large, "grad_norm"), rel=1e-4)
    before = weights_of(random_model("llama"))
    for name, weight in weights_of(models[1]).items():
        wanted = weights_of(models[0])[name]
        assert (weight - wanted).norm() <= 1e-3 * (wanted - before[name]).norm(), name


@pytest.mark.parametrize("unfrozen", [None, 1])
def test_activation_checkpointing_changes_no_loss(unfrozen, tmp_path):
    models = [random_model("llama"), random_model("llama")]
    for model in models:
        freeze_parameters(model, unfrozen, train_head=False)
    plain = run_training(models[0], rows_of(TEXTS), [], tmp_path / "plain")
    saving = run_training(models[1], rows_of(TEXTS), [], tmp_path / "saving", activation_checkpointing=True)
    assert models[1].is_activation_checkpointing
    embedded = models[1].get_input_embeddings()(torch.tensor([[1]]))
    assert embedded.requires_grad == (unfrozen is None)  # or frozen blocks would keep their activations for it
    assert logged(saving, "loss") == pytest.approx(logged(plain, "loss"), rel=1e-6)


def test_the_rate_warms_up_and_falls(tmp_path):
    rates = logged(
        run_training(random_model("llama"), rows_of(TEXTS), [], tmp_path, max_steps=10, warmup_steps=0.2),
        "learning_rate",
    )
    assert rates == pytest.approx([0, 0.005, *(0.01 * (10 - step) / 8 for step in range(2, 10))])


@pytest.mark.parametrize(
    ("max_steps", "warmup_steps", "expected"),
    [
        (1, 0.06, [1]),
        (2, 0.06, [1, 1 / 2]),
        (3, 0.06, [1, 2 / 3, 1 / 3]),
        (1, 100, [1]),
        (2, 100, [0, 1]),
        (3, 5, [0, 1 / 2, 1]),
        (20, 0.06, [0, 1 / 2, *((20 - step) / 18 for step in range(2, 20))]),
    ],
    ids=["one", "two", "three", "one-long", "two-long", "three-long", "twenty"],
)
@pytest.mark.parametrize("accumulated", [1, 2])
def test_short_runs_train(max_steps, warmup_steps, expected, accumulated, tmp_path):
    changes = {"warmup_steps": warmup_steps, "batch_size": 2, "gradient_accumulation_steps": accumulated}
    model = random_model("llama")
    outcome = run_training(model, rows_of(TEXTS), [], tmp_path, max_steps=max_steps, **changes)
    assert logged(outcome, "learning_rate") == pytest.approx([0.01 * rate for rate in expected])
    assert changed(weights_of(random_model("llama")), weights_of(model))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("train_head", [False, True])
def test_frozen_weights_stay_bit_identical(precision, train_head, tmp_path):
    model = random_model("gpt2")
    freeze_parameters(model, 1, train_head)
    before = weights_of(model)
    trains = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    run_training(model, rows_of(TEXTS), rows_of(VALIDATION), tmp_path, precision=precision)
    after = weights_of(model)
    assert changed(before, after) == trains
    assert {weight.dtype for weight in after.values()} == {torch.float32}


def test_frozen_blocks_train_without_dropout(tmp_path):
    model = random_model("gpt2")
    freeze_parameters(model, 1, train_head=False)
    dropouts = {"transformer.drop": False, "transformer.h.0.resid_dropout": False}
    seen = set()

    def note(module, inputs):
        if torch.is_grad_enabled():  # a step, not an evaluation
            seen.update(
                (name, part.training) for name, part in model.named_modules() if "dropout" in name or "drop" in name
            )

    model.register_forward_pre_hook(note)
    run_training(model, rows_of(TEXTS), rows_of(VALIDATION), tmp_path, epochs=2)
    assert seen
    assert {name for name, training in seen if training} == {
        name for name, _ in seen if name.startswith("transformer.h.2.")
    }
    assert dropouts.items() - seen == {("transformer.h.0.resid_dropout", False)}
    assert not model.training


def test_the_end_of_text_is_learned(tmp_path):
    texts = ["a cat", "But why?", "Coffee ☕", "dogs, dogs"]
    model = random_model("gpt2", initializer_range=0.02, n_embd=32, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    run_training(model, rows_of(texts), [], tmp_path, max_steps=60, learning_rate=0.02, logging_steps=60)
    sampling = Sampling(do_sample=False, max_new_tokens=40)
    written = generate_texts(model, tiny_tokenizer(), [text[0] for text in texts], sampling)
    assert [text[0] + written[number][0].text for number, text in enumerate(texts)] == texts
    assert all(text.finished for [text] in written)
    # From the start token alone it writes one of them.
    assert generate_texts(model, tiny_tokenizer(), [""], sampling)[0][0].text in texts


# ---- the validation


def test_validation_is_the_total_over_the_split(tmp_path):
    """It is not a mean of batch means, and bytes are not characters or tokens."""
    model = random_model("llama")
    expected = plain_bits_per_byte(model, VALIDATION)
    outcome = run_training(model, rows_of(TEXTS), rows_of(VALIDATION), tmp_path, batch_size=3)
    assert outcome.before == pytest.approx(expected, rel=1e-6)
    assert outcome.after == pytest.approx(plain_bits_per_byte(model, VALIDATION), rel=1e-6)
    [first, last] = [entry for entry in outcome.history if "eval_loss" in entry]
    tokens = sum(len(row["input_ids"]) - 1 for row in rows_of(VALIDATION))
    size = sum(len(text.encode()) for text in VALIDATION)
    assert first["eval_loss"] == pytest.approx(expected * math.log(2) * size / tokens, rel=1e-6)
    assert last["eval_bits_per_byte"] == outcome.after


def test_a_truncated_text_counts_its_remaining_bytes(tmp_path):
    cut = rows_of(["ça va très bien"], max_length=10)  # the start token and nine bytes: "ça va tr", half of "è" gone
    assert cut[0]["bytes"] == len("ça va tr".encode())
    outcome = run_training(random_model("llama"), rows_of(TEXTS), cut, tmp_path)
    with torch.inference_mode():
        nats = plain_loss(random_model("llama"), cut).item() * 9
    assert outcome.before == pytest.approx(nats / math.log(2) / 9, rel=1e-5)


def overfit(model, state_folder, **changes):
    """Run a training whose validation first improves and then gets worse and worse, since its texts differ."""
    changes = {"epochs": 12, "learning_rate": 0.02, **changes}
    return run_training(model, rows_of(TEXTS), rows_of(VALIDATION), state_folder, **changes)


def fresh_model():
    return random_model("gpt2", initializer_range=0.02, n_embd=32)


def test_the_best_model_is_kept(tmp_path):
    model = fresh_model()
    outcome = overfit(model, tmp_path)
    curve = [value for _, value in evaluations(outcome)]
    best = min(curve)
    assert curve.index(best) not in (0, 12)  # else this proves nothing
    assert best < 0.99 * curve[-1]
    assert outcome.after == best
    assert plain_bits_per_byte(model, VALIDATION) == pytest.approx(best, rel=1e-6)


def test_a_run_that_only_gets_worse_reports_the_model_it_keeps(tmp_path):
    """The evaluation of the base model does not count."""
    model = fresh_model()
    overfit(model, tmp_path / "good")
    worse = overfit(model, tmp_path / "bad", epochs=2, learning_rate=0.2)
    assert worse.before < worse.after
    assert plain_bits_per_byte(model, VALIDATION) == pytest.approx(worse.after, rel=1e-6)


def test_early_stopping_ends_a_run_without_improvement(tmp_path):
    model = fresh_model()
    outcome = overfit(model, tmp_path, epochs=40, early_stopping_patience=2)
    curve = [value for _, value in evaluations(outcome)][1:]
    assert len(curve) < 40
    assert len(curve) - 1 - curve.index(min(curve)) == 2
    assert outcome.epochs == len(curve)
    assert plain_bits_per_byte(model, VALIDATION) == pytest.approx(min(curve), rel=1e-6)


def test_without_validation_texts_there_are_no_metrics(tmp_path):
    outcome = run_training(random_model("llama"), rows_of(TEXTS), [], tmp_path, early_stopping_patience=3)
    assert outcome.before is None
    assert outcome.after is None
    assert evaluations(outcome) == []
    assert outcome.steps == 3


def test_save_steps_and_the_number_of_checkpoints(tmp_path):
    outcome = run_training(
        random_model("llama"),
        rows_of(TEXTS),
        rows_of(VALIDATION),
        tmp_path,
        max_steps=7,
        save_steps=2,
        epochs=9,
    )
    assert outcome.steps == 7
    assert [step for step, _ in evaluations(outcome)] == [0, 2, 4, 6, 7]
    states = {path.name for path in tmp_path.iterdir()}
    assert len(states) == 2
    assert "checkpoint-7" in states


# ---- what goes wrong


@pytest.mark.parametrize(
    ("step", "changes"),
    [
        pytest.param(1, {}, id="the first step"),
        pytest.param(5, {}, id="the middle of an epoch"),
        pytest.param(6, {}, id="the end of an epoch"),
        pytest.param(9, {}, id="the last step"),
        pytest.param(4, {"save_steps": 2}, id="a step that is evaluated anyway"),
        pytest.param(5, {"save_steps": 2}, id="a step between evaluations"),
        pytest.param(5, {"gradient_accumulation_steps": 2, "batch_size": 2}, id="accumulated"),
    ],
)
def test_a_resumed_run_equals_an_uninterrupted_one(step, changes, tmp_path):
    def model():
        found = fresh_model()
        freeze_parameters(found, 2, train_head=True)
        return found

    changes = {"epochs": 3, "save_total_limit": 3, **changes}
    whole, halves = model(), model()
    # 12 texts in batches of 4 are 3 steps an epoch.
    expected = overfit(whole, tmp_path / "whole", **changes)
    state = tmp_path / "state"
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        overfit(interrupted(model(), step * changes.get("gradient_accumulation_steps", 1)), state, **changes)
    assert signal.getsignal(signal.SIGINT) is handler
    assert (state / f"checkpoint-{step}").is_dir()
    outcome = overfit(halves, state, resume=True, **changes)
    assert changed(weights_of(whole), weights_of(halves)) == set()
    assert evaluations(outcome) == evaluations(expected)
    assert [entry for entry in outcome.history if "samples" in entry] == [
        entry for entry in expected.history if "samples" in entry
    ]
    assert (outcome.steps, outcome.epochs) == (expected.steps, expected.epochs)
    assert outcome.before == expected.before
    assert outcome.after == expected.after
    assert without_times(outcome.history) == without_times(expected.history)


def without_times(history: list[dict]) -> list[dict]:
    return [
        {name: value for name, value in entry.items() if "runtime" not in name and "per_second" not in name}
        for entry in history
    ]


@pytest.mark.parametrize("logging_steps", [2, 4, 100])
def test_the_losses_before_an_interruption_count_in_the_log(logging_steps, tmp_path):
    changes = {"epochs": 3, "logging_steps": logging_steps}
    expected = overfit(fresh_model(), tmp_path / "whole", **changes)
    with pytest.raises(KeyboardInterrupt):
        overfit(interrupted(fresh_model(), 5), tmp_path / "state", **changes)
    outcome = overfit(fresh_model(), tmp_path / "state", resume=True, **changes)
    assert without_times(outcome.history) == without_times(expected.history)
    assert "train_loss" in outcome.history[-1]


def copy_of_each_state(monkeypatch, folder: Path) -> None:
    """Copy the state folder after each checkpoint, as a kill would leave it, into folder/STEP."""
    seal = resumable_trainer.seal

    def sealing(checkpoint):
        seal(checkpoint)
        shutil.copytree(checkpoint.parent, folder / checkpoint.name.partition("-")[2])

    monkeypatch.setattr(resumable_trainer, "seal", sealing)


@pytest.mark.parametrize(
    "changes",
    [
        {"max_steps": 7, "epochs": 9, "save_steps": 2},
        {"epochs": 40, "early_stopping_patience": 1, "learning_rate": 0.2},
    ],
    ids=["most_steps", "stopped_early"],
)
def test_a_run_that_was_killed_after_its_last_step_takes_no_more(changes, tmp_path, monkeypatch):
    """transformers would take another step before it asks whether the run is to end."""
    with monkeypatch.context() as patch:
        copy_of_each_state(patch, tmp_path / "copies")
        expected = overfit(fresh_model(), tmp_path / "whole", **changes)
    state, model = tmp_path / "copies" / str(expected.steps), fresh_model()
    outcome = overfit(model, state, resume=True, **changes)
    assert outcome.steps == expected.steps
    assert without_times(outcome.history) == without_times(expected.history)
    assert outcome.after == expected.after


def test_a_state_that_was_moved_still_has_its_best_evaluation(tmp_path):
    changes = {"epochs": 6, "learning_rate": 0.2}
    whole, halves = fresh_model(), fresh_model()
    overfit(whole, tmp_path / "whole", **changes)
    with pytest.raises(KeyboardInterrupt):
        overfit(interrupted(fresh_model(), 13), tmp_path / "state", **changes)
    (tmp_path / "state").rename(tmp_path / "moved")
    overfit(halves, tmp_path / "moved", resume=True, **changes)
    assert changed(weights_of(whole), weights_of(halves)) == set()


def test_a_resumed_run_keeps_the_patience_of_early_stopping(tmp_path):
    changes = {"epochs": 40, "early_stopping_patience": 3}
    expected = overfit(fresh_model(), tmp_path / "whole", **changes)
    assert expected.epochs < 40
    with pytest.raises(KeyboardInterrupt):  # in the last of its epochs
        overfit(interrupted(fresh_model(), expected.steps - 1), tmp_path / "state", **changes)
    outcome = overfit(fresh_model(), tmp_path / "state", resume=True, **changes)
    assert evaluations(outcome) == evaluations(expected)


def test_a_run_in_bfloat16_resumes_with_its_frozen_weights(tmp_path):
    model = fresh_model()
    freeze_parameters(model, 1, train_head=False)
    before = weights_of(model)
    trains = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    with pytest.raises(KeyboardInterrupt):
        overfit(interrupted(model, 2), tmp_path, precision="bf16", epochs=2)
    assert changed(before, weights_of(model)) == trains
    overfit(model, tmp_path, resume=True, precision="bf16", epochs=2)
    assert changed(before, weights_of(model)) == trains


def test_a_second_interruption_stops_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        overfit(interrupted(fresh_model(), 2, 3), tmp_path, gradient_accumulation_steps=3)
    assert list(tmp_path.glob("checkpoint-*")) == []


# ---- Ctrl-C within a validation


def interrupting(model, evaluation: int, state: list):
    """Make the model send Ctrl-C in the given evaluation, counted from 1, in its first batch."""

    def count(module, inputs):
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            return  # the training has not begun: its objective tries the model
        if torch.is_grad_enabled():
            state[:] = [False, state[1]]
        elif not state[0]:
            state[:] = [True, state[1] + 1]
            if state[1] == evaluation:
                signal.raise_signal(signal.SIGINT)

    model.register_forward_pre_hook(count)
    return model


@pytest.mark.parametrize("changes", [{}, {"save_steps": 2}], ids=["epochs", "steps"])
@pytest.mark.parametrize("evaluation", [2, 3])
def test_ctrl_c_stops_a_validation_which_the_resumed_run_makes_up_for(evaluation, changes, tmp_path, capfd):
    changes = {"epochs": 3, "save_total_limit": 3, **changes}
    whole, halves = fresh_model(), fresh_model()
    expected = overfit(whole, tmp_path / "whole", **changes)
    steps = [step for step, _ in evaluations(expected)]
    with pytest.raises(KeyboardInterrupt):
        overfit(interrupting(fresh_model(), evaluation, [False, 0]), tmp_path / "state", **changes)
    assert "interrupted: saving without the rest of the validation" in capfd.readouterr().err
    assert (tmp_path / "state" / f"checkpoint-{steps[evaluation - 1]}").is_dir()
    outcome = overfit(halves, tmp_path / "state", resume=True, **changes)
    assert evaluations(outcome) == evaluations(expected)
    assert (outcome.before, outcome.after, outcome.steps) == (expected.before, expected.after, expected.steps)
    assert changed(weights_of(whole), weights_of(halves)) == set()


def test_ctrl_c_in_the_first_validation_leaves_nothing_and_promises_nothing(tmp_path, capfd):
    with pytest.raises(KeyboardInterrupt):
        overfit(interrupting(fresh_model(), 1, [False, 0]), tmp_path)
    assert list(tmp_path.glob("checkpoint-*")) == []
    assert "interrupted: stopping without the rest of the validation" in capfd.readouterr().err


def test_without_a_first_validation_nothing_is_compared_with_it(tmp_path):
    outcome = run_training(fresh_model(), rows_of(TEXTS), rows_of(VALIDATION), tmp_path, eval_on_start="off")
    assert [step for step, _ in evaluations(outcome)] == [3]
    assert (outcome.before, outcome.better) == (None, None)
    assert outcome.after is not None
