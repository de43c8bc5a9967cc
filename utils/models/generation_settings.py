"""The generation settings in a model's folder that tell other tools where texts start and end, and how to draw tokens.

Without them, `generate` and `pipeline` would use the base model's settings and stop at another token, or never.
"""

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING

from utils.models.chat_templates import open_chat_template
from utils.models.tokenization import start_and_end
from utils.tasks.kinds import INSTRUCT

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

# The class whose tokenizer is tokenizer.json and nothing else. Others build a part of it anew when they are loaded
# (GPT-NeoX: the tokens around a text).
PLAIN_TOKENIZER = "TokenizersBackend"


def write_generation_settings(
    folder: Path, config: "PreTrainedConfig", tokenizer: "PreTrainedTokenizerBase", run: dict
) -> None:
    """Write generation_config.json, the ends of texts in config.json, and a tokenizer that starts texts as in training.

    `run` is the content of run.json: "sampling" has the settings of generate.py, under their names in transformers. The
    config and the tokenizer themselves are not changed.
    """
    from transformers import GenerationConfig

    start, end_of_text = start_and_end(tokenizer)
    answers = run["kind"] == INSTRUCT.name
    end = open_chat_template(tokenizer).end if answers else end_of_text
    padding = end_of_text if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    ends = {"bos_token_id": start, "eos_token_id": end}
    GenerationConfig(**ends, pad_token_id=padding, **run["sampling"]).save_pretrained(folder)

    # Not the padding token: its embedding would no longer train in a model that is trained again.
    config = copy.deepcopy(config)
    for part in (config, config.get_text_config()):
        vars(part).update(ends, use_cache=True)  # training sets it to False
    config.save_pretrained(folder)

    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.padding_side = "left"
    if answers:  # the chat template has the start token
        _encode_pieces_alike(tokenizer)
    else:
        _start_texts(tokenizer, start)
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | {
        "padding_side": "left",
        "tokenizer_class": PLAIN_TOKENIZER,
    }
    path.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _start_texts(tokenizer: "PreTrainedTokenizerBase", start: int) -> None:
    """Make a plain call of the tokenizer put the start token before a text, and nothing after it."""
    from tokenizers import processors

    token = tokenizer.convert_ids_to_tokens(start)
    template = processors.TemplateProcessing(
        single=[token, "$A"], pair=[token, "$A", "$B"], special_tokens=[(token, start)]
    )
    backend = tokenizer.backend_tokenizer
    own = json.loads(backend.to_str())["post_processor"] or {}
    parts = own["processors"] if own.get("type") == "Sequence" else [own]
    kept = [
        processors.ByteLevel(trim_offsets=part["trim_offsets"]) for part in parts if part.get("type") == "ByteLevel"
    ]
    backend.post_processor = processors.Sequence([*kept, template]) if kept else template


def _encode_pieces_alike(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Make a plain call encode the texts between special tokens as `ChatTemplate.encode` does: each like a first one.

    SentencePiece's "first" puts its blank before the first of them only.
    """
    from tokenizers import pre_tokenizers

    own = tokenizer.backend_tokenizer.pre_tokenizer
    for part in own if isinstance(own, pre_tokenizers.Sequence) else [own]:
        if isinstance(part, pre_tokenizers.Metaspace) and part.prepend_scheme == "first":
            part.prepend_scheme = "always"
