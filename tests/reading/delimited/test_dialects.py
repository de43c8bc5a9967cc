"""The recognized delimiter, quotes and first line."""

import pytest
from frames import rows

from utils.reading.table_stream import open_table

TABLE = [["1", "We walked, home", "pos"], ["2", "A small; dog", "neg"], ["3", "Rain", "pos"]]
FORMS = {
    "bars": ("a.csv", "id|text|label\n1|We walked, home|pos\n2|A small; dog|neg\n3|Rain|pos\n"),
    "bars in a text file": ("a.txt", "id|text|label\n1|We walked, home|pos\n2|A small; dog|neg\n3|Rain|pos\n"),
    "carets": ("a.csv", "id^text^label\n1^We walked, home^pos\n2^A small; dog^neg\n3^Rain^pos\n"),
    "Excel's first line": (
        "a.csv",
        'sep=;\r\nid;text;label\r\n1;We walked, home;pos\r\n2;"A small; dog";neg\r\n3;Rain;pos\r\n',
    ),
    "Excel's first line in quotes": (
        "a.csv",
        '\ufeff"sep=|"\nid|text|label\n1|We walked, home|pos\n2|A small; dog|neg\n3|Rain|pos\n',
    ),
    "a blank behind each delimiter": (
        "a.csv",
        'id, text, label\n1, "We walked, home", pos\n2, A small; dog, neg\n3, "Rain", pos\n',
    ),
    "comments above": (
        "a.csv",
        '# made by us, in 2021\n#\nid,text,label\n1,"We walked, home",pos\n2,A small; dog,neg\n3,Rain,pos\n',
    ),
    "an empty cell behind each row": (
        "a.csv",
        'id,text,label\n1,"We walked, home",pos,\n2,A small; dog,neg,\n3,Rain,pos,\n',
    ),
    "the header again": (
        "a.csv",
        'id,text,label\n1,"We walked, home",pos\nid,text,label\n2,A small; dog,neg\n3,Rain,pos\n',
    ),
    "commas in .tsv": ("a.tsv", 'id,text,label\n1,"We walked, home",pos\n2,A small; dog,neg\n3,Rain,pos\n'),
    "tabs in .csv": ("a.csv", "id\ttext\tlabel\n1\tWe walked, home\tpos\n2\tA small; dog\tneg\n3\tRain\tpos\n"),
}


@pytest.mark.parametrize(("name", "content"), FORMS.values(), ids=FORMS)
def test_forms_of_one_table(read, tmp_path, name, content):
    frame = read(name, content)
    assert list(frame.columns) == ["id", "text", "label"]
    assert rows(frame) == TABLE
    assert [cells for _, cells in open_table(str(tmp_path / name)).rows()] == TABLE


def test_row_names_of_r_are_an_index(read):
    content = '"text"\t"label"\n"1"\t"good, really"\t"a"\n"2"\t"bad"\t"b"\n'
    assert read("a.tsv", content).to_dict("list") == {"text": ["good, really", "bad"], "label": ["a", "b"]}


def test_a_semicolon_whose_first_line_has_more_commas(read):
    content = "Hello, my friend, it's me;1\nno commas;0\none, comma;1\n"
    assert rows(read("a.csv", content, header=False)) == [
        ["Hello, my friend, it's me", "1"], ["no commas", "0"], ["one, comma", "1"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        ["text", "Hello, world", "no comma", "a, b, c"],
        ["text", "Hello, world", "Bye, moon"],
        ["Well, well, well, she said", "no comma", "a, b", "another"],
        ["no comma", "a, b", "1,000 things; really", '"Hello," she said, "you"'],
        ["text", '"Wow" she said', '5" nail', '"quoted, by a program"'],
    ],
)
def test_one_column_of_texts_with_commas(read, tmp_path, lines):
    frame = read("a.csv", "\n".join(lines))
    program = ["quoted, by a program" if "program" in line else line for line in lines]
    assert (list(frame.columns), rows(frame)) == ([program[0]], [[line] for line in program[1:]])
    assert open_table(str(tmp_path / "a.csv")).dialect.delimiter == ","


def test_a_title_above_a_table_is_an_error(fails):
    assert "line 2: 2 cells, but the first line has 1" in fails("a.csv", "My export\nid;text\n1;abc\n").problem


def test_quotes_behind_backslashes(read):
    content = 'text,label\n"Ann said \\"no\\", twice",a\n"a ""b"" c",b\n"C:\\\\x \\"y\\"",c\n"ends \\"so\\"",d\n'
    assert read("a.csv", content)["text"].tolist() == ['Ann said "no", twice', 'a "b" c', 'C:\\x "y"', 'ends "so"']
    tabs = content.replace(",a\n", "\ta\n").replace(",label", "\tlabel")
    tabs = tabs.replace(",b\n", "\tb\n").replace(",c\n", "\tc\n").replace(",d\n", "\td\n")
    assert read("a.tsv", tabs)["text"].tolist() == ['Ann said "no", twice', 'a "b" c', 'C:\\x "y"', 'ends "so"']


def test_backslashes_that_are_ordinary(read):
    content = 'path,label\n"C:\\",a\n"D:\\x\\",b\n"E:\\ ""q""",c\nF:\\n,d\n'
    assert read("a.csv", content)["path"].tolist() == ["C:\\", "D:\\x\\", 'E:\\ "q"', "F:\\n"]


def test_an_empty_cell_behind_one_row_may_be_due_to_a_delimiter_in_its_text(fails):
    assert "line 3: 4 cells" in fails("a.csv", "text,label,user\na,1,x\nb, c,1,\nd,0,y\n").problem
