"""preprocess.py --task emoji: reading, dropping with reasons, splitting, and refusals."""

import json
from pathlib import Path

import emoji
import pytest
from running import run_script
from small_models import random_model, tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import preprocess
from utils.models.tokenization import tokenizer_fingerprint
from utils.processed import load_processed
from utils.text.words import text_key

SAMPLE = Path(__file__).parent.parent.parent / "data" / "samples" / "emoji.csv"
HEADER = "emoji,name,group,sub_group,codepoints"
PLAIN = "\n".join(
    [
        *("😀,grinning face", "😂,face with tears of joy", "😉,winking face", "🦊,fox", "🐘,elephant", "🍎,red apple"),
        *("🍌,banana", "🥕,carrot", "🏠,house", "🔑,key", "🔨,hammer", "🎺,trumpet"),
    ]
)


@pytest.fixture
def call(tmp_path, capsys):
    """Run the script on a table of this text, or on another data path: exit code, stdout, stderr."""

    def calling(content, *words, name="emoji_df.csv", task=("--task", "emoji")):
        path = tmp_path / name
        if content is None:
            path = "builtin"
        else:
            path.write_text(content, encoding="utf-8")
        words = ["--data", path, "--output_path", tmp_path / "out" / "made.pkl", *task, *words]
        words += [] if "--model" in words else ["--model", "tiny"]
        code = run_script(preprocess.main, *words)
        return code, *capsys.readouterr()

    return calling


@pytest.fixture
def word_model(tmp_path):
    """The folder of a model whose tokenizer knows these characters alone."""

    def saved(characters):
        folder = tmp_path / "words"
        random_model("gpt2").save_pretrained(folder)
        vocabulary = {"[UNK]": 0, "<end>": 1} | {c: number for number, c in enumerate(dict.fromkeys(characters), 2)}
        core = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        core.decoder = decoders.Fuse()
        PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", eos_token="<end>").save_pretrained(folder)
        return folder

    return saved


def rows_of(data):
    """{description: what is written for it} of all splits."""
    return {
        row[0]: row[1] for split in data.splits.values() for row in zip(split.prompt, split.completion, strict=True)
    }


def pairs_of(data):
    """(description, emoji, language) of every row, sorted."""
    return sorted(
        row
        for split in data.splits.values()
        for row in zip(split.prompt, split.metadata["emoji"], split.metadata["language"], strict=True)
    )


# Output ---------------------------------------------------------------------------------------------------------------


def test_the_sample_table(made):
    data = made(SAMPLE.read_text(encoding="utf-8"))
    audit = data.audit
    assert audit["rows_read"] == 83
    assert audit["dropped"] == {"unqualified or minimally-qualified variant": 3}
    assert sum(audit["kept"].values()) == 80
    assert (audit["emoji"]["emoji"], audit["emoji"]["concepts"]) == (80, 66)
    assert audit["emoji"]["languages"] == {"unknown": 80}
    recipe = data.recipe
    names = ("task", "kind", "template", "labels", "cleaning", "target", "split_by", "aliases", "base_model", "seed")
    assert [recipe[name] for name in names] == [
        *("emoji", "emoji", "Description: {prompt}\nEmoji:", None, None, "emoji", "concept", [], "tiny", 42)
    ]
    targets = recipe["targets"]
    assert len(targets) == 80
    assert [text for text, *_ in targets] == sorted(rows_of(data).values())
    assert ["☹️", "☹️", "Smileys & Emotion", "2639"] in targets
    assert ["👩🏽\u200d🌾", "👩🏽\u200d🌾", "People & Body", "1F9D1 200D 1F33E"] in targets
    assert ["👨", "👨", "People & Body", "1F9D1"] in targets
    assert rows_of(data)["frowning face"] == "☹️"
    assert rows_of(data)["fast-forward button"] == "⏩"
    side = next(split for split in data.splits.values() if "shinto shrine" in split.prompt)
    row = side.prompt.index("shinto shrine")
    assert (side.completion[row], side.label[row], side.group[row]) == ("⛩️", None, "26E9")
    assert {name: values[row] for name, values in side.metadata.items()} == {
        "emoji": "⛩️",
        "group": "Travel & Places",
        "sub_group": "place-religious",
        "language": None,
    }


