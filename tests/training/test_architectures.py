"""Every architecture trains, and is the same when it is opened again, or is refused before it trains."""

from pathlib import Path

import pytest
import torch
from architectures import CHANGED_BY_PADDING, CLASSIFIERS, ONLY_WRITERS, POSITIONS, WRITERS, architecture_folder
from small_classifiers import encoder_tokenizer, labeled_data, opinions
from small_models import processed_data, weights_of
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

from fine_tune import build_parser
from utils.compute.likelihood import score_texts
from utils.compute.prefix_cache import OFF
from utils.errors import UserError
from utils.inference.classifier import classifier_logits
from utils.models import checkpoint, saving
from utils.training.prepare import TrainingSetup, prepare

pytestmark = pytest.mark.usefixtures("_no_progress_bars")
LONG = "a text that is longer than all of these models take, so that it is cut to their length"
FLAGS = ["--seed", "1", "--class_weights", "none", "--batch_size", "2"]
TEXTS = processed_data(train=["a red cat", "the tall tree", LONG], validation=["one more day", LONG])
LABELED = labeled_data(
    {"train": [*opinions(11), (LONG, "pos")], "validation": [*opinions(2, 20), (LONG, "neg")]}, ["neg", "pos"]
)
UNLIMITED = ("bloom", "mamba", "xlnet", "xglm")


def prepared(data, folder: str, unfreeze_last: int | None = None) -> TrainingSetup:
    flags = build_parser().parse_args([*FLAGS, "--unfreeze_last", str(unfreeze_last or "all")])
    setup = prepare(data, folder, flags, "cpu", "fp32", OFF)
    if setup.probe:
        setup.probe.run()
    return setup


def train_a_step(setup: TrainingSetup) -> None:
    """Follow the gradient of the training rows once, as the Trainer does."""
    model = setup.base.model.train()
    inputs = setup.objective.collate(setup.rows["train"])
    before = weights_of(model)
    with setup.objective.forward_context(model, inputs):
        labels = inputs.pop("labels")
        setup.objective.loss(model(**inputs), labels).backward()
    torch.optim.SGD(model.parameters(), lr=0.01).step()
    assert any(not torch.equal(before[name], weight) for name, weight in weights_of(model).items())
    model.eval()


def opened_again(setup: TrainingSetup, run: dict, folder: Path) -> list[checkpoint.Trained]:
    """Return the trained model from a folder and from a file, both with its weights in every bit."""
    opened = []
    for name in ("folder", "file.pt"):
        saving.save(folder / name, checkpoint.Trained(setup.base.model, setup.base.tokenizer, run), "", "")
        opened.append(checkpoint.load(str(folder / name)))
    weights = setup.base.model.state_dict()
    for trained in opened:
        for name, weight in trained.model.state_dict().items():
            assert torch.equal(weights[name], weight), name
    return opened


@pytest.mark.parametrize("name", [*WRITERS, *ONLY_WRITERS])
def test_a_writer_is_saved_as_it_was_trained(name, tmp_path):
    setup = prepared(TEXTS, architecture_folder(tmp_path / "base", name))
    train_a_step(setup)
    assert (max(len(row["input_ids"]) for row in setup.rows["validation"]) == POSITIONS) == (name not in UNLIMITED)
    scores = [score_texts(setup.base.model, setup.rows["validation"]).nll]
    for trained in opened_again(setup, TEXTS.recipe, tmp_path):
        scores.append(score_texts(trained.model, setup.rows["validation"]).nll)
    assert scores[1] == pytest.approx(scores[0], rel=1e-6)
    assert scores[2] == pytest.approx(scores[0], rel=1e-6)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_is_saved_as_it_was_trained(name, tmp_path):
    setup = prepared(LABELED, architecture_folder(tmp_path / "base", name), unfreeze_last=16)
    train_a_step(setup)
    rows = setup.rows["validation"]
    assert (max(len(row["input_ids"]) for row in rows) == POSITIONS) == (name not in UNLIMITED)
    logits = [classifier_logits(setup.base.model, setup.base.tokenizer, rows)]
    for trained in opened_again(setup, {**LABELED.recipe, "max_length": setup.max_length}, tmp_path):
        logits.append(classifier_logits(trained.model, trained.tokenizer, rows))
    assert logits[1] == pytest.approx(logits[0], abs=1e-5)
    assert logits[2] == pytest.approx(logits[0], abs=1e-5)


def test_bert_with_the_vocabulary_alone(tmp_path):
    base = Path(architecture_folder(tmp_path, "bert"))
    for file in base.glob("*token*"):
        file.unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "bad", "thing", "##s"]
    (base / "vocab.txt").write_text("\n".join(words) + "\n")
    setup = prepared(LABELED, str(base))
    assert setup.base.tokenizer("A good things")["input_ids"] == [2, 5, 6, 8, 9, 3]
    train_a_step(setup)
    opened_again(setup, {**LABELED.recipe, "max_length": setup.max_length}, tmp_path)


