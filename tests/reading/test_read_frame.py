"""What read_frame reads, exactly, and what it says of files that it cannot read."""

import codecs
import csv
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import EXIT_BAD_DATA, DataError
from utils.reading.columns import find_column
from utils.reading.read_frame import read_frame

SAMPLES = Path(__file__).parent.parent.parent / "data" / "samples"


@pytest.fixture
def read(tmp_path):
    """Write `content` to a file called `name` and read it; content is str (as UTF-8) or bytes."""

    def write_and_read(name, content, **options):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_frame([path], **options)[0]

    return write_and_read


@pytest.fixture
def fails(read):
    """The DataError of reading; checks that a user can act on it."""

    def failing(name, content, **options):
        with pytest.raises(DataError) as caught:
            read(name, content, **options)
        return checked(caught.value, name)

    return failing


def checked(error, name):
    assert error.exit_code == EXIT_BAD_DATA
    assert name in error.problem
    assert "\n" not in error.problem + error.hint
    assert error.hint
    return error


def rows(frame):
    return [[None if pd.isna(cell) else cell for cell in row] for row in frame.to_numpy().tolist()]


# --- text stays text


def test_csv_cells_are_never_converted(read):
    cells = ["1234567890123456789", "2639", "26E9", "1e5", "007", "NA", "null", "None", "nan", "", " x ", "true"]
    frame = read("a.csv", "n,cell\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells)))
    assert list(frame.columns) == ["n", "cell"]
    assert rows(frame) == [[str(n), cell] for n, cell in enumerate(cells)]


def test_only_newlines_outside_quotes_end_a_row(read):
    frame = read("a.csv", 'id,text\n1,"two\nlines"\n2,a\u2028b\u0085c\x0bd\x1ce\rf\n3,"say ""hi"", now"\n')
    assert rows(frame) == [["1", "two\nlines"], ["2", "a\u2028b\u0085c\x0bd\x1ce\rf"], ["3", 'say "hi", now']]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(read, line_end):
    content = "id,text\n\n1,one\n2,two\n"
    assert rows(read("a.csv", content.replace("\n", line_end))) == [["1", "one"], ["2", "two"]]


def test_a_megabyte_in_one_cell(read):
    long = 'é,"\n' * 250_000
    frame = read("a.csv", 'id,text\n1,"{}"\n2,short\n'.format(long.replace('"', '""')))
    assert rows(frame) == [["1", long], ["2", "short"]]


def test_without_header_the_first_line_is_data(read):
    frame = read("a.csv", "a,b\nc,d\n", header=False)
    assert list(frame.columns) == ["0", "1"]
    assert rows(frame) == [["a", "b"], ["c", "d"]]


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t\x85\x1b"))


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2)))
@settings(max_examples=100, deadline=None)
def test_whatever_csv_writes_is_read_back(tmp_path_factory, cells):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([["first", "second"], ["x", "y"], *cells])
    path.write_bytes(buffer.getvalue().encode())
    assert rows(read_frame([path])[0]) == [["x", "y"], *cells]


# --- delimiters and quotes


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_is_recognised_in_the_header(read, delimiter):
    content = '"a,b;c"|d\n1|x y\n2|z\n'.replace("|", delimiter)
    frame = read("a.csv", content)
    assert list(frame.columns) == ["a,b;c", "d"]
    assert rows(frame) == [["1", "x y"], ["2", "z"]]


def test_quotes_in_tab_separated_text_are_text(read):
    content = '"Wow" she said\t1\nit is "fine\t0\n"Great, really"\t1\nbad" it was\t0\n'
    expected = [['"Wow" she said', "1"], ['it is "fine', "0"], ['"Great, really"', "1"], ['bad" it was', "0"]]
    for name in ("a.tsv", "a.csv", "a.txt"):
        assert rows(read(name, content, header=False)) == expected


def test_a_quote_that_opens_and_one_that_closes_lines_below_are_text(read):
    content = 'text\tlabel\n"Wow, what\t1\na film"\t0\n'
    assert rows(read("a.tsv", content)) == [['"Wow, what', "1"], ['a film"', "0"]]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("text", ["two\nlines", "a\ttab", 'say "hi"', "plain"])
def test_tab_separated_cells_quoted_by_pandas(read, quoting, text):
    expected = [["1", text], ["2", "plain"], ["3", 'a\n"b"\tc']]
    written = pd.DataFrame(expected, columns=["id", "text"]).to_csv(sep="\t", index=False, quoting=quoting)
    assert rows(read("a.tsv", written)) == expected


