"""A model whose next token depends on the last one only, as a dict says."""

import math

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from utils.models.tokenization import token_ids


def bigram_model(tokenizer, following):
    """Return a model whose logits after token `a` are `following[a]` (token → logit), and -30 for other tokens.

    A token is given by its text or its id; None is end-of-text.
    """
    vocabulary = len(tokenizer)
    width = 2 * math.ceil(vocabulary / 2)
    end = tokenizer.eos_token_id
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=2,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=64,
        rms_norm_eps=0.0,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    model = LlamaForCausalLM(config).eval()

    def id_of(token):
        return token_ids(tokenizer, [token])[0][0] if isinstance(token, str) else end if token is None else token

    with torch.no_grad():
        block = model.model.layers[0]
        block.self_attn.o_proj.weight.zero_()
        block.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(vocabulary, width))
        model.lm_head.weight.fill_(-30)
        for token, logits in following.items():
            for next_token, logit in logits.items():
                model.lm_head.weight[id_of(next_token), id_of(token)] = logit
        model.lm_head.weight.div_(math.sqrt(width))  # RMSNorm makes the one-hot's 1 a sqrt(width)
    return model