@pytest.mark.parametrize("target", ["emoji", "codepoints"])
def test_every_row_is_written_in_the_template(made, target):
    data = made(SAMPLE.read_text(encoding="utf-8"), "--emoji_target", target)
    tokenizer = tiny_tokenizer()
    assert data.recipe["target"] == target
    assert data.tokenizer["fingerprint"] == tokenizer_fingerprint(tokenizer)
    expected = {"codepoints": "1F3C3 200D 2640 FE0F", "emoji": "🏃\u200d♀️"}[target]
    assert rows_of(data)["woman running"] == expected
    assert [expected, "🏃\u200d♀️", "People & Body", "1F3C3"] in data.recipe["targets"]
    for split in data.splits.values():
        for ids, start, prompt, text in zip(split.ids, split.loss_start, split.prompt, split.completion, strict=True):
            assert tokenizer.decode(ids[1:start]) == f"Description: {prompt}\nEmoji:"
            assert tokenizer.decode(ids[start:-1]) == text
            assert ids[-1] == tokenizer.eos_token_id


def test_a_concept_is_in_one_split(made):
    data = made(SAMPLE.read_text(encoding="utf-8"))
    groups = [set(split.group) for split in data.splits.values()]
    assert [len(side) for side in groups] == [53, 7, 6]
    assert len(set.union(*groups)) == 66
    again = made(SAMPLE.read_text(encoding="utf-8"))
    assert again.splits == data.splits
    assert made(SAMPLE.read_text(encoding="utf-8"), "--seed", "7").splits != data.splits


def test_unseen_wordings_of_known_emoji(made):
    data = made(SAMPLE.read_text(encoding="utf-8"), "--split_by", "description", "--aliases", "en,fr")
    assert data.recipe["split_by"] == "description"
    assert data.recipe["aliases"] == ["en", "fr"]
    train = data.splits["train"]
    assert set(train.completion) == {text for text, *_ in data.recipe["targets"]}
    for name in ("validation", "test"):
        assert len(data.splits[name]) >= 0.09 * sum(data.audit["kept"].values())
        assert not {*map(text_key, data.splits[name].prompt)} & {*map(text_key, train.prompt)}


# Cousins of Kaggle's table --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("name,emoji", lambda text, points: text),
        ("Name,Code Points", lambda text, points: points),
        ("name,codepoint", lambda text, points: "-".join(f"U+{point}" for point in points.split())),
        ("name,unicode", lambda text, points: "".join(f"\\U{point:0>8}" for point in points.split())),
        ("short_name,emoji,hexcode", lambda text, points: f"{text},{points.lower()}"),
        ("name,codepoint_1,codepoint_2,codepoint_3", lambda text, points: ",".join([*points.split(), "", ""][:3])),
    ],
)
def test_cousins_of_the_table(made, header, line):
    emoji_of = dict(reversed(line.split(",")) for line in PLAIN.splitlines()) | {"man farmer": "👨\u200d🌾"}
    lines = (f"{name},{line(text, ' '.join(f'{ord(c):X}' for c in text))}" for name, text in emoji_of.items())
    data = made("\n".join([header, *lines]))
    assert rows_of(data) == emoji_of
    assert data.audit["dropped"] == {}


def test_the_language_of_a_description(made):
    data = made("\n".join(["emoji,name,Language", *(f"{line},EN" for line in PLAIN.splitlines()), "🐱,chat,"]))
    assert {language for _, text, language in pairs_of(data) if text != "🐱"} == {"en"}
    assert ("chat", "🐱", None) in pairs_of(data)


def test_names_alone(made):
    names = [line.partition(",")[2] for line in PLAIN.splitlines()]
    data = made("\n".join(["name", *names, "flag: Japan", "no such thing"]))
    assert rows_of(data) == {
        **{name: line.partition(",")[0] for name, line in zip(names, PLAIN.splitlines(), strict=True)},
        "flag: Japan": "🇯🇵",
    }
    assert data.audit["dropped"] == {"neither emoji nor code points, and no known name": 1}
    assert data.audit["cleaned"] == {"emoji found by its name": 13}


