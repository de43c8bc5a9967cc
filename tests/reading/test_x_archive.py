"""The tweets of an X archive, that nothing else in it is opened, and the errors for unusable archives."""

import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import EXIT_BAD_DATA, DataError
from utils.reading.read_frame import read_frame
from utils.reading.x_archive import is_x_archive, read_x_archive
from utils.tasks.posts import to_rows

ROOT = Path(__file__).parent.parent.parent
AGAIN = "download the archive again from X"
UNPACK = "unpack the archive and name its data/tweets.js"
CUT_OFF = "the file is cut off or was changed; unpack or download the archive again"
EXPECTED = 'window.YTD.tweets.part0 = [{"tweet": {"full_text": "…"}}, …]'
NO_TWEETS = (
    "expected data/tweets.js, as in X's own archive of an account; "
    "archives from before 2019 hold a tweets.csv: unpack it and name that file"
)


def tweet(text, **more):
    """A tweet as the archive has it: ids and counts are texts."""
    return {
        "retweeted": False,
        "entities": {"hashtags": [], "user_mentions": [], "urls": []},
        "id_str": "1234567890123456789",
        "favorite_count": "3",
        "created_at": "Wed Nov 21 10:00:00 +0000 2018",
        "full_text": text,
        "lang": "fr",
        **more,
    }


def js(*tweets, start="window.YTD.tweets.part0 = ", wrap=True, **options):
    elements = [{"tweet": one} if wrap else one for one in tweets]
    return (start + json.dumps(elements, ensure_ascii=False, **options)).encode()


ONE = js(tweet("Été &amp; mer 🌊"), indent=2)


