"""The commands whose calls fail in faults.py: every script, with every kind of output that it has.

Words are paths in the working folder. `files` are what lies there before, as NAME or NAME:NEW_NAME of `MADE`'s outputs.
"""

from dataclasses import dataclass

TRAIN = "--max_steps 1 --eval_on_start off --device cpu --precision fp32"
SAVES = "--max_steps 2 --eval_on_start off --device cpu --precision fp32 --save_steps 1"
CACHES = f"{TRAIN} --unfreeze_last 1 --prefix_cache on"
OVERWRITE = "--overwrite --seed 2"


@dataclass(frozen=True)
class Case:
    """A command, and what is there before it.

    `folders` are outputs whose files are replaced together. `state` matches what may stay after an error, so that the
    command continues, with `again` added to it.
    """

    name: str
    command: str
    files: str
    folders: tuple[str, ...] = ()
    state: str | None = None
    again: str = ""
    stdin: str | None = None
    continues: bool = False  # it reports the file that it cannot write, and continues


# Run once, without faults, in this order.
MADE = [
    "preprocess --data tweets.csv --model tiny --output_path tweets.pkl",
    "preprocess --task reviews --data reviews.csv --model tiny --output_path reviews.pkl",
    "preprocess --task alpaca --data instructions.jsonl --model tiny --output_path alpaca.pkl",
    "preprocess --task emoji --data emoji.csv --model tiny --output_path emoji.pkl",
    "preprocess --data tweets.csv --model tiny --seed 1 --output_path old.pkl",
    f"fine_tune --data tweets.pkl {TRAIN} --seed 1 --output_path writer",
    f"fine_tune --data tweets.pkl {TRAIN} --seed 1 --output_path writer.pt",
    f"fine_tune --data reviews.pkl {TRAIN} --seed 1 --output_path classifier",
    f"fine_tune --data reviews.pkl {TRAIN} --seed 1 --output_path classifier.pt",
    f"fine_tune --data alpaca.pkl {TRAIN} --seed 1 --output_path answerer",
    f"fine_tune --data emoji.pkl {TRAIN} --seed 1 --output_path emoji_writer",
]
# A run that ended when it wrote its second checkpoint: what --resume continues.
INTERRUPTED = f"fine_tune --data reviews.pkl {SAVES} --output_path out"