def test_variants_and_components_by_their_status(made):
    newer, newest = "\U0001faff", "\U0001fafe"
    data = made(
        "emoji,name,status\n"
        + "\n".join(f"{line},fully-qualified" for line in PLAIN.splitlines())
        + "\n🏻,light skin tone,component\n☹,frowning face,unqualified\n☹️,frowning face,fully-qualified"
        + f"\n❤,red heart,unqualified\n{newer},new thing,unqualified\n{newer}\ufe0f,new thing,fully-qualified"
        + f"\n{newest}\ufe0f,newest thing,fully-qualified\n{newest},newest thing,unqualified"
        + "\n🦊,Fox!,fully-qualified"
    )
    assert data.audit["dropped"] == {
        "component of other emoji": 1,
        "unqualified or minimally-qualified variant": 3,
        "exact duplicate": 1,
    }
    assert data.audit["cleaned"] == {
        "brought to the fully-qualified form": 1,
        "emoji newer than the emoji package, kept as they are": 2,
    }
    found = rows_of(data)
    assert found["newest thing"] == f"{newest}\ufe0f"
    assert (found["frowning face"], found["red heart"], found["new thing"]) == ("☹️", "❤️", f"{newer}\ufe0f")
    assert "light skin tone" not in found


def test_components_are_kept_if_there_is_nothing_else(made):
    tones = ["🏻,light", "🏼,medium-light", "🏽,medium", "🏾,medium-dark", "🏿,dark", "🦰,red hair"]
    assert len(rows_of(made("\n".join(["emoji,name", *tones])))) == 6


# The table of the emoji package ---------------------------------------------------------------------------------------


def test_the_builtin_table(made):
    data = made(None)
    known = {text for text, about in emoji.EMOJI_DATA.items() if about["status"] == emoji.STATUS["fully_qualified"]}
    assert {target[1] for target in data.recipe["targets"]} == known
    assert data.audit["rows_read"] == len(emoji.EMOJI_DATA)
    assert set(data.audit["dropped"]) == {"component of other emoji", "unqualified or minimally-qualified variant"}
    assert data.sources[0]["path"] == f"builtin (emoji {emoji.__version__})"
    assert rows_of(data)["man farmer"] == "👨\u200d🌾"
    assert set(pairs_of(data)) == {
        (emoji.EMOJI_DATA[text]["en"].strip(":").replace("_", " "), text, "en") for text in known
    }


def test_aliases_add_descriptions(made):
    data = made(f"emoji,name\n{PLAIN}\n🥶,Freezing Face", "--aliases", "en,fr", "--max_words", "2")
    found = pairs_of(data)
    assert [row for row in found if row[1] == "🥶"] == [
        ("Freezing Face", "🥶", None),
        ("cold face", "🥶", "en"),  # the French name is too long
    ]
    assert [row for row in found if row[1] == "😀"] == [
        ("grinning", "😀", "en"),
        ("grinning face", "😀", None),
        ("visage rieur", "😀", "fr"),
    ]
    assert data.sources[1]["path"].startswith("aliases en,fr (emoji ")
    audit = data.audit
    assert audit["rows_read"] == sum(source["rows"] for source in data.sources)
    assert audit["rows_read"] == sum(audit["kept"].values()) + sum(audit["dropped"].values())
    assert audit["dropped"].keys() == {"too long"}
    assert len(data.recipe["targets"]) == 13


def test_filters_and_samples(made):
    table = f"emoji,name\n{PLAIN}"
    data = made(table, "--exclude", "fox", "--min_words", "1", "--max_rows", "8")
    assert data.audit["dropped"] == {"excluded word": 1, "not sampled": 3}
    assert len(data.recipe["targets"]) == 12
    half = made(table, "--sample", "0.5")
    assert len(rows_of(half)) == 6
    assert rows_of(made(table, "--sample", "0.5")) == rows_of(half)