def test_txt_is_one_text_per_line_unless_tabs_divide_it(read):
    assert read("a.txt", "one text, here\n\n two\u2028\n\tthree\n").to_dict("list") == {
        "text": ["one text, here", " two\u2028", "\tthree"]
    }
    assert read("b.txt", "text\tlabel\ngood\t1\n").to_dict("list") == {"text": ["good"], "label": ["1"]}


def test_header_names_are_cleaned_and_unique(read):
    frame = read("a.csv", "\ufeff id , Text,text,\n1,a,b,c\n")
    assert list(frame.columns) == ["id", "Text", "text.1", "Unnamed: 3"]


@pytest.mark.parametrize("start", [0, 1])
def test_unnamed_running_index_is_dropped(read, start):
    frame = read("scrape.csv", f",0,1,2,3\n{start},2021-01-01,77,hello,ann\n{start + 1},2021-01-02,78,you,bob\n")
    assert frame.to_dict("list") == {
        "0": ["2021-01-01", "2021-01-02"], "1": ["77", "78"], "2": ["hello", "you"], "3": ["ann", "bob"],
    }  # fmt: skip


def test_unnamed_column_that_is_no_index_is_kept(read):
    assert read("a.csv", ",text\n5,a\n9,b\n").to_dict("list") == {"Unnamed: 0": ["5", "9"], "text": ["a", "b"]}


def test_short_rows_are_filled_and_reported_by_line(read, caplog):
    frame = read("a.csv", 'text,label\n"two\nlines",1\nlast\n')
    assert rows(frame) == [["two\nlines", "1"], ["last", ""]]
    assert "lack 1 cells" in caplog.text
    assert "line 4" in caplog.text


# --- Python bytes literals


def test_bytes_literals_are_decoded(read, caplog):
    cells = [r"b'caf\xc3\xa9 \xe2\x80\xa6'", r"""b"it's \xf0\x9f\x98\x80\n\d" """.strip()]
    frame = read("a.csv", pd.DataFrame({"id": ["1", "2"], "text": cells}).to_csv(index=False))
    assert frame["text"].tolist() == ["café …", "it's 😀\n\\d"]
    assert "2 of 2 cells" in caplog.text


def test_a_text_that_starts_like_a_bytes_literal_is_left_alone(read):
    texts = ["b'hello'", "some text", "more", "b'"]
    assert read("a.csv", "text\n" + "\n".join(texts)).to_dict("list") == {"text": texts}


def test_a_cut_bytes_literal_stays_as_it_is(read):
    texts = [f"b'number {n}'" for n in range(19)] + [r"b'cut \xe2\x8"]
    assert read("a.csv", "text\n" + "\n".join(texts))["text"].tolist()[-2:] == ["number 18", r"b'cut \xe2\x8"]


# --- JSON


def test_json_values_as_the_file_spells_them(read):
    content = """[{"id": 1234567890123456789, "x": 1e5, "y": 1.10, "yes": true, "no": false, "none": null, "nan": NaN},
        {"id": "007", "text": "caf\\u00e9 \\ud83d\\ude00", "nested": {"a": [1, 2.5, null], "é": {}}, "e": ""}]"""
    frame = read("a.json", content)
    first, second = ({k: v for k, v in row.items() if not pd.isna(v)} for row in frame.to_dict("records"))
    assert first == {"id": "1234567890123456789", "x": "1e5", "y": "1.10", "yes": "true", "no": "false"}
    assert second == {"id": "007", "text": "café 😀", "nested": '{"a":[1,2.5,null],"é":{}}', "e": ""}
    assert list(frame.columns) == ["id", "x", "y", "yes", "no", "none", "nan", "text", "nested", "e"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '[{"text": "x", "n": 1}, {"n": 2, "text": "y"}]'),
        ("a.json", '{"text": ["x", "y"], "n": [1, 2]}'),
        ("a.json", '{"data": [{"text": "x", "n": 1}, {"text": "y", "n": 2}]}'),
        ("a.json", '{"meta": {"count": 2}, "data": [{"text": "x", "n": 1}, {"text": "y", "n": 2}]}'),
        ("a.json", '{"text": "x", "n": 1}\n{"text": "y", "n": 2}\n'),
        ("a.jsonl", '{"text": "x", "n": 1}\r\n\r\n{"text": "y", "n": 2}'),
        ("a.ndjson", '\ufeff{"text": "x", "n": 1}\n{"text": "y", "n": 2}\n'),
        ("a.jsonl", '[{"text": "x", "n": 1},\n {"text": "y", "n": 2}]'),
    ],
)
def test_shapes_of_json(read, name, content):
    assert read(name, content).to_dict("list") == {"text": ["x", "y"], "n": ["1", "2"]}