def write_zip(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_folder(folder, members):
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


FLAGS, METHOD, CRC, SIZE = (8, "<H"), (10, "<H"), (16, "<I"), (24, "<I")


def patch(path, name, field, value):
    """Change one field of the member `name` in the zip's directory."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    while data[start + 46 :][: len(name)] != name.encode():
        start = data.index(b"PK\x01\x02", start + 1)
    offset, kind = field
    struct.pack_into(kind, data, start + offset, value)
    path.write_bytes(data)
    return path


def fails(path, problem, hint):
    """Reading fails with exactly this, said in one line each."""
    with pytest.raises(DataError) as caught:
        read_x_archive(path)
    assert caught.value.exit_code == EXIT_BAD_DATA
    assert (caught.value.problem, caught.value.hint) == (problem, hint)
    assert "\n" not in problem + hint


def texts(path):
    return read_x_archive(path)[0]["full_text"]


# --- what is read


def test_cells_are_text_as_the_archive_spells_them(tmp_path):
    content = js(
        tweet("a\nb", id=2**63 + 1, score=1e5, coordinates=None),
        tweet("c", truncated=True, in_reply_to_status_id_str="7"),
    ).replace(b"100000.0", b"1e5")
    columns, sha256, name = read_x_archive(write_zip(tmp_path / "a.zip", {"data/tweets.js": content}))
    assert columns == {
        "retweeted": ["false", "false"],
        "entities": ['{"hashtags":[],"user_mentions":[],"urls":[]}'] * 2,
        "id_str": ["1234567890123456789"] * 2,
        "favorite_count": ["3", "3"],
        "created_at": ["Wed Nov 21 10:00:00 +0000 2018"] * 2,
        "full_text": ["a\nb", "c"],
        "lang": ["fr", "fr"],
        "id": ["9223372036854775809", None],
        "score": ["1e5", None],
        "coordinates": [None, None],
        "truncated": [None, "true"],
        "in_reply_to_status_id_str": [None, "7"],
    }
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert name == f"{tmp_path / 'a.zip'}: data/tweets.js"


@pytest.mark.parametrize(
    "name", ["data/tweets.js", "data/tweet.js", "twitter-2022-11-20-ab12/data/tweets.js", "tweet.js", "tweets.js"]
)
def test_zip_folder_and_file_give_the_same(tmp_path, name):
    packed = write_zip(tmp_path / "a.ZIP", {name: ONE, "data/account.js": b"x", "__MACOSX/data/._tweets.js": b"x"})
    folder = write_folder(tmp_path / "a", {name: ONE, "__MACOSX/._x": b"x", ".DS_Store": b"x"})
    file = folder / name
    assert all(is_x_archive(path) for path in (packed, folder, file, file.parent))
    columns, sha256, _ = read_x_archive(packed)
    assert columns["full_text"] == ["Été &amp; mer 🌊"]
    assert read_x_archive(packed)[2] == f"{packed}: {name}"
    assert read_x_archive(folder) == (columns, sha256, f"{folder}: {name}")
    assert read_x_archive(file.parent) == (columns, sha256, f"{file.parent}: {file.name}")
    assert read_x_archive(file) == (columns, sha256, str(file))


@pytest.mark.parametrize(
    "content",
    [
        js(tweet("x"), tweet("y"), start="window.YTD.tweet.part0 = ", wrap=False, indent=2),
        js(tweet("x"), tweet("y"), start="window.YTD.tweets.part12=", separators=(",", ":")),
        js(tweet("x"), tweet("y"), start="") + b"\n;\n",
        b"\xef\xbb\xbf \n" + js(tweet("x"), tweet("y"), indent=1).replace(b"\n", b"\r\n"),
    ],
)
def test_shapes_of_tweets_files(tmp_path, content):
    assert texts(write_folder(tmp_path, {"tweets.js": content})) == ["x", "y"]


def test_parts_are_read_in_numeric_order(tmp_path):
    members = {f"data/tweets-part{n}.js": js(tweet(str(n))) for n in (10, 2, 1, 9, 3, 8, 4, 5, 7, 6)}
    members["data/tweets.js"] = js(tweet("0"), tweet("zero"))
    names = ["data/tweets.js", *(f"data/tweets-part{n}.js" for n in range(1, 11))]
    whole = hashlib.sha256(b"".join(members[name] for name in names)).hexdigest()
    for path in (write_zip(tmp_path / "a.zip", members), write_folder(tmp_path / "a", members)):
        columns, sha256, label = read_x_archive(path)
        assert columns["full_text"] == ["0", "zero", *map(str, range(1, 11))]
        assert sha256 == whole
        assert label == f"{path}: {', '.join(names)}"


def test_a_missing_part_and_a_part_read_alone_are_reported(tmp_path, caplog):
    folder = write_folder(tmp_path, {f"data/tweets{part}.js": ONE for part in ("", "-part1", "-part4")})
    assert len(texts(folder)) == 3
    assert caplog.messages == [f"{folder} lacks part 2, 3 of the tweets; the others are read"]
    caplog.clear()
    alone = folder / "data" / "tweets-part1.js"
    assert len(texts(alone)) == 1
    assert caplog.messages == [
        f"{alone} is read without tweets-part4.js, tweets.js beside it; name the folder to read all"
    ]


def test_an_ordinary_archive_is_read_without_a_word(tmp_path, caplog):
    texts(write_zip(tmp_path / "a.zip", {"data/tweets.js": ONE}))
    texts(write_folder(tmp_path / "a", {"data/tweets.js": ONE}) / "data" / "tweets.js")
    assert caplog.text == ""


def test_texts_across_the_pieces_in_which_a_file_is_decoded(tmp_path):
    expected = [f"{n} é🌊" * (n % 50 + 1) for n in range(10_000)] + ["🌊" * 900_000, "a" * 3_000_000, "end"]
    path = write_folder(tmp_path, {"tweets.js": js(*({"full_text": text} for text in expected), indent=1)})
    assert texts(path) == expected


def test_replies_and_retweets_are_told_apart(tmp_path):
    to_user = {"in_reply_to_user_id_str": "9", "in_reply_to_user_id": "9", "in_reply_to_screen_name": "ann"}
    to_tweet = {"in_reply_to_status_id": "7", "in_reply_to_status_id_str": "7", **to_user}
    tweets = [
        tweet("@ann is who I mean"),
        tweet("I agree", **to_tweet),
        tweet("RT @ann: the news"),
        tweet("@ann hello", **to_user),
        tweet("plain", in_reply_to_status_id_str=None),
    ]
    frame, (source,) = read_frame([write_zip(tmp_path / "a.zip", {"data/tweets.js": js(*tweets)})])
    rows = to_rows(frame, "full_text")
    assert rows["text"].tolist() == [one["full_text"] for one in tweets]
    assert rows["is_reply"].tolist() == [False, True, False, True, False]
    assert rows["is_retweet"].tolist() == [False, False, True, False, False]
    assert rows["language"].tolist() == ["fr"] * 5
    assert source.rows == 5


def test_long_tweets_are_completed_from_the_notes(tmp_path):
    long = "We walked along the river & the street came out to look " * 8
    cut = long.replace("&", "&amp;")[:270] + "… https://t.co/abc"
    tweets = js(tweet(cut, created_at="Wed Nov 21 10:00:00 +0000 2018"), tweet("short"))
    core = {"text": long, "mentions": [], "urls": []}
    note = {"noteTweet": {"noteTweetId": "9", "createdAt": "2018-11-21T10:00:00.000Z", "core": core}}
    members = {
        "data/tweets.js": tweets,
        "data/note-tweet.js": b"window.YTD.note_tweet.part0 = " + json.dumps([note]).encode(),
        "data/deleted-note-tweet.js": b"x",
        "other/note-tweet.js": b"x",
    }
    packed = write_zip(tmp_path / "a.zip", members)
    folder = write_folder(tmp_path / "a", {name: members[name] for name in list(members)[:3]})
    columns, sha256, name = read_x_archive(packed)
    assert columns["note_tweet.text"] == [long, None]
    assert name == f"{packed}: data/tweets.js, data/note-tweet.js"
    assert sha256 == hashlib.sha256(tweets + members["data/note-tweet.js"]).hexdigest()
    assert read_x_archive(folder)[:2] == read_x_archive(folder / "data" / "tweets.js")[:2] == (columns, sha256)
    rows = to_rows(read_frame([packed])[0], "full_text")
    assert rows["text"].tolist() == [long, "short"]
    assert not rows["is_cut"].any()


def test_damaged_notes_are_an_error_that_names_them(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"data/tweets.js": ONE, "data/note-tweet.js": ONE})
    problem = f"{path}: data/note-tweet.js starts with 'window.YTD.tweets.part0 = [\\n  {{\\n    \"twe'"
    expected = 'window.YTD.note_tweet.part0 = [{"noteTweet": {"core": {"text": "…"}}}, …]'
    fails(path, f"{problem}; expected {expected}", "name the tweets.js of an archive that X made")


@pytest.mark.parametrize(("more", "is_reply"), [({}, False), ({"in_reply_to_user_id_str": "9"}, True)])
def test_an_archive_without_ids_of_answered_tweets(tmp_path, more, is_reply):
    frame, _ = read_frame([write_folder(tmp_path, {"data/tweets.js": js(tweet("@ann hello", **more))})])
    assert to_rows(frame, "full_text")["is_reply"].tolist() == [is_reply]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tweets.js", True),
        ("tweet.js", True),
        ("tweets-part3.js", True),
        ("a.zip", True),
        ("deleted-tweets.js", False),
        ("community-tweet.js", False),
        ("note-tweet.js", False),
        ("tweet-headers.js", False),
        ("tweets.json", False),
        ("tweets.csv", False),
        ("tweets.js/x.csv", False),
        ("sub/a.zip", False),
        ("data/deleted-tweets.js", False),
        ("data/js/tweets/2013_04.js", False),
        ("one/two/three/data/tweets.js", False),
    ],
)
def test_is_archive(tmp_path, name, expected):
    write_folder(tmp_path, {name: b""})
    assert is_x_archive(tmp_path / Path(name).parts[0]) == expected


def test_is_archive_of_other_paths(tmp_path):
    assert not is_x_archive(tmp_path)
    assert not is_x_archive(tmp_path / "none.zip")
    assert not is_x_archive(Path("a" * 5000 + ".zip"))
    both = write_folder(tmp_path, {"one/data/tweets.js": ONE, "texts.csv": b"text\nx\n"})
    assert not is_x_archive(both)


# --- nothing else is opened


def test_other_members_of_a_zip_are_not_opened(tmp_path):
    others = ["direct-messages.js", "account.js", "deleted-tweets.js", "community-tweet.js", "deleted-note-tweet.js"]
    members = {f"data/{name}": os.urandom(500) for name in others} | {"data/tweets.js": ONE}
    path = write_zip(tmp_path / "a.zip", members)
    for name in others[:3]:
        patch(path, f"data/{name}", CRC, 1)
    patch(path, "data/community-tweet.js", FLAGS, 1)
    patch(path, "data/deleted-note-tweet.js", METHOD, 99)
    with zipfile.ZipFile(path) as archive:
        for name in others:
            with pytest.raises((zipfile.BadZipFile, RuntimeError)):
                archive.read(f"data/{name}")
    assert texts(path) == ["Été &amp; mer 🌊"]


def test_other_files_of_a_folder_are_not_opened(tmp_path):
    members = {
        f"data/{name}.js": b"x" for name in ("direct-messages", "account", "deleted-tweets", "deleted-note-tweet")
    }
    write_folder(tmp_path, members | {"data/tweets.js": ONE, "data/tweets-part1.js": ONE})
    code = (
        "import sys; from pathlib import Path; from utils.reading import x_archive\n"
        "def see(event, details):\n"
        "    if event == 'open' and str(details[0]).startswith(sys.argv[1]): print(Path(details[0]).name)\n"
        "sys.addaudithook(see); x_archive.read_x_archive(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["tweets.js", "tweets-part1.js"]


# --- without tweets


def test_archive_without_tweets(tmp_path):
    packed = write_zip(
        tmp_path / "a.zip", {"data/account.js": b"x", "data/deleted-tweets.js": ONE, "b/c/tweets.js": ONE}
    )
    fails(packed, f"{packed} holds no tweets file of X", NO_TWEETS)
    fails(write_zip(tmp_path / "empty.zip", {}), f"{tmp_path / 'empty.zip'} holds no tweets file of X", NO_TWEETS)
    folder = write_folder(tmp_path / "a", {"data/account.js": b"x"})
    fails(folder, f"{folder} holds no tweets file of X", NO_TWEETS)


def test_empty_list(tmp_path):
    members = {"data/tweets.js": b"window.YTD.tweets.part0 = [ ]", "data/tweets-part1.js": b"[]"}
    path = write_zip(tmp_path / "a.zip", members)
    fails(path, f"{path}: data/tweets.js, {path}: data/tweets-part1.js holds no tweets", NO_TWEETS)


def test_several_archives_in_one(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"one/data/tweets.js": ONE, "two/data/tweets.js": ONE})
    problem = f"{path} holds the tweets of several archives: one/data/tweets.js, two/data/tweets.js"
    fails(path, problem, "name one of these files, unpacked")


# --- unsafe


def test_encrypted_zip(tmp_path):
    path = patch(write_zip(tmp_path / "a.zip", {"data/tweets.js": ONE}), "data/tweets.js", FLAGS, 1)
    fails(path, f"{path}: data/tweets.js is encrypted", f"{UNPACK}, with the password")


@pytest.mark.parametrize(
    "member",
    [
        "../data/tweets.js",
        "/data/tweets.js",
        "data/../../x.js",
        "data\\tweets.js",
        "..",
        "C:/x.js",
        "data/..",
        "a\n/../b",
    ],
)
@pytest.mark.parametrize("more", [{"data/tweets.js": ONE}, {}])
def test_member_that_leaves_the_folder(tmp_path, member, more):
    path = write_zip(tmp_path / "a.zip", {member: ONE, **more})
    problem = f"{path}: its member {member!r} would be unpacked outside the archive's folder"
    fails(path, problem, f"this is not an archive that X made; {AGAIN}")


def test_dots_in_ordinary_names(tmp_path):
    names = ["data/a..b.jpg", "data/..c", "assets/d../e", "data/12:30.jpg"]
    assert len(texts(write_zip(tmp_path / "a.zip", dict.fromkeys(names, b"") | {"data/tweets.js": ONE}))) == 1


def test_links_that_leave_the_folder(tmp_path):
    write_folder(tmp_path, {"secret.js": ONE, "far/tweets.js": ONE})
    hint = "name the file that it leads to"
    file_link = write_folder(tmp_path / "a", {"data/account.js": b"x"})
    (file_link / "data" / "tweets.js").symlink_to("../../secret.js")
    fails(file_link, f"{file_link}: data/tweets.js is a link that leaves the folder", hint)
    fails(file_link / "data", f"{file_link / 'data'}: tweets.js is a link that leaves the folder", hint)
    folder_link = write_folder(tmp_path / "b", {"x": b"x"})
    (folder_link / "data").symlink_to(tmp_path / "far")
    fails(folder_link, f"{folder_link}: data/tweets.js is a link that leaves the folder", hint)


def test_links_that_stay_or_lead_nowhere(tmp_path):
    inside = write_folder(tmp_path / "a", {"kept/t.js": ONE, "data/x": b""})
    (inside / "data" / "tweets.js").symlink_to("../kept/t.js")
    assert len(texts(inside)) == 1
    (tmp_path / "linked").symlink_to(inside)
    assert len(texts(tmp_path / "linked")) == 1
    nowhere = write_folder(tmp_path / "b", {"data/x": b""})
    (nowhere / "data" / "tweets.js").symlink_to("tweets.js")
    assert not is_x_archive(nowhere)


def test_zip_bomb_by_its_own_account(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"data/tweets.js": ONE + b" " * 5_000_000})
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("data/tweets.js")
    fails(path, *too_large(path, member.file_size, member.compress_size))


def too_large(path, size, packed):
    problem = f"{path}: its tweets would take {size:,} bytes, from {packed:,} in the zip file"
    limits = "the limits are 2,147,483,648 bytes and 200 times as many as in the zip file"
    return problem, f"{limits}; if you trust the archive, {UNPACK}"


def test_more_tweets_than_the_limit(tmp_path):
    packed = 11 << 20  # so that 200 times as many would be allowed
    path = write_zip(tmp_path / "a.zip", {"data/tweets.js": bytes(packed)}, zipfile.ZIP_STORED)
    patch(path, "data/tweets.js", SIZE, (2 << 30) + 1)
    fails(path, *too_large(path, (2 << 30) + 1, packed))


def test_members_that_share_their_bytes_or_lie_about_them_are_measured_by_the_file(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"data/tweets.js": ONE + b" " * 5_000_000})
    size = path.stat().st_size
    patch(path, "data/tweets.js", (20, "<I"), 1 << 30)  # the compressed size
    fails(path, *too_large(path, len(ONE) + 5_000_000, size))


@pytest.mark.parametrize("with_crc", [True, False])
def test_a_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path, with_crc):
    path = write_zip(tmp_path / "a.zip", {"data/tweets.js": ONE + b" " * 50_000_000})
    patch(path, "data/tweets.js", SIZE, len(ONE))
    if with_crc:
        patch(path, "data/tweets.js", CRC, zlib.crc32(ONE))
    tracemalloc.start()
    try:
        if with_crc:
            assert len(texts(path)) == 1
        else:
            fails(path, f"{path}: data/tweets.js is damaged: Bad CRC-32 for file 'data/tweets.js'", AGAIN)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_member_that_is_smaller_than_it_says(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"data/tweets.js": ONE})
    patch(path, "data/tweets.js", SIZE, len(ONE) + 1_000)
    problem = f"{path}: data/tweets.js has {len(ONE):,} bytes instead of {len(ONE) + 1_000:,}"
    fails(path, problem, AGAIN)


# --- damaged


def test_no_zip_despite_its_name(tmp_path):
    for content in (b"", b"text\nx\n", b"\x1f\x8b" * 50):
        (tmp_path / "a.zip").write_bytes(content)
        problem = f"{tmp_path / 'a.zip'} is not a zip file, despite its name"
        fails(tmp_path / "a.zip", problem, f"check the file, or {AGAIN}")


def test_truncated_zip(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"data/tweets.js": ONE})
    path.write_bytes(path.read_bytes()[:-30])
    fails(path, f"{path} is a damaged zip file, or only the beginning of one", AGAIN)


def test_damaged_member(tmp_path):
    path = patch(write_zip(tmp_path / "a.zip", {"data/tweets.js": ONE}), "data/tweets.js", CRC, 1)
    fails(path, f"{path}: data/tweets.js is damaged: Bad CRC-32 for file 'data/tweets.js'", AGAIN)
    path.write_bytes(path.read_bytes().replace(b"PK\x03\x04", b"XX\x03\x04"))
    fails(path, f"{path}: data/tweets.js is damaged: Bad magic number for file header", AGAIN)


@pytest.mark.parametrize(
    ("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma"), (93, "93"), (9, "deflate64")]
)
def test_unsupported_compression(tmp_path, method, name):
    path = patch(write_zip(tmp_path / "a.zip", {"data/tweets.js": ONE}), "data/tweets.js", METHOD, method)
    fails(path, f"{path}: data/tweets.js is compressed by a method that is not supported, {name}", UNPACK)


def test_unreadable_folder_and_file(tmp_path):
    fails(tmp_path / "tweets.js", f"cannot read {tmp_path / 'tweets.js'}: No such file or directory", READABLE)
    path = write_folder(tmp_path, {"tweets.js": ONE}) / "tweets.js"
    path.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        tmp_path.chmod(0o755)
        os.seteuid(65534)
    try:
        with pytest.raises(DataError) as caught:
            read_x_archive(path)
    finally:
        if is_root:
            os.seteuid(0)
    assert caught.value.problem == f"cannot read {path}: Permission denied"


READABLE = "check the path and the file's permissions"


# --- tweets.js


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'window.YTD.tweets.part0 = [\n  {"tweet": {"full_text": "x"}},\n  {"tweet": {"full', "line 3, column 14"),
        (b'window.YTD.tweets.part0 = [\n  {"tweet": {"full_text": "x"}},', "line 2, column 33"),
        (b'window.YTD.tweets.part0 = [\n  {"tweet": {"full_text": "x"}}', "line 2, column 32"),
        (b'window.YTD.tweets.part0 = [ {"tweet": {"full_text": x}}]', "line 1, column 53"),
        (b'[{"tweet": {"full_text": "x"}}\n {"tweet": {}}]', "line 2, column 2"),
        (b'[{"full_text": "x"}]\nwindow.YTD', "line 1, column 21"),
        (b"window.YTD.tweets.part0 = [", "line 1, column 28"),
    ],
)
def test_invalid_json_names_line_and_column(tmp_path, content, where):
    path = write_zip(tmp_path / "a.zip", {"data/tweets.js": content})
    with pytest.raises(DataError) as caught:
        read_x_archive(path)
    assert caught.value.problem.startswith(f"{path}: data/tweets.js, {where}: invalid JSON, ")
    assert caught.value.hint == CUT_OFF


def test_invalid_json_far_into_the_file(tmp_path):
    good = [f' {{"tweet": {{"full_text": "{"é🌊" * 500}"}}}}' for _ in range(2_000)]
    content = ("[\n" + ",\n".join([*good, ' {"tweet": oops}', *good]) + "]").encode()
    path = write_folder(tmp_path, {"tweets.js": content}) / "tweets.js"
    fails(path, f"{path}, line 2002, column 12: invalid JSON, Expecting value", CUT_OFF)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"window.YTD.direct_messages.part0 = [ {} ]", "starts with 'window.YTD.direct_messages.part0 = [ {} '"),
        (b"<html>\n", "starts with '<html>\\n'"),
        (b'{"tweet": {}}', "starts with '{\"tweet\": {}}'"),
        (b"window.YTD.tweets.part0 = {}", "starts with 'window.YTD.tweets.part0 = {}'"),
    ],
)
def test_other_content(tmp_path, content, found):
    path = write_folder(tmp_path, {"tweets.js": content}) / "tweets.js"
    fails(path, f"{path} {found}; expected {EXPECTED}", "name the tweets.js of an archive that X made")


@pytest.mark.parametrize("element", ["3", '"x"', "null", "[]", '{"tweet": "x"}', '{"tweet": null}'])
def test_element_that_is_no_tweet(tmp_path, element):
    content = '[{"tweet": {"full_text": "x"}}, ' + element + "]"
    path = write_folder(tmp_path, {"tweets.js": content.encode()}) / "tweets.js"
    fails(path, f"{path}: element 2 of the list is not a tweet", f"expected {EXPECTED}")


def test_json_that_python_refuses(tmp_path):
    path = write_folder(tmp_path, {"tweets.js": b"[" * 100_000}) / "tweets.js"
    fails(path, f"{path}: the JSON of a tweet is too deeply nested", CUT_OFF)
    path.write_bytes(b'[{"id": ' + b"9" * 5_000 + b"}]")
    fails(path, f"{path}: a number of too many digits", CUT_OFF)


# --- whatever comes, no traceback


def read_or_refuse(path):
    try:
        columns, _, _ = read_x_archive(path)
    except DataError as error:
        assert "\n" not in error.problem + error.hint
    else:
        assert len({len(column) for column in columns.values()}) == 1


JS_PIECES = st.sampled_from([ONE, b"window.YTD.tweets.part0 = ", b"[", b"]", b"{", b"}", b",", b'"tweet":', b'{"a":1}'])


@given(st.one_of(st.binary(), st.lists(st.one_of(JS_PIECES, st.binary(max_size=4))).map(b"".join)))
@settings(max_examples=200, deadline=None)
def test_any_bytes_as_tweets_file(tmp_path_factory, content):
    read_or_refuse(write_folder(tmp_path_factory.getbasetemp(), {"any/tweets.js": content}) / "tweets.js")


BUFFER = io.BytesIO()
write_zip(BUFFER, {"data/account.js": b"x", "data/tweets.js": ONE, "data/tweets-part1.js": ONE})
ZIP = BUFFER.getvalue()


def test_every_truncation_of_a_zip(tmp_path):
    path = tmp_path / "a.zip"
    for length in range(len(ZIP)):
        path.write_bytes(ZIP[:length])
        with pytest.raises(DataError):
            read_x_archive(path)


CHANGES = st.lists(st.tuples(st.integers(0, len(ZIP) - 1), st.integers(0, 255)), min_size=1, max_size=6)


@given(CHANGES)
@settings(max_examples=300, deadline=None)
def test_any_bytes_changed_in_a_zip(tmp_path_factory, changes):
    data = bytearray(ZIP)
    for position, value in changes:
        data[position] = value
    path = tmp_path_factory.getbasetemp() / "changed.zip"
    path.write_bytes(data)
    read_or_refuse(path)


def test_importing_it_imports_nothing_slow():
    slow = "{'pandas', 'numpy', 'torch', 'charset_normalizer'}"
    code = f"import sys, utils.reading.x_archive; print({slow} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "set()\n"
