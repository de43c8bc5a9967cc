"""Random base models of every architecture that trains as a classifier, each with a tokenizer of its own kind."""

from pathlib import Path

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModel, PreTrainedTokenizerFast

CORPUS = [
    "good great lovely fine work so good really great",
    "bad awful horrid poor work so bad really awful",
    "thing number 0 1 2 3 4 5 6 7 8 9 10 20 30 40 50",
    "Review: Sentiment: Review:\nSentiment:",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
INPUTS = ["input_ids", "token_type_ids", "attention_mask"]
WIDTH = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
DECODER = {**WIDTH, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 128}
ENCODER = {**WIDTH, "max_position_embeddings": 128}
D_MODEL = {"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
HEADS = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}


def byte_level(**options) -> PreTrainedTokenizerFast:
    """GPT-2's kind: words with the space before them, and no padding token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _trained(tokenizer, ["<|endoftext|>"], bos_token="<|endoftext|>", eos_token="<|endoftext|>", **options)


def with_start() -> PreTrainedTokenizerFast:
    """Llama 3's kind: it starts texts with a token, has a normalizer and pads on the left."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    names = {"bos_token": "<s>", "eos_token": "</s>", "padding_side": "left"}
    found = _trained(tokenizer, ["<s>", "</s>"], **names)
    found.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", found.bos_token_id)]
    )
    return found


def metaspace() -> PreTrainedTokenizerFast:
    """Llama 2's and Gemma's kind: spaces are a letter of their own, and added tokens are found in texts."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    found = _trained(tokenizer, ["<unk>", "<s>", "</s>"], **names)
    found.add_tokens([AddedToken("good thing", normalized=False)])
    return found


def word_piece() -> PreTrainedTokenizerFast:
    """BERT's kind: small letters, and [CLS] and [SEP] around a text."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    found = _trained(tokenizer, SPECIAL, **_named(SPECIAL), model_input_names=INPUTS)
    return _surrounded(found, "[CLS] $A [SEP]")


def left_unigram() -> PreTrainedTokenizerFast:
    """XLNet's kind: [CLS] is the last token, and padding comes before the text."""
    return unigram(ends_with_cls=True)


