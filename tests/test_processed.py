"""The processed pickle: it loads as it was saved; a file from a stranger runs no code and raises DataError."""

import array
import builtins
import os
import pickle
import pickletools
import struct
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import DataError
from utils.processed import PROCESSED_FORMAT, SPLITS, Processed, Split, load_processed, save_processed
from utils.processed_fields import check_columns


def split(*texts):
    return Split(
        prompt=["" for _ in texts],
        completion=list(texts),
        label=[None for _ in texts],
        group=[f"row {number}" for number in range(len(texts))],
        ids=[array.array("I", [256, *text.encode(), 256]) for text in texts],
        loss_start=[1 for _ in texts],
        metadata={"id": [str(2**60 + number) for number in range(len(texts))], "is_reply": [True for _ in texts]},
    )


PROCESSED = Processed(
    recipe={
        "task": "tweets",
        "kind": "generate",
        "labels": None,
        "template": "{prompt}",
        "cleaning": {"urls": "remove"},
        "base_model": "tiny",
        "seed": 42,
        "filters": {"exclude": ("a", "b"), "sample": 0.5},
    },
    audit={"rows_read": 9, "samples": [{"before": "x", "after": "ÿ 𝕏"}], "keep": True},
    sources=[{"path": "a.csv", "sha256": "00", "rows": 9}],
    tokenizer={"name": "tiny", "fingerprint": "ff"},
    splits={
        "train": split("one", "deux œufs", "三", ""),
        "validation": replace(split("four"), label=["good"], prompt=["p"], loss_start=[2]),
        "test": split(),
    },
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "data.pkl"


@pytest.fixture(scope="module")
def saved(path):
    """The bytes that `save_processed` writes."""
    save_processed(path, PROCESSED)
    return path.read_bytes()


@pytest.fixture(scope="module")
def refused(path):
    """Return the DataError that loading these bytes must raise."""

    def loading(content):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            load_processed(path)
        return caught.value

    return loading


def test_saved_data_comes_back(path, saved):
    path.write_bytes(saved)
    assert load_processed(path) == PROCESSED
    assert [type(ids) for ids in load_processed(path).splits["train"].ids] == [array.array] * 4
    assert load_processed(path).recipe["filters"]["exclude"] == ("a", "b")


def test_saving_again_writes_the_same_bytes(path, saved):
    path.write_bytes(saved)
    save_processed(path, load_processed(path))
    assert path.read_bytes() == saved


def test_any_python_can_read_it(saved):
    names = [operation.name for operation, _, _ in pickletools.genops(saved)]
    assert saved[:2] == b"\x80\x04"
    assert not {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ"} & set(names)

    payload = pickle.loads(saved)
    assert type(payload) is dict
    assert (payload["format"], payload["version"]) == ("small-text-fine-tuning/processed", 2)
    assert list(payload["splits"]) == list(SPLITS) == ["train", "validation", "test"]
    ids = [256, *b"four", 256]
    assert payload["splits"]["validation"] == {
        "prompt": ["p"],
        "completion": ["four"],
        "label": ["good"],
        "group": ["row 0"],
        "loss_start": [2],
        "ids": struct.pack(f"<{len(ids)}I", *ids),
        "lengths": [6],
        "facts": {"id": [str(2**60)], "is_reply": [True]},
    }


def test_take_keeps_the_rows_asked_for_in_order():
    taken = PROCESSED.splits["train"].take([2, 0])
    assert taken.completion == ["三", "one"]
    assert taken.group == ["row 2", "row 0"]
    assert taken.metadata == {"id": [str(2**60 + 2), str(2**60)], "is_reply": [True, True]}
    assert [list(ids[1:-1]) for ids in taken.ids] == [list("三".encode()), list(b"one")]
    assert len(taken) == 2


# A stranger's pickle --------------------------------------------------------------------------------------------------


class Calls:
    """Pickles as a call, which is made when the pickle is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(marker):
    """Pickles that make the folder `marker` when a careless program loads them."""
    make = Calls(os.mkdir, marker)
    code = f"__import__('os').mkdir({marker!r})"
    word = len(code.encode()).to_bytes(4, "little") + code.encode()
    short = bytes([len(marker.encode())]) + marker.encode()
    yield from (pickle.dumps(make, protocol) for protocol in range(6))
    yield pickle.dumps({"format": PROCESSED_FORMAT, "version": 1, "splits": {"train": {"ids": [make]}}}, 4)
    yield pickle.dumps({make: 1}, 2)
    yield pickle.dumps(Calls(builtins.eval, code), 0)
    yield b"cbuiltins\neval\nX" + word + b"\x85R."
    yield b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93X" + word + b"\x85R."
    yield b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93X" + word + b"\x85R."
    # getattr(__import__("os"), "mkdir")(marker)
    yield (
        b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93\x8c\x08builtins\x8c\x0a__import__\x93\x8c\x02os\x85R"
        b"\x8c\x05mkdir\x86R\x8c" + short + b"\x85R."
    )
    yield b"(X" + len(marker.encode()).to_bytes(4, "little") + marker.encode() + b"ios\nmkdir\n."
    yield b"(cos\nmkdir\n\x8c" + short + b"o."


def test_no_code_of_a_pickle_is_run(tmp_path, refused):
    for number, content in enumerate(attacks(str(tmp_path / "marker"))):
        pickle.loads(content)
        (tmp_path / "marker").rmdir()  # fails unless the attack works

        error = refused(content)
        assert not (tmp_path / "marker").exists(), number
        assert "would run code when loaded" in error.problem, number


@pytest.mark.parametrize("content", [b"Pabc\n.", b"\x80\x04\x8c\x03abcQ."])
def test_persistent_ids_are_refused(refused, content):
    assert "persistent id 'abc'" in refused(content).problem


def test_a_class_is_named_and_refused_before_its_module_is_imported(refused):
    assert "(no.such.module.Thing)" in refused(b"cno.such.module\nThing\n.").problem


# Files that preprocess.py did not write, or that are damaged -----------------------------------------------------


def test_a_file_truncated_anywhere_is_refused_or_whole(path, saved):
    whole = saved.index(b".\nsha256 ") + 1  # without its checksum, as older versions wrote it
    for length in {*range(0, len(saved), 7), *range(whole - 9, len(saved))} - {whole}:
        path.write_bytes(saved[:length])
        with pytest.raises(DataError, match="truncated"):
            load_processed(path)
    path.write_bytes(saved[:whole])
    assert load_processed(path) == PROCESSED


def test_a_flipped_bit_anywhere_is_noticed(refused, saved):
    for place in range(len(saved)):
        content = bytearray(saved)
        content[place] ^= 1 << place % 8
        assert refused(bytes(content)).exit_code == 3, place


@pytest.mark.parametrize("version", [0, 1, 3, "2", None])
def test_another_format_version_is_refused(refused, saved, version):
    error = refused(pickle.dumps({**pickle.loads(saved), "version": version}))
    assert f"has format version {version}, expected 2" in error.problem
    assert error.hint.startswith("make one with: python preprocess.py ")


@pytest.mark.parametrize("content", [{}, {"format": "other"}, [1, 2], "text", None, 1.5])
def test_another_pickle_is_refused(refused, content):
    assert "preprocess.py did not write it" in refused(pickle.dumps(content)).problem


def without(key):
    return lambda part: part.pop(key)


def with_value(key, value):
    return lambda part: part.update({key: value})


@pytest.mark.parametrize(
    "damage",
    [
        lambda payload: payload["splits"].pop("test"),
        without("recipe"),
        without("splits"),
        with_value("splits", ["train"]),
        with_value("splits", dict.fromkeys(SPLITS)),
        lambda payload: payload["splits"]["train"].pop("label"),
        lambda payload: payload["splits"]["train"]["label"].pop(),
        lambda payload: payload["splits"]["train"].update(ids=b"123"),
        lambda payload: payload["splits"]["train"].update(ids=b""),
        lambda payload: payload["splits"]["train"].update(ids="text"),
        lambda payload: payload["splits"]["train"]["lengths"].append(1),
        lambda payload: payload["splits"]["train"].update(lengths=4),
        lambda payload: payload["splits"]["train"].pop("facts"),
        lambda payload: payload["splits"]["train"].update(facts=None),
        lambda payload: payload["splits"]["train"]["facts"]["id"].pop(),
        lambda payload: payload["sources"][0].update(path=1),
        lambda payload: payload["sources"][0].update(sha256=[]),
        lambda payload: payload["sources"][0].pop("rows"),
        lambda payload: payload["splits"]["train"]["completion"].__setitem__(0, "\ud800"),
        lambda payload: payload["splits"]["train"]["facts"]["id"].__setitem__(0, "\ud800"),
        lambda payload: payload["recipe"].update(template="{prompt}\udfff"),
    ],
)
def test_damaged_fields_are_refused(refused, saved, damage):
    payload = pickle.loads(saved)
    damage(payload)
    assert "is damaged" in refused(pickle.dumps(payload)).problem


@settings(max_examples=200, deadline=None, derandomize=True)
@given(content=st.binary(max_size=60))
def test_random_bytes_are_refused(refused, content):
    assert refused(content).hint


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_field_of_another_type_raises_nothing_but_data_error(path, saved, data):
    payload = pickle.loads(saved)
    values = [None, True, 1.5, -1, 2**40, "x", "ü" * 9, b"1234", [], [None], ["a", "a"], {}, {"a": {1: 2}}, (), ((),)]
    place, keys = payload, []
    while isinstance(place, dict | list) and place and (not keys or data.draw(st.booleans())):
        keys.append(data.draw(st.sampled_from(range(len(place)) if isinstance(place, list) else sorted(place))))
        parent, place = place, place[keys[-1]]
    parent[keys[-1]] = data.draw(st.sampled_from(values))
    path.write_bytes(pickle.dumps(payload))
    try:
        processed = load_processed(path)
    except DataError as error:
        assert str(path) in error.problem
    else:
        save_processed(path, processed)
        assert load_processed(path) == processed


def laughs(depth: int) -> list:
    """A list of ten times the same list of ten times the same list …"""
    value = ["ha"]
    for _ in range(depth):
        value = [value] * 10
    return value


BOMBS = {
    "memo index": b"\x80\x04Nr\x00\x00\x00\x08.",
    "memo index as text": b"Np134217728\n.",
    "frame": b"\x80\x04\x95" + b"\xff" * 4 + b"\x00" * 4 + b"N.",
    "long bytes": b"\x8e" + b"\xff" * 4 + b"\x00" * 4 + b".",
    "long number": b"\x8b\xff\xff\xff\x7f.",
    "digits": b"I" + b"9" * 5000 + b"\n.",
    "empty dicts": b"\x80\x04(" + b"}" * 200_000 + b"l.",
    "empty sets": b"\x80\x04(" + b"\x8f" * 1_000 + b"l.",
    "copies": b"\x80\x04N" + b"2" * 100 + b".",
    "nested tuples as a key": b"\x80\x04}N" + b"\x85" * 50_000 + b"Ns.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_asks_for_memory_is_refused_before_it_gets_it(refused, name):
    refused(b"")
    tracemalloc.start()
    try:
        refused(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 10 * len(BOMBS[name]) + 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("where", ["recipe", "audit"])
def test_values_that_repeat_themselves_without_end_are_refused(refused, saved, where):
    payload = pickle.loads(saved)
    payload[where]["extra"] = laughs(9)
    assert f"is damaged: {where} has too many values" in refused(pickle.dumps(payload, 4)).problem
    payload[where]["extra"] = payload
    assert f"is damaged: {where} " in refused(pickle.dumps(payload, 4)).problem


@pytest.mark.parametrize(
    "content",
    [
        b"\x8e" + b"\xff" * 8 + b".",  # sizes beyond what the machine has
        b"\x95" + b"\xff" * 8 + b".",
        b"\x96" + b"\xff" * 7 + b"\x7f.",
        b"\x8d" + b"\xff" * 8 + b".",
        b"\x80\x09N.",  # a protocol of the future
        b"0.",
        b"}}]s.",  # a list as a key
        b"\xff\xfe",
        b"",
        b"id,text\n1,hello\n",
    ],
)
def test_other_files_are_refused(refused, content):
    assert "is not a processed pickle" in refused(content).problem


def test_a_path_that_is_no_file_is_refused(tmp_path):
    for name, said in {
        "none.pkl": "does not exist",
        ".": "is a folder, expected a processed .pkl",
        "n" * 300: "cannot read .*: File name too long",
    }.items():
        with pytest.raises(DataError, match=said) as caught:
            load_processed(tmp_path / name)
        assert caught.value.exit_code == 3
        assert caught.value.hint.startswith("make one with: python preprocess.py ")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "data.pkl")
    with pytest.raises(DataError, match="a pipe or a socket"):
        load_processed(tmp_path / "data.pkl")


@pytest.mark.parametrize("start", [0, 1])
def test_an_answer_follows_at_least_one_token(start):
    """Nothing could be generated for a row without."""
    columns = {"prompt": ["p"], "completion": ["c"], "label": [None], "group": ["g"], "loss_start": [start]}
    messages = [[{"role": "user", "content": "p"}, {"role": "assistant", "content": "c"}]]
    columns |= {"ids": bytes(8), "lengths": [2], "facts": {"messages": messages}}
    if start == 1:
        check_columns("test", columns, {"kind": "instruct"}, size=1000)
        return
    with pytest.raises(ValueError, match="expected an instruction before the answer"):
        check_columns("test", columns, {"kind": "instruct"}, size=1000)
