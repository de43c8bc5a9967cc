"""Random base models of every family that can classify, and processed data of given labeled texts."""

from dataclasses import asdict
from pathlib import Path

import torch
from small_models import BLOCKS, SHAPE, random_model, tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    GPT2Config,
    GPT2ForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

from utils.models import checkpoint, saving
from utils.models.base_models import resolve
from utils.models.classifier_tokenizer import encode_for_classification, with_template
from utils.models.opening.load import load_tokenizer
from utils.models.tokenization import tokenizer_fingerprint
from utils.processed import SPLITS, Processed, Split
from utils.text.cleaning import Cleaning

WRITERS = ("gpt2", "llama")
ENCODERS = ("bert", "roberta", "distilbert")
FAMILIES = WRITERS + ENCODERS
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = 256 + len(SPECIAL)
LONGEST = 64  # tokens, of `save_classifier`


def encoder_tokenizer(*, ends_with_cls: bool = False) -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token per byte, like `tiny`, but BERT's special tokens and no end-of-text.

    With `ends_with_cls`, they are where XLNet has them: after the text, and padding before it.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = {f"{name.strip('[]').lower()}_token": name for name in SPECIAL}
    if ends_with_cls:
        special = [(token, vocabulary[token]) for token in ("[SEP]", "[CLS]")]
        tokenizer.post_processor = processors.TemplateProcessing(single="$A [SEP] [CLS]", special_tokens=special)
        names["padding_side"] = "left"
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def _bert():
    width = {"hidden_size": 16, "num_hidden_layers": BLOCKS, "num_attention_heads": 2, "intermediate_size": 32}
    return BertForMaskedLM(BertConfig(vocab_size=VOCABULARY, max_position_embeddings=128, **width))


def _roberta():
    width = {"hidden_size": 16, "num_hidden_layers": BLOCKS, "num_attention_heads": 2, "intermediate_size": 32}
    config = RobertaConfig(vocab_size=VOCABULARY, max_position_embeddings=130, pad_token_id=0, **width)
    return RobertaForMaskedLM(config)


def _distilbert():
    width = {"dim": 16, "n_layers": BLOCKS, "n_heads": 2, "hidden_dim": 32}
    return DistilBertForMaskedLM(DistilBertConfig(vocab_size=VOCABULARY, max_position_embeddings=128, **width))


MAKERS = {"bert": _bert, "roberta": _roberta, "distilbert": _distilbert}


def base_folder(folder: Path, family: str) -> str:
    """A folder with a base model of this family: no head that classifies, and for encoders no pooler."""
    if family in WRITERS:
        random_model(family).save_pretrained(folder)
        tiny_tokenizer().save_pretrained(folder)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = MAKERS[family]()
            for parameter in model.parameters():
                parameter.data *= 5  # so that every weight shows in the logits
        model.save_pretrained(folder)
        encoder_tokenizer().save_pretrained(folder)
    return str(folder)


def labeled_data(rows: dict[str, list[tuple[str, str]]], labels: list[str], template="{prompt}") -> Processed:
    """Processed data of (text, label) pairs by split, encoded for `tiny`."""
    tokenizer = load_tokenizer(resolve("tiny"))
    splits = {}
    for name in SPLITS:
        texts = [text for text, _ in rows.get(name, [])]
        splits[name] = Split(
            prompt=texts,
            completion=["" for _ in texts],
            label=[label for _, label in rows.get(name, [])],
            group=[f"{name} {number}" for number in range(len(texts))],
            ids=encode_for_classification(with_template(tokenizer, template), texts)[0],
            loss_start=[0 for _ in texts],
        )
    recipe = {
        "task": "reviews",
        "kind": "classify",
        "labels": labels,
        "template": template,
        "cleaning": asdict(Cleaning(emoji="keep")),
        "base_model": "tiny",
        "seed": 42,
    }
    sources = [{"path": "reviews.csv", "sha256": "0" * 64, "rows": 9, "encoding": "utf-8"}]
    return Processed(recipe, {}, sources, {"name": "tiny", "fingerprint": tokenizer_fingerprint(tokenizer)}, splits)


GOOD = ["good", "great", "lovely", "fine work", "so good", "really great"]
BAD = ["bad", "awful", "horrid", "poor work", "so bad", "really awful"]


def opinions(number: int, first: int = 0) -> list[tuple[str, str]]:
    """Return texts whose label depends on one word, half of them with each label."""
    pairs = []
    for index in range(first, first + number):
        words, label = (GOOD, "pos") if index % 2 else (BAD, "neg")
        pairs.append((f"{words[index // 2 % 6]} thing number {index}", label))
    return pairs


def save_classifier(path: Path, labels: list[str], **run) -> Path:
    """A random classifier of tiny's vocabulary, with the recipe that fine_tune.py would write."""
    names = dict(enumerate(labels))
    options = {**SHAPE, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 128, "initializer_range": 0.3}
    config = GPT2Config(**options, id2label=names, label2id={name: number for number, name in names.items()})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GPT2ForSequenceClassification(config).eval()
    recipe = {
        "task": "reviews",
        "kind": "classify",
        "labels": labels,
        "template": "{prompt}",
        "cleaning": asdict(Cleaning(emoji="keep")),
        "base_model": "tiny",
        "calibration": {"temperature": 2.0, "threshold": None},
        "max_length": LONGEST,
        **run,
    }
    saving.save(path, checkpoint.Trained(model, tiny_tokenizer(), recipe), "", "")
    return path
