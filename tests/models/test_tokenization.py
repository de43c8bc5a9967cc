"""Text to token ids, exactly; what the loss counts on; what tells one tokenizer from another."""

import array
import sys
from types import SimpleNamespace

import pytest
from transformers import BloomConfig, GPT2Config

from utils.compute.batching import collate_texts
from utils.errors import UserError
from utils.models.base_models import load_tokenizer, resolve
from utils.models.tokenization import context_length, encode, start_and_end, token_ids, tokenizer_fingerprint

END = 256
# Of byte-level BPE: a byte that is a printable character stands for itself, the others for characters behind those.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
ORDER = PRINTABLE + [byte for byte in range(256) if byte not in PRINTABLE]


def byte_ids(text):
    return [ORDER.index(byte) for byte in text.encode()]


@pytest.fixture
def tokenizer():
    return load_tokenizer(resolve("tiny"))


# Ids ------------------------------------------------------------------------------------------------------------------


def test_ids_of_tiny_are_bytes(tokenizer):
    assert token_ids(tokenizer, ["ab", "!", "é", ""]) == [[64, 65], [0], [127, 102], []]
    texts = ["Œuf à la coque !", " two  blanks\n", "三 🇫🇷", "a\tb\u2028c"]
    assert token_ids(tokenizer, texts) == [byte_ids(text) for text in texts]
    assert token_ids(tokenizer, []) == []


def test_the_name_of_a_special_token_is_text(tokenizer):
    (ids,) = token_ids(tokenizer, ["a <|endoftext|> b"])
    assert ids == byte_ids("a <|endoftext|> b")
    assert END not in ids


def test_encode_puts_start_prompt_completion_end(tokenizer):
    ids, loss_start = encode(tokenizer, ["", "ab", "é"], ["ab", "!", ""])
    assert [list(text) for text in ids] == [[256, 64, 65, 256], [256, 64, 65, 0, 256], [256, 127, 102, 256]]
    assert loss_start == [1, 3, 3]
    assert all(type(text) is array.array and text.typecode == "I" for text in ids)


def test_encode_without_any_prompt_or_any_text(tokenizer):
    assert encode(tokenizer, ["", ""], ["a", "b"]) == (
        [array.array("I", [256, 64, 256]), array.array("I", [256, 65, 256])],
        [1, 1],
    )
    assert encode(tokenizer, [], []) == ([], [])


def test_start_and_end_are_the_tokenizers_own(tokenizer):
    assert start_and_end(tokenizer) == (256, 256)
    tokenizer.bos_token = "!"
    assert start_and_end(tokenizer) == (0, 256)
    tokenizer.bos_token = None
    assert start_and_end(tokenizer) == (256, 256)
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="the tokenizer of tiny has no end-of-text token"):
        start_and_end(tokenizer)


# Fingerprint ----------------------------------------------------------------------------------------------------------


def test_the_fingerprint_is_that_of_the_ids(tokenizer):
    from tokenizers import normalizers, pre_tokenizers

    def changed(change):
        other = load_tokenizer(resolve("tiny"))
        change(other, other.backend_tokenizer)
        return tokenizer_fingerprint(other)

    same = tokenizer_fingerprint(tokenizer)
    assert len(same) == 64
    assert changed(lambda front, back: None) == same
    assert changed(lambda front, back: front(["a", "bcd"], padding=True, truncation=True, max_length=2)) == same

    others = {
        changed(lambda front, back: front.add_tokens(["word"])),
        changed(lambda front, back: setattr(back, "normalizer", normalizers.Lowercase())),
        changed(lambda front, back: setattr(back, "pre_tokenizer", pre_tokenizers.ByteLevel(add_prefix_space=True))),
        changed(lambda front, back: setattr(front, "bos_token", "!")),
        changed(lambda front, back: setattr(front, "eos_token", "!")),
    }
    assert len(others | {same}) == 6


# Batches --------------------------------------------------------------------------------------------------------------


def test_collate_pads_on_the_right_and_labels_the_completion():
    batch = collate_texts(
        [
            {"input_ids": array.array("I", [256, 64, 65, 256]), "loss_start": 1},
            {"input_ids": array.array("I", [256, 64, 65, 66, 67, 256]), "loss_start": 3},
            {"input_ids": [256, 256], "loss_start": 1},
        ],
        pad_id=256,
    )
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [
            [256, 64, 65, 256, 256, 256],
            [256, 64, 65, 66, 67, 256],
            [256, 256, 256, 256, 256, 256],
        ],
        "attention_mask": [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0]],
        "labels": [
            [-100, 64, 65, 256, -100, -100],
            [-100, -100, -100, 66, 67, 256],
            [-100, 256, -100, -100, -100, -100],
        ],
    }
    assert {str(tensor.dtype) for tensor in batch.values()} == {"torch.int64"}


@pytest.mark.parametrize("pad_id", [0, 256])
def test_the_pad_id_changes_no_label(pad_id):
    rows = [{"input_ids": [256, 0, 256], "loss_start": 1}, {"input_ids": [256, 0, 0, 0, 256], "loss_start": 2}]
    batch = collate_texts(rows, pad_id)
    assert batch["labels"].tolist() == [[-100, 0, 256, -100, -100], [-100, -100, 0, 0, 256]]
    assert batch["input_ids"].tolist() == [[256, 0, 256, pad_id, pad_id], [256, 0, 0, 0, 256]]


def test_context_length_is_what_the_model_takes():
    assert context_length(SimpleNamespace(config=GPT2Config(n_positions=77))) == 77
    assert context_length(SimpleNamespace(config=BloomConfig())) == sys.maxsize