def test_one_object_is_one_row(read):
    assert read("a.json", '{"text": "x", "n": 1}').to_dict("list") == {"text": ["x"], "n": ["1"]}
    assert read("a.jsonl", '{"text": "x", "media": [{"k": 1}]}').to_dict("list") == {
        "text": ["x"], "media": ['[{"k":1}]'],
    }  # fmt: skip


def test_keys_that_come_late_or_go_missing_are_null_elsewhere(read):
    frame = read("a.jsonl", '{"a": "1"}\n{"b": "2\u2028\u0085"}\n{"a": "3", "b": ""}\n')
    assert rows(frame) == [["1", None], [None, "2\u2028\u0085"], ["3", ""]]


def test_half_a_surrogate_pair_becomes_a_replacement_character(read):
    frame = read("a.jsonl", r'{"text": "caf\u00e9 \ud83d", "list": ["\ude00"]}')
    assert rows(frame) == [["café \ufffd", '["\ufffd"]']]


# --- Parquet and gzip


def test_parquet_values_as_text(read):
    table = pd.DataFrame(
        {
            "id": pd.array([2**60 + 1, None], dtype="Int64"),
            "text": ["été", None],
            "flag": [True, False],
            "score": [0.5, float("nan")],
            "price": [Decimal("1.10"), Decimal("2.00")],
            "tags": [["a", "b"], []],
        },
        index=[5, 9],
    )
    assert rows(read("a.parquet", table.to_parquet())) == [
        [str(2**60 + 1), "été", "true", "0.5", "1.10", '["a","b"]'],
        [None, None, "false", None, "2.00", "[]"],
    ]


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv.gz", "text\nx\n"), ("a.jsonl.gz", '{"text": "x"}'), ("a.TXT.GZ", "x")]
)
def test_gzipped_text(read, name, content):
    assert read(name, gzip.compress(content.encode())).to_dict("list") == {"text": ["x"]}


# --- encodings

FRENCH = "id,text\n1,L’été à la plage — déjà 5 €\n2,Ça coûte cher, même à Noël\n".replace("cher,", "cher")


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (FRENCH.encode(), "utf-8"),
        (FRENCH.encode("utf-8-sig"), "utf-8-sig"),
        (FRENCH.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + FRENCH.encode("utf-16-be"), "utf-16"),
        (FRENCH.encode("utf-32"), "utf-32"),
        (FRENCH.encode("cp1252"), "cp1252"),
    ],
)
def test_encodings(tmp_path, caplog, data, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    frame, (source,) = read_frame([path])
    assert rows(frame) == [["1", "L’été à la plage — déjà 5 €"], ["2", "Ça coûte cher même à Noël"]]
    assert source.encoding == encoding
    assert ("a guess" in caplog.text) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет, как дела? Сегодня хорошая погода", "cp1251"),
        ("今日は天気がいいですね。散歩に行きましょう", "cp932"),
        ("Zażółć gęślą jaźń dziś jest ładna pogoda", "cp1250"),
    ],
)
def test_other_encodings_are_detected_and_named(tmp_path, caplog, text, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(encoding))
    frame, (source,) = read_frame([path])
    assert frame["text"].tolist() == [text]
    assert source.encoding == encoding
    assert str(path) in caplog.text
    assert encoding in caplog.text


def test_lines_in_another_encoding_are_read_as_cp1252_and_counted(read, caplog):
    lines = ["text", "une idée", "café", "où ça ?", "l’été"]
    data = b"\n".join(line.encode("cp1252" if line == "l’été" else "utf-8") for line in lines)
    assert read("a.csv", data)["text"].tolist() == lines[1:]
    assert "1 lines are not UTF-8, the first is line 5" in caplog.text