def test_shared_descriptions_are_reported(call):
    code, out, err = call(f"emoji,name\n{PLAIN}\n🗝,Key", "--json")
    assert code == 0
    assert json.loads(out)["emoji"]["shared_example"] == ["key", ["🔑", "🗝️"]]
    assert "shared by several emoji, such as 'key': 🔑, 🗝️" in err


# Bad input ------------------------------------------------------------------------------------------------------------


def test_bad_rows_are_dropped_and_counted(call, tmp_path):
    bad = [
        *("ðŸ˜­,loudly crying face,,,1F62D", "ðŸ??,broken,,,1F62D", "not an emoji,words,,,", "A,letter,,,0041"),
        *("😹,😹,,,1F639", "😹,a 😹 laughs,,,1F639", "😹,,,,1F639", "😹,dog face,,,1F436", "😹,cat,,,oops"),
        *("⏩,fast,,,23E9", "⛩,shrine,,,26E9", "☹,frowning,,,2.639E+03"),
    ]
    code, _, err = call("\n".join([HEADER, *(f"{line},,," for line in PLAIN.splitlines()), *bad]))
    assert code == 0, err
    data = load_processed(tmp_path / "out" / "made.pkl")
    assert data.audit["dropped"] == {
        "no description": 1,
        "description is an emoji": 1,
        "description contains its emoji": 1,
        "mojibake for an emoji": 1,
        "no emoji": 1,
        "unreadable code points": 1,
        "code points of no emoji": 1,
        "emoji and code points differ": 1,
    }
    assert data.audit["cleaned"] == {
        "mojibake in the emoji, repaired": 1,
        "code points that a spreadsheet made a number, taken from the emoji": 1,
        "brought to the fully-qualified form": 2,
    }
    found = rows_of(data)
    assert (found["loudly crying face"], found["fast"], found["shrine"]) == ("😭", "⏩", "⛩️")
    assert found["frowning"] == "☹️"
    warning = "warning: a spreadsheet turned 1 code points into numbers, first in "
    assert f"{warning}{tmp_path / 'emoji_df.csv'}, row 24, column 'codepoints': '2.639E+03'; the emoji is used" in err


@pytest.mark.parametrize("number", ["2.6E+10", "2.63E+03"])
def test_a_spreadsheets_numbers_without_an_emoji(refused, number):
    words = ["emoji_df.csv, row 2, column 'codepoints'", f"'{number}'", "a spreadsheet has turned"]
    hint = refused(3, words, f"name,codepoints\ngrinning face,1F600\nfrowning face,{number}\n")
    assert hint.startswith("export the table again with that column as text")


@pytest.mark.parametrize(
    "content",
    ["id,text,user\n1,hello there,ann\n2,hello you,bob\n", "emoji,group\n😀,faces\n", "Dear diary\nnothing today\n"],
)
def test_another_file_called_emoji_df(refused, content):
    columns = [repr(name) for name in content.partition("\n")[0].split(",")]
    words = ["emoji_df.csv is not a table of emoji; its columns are", ", ".join(columns), "expected a column"]
    assert "--text_column" in refused(3, words, content)


def test_a_column_of_descriptions_by_name(made, refused):
    table = "\n".join(["emoji,Title", *PLAIN.splitlines()])
    assert rows_of(made(table, "--text_column", "title"))["fox"] == "🦊"


def test_a_column_that_is_not_there(refused):
    refused(
        3,
        ["there is no column 'titel'; the columns are: 'emoji', 'name'"],
        "emoji,name\n😀,a",
        "--text_column",
        "titel",
    )


def test_no_usable_row(refused):
    words = ["all 2 rows were dropped: 1 mojibake for an emoji, 1 emoji and code points differ"]
    refused(3, words, "emoji,name,codepoints\nðŸ??,a,1F600\n😀,b,1F601\n")


def test_a_reason_that_drops_most_rows_gives_a_warning(call):
    wrong = "\n".join(f"🐱,cat {number},1F436" for number in range(13))
    table = "\n".join(["emoji,name,codepoints", *(f"{line}," for line in PLAIN.splitlines()), wrong])
    code, _, err = call(table)
    assert code == 0
    assert "warning: 13 of 25 rows were dropped: emoji and code points differ\n" in err
    assert "were dropped" not in call(table.rpartition("\n")[0])[2]


