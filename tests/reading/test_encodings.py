"""Text in every encoding that people have, and files that are not text."""

import codecs
import gzip

import pytest
from frames import rows

from utils.reading.read_frame import read_frame

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