def test_a_character_cut_in_two_leaves_the_rest_of_its_line_alone(read):
    data = "text\ncafé\nété 😀".encode()[:-1]
    assert read("a.csv", data)["text"].tolist()[0] == "café"
    assert read("a.csv", data)["text"].tolist()[1].startswith("été ")


def test_nul_bytes_are_removed_and_counted(read, caplog):
    assert read("a.csv", b"text\nhe\0llo there\0\n")["text"].tolist() == ["hello there"]
    assert "2 NUL bytes" in caplog.text


def test_plain_utf8_is_read_without_a_word(read, caplog):
    read("a.csv", FRENCH)
    assert caplog.text == ""


# --- several files


def test_files_are_joined_by_column_name(tmp_path):
    (tmp_path / "a.csv").write_text("Tweet Text,id\nx,1\n")
    (tmp_path / "b.jsonl").write_text('{"id": 2, "tweet text": "y", "lang": "en"}\n{"id": 3}\n')
    paths = [str(tmp_path / "a.csv"), tmp_path / "b.jsonl"]
    frame, sources = read_frame(paths)
    assert list(frame.columns) == ["Tweet Text", "id", "lang"]
    assert rows(frame) == [["x", "1", None], ["y", "2", "en"], [None, "3", None]]
    assert list(frame.index) == [0, 1, 2]
    assert [source.path for source in sources] == [str(path) for path in paths]
    assert [source.rows for source in sources] == [1, 2]
    assert sources[0].sha256 == hashlib.sha256(b"Tweet Text,id\nx,1\n").hexdigest()


def test_folder_is_its_supported_files_by_name(tmp_path, caplog):
    for name, content in {"b.csv": "text\nb\n", "a.CSV": "text\na\n", "notes.md": "# no", ".hidden.csv": "x"}.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "sub").mkdir()
    frame, sources = read_frame([tmp_path])
    assert frame["text"].tolist() == ["a", "b"]
    assert [source.path for source in sources] == [str(tmp_path / "a.CSV"), str(tmp_path / "b.csv")]
    assert "skipped notes.md, sub;" in caplog.text


def test_find_column():
    columns = ["id", "\ufeffTweet Text ", "text", "TEXT"]
    assert find_column(columns, ["content", "tweettext", "text"]) == "\ufeffTweet Text "
    assert find_column(columns, ["text"]) == "text"
    assert find_column(columns, ["label"]) is None


# --- errors


def test_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "tweets.csv").write_text("text\nx\n")
    with pytest.raises(DataError) as caught:
        read_frame([tmp_path / "twets.csv"])
    assert "does not exist" in checked(caught.value, "twets.csv").problem
    assert str(tmp_path / "tweets.csv") in caught.value.hint


def test_missing_folder_and_impossible_name():
    for path in ("no/such/folder/a.csv", "a" * 5000 + ".csv"):
        with pytest.raises(DataError) as caught:
            read_frame([path])
        checked(caught.value, path)


def test_unreadable_file(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text("text\nx\n")
    path.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        with pytest.raises(DataError) as caught:
            read_frame([path])
    finally:
        if is_root:
            os.seteuid(0)
    assert "Permission denied" in checked(caught.value, "secret.csv").problem


def test_folder_without_supported_files(tmp_path):
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(DataError) as caught:
        read_frame([tmp_path])
    assert ".jsonl" in checked(caught.value, str(tmp_path)).hint


def test_unsupported_kind(fails):
    for name in ("a.xlsx", "a", "a.parquet.gz"):
        assert ".parquet" in fails(name, "x").hint


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.json", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("content", [b"", b" \r\n\t\n", codecs.BOM_UTF8])
def test_empty_file(fails, name, content):
    if not (name == "a.parquet" and content.strip()):
        assert "is empty" in fails(name, content).problem


def test_no_rows(fails):
    table = pd.DataFrame({"text": pd.Series([], dtype="str")}).to_parquet()
    for name, content in {"a.csv": "id,text\n\n", "a.json": "[]", "b.json": '{"text": []}', "a.parquet": table}.items():
        assert "no rows" in fails(name, content).problem


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"\x89PNG\r\n\x1a\n", "PNG"), (b"PK\x03\x04", "ZIP"), (b"%PDF-1.7", "PDF"), (b"\x7fELF", "program")],
)
def test_binary_files_are_named(fails, head, kind):
    assert kind in fails("a.csv", head + bytes(range(256))).problem


