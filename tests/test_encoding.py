"""Text to token ids, exactly; what the loss counts on; what tells one tokenizer from another."""

import array
import logging
import sys
from types import SimpleNamespace

import pytest
from transformers import BloomConfig, GPT2Config

from utils import base_models, encoding
from utils.errors import DataError, UserError
from utils.store import Processed, Split

END = 256
# Of byte-level BPE: a byte that is a printable character stands for itself, the others for characters behind those.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
ORDER = PRINTABLE + [byte for byte in range(256) if byte not in PRINTABLE]


def byte_ids(text):
    return [ORDER.index(byte) for byte in text.encode()]


@pytest.fixture
def tokenizer():
    return base_models.load_tokenizer(base_models.resolve("tiny"))


# Ids ------------------------------------------------------------------------------------------------------------------


def test_ids_of_tiny_are_bytes(tokenizer):
    assert encoding.token_ids(tokenizer, ["ab", "!", "é", ""]) == [[64, 65], [0], [127, 102], []]
    texts = ["Œuf à la coque !", " two  blanks\n", "三 🇫🇷", "a\tb\u2028c"]
    assert encoding.token_ids(tokenizer, texts) == [byte_ids(text) for text in texts]
    assert encoding.token_ids(tokenizer, []) == []


def test_the_name_of_a_special_token_is_text(tokenizer):
    (ids,) = encoding.token_ids(tokenizer, ["a <|endoftext|> b"])
    assert ids == byte_ids("a <|endoftext|> b")
    assert END not in ids


def test_encode_puts_start_prompt_completion_end(tokenizer):
    ids, loss_start = encoding.encode(tokenizer, ["", "ab", "é"], ["ab", "!", ""])
    assert [list(text) for text in ids] == [[256, 64, 65, 256], [256, 64, 65, 0, 256], [256, 127, 102, 256]]
    assert loss_start == [1, 3, 3]
    assert all(type(text) is array.array and text.typecode == "I" for text in ids)


def test_encode_without_any_prompt_or_any_text(tokenizer):
    assert encoding.encode(tokenizer, ["", ""], ["a", "b"]) == (
        [array.array("I", [256, 64, 256]), array.array("I", [256, 65, 256])],
        [1, 1],
    )
    assert encoding.encode(tokenizer, [], []) == ([], [])


def test_start_and_end_are_the_tokenizers_own(tokenizer):
    assert encoding.start_and_end(tokenizer) == (256, 256)
    tokenizer.bos_token = "!"
    assert encoding.start_and_end(tokenizer) == (0, 256)
    tokenizer.bos_token = None
    assert encoding.start_and_end(tokenizer) == (256, 256)
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="the tokenizer of tiny has no end-of-text token"):
        encoding.start_and_end(tokenizer)


# Fingerprint ----------------------------------------------------------------------------------------------------------


def test_the_fingerprint_is_that_of_the_ids(tokenizer):
    from tokenizers import normalizers, pre_tokenizers

    def changed(change):
        other = base_models.load_tokenizer(base_models.resolve("tiny"))
        change(other, other.backend_tokenizer)
        return encoding.fingerprint(other)

    same = encoding.fingerprint(tokenizer)
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


# Rows for training ----------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tokenizer):
    """Two texts whose stored ids are not what any tokenizer would make of them, to tell where ids come from."""

    def made(fingerprint):
        split = Split(
            prompt=["", "ab"],
            completion=["cd", "é"],
            label=[None, None],
            group=["0", "1"],
            ids=[array.array("I", [256, 7, 7, 256]), array.array("I", [256, 8, 8, 9, 9, 256])],
            loss_start=[1, 3],
        )
        return Processed({}, {}, [], {"name": "other/model", "fingerprint": fingerprint}, {"train": split})

    return made


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.INFO, logger="utils")
    return lambda: [record.getMessage() for record in caplog.records]


def rows_of(*arguments):
    rows = encoding.training_rows(*arguments, splits=["train"])["train"]
    return [(list(row["input_ids"]), row["loss_start"], row["bytes"]) for row in rows]


def test_stored_ids_serve_their_own_tokenizer(tokenizer, data, logged):
    rows = rows_of(data(encoding.fingerprint(tokenizer)), tokenizer, 1024)
    assert rows == [([256, 7, 7, 256], 1, 2), ([256, 8, 8, 9, 9, 256], 3, 2)]
    assert logged() == []


def test_another_tokenizer_encodes_again_and_says_so(tokenizer, data, logged):
    rows = rows_of(data("of another"), tokenizer, 1024)
    assert rows == [([256, 66, 67, 256], 1, 2), ([256, 64, 65, 127, 102, 256], 3, 2)]
    assert logged() == ["the data was encoded for other/model: encoding it again for tiny"]


def test_long_texts_are_cut_and_their_bytes_counted(tokenizer, data, logged):
    whole = data(encoding.fingerprint(tokenizer))
    assert rows_of(whole, tokenizer, 6) == rows_of(whole, tokenizer, 1024)
    assert logged() == []
    # Id 8 is ")" and 9 is "*": what is left of the second text is "**", then one of them.
    assert rows_of(whole, tokenizer, 5)[1] == ([256, 8, 8, 9, 9], 3, 2)
    assert rows_of(whole, tokenizer, 4) == [([256, 7, 7, 256], 1, 2), ([256, 8, 8, 9], 3, 1)]
    assert logged() == ["1 texts were cut to 5 tokens", "1 texts were cut to 4 tokens"]


def test_the_bytes_of_a_cut_text_count_its_blanks(tokenizer):
    text = "it 's a b , c . d n't"
    split = Split([""], [text], [None], ["0"], *encoding.encode(tokenizer, [""], [text]))
    data = Processed({}, {}, [], {"name": "", "fingerprint": encoding.fingerprint(tokenizer)}, {"train": split})
    for length in range(2, len(text) + 2):
        assert rows_of(data, tokenizer, length)[0][2] == length - 1
    assert rows_of(data, tokenizer, len(text) + 2)[0][2] == len(text)


def test_only_the_named_splits_are_made(tokenizer, data):
    processed = data("of another")
    processed.splits["test"] = processed.splits["train"].take([1])
    rows = encoding.training_rows(processed, tokenizer, 1024, ["test"])
    assert [list(row["input_ids"]) for row in rows["test"]] == [[256, 64, 65, 127, 102, 256]]
    assert list(rows) == ["test"]


def test_a_row_without_a_supervised_token_is_named(tokenizer, data):
    for fingerprint in (encoding.fingerprint(tokenizer), "of another"):
        with pytest.raises(DataError, match="row 1 of train has no supervised token") as caught:
            rows_of(data(fingerprint), tokenizer, 3)
        assert "--max_length" in caught.value.hint
    with pytest.raises(DataError, match="row 0 of train"):
        rows_of(data("of another"), tokenizer, 1)


# Batches --------------------------------------------------------------------------------------------------------------


def test_collate_pads_on_the_right_and_labels_the_completion():
    batch = encoding.collate(
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
    batch = encoding.collate(rows, pad_id)
    assert batch["labels"].tolist() == [[-100, 0, 256, -100, -100], [-100, -100, 0, 0, 256]]
    assert batch["input_ids"].tolist() == [[256, 0, 256, pad_id, pad_id], [256, 0, 0, 0, 256]]


def test_context_length_is_what_the_model_takes():
    assert encoding.context_length(SimpleNamespace(config=GPT2Config(n_positions=77))) == 77
    assert encoding.context_length(SimpleNamespace(config=BloomConfig())) == sys.maxsize
