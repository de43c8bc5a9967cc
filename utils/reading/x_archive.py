"""Read the tweets in the official archive of an X (Twitter) account into columns of text; nothing else of it is opened.

The archive is a zip file, which may be unpacked. Its tweets are in data/tweets.js and, if there are many, also in
data/tweets-part1.js, …; older archives have tweet.js. The whole texts of long tweets are in data/note-tweet.js.
"""

import hashlib
import logging
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from utils.errors import DataError
from utils.reading.compressed import table_in_zip
from utils.reading.encodings import to_utf8, unreadable
from utils.reading.json_records import columns_of
from utils.reading.x_archive_file import CUT_OFF, objects_of
from utils.reading.x_notes import texts_of_notes

log = logging.getLogger(__name__)
# Zipping an unpacked archive again adds a folder above data/; the oldest archives, and the data folder itself, have
# no data/.
NOTES_FILE = re.compile(r"note-tweets?(?:-part[0-9]{1,4})?\.js")  # beside the tweets
TWEETS_FILE = re.compile(r"((?:(?:[^/]+/)?data/)?tweets?)(?:-part([0-9]{1,4}))?\.js")
LEAVES_FOLDER = re.compile(r"/|[A-Za-z]:|(?:.*/)?\.\.(?:/|\Z)|.*\\", re.DOTALL)
# A tweet takes 1 to 2 kB, so 2 GiB are over a million tweets. Different tweets are compressed about 10 times, 20,000
# copies of one tweet 136 times (187 at the slowest setting); a zip bomb reaches 1,030.
MAX_BYTES = 2 << 30
MAX_RATIO = 200
DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OverflowError, ValueError)
DOWNLOAD_AGAIN = "download the archive again from X"
UNPACK = "unpack the archive and name its data/tweets.js"
NO_TWEETS = (
    "expected data/tweets.js, as in X's own archive of an account; "
    "archives from before 2019 hold a tweets.csv: unpack it and name that file"
)
Parts = dict[str, Callable[[], bytes]]  # a file's name in errors → a function that reads it


def is_x_archive(path: Path) -> bool:
    """Return whether `path` is an archive's .zip, unpacked folder (or its data folder), or tweets.js; only by names.

    A .zip is one unless it holds other tables.
    """
    try:
        if path.is_dir():
            return bool(_tweets_files_in(path))
        if path.suffix.lower() == ".zip":
            return path.is_file() and table_in_zip(str(path)) is None
        return path.is_file() and bool(TWEETS_FILE.fullmatch(path.name))
    except OSError:
        return False


def read_x_archive(path: Path) -> tuple[dict[str, list[str | None]], str, str]:
    """Return columns of text with one row per tweet, the SHA-256 of the files' bytes, and a name of the source.

    The columns are the tweet's own keys; `in_reply_to_status_id_str` is always there, since an archive without it has
    no replies, even if texts start with @. `note_tweet.text` is there if a file of notes has the whole text of a tweet.
    Raises DataError if the archive is damaged, unsafe or without tweets.
    """
    names, notes = [], []
    try:
        if path.is_dir():
            names = _tweets_files(_tweets_files_in(path), path)
            beside = (path / names[0]).parent.iterdir()
            notes = _notes_files([file.relative_to(path).as_posix() for file in beside], names)
            read = partial(_file_in, path)
            columns, sha256 = _columns(_parts(path, names, read), _parts(path, notes, read))
        elif path.suffix.lower() == ".zip":
            with _opened(path) as archive:
                names = _tweets_files(set(archive.namelist()), path)
                notes = _notes_files(archive.namelist(), names)
                _check_size([archive.getinfo(name) for name in names + notes], path)
                read = partial(_unpacked, archive, path)
                columns, sha256 = _columns(_parts(path, names, read), _parts(path, notes, read))
        else:
            _warn_of_other_parts(path)
            beside = sorted(file for file in path.parent.iterdir() if NOTES_FILE.fullmatch(file.name))
            columns, sha256 = _columns({str(path): path.read_bytes}, {str(file): file.read_bytes for file in beside})
    except OSError as error:
        raise unreadable(str(path), error) from error
    return columns, sha256, f"{path}: {', '.join(names + notes)}" if names else str(path)


def _parts(path: Path, names: Sequence[str], read: Callable[[str], bytes]) -> Parts:
    return {f"{path}: {name}": partial(read, name) for name in names}


def _notes_files(names: Iterable[str], tweets_files: Sequence[str]) -> list[str]:
    """Return the files of notes that are in the folder of the tweets."""
    folder = tweets_files[0].rpartition("/")[0]
    split = sorted((name.rpartition("/") for name in names), key="".join)
    return ["".join(parts) for parts in split if parts[0] == folder and NOTES_FILE.fullmatch(parts[2])]