def test_binary_content_is_refused(fails):
    assert "gzip" in fails("a.csv", gzip.compress(b"text\nx\n")).problem
    assert "binary" in fails("a.csv", bytes(range(256)) * 4).problem
    assert "UTF-16" in fails("a.csv", "text\nhello\n".encode("utf-16-le")).problem


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_row_with_more_cells_than_the_header(fails, name):
    delimiter = "," if name == "a.csv" else "\t"
    content = '\nid|text\n1|"two\nlines"\n\n2|a|b\n'.replace("|", delimiter)
    if name == "a.tsv":
        content = content.replace('"two\nlines"', "one\n")
    problem = fails(name, content).problem
    assert "line 6: 3 cells, but the first line has 2" in problem


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('id,text\n1,"fine\nso far"\n2,"never closed\n3,x\n', 4),
        ('id,text\n1,x\n2,"never closed\n3,"next"\n4,y\n', 3),
        ('id,text\n1,"end', 2),
    ],
)
def test_unbalanced_quotes_name_the_line_that_opens(fails, content, line):
    assert f"line {line}: the quote" in fails("a.csv", content).problem


def test_quotes_inside_an_unquoted_cell_are_no_error(read):
    assert rows(read("a.csv", 'id,text\n1,5" screen\n2,a "b" c"\n')) == [["1", '5" screen'], ["2", 'a "b" c"']]


def test_invalid_json_names_line_and_column(fails):
    error = fails("a.json", '[{"text": "x"},\n {"text": y}]')
    assert "line 2, column 11" in error.problem
    assert "cut off" in fails("a.json", '[{"text": "x"},\n {"te').hint
    assert "cut off" in fails("a.json", '[{"text": "x"},').hint
    assert "nested" in fails("a.json", "[" * 100_000).problem


def test_broken_line_of_jsonl(fails):
    error = fails("a.jsonl", '{"text": "x"}\n\n{"text": \n{"text": "z"}\n')
    assert "line 3, column" in error.problem
    assert "last line" not in error.problem


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_broken_last_line_of_jsonl_is_an_error_too(fails, name):
    error = fails(name, '{"text": "x"}\n{"text": "y"}\n{"text": "z\n')
    assert "line 3" in error.problem
    assert "last line" in error.problem
    assert "delete line 3" in error.hint


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.json", '["x", "y"]', "element 1 of the list is a text"),
        ("a.json", '[{"text": "x"}, 3]', "element 2 of the list is a number"),
        ("a.json", '"x"', "a text"),
        ("a.json", '{"a": {"0": "x"}}', "an object"),
        ("a.json", '{"a": [1], "b": [1, 2]}', "different lengths"),
        ("a.jsonl", '{"text": "x"}\n[1]\n', "line 2: a list"),
        ("a.json", '[1]\n{"text": "x"}\n', "line 1: a list"),
    ],
)
def test_json_without_objects(fails, name, content, found):
    error = fails(name, content)
    assert found in error.problem
    assert "list of objects" in error.hint


def test_cut_off_binary_formats(fails):
    table = pd.DataFrame({"text": ["x"] * 100}).to_parquet()
    assert "cut off" in fails("a.parquet", table[:-20]).hint
    assert "cut off" in fails("a.parquet", table[: len(table) // 2]).hint
    packed = gzip.compress(os.urandom(2000).hex().encode())
    assert "cut off" in fails("a.csv.gz", packed[:-50]).hint
    assert "gzip" in fails("a.csv.gz", b"text\nx\n").problem


# --- samples and start-up


def test_samples():
    english, french = read_frame([SAMPLES / "tweets.csv"])[0], read_frame([SAMPLES / "tweets_fr.jsonl"])[0]
    with (SAMPLES / "tweets.csv").open(encoding="utf-8", newline="") as file:
        assert english.to_dict("records") == list(csv.DictReader(file))
    assert len(english) == 61
    lines = (SAMPLES / "tweets_fr.jsonl").read_text(encoding="utf-8").strip().split("\n")
    assert french["rawContent"].tolist() == [json.loads(line)["rawContent"] for line in lines]
    assert french["inReplyToTweetId"].notna().sum() == 1
    assert len(french) == 10


def test_importing_reading_imports_nothing_slow():
    code = "import sys, utils.reading.read_frame; print({'pandas', 'numpy', 'pyarrow', 'charset_normalizer'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SAMPLES.parent.parent
    )
    assert done.stdout == "set()\n"
