"""A zoo of model folders: damaged ones, each made from a good small folder in a line or two, and unusual good ones."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from small_models import random_model, tiny_tokenizer

Change = Callable[[Path], object]
WEIGHTS, PICKLE, INDEX = "model.safetensors", "pytorch_model.bin", "model.safetensors.index.json"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n"


def good_folder(folder: Path) -> Path:
    """Make a folder with a small random GPT-2."""
    random_model("gpt2").save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def config(**changes) -> Change:
    """Change fields of config.json; ... removes one."""
    return edit("config.json", **changes)


def edit(name: str, **changes) -> Change:
    """Change fields of a JSON file; ... removes one."""

    def change(folder: Path):
        fields = {**json.loads((folder / name).read_text()), **changes}
        (folder / name).write_text(json.dumps({key: value for key, value in fields.items() if value is not ...}))

    return change


def text(name: str, content: str | bytes) -> Change:
    """Write a file."""
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def cut(name: str, share: float) -> Change:
    """Keep only the first part of a file."""

    def change(folder: Path):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: int(share * len(whole))])

    return change


def without(*names: str) -> Change:
    """Remove files."""
    return lambda folder: [(folder / name).unlink() for name in names]


def weights(function: Callable[[dict], object]) -> Change:
    """Change the weights by name, in place."""

    def change(folder: Path):
        found = load_file(folder / WEIGHTS)
        function(found)
        save_file({name: weight.contiguous() for name, weight in found.items()}, folder / WEIGHTS, {"format": "pt"})

    return change


def sharded(folder: Path):
    (folder / WEIGHTS).unlink()
    random_model("gpt2").save_pretrained(folder, max_shard_size="20KB")


def as_pickle(make: Callable[[dict], object] = dict, **options) -> Change:
    """Replace the weights by a pytorch_model.bin of what `make` makes of them."""

    def change(folder: Path):
        torch.save(make(load_file(folder / WEIGHTS)), folder / PICKLE, **options)
        (folder / WEIGHTS).unlink()

    return change


def compressed(folder: Path):
    """Compress the parts of pytorch_model.bin, of which zeros would be a bomb."""
    with zipfile.ZipFile(folder / PICKLE) as saved:
        parts = {entry.filename: saved.read(entry) for entry in saved.infolist()}
    with zipfile.ZipFile(folder / PICKLE, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def instead(*files: str) -> Change:
    """Replace everything by other files, each with a few bytes."""

    def change(folder: Path):
        shutil.rmtree(folder)
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("{}")

    return change


def both(*changes: Change) -> Change:
    return lambda folder: [change(folder) for change in changes]


def loop(name: str) -> Change:
    """Replace a file by a link to itself."""

    def change(folder: Path):
        (folder / name).unlink()
        (folder / name).symlink_to(folder / name)

    return change


def header(content: bytes, length: int | None = None) -> Change:
    """Replace the header of the weights by this one, of a stated length."""

    def change(folder: Path):
        whole = (folder / WEIGHTS).read_bytes()
        body = whole[8 + int.from_bytes(whole[:8], "little") :]
        (folder / WEIGHTS).write_bytes((length or len(content)).to_bytes(8, "little") + content + body)

    return change


class RunsCode:
    """An object whose pickle, where it is opened by a careless reader, makes the file TRAP."""

    trap = Path(os.devnull)

    def __reduce__(self):
        return (Path.touch, (self.trap,))


def quantized(method: str) -> Change:
    return config(quantization_config={"quant_method": method, "bits": 4})


def tokenizer(**changes) -> Change:
    return edit("tokenizer.json", **changes)


def run(**fields) -> Change:
    """Write a run.json as fine_tune.py does, with some fields changed; ... removes one."""
    whole = {"task": "tweets", "kind": "generate", "template": "{prompt}", "base_model": "tiny", "cleaning": {}}
    kept = {key: value for key, value in {**whole, **fields}.items() if value is not ...}
    return text("run.json", json.dumps(kept))


ADAPTER = json.dumps({"peft_type": "LORA", "base_model_name_or_path": "gpt2", "r": 8})
LAYER = "transformer.h.1.mlp.c_fc.weight"
METHODS = (
    *("gptq", "awq", "bitsandbytes", "compressed-tensors", "aqlm", "hqq", "eetq", "quanto", "torchao", "fbgemm_fp8"),
    *("fp8", "mxfp4", "vptq", "quark", "magic"),
)
CHINESE = {chr(0x4E00 + number): number for number in range(400)}
CODE = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}

# name → (what is done to the folder, a word of the error)
DAMAGED: dict[str, tuple[Change, str]] = {
    # quantized, or of an architecture that is not there
    **{f"quantized by {method}": (quantized(method), f"quantized weights ({method})") for method in METHODS},
    "a quantization without a method": (config(quantization_config={"bits": 4}), "quantized weights"),
    "a quantization that is a text": (config(quantization_config="gptq"), "quantized weights"),
    "code of its own": (config(model_type="own", auto_map=CODE), "Python code"),
    "attention from the Hub": (config(attn_implementation="own/kernel"), "code of the Hub"),
    "attention from the Hub by a version": (config(_attn_implementation="own/kernel@v1:f"), "code of the Hub"),
    "attention from the Hub, internal": (config(_attn_implementation_internal="own/kernel"), "code of the Hub"),
    "attention from the Hub in a part": (
        config(text_config={"attn_implementation": {"": "own/kernel"}}),
        "code of the Hub",
    ),
    "experts from the Hub": (config(_experts_implementation="own/kernel"), "code of the Hub"),
    "an architecture of tomorrow": (config(model_type="gpt9"), "gpt9"),
    "no architecture": (config(model_type=...), "model_type"),
    "an architecture that is a number": (config(model_type=7), "model_type"),
    "pictures": (config(model_type="vit"), ""),
    "T5": (config(model_type="t5"), ""),
    "BART, with the weights of GPT-2": (config(model_type="bart"), ""),
    "pictures and text": (config(model_type="llava"), ""),
    "architectures that are no names": (config(architectures=[7]), "architectures"),
    # config.json
    "an empty config": (text("config.json", ""), "config.json is empty"),
    "a config that is no JSON": (text("config.json", "model_type: gpt2"), "config.json is not JSON"),
    "a config that is a list": (text("config.json", "[]"), "list"),
    "a config that is a text": (text("config.json", '"gpt2"'), "str"),
    "a config in UTF-16": (text("config.json", '{"model_type": "gpt2"}'.encode("utf-16")), "config.json"),
    "an empty object as config": (text("config.json", "{}"), "model_type"),
    "a config of brackets": (text("config.json", "[" * 100_000), "config.json"),
    "a cut config": (cut("config.json", 0.5), "config.json"),
    "ten million blocks": (config(n_layer=10_000_000), "n_layer"),
    "five thousand blocks": (config(n_layer=5000), "5,000 blocks"),
    "a negative number of blocks": (config(n_layer=-1), "n_layer"),
    "blocks as a text": (config(n_layer="two"), ""),
    "no blocks": (config(n_layer=None), ""),
    "no heads": (config(n_head=0), ""),
    "heads that don't divide the width": (config(n_head=3), ""),
    "a width as a text": (config(n_embd="wide"), ""),
    "a huge width": (config(n_embd=10**12), "n_embd"),
    "a wide width": (config(n_embd=2**16), "65,536 wide"),
    "a negative vocabulary": (config(vocab_size=-5), "vocab_size"),
    "a huge vocabulary": (config(vocab_size=10**15), "vocab_size"),
    "a vocabulary as a list": (config(vocab_size=[257]), ""),
    "a smaller vocabulary": (config(vocab_size=100), ""),
    "a longer context": (config(n_positions=4096), "wpe"),
    "a huge context": (config(n_positions=10**12), "n_positions"),
    "a billion labels": (config(num_labels=10**9), "num_labels"),
    "an activation of no library": (config(activation_function="wow"), ""),
    "a format of no library": (config(dtype="float99"), ""),
    "a format that is a list": (config(dtype=["float32"]), ""),
    "padding as a text": (config(pad_token_id="<pad>"), ""),
    "another architecture": (config(model_type="llama"), ""),
    # the tokenizer
    "an empty tokenizer": (text("tokenizer.json", ""), "tokenizer.json is empty"),
    "a cut tokenizer": (cut("tokenizer.json", 0.6), ""),
    "a tokenizer that is a list": (text("tokenizer.json", "[1, 2]"), ""),
    "a tokenizer without a model": (tokenizer(model=None), ""),
    "a tokenizer with an unknown model": (tokenizer(model={"type": "Magic", "vocab": {}}), ""),
    "a tokenizer with an empty vocabulary": (
        tokenizer(model={"type": "BPE", "vocab": {}, "merges": []}, added_tokens=[]),
        "",
    ),
    "merges of tokens that are not there": (
        tokenizer(model={"type": "BPE", "vocab": {"a": 0}, "merges": ["x y"]}),
        "",
    ),
    "a tokenizer without the word for unknown ones": (
        tokenizer(model={"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "<none>"}, added_tokens=[]),
        "",
    ),
    "a tokenizer as a pointer": (text("tokenizer.json", POINTER), "Git LFS"),
    "a vocabulary of another size": (
        tokenizer(model={"type": "BPE", "vocab": CHINESE, "merges": []}),
        "larger than its embedding",
    ),
    "tokens with far ids": (
        tokenizer(model={"type": "BPE", "vocab": {"a": 0, "b": 5000}, "merges": []}),
        "larger than its embedding",
    ),
    "an added token": (
        tokenizer(
            added_tokens=[
                {"id": id, "content": content, "special": id == 256}
                | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
                for id, content in ((256, "<|endoftext|>"), (257, "<new>"))
            ]
        ),
        "'<new>' with the id 257",
    ),
    "settings of the tokenizer that are a list": (text("tokenizer_config.json", "[]"), "tokenizer_config.json"),
    "settings of the tokenizer that are cut": (cut("tokenizer_config.json", 0.5), "tokenizer_config.json"),
    "special tokens that are no JSON": (text("special_tokens_map.json", "{"), "special_tokens_map.json"),
    "settings for generating that are no JSON": (text("generation_config.json", "{"), "generation_config.json"),
    "a vocabulary without merges": (
        both(without("tokenizer.json", "tokenizer_config.json"), text("vocab.json", '{"a": 0, "b": 1}')),
        "",
    ),
    "sentencepiece alone": (
        both(without("tokenizer.json", "tokenizer_config.json"), text("tokenizer.model", b"\x0a\x0e\x0a\x05<unk>")),
        "",
    ),
    "no tokenizer": (without("tokenizer.json", "tokenizer_config.json"), "tokenizer.json missing"),
    # the weights
    "no weights": (without(WEIGHTS), "model.safetensors missing"),
    "empty weights": (text(WEIGHTS, ""), "is empty"),
    "weights as a pointer": (text(WEIGHTS, POINTER), "Git LFS"),
    "cut weights": (cut(WEIGHTS, 0.7), ""),
    "weights cut in their header": (cut(WEIGHTS, 0.01), ""),
    "a header that is no JSON": (header(b"{not JSON}"), ""),
    "a header of an endless length": (header(b"{}", 2**60), ""),
    "a header with a format of no library": (
        header(json.dumps({LAYER: {"dtype": "Q9", "shape": [2], "data_offsets": [0, 2]}}).encode()),
        "",
    ),
    "a header with other sizes": (
        header(json.dumps({LAYER: {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2]}}).encode()),
        "",
    ),
    "a page of HTML as weights": (text(WEIGHTS, "<!DOCTYPE html><html>404</html>"), ""),
    "a missing weight": (weights(lambda found: found.pop(LAYER)), f"lacks weights of a GPT2LMHeadModel: {LAYER}"),
    "no weight": (weights(lambda found: found.clear()), "lacks weights"),
    "a block too many": (
        weights(lambda found: found.update({LAYER.replace("h.1", "h.3"): found[LAYER].clone()})),
        "more blocks",
    ),
    "a weight of another size": (
        weights(lambda found: found.update({LAYER: found[LAYER][:, :-1]})),
        f"{LAYER} is [16, 63] instead of [16, 64]",
    ),
    "a weight that is nan": (weights(lambda found: found[LAYER].fill_(float("nan"))), f"finite numbers, in {LAYER}"),
    "a weight that is infinite": (weights(lambda found: found[LAYER].fill_(float("inf"))), "finite numbers"),
    "weights that are whole numbers": (
        weights(lambda found: found.update({LAYER: (100 * found[LAYER]).to(torch.int8)})),
        f"whole numbers, as quantized ones are, in {LAYER}",
    ),
    "a pickle of whole numbers": (
        as_pickle(lambda found: {name: weight.long() for name, weight in found.items()}),
        "whole numbers",
    ),
    "a shard that is missing": (
        both(sharded, lambda folder: sorted(folder.glob("model-*"))[1].unlink()),
        "lacks weights",
    ),
    "a shard that is cut": (both(sharded, lambda folder: cut(sorted(folder.glob("model-*"))[1].name, 0.5)(folder)), ""),
    "an index that is no JSON": (both(sharded, text(INDEX, "{")), "index.json is not JSON"),
    "an index that is empty": (both(sharded, text(INDEX, "{}")), "weight_map"),
    "an index of numbers": (both(sharded, text(INDEX, '{"weight_map": {"a": 1}}')), "weight_map"),
    "a whole model as a pickle": (as_pickle(lambda found: RunsCode()), "not only tensors"),
    "a whole model as a pickle, in the old format": (
        as_pickle(lambda found: RunsCode(), _use_new_zipfile_serialization=False),
        "not only tensors",
    ),
    "a pickle of a list": (as_pickle(list), ""),
    "a pickle of numbers": (as_pickle(lambda found: dict.fromkeys(found, 1.0)), ""),
    "a pickle with the weights inside": (as_pickle(lambda found: {"state_dict": found, "epoch": 1}), ""),
    "a pickle as a pointer": (both(without(WEIGHTS), text(PICKLE, POINTER)), "Git LFS"),
    "an empty pickle": (both(without(WEIGHTS), text(PICKLE, "")), "is empty"),
    "a cut pickle": (both(as_pickle(), cut(PICKLE, 0.6)), ""),
    "a pickle of zeros": (both(without(WEIGHTS), text(PICKLE, bytes(1000))), ""),
    # adapters
    "an adapter beside the weights": (text("adapter_config.json", ADAPTER), "beside full weights"),
    "the weights of an adapter beside the weights": (text("adapter_model.safetensors", b"12345678"), "adapter"),
    "an adapter alone": (instead("adapter_config.json", "adapter_model.safetensors"), "adapter"),
    "an adapter among the weights": (
        weights(lambda found: found.update({LAYER.replace(".weight", ".lora_A.weight"): torch.ones(2, 2)})),
        "adapter in its weights",
    ),
    "a model of peft saved whole": (
        weights(lambda found: [found.update({f"base_model.model.{name}": found.pop(name)}) for name in list(found)]),
        "",
    ),
    # folders of other tools
    "nothing": (instead("nothing/else"), "config.json, model.safetensors, tokenizer.json missing"),
    "a .gguf file alone": (instead("model-Q4.gguf"), ".gguf"),
    "ONNX": (instead("config.json", "tokenizer.json", "onnx/model.onnx"), "ONNX"),
    "diffusers": (instead("model_index.json", "unet/config.json"), "diffusers"),
    "sentence-transformers": (instead("modules.json", "0_Transformer/config.json"), "missing"),
    "weights that are compressed": (both(as_pickle(), compressed), "would unpack to"),
    "CTranslate2": (instead("config.json", "model.bin", "vocabulary.json"), "CTranslate2"),
    "CTranslate2, kept by us": (instead("source.json", "tokenizer.json", "int8/model.bin"), "CTranslate2"),
    "spaCy": (instead("meta.json", "config.cfg", "tokenizer"), "spaCy"),
    "TensorFlow": (instead("config.json", "tf_model.h5", "vocab.txt"), "TensorFlow"),
    "JAX": (instead("config.json", "flax_model.msgpack", "vocab.txt"), "JAX"),
    "a run of Trainer without its model": (
        instead("trainer_state.json", "optimizer.pt", "training_args.bin"),
        "missing",
    ),
    # links and folders
    "a pipe as config": (both(without("config.json"), lambda folder: os.mkfifo(folder / "config.json")), "no file"),
    "an endless file as weights": (
        both(without(WEIGHTS), lambda folder: (folder / WEIGHTS).symlink_to("/dev/zero")),
        "no file",
    ),
    "links in circles": (both(loop("config.json"), loop(WEIGHTS)), "config.json cannot be read"),
    "a broken link": (both(without(WEIGHTS), lambda folder: (folder / WEIGHTS).symlink_to("gone")), "cannot be read"),
    "a folder as config": (
        both(without("config.json"), lambda folder: (folder / "config.json").mkdir()),
        "config.json cannot be read",
    ),
    # run.json
    "a cut run.json": (both(run(), cut("run.json", 0.5)), "run.json is damaged"),
    "an empty run.json": (text("run.json", ""), "run.json is damaged"),
    "a kind of tomorrow": (run(kind="paint"), "kind"),
    "a kind that is a list": (run(kind=["generate"]), "kind"),
    "a template that is a list": (run(template=["{prompt}"]), "template"),
    "cleaning that is a text": (run(cleaning="all"), "cleaning"),
    "cleaning of tomorrow": (run(cleaning={"sarcasm": "remove"}), "sarcasm"),
    "a classifier without cleaning": (run(kind="classify", labels=["a", "b"], cleaning=...), "cleaning"),
    "emoji without targets": (run(kind="emoji", targets=...), "targets"),
    "emoji without a template": (run(kind="emoji", targets=[["a", "b"]], template=...), "template"),
    "emoji with targets that are numbers": (run(kind="emoji", targets=[1, 2]), "targets"),
    "data that is a list": (run(data=[]), "data"),
    "a base model that is a number": (run(base_model=7), "base_model"),
}

UNUSUAL: dict[str, Change] = {
    "a tied head saved twice": weights(
        lambda found: found.update({"lm_head.weight": found["transformer.wte.weight"].clone()})
    ),
    "weights that nobody uses": weights(lambda found: found.update({"v_head.summary.weight": torch.ones(1, 16)})),
    "old masks": weights(lambda found: found.update({"transformer.h.0.attn.bias": torch.ones(1, 1, 8, 8)})),
    "attentions asked for": config(output_attentions=True, output_hidden_states=True),
    "positions that are stored": weights(lambda found: found.update({"transformer.position_ids": torch.arange(8)})),
    "several shards": sharded,
    "a plain pickle": as_pickle(),
    "a plain pickle in the old format": as_pickle(_use_new_zipfile_serialization=False),
    "no prefix": weights(
        lambda found: [found.update({name.removeprefix("transformer."): found.pop(name)}) for name in list(found)]
    ),
    "bfloat16 in its config": config(dtype="bfloat16"),
    "the usual attention in its config": config(attn_implementation="sdpa"),
    "the old name of the format": config(dtype=..., torch_dtype="float16"),
    "no architectures": config(architectures=...),
    "code beside an architecture that is there": config(auto_map=CODE),
    "fields of its own": config(note="my model", layers_i_like=10**9),
    "padding beyond the vocabulary, which GPT-2 doesn't look up": config(pad_token_id=99_999),
    "no settings for generating": without("generation_config.json"),
    "a class of tokenizer that is not there": edit("tokenizer_config.json", tokenizer_class="OwnTokenizer"),
    "other files": text("training_args.bin", b"\x80\x02}q\x00."),
    "a run.json of another tool": text("run.json", '{"name": "sweep 3", "lr": 0.1}'),
    "a run.json that is a list": text("run.json", "[]"),
    "links": lambda folder: [
        (path.rename(folder.parent / path.name), path.symlink_to(folder.parent / path.name))
        for path in list(folder.iterdir())
    ],
}