STATE, SEARCH = "out*.training", "out*.search"
CASES = [
    Case("preprocess, new", "preprocess --data tweets.csv --model tiny --output_path out/new.pkl", "tweets.csv"),
    Case(
        "preprocess, replacing",
        "preprocess --data tweets.csv --model tiny --seed 2 --output_path old.pkl",
        "tweets.csv old.pkl",
    ),
    Case(
        "preprocess, emoji",
        "preprocess --task emoji --data emoji.csv --model tiny --output_path new.pkl",
        "emoji.csv",
    ),
    Case(
        "preprocess, from a pipe",
        "preprocess --data - --model tiny --output_path new.pkl",
        "tweets.csv",
        stdin="tweets.csv",
    ),
    Case("scrape", "scrape posts.jsonl", "", state="posts.jsonl*"),
    Case(
        "fine_tune, folder",
        f"fine_tune --data tweets.pkl {TRAIN} --output_path out",
        "tweets.pkl",
        folders=("out",),
        state=STATE,
        again="--resume",
    ),
    Case(
        "fine_tune, folder replaced",
        f"fine_tune --data tweets.pkl {TRAIN} {OVERWRITE} --output_path out",
        "tweets.pkl writer:out",
        folders=("out",),
        state=STATE,
    ),
    Case(
        "fine_tune, .pt",
        f"fine_tune --data tweets.pkl {TRAIN} --output_path out.pt",
        "tweets.pkl",
        state=STATE,
        again="--resume",
        continues=True,
    ),
    Case(
        "fine_tune, .pt replaced",
        f"fine_tune --data reviews.pkl {TRAIN} {OVERWRITE} --output_path out.pt",
        "reviews.pkl classifier.pt:out.pt",
        state=STATE,
        continues=True,
    ),
    Case(
        "fine_tune, two checkpoints",
        f"fine_tune --data reviews.pkl {SAVES} --save_total_limit 1 --output_path out",
        "reviews.pkl",
        folders=("out",),
        state=STATE,
        again="--resume",
    ),
    Case(
        "fine_tune, --resume",
        f"{INTERRUPTED} --resume",
        "reviews.pkl out.training",
        folders=("out",),
        state=STATE,
    ),
    Case(
        "fine_tune, --search 2",
        f"fine_tune --data reviews.pkl {TRAIN} --search 2 --output_path out",
        "reviews.pkl",
        folders=("out",),
        state="out.[st]*",
        again="--resume",
    ),
    Case(
        "fine_tune, --model_soup 2",
        f"fine_tune --data reviews.pkl {TRAIN} --model_soup 2 --output_path out",
        "reviews.pkl",
        folders=("out",),
        state=STATE,
        again="--resume",
    ),
    Case(
        "fine_tune, --prefix_cache on",
        f"fine_tune --data reviews.pkl {CACHES} --output_path out",
        "reviews.pkl",
        folders=("out",),
        state=STATE,
        again="--resume",
    ),
    Case(
        "fine_tune, --prefix_cache auto",
        "fine_tune --data reviews.pkl --epochs 2 --device cpu --precision fp32 --unfreeze_last 1 --output_path out",
        "reviews.pkl",
        folders=("out",),
        state=STATE,
        again="--resume",
    ),
    Case(
        "fine_tune, --keep_prefix_cache",
        f"fine_tune --data reviews.pkl {CACHES} --keep_prefix_cache --output_path out",
        "reviews.pkl",
        folders=("out",),
        state=STATE,
        again="--resume",
    ),
    Case(
        "fine_tune, classifier replaced",
        f"fine_tune --data reviews.pkl {TRAIN} {OVERWRITE} --output_path out",
        "reviews.pkl classifier:out",
        folders=("out",),
        state=STATE,
    ),
    Case(
        "generate, new file",
        "generate --model_path writer --prompt hello --max_new_tokens 4 --output_path texts/new.jsonl",
        "writer",
    ),
    Case(
        "generate from .pt, file replaced",
        "generate --model_path writer.pt --prompt hello --max_new_tokens 4 --output_path texts.jsonl",
        "writer.pt tweets.csv:texts.jsonl",
    ),
    Case(
        "generate, answers",
        "generate --model_path answerer --instruction hello --max_new_tokens 4 --output_path texts.jsonl",
        "answerer tweets.csv:texts.jsonl",
    ),
    Case(
        "generate, emoji",
        "generate --model_path emoji_writer --prompt cat --output_path texts.jsonl",
        "emoji_writer",
    ),
    Case(
        "generate, chat /save",
        "generate --model_path answerer --chat --max_new_tokens 4",
        "answerer chat.txt",
        stdin="chat.txt",
        continues=True,
    ),
    Case(
        "generate, .gguf converted",
        "generate --model_path small.gguf --prompt hello --max_new_tokens 4 --output_path texts.jsonl",
        "small.gguf",
    ),
    Case(
        "generate, ctranslate2",
        "generate --model_path writer --engine ctranslate2 --prompt hello --max_new_tokens 4 --output_path texts.jsonl",
        "writer",
    ),
    Case(
        "classify, new file",
        "classify --model_path classifier --data_path reviews.csv",
        "classifier reviews.csv",
    ),
    Case(
        "classify with .pt, file replaced",
        "classify --model_path classifier.pt --data_path reviews.csv --output_path labels.csv",
        "classifier.pt reviews.csv tweets.csv:labels.csv",
    ),
    Case(
        "classify, from a pipe",
        "classify --model_path classifier --data_path - --output_path labels.csv",
        "classifier reviews.csv",
        stdin="reviews.csv",
    ),
    Case(
        "evaluate, texts",
        "evaluate_model --model_path writer --data tweets.pkl --num_samples 2 --max_new_tokens 4",
        "writer tweets.pkl",
    ),
    Case(
        "evaluate .pt, replaced",
        "evaluate_model --model_path writer.pt --data tweets.pkl --num_samples 2 --max_new_tokens 4",
        "writer.pt tweets.pkl tweets.csv:writer.evaluation.json",
    ),
    Case(
        "evaluate, answers",
        "evaluate_model --model_path answerer --data alpaca.pkl --limit 2 --max_new_tokens 4",
        "answerer alpaca.pkl",
    ),
    Case(
        "evaluate, classifier",
        "evaluate_model --model_path classifier --data reviews.pkl --errors_path errors.csv --report",
        "classifier reviews.pkl",
    ),
    Case(
        "evaluate, emoji",
        "evaluate_model --model_path emoji_writer --data emoji.pkl --errors_path errors.csv --limit 2",
        "emoji_writer emoji.pkl",
    ),
]
