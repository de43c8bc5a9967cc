"""LoRA: training small matrices beside the frozen ones, which are merged into them when the model is saved.

In: the flags, and a model that is frozen as without adapters. Out: the same model with adapters in the blocks that
train, and on request a folder in peft's format. Open `lora.py` first.
"""