@pytest.mark.parametrize("name", ["gpt_neo", "gpt2", "opt"])
def test_texts_are_not_packed_beyond_the_context(name, tmp_path, processed, monkeypatch):
    """--packing is accepted and does nothing, so that no text sees another one, whatever the positions and windows."""
    import fine_tune

    monkeypatch.chdir(tmp_path)
    base = architecture_folder(tmp_path / "base", name)
    words = ["--data", str(processed), "--model", base, "--max_steps", "2", "--overwrite", "--output_path"]
    weights = []
    for output, flags in (("plain", []), ("packed", ["--packing"])):
        assert fine_tune.main([*words, output, *flags]) == 0
        weights.append(weights_of(checkpoint.load(output).model))
    assert all(torch.equal(weights[0][name], weight) for name, weight in weights[1].items())


# ---- refused before training

SMALL = {"d_model": 16, "vocab_size": 261, "decoder_start_token_id": 0}
LAYERS = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
T5 = {"d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
ENCODER_DECODERS = {
    **dict.fromkeys(("t5", "mt5", "umt5"), T5),
    **dict.fromkeys(("bart", "mbart", "plbart", "m2m_100", "pegasus", "marian", "blenderbot"), LAYERS),
}


@pytest.mark.parametrize("data", [TEXTS, LABELED], ids=["to write", "to classify"])
@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_an_encoder_decoder_is_refused_by_name(name, data, tmp_path):
    config = AutoConfig.for_model(name, **SMALL, **ENCODER_DECODERS[name], pad_token_id=0)
    model = AutoModelForSeq2SeqLM.from_config(config)
    model.save_pretrained(tmp_path)
    encoder_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="is an encoder-decoder") as raised:
        prepared(data, str(tmp_path))
    assert type(model).__name__ in raised.value.problem
    assert "causal language model" in raised.value.hint


@pytest.mark.parametrize("name", CHANGED_BY_PADDING)
def test_a_model_whose_answers_depend_on_padding_is_refused_by_name(name, tmp_path):
    """No other tool would give its probabilities, since a folder cannot say how to make batches."""
    base = architecture_folder(tmp_path, name)
    with pytest.raises(UserError, match="depend on the padding of its batch") as raised:
        prepared(LABELED, base)
    assert f"{base} ({type(checkpoint.load_base_classifier(base, ['a'], 1).model).__name__})" in raised.value.problem


def test_xlnet_with_a_tokenizer_of_another_kind_is_refused(tmp_path):
    """It reads the label from the last token, which is padding where the tokenizer pads on the right."""
    base = architecture_folder(tmp_path, "xlnet")
    encoder_tokenizer().save_pretrained(base)
    with pytest.raises(UserError, match="depend on the padding of its batch"):
        prepared(LABELED, base)


HEADS = {
    "gpt2": ["ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"],
    "llama": ["ForSequenceClassification", "ForTokenClassification"],
    "bert": ["ForMaskedLM", "ForPreTraining", "ForMultipleChoice", "ForTokenClassification"],
    "modernbert": ["ForMaskedLM", "ForSequenceClassification"],
    "roberta": ["ForMaskedLM", "ForSequenceClassification", "ForQuestionAnswering"],
}


@pytest.mark.parametrize(("name", "head"), [(name, head) for name, heads in HEADS.items() for head in heads])
def test_a_model_with_another_head_does_not_learn_to_write(name, head, tmp_path):
    import transformers

    base = architecture_folder(tmp_path / "base", name)
    kind = {"gpt2": "GPT2", "llama": "Llama", "bert": "Bert", "modernbert": "ModernBert", "roberta": "Roberta"}[name]
    loader = getattr(transformers, kind + head)
    loader.from_pretrained(base).save_pretrained(base)
    with pytest.raises(UserError, match=rf"{kind}{head}.* and cannot") as raised:
        prepared(TEXTS, base)
    assert "--task reviews" in raised.value.hint
    assert prepared(LABELED, base).base.model.config.num_labels == 2


def test_a_decoder_that_was_saved_with_gaps_writes(tmp_path):
    base = architecture_folder(tmp_path, "bert", is_decoder=True)
    assert AutoConfig.from_pretrained(base).architectures == ["BertForMaskedLM"]
    AutoModelForCausalLM.from_pretrained(base)
    with pytest.raises(UserError, match="no end-of-text"):  # of the tokenizer: the model itself is accepted
        prepared(TEXTS, base)
