"""Small good files, by the name that a reader knows them by, from which the damaged ones are made."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

TEXTS = (
    *(
        "The sea is very blue today",
        "I don't like the rain at all",
        "Café, “quotes” and one 😀 emoji",
        "#tags in http://a.co/b @you",
    ),
    *(
        "Nothing is as good as bread",
        "My dog barks: louder & louder",
        "We walk home when it snows",
        "“No”, she said (and left)",
    ),
    *(
        "Seven birds sat on a wire",
        "Lunch was late <b>again</b> today",
        "Who reads these old books?",
        "Trains stop here at night…",
    ),
)
CELLS = [["id", "text", "label", "date"], *([str(n), text, str(n % 2), "2020-01-01"] for n, text in enumerate(TEXTS))]
TABLE = "".join(",".join(f'"{cell}"' if " " in cell else cell for cell in row) + "\n" for row in CELLS)
LINES = "".join(json.dumps({"id": str(n), "text": text, "lang": "en"}) + "\n" for n, text in enumerate(TEXTS))
OUTBOX = {
    "@context": "https://www.w3.org/ns/activitystreams",
    "orderedItems": [
        {
            "id": f"https://a.b/{n}/activity",
            "type": "Create",
            "actor": "https://a.b/users/me",
            "published": "2020-01-01",
            "to": ["https://www.w3.org/ns/activitystreams#Public"],
            "cc": [],
            "object": {
                "id": f"https://a.b/{n}",
                "type": "Note",
                "content": f"<p>{text}</p>",
                "tag": [],
                "contentMap": {"en": text},
            },
        }
        for n, text in enumerate(TEXTS)
    ],
}
TWEETS = "window.YTD.tweets.part0 = " + json.dumps(
    [
        {"tweet": {"id_str": str(n), "full_text": text, "created_at": "Wed Oct 10 20:19:24 +0000 2018", "lang": "en"}}
        for n, text in enumerate(TEXTS)
    ]
)
NOTES = (
    'window.YTD.note_tweet.part0 = [{"noteTweet": {"createdAt": "2018-10-10T20:19:24Z", "core": {"text": "The sea"}}}]'
)
ALPACA = [{"instruction": f"Say what {n} is", "input": text, "output": f"It is {text}"} for n, text in enumerate(TEXTS)]
SHARE_GPT = [
    {"id": str(n), "conversations": [{"from": "human", "value": f"Hi {n}"}, {"from": "gpt", "value": text}]}
    for n, text in enumerate(TEXTS)
]
MESSAGES = [
    {
        "messages": [
            {"role": "user", "content": f"Hi {n}"},
            {"role": "assistant", "content": [{"type": "text", "text": text}]},
        ]
    }
    for n, text in enumerate(TEXTS)
]
NESTED = {"data": {"posts": [{"post": {"record": {"text": text, "langs": ["en"]}}} for text in TEXTS]}, "next": None}
EMOJI = (
    "emoji,code,description\n😀,1F600,grinning face\n👍🏽,1F44D 1F3FD,thumbs up\n"
    "🇫🇷,1F1EB-1F1F7,flag of France\n#️⃣,,keycap\n"
)
RUN = {"task": "tweets", "kind": "generate", "template": "{prompt}", "base_model": "tiny", "cleaning": {}, "seed": 42}
PROMPTS = "".join(
    json.dumps(line) + "\n"
    for line in (
        {"prompt": "The sea"},
        {"instruction": "Say hi", "input": "a"},
        {"messages": [{"role": "user", "content": "Hi"}]},
    )
)
CONFIG = "seed: 7\nmax_steps: 3\nmodel: tiny\nlearning_rate: 1e-4\noverwrite: true\nexclude: [a, b]\n"
CARD = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data.csv\n---\n# Data\n"


def zipped(**files: str | bytes) -> bytes:
    """Return a .zip with these files; "__" in a name means a slash, and its last "_" a point."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            folder, _, file = name.rpartition("__")
            archive.writestr(f"{folder}/".lstrip("/") + ".".join(file.rsplit("_", 1)), content)
    return packed.getvalue()


def parquet() -> bytes:
    """Return a Parquet file with texts, numbers, lists and a dictionary."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table(
        {
            "text": list(TEXTS),
            "label": pyarrow.array(["a", "b", "a", None] * 3).dictionary_encode(),
            "number": [1.5, None, 3.0, 4.0] * 3,
            "tags": [["x"], [], None, ["y", "z"]] * 3,
            "user": [{"name": "me", "age": 3}] * 12,
        }
    )
    file = io.BytesIO()
    parquet.write_table(table, file, compression="snappy")
    return file.getvalue()


def data_files() -> dict[str, bytes]:
    """Return the seeds of all readers of data, by file name."""
    texts = {
        "a.csv": TABLE,
        "b.csv": "".join(";".join(row) + "\n" for row in CELLS),
        "c.csv": "".join("|".join(row) + "\n" for row in CELLS),
        "a.tsv": "".join("\t".join(row) + "\n" for row in CELLS),
        "a.txt": "\n".join(TEXTS),
        "b.txt": "".join(f"__label__{n % 2} {text}\n" for n, text in enumerate(TEXTS * 3)),
        "c.txt": "".join(f"{text}@{'good' if n % 2 else 'bad'}\n" for n, text in enumerate(TEXTS * 3)),
        "a.json": json.dumps(list(map(json.loads, LINES.splitlines()))),
        "a.jsonl": LINES,
        "nested.json": json.dumps(NESTED),
        "nested.jsonl": "".join(json.dumps(row) + "\n" for row in NESTED["data"]["posts"]),
        "outbox.json": json.dumps(OUTBOX),
        "tweets.js": TWEETS,
        "alpaca.json": json.dumps(ALPACA),
        "sharegpt.json": json.dumps(SHARE_GPT),
        "messages.jsonl": "".join(json.dumps(row) + "\n" for row in MESSAGES),
        "emoji.csv": EMOJI,
    }
    files = {name: text.encode() for name, text in texts.items()}
    packed = zipped(data__tweets_js=TWEETS, data__note_tweet_js=NOTES)
    return files | {
        "a.parquet": parquet(),
        "a.csv.gz": gzip.compress(files["a.csv"]),
        "a.jsonl.bz2": bz2.compress(files["a.jsonl"]),
        "a.json.xz": lzma.compress(files["a.json"]),
        "a.zip": zipped(a_csv=TABLE, readme_md="about"),
        "archive.zip": packed,
    }
