"""Training rows: the tokenizer of their ids, and texts that are too long."""

import array
import logging
from dataclasses import replace

import pytest
from small_classifiers import labeled_data

from utils.errors import DataError
from utils.models.base_models import resolve
from utils.models.chat_templates import encode_answers, open_chat_template, set_chat_template
from utils.models.opening.load import load_tokenizer
from utils.models.tokenization import encode, tokenizer_fingerprint
from utils.processed import Processed, Split
from utils.training.rows import reworded_rows, token_counts, training_rows

RECIPE = {"kind": "generate", "template": "{prompt}"}


@pytest.fixture
def tokenizer():
    return load_tokenizer(resolve("tiny"))


@pytest.fixture
def data(tokenizer):
    """Two texts with stored ids that no tokenizer would make of them, which shows where ids come from."""

    def made(fingerprint):
        split = Split(
            prompt=["", "ab"],
            completion=["cd", "é"],
            label=[None, None],
            group=["0", "1"],
            ids=[array.array("I", [256, 7, 7, 256]), array.array("I", [256, 8, 8, 9, 9, 256])],
            loss_start=[1, 3],
        )
        return Processed(RECIPE, {}, [], {"name": "other/model", "fingerprint": fingerprint}, {"train": split})

    return made


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.INFO, logger="utils")
    return lambda: [record.getMessage() for record in caplog.records]


def rows_of(*arguments):
    rows = training_rows(*arguments, splits=["train"])["train"]
    return [(list(row["input_ids"]), row["loss_start"], row["bytes"]) for row in rows]


def test_stored_ids_are_used_by_their_own_tokenizer(tokenizer, data, logged):
    rows = rows_of(data(tokenizer_fingerprint(tokenizer)), tokenizer, 1024)
    assert rows == [([256, 7, 7, 256], 1, 2), ([256, 8, 8, 9, 9, 256], 3, 2)]
    assert logged() == []


def test_another_tokenizer_encodes_again_and_says_so(tokenizer, data, logged):
    rows = rows_of(data("of another"), tokenizer, 1024)
    assert rows == [([256, 66, 67, 256], 1, 2), ([256, 64, 65, 127, 102, 256], 3, 2)]
    assert logged() == ["the data was encoded for other/model: encoding it again for tiny"]


def test_tokens_are_counted_in_those_of_the_model(tokenizer, data):
    own, others = data(tokenizer_fingerprint(tokenizer)), data("of another")
    others.splits["train"].ids[0].extend([7] * 50)
    assert token_counts(own, tokenizer) == {"train": [4, 6]}
    assert token_counts(others, tokenizer) == {"train": [4, 6]}


def test_tokens_of_labeled_texts_are_counted_in_those_of_the_model(tokenizer):
    data = labeled_data({"train": [("good", "yes")]}, ["no", "yes"])
    other = replace(data, tokenizer={"name": "other", "fingerprint": "of another"})
    other.splits["train"].ids[0].extend([7] * 50)
    assert token_counts(other, tokenizer) == {"train": [1 + len("good")], "validation": [], "test": []}


def test_long_texts_are_cut_and_their_bytes_counted(tokenizer, data, logged):
    whole = data(tokenizer_fingerprint(tokenizer))
    assert rows_of(whole, tokenizer, 6) == rows_of(whole, tokenizer, 1024)
    assert logged() == []
    # Id 8 is ")" and 9 is "*": the rest of the second text is "**", then one of them.
    assert rows_of(whole, tokenizer, 5)[1] == ([256, 8, 8, 9, 9], 3, 2)
    assert rows_of(whole, tokenizer, 4) == [([256, 7, 7, 256], 1, 2), ([256, 8, 8, 9], 3, 1)]
    assert logged() == ["1 texts were cut to 5 tokens", "1 texts were cut to 4 tokens"]


def test_the_bytes_of_a_cut_text_count_its_blanks(tokenizer):
    text = "it 's a b , c . d n't"
    split = Split([""], [text], [None], ["0"], *encode(tokenizer, [""], [text]))
    data = Processed(RECIPE, {}, [], {"name": "", "fingerprint": tokenizer_fingerprint(tokenizer)}, {"train": split})
    for length in range(2, len(text) + 2):
        assert rows_of(data, tokenizer, length)[0][2] == length - 1
    assert rows_of(data, tokenizer, len(text) + 2)[0][2] == len(text)


def test_only_the_named_splits_are_made(tokenizer, data):
    processed = data("of another")
    processed.splits["test"] = processed.splits["train"].take([1])
    rows = training_rows(processed, tokenizer, 1024, ["test"])
    assert [list(row["input_ids"]) for row in rows["test"]] == [[256, 64, 65, 127, 102, 256]]
    assert list(rows) == ["test"]


