"""The shortest scripts with transformers for one text, or for the perplexity of a few.

python -m benchmarks.speed.opponents.shortest classify models/reviews "I like it"
python -m benchmarks.speed.opponents.shortest generate models/tweets "I just" 20
python -m benchmarks.speed.opponents.shortest perplexity models/tweets data/processed.pkl
"""

import sys
from pathlib import Path


def classify(model: str, text: str) -> None:
    """Print the label and the score."""
    from transformers import pipeline

    print(pipeline("text-classification", model=model)(text))


def generate(model: str, prompt: str, new_tokens: str) -> None:
    """Print the prompt and its continuation."""
    from transformers import pipeline

    lengths = {"max_new_tokens": int(new_tokens), "min_new_tokens": int(new_tokens)}
    print(pipeline("text-generation", model=model)(prompt, do_sample=True, **lengths))


def perplexity(model: str, data: str) -> None:
    """Print the perplexity of the test split, one text at a time."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from utils.processed import load_processed

    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    loaded = AutoModelForCausalLM.from_pretrained(model, trust_remote_code=False)
    nll, tokens = 0.0, 0
    with torch.inference_mode():
        for text in load_processed(Path(data)).splits["test"].completion:
            ids = tokenizer((tokenizer.bos_token or "") + text + tokenizer.eos_token, return_tensors="pt").input_ids
            nll += loaded(input_ids=ids, labels=ids).loss.item() * (ids.numel() - 1)
            tokens += ids.numel() - 1
    print(torch.tensor(nll / tokens).exp().item())


if __name__ == "__main__":
    {"classify": classify, "generate": generate, "perplexity": perplexity}[sys.argv[1]](*sys.argv[2:])