def unigram(*, ends_with_cls: bool = False) -> PreTrainedTokenizerFast:
    """The kind of XLM-R, ALBERT and DeBERTa."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    side = "left" if ends_with_cls else "right"
    found = _trained(tokenizer, SPECIAL, **_named(SPECIAL), padding_side=side)
    return _surrounded(found, "$A [SEP] [CLS]:2" if ends_with_cls else "[CLS] $A [SEP]")


def _named(tokens: list[str]) -> dict[str, str]:
    return {f"{name.strip('[]').lower()}_token": name for name in tokens}


def _surrounded(found: PreTrainedTokenizerFast, single: str) -> PreTrainedTokenizerFast:
    special = [("[CLS]", found.cls_token_id), ("[SEP]", found.sep_token_id)]
    found.backend_tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=special)
    return found


def _trained(tokenizer: Tokenizer, special: list[str], **names) -> PreTrainedTokenizerFast:
    options = {"special_tokens": special, "show_progress": False, "vocab_size": 500}
    if isinstance(tokenizer.model, models.Unigram):
        trainer = trainers.UnigramTrainer(unk_token="[UNK]", **options)
    elif isinstance(tokenizer.model, models.WordPiece):
        trainer = trainers.WordPieceTrainer(**options)
    else:
        trainer = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **options)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 128}
FROM_PADDING = {**ENCODER, "max_position_embeddings": 130}  # positions are counted from the padding id on
RELATIVE = {**ENCODER, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
BOTTLENECK = {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16}
GPT_NEO = {"num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]]}
JAMBA = {"num_experts": 2, "attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False}
# name → (configuration class, its options, tokenizer)
ZOO = {
    "gpt2": ("GPT2Config", GPT, byte_level),
    "llama": ("LlamaConfig", DECODER, with_start),
    "mistral": ("MistralConfig", DECODER, metaspace),
    "mixtral": ("MixtralConfig", {**DECODER, "num_local_experts": 2}, metaspace),
    "gemma": ("GemmaConfig", DECODER, metaspace),
    "gemma2": ("Gemma2Config", {**DECODER, "query_pre_attn_scalar": 8}, metaspace),
    "gemma3": ("Gemma3TextConfig", {**DECODER, "query_pre_attn_scalar": 8}, metaspace),
    "qwen2": ("Qwen2Config", DECODER, byte_level),
    "qwen3": ("Qwen3Config", DECODER, byte_level),
    "smollm3": ("SmolLM3Config", {**DECODER, "pad_token_id": 1}, with_start),
    "phi": ("PhiConfig", DECODER, byte_level),
    "phi3": ("Phi3Config", DECODER, metaspace),
    "stablelm": ("StableLmConfig", DECODER, byte_level),
    "starcoder2": ("Starcoder2Config", DECODER, byte_level),
    "nemotron": ("NemotronConfig", DECODER, byte_level),
    "glm": ("GlmConfig", {**DECODER, "pad_token_id": 0}, byte_level),
    "helium": ("HeliumConfig", DECODER, with_start),
    "persimmon": ("PersimmonConfig", DECODER, metaspace),
    "opt": ("OPTConfig", {**ENCODER, "ffn_dim": 32, "word_embed_proj_dim": 16}, byte_level),
    "bloom": ("BloomConfig", {"hidden_size": 16, "n_layer": 2, "n_head": 2}, byte_level),
    "falcon": ("FalconConfig", {**ENCODER, "alibi": False}, byte_level),
    "gpt_neox": ("GPTNeoXConfig", ENCODER, byte_level),
    "gpt_neo": ("GPTNeoConfig", {**ENCODER, **GPT_NEO}, byte_level),
    "gptj": ("GPTJConfig", {**GPT, "rotary_dim": 4}, byte_level),
    "gpt_bigcode": ("GPTBigCodeConfig", GPT, byte_level),
    "openai-gpt": ("OpenAIGPTConfig", GPT, byte_level),
    "mpt": ("MptConfig", {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_seq_len": 128}, byte_level),
    "ctrl": ("CTRLConfig", {**GPT, "dff": 32}, byte_level),
    "biogpt": ("BioGptConfig", ENCODER, byte_level),
    "jamba": ("JambaConfig", {**DECODER, **JAMBA, "mamba_dt_rank": 2}, byte_level),
    "bert": ("BertConfig", ENCODER, word_piece),
    "distilbert": ("DistilBertConfig", {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}, word_piece),
    "electra": ("ElectraConfig", {**ENCODER, "embedding_size": 16}, word_piece),
    "mobilebert": ("MobileBertConfig", {**ENCODER, **BOTTLENECK}, word_piece),
    "mpnet": ("MPNetConfig", FROM_PADDING, word_piece),
    "squeezebert": ("SqueezeBertConfig", {**ENCODER, "embedding_size": 16}, word_piece),
    "convbert": ("ConvBertConfig", {**ENCODER, "embedding_size": 16, "head_ratio": 1}, word_piece),
    "roformer": ("RoFormerConfig", {**ENCODER, "embedding_size": 16}, word_piece),
    "ernie": ("ErnieConfig", ENCODER, word_piece),
    "roberta": ("RobertaConfig", {**FROM_PADDING, "type_vocab_size": 1}, unigram),
    "xlm-roberta": ("XLMRobertaConfig", {**FROM_PADDING, "type_vocab_size": 1}, unigram),
    "camembert": ("CamembertConfig", {**FROM_PADDING, "type_vocab_size": 1}, unigram),
    "data2vec": ("Data2VecTextConfig", {**FROM_PADDING, "type_vocab_size": 1}, unigram),
    "albert": ("AlbertConfig", {**ENCODER, "embedding_size": 16}, unigram),
    "deberta": ("DebertaConfig", RELATIVE, unigram),
    "deberta-v2": ("DebertaV2Config", RELATIVE, unigram),
    "modernbert": ("ModernBertConfig", {**ENCODER, "global_attn_every_n_layers": 2}, word_piece),
    "rembert": ("RemBertConfig", {**ENCODER, "input_embedding_size": 16}, unigram),
    "big_bird": ("BigBirdConfig", {**ENCODER, "attention_type": "original_full"}, unigram),
    "fnet": ("FNetConfig", ENCODER, unigram),
    "xlm": ("XLMConfig", {"emb_dim": 16, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 128}, unigram),
    "xlnet": ("XLNetConfig", {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32}, left_unigram),
    "bart": ("BartConfig", {**D_MODEL, **HEADS, "max_position_embeddings": 128}, word_piece),
}


def base_folder(folder: Path, name: str) -> str:
    """Return the name of a base model: a folder with one of this architecture, without a head that classifies."""
    config_class, options, tokenizer = ZOO[name]
    tokenizer = tokenizer()
    ids = {f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("bos", "eos", "pad")}
    ids = {kind: number for kind, number in ids.items() if number is not None}
    config = getattr(transformers, config_class)(vocab_size=len(tokenizer), **{**ids, **options})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModel.from_config(config)
        for parameter in model.parameters():
            parameter.data *= 10 if parameter.dim() > 1 else 1  # so that every weight shows in the logits
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