def test_another_word_order_is_not_a_new_wording(made):
    lines = [
        f"{line}\n{line.partition(',')[0]},{' '.join(reversed(line.partition(',')[2].split()))} {extra}".rstrip()
        for line in PLAIN.splitlines()
        for extra in ("", "thing")
    ]
    data = made("\n".join(["emoji,name", *lines]), "--split_by", "description")
    wordings = [{tuple(sorted(text.casefold().split())) for text in split.prompt} for split in data.splits.values()]
    assert sum(map(len, wordings)) == len(set.union(*wordings)) == 24
    assert sum(data.audit["kept"].values()) > 24


def test_too_few_concepts(refused):
    refused(3, ["too few for three splits"], "emoji,name\n👋,a\n👋🏻,b\n👋🏿,c\n😀,d\n")


def test_too_few_descriptions(refused):
    hint = refused(
        3, ["too few of the 12 emoji have two descriptions"], f"emoji,name\n{PLAIN}", "--split_by", "description"
    )
    assert "--aliases en" in hint


def test_an_emoji_that_the_tokenizer_cannot_encode(call, word_model, tmp_path):
    characters = "".join(chr(point) for point in range(32, 127)) + "\n" + PLAIN.replace("🦊", "")
    code, _, err = call(f"emoji,name\n{PLAIN}", "--model", word_model(characters))
    assert code == 0, err
    data = load_processed(tmp_path / "out" / "made.pkl")
    assert data.audit["dropped"] == {"emoji that the tokenizer cannot encode in whole": 1}
    assert "warning: the tokenizer cannot encode 1 of the emoji, e.g. 🦊 (1F98A)" in err
    assert "🦊" not in [text for text, *_ in data.recipe["targets"]]


def test_a_tokenizer_that_can_encode_no_emoji(refused, word_model):
    letters = "".join(chr(point) for point in range(32, 127)) + "\n"
    words = ["cannot encode any of the 12 emoji, e.g. 😀 (1F600)"]
    hint = refused(3, words, f"emoji,name\n{PLAIN}", "--model", word_model(letters))
    assert hint.endswith("or --emoji_target codepoints")


def test_letters_alone_are_enough_for_code_points(made, word_model):
    letters = "".join(chr(point) for point in range(32, 127)) + "\n"
    data = made(f"emoji,name\n{PLAIN}", "--emoji_target", "codepoints", "--model", word_model(letters))
    assert rows_of(data)["fox"] == "1F98A"


# Flags ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("--no_header",),
        ("--lang", "fr"),
        ("--hashtags", "keep"),
        ("--keep_replies",),
        ("--num_proc", "2"),
        ("--scrape", "telegram-channel", "cats"),
    ],
)
def test_flags_that_do_nothing_for_emoji(refused, words):
    refused(2, [f"{words[0]} is for ", "not for tables of emoji"], f"emoji,name\n{PLAIN}", *words)


@pytest.mark.parametrize("words", [("--label_column", "group"), ("--template", "plain"), ("--multi_turn",)])
def test_flags_of_other_tasks(refused, words):
    refused(2, [f"{words[0]} is for "], f"emoji,name\n{PLAIN}", *words)


@pytest.mark.parametrize("words", [("--emoji_target", "emoji"), ("--split_by", "concept"), ("--aliases", "en")])
@pytest.mark.parametrize("task", ["tweets", "reviews", "alpaca"])
def test_flags_of_emoji_for_other_tasks(refused, words, task):
    hint = refused(2, [f"{words[0]} is for tables of emoji"], "text\nhello\n", *words, task=("--task", task))
    assert hint == "remove it, or choose --task emoji"


def test_an_unknown_language(refused):
    hint = refused(2, ["--aliases 'xx'"], None, "--aliases", "en,xx")
    assert hint.startswith("choose from ar, de, en, es, fa, fr,")