def _tweets_files_in(folder: Path) -> list[str]:
    places = [folder, folder / "data"]
    inside = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX"))]
    if len(inside) == 1:
        places.append(inside[0] / "data")
    files = [file for place in places for file in place.glob("tweet*.js") if file.is_file()]
    return [name for file in files if TWEETS_FILE.fullmatch(name := file.relative_to(folder).as_posix())]


def _tweets_files(names: Iterable[str], path: Path) -> list[str]:
    """Return the tweets files among `names`, by the number of the part."""
    files = sorted((match[1], int(match[2] or 0), name) for name in names if (match := TWEETS_FILE.fullmatch(name)))
    if not files:
        raise DataError(f"{path} holds no tweets file of X", NO_TWEETS)
    if len({stem for stem, _, _ in files}) > 1:
        several = ", ".join(name for _, _, name in files)
        raise DataError(f"{path} holds the tweets of several archives: {several}", "name one of these files, unpacked")
    if missing := sorted(set(range(files[-1][1])) - {part for _, part, _ in files}):
        log.warning("%s lacks part %s of the tweets; the others are read", path, ", ".join(map(str, missing)))
    return [name for _, _, name in files]


def _warn_of_other_parts(file: Path) -> None:
    names = sorted(other.name for other in file.parent.glob("tweet*.js") if other.name != file.name)
    if parts := [name for name in names if TWEETS_FILE.fullmatch(name)]:
        log.warning("%s is read without %s beside it; name the folder to read all", file, ", ".join(parts))


def _file_in(folder: Path, name: str) -> bytes:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise DataError(f"{folder}: {name} is a link that leaves the folder", "name the file that it leads to")
    return file.read_bytes()


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGES as error:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                hint = f"check the file, or {DOWNLOAD_AGAIN}"
                raise DataError(f"{path} is not a zip file, despite its name", hint) from error
        raise DataError(f"{path} is a damaged zip file, or only the beginning of one", DOWNLOAD_AGAIN) from error
    for member in archive.infolist():
        if LEAVES_FOLDER.match(member.orig_filename):
            archive.close()
            problem = f"{path}: its member {member.orig_filename!r} would be unpacked outside the archive's folder"
            raise DataError(problem, f"this is not an archive that X made; {DOWNLOAD_AGAIN}")
    return archive


def _check_size(members: Sequence[zipfile.ZipInfo], path: Path) -> None:
    size = sum(member.file_size for member in members)
    packed = min(sum(member.compress_size for member in members), path.stat().st_size)
    if size > min(MAX_BYTES, MAX_RATIO * packed):
        problem = f"{path}: its tweets would take {size:,} bytes, from {packed:,} in the zip file"
        limits = f"the limits are {MAX_BYTES:,} bytes and {MAX_RATIO} times as many as in the zip file"
        raise DataError(problem, f"{limits}; if you trust the archive, {UNPACK}")


def _unpacked(archive: zipfile.ZipFile, path: Path, name: str) -> bytes:
    member = archive.getinfo(name)
    if member.flag_bits & 0x1:
        raise DataError(f"{path}: {name} is encrypted", f"{UNPACK}, with the password")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # Python unpacks others without a limit
        method = zipfile.compressor_names.get(member.compress_type, member.compress_type)
        raise DataError(f"{path}: {name} is compressed by a method that is not supported, {method}", UNPACK)
    try:
        with archive.open(member) as file:
            data = file.read(member.file_size)  # never more, even of a damaged file
    except (*DAMAGES, OSError) as error:
        reason = str(error) or "it ends too early"
        raise DataError(f"{path}: {name} is damaged: {reason}", DOWNLOAD_AGAIN) from error
    if len(data) != member.file_size:
        raise DataError(f"{path}: {name} has {len(data):,} bytes instead of {member.file_size:,}", DOWNLOAD_AGAIN)
    return data


def _columns(tweets: Parts, notes: Parts) -> tuple[dict[str, list[str | None]], str]:
    """Return the columns of the tweets of all files, which are read one by one, and the SHA-256 of the bytes."""
    digest = hashlib.sha256()

    def objects(parts: Parts, key: str) -> Iterator[dict]:
        for label, read_bytes in parts.items():
            data = read_bytes()
            digest.update(data)
            data, _ = to_utf8(data, label)
            yield from objects_of(data, label, key)

    labels = ", ".join(tweets)
    try:
        columns = columns_of(objects(tweets, "tweet"), labels)
        found = list(objects(notes, "noteTweet"))
    except RecursionError as error:
        raise DataError(f"{labels}: the JSON of a tweet is too deeply nested", CUT_OFF) from error
    if not columns:
        raise DataError(f"{labels} holds no tweets", NO_TWEETS)
    none = [None] * len(next(iter(columns.values())))
    columns.setdefault("in_reply_to_status_id_str", none)
    texts = texts_of_notes(found, columns.get("full_text", none), columns.get("created_at", none)) if found else []
    if any(texts):
        columns["note_tweet.text"] = texts
    return columns, digest.hexdigest()