def test_a_prompt_that_leaves_no_room_is_skipped_and_named(tokenizer, data, logged):
    for fingerprint in (tokenizer_fingerprint(tokenizer), "of another"):
        rows = training_rows(data(fingerprint), tokenizer, 3, ["train"])["train"]
        assert [row["number"] for row in rows] == [0]
        left_out = "1 of 2 rows of train are skipped, since their prompt alone fills the 3 tokens; the first is row 1"
        assert f"warning: {left_out}" in logged()


def test_no_row_with_a_supervised_token_is_an_error(tokenizer, data):
    with pytest.raises(DataError, match="no row of train has a supervised token: the prompt of row 0") as caught:
        rows_of(data("of another"), tokenizer, 1)
    assert "--max_length" in caught.value.hint


def conversations(template, tokenizer):
    """Return two answered instructions, encoded with one of our templates."""
    set_chat_template(tokenizer, template)
    asked = [
        [{"role": "user", "content": "Name a fruit."}],
        [{"role": "user", "content": "Shout.", "input": "hey"}],
    ]
    answers = ["Apple", "HÉY"]
    form = open_chat_template(tokenizer)
    ids, loss_start = encode_answers(form, asked, answers)
    split = Split(["", ""], answers, [None] * 2, ["0", "1"], ids, loss_start, {"messages": asked})
    recipe = {"kind": "instruct", "template": template}
    return Processed(recipe, {}, [], {"name": "x", "fingerprint": tokenizer_fingerprint(tokenizer)}, {"train": split})


def test_answers_are_encoded_again_in_the_template_of_another_tokenizer(tokenizer):
    data = conversations("stanford", tokenizer)
    stored = training_rows(data, tokenizer, 1024, ["train"])["train"]
    assert [row["input_ids"] for row in stored] == data.splits["train"].ids
    assert [row["bytes"] for row in stored] == [5, 4]
    other = load_tokenizer(resolve("tiny"))
    set_chat_template(other, "plain")
    for row, prompt, answer in zip(
        training_rows(data, other, 1024, ["train"])["train"],
        ["Instruction:\nName a fruit.\n\nResponse:\n", "Instruction:\nShout.\n\nInput:\nhey\n\nResponse:\n"],
        ["Apple", "HÉY"],
        strict=True,
    ):
        assert other.decode(row["input_ids"]) == f"<|endoftext|>{prompt}{answer}<|endoftext|>"
        assert row["loss_start"] == 1 + len(prompt)


def test_an_answer_is_cut_but_never_its_instruction(tokenizer, logged):
    data = conversations("plain", tokenizer)
    whole = training_rows(data, tokenizer, 1024, ["train"])["train"][0]
    cut = training_rows(data, tokenizer, whole["loss_start"] + 2, ["train"])["train"]
    assert [(row["number"], row["bytes"]) for row in cut] == [(0, 2)]
    assert cut[0]["input_ids"] == whole["input_ids"][: whole["loss_start"] + 2]
    assert "1 texts were cut to 41 tokens" in logged()


def test_reworded_copies_have_words_of_the_prompt_and_its_completion(tokenizer):
    texts = ["one two three four five six", "word", "first second third", "much too long for this " * 9]
    completions = [" A", " B", " C", " D"]
    split = Split(texts, completions, [None] * 4, ["0"] * 4, [array.array("I", [1])] * 4, [1] * 4)
    recipe = {"kind": "emoji", "template": "Say: {prompt}."}
    data = Processed(recipe, {}, [], {"name": "other/model", "fingerprint": "another"}, {"train": split})
    rows = reworded_rows(data, tokenizer, 64, seed=1)
    assert len(rows) == 4
    prompts = []
    for row, text, completion in zip(rows, 2 * [texts[0], texts[2]], 2 * [" A", " C"], strict=True):
        ids = list(row["input_ids"])
        assert tokenizer.decode(ids[row["loss_start"] : -1]) == completion
        prompts.append(tokenizer.decode(ids[1 : row["loss_start"]]).removeprefix("Say: ").removesuffix("."))
        assert set(prompts[-1].split()) <= set(text.split())
        assert row["bytes"] == 2
    assert len({*prompts, *texts}) > 6
    assert rows == reworded_rows(data, tokenizer, 64, seed=1) != reworded_rows(data, tokenizer, 64, seed=2)


def test_an_id_beyond_the_vocabulary_is_an_error_and_no_crash(tokenizer, data):
    damaged = data(tokenizer_fingerprint(tokenizer))
    damaged.splits["train"].ids[1][2] = 257
    with pytest.raises(DataError, match="the token id 257, and tiny has only 257 tokens"):
        rows_of(damaged, tokenizer, 1024)
