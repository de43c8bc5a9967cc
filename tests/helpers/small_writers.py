"""Random writers of many architectures whose greedy text ends soon, tokenizers of several kinds, and chat templates."""

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    CodeGenConfig,
    FalconConfig,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    GPTNeoConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    OPTConfig,
    PhiConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

VOCABULARY = 300
CONTEXT = 256
_WIDTH = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
_WIDE = {**_WIDTH, "intermediate_size": 32, "max_position_embeddings": CONTEXT}
_GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": CONTEXT}
_LOCAL = {"sliding_window": 8, "num_key_value_heads": 1}
CONFIGS = {
    "gpt2": lambda **options: GPT2Config(**_GPT, **options),
    "llama": lambda **options: LlamaConfig(**_WIDE, **options),
    "qwen2": lambda **options: Qwen2Config(**_WIDE, num_key_value_heads=2, eos_token_id=0, bos_token_id=0, **options),
    "gemma": lambda **options: GemmaConfig(**_WIDE, num_key_value_heads=1, head_dim=8, **options),
    "gemma3": lambda **options: Gemma3TextConfig(**_WIDE, **_LOCAL, head_dim=8, **options),
    "phi": lambda **options: PhiConfig(**_WIDE, **options),
    "opt": lambda **options: OPTConfig(
        **_WIDTH, ffn_dim=32, word_embed_proj_dim=16, max_position_embeddings=CONTEXT, **options
    ),
    "bloom": lambda **options: BloomConfig(hidden_size=16, n_layer=2, n_head=2, **options),
    "gpt_neox": lambda **options: GPTNeoXConfig(**_WIDE, **options),
    "gpt_neo": lambda **options: GPTNeoConfig(
        hidden_size=16, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]], window_size=8,
        max_position_embeddings=CONTEXT, **options
    ),
    "codegen": lambda **options: CodeGenConfig(**_GPT | {"n_head": 4}, rotary_dim=2, n_ctx=CONTEXT, **options),
    "mistral": lambda **options: MistralConfig(**_WIDE, **_LOCAL, **options),
    "falcon": lambda **options: FalconConfig(**_WIDTH, **options),
    "mamba": lambda **options: MambaConfig(hidden_size=16, num_hidden_layers=2, state_size=4, **options),
}  # fmt: skip


def random_writer(kind: str, prompt: list[int], end: int) -> torch.nn.Module:
    """Return a model whose greedy text after the prompt (token ids) ends with `end` after three or more tokens."""
    for seed in range(20):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            config = CONFIGS[kind](vocab_size=VOCABULARY)
            config.tie_word_embeddings, config.initializer_range = False, 0.3
            model = AutoModelForCausalLM.from_config(config).eval()
        written = greedy_ids(model, prompt, 20)
        new = [id for place, id in enumerate(written) if place >= 3 and id not in written[:place]]
        if new and end not in written:
            head = model.get_output_embeddings()
            for weights in (head.weight, head.bias):
                if weights is not None:
                    weights.data[[new[0], end]] = weights.data[[end, new[0]]]
            return model
    raise AssertionError(f"no random {kind} writes enough different tokens")


@torch.no_grad()
def greedy_ids(model: torch.nn.Module, prompt: list[int], number: int) -> list[int]:
    """Return the most likely next ids, without a cache and without `generate`."""
    ids = list(prompt)
    for _ in range(number):
        ids.append(model(torch.tensor([ids])).logits[0, -1].argmax().item())
    return ids[len(prompt) :]


TURN_ENDS = ["<|im_start|>", "<|im_end|>"]


def byte_tokenizer(bos="<s>", pad=None, post_processor=None) -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token per byte; "</s>" ends texts, and "<|im_end|>" may end turns."""
    names = [name for name in (pad, bos, "</s>", *TURN_ENDS) if name]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: id for id, token in enumerate([*names, *alphabet])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if post_processor:
        tokenizer.post_processor = post_processor
    ends = {"bos_token": bos, "eos_token": "</s>", "pad_token": pad}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, extra_special_tokens=TURN_ENDS, **ends)


def sentencepiece_tokenizer(prepend: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer like Llama's; `prepend` is Metaspace's scheme, or "normalizer" for Llama's first one."""
    pieces = ["<unk>", "<s>", "</s>", *TURN_ENDS, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"etaoin"]
    vocabulary = {piece: id for id, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<unk>"))
    if prepend == "normalizer":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend, split=False)
    blank = decoders.Replace("▁", " ")
    tokenizer.decoder = decoders.Sequence([blank, decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = surrounded("<s> $A", {"<s>": 1})
    ends = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, extra_special_tokens=TURN_ENDS, **ends)


def surrounded(form: str, ids: dict[str, int]) -> processors.TemplateProcessing:
    """Return a post-processor that puts special tokens around a text, which is $A in `form`."""
    return processors.TemplateProcessing(single=form, pair=f"{form} $B", special_tokens=list(ids.items()))


TOKENIZERS = {
    "bytes": byte_tokenizer,
    "no_bos": lambda: byte_tokenizer(bos=None),
    "own_padding": lambda: byte_tokenizer(pad="<pad>"),
    "adds_end": lambda: byte_tokenizer(
        post_processor=processors.Sequence(
            [processors.ByteLevel(trim_offsets=False), surrounded("<s> $A </s>", {"<s>": 0, "</s>": 1})]
        )
    ),
    "first": lambda: sentencepiece_tokenizer("first"),
    "always": lambda: sentencepiece_tokenizer("always"),
    "normalizer": lambda: sentencepiece_tokenizer("normalizer"),
}
TEMPLATES = {
    "chatml": (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "ends_in_eos": (
        "{{ bos_token }}{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}"
        "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    ),
}
